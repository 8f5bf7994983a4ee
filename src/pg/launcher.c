/*
 * launcher.c
 *	  The launcher: one process of the server that keeps the workers of every database running.
 *
 * It reads pg_database and nothing else.  At its start it sends a worker into every database; the worker looks for the
 * extension and ends when there is none, and then nothing happens in that database until someone asks: CREATE EXTENSION
 * and publish() do so at commit, and planthub.start().  Whoever dies is started again by exactly one party: the workers
 * by the launcher, with growing pauses, the launcher by the postmaster.
 *
 * The processes for the jobs of a database run only while there are some to run; one ends when there is nothing to do, and
 * comes back when its slot says so (due in shmem.h), which commits and the process itself have set.
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
#include "storage/lock.h"
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
#define NO_ROOM_PAUSE_MS	5000	/* max_worker_processes used up */
#define NO_ROOM_REPORT_MS	600000
#define WAY_PAUSE_MS	500		/* while someone holds the lock of the database */
#define HEALTHY_MS		30000	/* a worker that lived this long has no failures behind it */
#define PROBES			2		/* workers at a time that have not yet found out whether there is an extension */

static PhShared *shared;
static BackgroundWorkerHandle *handles[PH_MAX_SLOTS];	/* NULL: adopted from an earlier launcher */
static Oid *queue;				/* databases to look into */
static int	nqueue;
static int	most_probes = PROBES;
static TimestampTz no_room_until;	/* no more is asked of the postmaster before, unless a worker ends */
static bool was_enabled = true;
static bool is_preloaded;

static void detach(int code, Datum arg);
static void queue_all_databases(void);
static void look_after(int i, TimestampTz now);
static void take_requests(void);
static void take_queue(TimestampTz now);
static void complete_databases(TimestampTz now);
static long until_next(TimestampTz now);
static int	find_slot(Oid database, int worker_no);

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
	is_preloaded = true;
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
	if (pid != 0 || is_preloaded)
		return true;			/* or the postmaster is about to start it again */
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
	pgstat_report_appname("planthub " PLANTHUB_VERSION);
	wait_event = ph_wait_event("PlanthubLauncher");
	was_enabled = ph_enabled;
	queue_all_databases();
	for (;;)
	{
		TimestampTz now = GetCurrentTimestamp();

		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			if (ph_enabled && !was_enabled)
				queue_all_databases();
			was_enabled = ph_enabled;
		}
		for (i = 0; i < PH_MAX_SLOTS; i++)
			look_after(i, now);
		if (ph_enabled)
		{
			take_requests();
			take_queue(now);
			complete_databases(now);
		}
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, until_next(now), wait_event);
		ResetLatch(MyLatch);
	}
}

/* ---- databases ---- */

static void
enqueue(Oid database)
{
	int			i;

	for (i = 0; i < nqueue; i++)
	{
		if (queue[i] == database)
			return;
	}
	queue = queue == NULL ? MemoryContextAlloc(TopMemoryContext, sizeof(Oid)) :
		repalloc(queue, sizeof(Oid) * ((Size) nqueue + 1));
	queue[nqueue++] = database;
}

/* Whether workers can run there: not in a template, which others want to copy, nor in what is left of a DROP. */
static bool
is_suitable(Form_pg_database database)
{
	return database->datallowconn && !database->datistemplate && database->datconnlimit != DATCONNLIMIT_INVALID_DB;
}

static void
queue_all_databases(void)
{
	Relation	catalog;
	TableScanDesc scan;
	HeapTuple	tuple;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	catalog = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(catalog, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		if (is_suitable((Form_pg_database) GETSTRUCT(tuple)))
			enqueue(((Form_pg_database) GETSTRUCT(tuple))->oid);
	}
	table_endscan(scan);
	table_close(catalog, AccessShareLock);
	PopActiveSnapshot();
	CommitTransactionCommand();
}

/*
 * Looks whether workers can run in a database, and gives its name.  *busy tells that someone is dropping, renaming or
 * copying it: a worker started now would only wait for the end of that.
 */
static bool
find_database(Oid oid, NameData *name, bool *busy)
{
	LOCKTAG		tag;
	HeapTuple	tuple;
	bool		suitable = false;

	SET_LOCKTAG_OBJECT(tag, InvalidOid, DatabaseRelationId, oid, 0);
	*busy = LockAcquire(&tag, RowExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL;
	if (!*busy)
		LockRelease(&tag, RowExclusiveLock, true);
	StartTransactionCommand();
	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(oid));
	if (HeapTupleIsValid(tuple))
	{
		suitable = is_suitable((Form_pg_database) GETSTRUCT(tuple));
		*name = ((Form_pg_database) GETSTRUCT(tuple))->datname;
		ReleaseSysCache(tuple);
	}
	CommitTransactionCommand();
	return suitable;
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
	if (handles[i] != NULL)
		pfree(handles[i]);
	handles[i] = NULL;
	no_room_until = 0;
}

static void
set_ended(PhSlot *slot, TimestampTz start_at)
{
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	slot->state = PH_SLOT_ENDED;
	slot->start_at = start_at;
	LWLockRelease(&shared->lock);
}

static const char *
process_type(int worker_no)
{
	return worker_no == PH_JOBS ? "planthub jobs" : worker_no == PH_COLLECTORS ? "planthub collectors" : "planthub worker";
}

/* The same lack shows with every database and at every try: it is said once in a while. */
static void
report_no_room(const PhSlot *slot, const NameData *database, TimestampTz now)
{
	static TimestampTz reported;

	if (reported != 0 && now - reported < NO_ROOM_REPORT_MS * INT64CONST(1000))
		return;
	reported = now;
	ereport(LOG,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 PH_RUNS_JOBS(slot->worker_no) ?
			 errmsg("could not start %s of database \"%s\"", process_type(slot->worker_no), NameStr(*database)) :
			 errmsg("could not start planthub worker %d of database \"%s\"", slot->worker_no, NameStr(*database)),
			 errdetail("All background worker slots are in use."),
			 errhint("Raise \"max_worker_processes\" and restart the server.")));
}

/* Asks the postmaster for the process of a slot. */
static void
start_process(int i, const NameData *database, TimestampTz now)
{
	PhSlot	   *slot = &shared->slots[i];
	BackgroundWorker worker;
	MemoryContext old;
	char		name[BGW_MAXLEN];
	bool		registered;

	if (PH_RUNS_JOBS(slot->worker_no))
		snprintf(name, sizeof(name), "%s of %s", process_type(slot->worker_no), NameStr(*database));
	else
		snprintf(name, sizeof(name), "planthub worker %d of %s", slot->worker_no, NameStr(*database));
	fill(&worker, name, process_type(slot->worker_no), "ph_worker_main", BGW_NEVER_RESTART);
	worker.bgw_main_arg = Int32GetDatum(i);
	worker.bgw_notify_pid = MyProcPid;
	ph_shmem_clear_marks(slot);
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	slot->generation = ++shared->generation;
	slot->state = PH_SLOT_STARTING;
	slot->ending = PH_END_FAILED;
	slot->workers = ph_workers;
	slot->ready = false;
	slot->pid = 0;
	slot->start_at = slot->started_at = 0;
	LWLockRelease(&shared->lock);
	memcpy(worker.bgw_extra, &slot->generation, sizeof(slot->generation));
	if (handles[i] != NULL)
		pfree(handles[i]);
	handles[i] = NULL;
	old = MemoryContextSwitchTo(TopMemoryContext);
	registered = RegisterDynamicBackgroundWorker(&worker, &handles[i]);
	MemoryContextSwitchTo(old);
	if (registered)
		return;
	handles[i] = NULL;
	slot->failures++;
	if (!PH_RUNS_JOBS(slot->worker_no))
	{
		no_room_until = TimestampTzPlusMilliseconds(now, NO_ROOM_PAUSE_MS);
		most_probes = 1;		/* one after the other where places are scarce */
	}
	set_ended(slot, TimestampTzPlusMilliseconds(now, NO_ROOM_PAUSE_MS));
	report_no_room(slot, database, now);
}

/* Starts the worker of a slot if its database can have one now; gives the slot back if it never can. */
static void
start_worker(int i, TimestampTz now)
{
	NameData	name;
	bool		busy;

	if (!find_database(shared->slots[i].database, &name, &busy))
		free_slot(i);
	else if (busy)
	{
		shared->slots[i].ending = PH_END_MADE_WAY;
		set_ended(&shared->slots[i], TimestampTzPlusMilliseconds(now, WAY_PAUSE_MS));
	}
	else
		start_process(i, &name, now);
}

/* Whether the process that was to use the slot is gone.  A handle knows best: until it says so, its place is not free. */
static bool
has_ended(int i)
{
	PhSlot	   *slot = &shared->slots[i];
	pid_t		pid;

	if (handles[i] != NULL)
		return GetBackgroundWorkerPid(handles[i], &pid) == BGWH_STOPPED;
	return slot->state == PH_SLOT_ENDED || slot->pid == 0 || BackendPidGetProc(slot->pid) == NULL;
}

static TimestampTz
next_start(PhSlot *slot, TimestampTz now)
{
	int			pause;

	if (slot->ending == PH_END_AGAIN || slot->ending == PH_END_STOPPED)
		return now;
	if (slot->ending == PH_END_IDLE)
	{
		slot->failures = 0;
		return Max(1, ph_shmem_due(slot));
	}
	if (slot->ending == PH_END_MADE_WAY || slot->ending == PH_END_ABSENT)
		return TimestampTzPlusMilliseconds(now, WAY_PAUSE_MS);
	if (slot->started_at != 0 && now - slot->started_at >= HEALTHY_MS * INT64CONST(1000))
		slot->failures = 0;
	pause = Min(FIRST_PAUSE_MS << Min(slot->failures, 6), LONGEST_PAUSE_MS);
	if (slot->failures++ == 0)
		ereport(LOG,
				(PH_RUNS_JOBS(slot->worker_no) ?
				 errmsg("%s of database %u ended unexpectedly", process_type(slot->worker_no), slot->database) :
				 errmsg("planthub worker %d of database %u ended unexpectedly", slot->worker_no, slot->database),
				 errdetail("It is started again in %d ms, then in growing intervals, without further notice.", pause)));
	return TimestampTzPlusMilliseconds(now, pause);
}

static void
look_after(int i, TimestampTz now)
{
	PhSlot	   *slot = &shared->slots[i];
	bool		wanted;

	if (slot->state == PH_SLOT_FREE)
		return;
	wanted = ph_enabled && !ph_shmem_is_stopped(slot->database) &&
		(PH_RUNS_JOBS(slot->worker_no) ? find_slot(slot->database, 0) >= 0 : slot->worker_no < ph_workers);
	if (!has_ended(i))
	{
		if ((!wanted || slot->workers != ph_workers) && pg_atomic_exchange_u32(&slot->stop, 1) == 0)
		{
			Latch	   *latch = slot->latch;

			if (latch != NULL)
				SetLatch(latch);
			LWLockAcquire(&shared->lock, LW_SHARED);
			ph_shmem_cancel(slot);
			LWLockRelease(&shared->lock);
		}
		return;
	}
	if (!wanted || (slot->ending == PH_END_ABSENT && slot->state == PH_SLOT_ENDED && slot->start_at == 0 &&
					!PH_RUNS_JOBS(slot->worker_no)))
		free_slot(i);
	else if (slot->start_at == 0 || slot->ending == PH_END_IDLE)
		set_ended(slot, next_start(slot, now));
	if (slot->state != PH_SLOT_FREE && slot->start_at <= now)
		start_worker(i, now);
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

/* Takes a slot and starts its worker; false when there is none left. */
static bool
add_worker(Oid database, int worker_no, TimestampTz now)
{
	static bool logged;
	int			i;

	for (i = 0; i < PH_MAX_SLOTS && shared->slots[i].state != PH_SLOT_FREE; i++)
		;
	if (i == PH_MAX_SLOTS)
	{
		if (!logged)
			ereport(LOG,
					(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					 errmsg("no more than %d planthub workers can run in a server", PH_MAX_SLOTS)));
		logged = true;
		return false;
	}
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	shared->slots[i].state = PH_SLOT_ENDED;
	shared->slots[i].start_at = now;
	shared->slots[i].database = database;
	shared->slots[i].worker_no = worker_no;
	shared->slots[i].failures = 0;
	shared->slots[i].started_at = 0;
	shared->slots[i].pid = 0;
	pg_atomic_write_u64(&shared->slots[i].due, 0);
	LWLockRelease(&shared->lock);
	start_worker(i, now);
	return true;
}

/* ---- who needs workers ---- */

static void
take_requests(void)
{
	Oid			databases[PH_MAX_REQUESTS];
	bool		all;
	int			n;
	int			i;

	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	n = shared->nrequests;
	all = shared->all_requested;
	memcpy(databases, shared->requests, sizeof(Oid) * (Size) n);
	shared->nrequests = 0;
	shared->all_requested = false;
	LWLockRelease(&shared->lock);
	for (i = 0; i < n; i++)
		enqueue(databases[i]);
	if (all)
		queue_all_databases();
}

/* Sends a first worker into the queued databases, a few at a time: it sees whether there is an extension. */
static void
take_queue(TimestampTz now)
{
	int			probes = 0;
	int			kept = 0;
	int			i;

	for (i = 0; i < PH_MAX_SLOTS; i++)
	{
		PhSlot	   *slot = &shared->slots[i];

		probes += !PH_RUNS_JOBS(slot->worker_no) &&
			(slot->state == PH_SLOT_STARTING || (slot->state == PH_SLOT_RUNNING && !slot->ready));
	}
	for (i = 0; i < nqueue; i++)
	{
		int			old = find_slot(queue[i], 0);

		if (ph_shmem_is_stopped(queue[i]))
			continue;
		if (old >= 0 && !(shared->slots[old].ending == PH_END_ABSENT && shared->slots[old].state == PH_SLOT_ENDED))
			continue;			/* it has a worker, or will have one again */
		if (old >= 0 || probes >= most_probes || now < no_room_until || !add_worker(queue[i], 0, now))
			queue[kept++] = queue[i];
		else
			probes++;
	}
	nqueue = kept;
}

/* Once the first worker of a database has found the extension, the others follow, and the processes for its jobs. */
static void
complete_databases(TimestampTz now)
{
	int			i;
	int			worker_no;

	for (i = 0; i < PH_MAX_SLOTS; i++)
	{
		PhSlot	   *slot = &shared->slots[i];

		if (slot->state != PH_SLOT_RUNNING || !slot->ready || slot->worker_no != 0 || slot->workers != ph_workers)
			continue;
		for (worker_no = 1; worker_no < ph_workers; worker_no++)
		{
			if (find_slot(slot->database, worker_no) < 0 && !add_worker(slot->database, worker_no, now))
				return;
		}
		for (worker_no = PH_JOBS; worker_no <= PH_COLLECTORS; worker_no++)
		{
			if (find_slot(slot->database, worker_no) < 0 && !add_worker(slot->database, worker_no, now))
				return;
		}
	}
}

static long
until_next(TimestampTz now)
{
	long		ms = nqueue > 0 ? NO_ROOM_PAUSE_MS : IDLE_MS;
	int			i;

	for (i = 0; i < PH_MAX_SLOTS; i++)
	{
		PhSlot	   *slot = &shared->slots[i];

		if (slot->state == PH_SLOT_ENDED && slot->start_at != 0)
			ms = Min(ms, Max(0, (slot->start_at - now + 999) / 1000));
		else if (slot->state != PH_SLOT_FREE && handles[i] == NULL)
			ms = Min(ms, 1000);		/* adopted: its end comes without a signal */
	}
	return ms;
}
