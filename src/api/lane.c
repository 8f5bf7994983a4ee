/*
 * lane.c
 *	  planthub.backlog(), and the engine's claim and settle for SQL: planthub.lane_claim(), planthub.lane_settle().
 *
 * A session that claims owns the lane until it ends or its claim is rolled back, exactly as a worker does.
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
	bool		claimed_in_xact;
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

/* A rolled-back claim never happened: the session starts afresh. */
static void
end_of_transaction(XactEvent event, void *arg)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &session_lanes)
	{
		SessionLane *lane = dlist_container(SessionLane, node, iter.cur);

		if (event == XACT_EVENT_ABORT && lane->claimed_in_xact)
			release_lane(lane);
		else if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_PREPARE)
			lane->claimed_in_xact = false;
	}
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
	lane->claimed_in_xact = true;
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

/* The window in memory is not needed: outcomes come by delivery id. */
static void
return_batch(ReturnSetInfo *result, const SessionLane *lane, PhBatch *batch)
{
	int			i;

	for (i = 0; batch != NULL && i < batch->nitems; i++)
	{
		Datum		values[4];
		bool		nulls[4] = {0};

		values[0] = Int64GetDatum(batch->items[i].delivery_id);
		values[1] = Int64GetDatum(batch->items[i].message_id);
		values[2] = Int64GetDatum(batch->batch_no);
		values[3] = Int64GetDatum(lane->state.token);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
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
	InitMaterializedSRF(fcinfo, 0);
	lane = find_lane(id);
	if (lane == NULL)
		lane = take_lane(config, id);
	lane->claimed_in_xact = true;
	ph_lane_begin_claims(&snapshot);
	ph_lane_claim(&lane->state, config, &snapshot, limit, CurrentMemoryContext, &claim);
	ph_lane_end_claims();
	ph_lane_adopt(&claim);
	return_batch(result, lane, claim.batch);
	if (claim.batch != NULL)
		dlist_delete(&claim.batch->node);
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

/* Reads the delivery rows of the ids, in their order. */
static void
read_deliveries(PhBatch *batch, Datum ids)
{
	static PhStatement read = {
		"SELECT d.id, d.message_id, d.message_slot, d.route FROM unnest($1) WITH ORDINALITY AS o (id, n)"
		" JOIN planthub.delivery AS d ON d.id = o.id AND d.lane = $2 ORDER BY o.n",
		2, {INT8ARRAYOID, INT4OID}
	};
	Datum		values[2] = {ids, Int32GetDatum(batch->lane)};
	int			i;

	SPI_connect();
	if (ph_sql_run(&read, values, NULL, SPI_OK_SELECT) != batch->nitems)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("not all of these deliveries belong to lane %d", batch->lane)));
	for (i = 0; i < batch->nitems; i++)
	{
		batch->items[i].delivery_id = ph_sql_int64(i, 1);
		batch->items[i].message_id = ph_sql_int64(i, 2);
		batch->items[i].message_slot = ph_sql_int32(i, 3);
		batch->items[i].route = ph_sql_int32(i, 4);
	}
	SPI_finish();
}

static int
text_array(ArrayType *array, Datum **elements)
{
	int			n;
	bool	   *nulls;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, elements, &nulls, &n);
	return n;
}

Datum
planthub_lane_settle(PG_FUNCTION_ARGS)
{
	int			id = PG_GETARG_INT32(0);
	int64		token = PG_GETARG_INT64(1);
	int64		batch_no = PG_GETARG_INT64(2);
	Datum		ids = PG_GETARG_DATUM(3);
	Datum	   *outcomes;
	int			n = text_array(PG_GETARG_ARRAYTYPE_P(4), &outcomes);
	const PhConfig *config = ph_config_get();
	PhBatch    *batch;
	PhItem	  **items;
	int64	   *tokens;
	int			i;

	if (ArrayGetNItems(ARR_NDIM(DatumGetArrayTypeP(ids)), ARR_DIMS(DatumGetArrayTypeP(ids))) != n)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("there must be one outcome for every delivery")));
	if (find_lane(id) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this session does not own lane %d", id),
				 errhint("Only the session that called planthub.lane_claim() can record the outcomes.")));
	batch = ph_item_create_batch(CurrentMemoryContext, id, batch_no, n);
	read_deliveries(batch, ids);
	(void) ph_item_load(config, batch->items, n, GetActiveSnapshot(), MaxAllocHugeSize);
	items = palloc(sizeof(PhItem *) * (Size) Max(n, 1));
	tokens = palloc(sizeof(int64) * (Size) Max(n, 1));
	for (i = 0; i < n; i++)
	{
		items[i] = &batch->items[i];
		tokens[i] = token;
		items[i]->fate = PH_FATE_SEND;
		items[i]->outcome = outcome_by_name(TextDatumGetCString(outcomes[i]));
		items[i]->recorded_attempt = items[i]->single = true;
		items[i]->tries = items[i]->attempts = 1;
		items[i]->started_us = (int64) (GetCurrentTimestamp() +
										(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY);
	}
	(void) ph_settle(config, items, tokens, n);
	PG_RETURN_VOID();
}
