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
} PhHeldRow;

/* Which of the items have a key with something held in their lane: sets fate blocked in those whose route blocks. */
extern void ph_held_block(int lane, PhItem *items, int n);

/* New rows; a row that is there already stays as it is. */
extern void ph_held_insert(PhHeldRow *rows, int n);

/* Rows that this worker was sending (token): what became of them. */
extern void ph_held_update(PhHeldRow *rows, int n, int64 token);

/* Rows that this worker was sending are done: removes them and lets the next of their keys go. */
extern void ph_held_finish(PhItem **items, int n, int64 token);

/*
 * Takes up to limit deliveries of the lane that are due, marks them with the token, and loads their messages into a
 * batch below parent; NULL when nothing is due.  *next_due becomes the time of the next one, or 0.
 */
extern PhBatch *ph_held_take_due(const PhConfig *config, int lane, int64 token, int limit, Snapshot snapshot,
								 MemoryContext parent, TimestampTz *next_due);

/* When the next one of the lane is due, or 0. */
extern TimestampTz ph_held_next_due(int lane);

/* What a crashed owner was sending from held: counted, and parked or in_doubt where that is due. */
extern void ph_held_recover(int lane, bool idempotent);

/* Leftovers of a crashed owner that are not to be sent again by themselves. */
extern void ph_held_insert_leftover(int lane, const int64 *delivery_ids, int n, int crashes, const char *state,
									const char *reason, const char *error);

#endif
