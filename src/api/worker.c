/*
 * worker.c
 *	  planthub.start(), planthub.stop(), planthub.workers().
 */
#include "postgres.h"

#include "access/xlog.h"
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

#define WAIT_MS		30000		/* for processes to start or end */
#define STEP_MS		10

PG_FUNCTION_INFO_V1(planthub_start);
PG_FUNCTION_INFO_V1(planthub_stop);
PG_FUNCTION_INFO_V1(planthub_worker_list);

/* How many workers of this database there are, running or on their way. */
static int
count_workers(void)
{
	PhShared   *shared = ph_shmem_get();
	int			n = 0;
	int			i;

	LWLockAcquire(&shared->lock, LW_SHARED);
	for (i = 0; i < PH_MAX_SLOTS; i++)
		n += shared->slots[i].state != PH_SLOT_FREE && shared->slots[i].database == MyDatabaseId;
	LWLockRelease(&shared->lock);
	return n;
}

static bool
wait_for_workers(bool running)
{
	int			waited;

	for (waited = 0; waited < WAIT_MS; waited += STEP_MS)
	{
		if ((count_workers() > 0) == running)
			return true;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, STEP_MS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	return false;
}

Datum
planthub_start(PG_FUNCTION_ARGS)
{
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("planthub workers cannot run during recovery"),
				 errhint("They start by themselves when this server is promoted.")));
	if (!ph_enabled)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("planthub workers are switched off"),
				 errhint("Set \"planthub.enabled\" to on and reload the configuration.")));
	if (!ph_launcher_ensure())
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("could not start the planthub launcher"),
				 errhint("Raise \"max_worker_processes\" and restart the server.")));
	ph_shmem_request(MyDatabaseId, true);
	if (!wait_for_workers(true))
		ereport(WARNING,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the planthub workers have not started yet"),
				 errhint("Look in the server's log, and at \"max_worker_processes\".")));
	PG_RETURN_VOID();
}

Datum
planthub_stop(PG_FUNCTION_ARGS)
{
	PhShared   *shared = ph_shmem_get();
	Latch	   *latch;

	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	if (shared->nstopped == PH_MAX_REQUESTS)
	{
		LWLockRelease(&shared->lock);
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("no more than %d databases can be stopped", PH_MAX_REQUESTS),
				 errhint("Set \"planthub.enabled\" to off instead.")));
	}
	shared->stopped[shared->nstopped++] = MyDatabaseId;
	latch = shared->launcher_latch;
	LWLockRelease(&shared->lock);
	if (latch != NULL)
		SetLatch(latch);
	if (latch != NULL && !wait_for_workers(false))
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
		Datum		values[4];
		bool		nulls[4] = {0};

		LWLockAcquire(&shared->lock, LW_SHARED);
		memcpy(&slot, &shared->slots[i], sizeof(slot));
		LWLockRelease(&shared->lock);
		if (slot.state == PH_SLOT_FREE || slot.database != MyDatabaseId)
			continue;
		values[0] = Int32GetDatum(slot.worker_no);
		values[1] = Int32GetDatum(slot.pid);
		nulls[1] = slot.pid == 0;
		values[2] = CStringGetTextDatum(states[slot.state]);
		values[3] = TimestampTzGetDatum(slot.started_at);
		nulls[3] = slot.pid == 0;
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
