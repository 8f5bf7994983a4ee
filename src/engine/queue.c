/*
 * queue.c
 *	  The deliveries of one worker between claim and outcome; see queue.h.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/hsearch.h"

#include "engine/queue.h"

typedef struct Chain
{
	uint64		hash;
	PhItem	   *head;			/* ready or on its way */
	PhItem	   *tail;
} Chain;

static HTAB *chains = NULL;

void
ph_queue_init(PhQueue *queue)
{
	dlist_init(&queue->ready);
	queue->nready = 0;
	queue->nwaiting = 0;
}

void
ph_queue_start(MemoryContext context)
{
	HASHCTL		ctl = {.keysize = sizeof(uint64),.entrysize = sizeof(Chain),.hcxt = context};

	chains = hash_create("planthub chains", 1024, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

void
ph_queue_forget(void)
{
	chains = NULL;
}

/* What is asked about a delivered item is asked at any time. */
static bool
has_order(const PhItem *item)
{
	return item->key != NULL && item->follow == NULL;
}

static void
make_ready(PhQueue *queue, PhItem *item)
{
	if (item->held)
		dlist_push_head(&queue->ready, &item->node);
	else
		dlist_push_tail(&queue->ready, &item->node);
	queue->nready++;
}

void
ph_queue_push(PhQueue *queue, PhItem *item)
{
	Chain	   *chain;
	bool		found;

	item->next_of_key = NULL;
	if (!has_order(item))
	{
		make_ready(queue, item);
		return;
	}
	item->chain = hash_bytes_extended((const unsigned char *) item->key, (int) strlen(item->key), (uint64) item->lane);
	chain = hash_search(chains, &item->chain, HASH_ENTER, &found);
	if (!found)
	{
		chain->head = chain->tail = item;
		make_ready(queue, item);
		return;
	}
	chain->tail->next_of_key = item;
	chain->tail = item;
	queue->nwaiting++;
}

PhItem *
ph_queue_pop(PhQueue *queue)
{
	PhItem	   *item;

	if (dlist_is_empty(&queue->ready))
		return NULL;
	item = dlist_container(PhItem, node, dlist_pop_head_node(&queue->ready));
	queue->nready--;
	item->in_flight = true;
	return item;
}

PhItem *
ph_queue_pop_for_batch(PhQueue *queue)
{
	if (dlist_is_empty(&queue->ready) || dlist_container(PhItem, node, dlist_head_node(&queue->ready))->alone)
		return NULL;
	return ph_queue_pop(queue);
}

PhItem *
ph_queue_pop_follower(PhQueue *queue, PhItem *item)
{
	PhItem	   *next = item->next_of_key;

	if (!has_order(item) || next == NULL || next->alone || next->in_flight)
		return NULL;
	queue->nwaiting--;
	next->in_flight = true;
	return next;
}

/* Takes the item out of its chain; returns the one before it, or NULL when it was the head. */
static PhItem *
unlink_item(Chain *chain, PhItem *item)
{
	PhItem	   *before = NULL;

	if (chain->head == item)
		chain->head = item->next_of_key;
	else
	{
		before = chain->head;
		while (before->next_of_key != item)
			before = before->next_of_key;
		before->next_of_key = item->next_of_key;
	}
	if (chain->tail == item)
		chain->tail = before;
	item->next_of_key = NULL;
	return before;
}

/* Takes out of the chain what must wait behind the failed item, in order. */
static PhItem *
take_blocked(PhQueue *queue, Chain *chain, PhItem *failed)
{
	PhItem	   *blocked = NULL;
	PhItem	  **end = &blocked;
	PhItem	   *item = chain->head;

	while (item != NULL)
	{
		PhItem	   *next = item->next_of_key;

		if (!item->in_flight && item->blocks && strcmp(item->key, failed->key) == 0)
		{
			unlink_item(chain, item);
			queue->nwaiting--;
			item->fate = PH_FATE_BLOCKED;
			item->reason = "KEY_BLOCKED";
			*end = item;
			end = &item->next_of_key;
		}
		item = next;
	}
	return blocked;
}

PhItem *
ph_queue_done(PhQueue *queue, PhItem *item, bool delivered)
{
	Chain	   *chain;
	PhItem	   *blocked = NULL;

	if (!has_order(item))
		return NULL;
	chain = hash_search(chains, &item->chain, HASH_FIND, NULL);
	unlink_item(chain, item);
	if (!delivered)
		blocked = take_blocked(queue, chain, item);
	if (chain->head == NULL)
		hash_search(chains, &item->chain, HASH_REMOVE, NULL);
	else if (!chain->head->in_flight)
	{
		queue->nwaiting--;
		make_ready(queue, chain->head);
	}
	return blocked;
}
