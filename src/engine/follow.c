/*
 * follow.c
 *	  Asking what becomes of what a target has taken.
 *
 * Only the worker that owns a lane asks for its deliveries, so a row needs no owner of its own: while it is being asked for
 * it is due later, and after a crash it becomes due again.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "engine/follow.h"
#include "engine/sql.h"
#include "pg/worker.h"

#define AT_ONCE		20			/* of one lane */
#define AGAIN_MS	1000		/* after a failed transaction */

typedef struct Taking
{
	PhLaneWork *lane;
	int			limit;
	PhBatch    *batch;			/* NULL: nothing is due */
	TimestampTz next;
} Taking;

/* The mapping of the message may fail by now; what was sent is told as far as it is known. */
static void
load(Taking *taking, int n)
{
	PhBatch    *batch = ph_item_create_batch(ph_work.items, taking->lane->state.id, 0, n);
	int			i;

	taking->batch = batch;		/* whoever runs the transaction frees it when that fails */
	for (i = 0; i < n; i++)
	{
		PhItem	   *item = &batch->items[i];
		bool		isnull;

		item->alone = true;
		item->held = false;
		item->delivery_id = ph_sql_int64(i, 1);
		item->message_id = ph_sql_int64(i, 2);
		item->message_slot = ph_sql_int32(i, 3);
		item->route = ph_sql_int32(i, 4);
		item->follow = MemoryContextStrdup(batch->context, TextDatumGetCString(ph_sql_datum(i, 5, &isnull)));
	}
	(void) ph_item_load(ph_work.config, batch->items, n, GetActiveSnapshot(), MaxAllocHugeSize);
	for (i = 0; i < n; i++)
	{
		batch->items[i].fate = PH_FATE_SEND;
		batch->items[i].expires_at = 0;
		batch->items[i].error = NULL;
	}
}

static void
take(void *arg)
{
	static PhStatement mark = {
		"UPDATE planthub.follow_up AS f SET due_at = clock_timestamp() + $3 * interval '1 ms'"
		" FROM (SELECT x.delivery_id FROM planthub.follow_up AS x WHERE x.lane = $1 AND x.due_at <= clock_timestamp()"
		" ORDER BY x.due_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS due WHERE f.delivery_id = due.delivery_id"
		" RETURNING f.delivery_id, f.message_id, f.message_slot::int, f.route, f.address",
		3, {INT4OID, INT4OID, FLOAT8OID}
	};
	static PhStatement next = {
		"SELECT min(f.due_at) FROM planthub.follow_up AS f WHERE f.lane = $1", 1, {INT4OID}
	};
	Taking	   *taking = arg;
	/* A request and what it needs before: token, session, and each of them once more. */
	double		until_ms = 6.0 * taking->lane->endpoint->endpoint->target.total_timeout_ms + 60000;
	Datum		values[3] = {Int32GetDatum(taking->lane->state.id), Int32GetDatum(taking->limit), Float8GetDatum(until_ms)};
	int			n;

	SPI_connect();
	n = (int) ph_sql_run(&mark, values, NULL, SPI_OK_UPDATE_RETURNING);
	if (n > 0)
		load(taking, n);
	ph_sql_run(&next, values, NULL, SPI_OK_SELECT);
	taking->next = ph_sql_int64(0, 1);
	SPI_finish();
}

static void
run_lane(PhLaneWork *lane, int limit, TimestampTz now)
{
	Taking		taking = {.lane = lane,.limit = Min(limit, AT_ONCE)};

	if (!ph_run_transaction(&ph_usual_transaction, take, &taking, NULL))
	{
		if (taking.batch != NULL)
			MemoryContextDelete(taking.batch->context);
		lane->follow_at = TimestampTzPlusMilliseconds(now, AGAIN_MS);
		return;
	}
	lane->follow_at = taking.next;
	if (taking.batch == NULL)
		return;
	dlist_push_tail(&lane->state.batches, &taking.batch->node);
	ph_work_add_batch(lane, taking.batch);
}

void
ph_follow_run(TimestampTz now)
{
	int			i;
	int			j;

	for (i = 0; i < ph_work.nendpoints; i++)
	{
		PhEndpointState *endpoint = ph_work.endpoints[i];

		for (j = 0; j < endpoint->nlanes; j++)
		{
			PhLaneWork *lane = endpoint->lanes[j];

			if (lane->follow_at != 0 && lane->follow_at <= now && lane->state.leased &&
				lane->queue.nready == 0 && ph_work_allowance(endpoint, now) > 0)
				run_lane(lane, ph_work_allowance(endpoint, now), now);
		}
	}
}

void
ph_follow_settle(const PhConfig *config, PhItem *item)
{
	static PhStatement again = {
		"SELECT planthub.follow_again($1, nullif($2, 0), $3)", 3, {INT8OID, INT4OID, TEXTOID}
	};
	Datum		values[3] = {Int64GetDatum(item->delivery_id), Int32GetDatum(item->status),
		item->error == NULL ? (Datum) 0 : CStringGetTextDatum(item->error)};
	const PhRoute *route = ph_config_route(config, item->route);

	if (item->recorded_attempt && ph_settle_is_final(item) && route != NULL && route->posts)
		return;					/* recorded with its posting */
	ph_sql_run(&again, values, item->error == NULL ? "  n" : NULL, SPI_OK_SELECT);
	item->follow_at = ph_sql_int64(0, 1);
	SPI_freetuptable(SPI_tuptable);
}
