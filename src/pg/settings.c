/*
 * settings.c
 *	  The settings planthub.*, sorted by name.
 */
#include "postgres.h"

#include "utils/guc.h"

#include "pg/compat.h"
#include "pg/settings.h"
#include "pg/shmem.h"

int			ph_claim_size = 1000;
char	   *ph_debug_crash = NULL;
bool		ph_enabled = true;
int			ph_max_connections = 256;
int			ph_max_payload_size = 16 * 1024;
int			ph_workers = 1;

static bool
check_debug_crash(char **newval, void **extra, GucSource source)
{
	static const char *const points[] = {"", "claimed", "taken", "sent", "answered", "recording", "recorded", "recovered"};
	int			i;

	for (i = 0; i < lengthof(points); i++)
	{
		if (strcmp(*newval, points[i]) == 0)
			return true;
	}
	if (strncmp(*newval, "key=", 4) == 0 || strncmp(*newval, "step=", 5) == 0)
		return true;
	GUC_check_errdetail("The points are \"claimed\", \"taken\", \"sent\", \"answered\", \"recording\", \"recorded\", \"recovered\", \"key=\" with a key, and \"step=\" with a step.");
	return false;
}

void
ph_settings_define(void)
{
	DefineCustomIntVariable("planthub.claim_size",
							"Sets the largest number of deliveries that a worker takes at once.",
							NULL, &ph_claim_size, 1000, 1, 10000, PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("planthub.debug_crash",
							   "Makes a worker kill itself at a point of its work.",
							   "For tests: claimed, taken (from held), sent, answered, recording, recorded, recovered (after taking over from a crashed worker), or key= and an ordering key.",
							   &ph_debug_crash, "", PGC_SIGHUP, GUC_NOT_IN_SAMPLE | GUC_NO_SHOW_ALL | GUC_SUPERUSER_ONLY,
							   check_debug_crash, NULL, NULL);
	DefineCustomBoolVariable("planthub.enabled",
							 "Runs the workers.",
							 NULL, &ph_enabled, true, PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("planthub.max_connections",
							"Sets the largest number of connections that a worker opens.",
							NULL, &ph_max_connections, 256, 1, 900, PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("planthub.max_payload_size",
							"Sets the largest message that can be published.",
							NULL, &ph_max_payload_size, 16 * 1024, 1, 256 * 1024, PGC_SUSET, GUC_UNIT_KB,
							NULL, NULL, NULL);
	DefineCustomIntVariable("planthub.workers",
							"Sets the number of workers of each database.",
							NULL, &ph_workers, 1, 1, PH_MAX_WORKERS, PGC_SIGHUP, 0, NULL, NULL, NULL);
	MarkGUCPrefixReserved("planthub");
}
