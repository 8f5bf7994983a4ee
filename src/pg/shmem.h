/*
 * shmem.h
 *	  Shared memory: which databases have workers, and which lanes have something new.
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
#define PH_LANE_WORDS		(PH_LANE_BITS / 64)

#define PH_MAX_WORKERS		16		/* of one database */
#define PH_MAX_SLOTS		64		/* of all databases */
#define PH_MAX_REQUESTS		64

typedef struct PhLaneSet
{
	uint64		word[PH_LANE_WORDS];
} PhLaneSet;

typedef enum PhSlotState
{
	PH_SLOT_FREE,
	PH_SLOT_STARTING,			/* the launcher has asked for a process */
	PH_SLOT_RUNNING,
	PH_SLOT_ENDED				/* the process is gone: the launcher looks at absent and crashed */
} PhSlotState;

/*
 * One worker.  The launcher writes database, worker_no, workers and state, under the lock; the worker writes the rest
 * of the plain fields, under the lock, while the slot is its own (generation).  The marks are atomics: a committing
 * backend sets them and the latch without a lock, which at worst wakes a process for nothing.
 */
typedef struct PhSlot
{
	PhSlotState state;
	Oid			database;
	int			worker_no;
	int			workers;
	uint32		generation;
	pid_t		pid;
	Latch	   *latch;			/* of the worker's PGPROC, which is never unmapped; NULL: none */
	TimestampTz started_at;
	bool		absent;			/* it ended because there is nothing to do in the database */
	pg_atomic_uint64 lanes[PH_LANE_WORDS];
	pg_atomic_uint32 config;
	pg_atomic_uint64 prepared_lanes[PH_LANE_WORDS];
	pg_atomic_uint64 prepared_xid;	/* newest; 0: none */
} PhSlot;

typedef struct PhShared
{
	LWLock		lock;
	int			tranche;
	pid_t		launcher_pid;
	Latch	   *launcher_latch;
	uint32		generation;		/* last one given out */
	int			nrequests;		/* databases for which workers are wanted */
	Oid			requests[PH_MAX_REQUESTS];
	int			nstopped;		/* databases whose workers were stopped by planthub.stop() */
	Oid			stopped[PH_MAX_REQUESTS];
	PhSlot		slots[PH_MAX_SLOTS];
} PhShared;

extern void ph_shmem_init_hooks(void);	/* from _PG_init when preloaded */

/* The structure; made from the slack of shared memory when the library was not preloaded. */
extern PhShared *ph_shmem_get(void);

/*
 * Marks the lanes and sets the latch of every worker of the present database; asks the launcher for workers when it
 * has none.  config tells them to read the configuration again.  Safe outside a transaction; does not throw.
 */
extern void ph_shmem_wake(const PhLaneSet *lanes, bool config);

/*
 * A prepared transaction wrote to these lanes: its end comes without a wake, so workers poll them until every
 * transaction up to xid has ended.
 */
extern void ph_shmem_note_prepared(const PhLaneSet *lanes, FullTransactionId xid);

/* For the worker: this slot is its own. */
extern void ph_shmem_attach(PhSlot *slot);

/* For the worker: takes what was marked for it since the last call. */
extern void ph_shmem_take(int worker_no, PhLaneSet *lanes, bool *config);
extern FullTransactionId ph_shmem_prepared(int worker_no, PhLaneSet *lanes);	/* invalid: none */
extern void ph_shmem_clear_prepared(int worker_no, FullTransactionId upto);

/* Asks the launcher for workers of a database, or forgets a planthub.stop(). */
extern void ph_shmem_request(Oid database, bool forget_stop);

#endif
