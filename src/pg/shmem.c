/*
 * shmem.c
 *	  Shared memory; the protocol is at PhSlot in shmem.h.
 */
#include "postgres.h"

#include <signal.h>

#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"

#include "pg/compat.h"
#include "pg/settings.h"
#include "pg/shmem.h"

static PhShared *shared = NULL;
static PhSlot *own_slot = NULL;

#ifdef PH_SHMEM_REQUEST_HOOK
static shmem_request_hook_type previous_request_hook = NULL;
#endif
static shmem_startup_hook_type previous_startup_hook = NULL;

static void
request(void)
{
#ifdef PH_SHMEM_REQUEST_HOOK
	if (previous_request_hook != NULL)
		previous_request_hook();
#endif
	RequestAddinShmemSpace(MAXALIGN(sizeof(PhShared)));
}

static void
startup(void)
{
	if (previous_startup_hook != NULL)
		previous_startup_hook();
	shared = NULL;
	(void) ph_shmem_get();
}

void
ph_shmem_init_hooks(void)
{
#ifdef PH_SHMEM_REQUEST_HOOK
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request;
#else
	request();
#endif
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = startup;
}

static void
initialize(void)
{
	int			i;
	int			j;

	memset(shared, 0, sizeof(*shared));
	shared->tranche = LWLockNewTrancheId();
	LWLockInitialize(&shared->lock, shared->tranche);
	for (i = 0; i < PH_MAX_SLOTS; i++)
	{
		PhSlot	   *slot = &shared->slots[i];

		pg_atomic_init_u32(&slot->stop, 0);
		pg_atomic_init_u32(&slot->config, 0);
		pg_atomic_init_u64(&slot->prepared_xid, 0);
		pg_atomic_init_u64(&slot->due, 0);
		pg_atomic_init_u32(&slot->busy, 0);
		for (j = 0; j < PH_MARK_WORDS; j++)
		{
			pg_atomic_init_u64(&slot->marks[j], 0);
			pg_atomic_init_u64(&slot->prepared_marks[j], 0);
		}
	}
}

PhShared *
ph_shmem_get(void)
{
	bool		found;

	if (shared != NULL)
		return shared;
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct("planthub", sizeof(PhShared), &found);
	if (!found)
		initialize();
	LWLockRelease(AddinShmemInitLock);
	LWLockRegisterTranche(shared->tranche, "planthub");
	return shared;
}

void
ph_shmem_wake_launcher(void)
{
	Latch	   *latch = shared->launcher_latch;

	if (latch != NULL)
		SetLatch(latch);
}

/* ---- marks ---- */

void
ph_marks_add_lane(PhMarks *marks, int lane)
{
	int			bit = lane % PH_LANE_BITS;

	marks->word[bit / 64] |= UINT64CONST(1) << (bit % 64);
}

bool
ph_marks_have_lane(const PhMarks *marks, int lane)
{
	int			bit = lane % PH_LANE_BITS;

	return (marks->word[bit / 64] & (UINT64CONST(1) << (bit % 64))) != 0;
}

void
ph_marks_add_entry(PhMarks *marks, const char *thing)
{
	int			bit = hash_bytes((const unsigned char *) thing, (int) strlen(thing)) % PH_ENTRY_BITS;

	marks->word[PH_LANE_WORDS + bit / 64] |= UINT64CONST(1) << (bit % 64);
}

/* ---- workers wanted and not wanted ---- */

static bool
contains(const Oid *oids, int n, Oid oid)
{
	int			i;

	for (i = 0; i < n; i++)
	{
		if (oids[i] == oid)
			return true;
	}
	return false;
}

void
ph_shmem_request(Oid database, bool forget_stop)
{
	bool		news = false;
	int			i;

	(void) ph_shmem_get();
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	for (i = 0; forget_stop && i < shared->nstopped; i++)
	{
		if (shared->stopped[i] == database)
			shared->stopped[i--] = shared->stopped[--shared->nstopped];
	}
	if (!contains(shared->stopped, shared->nstopped, database) &&
		!contains(shared->requests, shared->nrequests, database))
	{
		if (shared->nrequests < PH_MAX_REQUESTS)
			shared->requests[shared->nrequests++] = database;
		else
			shared->all_requested = true;
		news = true;
	}
	LWLockRelease(&shared->lock);
	if (news)
		ph_shmem_wake_launcher();
}

bool
ph_shmem_is_stopped(Oid database)
{
	bool		stopped;

	LWLockAcquire(&shared->lock, LW_SHARED);
	stopped = contains(shared->stopped, shared->nstopped, database);
	LWLockRelease(&shared->lock);
	return stopped;
}

bool
ph_shmem_stop(Oid database)
{
	bool		noted;
	int			i;

	(void) ph_shmem_get();
	LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
	noted = contains(shared->stopped, shared->nstopped, database);
	if (!noted && shared->nstopped < PH_MAX_REQUESTS)
	{
		shared->stopped[shared->nstopped++] = database;
		noted = true;
	}
	for (i = 0; noted && i < shared->nrequests; i++)
	{
		if (shared->requests[i] == database)
			shared->requests[i--] = shared->requests[--shared->nrequests];
	}
	for (i = 0; noted && i < PH_MAX_SLOTS; i++)
	{
		PhSlot	   *slot = &shared->slots[i];

		if (slot->state == PH_SLOT_FREE || slot->database != database)
			continue;
		pg_atomic_write_u32(&slot->stop, 1);
		if (slot->latch != NULL)
			SetLatch(slot->latch);
		ph_shmem_cancel(slot);
	}
	LWLockRelease(&shared->lock);
	ph_shmem_wake_launcher();
	return noted;
}

/* ---- waking ---- */

static void
mark(PhSlot *slot, const PhMarks *marks, bool config)
{
	int			i;

	for (i = 0; marks != NULL && i < PH_MARK_WORDS; i++)
	{
		if (marks->word[i] != 0)
			pg_atomic_fetch_or_u64(&slot->marks[i], marks->word[i]);
	}
	if (config)
		pg_atomic_write_u32(&slot->config, 1);
	pg_memory_barrier();
}

void
ph_shmem_wake(const PhMarks *marks, bool config)
{
	bool		found = false;
	int			i;

	(void) ph_shmem_get();
	for (i = 0; i < PH_MAX_SLOTS; i++)
	{
		volatile PhSlot *slot = &shared->slots[i];
		Latch	   *latch;

		if (slot->database != MyDatabaseId || slot->state == PH_SLOT_FREE || PH_RUNS_JOBS(slot->worker_no))
			continue;
		mark(&shared->slots[i], marks, config);
		if (slot->state == PH_SLOT_STARTING || slot->state == PH_SLOT_RUNNING ||
			(slot->state == PH_SLOT_ENDED && slot->start_at != 0))
			found = true;
		latch = slot->latch;
		if (latch != NULL)
			SetLatch(latch);
	}
	if (config)
	{
		ph_shmem_wake_jobs(PH_JOBS, 0);
		ph_shmem_wake_jobs(PH_COLLECTORS, 0);
	}
	if (!found)
		ph_shmem_request(MyDatabaseId, false);
}

static PhSlot *
find_jobs(int worker_no)
{
	int			i;

	(void) ph_shmem_get();
	for (i = 0; i < PH_MAX_SLOTS; i++)
	{
		PhSlot	   *slot = &shared->slots[i];

		if (slot->database == MyDatabaseId && slot->state != PH_SLOT_FREE && slot->worker_no == worker_no)
			return slot;
	}
	return NULL;
}

/* Whoever makes it earlier wakes; a process that is about to end is seen by the launcher, which looks at due itself. */
void
ph_shmem_wake_jobs(int worker_no, TimestampTz at)
{
	volatile PhSlot *slot = find_jobs(worker_no);
	uint64		due = (uint64) Max(at, 0);
	uint64		old;
	Latch	   *latch;

	if (slot == NULL)
		return;					/* when there is one it looks at once */
	old = pg_atomic_read_u64(unvolatize(pg_atomic_uint64 *, &slot->due));
	do
	{
		if (old <= due)
			return;
	} while (!pg_atomic_compare_exchange_u64(unvolatize(pg_atomic_uint64 *, &slot->due), &old, due));
	latch = slot->latch;
	if (latch != NULL)
		SetLatch(latch);
	if (latch == NULL || slot->state != PH_SLOT_RUNNING)
		ph_shmem_wake_launcher();
}

void
ph_shmem_cancel(PhSlot *slot)
{
	if (slot->state == PH_SLOT_RUNNING && slot->pid != 0 && pg_atomic_read_u32(&slot->busy) != 0)
		kill(slot->pid, SIGINT);
}

bool
ph_shmem_jobs_run(void)
{
	int			i;

	for (i = PH_JOBS; i <= PH_COLLECTORS; i++)
	{
		PhSlot	   *slot = find_jobs(i);

		if (slot != NULL && pg_atomic_read_u32(&slot->busy) != 0)
			return true;
	}
	return false;
}

void
ph_shmem_cancel_jobs(void)
{
	int			i;

	LWLockAcquire(&shared->lock, LW_SHARED);
	for (i = PH_JOBS; i <= PH_COLLECTORS; i++)
	{
		PhSlot	   *slot = find_jobs(i);

		if (slot != NULL)
			ph_shmem_cancel(slot);
	}
	LWLockRelease(&shared->lock);
}

void
ph_shmem_note_prepared(const PhMarks *marks, FullTransactionId xid)
{
	int			i;
	int			j;

	(void) ph_shmem_get();
	for (i = 0; i < PH_MAX_SLOTS; i++)
	{
		PhSlot	   *slot = &shared->slots[i];

		if (slot->database != MyDatabaseId || slot->state == PH_SLOT_FREE || PH_RUNS_JOBS(slot->worker_no))
			continue;
		for (j = 0; j < PH_MARK_WORDS; j++)
			pg_atomic_fetch_or_u64(&slot->prepared_marks[j], marks->word[j]);
		LWLockAcquire(&shared->lock, LW_EXCLUSIVE);
		if (pg_atomic_read_u64(&slot->prepared_xid) < U64FromFullTransactionId(xid))
			pg_atomic_write_u64(&slot->prepared_xid, U64FromFullTransactionId(xid));
		LWLockRelease(&shared->lock);
		if (slot->latch != NULL)
			SetLatch(slot->latch);
	}
}

/* ---- for a process that runs jobs ---- */

TimestampTz
ph_shmem_due(const PhSlot *slot)
{
	uint64		due = pg_atomic_read_u64(unconstify(pg_atomic_uint64 *, &slot->due));

	return due >= (uint64) DT_NOEND ? DT_NOEND : (TimestampTz) due;
}

TimestampTz
ph_shmem_jobs_due(void)
{
	return ph_shmem_due(own_slot);
}

void
ph_shmem_take_jobs(void)
{
	(void) pg_atomic_exchange_u64(&own_slot->due, PH_NEVER);
}

void
ph_shmem_set_busy(bool busy)
{
	pg_atomic_write_u32(&own_slot->busy, busy);
}

/* ---- for the worker ---- */

void
ph_shmem_attach(PhSlot *slot)
{
	own_slot = slot;
}

bool
ph_shmem_is_marked(const PhSlot *slot)
{
	PhSlot	   *marked = unconstify(PhSlot *, slot);
	int			i;

	pg_memory_barrier();
	for (i = 0; i < PH_MARK_WORDS; i++)
	{
		if (pg_atomic_read_u64(&marked->marks[i]) != 0)
			return true;
	}
	return pg_atomic_read_u32(&marked->config) != 0;
}

void
ph_shmem_clear_marks(PhSlot *slot)
{
	int			i;

	pg_atomic_write_u32(&slot->stop, 0);
	pg_atomic_write_u32(&slot->busy, 0);
	pg_atomic_write_u32(&slot->config, 0);
	pg_atomic_write_u64(&slot->prepared_xid, 0);
	for (i = 0; i < PH_MARK_WORDS; i++)
	{
		pg_atomic_write_u64(&slot->marks[i], 0);
		pg_atomic_write_u64(&slot->prepared_marks[i], 0);
	}
}

void
ph_shmem_take(int worker_no, PhMarks *marks, bool *config)
{
	int			i;

	for (i = 0; i < PH_MARK_WORDS; i++)
		marks->word[i] = pg_atomic_read_u64(&own_slot->marks[i]) == 0 ? 0 :
			pg_atomic_exchange_u64(&own_slot->marks[i], 0);
	*config = pg_atomic_exchange_u32(&own_slot->config, 0) != 0;
}

FullTransactionId
ph_shmem_prepared(int worker_no, PhMarks *marks)
{
	int			i;

	for (i = 0; i < PH_MARK_WORDS; i++)
		marks->word[i] = pg_atomic_read_u64(&own_slot->prepared_marks[i]);
	return FullTransactionIdFromU64(pg_atomic_read_u64(&own_slot->prepared_xid));
}

/* A newer one may have been noted meanwhile; then everything stays. */
void
ph_shmem_clear_prepared(int worker_no, FullTransactionId upto)
{
	uint64		expected = U64FromFullTransactionId(upto);
	int			i;

	if (!pg_atomic_compare_exchange_u64(&own_slot->prepared_xid, &expected, 0))
		return;
	for (i = 0; i < PH_MARK_WORDS; i++)
		pg_atomic_write_u64(&own_slot->prepared_marks[i], 0);
}
