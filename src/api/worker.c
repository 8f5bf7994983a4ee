/*
 * worker.c
 *	  planthub.start(), planthub.stop(), planthub.workers().
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "commands/extension.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "pg/compat.h"
#include "pg/launcher.h"
#include "pg/relations.h"
#include "pg/settings.h"
#include "pg/shmem.h"
#include "pg/xact.h"

#define WAIT_MS		30000		/* for processes to start or end */
#define STEP_MS		10

PG_FUNCTION_INFO_V1(planthub_start);
PG_FUNCTION_INFO_V1(planthub_stop);
PG_FUNCTION_INFO_V1(planthub_worker_list);

typedef struct Census
{
	int			processes;
	int			ready;			/* have found the extension */
	int			without_room;	/* could not be started at all */
} Census;

static Census
count_workers(void)
{
	PhShared   *shared = ph_shmem_get();
	Census		census = {0};
	int			i;

	LWLockAcquire(&shared->lock, LW_SHARED);
	for (i = 0; i < PH_MAX_SLOTS; i++)
	{
		PhSlot	   *slot = &shared->slots[i];

		if (slot->state == PH_SLOT_FREE || slot->database != MyDatabaseId)
			continue;
		if (slot->state != PH_SLOT_ENDED)
			census.processes++;
		if (PH_RUNS_JOBS(slot->worker_no))
			continue;			/* it comes when there is something to do */
		if (slot->state == PH_SLOT_ENDED && slot->failures > 0 && slot->started_at == 0)
			census.without_room++;
		census.ready += slot->state == PH_SLOT_RUNNING && slot->ready;
	}
	LWLockRelease(&shared->lock);
	return census;
}

static void
step(void)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, STEP_MS, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

static void
wait_for_workers(void)
{
	int			waited;

	for (waited = 0; waited < WAIT_MS; waited += STEP_MS)
	{
		Census		census = count_workers();

		if (census.ready > 0)
			return;
		if (census.without_room > 0)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("could not start the planthub workers of this database"),
					 errdetail("All background worker slots are in use."),
					 errhint("Raise \"max_worker_processes\" and restart the server.")));
		step();
	}
	ereport(WARNING,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("the planthub workers have not started yet"),
			 errhint("The server's log says why.")));
}

/* Whether workers cannot run here, now; only an explicit call complains, not CREATE EXTENSION. */
static bool
is_impossible(bool complain)
{
	if (!IsUnderPostmaster || IsBinaryUpgrade)
		return true;
	if (RecoveryInProgress() && complain)
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("planthub workers cannot run during recovery"),
				 errhint("They start by themselves when this server is promoted.")));
	if (!ph_enabled && complain)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("planthub workers are switched off"),
				 errhint("Set \"planthub.enabled\" to on and reload the configuration.")));
	return RecoveryInProgress() || !ph_enabled;
}

/*
 * The install script calls it too: then the workers can see the extension only after the commit, which asks again.
 */
Datum
planthub_start(PG_FUNCTION_ARGS)
{
	bool		complain = !creating_extension;

	if (is_impossible(complain))
		PG_RETURN_VOID();
	if (!ph_launcher_ensure())
		ereport(complain ? ERROR : WARNING,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("could not start the planthub launcher"),
				 errdetail("All background worker slots are in use."),
				 errhint("Raise \"max_worker_processes\" and restart the server.")));
	ph_shmem_request(MyDatabaseId, true);
	ph_xact_mark_config();
	if (complain && !IsTransactionBlock())
		wait_for_workers();
	PG_RETURN_VOID();
}

Datum
planthub_stop(PG_FUNCTION_ARGS)
{
	int			waited = 0;

	if (!ph_shmem_stop(MyDatabaseId))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("no more than %d databases can be stopped", PH_MAX_REQUESTS),
				 errhint("Set \"planthub.enabled\" to off instead.")));
	for (; count_workers().processes > 0 && waited < WAIT_MS; waited += STEP_MS)
		step();
	if (waited >= WAIT_MS)
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the planthub workers have not ended yet")));
	PG_RETURN_VOID();
}

Datum
planthub_worker_list(PG_FUNCTION_ARGS)
{
	static const char *const states[] = {"free", "starting", "running", "waiting"};
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	PhShared   *shared = ph_shmem_get();
	int			i;

	InitMaterializedSRF(fcinfo, 0);
	for (i = 0; i < PH_MAX_SLOTS; i++)
	{
		PhSlot		slot;
		Datum		values[6];
		bool		nulls[6] = {0};

		LWLockAcquire(&shared->lock, LW_SHARED);
		memcpy(&slot, &shared->slots[i], sizeof(slot));
		LWLockRelease(&shared->lock);
		if (slot.state == PH_SLOT_FREE || slot.database != MyDatabaseId || PH_RUNS_JOBS(slot.worker_no))
			continue;
		values[0] = Int32GetDatum(slot.worker_no);
		values[1] = Int32GetDatum(slot.pid);
		nulls[1] = slot.pid == 0;
		values[2] = CStringGetTextDatum(states[slot.state]);
		values[3] = TimestampTzGetDatum(slot.started_at);
		nulls[3] = slot.pid == 0;
		values[4] = Int32GetDatum(slot.failures);
		values[5] = TimestampTzGetDatum(slot.start_at);
		nulls[5] = slot.state != PH_SLOT_ENDED || slot.start_at == 0;
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
