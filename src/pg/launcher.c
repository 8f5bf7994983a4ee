/*
 * launcher.c
 *	  The launcher: one process of the server that keeps the workers of every database running.
 *
 * It reads pg_database and nothing else.  At its start it sends a worker into every database; the worker looks for the
 * extension and ends when there is none, and then nothing happens in that database until someone asks: CREATE EXTENSION
 * and publish() do so at commit, and planthub.start().  Whoever dies is started again by exactly one party: the workers
 * by the launcher, with growing pauses, the launcher by the postmaster.
 */
#include "postgres.h"

#include <signal.h>

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/procarray.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "pg/compat.h"
#include "pg/launcher.h"
#include "pg/settings.h"
#include "pg/shmem.h"

#define IDLE_MS			60000
#define FIRST_PAUSE_MS	1000
#define LONGEST_PAUSE_MS	60000
#define HEALTHY_MS		30000	/* a worker that lived this long starts again at once */

/* What the launcher alone knows of a slot. */
typedef struct Child
{
	BackgroundWorkerHandle *handle; /* NULL: adopted from an earlier launcher */
	int			failures;
	TimestampTz start_at;		/* when to start it again; 0: not waiting */
} Child;

static PhShared *shared;
static Child children[PH_MAX_SLOTS];
static bool was_enabled = true;

static void detach(int code, Datum arg);
static void request_all_databases(void);
static void look_after(int i, TimestampTz now);
static void take_requests(TimestampTz now);
static long until_next(TimestampTz now);

/* ---- registration ---- */

static void
fill(BackgroundWorker *worker, const char *name, const char *type, const char *function, int restart_time)
{
	memset(worker, 0, sizeof(*worker));
	worker->bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker->bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker->bgw_restart_time = restart_time;
	strlcpy(worker->bgw_library_name, "planthub", sizeof(worker->bgw_library_name));
	strlcpy(worker->bgw_function_name, function, sizeof(worker->bgw_function_name));
	strlcpy(worker->bgw_name, name, sizeof(worker->bgw_name));
	strlcpy(worker->bgw_type, type, sizeof(worker->bgw_type));
}

void
ph_launcher_register(void)
{
	BackgroundWorker worker;

	fill(&worker, "planthub launcher", "planthub launcher", "ph_launcher_main", 1);
	RegisterBackgroundWorker(&worker);
}

bool
ph_launcher_ensure(void)
{
	BackgroundWorkerHandle *handle;
	BackgroundWorker worker;
	pid_t		pid;

	shared = ph_shmem_get();
	LWLockAcquire(&shared->lock, LW_SHARED);
	pid = shared->launcher_pid;
	LWLockRelease(&shared->lock);
	if (pid != 0)
		return true;
	fill(&worker, "planthub launcher", "planthub launcher", "ph_launcher_main", 1);
	worker.bgw_notify_pid = MyProcPid;
	return RegisterDynamicBackgroundWorker(&worker, &handle) &&
		WaitForBackgroundWorkerStartup(handle, &pid) == BGWH_STARTED;
}

/* ---- the process ---- */

static bool
attach(void)
{
	bool		alone;

	shared = ph_shmem_get();
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	alone = shared->launcher_pid == 0;
	if (alone)
	{
		shared->launcher_pid = MyProcPid;
		shared->launcher_latch = MyLatch;
	}
	LWLockRelease(&shared->lock);
	if (alone)
		before_shmem_exit(detach, (Datum) 0);
	return alone;
}

static void
detach(int code, Datum arg)
{
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	if (shared->launcher_pid == MyProcPid)
	{
		shared->launcher_pid = 0;
		shared->launcher_latch = NULL;
	}
	LWLockRelease(&shared->lock);
}

void
ph_launcher_main(Datum arg)
{
	uint32		wait_event;
	int			i;

	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();
	if (!attach())
		proc_exit(0);			/* a second one, started at the same moment */
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	SetConfigOption("search_path", "pg_catalog, pg_temp", PGC_SUSET, PGC_S_OVERRIDE);
	wait_event = ph_wait_event("PlanthubLauncher");
	request_all_databases();
	for (;;)
	{
		TimestampTz now = GetCurrentTimestamp();

		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			if (ph_enabled && !was_enabled)
				request_all_databases();
			was_enabled = ph_enabled;
		}
		for (i = 0; i < PH_MAX_SLOTS; i++)
			look_after(i, now);
		if (ph_enabled)
			take_requests(now);
		if (WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, until_next(now), wait_event) & WL_LATCH_SET)
			ResetLatch(MyLatch);
	}
}

/* ---- databases ---- */

static void
request_all_databases(void)
{
	Relation	catalog;
	TableScanDesc scan;
	HeapTuple	tuple;
	Oid			found[PH_MAX_REQUESTS];
	int			n = 0;
	int			i;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	catalog = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(catalog, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL && n < PH_MAX_REQUESTS)
	{
		Form_pg_database database = (Form_pg_database) GETSTRUCT(tuple);

		if (database->datallowconn && !database->datistemplate)
			found[n++] = database->oid;
	}
	table_endscan(scan);
	table_close(catalog, AccessShareLock);
	PopActiveSnapshot();
	CommitTransactionCommand();
	for (i = 0; i < n; i++)
		ph_shmem_request(found[i], false);
}

static bool
database_exists(Oid database)
{
	bool		exists;

	StartTransactionCommand();
	exists = SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum(database));
	CommitTransactionCommand();
	return exists;
}

static bool
is_stopped(Oid database)
{
	int			i;

	for (i = 0; i < shared->nstopped; i++)
	{
		if (shared->stopped[i] == database)
			return true;
	}
	return false;
}

/* ---- slots ---- */

static void
free_slot(int i)
{
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	shared->slots[i].state = PH_SLOT_FREE;
	shared->slots[i].database = InvalidOid;
	shared->slots[i].generation = ++shared->generation;
	LWLockRelease(&shared->lock);
	if (children[i].handle != NULL)
		pfree(children[i].handle);
	memset(&children[i], 0, sizeof(children[i]));
}

static void
start_child(int i, TimestampTz now)
{
	PhSlot	   *slot = &shared->slots[i];
	BackgroundWorker worker;
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
	char		name[BGW_MAXLEN];

	snprintf(name, sizeof(name), "planthub worker %d", slot->worker_no);
	fill(&worker, name, "planthub worker", "ph_worker_main", BGW_NEVER_RESTART);
	worker.bgw_main_arg = Int32GetDatum(i);
	worker.bgw_notify_pid = MyProcPid;
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	slot->generation = ++shared->generation;
	slot->state = PH_SLOT_STARTING;
	slot->absent = false;
	slot->pid = 0;
	LWLockRelease(&shared->lock);
	memcpy(worker.bgw_extra, &slot->generation, sizeof(slot->generation));
	if (children[i].handle != NULL)
		pfree(children[i].handle);
	children[i].handle = NULL;
	children[i].start_at = 0;
	if (!RegisterDynamicBackgroundWorker(&worker, &children[i].handle))
	{
		if (children[i].failures++ == 0)
			ereport(LOG,
					(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					 errmsg("could not start planthub worker %d of database %u", slot->worker_no, slot->database),
					 errhint("Raise \"max_worker_processes\" and restart the server.")));
		slot->state = PH_SLOT_ENDED;
		children[i].start_at = TimestampTzPlusMilliseconds(now, LONGEST_PAUSE_MS / 4);
	}
	MemoryContextSwitchTo(old);
}

/* Whether the process that was to use the slot is gone. */
static bool
has_ended(int i)
{
	PhSlot	   *slot = &shared->slots[i];
	pid_t		pid;

	if (slot->state == PH_SLOT_ENDED)
		return true;
	if (children[i].handle != NULL)
		return GetBackgroundWorkerPid(children[i].handle, &pid) == BGWH_STOPPED;
	return slot->pid == 0 || BackendPidGetProc(slot->pid) == NULL;
}

static void
plan_restart(int i, TimestampTz now)
{
	PhSlot	   *slot = &shared->slots[i];
	Child	   *child = &children[i];
	int			pause;

	if (slot->started_at != 0 && now - slot->started_at >= HEALTHY_MS * INT64CONST(1000))
		child->failures = 0;
	pause = Min(FIRST_PAUSE_MS << Min(child->failures, 6), LONGEST_PAUSE_MS);
	child->failures++;
	slot->state = PH_SLOT_ENDED;
	child->start_at = TimestampTzPlusMilliseconds(now, pause);
}

static void
look_after(int i, TimestampTz now)
{
	PhSlot	   *slot = &shared->slots[i];
	Child	   *child = &children[i];
	bool		wanted;

	if (slot->state == PH_SLOT_FREE)
		return;
	wanted = ph_enabled && !is_stopped(slot->database) && slot->workers == ph_workers;
	if (!has_ended(i))
	{
		if (!wanted && slot->pid != 0)
			kill(slot->pid, SIGTERM);
		return;
	}
	if (!wanted || slot->absent)
	{
		bool		again = !slot->absent && ph_enabled && !is_stopped(slot->database);
		Oid			database = slot->database;

		free_slot(i);
		if (again)
			ph_shmem_request(database, false);
		return;
	}
	if (child->start_at == 0)
		plan_restart(i, now);
	if (child->start_at > now)
		return;
	if (database_exists(slot->database))
		start_child(i, now);
	else
		free_slot(i);
}

static int
find_slot(Oid database, int worker_no)
{
	int			i;

	for (i = 0; i < PH_MAX_SLOTS; i++)
	{
		if (shared->slots[i].state != PH_SLOT_FREE && shared->slots[i].database == database &&
			shared->slots[i].worker_no == worker_no)
			return i;
	}
	return -1;
}

static int
free_slot_no(void)
{
	int			i;

	for (i = 0; i < PH_MAX_SLOTS; i++)
	{
		if (shared->slots[i].state == PH_SLOT_FREE)
			return i;
	}
	return -1;
}

static void
start_database(Oid database, TimestampTz now)
{
	static bool logged;
	int			worker_no;

	for (worker_no = 0; worker_no < ph_workers; worker_no++)
	{
		int			i;

		if (find_slot(database, worker_no) >= 0)
			continue;
		i = free_slot_no();
		if (i < 0)
		{
			if (!logged)
				ereport(LOG,
						(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
						 errmsg("no more than %d planthub workers can run in a server", PH_MAX_SLOTS)));
			logged = true;
			return;
		}
		LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
		shared->slots[i].database = database;
		shared->slots[i].worker_no = worker_no;
		shared->slots[i].workers = ph_workers;
		shared->slots[i].started_at = 0;
		LWLockRelease(&shared->lock);
		start_child(i, now);
	}
}

static void
take_requests(TimestampTz now)
{
	Oid			databases[PH_MAX_REQUESTS];
	int			n;
	int			i;

	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	n = shared->nrequests;
	memcpy(databases, shared->requests, sizeof(Oid) * (Size) n);
	shared->nrequests = 0;
	LWLockRelease(&shared->lock);
	for (i = 0; i < n; i++)
	{
		if (!is_stopped(databases[i]) && database_exists(databases[i]))
			start_database(databases[i], now);
	}
}

static long
until_next(TimestampTz now)
{
	long		ms = IDLE_MS;
	int			i;

	for (i = 0; i < PH_MAX_SLOTS; i++)
	{
		if (shared->slots[i].state != PH_SLOT_FREE && children[i].start_at != 0)
			ms = Min(ms, Max(0, (long) ((children[i].start_at - now) / 1000)));
		else if (shared->slots[i].state != PH_SLOT_FREE && children[i].handle == NULL)
			ms = Min(ms, 1000);		/* adopted: its end comes without a signal */
	}
	return ms;
}
