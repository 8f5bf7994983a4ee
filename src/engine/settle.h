/*
 * settle.h
 *	  Recording outcomes: what becomes of a delivery after its attempt.
 */
#ifndef PLANTHUB_SETTLE_H
#define PLANTHUB_SETTLE_H

#include "engine/item.h"

/*
 * Records the outcomes of items in the present transaction, all of them or none: attempts, rows of held, the next of
 * their keys.  tokens[i] is the lease under which items[i] was claimed; 55000 when another owner has taken its lane.
 * Returns how many keys have to wait for a sweep, see ph_held_finish().
 */
extern int	ph_settle(const PhConfig *config, PhItem **items, const int64 *tokens, int n);

/* Whether the item needs nothing more: delivered, or closed without a try. */
extern bool ph_settle_is_final(const PhItem *item);

#endif
