/*
 * work.h
 *	  The dispatcher's state, and its transactions: recording outcomes, taking lanes, claiming.
 */
#ifndef PLANTHUB_WORK_H
#define PLANTHUB_WORK_H

#include "engine/breaker.h"
#include "engine/held.h"
#include "engine/lane.h"
#include "engine/queue.h"
#include "engine/settle.h"
#include "pg/shmem.h"

typedef struct PhLaneWork
{
	PhLaneState state;
	PhQueue		queue;
	struct PhEndpointState *endpoint;
	int			priority;
	bool		wants_claim;		/* something may be new */
	bool		wants_due;			/* held may have changed: look when the next one is due */
	PhHeldDue	due;				/* of held */
	int			failures;			/* of its claims in a row */
	TimestampTz follow_at;			/* when delivered ones are to be asked about, see follow.h; 0: never */
} PhLaneWork;

typedef struct PhEndpointState
{
	int			id;
	const PhEndpoint *endpoint;		/* in ph_work.config; NULL when it is gone */
	PhBreaker	breaker;
	bool		dirty;				/* the breaker's row is to be written */
	int			last_status;		/* of the last failure */
	char		last_error[256];
	bool		outage_logged;
	int			in_flight;
	TimestampTz throttled_until;
	int			nlanes;
	PhLaneWork **lanes;				/* by priority */
	struct PhAccess *access;		/* see access.h; NULL: not needed yet */
} PhEndpointState;

typedef struct PhWork
{
	MemoryContext context;			/* life of the worker */
	MemoryContext items;			/* parent of all batches */
	const PhConfig *config;			/* pinned */
	int			worker_no;
	int			workers;
	int			nendpoints;
	PhEndpointState **endpoints;	/* of this worker */
	int			nfinished;			/* items whose outcome is to be recorded */
	int			max_finished;
	PhItem	  **finished;
	TimestampTz first_finished;
	bool		reload;				/* the configuration may have changed */
	bool		polling;			/* see dispatch.c */
	TimestampTz take_at;			/* when to try again for lanes that others own; 0: none */
	TimestampTz sweep_at;			/* when to look for what waits in held behind nothing; 0: never */
	TimestampTz swept_at;			/* when that was done last */
	TimestampTz not_before;			/* no transaction before, after a failed one */
	int			failures;			/* transactions in a row */
} PhWork;

extern PhWork ph_work;

extern void ph_work_start(int worker_no, int workers);
extern void ph_work_stop(void);

/* Something may be new in lanes, or an entry that is waited for; the configuration may have changed. */
extern void ph_work_mark(const PhMarks *marks, bool config, TimestampTz now);

/* Whether there is anything to read or take, besides outcomes to record; and when there will be (0: unknown). */
extern bool ph_work_wanted(TimestampTz now);
extern TimestampTz ph_work_next(TimestampTz now);

/* Held is to be swept, now or a moment after the last time. */
extern void ph_work_sweep_soon(TimestampTz now);

/* Sets aside what keeps a delivery waiting that is to run alone. */
extern void ph_work_make_room(TimestampTz now);

/* One transaction; false when it failed and nothing has changed. */
extern bool ph_work_run(void);

/* How many more requests the endpoint may have now. */
extern int	ph_work_allowance(PhEndpointState *endpoint, TimestampTz now);

/* Items that are in memory now. */
extern void ph_work_add_batch(PhLaneWork *lane, PhBatch *batch);

/* Whether a claimed item is still to be sent; gives it another fate otherwise. */
extern bool ph_work_still_wanted(PhItem *item, TimestampTz now);

/* The item has its outcome or its fate: queue it for recording, with those that it blocks. */
extern void ph_work_finish(PhItem *item);

#endif
