/*
 * lane.c
 *	  planthub.backlog(), and the engine's claim and settle for SQL: planthub.lane_claim(), planthub.lane_settle().
 *
 * A session that claims owns the lane until it ends or a transaction in which it claimed or settled is rolled back,
 * exactly as a worker does.  It keeps its windows in memory until all their deliveries are settled, so that the next
 * owner is told of the oldest one that is open.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "engine/lane.h"
#include "engine/settle.h"
#include "engine/sql.h"
#include "pg/compat.h"

#define COUNT_LIMIT		100000

PG_FUNCTION_INFO_V1(planthub_backlog);
PG_FUNCTION_INFO_V1(planthub_lane_claim);
PG_FUNCTION_INFO_V1(planthub_lane_settle);

/* Lanes that this session owns. */
typedef struct SessionLane
{
	dlist_node	node;
	PhLaneState state;
	bool		changed_in_xact;
} SessionLane;

static dlist_head session_lanes = DLIST_STATIC_INIT(session_lanes);
static bool callback_registered;

/* ---- backlog ---- */

Datum
planthub_backlog(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	const PhConfig *config = ph_config_get();
	int			i;

	InitMaterializedSRF(fcinfo, 0);
	for (i = 0; i < config->nlanes; i++)
	{
		PhLaneState lane;
		bool		exact;
		int64		oldest;
		int64		queued;
		Datum		values[4];
		bool		nulls[4] = {0};

		ph_lane_init(&lane, config->lanes[i].id, CurrentMemoryContext);
		SPI_connect();
		ph_lane_load_cursor(&lane);
		SPI_finish();
		queued = ph_window_count(lane.id, &lane.cursor, COUNT_LIMIT, &exact, &oldest);
		values[0] = Int32GetDatum(lane.id);
		values[1] = Int64GetDatum(queued);
		values[2] = BoolGetDatum(exact);
		values[3] = Int64GetDatum(oldest);
		nulls[3] = oldest == 0;
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
		MemoryContextDelete(lane.context);
	}
	return (Datum) 0;
}

/* ---- claim ---- */

static void
release_lane(SessionLane *lane)
{
	ph_lane_release(&lane->state);
	dlist_delete(&lane->node);
	MemoryContextDelete(lane->state.context);
	pfree(lane);
}

/* What was rolled back never happened: the session starts afresh. */
static void
end_of_transaction(XactEvent event, void *arg)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &session_lanes)
	{
		SessionLane *lane = dlist_container(SessionLane, node, iter.cur);

		if (event == XACT_EVENT_ABORT && lane->changed_in_xact)
			release_lane(lane);
		else if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE)
			lane->changed_in_xact = false;
	}
}

/* What happens to a subtransaction is not followed. */
static void
refuse_subtransaction(const char *function)
{
	if (GetCurrentTransactionNestLevel() > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("%s cannot run inside a subtransaction", function),
				 errhint("Call it outside of savepoints and of PL/pgSQL blocks with an EXCEPTION clause.")));
}

static SessionLane *
find_lane(int id)
{
	dlist_iter	iter;

	dlist_foreach(iter, &session_lanes)
	{
		SessionLane *lane = dlist_container(SessionLane, node, iter.cur);

		if (lane->state.id == id)
			return lane;
	}
	return NULL;
}

static SessionLane *
take_lane(const PhConfig *config, int id)
{
	const PhLane *configured = ph_config_lane(config, id);
	SessionLane *lane;

	if (configured == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("lane %d does not exist", id),
				 errhint("Look in the table planthub.lane; planthub.create_route() makes lanes.")));
	if (!callback_registered)
	{
		RegisterXactCallback(end_of_transaction, NULL);
		callback_registered = true;
	}
	lane = MemoryContextAllocZero(TopMemoryContext, sizeof(SessionLane));
	ph_lane_init(&lane->state, id, TopMemoryContext);
	lane->changed_in_xact = true;
	dlist_push_tail(&session_lanes, &lane->node);
	if (!ph_lane_take(&lane->state, config->endpoints[configured->endpoint].idempotent))
	{
		release_lane(lane);
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("lane %d has another owner", id),
				 errhint("Stop the workers of this database with planthub.stop(), or end the session that claimed it.")));
	}
	return lane;
}

static void
return_batch(ReturnSetInfo *result, const SessionLane *lane, const PhBatch *batch)
{
	int			i;

	for (i = 0; i < batch->nitems; i++)
	{
		Datum		values[4];
		bool		nulls[4] = {0};

		if (batch->items[i].fate != PH_FATE_SEND)
			continue;
		values[0] = Int64GetDatum(batch->items[i].delivery_id);
		values[1] = Int64GetDatum(batch->items[i].message_id);
		values[2] = Int64GetDatum(batch->batch_no);
		values[3] = Int64GetDatum(lane->state.token);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}

/* Records the outcomes of items of one batch; the batch goes when it was the last ones. */
static void
settle(const PhConfig *config, PhBatch *batch, PhItem **items, int n, int64 token)
{
	int64	   *tokens = palloc(sizeof(int64) * (Size) Max(n, 1));
	int			i;

	for (i = 0; i < n; i++)
		tokens[i] = token;
	(void) ph_settle(config, items, tokens, n);
	batch->open -= n;
	if (batch->open == 0)
	{
		dlist_delete(&batch->node);
		MemoryContextDelete(batch->context);
	}
}

/* What is not to be sent now (blocked, paused, expired ...) is recorded at once. */
static void
settle_unsent(const PhConfig *config, PhBatch *batch, int64 token)
{
	PhItem	  **items = palloc(sizeof(PhItem *) * (Size) Max(batch->nitems, 1));
	int			n = 0;
	int			i;

	for (i = 0; i < batch->nitems; i++)
	{
		if (batch->items[i].fate != PH_FATE_SEND)
			items[n++] = &batch->items[i];
	}
	if (n == 0)
		return;
	CommandCounterIncrement();		/* so that the window is seen, which carries the token */
	settle(config, batch, items, n, token);
}

Datum
planthub_lane_claim(PG_FUNCTION_ARGS)
{
	int			id = PG_GETARG_INT32(0);
	int			limit = PG_GETARG_INT32(1);
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	const PhConfig *config = ph_config_get();
	SessionLane *lane;
	PhClaimSnapshot snapshot;
	PhClaim		claim;

	if (limit < 1 || limit > 100000)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a claim of %d deliveries is out of range", limit),
				 errhint("Give a number from 1 to 100000.")));
	refuse_subtransaction("planthub.lane_claim()");
	InitMaterializedSRF(fcinfo, 0);
	lane = find_lane(id);
	if (lane == NULL)
		lane = take_lane(config, id);
	lane->changed_in_xact = true;
	ph_lane_begin_claims(&snapshot);
	ph_lane_claim(&lane->state, config, &snapshot, limit, lane->state.context, &claim);
	ph_lane_end_claims();
	ph_lane_adopt(&claim);
	if (claim.batch != NULL)
	{
		return_batch(result, lane, claim.batch);
		settle_unsent(config, claim.batch, lane->state.token);
	}
	return (Datum) 0;
}

/* ---- settle ---- */

static PhOutcome
outcome_by_name(const char *name)
{
	int			outcome;

	for (outcome = 0; outcome <= PH_OUTCOME_UNKNOWN; outcome++)
	{
		if (strcmp(ph_outcome_name((PhOutcome) outcome), name) == 0)
			return (PhOutcome) outcome;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown outcome \"%s\"", name),
			 errhint("Outcomes are success, duplicate, transient, throttled, auth, business, permanent and unknown.")));
	return PH_OUTCOME_UNKNOWN;		/* not reached */
}

static PhBatch *
find_batch(const SessionLane *lane, int64 batch_no)
{
	dlist_iter	iter;

	dlist_foreach(iter, &unconstify(SessionLane *, lane)->state.batches)
	{
		PhBatch    *batch = dlist_container(PhBatch, node, iter.cur);

		if (batch->batch_no == batch_no)
			return batch;
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("this session has no open window " INT64_FORMAT " of lane %d", batch_no, lane->state.id),
			 errhint("Use the batch_no that planthub.lane_claim() has returned with the deliveries.")));
	return NULL;				/* not reached */
}

static int
compare_items(const void *a, const void *b)
{
	int64		left = ((const PhItem *) a)->delivery_id;
	int64		right = ((const PhItem *) b)->delivery_id;

	return (left > right) - (left < right);
}

/* The item of the batch, which is in the order of ids, if it waits for an outcome; it does so no more. */
static PhItem *
take_item(PhBatch *batch, int64 delivery_id)
{
	PhItem		wanted = {.delivery_id = delivery_id};
	PhItem	   *item = bsearch(&wanted, batch->items, (size_t) batch->nitems, sizeof(PhItem), compare_items);

	if (item == NULL || item->fate != PH_FATE_SEND || item->recorded_attempt)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("delivery " INT64_FORMAT " waits for no outcome in window " INT64_FORMAT, delivery_id, batch->batch_no),
				 errdetail("It does not belong to the window, or its outcome is recorded already.")));
	item->recorded_attempt = item->single = true;
	return item;
}

static int
text_array(ArrayType *array, Datum **elements)
{
	int			n;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, elements, NULL, &n);
	return n;
}

static int
bigint_array(ArrayType *array, Datum **elements)
{
	int			n;

	deconstruct_array(array, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, elements, NULL, &n);
	return n;
}

Datum
planthub_lane_settle(PG_FUNCTION_ARGS)
{
	int			id = PG_GETARG_INT32(0);
	int64		token = PG_GETARG_INT64(1);
	int64		batch_no = PG_GETARG_INT64(2);
	Datum	   *ids;
	Datum	   *outcomes;
	int			n = text_array(PG_GETARG_ARRAYTYPE_P(4), &outcomes);
	const PhConfig *config = ph_config_get();
	SessionLane *lane = find_lane(id);
	PhBatch    *batch;
	PhItem	  **items;
	int			i;

	if (bigint_array(PG_GETARG_ARRAYTYPE_P(3), &ids) != n)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("there must be one outcome for every delivery")));
	if (lane == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this session does not own lane %d", id),
				 errhint("Only the session that called planthub.lane_claim() can record the outcomes.")));
	refuse_subtransaction("planthub.lane_settle()");
	batch = find_batch(lane, batch_no);
	lane->changed_in_xact = true;
	items = palloc(sizeof(PhItem *) * (Size) Max(n, 1));
	for (i = 0; i < n; i++)
	{
		PhOutcome	outcome = outcome_by_name(TextDatumGetCString(outcomes[i]));

		items[i] = take_item(batch, DatumGetInt64(ids[i]));
		items[i]->outcome = outcome;
		items[i]->tries = items[i]->attempts = 1;
		items[i]->started_us = (int64) (GetCurrentTimestamp() +
										(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY);
	}
	settle(config, batch, items, n, token);
	PG_RETURN_VOID();
}
