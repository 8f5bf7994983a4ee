/*
 * xact.c
 *	  Wakes the workers when the present transaction commits.
 *
 * The callbacks are registered once per backend: registering them in every transaction would make each commit slower
 * than the one before.  A subtransaction that rolls back leaves its mark: the worker wakes, looks, and finds nothing.
 *
 * At XACT_EVENT_COMMIT others see the rows already, but are not yet told to forget what they have cached of them; a
 * worker that woke then would look at new work with an old cross-reference.  That has been told when the resources are
 * released that come after locks.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/resowner.h"

#include "pg/compat.h"
#include "pg/shmem.h"
#include "pg/xact.h"

static PhMarks marks;
static bool marked;
static bool config_marked;
static bool jobs_marked;
static TimestampTz jobs_at;
static bool committed;
static bool registered;

static void
unmark(void)
{
	if (marked)
		memset(&marks, 0, sizeof(marks));
	marked = config_marked = jobs_marked = committed = false;
}

static void
end_of_transaction(XactEvent event, void *arg)
{
	if (!marked && !config_marked && !jobs_marked)
		return;
	switch (event)
	{
		case XACT_EVENT_COMMIT:
			committed = true;
			break;
		case XACT_EVENT_PRE_PREPARE:
			if (marked || config_marked)
				ph_shmem_note_prepared(&marks, GetTopFullTransactionId());
			break;
		case XACT_EVENT_PREPARE:
			/* Who looks sees that it is prepared, and looks until it is not. */
			if (config_marked || jobs_marked)
				ph_shmem_wake_jobs(PH_JOBS, 0);
			if (config_marked)
				ph_shmem_wake_jobs(PH_COLLECTORS, 0);
			unmark();
			break;
		case XACT_EVENT_ABORT:
			unmark();
			break;
		default:
			break;
	}
}

/* May be called for each part of the transaction; the first one wakes. */
static void
resources_released(ResourceReleasePhase phase, bool is_commit, bool is_top_level, void *arg)
{
	if (!committed || phase != RESOURCE_RELEASE_AFTER_LOCKS || !is_top_level)
		return;
	if (marked || config_marked)
		ph_shmem_wake(marked ? &marks : NULL, config_marked);
	if (jobs_marked)
		ph_shmem_wake_jobs(PH_JOBS, jobs_at);
	unmark();
}

static void
register_once(void)
{
	if (registered)
		return;
	(void) ph_shmem_get();			/* not at commit: it may throw */
	RegisterXactCallback(end_of_transaction, NULL);
	RegisterResourceReleaseCallback(resources_released, NULL);
	registered = true;
}

void
ph_xact_mark_lane(int lane)
{
	register_once();
	ph_marks_add_lane(&marks, lane);
	marked = true;
}

void
ph_xact_mark_entry(const char *thing)
{
	register_once();
	ph_marks_add_entry(&marks, thing);
	marked = true;
}

void
ph_xact_mark_config(void)
{
	register_once();
	config_marked = true;
}

void
ph_xact_mark_jobs(TimestampTz at)
{
	register_once();
	jobs_at = jobs_marked ? Min(jobs_at, at) : at;
	jobs_marked = true;
}
