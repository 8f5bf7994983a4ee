/*
 * operation.c
 *	  SQL function operation_now(): the order and the operation that an event names, and what was confirmed so far.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "api/line.h"
#include "pg/search.h"

PG_FUNCTION_INFO_V1(planthub_operation_now);

/* Results, in order. */
enum
{
	NOW_STATE, NOW_STATE_AT, NOW_ITEM, NOW_UOM, NOW_ORDER_QTY, NOW_OVER, NOW_UNDER, NOW_PLANNED, NOW_PREVIOUS, NOW_SEQ,
	NOW_YIELD, NOW_SCRAP, NOW_REWORK, NOW_FINAL_AT, NOW_PREVIOUS_YIELD, NOW_WORK_CENTER_KNOWN,
	NOW_COLUMNS
};

/* Columns that are read follow each other in the results, too. */
static const char *const order_columns[] = {
	"state", "state_at", "item", "base_uom", "base_qty", "over_tolerance_pct", "under_tolerance_pct", NULL
};
static const char *const operation_columns[] = {"base_qty", "previous", NULL};
static const char *const confirmation_columns[] = {
	"seq", "total_yield", "total_scrap", "total_rework", "final_at", NULL
};
static const char *const equipment_columns[] = {"valid_from", "valid_to", "site", "active", "level", NULL};

/* Levels that are no work center. */
static const char *const other_levels[] = {"Enterprise", "Site", "Area", "StorageZone", "StorageUnit"};

typedef struct Now
{
	PhInbound	event;
	JsonbContainer *data;
	Datum		keys[3];		/* site, order, operation */
	Datum		values[NOW_COLUMNS];
	bool		nulls[NOW_COLUMNS];
} Now;

static Datum
copy(Datum value, Oid type)
{
	if (type == TIMESTAMPTZOID || type == INT4OID)
		return value;
	return PointerGetDatum(PG_DETOAST_DATUM_COPY(value));
}

/* Copies all columns of the row into the results from the first on; without a row they stay as they are. */
static void
take(Now *now, TupleDesc result, PhSearch *search, bool found, int first, int n)
{
	int			i;

	for (i = 0; found && i < n; i++)
	{
		Datum		value = ph_search_value(search, i, &now->nulls[first + i]);

		if (!now->nulls[first + i])
			now->values[first + i] = copy(value, TupleDescAttr(result, first + i)->atttypid);
	}
}

static void
read_order(Now *now, TupleDesc result)
{
	PhSearch   *orders = ph_search_open("production_order", "production_order_pkey", 2, order_columns, NULL);
	PhSearch   *operations = ph_search_open("order_operation", "order_operation_pkey", 3, operation_columns, NULL);

	take(now, result, orders, ph_search_first(orders, now->keys), NOW_STATE, lengthof(order_columns) - 1);
	take(now, result, operations, ph_search_first(operations, now->keys), NOW_PLANNED, lengthof(operation_columns) - 1);
	ph_search_close(orders);
	ph_search_close(operations);
}

/* Totals of the operation, and what came from the one before it; 0 when nothing was confirmed. */
static void
read_totals(Now *now, TupleDesc result)
{
	PhSearch   *confirmations = ph_search_open("confirmation", "confirmation_pkey", 3, confirmation_columns, NULL);
	Datum		previous[] = {now->keys[0], now->keys[1], now->values[NOW_PREVIOUS]};
	Datum		zero = DirectFunctionCall1(int4_numeric, Int32GetDatum(0));
	int			i;

	for (i = NOW_SEQ; i <= NOW_PREVIOUS_YIELD; i++)
	{
		now->values[i] = i == NOW_SEQ ? Int32GetDatum(0) : zero;
		now->nulls[i] = i == NOW_FINAL_AT;
	}
	take(now, result, confirmations, ph_search_last(confirmations, now->keys), NOW_SEQ,
		 lengthof(confirmation_columns) - 1);
	if (!now->nulls[NOW_PREVIOUS] && ph_search_last(confirmations, previous))
	{
		bool		isnull;

		now->values[NOW_PREVIOUS_YIELD] = copy(ph_search_value(confirmations, 1, &isnull), NUMERICOID);
	}
	ph_search_close(confirmations);
}

/* A tolerance that the order does not have is that of the site. */
static void
set_tolerance(Now *now, int column, const char *policy)
{
	Datum		value;

	if (!now->nulls[column] || now->event.nulls[EVENT_POLICIES] ||
		!ph_member_text(&DatumGetJsonbP(now->event.values[EVENT_POLICIES])->root, policy, &value))
		return;
	now->values[column] = DirectFunctionCall3(numeric_in, CStringGetDatum(TextDatumGetCString(value)),
											  ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	now->nulls[column] = false;
}

static bool
is_work_center(Now *now)
{
	PhSearch   *equipment = ph_search_open("equipment", "equipment_pkey", 1, equipment_columns, NULL);
	Datum		code;
	bool		isnull;
	bool		known = ph_member_text(now->data, "work_center", &code) &&
		ph_search_version(equipment, code, DatumGetTimestampTz(now->event.values[EVENT_TIME])) &&
		ph_search_is(equipment, 2, now->event.values[EVENT_SITE]) &&
		DatumGetBool(ph_search_value(equipment, 3, &isnull));
	int			i;

	for (i = 0; i < lengthof(other_levels) && known; i++)
		known = !ph_search_is(equipment, 4, CStringGetTextDatum(other_levels[i]));
	ph_search_close(equipment);
	return known;
}

/*
 * operation_now(event planthub.inbound) -> a row of everything about the operation that a confirmation is checked
 * against; what there is not is null.
 */
Datum
planthub_operation_now(PG_FUNCTION_ARGS)
{
	TupleDesc	result = ph_result_descriptor(fcinfo);
	Now			now;

	memset(now.nulls, true, sizeof(now.nulls));
	ph_inbound_argument(fcinfo, 0, &now.event);
	now.data = &DatumGetJsonbP(now.event.values[EVENT_DATA])->root;
	now.keys[0] = now.event.values[EVENT_SITE];
	if (ph_member_text(now.data, "order", &now.keys[1]) && ph_member_text(now.data, "operation", &now.keys[2]))
	{
		read_order(&now, result);
		read_totals(&now, result);
	}
	set_tolerance(&now, NOW_OVER, "over_confirmation_tolerance_pct");
	set_tolerance(&now, NOW_UNDER, "under_confirmation_tolerance_pct");
	now.nulls[NOW_WORK_CENTER_KNOWN] = !is_work_center(&now);
	now.values[NOW_WORK_CENTER_KNOWN] = BoolGetDatum(true);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(result, now.values, now.nulls)));
}
