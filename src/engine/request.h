/*
 * request.h
 *	  A request under way: one or more items, or, for an exchange, a step on behalf of those that wait for it.
 */
#ifndef PLANTHUB_REQUEST_H
#define PLANTHUB_REQUEST_H

#include "engine/work.h"

typedef struct PhRequest
{
	PhEndpointState *endpoint;
	const PhConfig *config;			/* pinned: the connector refers to its target */
	const PhEndpoint *target;		/* in config */
	struct PhExchange *exchange;	/* NULL: this request is all */
	int			n;
	PhItem	   *items[FLEXIBLE_ARRAY_MEMBER];
} PhRequest;

extern PhRequest *ph_request_create(PhEndpointState *endpoint, const PhConfig *config, const PhEndpoint *target,
									PhItem **items, int n);
extern void ph_request_free(PhRequest *request);

/* Sends its items to where target says. */
extern void ph_request_submit(const PhConnector *connector, PhRequest *request, const PhTarget *target);

/* Kills this process at the point of planthub.debug_crash. */
extern void ph_request_crash_at(const char *point);

#endif
