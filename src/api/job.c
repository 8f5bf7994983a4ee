/*
 * job.c
 *	  SQL functions around the processes that run the jobs of the database.
 */
#include "postgres.h"

#include "commands/trigger.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "pg/compat.h"
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

/*
 * job_process() -> rows (process, state, pid, started_at, looks_at) for jobs and collectors: state is asleep (no process: there
 * is nothing to do before looks_at, or before a commit says so), starting, running or failed (started again soon).  No
 * row: the database has no workers.
 */
Datum
planthub_job_process(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	PhShared   *shared = ph_shmem_get();
	int			i;

	InitMaterializedSRF(fcinfo, 0);
	for (i = 0; i < PH_MAX_SLOTS; i++)
	{
		PhSlot		slot;
		TimestampTz due;
		Datum		values[5];
		bool		nulls[5] = {0};

		LWLockAcquire(&shared->lock, LW_SHARED);
		memcpy(&slot, &shared->slots[i], sizeof(slot));
		LWLockRelease(&shared->lock);
		if (slot.state == PH_SLOT_FREE || slot.database != MyDatabaseId || !PH_RUNS_JOBS(slot.worker_no))
			continue;
		due = ph_shmem_due(&slot);
		values[0] = CStringGetTextDatum(slot.worker_no == PH_JOBS ? "jobs" : "collectors");
		values[1] = CStringGetTextDatum(slot.state == PH_SLOT_STARTING ? "starting" : slot.state == PH_SLOT_RUNNING ? "running" :
										slot.failures == 0 ? "asleep" : "failed");
		values[2] = Int32GetDatum(slot.pid);
		values[3] = TimestampTzGetDatum(slot.started_at);
		nulls[2] = nulls[3] = slot.pid == 0;
		values[4] = TimestampTzGetDatum(due);
		nulls[4] = due == DT_NOEND;
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
