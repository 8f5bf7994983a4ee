/*
 * shmem.h
 *	  Shared memory: which databases have workers, which lanes have something new, and which entries have come.
 */
#ifndef PLANTHUB_SHMEM_H
#define PLANTHUB_SHMEM_H

#include "access/transam.h"
#include "datatype/timestamp.h"
#include "port/atomics.h"
#include "storage/latch.h"
#include "storage/lwlock.h"

/* A lane's bit is its id modulo this; two lanes with one bit are claimed together, which is harmless. */
#define PH_LANE_BITS		1024

/* An entry of the cross-reference has one of these, by its hash. */
#define PH_ENTRY_BITS		1024

#define PH_LANE_WORDS		(PH_LANE_BITS / 64)
#define PH_MARK_WORDS		(PH_LANE_WORDS + PH_ENTRY_BITS / 64)

#define PH_MAX_WORKERS		16		/* of one database */
#define PH_MAX_SLOTS		64		/* of all databases */
#define PH_MAX_REQUESTS		64

/* worker_no of the processes that run the jobs of a database; collectors, whose queries may be long, have their own. */
#define PH_JOBS				PH_MAX_WORKERS
#define PH_COLLECTORS		(PH_MAX_WORKERS + 1)
#define PH_RUNS_JOBS(worker_no)	((worker_no) >= PH_JOBS)
#define PH_NEVER			UINT64_MAX		/* of due, in PhSlot */

/* What a transaction has brought: first the bits of lanes, then those of entries. */
typedef struct PhMarks
{
	uint64		word[PH_MARK_WORDS];
} PhMarks;

typedef enum PhSlotState
{
	PH_SLOT_FREE,
	PH_SLOT_STARTING,			/* the launcher has asked for a process */
	PH_SLOT_RUNNING,
	PH_SLOT_ENDED				/* the process is gone; started again at start_at, or given up */
} PhSlotState;

typedef enum PhEnding
{
	PH_END_FAILED,				/* by an error, a signal, or without a word */
	PH_END_ABSENT,				/* the database has no extension: not again until someone asks */
	PH_END_STOPPED,				/* it was told to */
	PH_END_MADE_WAY,			/* someone drops, renames or copies the database */
	PH_END_AGAIN,				/* it wants to begin afresh */
	PH_END_IDLE					/* the process for jobs has nothing to do before due */
} PhEnding;

/*
 * One worker.  Everything plain is written under the lock: by the launcher while no process has the slot, by the
 * process while it has it (state and generation say so).  Marks are atomics: a committing backend sets them, then the
 * latch, without the lock; at worst that wakes a process for nothing.  A worker that ends looks at its marks after it
 * has left PH_SLOT_RUNNING, a waker looks at the state after it has set them: one of the two sees the other.
 */
typedef struct PhSlot
{
	PhSlotState state;
	PhEnding	ending;			/* valid when ended */
	Oid			database;
	int			worker_no;
	int			workers;		/* of how many */
	uint32		generation;		/* tells a late process that the slot is no longer its own */
	pid_t		pid;
	Latch	   *latch;			/* of the worker's PGPROC, which is never unmapped; NULL: none */
	TimestampTz started_at;
	bool		ready;			/* it has found the extension */
	int			failures;		/* in a row */
	TimestampTz start_at;		/* when to start it again; 0: not waiting */
	pg_atomic_uint32 stop;		/* it shall end */
	pg_atomic_uint64 marks[PH_MARK_WORDS];
	pg_atomic_uint32 config;
	pg_atomic_uint64 prepared_marks[PH_MARK_WORDS];
	pg_atomic_uint64 prepared_xid;	/* newest; 0: none */
	pg_atomic_uint64 due;		/* when a job may have to run, a TimestampTz; until taken it only becomes earlier */
	pg_atomic_uint32 busy;		/* a job runs, and may be cancelled */
} PhSlot;

typedef struct PhShared
{
	LWLock		lock;
	int			tranche;
	pid_t		launcher_pid;
	Latch	   *launcher_latch;
	uint32		generation;		/* last one given out */
	bool		all_requested;	/* there were more requests than fit */
	int			nrequests;		/* databases for which workers are wanted */
	Oid			requests[PH_MAX_REQUESTS];
	int			nstopped;		/* databases whose workers were stopped by planthub.stop() */
	Oid			stopped[PH_MAX_REQUESTS];
	PhSlot		slots[PH_MAX_SLOTS];
} PhShared;

extern void ph_marks_add_lane(PhMarks *marks, int lane);
extern void ph_marks_add_entry(PhMarks *marks, const char *thing);	/* set/code */
extern bool ph_marks_have_lane(const PhMarks *marks, int lane);

extern void ph_shmem_init_hooks(void);	/* from _PG_init when preloaded */

/* The structure; made from the slack of shared memory when the library was not preloaded. */
extern PhShared *ph_shmem_get(void);

/*
 * Sets the marks and the latch of every worker of the present database; asks the launcher for workers when it
 * has none.  config tells them to read the configuration again.  Safe outside a transaction; does not throw.
 */
extern void ph_shmem_wake(const PhMarks *marks, bool config);

/*
 * A job of the present database, of that process, may have to run at this time: it looks then, and the launcher starts it
 * for that.  Costs nothing more when it was going to look earlier anyway.  Safe outside a transaction; does not throw.
 */
extern void ph_shmem_wake_jobs(int worker_no, TimestampTz at);

/* When the process of a slot is to look for jobs, DT_NOEND: never. */
extern TimestampTz ph_shmem_due(const PhSlot *slot);

/* For such a process: when it is to look; it does so, and forgets the time; whether it is running a job. */
extern TimestampTz ph_shmem_jobs_due(void);
extern void ph_shmem_take_jobs(void);
extern void ph_shmem_set_busy(bool busy);

/* Whether jobs run in the present database; and their end.  A job may take long, and its process cannot look around. */
extern bool ph_shmem_jobs_run(void);
extern void ph_shmem_cancel_jobs(void);
extern void ph_shmem_cancel(PhSlot *slot);	/* under the lock; nothing when no job runs in it */

/*
 * A prepared transaction has brought this: its end comes without a wake, so workers poll until every transaction up to
 * xid has ended.
 */
extern void ph_shmem_note_prepared(const PhMarks *marks, FullTransactionId xid);

/* For the worker: this slot is its own; and whether something was marked that it has not taken. */
extern void ph_shmem_attach(PhSlot *slot);
extern bool ph_shmem_is_marked(const PhSlot *slot);

/* For the launcher: no marks from an earlier life of the slot. */
extern void ph_shmem_clear_marks(PhSlot *slot);

/* For the worker: takes what was marked for it since the last call. */
extern void ph_shmem_take(int worker_no, PhMarks *marks, bool *config);
extern FullTransactionId ph_shmem_prepared(int worker_no, PhMarks *marks);	/* invalid: none */
extern void ph_shmem_clear_prepared(int worker_no, FullTransactionId upto);

/* Asks the launcher for workers of a database, unless they were stopped; forget_stop takes that back. */
extern void ph_shmem_request(Oid database, bool forget_stop);

/* No more workers for this database until they are asked for; false when too many databases are stopped. */
extern bool ph_shmem_stop(Oid database);
extern bool ph_shmem_is_stopped(Oid database);
extern void ph_shmem_wake_launcher(void);

#endif
