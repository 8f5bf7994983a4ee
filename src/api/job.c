/*
 * job.c
 *	  SQL functions around the process that runs the jobs of the database.
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "pg/shmem.h"
#include "pg/xact.h"

PG_FUNCTION_INFO_V1(planthub_wake_jobs);
PG_FUNCTION_INFO_V1(planthub_jobs_changed);
PG_FUNCTION_INFO_V1(planthub_job_process);

/* wake_jobs(at): with the commit it is known that a job may have to run at this time. */
Datum
planthub_wake_jobs(PG_FUNCTION_ARGS)
{
	ph_xact_mark_jobs(PG_GETARG_TIMESTAMPTZ(0));
	PG_RETURN_VOID();
}

/* Trigger: with the commit there may be something to do. */
Datum
planthub_jobs_changed(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by a trigger", "planthub.jobs_changed")));
	ph_xact_mark_jobs(0);
	PG_RETURN_POINTER(NULL);
}

/* Copies the slot of the process; false when the database has none. */
static bool
find_slot(PhSlot *slot)
{
	PhShared   *shared = ph_shmem_get();
	bool		found = false;
	int			i;

	LWLockAcquire(&shared->lock, LW_SHARED);
	for (i = 0; i < PH_MAX_SLOTS && !found; i++)
	{
		memcpy(slot, &shared->slots[i], sizeof(*slot));
		found = slot->state != PH_SLOT_FREE && slot->database == MyDatabaseId && slot->worker_no == PH_JOBS;
	}
	LWLockRelease(&shared->lock);
	return found;
}

/*
 * job_process() -> (state, pid, started_at, looks_at): state is asleep (no process: there is nothing to do before looks_at,
 * or before a commit says so), starting, running, failed (started again soon) or absent (the database has no workers).
 */
Datum
planthub_job_process(PG_FUNCTION_ARGS)
{
	PhSlot		slot;
	TupleDesc	desc;
	Datum		values[4] = {0};
	bool		nulls[4] = {false, true, true, true};
	const char *state = "absent";

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (find_slot(&slot))
	{
		TimestampTz due = ph_shmem_due(&slot);

		if (slot.state == PH_SLOT_ENDED)
			state = slot.failures == 0 ? "asleep" : "failed";
		else
			state = slot.state == PH_SLOT_STARTING ? "starting" : "running";
		values[1] = Int32GetDatum(slot.pid);
		values[2] = TimestampTzGetDatum(slot.started_at);
		nulls[1] = nulls[2] = slot.pid == 0;
		values[3] = TimestampTzGetDatum(due);
		nulls[3] = due == DT_NOEND;
	}
	values[0] = CStringGetTextDatum(state);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
