/*
 * item.h
 *	  A delivery in the worker's hands: from its claim until its outcome is recorded.
 */
#ifndef PLANTHUB_ITEM_H
#define PLANTHUB_ITEM_H

#include "lib/ilist.h"
#include "utils/array.h"

#include "engine/config.h"
#include "engine/outcome.h"
#include "engine/window.h"

#define PH_WINDOW_BYTES		(4 * 1024 * 1024)	/* of data handed out by one claim, or by one message */

/*
 * A message that kills its worker is found by sending alone what the worker had twice when it crashed; what it had alone
 * at the third time is parked.
 */
#define PH_CRASHES_TO_SUSPECT	2
#define PH_CRASHES_TO_PARK		3

/* One request of an attempt that took several. */
typedef struct PhStepNote
{
	const char *step;			/* a constant */
	int			status;			/* 0: no answer */
	int64		duration_us;
} PhStepNote;

/* Why an item needs no request: what is recorded for it instead. */
typedef enum PhFate
{
	PH_FATE_SEND,
	PH_FATE_EXPIRED,			/* closed: no longer worth sending */
	PH_FATE_BLOCKED,			/* held behind an earlier one of its key */
	PH_FATE_SCHEDULED,			/* held until its time */
	PH_FATE_PAUSED,				/* held: route or key is paused */
	PH_FATE_SET_ASIDE,			/* held: its endpoint takes nothing now, and others wait for an empty worker */
	PH_FATE_PARKED				/* held: cannot be sent, see error */
} PhFate;

/* What one claim brought: a window of the log or a handful of held deliveries; freed when all are settled. */
typedef struct PhBatch
{
	dlist_node	node;
	MemoryContext context;
	int			lane;
	int64		batch_no;		/* 0: from held */
	int			crashes;
	int			nitems;
	int			open;			/* items not settled yet */
	Size		bytes;			/* of memory */
	void	   *owner;			/* of the dispatcher */
	struct PhItem *items;
} PhBatch;

typedef struct PhItem
{
	dlist_node	node;			/* in its lane's ready queue */
	struct PhItem *next_of_key; /* waits behind this one */
	uint64		chain;			/* hash of lane and key */
	PhBatch    *batch;
	int64		delivery_id;
	int64		message_id;
	TimestampTz expires_at;		/* 0: never */
	TimestampTz not_before;
	int			message_slot;
	int			lane;
	int			route;
	int			attempts;		/* that may have reached the target, before this one */
	int			tries;			/* all of them, with this one */
	bool		held;			/* has a row in planthub.held */
	bool		blocks;			/* key policy of its route */
	bool		alone;			/* not to be put into a batch request */
	bool		in_flight;
	bool		single;			/* its request carried nothing else */
	bool		behind;			/* failed together with an earlier one of its key */
	PhFate		fate;
	const char *reason;			/* code for held, a constant or in the batch's context; of a failed attempt NULL: that of its outcome */
	const char *key;			/* NULL: no order */
	const char *site;
	PhEvent		event;
	const char *idempotency_key;
	const char *mapping;		/* version that made the data; NULL: none */
	const char *follow;			/* address that tells more about a delivered one, see follow.h; NULL: it is to be sent */
	TimestampTz follow_at;		/* when it is to be asked for more; 0: not */
	PhStepAddresses *addresses; /* when its endpoint has steps with places; else NULL */

	ArrayType  *waits_for;		/* entries that its mapping lacks; NULL: none */

	/* the result */
	bool		recorded_attempt;	/* there is one to record */
	PhOutcome	outcome;
	bool		counts;
	int			status;
	long		retry_after_s;
	int64		started_us;
	int64		duration_us;
	char	   *error;			/* in the batch's context, as are response and answer */
	char	   *response;
	PhAnswer   *answer;			/* to a success, for the response mapping of its route; NULL: not wanted */
	int			answer_tries;	/* transactions in which the mapping was applied to it */
	int			nnotes;
	const PhStepNote *notes;	/* in the batch's context; NULL: one request was all */
	unsigned char digest[32];
} PhItem;

/*
 * Reads the messages of n items whose delivery_id, message_id, message_slot and route are set, and fills in the rest.
 * What cannot be sent (expired, paused, scheduled, route gone) gets its fate.  Needs a transaction; strings go to the
 * batch's context.  Stops when their data has reached budget bytes; returns how many items are filled, at least one.
 */
extern int	ph_item_load(const PhConfig *config, PhItem *items, int n, Snapshot snapshot, Size budget);

/* The same, one by one, each in a subtransaction: what raises an error gets the fate parked. */
extern int	ph_item_load_each(const PhConfig *config, PhItem *items, int n, Snapshot snapshot, Size budget);

/* Items beyond the first n leave the batch. */
extern void ph_item_cut_batch(PhBatch *batch, int n);

/* An empty batch with room for n items, in a context of its own below parent. */
extern PhBatch *ph_item_create_batch(MemoryContext parent, int lane, int64 batch_no, int n);

#endif
