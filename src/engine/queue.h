/*
 * queue.h
 *	  The deliveries of one worker between claim and outcome: what may be sent now, and what waits for its key.
 *
 * Of one lane and key only one delivery is on its way; those behind it form a chain.  Chains are found by a 64-bit
 * hash: two keys that share one take turns, which costs time but no order.
 */
#ifndef PLANTHUB_QUEUE_H
#define PLANTHUB_QUEUE_H

#include "engine/item.h"

typedef struct PhQueue
{
	dlist_head	ready;			/* PhItem, by id */
	int			nready;
	int			nwaiting;		/* behind others of their key */
} PhQueue;

extern void ph_queue_init(PhQueue *queue);
extern void ph_queue_start(MemoryContext context);	/* once per worker */
extern void ph_queue_forget(void);	/* its context is gone */

/* Puts an item into its lane's queue; at the front for what was held, which is older than anything else. */
extern void ph_queue_push(PhQueue *queue, PhItem *item);

/* The next one to send, or NULL; it stays the head of its chain until ph_queue_done(). */
extern PhItem *ph_queue_pop(PhQueue *queue);

/* The same, but NULL when the next one must be sent alone. */
extern PhItem *ph_queue_pop_for_batch(PhQueue *queue);

/* The one behind this one in its chain if it could go into the same request, taken out of waiting; or NULL. */
extern PhItem *ph_queue_pop_follower(PhQueue *queue, PhItem *item);

/*
 * An item has its outcome.  If it was delivered (or closed), the next of its key becomes ready.  Otherwise those behind
 * it with the same key whose route blocks are taken out with the fate blocked and returned as a list linked by
 * next_of_key; what else shares the chain goes on.
 */
extern PhItem *ph_queue_done(PhQueue *queue, PhItem *item, bool delivered);

#endif
