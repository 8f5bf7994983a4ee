/*
 * registry.c
 *	  The connectors of this process, by name.  Pure C.
 *
 * Those of this library are listed here; a module with another one registers it when it is loaded.
 */
#include <string.h>

#include "connector/connector.h"
#include "connector/http.h"

#ifdef POSTGRES_H
#error "pure C: must not see postgres.h"
#endif

#define MAX_CONNECTORS 32

static const PhConnector *connectors[MAX_CONNECTORS] = {&ph_http_connector};
static int	nconnectors = 1;

const PhConnector *
ph_connector_find(const char *name)
{
	int			i;

	for (i = 0; i < nconnectors; i++)
	{
		if (strcmp(connectors[i]->name, name) == 0)
			return connectors[i];
	}
	return NULL;
}

/* The first one of a name stays: what requests under way refer to must not change. */
bool
ph_connector_register(const PhConnector *connector)
{
	if (nconnectors == MAX_CONNECTORS || ph_connector_find(connector->name) != NULL)
		return false;
	connectors[nconnectors++] = connector;
	return true;
}
