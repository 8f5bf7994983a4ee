/*
 * lane.h
 *	  A lane and its owner: lease, cursor, claims, and what a crashed owner left.
 *
 * The owner holds a session lock on the lane, so a lease ends with its process and never by a timeout.  Everything it
 * hands out is first written as a row of lane_window, in the order claim, commit, network, outcome.  After a crash the
 * rows of its open windows without an attempt or a held row are exactly what may have been sent and is not known.
 */
#ifndef PLANTHUB_LANE_H
#define PLANTHUB_LANE_H

#include "lib/ilist.h"

#include "engine/item.h"

/* A window that an owner left open. */
typedef struct PhRecovery
{
	dlist_node	node;
	int64		batch_no;
	int64		first_id;
	int64		last_id;
	int			deliveries;
	int			crashes;
	PhSnapshot	s_old;
	PhSnapshot	s_new;
} PhRecovery;

typedef struct PhLaneState
{
	int			id;
	bool		leased;
	bool		careful;			/* the last claims failed: load messages one by one, park what cannot be read */
	int64		token;
	int64		batch_no;			/* newest window */
	PhCursor	cursor;
	MemoryContext context;			/* snapshots of cursor and recoveries */
	dlist_head	recoveries;			/* PhRecovery, to be run before anything new */
	dlist_head	batches;			/* PhBatch, claimed and not wholly settled */
} PhLaneState;

/* The snapshot that a transaction's claims share, taken before the transaction writes. */
typedef struct PhClaimSnapshot
{
	PhSnapshot	stored;
	Snapshot	snapshot;
	int64		floor;
	int64		ceiling;
} PhClaimSnapshot;

/* A claim that takes effect when its transaction has committed. */
typedef struct PhClaim
{
	PhLaneState *lane;
	PhCursor	cursor;
	PhBatch    *batch;				/* NULL: nothing new */
	PhRecovery *recovery;			/* the recovery that it runs, or NULL */
	bool		more;				/* there may be more: it did not read up to the present */
} PhClaim;

extern void ph_lane_init(PhLaneState *lane, int id, MemoryContext parent);

/*
 * Takes the lease; false when another backend has it.  Reads the cursor and makes what the last owner left a list of
 * recoveries: whole after the first crash, halved after further ones; a single delivery that was left by three crashes
 * is parked.  For a target that is not idempotent the leftovers are held in_doubt.  Needs a transaction of its own.
 */
extern bool ph_lane_take(PhLaneState *lane, bool idempotent);
extern void ph_lane_release(PhLaneState *lane);

/* Around the claims of a transaction; begin before it writes. */
extern void ph_lane_begin_claims(PhClaimSnapshot *snapshot);
extern void ph_lane_end_claims(void);

/*
 * The next window, of no more than limit deliveries, with its messages, in a batch below parent.  Rows of keys that
 * have something in held get the fate blocked.
 */
extern void ph_lane_claim(PhLaneState *lane, const PhConfig *config, const PhClaimSnapshot *snapshot, int limit,
						  MemoryContext parent, PhClaim *claim);

/* After the commit. */
extern void ph_lane_adopt(const PhClaim *claim);

/* Whether the token is still the newest of the lane; in the transaction that records outcomes. */
extern bool ph_lane_owns(int lane, int64 token);

/* Reads the cursor again, for callers whose claims may have been rolled back. */
extern void ph_lane_load_cursor(PhLaneState *lane);

#endif
