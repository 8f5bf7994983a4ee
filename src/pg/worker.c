/*
 * worker.c
 *	  The frame of a worker process.
 *
 * The frame owns signals, session settings, waiting and the end of the process; the engine does the work.  A worker
 * ends by itself, with status 0, when the extension or the database goes away or when the number of workers changes;
 * the launcher decides what comes next.
 *
 * Once a second, without a transaction, it tries the lock that every connecting backend takes on its database.  While
 * someone drops, renames or copies the database that fails, and the worker makes way at once instead of after an error.
 * Every few seconds an empty transaction takes in invalidations, so that DROP EXTENSION is noticed by an idle worker.
 *
 * The processes that run the jobs of the database have the same frame.  They cannot look around while a job runs, which
 * may be long, so the first worker does it for them, and cancels the job when somebody needs the database or the extension.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/twophase.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_database.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "commands/prepare.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "pg/compat.h"
#include "pg/relations.h"
#include "pg/settings.h"
#include "pg/worker.h"

#define TICK_MS				1000
#define TICKS_TO_RECHECK	3
#define TRANSACTION_LIMIT_MS	60000
#define LOG_EVERY			100		/* failed transactions of a streak */

const PhTransaction ph_usual_transaction = {.activity = "planthub: record and claim",.limit_ms = TRANSACTION_LIMIT_MS};

static const PhWorkerOps *lane_ops;	/* of a worker */
static const PhWorkerOps *job_ops;	/* of the process for jobs */
static const PhWorkerOps *ops;	/* of this process */
static PhSlot *slot;
static uint32 generation;
static Oid	extension;
static Oid	owner;				/* of the extension */
static int	failed_in_a_row;	/* transactions */
static bool extension_lost;		/* a unit of work has seen it */
static bool started;			/* ops->start has been called */

static void attach(int slot_no);
static void detach(int code, Datum arg);
static void force_settings(void);
static void wait_for_version(void);
static void expect_prepared(void);
pg_noreturn static void leave(PhEnding ending);
static bool database_is_wanted(void);
static void obey(void);
static void tick(void);
pg_noreturn static void run(void);

void
ph_worker_set_ops(const PhWorkerOps *lanes, const PhWorkerOps *jobs)
{
	lane_ops = lanes;
	job_ops = jobs;
}

void
ph_worker_main(Datum arg)
{
	memcpy(&generation, MyBgworkerEntry->bgw_extra, sizeof(generation));
	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();

	attach(DatumGetInt32(arg));
	ops = PH_RUNS_JOBS(slot->worker_no) ? job_ops : lane_ops;
	BackgroundWorkerInitializeConnectionByOid(slot->database, InvalidOid, 0);
	force_settings();
	wait_for_version();
	if (!PH_RUNS_JOBS(slot->worker_no))
		expect_prepared();
	started = true;
	ops->start(slot->worker_no, slot->workers);
	run();
}

/* ---- slot ---- */

static void
attach(int slot_no)
{
	PhShared   *shared = ph_shmem_get();

	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	slot = &shared->slots[slot_no];
	if (slot->generation != generation || slot->state != PH_SLOT_STARTING)
	{
		LWLockRelease(&shared->lock);
		proc_exit(0);			/* the launcher has changed its mind */
	}
	slot->pid = MyProcPid;
	slot->latch = MyLatch;
	slot->started_at = GetCurrentTimestamp();
	slot->state = PH_SLOT_RUNNING;
	LWLockRelease(&shared->lock);
	on_shmem_exit(detach, (Datum) 0);
	ph_shmem_attach(slot);
}

/* Runs after the locks and the entry among the backends of the database are gone: who waits for our end can go on. */
static void
detach(int code, Datum arg)
{
	PhShared   *shared = ph_shmem_get();

	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	if (slot->generation == generation && slot->pid == MyProcPid)
	{
		slot->latch = NULL;
		slot->pid = 0;
		slot->start_at = 0;
		slot->state = PH_SLOT_ENDED;
		if (slot->ending == PH_END_ABSENT && ph_shmem_is_marked(slot))
			slot->ending = PH_END_AGAIN;	/* CREATE EXTENSION was faster */
	}
	LWLockRelease(&shared->lock);
	ph_shmem_wake_launcher();
}

static void
leave(PhEnding ending)
{
	if (started)
		ops->stop();
	slot->ending = ending;
	proc_exit(0);
}

/* ---- session ---- */

/* Whatever ALTER DATABASE or ALTER ROLE say: the worker's session is always the same. */
static void
force_settings(void)
{
	static const char *const settings[][2] = {
		{"search_path", "pg_catalog, pg_temp"},
		{"default_transaction_isolation", "read committed"},
		{"default_transaction_read_only", "off"},
		{"synchronous_commit", "local"},
		{"statement_timeout", "0"},
		{"lock_timeout", "900ms"},	/* shorter than deadlock_timeout: in a deadlock the worker gives way */
		{"idle_in_transaction_session_timeout", "0"},
#ifdef PH_TRANSACTION_TIMEOUT
		{"transaction_timeout", "0"},
#endif
		{"session_replication_role", "origin"},
		{"row_security", "on"},
		{"zero_damaged_pages", "off"},
		{"jit", "off"},
	};
	char		name[NAMEDATALEN];
	int			i;

	for (i = 0; i < lengthof(settings); i++)
		SetConfigOption(settings[i][0], settings[i][1], PGC_SUSET, PGC_S_OVERRIDE);
	if (PH_RUNS_JOBS(slot->worker_no))
		snprintf(name, sizeof(name), "planthub %s %s", PLANTHUB_VERSION, slot->worker_no == PH_JOBS ? "jobs" : "collectors");
	else
		snprintf(name, sizeof(name), "planthub %s worker %d", PLANTHUB_VERSION, slot->worker_no);
	SetConfigOption("application_name", name, PGC_SUSET, PGC_S_OVERRIDE);
	pgstat_report_appname(name);
}

/* Notes the owner, too. */
static bool
extension_has_version(Oid oid, const char *version)
{
	Relation	catalog = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		same = false;
	bool		isnull;

	ScanKeyInit(&key, Anum_pg_extension_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(oid));
	scan = systable_beginscan(catalog, ExtensionOidIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		Datum		value = heap_getattr(tuple, Anum_pg_extension_extversion, RelationGetDescr(catalog), &isnull);

		same = !isnull && strcmp(TextDatumGetCString(value), version) == 0;
		owner = ((Form_pg_extension) GETSTRUCT(tuple))->extowner;
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return same;
}

/* InvalidOid when the extension is not there; *same tells whether its version is that of this library. */
static Oid
find_extension(bool *same)
{
	Oid			oid;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	oid = get_extension_oid("planthub", true);
	*same = OidIsValid(oid) && extension_has_version(oid, PLANTHUB_VERSION);
	PopActiveSnapshot();
	CommitTransactionCommand();
	return oid;
}

/* Objects of another version may look different: idle until ALTER EXTENSION has been called, or the extension goes. */
static void
wait_for_version(void)
{
	bool		same;
	bool		logged = false;

	for (;;)
	{
		extension = find_extension(&same);
		if (!OidIsValid(extension))
			leave(PH_END_ABSENT);
		slot->ready = true;
		if (same)
			break;
		if (!logged)
			ereport(LOG,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("planthub waits: the extension in database %u is not of version %s", MyDatabaseId, PLANTHUB_VERSION),
					 errhint("Call ALTER EXTENSION planthub UPDATE.")));
		logged = true;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, TICK_MS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		obey();
		if (database_is_wanted())
			leave(PH_END_MADE_WAY);
	}
	ph_shmem_wake_launcher();
}

/*
 * Transactions may have been prepared before we could be told: everything that has a number now counts as such until it
 * has ended.
 */
static void
expect_prepared(void)
{
	PhMarks		all;

	if (max_prepared_xacts == 0)
		return;
	memset(&all, 0xff, sizeof(all));
	ph_shmem_note_prepared(&all, ReadNextFullTransactionId());
}

/* ---- loop ---- */

/* Whether someone is dropping, renaming or copying this database. */
static bool
database_is_wanted(void)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, InvalidOid, DatabaseRelationId, MyDatabaseId, 0);
	if (LockAcquire(&tag, RowExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
		return true;
	LockRelease(&tag, RowExclusiveLock, true);
	return false;
}

/* Whether someone waits to drop or update the extension. */
static bool
extension_is_wanted(void)
{
	LOCKTAG		tag;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, ExtensionRelationId, extension, 0);
	if (LockAcquire(&tag, AccessShareLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
		return true;
	LockRelease(&tag, AccessShareLock, true);
	return false;
}

bool
ph_worker_is_leaving(void)
{
	return pg_atomic_read_u32(&slot->stop) != 0 || database_is_wanted() || extension_is_wanted();
}

Oid
ph_worker_owner(void)
{
	return owner;
}

static void
recheck_extension(void)
{
	bool		same;
	Oid			now = find_extension(&same);

	if (!OidIsValid(now))
		leave(PH_END_ABSENT);
	if (now != extension || !same)
		leave(PH_END_AGAIN);
}

static void
tick(void)
{
	static int	ticks;
	bool		wanted = database_is_wanted();

	if (slot->worker_no == 0 && ph_shmem_jobs_run() && (wanted || extension_is_wanted()))
		ph_shmem_cancel_jobs();
	if (wanted)
		leave(PH_END_MADE_WAY);
	pgstat_report_stat(false);	/* what the last transaction before a rest kept for later: autovacuum waits for it */
	if (++ticks < TICKS_TO_RECHECK)
		return;
	ticks = 0;
	recheck_extension();
}

/* Does what the launcher, planthub.stop() and the configuration file say. */
static void
obey(void)
{
	if (pg_atomic_read_u32(&slot->stop) != 0)
		leave(PH_END_STOPPED);
	if (!ConfigReloadPending)
		return;
	ConfigReloadPending = false;
	ProcessConfigFile(PGC_SIGHUP);
	if (!ph_enabled || ph_workers != slot->workers)
		leave(PH_END_STOPPED);
}

static WaitEventSet *
create_wait_set(void)
{
	WaitEventSet *set = ph_create_wait_event_set(3);

	AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	if (ops->wait_fd() >= 0)
		AddWaitEventToSet(set, WL_SOCKET_READABLE, ops->wait_fd(), NULL, NULL);
	return set;
}

static void
run(void)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "planthub turn", ALLOCSET_DEFAULT_SIZES);
	WaitEventSet *set = create_wait_set();
	uint32		wait_event = ph_wait_event("PlanthubWorker");
	TimestampTz next_tick = 0;

	for (;;)
	{
		WaitEvent	event;
		PhMarks		marks;
		bool		config;
		long		timeout;

		QueryCancelPending = false; /* it was meant for a statement, and none runs */
		CHECK_FOR_INTERRUPTS();
		obey();
		if (extension_lost)
			recheck_extension();
		if (GetCurrentTimestamp() >= next_tick)
		{
			tick();
			next_tick = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), TICK_MS);
		}
		ph_shmem_take(slot->worker_no, &marks, &config);
		if (config)
			recheck_extension();
		MemoryContextSwitchTo(context);
		timeout = ops->turn(&marks, config);
		MemoryContextSwitchTo(TopMemoryContext);
		MemoryContextReset(context);

		if (timeout == PH_TURN_END)
			leave(PH_END_IDLE);
		if (timeout < 0 || timeout > TICK_MS)
			timeout = TICK_MS;
		if (WaitEventSetWait(set, timeout, &event, 1, wait_event) == 1 && (event.events & WL_LATCH_SET) != 0)
			ResetLatch(MyLatch);
	}
}

/* ---- transactions ---- */

static void
log_failure(void)
{
	if (failed_in_a_row++ % LOG_EVERY == 0)
		EmitErrorReport();
}

/* DROP EXTENSION takes this lock first, so it never meets a worker in the midst of the tables. */
static void
hold_extension(void)
{
	LockDatabaseObject(ExtensionRelationId, extension, 0, AccessShareLock);
	extension_lost = get_extension_oid("planthub", true) != extension;
	if (extension_lost)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("extension \"%s\" was dropped", "planthub")));
}

static void
add_context(void *arg)
{
	if (PH_RUNS_JOBS(slot->worker_no))
		errcontext("planthub jobs of database %u", MyDatabaseId);
	else
		errcontext("planthub worker %d of database %u", slot->worker_no, MyDatabaseId);
}

/* Whether the error is a request to end, and not the end of our own limit. */
static bool
is_cancelled(int sqlerrcode, TimestampTz limit)
{
	return sqlerrcode == ERRCODE_ADMIN_SHUTDOWN ||
		(sqlerrcode == ERRCODE_QUERY_CANCELED && GetCurrentTimestamp() < limit);
}

/* A failure of a unit of work is not one of the worker: report it, forget the transaction, go on. */
static void
clean_up(MemoryContext context, ErrorData **error)
{
	HOLD_INTERRUPTS();
	disable_timeout(STATEMENT_TIMEOUT, false);
	MemoryContextSwitchTo(context);
	if (error != NULL)
		*error = CopyErrorData();
	else if (!extension_lost)
		log_failure();
	AbortCurrentTransaction();
	FlushErrorState();
	RESUME_INTERRUPTS();
}

/*
 * Everything runs as the role, what is deferred to the commit included; it cannot take another role, above all not that of
 * the process.
 */
static void
run_and_commit(const PhTransaction *kind, void (*fn) (void *arg), void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	Oid			user;
	int			security;

	StartTransactionCommand();
	enable_timeout_after(STATEMENT_TIMEOUT, kind->limit_ms);
	hold_extension();
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(context);
	GetUserIdAndSecContext(&user, &security);
	if (OidIsValid(kind->role))
		SetUserIdAndSecContext(kind->role, security | SECURITY_LOCAL_USERID_CHANGE);
	fn(arg);
	disable_timeout(STATEMENT_TIMEOUT, false);
	PopActiveSnapshot();
	CommitTransactionCommand();
	SetUserIdAndSecContext(user, security);
}

bool
ph_run_transaction(const PhTransaction *kind, void (*fn) (void *arg), void *arg, ErrorData **error)
{
	MemoryContext context = CurrentMemoryContext;
	ErrorContextCallback callback = {.previous = error_context_stack,.callback = add_context};
	TimestampTz limit;
	volatile bool ok = false;

	limit = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), kind->limit_ms);
	SetCurrentStatementStartTimestamp();
	pgstat_report_activity(STATE_RUNNING, kind->activity);
	PG_TRY();
	{
		error_context_stack = &callback;
		run_and_commit(kind, fn, arg);
		failed_in_a_row = 0;
		ok = true;
	}
	PG_CATCH();
	{
		if (is_cancelled(geterrcode(), limit) && !(kind->cancellable && geterrcode() == ERRCODE_QUERY_CANCELED))
			PG_RE_THROW();
		clean_up(context, error);
	}
	PG_END_TRY();
	error_context_stack = callback.previous;
	MemoryContextSwitchTo(context);
	pgstat_report_stat(false);
	pgstat_report_activity(STATE_IDLE, NULL);
	return ok;
}

void
ph_worker_clean_session(void)
{
	StartTransactionCommand();
	PortalHashTableDeleteAll();
	DropAllPreparedStatements();
	LockReleaseAll(USER_LOCKMETHOD, true);
	ResetTempTableNamespace();
	ResetAllOptions();
	CommitTransactionCommand();
	force_settings();
}
