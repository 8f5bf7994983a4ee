/*
 * shmem.h
 *	  Shared memory: which databases have workers, and which lanes have something new.
 */
#ifndef PLANTHUB_SHMEM_H
#define PLANTHUB_SHMEM_H

/* A lane's bit is its id modulo this; two lanes with one bit are claimed together, which is harmless. */
#define PH_LANE_BITS		1024
#define PH_LANE_WORDS		(PH_LANE_BITS / 64)

typedef struct PhLaneSet
{
	uint64		word[PH_LANE_WORDS];
} PhLaneSet;

extern void ph_shmem_init_hooks(void);	/* from _PG_init when preloaded */

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

/* For the worker: takes what was marked for it since the last call. */
extern void ph_shmem_take(int worker_no, PhLaneSet *lanes, bool *config);
extern FullTransactionId ph_shmem_prepared(int worker_no, PhLaneSet *lanes);	/* invalid: none */
extern void ph_shmem_clear_prepared(int worker_no, FullTransactionId upto);

#endif
