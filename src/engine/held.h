/*
 * held.h
 *	  The table held: deliveries that cannot go now.
 *
 * All functions need a transaction and run SQL.  Keys are in the encoding of the server.
 */
#ifndef PLANTHUB_HELD_H
#define PLANTHUB_HELD_H

#include "engine/item.h"

/* One row to be written. */
typedef struct PhHeldRow
{
	PhItem	   *item;
	const char *state;
	const char *reason;
	TimestampTz due_at;			/* 0: none */
	int64		token;			/* under which it was taken from held */
} PhHeldRow;

/* Which of the items have a key with something held in their lane: sets fate blocked in those whose route blocks. */
extern void ph_held_block(int lane, PhItem *items, int n);

/* New rows; a row that is there already stays as it is. */
extern void ph_held_insert(PhHeldRow *rows, int n);

/* Rows that this worker was sending: what became of them.  55000 when one is no longer its own. */
extern void ph_held_update(PhHeldRow *rows, int n);

/*
 * Rows that this worker was sending are done: removes them and lets the next of their keys go; 55000 likewise.  Returns
 * how many keys have to wait because an operator's transaction has their next row locked: ph_held_sweep() finds them.
 */
extern int	ph_held_finish(PhItem **items, const int64 *tokens, int n);

/* Lets the first of every key of these lanes go that waits behind nothing any more; returns how many have to wait. */
extern int	ph_held_sweep(const int32 *lanes, int n);

/* When the next delivery of a lane is due; 0: none. */
typedef struct PhHeldDue
{
	TimestampTz at;
	TimestampTz suspect_at;		/* of those that are to go alone: the worker has crashed twice with them */
} PhHeldDue;

/*
 * Takes up to limit deliveries of the lane that are due, marks them with the token, and loads their messages into a
 * batch below parent; NULL when nothing is due.  suspect: takes one of those that are to go alone, and none of them
 * otherwise.  *due tells about the others.
 */
extern PhBatch *ph_held_take_due(const PhConfig *config, int lane, int64 token, int limit, bool suspect,
								 Snapshot snapshot, MemoryContext parent, PhHeldDue *due);

/* What a crashed owner was sending from held: counted, and parked or in_doubt where that is due. */
extern void ph_held_recover(int lane, bool idempotent);

/* Leftovers of a crashed owner that are not to be sent again by themselves. */
extern void ph_held_insert_leftover(int lane, const int64 *delivery_ids, int n, int crashes, const char *state,
									const char *reason, const char *error);

#endif
