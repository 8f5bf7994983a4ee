/*
 * work.c
 *	  The dispatcher's state and its transactions.
 *
 * What a transaction brings is kept aside and takes effect in memory after its commit, so a failed one changes nothing
 * and is simply done again: outcomes stay in the list of finished items, cursors stay where they were.
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "engine/assign.h"
#include "engine/entry.h"
#include "engine/exchange.h"
#include "engine/held.h"
#include "engine/outage.h"
#include "engine/sql.h"
#include "engine/work.h"
#include "pg/settings.h"
#include "pg/worker.h"

#define HELD_AT_ONCE		100		/* deliveries taken from held by one transaction and lane */
#define MAX_ITEMS			20		/* claims' worth of deliveries in memory, */
#define MAX_BYTES			(16 * PH_WINDOW_BYTES)	/* and of bytes; then a lane that has none may take a few */
#define SWEEP_MS			1000	/* shortest time between two sweeps of held */

/* What one transaction has brought. */
typedef struct Harvest
{
	const PhConfig *config;
	PhClaim    *claims;
	int			nclaims;
	PhBatch   **due;
	PhLaneWork **due_lanes;
	PhHeldDue  *next_due;
	int			ndue;
	int			waiting;			/* keys that a sweep must look for */
	bool		swept;
	uint64		oldest_running;		/* of the claims' snapshot; 0: none was taken */
} Harvest;

PhWork		ph_work;

static int	nitems;					/* in memory */
static Size nbytes;					/* of memory for them */

static void run_transaction(void *arg);
static void apply_harvest(Harvest *harvest);
static void discard_harvest(Harvest *harvest);

/* ---- life ---- */

void
ph_work_start(int worker_no, int workers)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "planthub dispatcher", ALLOCSET_DEFAULT_SIZES);

	memset(&ph_work, 0, sizeof(ph_work));
	ph_work.context = context;
	ph_work.items = AllocSetContextCreate(context, "planthub items", ALLOCSET_DEFAULT_SIZES);
	ph_work.worker_no = worker_no;
	ph_work.workers = workers;
	ph_work.reload = true;
	ph_work.max_finished = 1024;
	ph_work.finished = MemoryContextAlloc(context, sizeof(PhItem *) * (Size) ph_work.max_finished);
	ph_queue_start(context);
	ph_entry_start();
	nitems = 0;
	nbytes = 0;
}

void
ph_work_stop(void)
{
	int			i;
	int			j;

	for (i = 0; i < ph_work.nendpoints; i++)
	{
		for (j = 0; j < ph_work.endpoints[i]->nlanes; j++)
			ph_lane_release(&ph_work.endpoints[i]->lanes[j]->state);
	}
	if (ph_work.context != NULL)
		MemoryContextDelete(ph_work.context);
	memset(&ph_work, 0, sizeof(ph_work));
	ph_queue_forget();
}

/* ---- what there is to do ---- */

static bool
is_suspect(PhLaneWork *lane, TimestampTz now)
{
	dlist_iter	iter;

	if (lane->due.suspect_at != 0 && lane->due.suspect_at <= now)
		return true;
	dlist_foreach(iter, &lane->state.batches)
	{
		if (dlist_container(PhBatch, node, iter.cur)->crashes >= PH_CRASHES_TO_SUSPECT)
			return true;
	}
	return !dlist_is_empty(&lane->state.recoveries) &&
		dlist_container(PhRecovery, node, dlist_head_node(&lane->state.recoveries))->crashes >= PH_CRASHES_TO_SUSPECT;
}

/* The lane of which something is to run alone now, if any. */
static PhLaneWork *
suspect_lane(TimestampTz now)
{
	int			i;
	int			j;

	for (i = 0; i < ph_work.nendpoints; i++)
	{
		PhEndpointState *endpoint = ph_work.endpoints[i];

		for (j = 0; j < endpoint->nlanes; j++)
		{
			PhLaneWork *lane = endpoint->lanes[j];

			if (lane->state.leased && is_suspect(lane, now) &&
				(endpoint->in_flight > 0 || ph_work_allowance(endpoint, now) > 0))
				return lane;
		}
	}
	return NULL;
}

/*
 * How many deliveries the lane may claim.  Targets that do not answer keep theirs in memory for long; when they have
 * filled it up, the others must still get what they can send at once.
 */
static int
claim_limit(PhLaneWork *lane)
{
	const PhEndpoint *endpoint = lane->endpoint->endpoint;
	int			limit = Max(1, ph_claim_size >> (2 * lane->failures));

	if (lane->queue.nready + lane->queue.nwaiting > ph_claim_size / 2)
		return 0;
	if (nitems >= MAX_ITEMS * ph_claim_size || nbytes >= MAX_BYTES)
		return dlist_is_empty(&lane->state.batches) ? Min(limit, endpoint->target.max_in_flight) : 0;
	if (ph_breaker_is_open(&lane->endpoint->breaker))
		return lane->queue.nready > 0 ? 0 : 1;
	return endpoint->idempotent ? limit : Min(limit, endpoint->target.max_in_flight);
}

static bool
may_claim(PhLaneWork *lane, const PhLaneWork *suspect, TimestampTz now)
{
	if (!lane->state.leased || !lane->wants_claim || ph_work_allowance(lane->endpoint, now) <= 0 || claim_limit(lane) == 0)
		return false;
	return suspect == NULL || (suspect == lane && nitems == 0);
}

static bool
may_take_due(const PhLaneWork *lane, const PhLaneWork *suspect, TimestampTz now)
{
	if (!lane->state.leased || ph_work_allowance(lane->endpoint, now) <= 0)
		return false;
	if (suspect != NULL)
		return suspect == lane && nitems == 0 && lane->due.suspect_at != 0 && lane->due.suspect_at <= now;
	if (lane->queue.nready >= (ph_breaker_is_open(&lane->endpoint->breaker) ? 1 : HELD_AT_ONCE))
		return false;
	return lane->wants_due || (lane->due.at != 0 && lane->due.at <= now);
}

/*
 * What is to run alone waits until the worker has nothing else.  Deliveries whose endpoint takes nothing now could keep
 * it, and with it all others, waiting for as long as the outage lasts; they go to held.
 */
void
ph_work_make_room(TimestampTz now)
{
	int			i;
	int			j;

	if (nitems == ph_work.nfinished || suspect_lane(now) == NULL)
		return;
	for (i = 0; i < ph_work.nendpoints; i++)
	{
		PhEndpointState *endpoint = ph_work.endpoints[i];
		PhItem	   *item;

		if (endpoint->in_flight > 0 || ph_work_allowance(endpoint, now) > 0)
			continue;
		for (j = 0; j < endpoint->nlanes; j++)
		{
			while ((item = ph_queue_pop(&endpoint->lanes[j]->queue)) != NULL)
			{
				item->fate = PH_FATE_SET_ASIDE;
				item->reason = "ENDPOINT_WAITS";
				ph_work_finish(item);
			}
		}
	}
}

static bool
is_past(TimestampTz at, TimestampTz now)
{
	return at != 0 && at <= now;
}

bool
ph_work_wanted(TimestampTz now)
{
	PhLaneWork *suspect = suspect_lane(now);
	int			i;
	int			j;

	if (ph_work.reload || is_past(ph_work.take_at, now) || is_past(ph_work.sweep_at, now) || is_past(ph_entry_next(), now))
		return true;
	for (i = 0; i < ph_work.nendpoints; i++)
	{
		PhEndpointState *endpoint = ph_work.endpoints[i];

		if (endpoint->dirty)
			return true;
		for (j = 0; j < endpoint->nlanes; j++)
		{
			if (may_claim(endpoint->lanes[j], suspect, now) || may_take_due(endpoint->lanes[j], suspect, now))
				return true;
		}
	}
	return false;
}

static TimestampTz
earlier(TimestampTz a, TimestampTz b)
{
	if (a == 0 || b == 0)
		return a == 0 ? b : a;
	return Min(a, b);
}

TimestampTz
ph_work_next(TimestampTz now)
{
	TimestampTz next = earlier(earlier(ph_work.take_at, ph_work.sweep_at), ph_entry_next());
	int			i;
	int			j;

	if (ph_work_wanted(now))
		return now;
	for (i = 0; i < ph_work.nendpoints; i++)
	{
		PhEndpointState *endpoint = ph_work.endpoints[i];
		TimestampTz opens = endpoint->throttled_until;
		bool		waiting = false;

		if (endpoint->endpoint->paused)
			continue;
		if (ph_breaker_is_open(&endpoint->breaker))
			opens = Max(opens, (TimestampTz) ph_breaker_next_us(&endpoint->breaker));
		for (j = 0; j < endpoint->nlanes; j++)
		{
			PhLaneWork *lane = endpoint->lanes[j];

			waiting = waiting || lane->queue.nready > 0 || lane->wants_claim || lane->wants_due;
			/* What is due and not wanted waits for an answer, not for a time. */
			if (lane->due.at != 0 && Max(lane->due.at, opens) > now)
				next = earlier(next, Max(lane->due.at, opens));
			if (lane->follow_at != 0)
				next = earlier(next, Max(lane->follow_at, Max(opens, now)));
			if (lane->due.suspect_at != 0 && Max(lane->due.suspect_at, opens) > now)
				next = earlier(next, Max(lane->due.suspect_at, opens));
		}
		if (waiting && opens > now)
			next = earlier(next, opens);
	}
	return next;
}

int
ph_work_allowance(PhEndpointState *endpoint, TimestampTz now)
{
	int			free_slots = endpoint->endpoint->target.max_in_flight - endpoint->in_flight;

	if (endpoint->endpoint->paused || endpoint->throttled_until > now || free_slots <= 0)
		return 0;
	return Min(free_slots, ph_breaker_allow(&endpoint->breaker, now, endpoint->in_flight));
}

void
ph_work_sweep_soon(TimestampTz now)
{
	ph_work.sweep_at = Max(now, TimestampTzPlusMilliseconds(ph_work.swept_at, SWEEP_MS));
}

static void
take_marks(const PhMarks *marks, bool every_lane)
{
	int			i;
	int			j;

	for (i = 0; i < ph_work.nendpoints; i++)
	{
		for (j = 0; j < ph_work.endpoints[i]->nlanes; j++)
		{
			PhLaneWork *lane = ph_work.endpoints[i]->lanes[j];

			if (every_lane || ph_marks_have_lane(marks, lane->state.id))
				lane->wants_claim = lane->wants_due = true;
		}
	}
	ph_entry_mark(marks);
}

void
ph_work_mark(const PhMarks *marks, bool config, TimestampTz now)
{
	static TimestampTz last_poll;
	PhMarks		prepared;

	if (config)
	{
		ph_config_forget();
		ph_work.reload = true;
		ph_work_sweep_soon(now);	/* it may have been an operator who took something out of held */
	}
	ph_work.polling = FullTransactionIdIsValid(ph_shmem_prepared(ph_work.worker_no, &prepared));
	take_marks(marks, false);
	if (ph_work.polling && now - last_poll >= USECS_PER_SEC)
	{
		take_marks(&prepared, true);
		ph_work.reload = true;
		last_poll = now;
	}
}

/* ---- one transaction ---- */

static void
crash_after_commit(const Harvest *harvest, bool recorded)
{
	bool		claimed = false;
	bool		taken = false;
	int			i;

	if (ph_debug_crash[0] == '\0')
		return;
	for (i = 0; i < harvest->nclaims; i++)
		claimed = claimed || harvest->claims[i].batch != NULL;
	for (i = 0; i < harvest->ndue; i++)
		taken = taken || harvest->due[i] != NULL;
	if ((claimed && strcmp(ph_debug_crash, "claimed") == 0) || (taken && strcmp(ph_debug_crash, "taken") == 0) ||
		(recorded && strcmp(ph_debug_crash, "recorded") == 0))
		kill(MyProcPid, SIGKILL);
}

/* Whether one of the finished items has an attempt to record, and is not only set aside. */
static bool
has_attempt(void)
{
	int			i;

	for (i = 0; i < ph_work.nfinished; i++)
	{
		if (ph_work.finished[i]->recorded_attempt)
			return true;
	}
	return false;
}

bool
ph_work_run(void)
{
	Harvest		harvest = {0};
	bool		recorded = has_attempt();
	int			nlanes = 0;
	int			i;

	for (i = 0; i < ph_work.nendpoints; i++)
		nlanes += ph_work.endpoints[i]->nlanes;
	harvest.claims = palloc0(sizeof(PhClaim) * (Size) Max(nlanes, 1));
	harvest.due = palloc0(sizeof(PhBatch *) * (Size) Max(nlanes, 1));
	harvest.due_lanes = palloc0(sizeof(PhLaneWork *) * (Size) Max(nlanes, 1));
	harvest.next_due = palloc0(sizeof(PhHeldDue) * (Size) Max(nlanes, 1));
	if (!ph_run_transaction(&ph_usual_transaction, run_transaction, &harvest, NULL))
	{
		discard_harvest(&harvest);
		return false;
	}
	ph_work.failures = 0;
	apply_harvest(&harvest);
	ph_assign_take_lanes();
	crash_after_commit(&harvest, recorded);
	return true;
}

static void
settle_finished(Harvest *harvest)
{
	int64	   *tokens = palloc(sizeof(int64) * (Size) Max(ph_work.nfinished, 1));
	int			i;

	for (i = 0; i < ph_work.nfinished; i++)
	{
		tokens[i] = ((PhLaneWork *) ph_work.finished[i]->batch->owner)->state.token;
		ph_entry_await(ph_work.finished[i]);
	}
	harvest->waiting = ph_settle(harvest->config, ph_work.finished, tokens, ph_work.nfinished);
	if (strcmp(ph_debug_crash, "recording") == 0 && has_attempt())
		kill(MyProcPid, SIGKILL);
}

/* What waits behind a delivery that an operator has taken out of held, or for entries that have come. */
static void
sweep_held(Harvest *harvest, TimestampTz now)
{
	int32	   *lanes;
	int			n = 0;
	int			i;
	int			j;

	if (!is_past(ph_work.sweep_at, now) && !is_past(ph_entry_next(), now))
		return;
	for (i = 0; i < ph_work.nendpoints; i++)
		n += ph_work.endpoints[i]->nlanes;
	lanes = palloc(sizeof(int32) * (Size) Max(n, 1));
	n = 0;
	for (i = 0; i < ph_work.nendpoints; i++)
	{
		for (j = 0; j < ph_work.endpoints[i]->nlanes; j++)
		{
			if (ph_work.endpoints[i]->lanes[j]->state.leased)
				lanes[n++] = ph_work.endpoints[i]->lanes[j]->state.id;
		}
	}
	ph_entry_release(lanes, n);
	harvest->swept = is_past(ph_work.sweep_at, now);
	if (harvest->swept)
		harvest->waiting += ph_held_sweep(lanes, n);
}

static void
read_lane(Harvest *harvest, PhLaneWork *lane, const PhLaneWork *suspect, const PhClaimSnapshot *snapshot,
		  TimestampTz now)
{
	if (may_take_due(lane, suspect, now))
	{
		int			limit = ph_breaker_is_open(&lane->endpoint->breaker) ? 1 : HELD_AT_ONCE;
		int			i = harvest->ndue++;

		harvest->due_lanes[i] = lane;
		harvest->due[i] = ph_held_take_due(harvest->config, lane->state.id, lane->state.token, limit,
										   suspect == lane, snapshot->snapshot, ph_work.items, &harvest->next_due[i]);
		if (harvest->due[i] != NULL)
			return;
	}
	if (may_claim(lane, suspect, now))
	{
		int			limit = claim_limit(lane);

		lane->failures = Min(lane->failures + 1, 8);	/* until the commit says otherwise */
		lane->state.careful = lane->failures > 2;
		ph_lane_claim(&lane->state, harvest->config, snapshot, limit, ph_work.items,
					  &harvest->claims[harvest->nclaims++]);
	}
}

static void
run_transaction(void *arg)
{
	Harvest    *harvest = arg;
	PhClaimSnapshot snapshot;
	TimestampTz now = GetCurrentTimestamp();
	PhLaneWork *suspect = suspect_lane(now);
	int			i;
	int			j;

	ph_lane_begin_claims(&snapshot);
	harvest->config = ph_config_get();
	harvest->oldest_running = snapshot.stored.xmin;
	if (ph_work.nfinished > 0)
		settle_finished(harvest);
	SPI_connect();
	for (i = 0; i < ph_work.nendpoints; i++)
	{
		if (ph_work.endpoints[i]->dirty)
			ph_outage_write(ph_work.endpoints[i]);
	}
	sweep_held(harvest, now);
	SPI_finish();
	if (harvest->config == ph_work.config)
	{
		for (i = 0; i < ph_work.nendpoints; i++)
		{
			for (j = 0; j < ph_work.endpoints[i]->nlanes; j++)
				read_lane(harvest, ph_work.endpoints[i]->lanes[j], suspect, &snapshot, now);
		}
	}
	ph_lane_end_claims();
}

static void
discard_harvest(Harvest *harvest)
{
	int			i;

	for (i = 0; i < harvest->nclaims; i++)
	{
		if (harvest->claims[i].batch != NULL)
			MemoryContextDelete(harvest->claims[i].batch->context);
	}
	for (i = 0; i < harvest->ndue; i++)
	{
		if (harvest->due[i] != NULL)
			MemoryContextDelete(harvest->due[i]->context);
	}
}

/* ---- after the commit ---- */

/* The outcomes of finished items are on disk. */
static void
forget_finished(void)
{
	int			i;

	for (i = 0; i < ph_work.nfinished; i++)
	{
		PhBatch    *batch = ph_work.finished[i]->batch;
		PhLaneWork *lane = batch->owner;

		lane->follow_at = earlier(lane->follow_at, ph_work.finished[i]->follow_at);
		if (!ph_settle_is_final(ph_work.finished[i]) || ph_work.finished[i]->held)
			lane->wants_due = true;
		nitems--;
		if (--batch->open > 0)
			continue;
		nbytes -= batch->bytes;
		dlist_delete(&batch->node);
		MemoryContextDelete(batch->context);
	}
	ph_work.nfinished = 0;
}

static void
add_finished(PhItem *item)
{
	if (ph_work.nfinished == ph_work.max_finished)
	{
		ph_work.max_finished *= 2;
		ph_work.finished = repalloc(ph_work.finished, sizeof(PhItem *) * (Size) ph_work.max_finished);
	}
	if (ph_work.nfinished == 0)
		ph_work.first_finished = GetCurrentTimestamp();
	ph_work.finished[ph_work.nfinished++] = item;
}

void
ph_work_add_batch(PhLaneWork *lane, PhBatch *batch)
{
	int			i;

	batch->owner = lane;
	batch->bytes = MemoryContextMemAllocated(batch->context, true);
	nitems += batch->nitems;
	nbytes += batch->bytes;
	for (i = 0; i < batch->nitems; i++)
	{
		if (batch->items[i].fate == PH_FATE_SEND)
			ph_queue_push(&lane->queue, &batch->items[i]);
		else
			add_finished(&batch->items[i]);
	}
}

/* Something in held may be due. */
static void
want_due(void)
{
	int			i;
	int			j;

	for (i = 0; i < ph_work.nendpoints; i++)
	{
		for (j = 0; j < ph_work.endpoints[i]->nlanes; j++)
			ph_work.endpoints[i]->lanes[j]->wants_due = true;
	}
}

static void
note_sweep(void)
{
	ph_work.swept_at = GetCurrentTimestamp();
	ph_work.sweep_at = 0;
	want_due();
}

static void
apply_harvest(Harvest *harvest)
{
	FullTransactionId prepared;
	bool		prepared_ended;
	PhMarks		marks;
	int			i;

	forget_finished();
	if (harvest->swept)
		note_sweep();
	if (ph_entry_released())
		want_due();
	if (harvest->waiting > 0)
		ph_work_sweep_soon(GetCurrentTimestamp());
	for (i = 0; i < ph_work.nendpoints; i++)
		ph_work.endpoints[i]->dirty = false;
	for (i = 0; i < harvest->ndue; i++)
	{
		PhLaneWork *lane = harvest->due_lanes[i];

		lane->wants_due = false;
		lane->due = harvest->next_due[i];
		if (harvest->due[i] == NULL)
			continue;
		dlist_push_tail(&lane->state.batches, &harvest->due[i]->node);
		ph_work_add_batch(lane, harvest->due[i]);
	}
	for (i = 0; i < harvest->nclaims; i++)
	{
		PhClaim    *claim = &harvest->claims[i];
		PhLaneWork *lane = (PhLaneWork *) ((char *) claim->lane - offsetof(PhLaneWork, state));

		lane->failures = 0;
		lane->wants_claim = claim->more;
		ph_lane_adopt(claim);
		if (claim->batch != NULL)
			ph_work_add_batch(lane, claim->batch);
	}
	prepared = ph_shmem_prepared(ph_work.worker_no, &marks);
	prepared_ended = harvest->nclaims > 0 && FullTransactionIdIsValid(prepared) &&
		U64FromFullTransactionId(prepared) < harvest->oldest_running;
	if (prepared_ended)
	{
		take_marks(&marks, false);	/* not all that they have brought need have been looked at since */
		ph_shmem_clear_prepared(ph_work.worker_no, prepared);
	}
	if (harvest->config != ph_work.config)
		ph_assign_config(harvest->config);
	else
		ph_work.reload = prepared_ended;
}

/* ---- items ---- */

bool
ph_work_still_wanted(PhItem *item, TimestampTz now)
{
	const PhRoute *route = ph_config_route(ph_work.config, item->route);

	if (item->follow != NULL)
		return true;
	if (item->expires_at != 0 && item->expires_at <= now)
	{
		item->fate = PH_FATE_EXPIRED;
		item->reason = "EXPIRED";
	}
	else if (route != NULL && route->paused)
	{
		item->fate = PH_FATE_PAUSED;
		item->reason = "ROUTE_PAUSED";
	}
	else if (ph_work.config->npaused_keys > 0 && item->key != NULL && ph_config_key_paused(ph_work.config, item->key))
	{
		item->fate = PH_FATE_PAUSED;
		item->reason = "KEY_PAUSED";
	}
	else if (ph_exchange_is_outdated(((PhLaneWork *) item->batch->owner)->endpoint->endpoint, item))
	{
		item->fate = PH_FATE_SET_ASIDE;
		item->reason = "CONFIGURATION_CHANGED";
	}
	return item->fate == PH_FATE_SEND;
}

void
ph_work_finish(PhItem *item)
{
	PhLaneWork *lane = item->batch->owner;
	PhItem	   *blocked = ph_queue_done(&lane->queue, item, ph_settle_is_final(item));

	add_finished(item);
	while (blocked != NULL)
	{
		PhItem	   *next = blocked->next_of_key;

		blocked->next_of_key = NULL;
		add_finished(blocked);
		blocked = next;
	}
}
