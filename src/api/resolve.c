/*
 * resolve.c
 *	  SQL functions find_lines() and backflush_lines(): lines of an event with what the hub knows about their items, lots,
 *	  locations and components, and lines for what is taken automatically.
 *
 * A line is a handful of searches by key, so they are made directly: as one statement they would cost three times as
 * much.  What is wrong with a line is found out in SQL; here it is only seen that something may be.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "api/line.h"
#include "pg/search.h"

PG_FUNCTION_INFO_V1(planthub_find_lines);
PG_FUNCTION_INFO_V1(planthub_backflush_lines);

/* Arguments and results of find_lines(), in order. */
enum
{
	ARG_EVENT, ARG_RAW, ARG_POINTER, ARG_KIND, ARG_MAY_CREATE, ARG_USABLE, ARG_ORDER, ARG_OPERATION
};

enum
{
	FOUND_LINES, FOUND_DOUBTFUL,
	FOUND_COLUMNS
};

/* Columns that are read; those of versions of master data begin with when they hold. */
enum
{
	ITEM_STATUS = 2, ITEM_BASE_UOM, ITEM_LOT_CONTROLLED, ITEM_SERIAL_CONTROLLED
};

static const char *const item_columns[] = {
	"valid_from", "valid_to", "status", "base_uom", "lot_controlled", "serial_controlled", NULL
};

enum
{
	EQUIPMENT_SITE = 2, EQUIPMENT_ACTIVE
};

static const char *const equipment_columns[] = {"valid_from", "valid_to", "site", "active", NULL};

enum
{
	LOT_EXPIRY
};

static const char *const lot_columns[] = {"expiry", NULL};

enum
{
	COMPONENT_LINE, COMPONENT_OPERATION, COMPONENT_ITEM, COMPONENT_BACKFLUSH, COMPONENT_REQUIRED, COMPONENT_UOM,
	COMPONENT_FROM
};

static const char *const component_columns[] = {
	"line", "operation", "item", "backflush", "base_required", "base_uom", "from_location", NULL
};

typedef struct Finder
{
	PhInbound	event;
	char	   *pointer;
	Datum		kind;
	bool		may_create;
	bool		usable;
	bool		for_order;
	bool		any_operation;
	Datum		order_no;
	Datum		operation;
	Datum		active;			/* the text */
	Datum		unrestricted;
	Datum		no_lot;
	PhSearch   *items;
	PhSearch   *equipment;
	PhSearch   *lots;
	PhSearch   *components;
} Finder;

/* ---- what the data say ---- */

static void
set_text(PhLine *line, int attribute, JsonbContainer *object, const char *name, const char *other)
{
	line->nulls[attribute] = object == NULL ||
		(!ph_member_text(object, name, &line->values[attribute]) &&
		 (other == NULL || !ph_member_text(object, other, &line->values[attribute])));
}

/* The status of stock at a location. */
static void
set_status(Finder *finder, PhLine *line, int location, int status, JsonbContainer *object, const char *name)
{
	set_text(line, status, object, name, "status");
	if (line->nulls[status])
		line->values[status] = finder->unrestricted;
	line->nulls[status] = line->nulls[location];
}

static void
set_quantity(PhLine *line, JsonbContainer *object)
{
	JsonbValue	found;
	JsonbContainer *quantity = NULL;
	Datum		value;

	if (object != NULL && getKeyJsonValueFromContainer(object, "qty", 3, &found) != NULL &&
		found.type == jbvBinary && JsonContainerIsObject(found.val.binary.data))
		quantity = found.val.binary.data;
	set_text(line, LINE_UOM, quantity, "uom", NULL);
	line->nulls[LINE_QTY] = quantity == NULL || !ph_member_text(quantity, "value", &value) ||
		!ph_quantity_value(DatumGetTextPP(value), &line->values[LINE_QTY]);
}

static void
read_line(Finder *finder, PhLine *line, JsonbContainer *object)
{
	set_text(line, LINE_ITEM, object, "item", NULL);
	set_text(line, LINE_LOT, object, "lot", NULL);
	set_text(line, LINE_FROM, object, "from_location", "from");
	set_text(line, LINE_TO, object, "to_location", "to");
	set_text(line, LINE_COMPONENT, object, "component_line", NULL);
	set_status(finder, line, LINE_FROM, LINE_FROM_STATUS, object, "from_status");
	set_status(finder, line, LINE_TO, LINE_TO_STATUS, object, "to_status");
	set_quantity(line, object);
}

/* ---- what the hub knows ---- */

static void
open_finder(FunctionCallInfo fcinfo, Finder *finder)
{
	ph_require_arguments(fcinfo, ARG_POINTER, ARG_USABLE);
	ph_inbound_argument(fcinfo, ARG_EVENT, &finder->event);
	finder->pointer = text_to_cstring(PG_GETARG_TEXT_PP(ARG_POINTER));
	finder->kind = PG_GETARG_DATUM(ARG_KIND);
	finder->may_create = PG_GETARG_BOOL(ARG_MAY_CREATE);
	finder->usable = PG_GETARG_BOOL(ARG_USABLE);
	finder->for_order = !PG_ARGISNULL(ARG_ORDER);
	finder->any_operation = PG_ARGISNULL(ARG_OPERATION);
	finder->active = CStringGetTextDatum("active");
	finder->unrestricted = CStringGetTextDatum("unrestricted");
	finder->no_lot = CStringGetTextDatum("");
	finder->items = ph_search_open("item", "item_pkey", 1, item_columns, NULL);
	finder->equipment = ph_search_open("equipment", "equipment_pkey", 1, equipment_columns, NULL);
	finder->lots = ph_search_open("lot", "lot_pkey", 3, lot_columns, NULL);
	if (!finder->for_order)
		return;
	finder->order_no = PG_GETARG_DATUM(ARG_ORDER);
	finder->operation = finder->any_operation ? (Datum) 0 : PG_GETARG_DATUM(ARG_OPERATION);
	finder->components = ph_search_open("order_component", "order_component_pkey", 2, component_columns, NULL);
}

static void
close_finder(Finder *finder)
{
	ph_search_close(finder->items);
	ph_search_close(finder->equipment);
	ph_search_close(finder->lots);
	if (finder->for_order)
		ph_search_close(finder->components);
}

static bool
find_version(PhSearch *search, const PhInbound *event, Datum code)
{
	return ph_search_version(search, code, DatumGetTimestampTz(event->values[EVENT_TIME]));
}

static void
set_text_value(PhLine *line, int attribute, const char *value)
{
	line->values[attribute] = CStringGetTextDatum(value);
	line->nulls[attribute] = false;
}

/* Copies a column of the row found. */
static void
take(PhLine *line, int attribute, PhSearch *search, int column, bool by_value)
{
	bool		isnull;
	Datum		value = ph_search_value(search, column, &isnull);

	line->nulls[attribute] = isnull;
	if (!isnull)
		line->values[attribute] = by_value ? value : PointerGetDatum(PG_DETOAST_DATUM_COPY(value));
}

static void
find_item(Finder *finder, PhLine *line)
{
	line->nulls[LINE_BASE_UOM] = line->nulls[LINE_LOT_CONTROLLED] = line->nulls[LINE_SERIAL_CONTROLLED] = true;
	if (line->nulls[LINE_ITEM] || !find_version(finder->items, &finder->event, line->values[LINE_ITEM]) ||
		!ph_search_is(finder->items, ITEM_STATUS, finder->active))
		return;
	take(line, LINE_BASE_UOM, finder->items, ITEM_BASE_UOM, false);
	take(line, LINE_LOT_CONTROLLED, finder->items, ITEM_LOT_CONTROLLED, true);
	take(line, LINE_SERIAL_CONTROLLED, finder->items, ITEM_SERIAL_CONTROLLED, true);
}

static void
find_lot(Finder *finder, PhLine *line)
{
	Datum		keys[3] = {finder->event.values[EVENT_SITE], line->values[LINE_ITEM], line->values[LINE_LOT]};

	line->nulls[LINE_LOT_KNOWN] = line->nulls[LINE_EXPIRY] = true;
	if (line->nulls[LINE_ITEM] || line->nulls[LINE_LOT] || !ph_search_first(finder->lots, keys))
		return;
	line->nulls[LINE_LOT_KNOWN] = false;
	line->values[LINE_LOT_KNOWN] = BoolGetDatum(true);
	take(line, LINE_EXPIRY, finder->lots, LOT_EXPIRY, true);
}

static void
find_location(Finder *finder, PhLine *line, int location, int known)
{
	bool		isnull;

	line->nulls[known] = line->nulls[location] ||
		!find_version(finder->equipment, &finder->event, line->values[location]) ||
		!ph_search_is(finder->equipment, EQUIPMENT_SITE, finder->event.values[EVENT_SITE]) ||
		!DatumGetBool(ph_search_value(finder->equipment, EQUIPMENT_ACTIVE, &isnull));
	line->values[known] = BoolGetDatum(true);
}

/* The first component of the order, or of its operation, with the item of the line, and the number that it names. */
static bool
find_component(Finder *finder, PhLine *line)
{
	Datum		keys[2] = {finder->event.values[EVENT_SITE], finder->order_no};
	bool		found = !line->nulls[LINE_ITEM] && ph_search_first(finder->components, keys);

	while (found && !(ph_search_is(finder->components, COMPONENT_ITEM, line->values[LINE_ITEM]) &&
					  (finder->any_operation || ph_search_is(finder->components, COMPONENT_OPERATION, finder->operation)) &&
					  (line->nulls[LINE_COMPONENT] || ph_search_is(finder->components, COMPONENT_LINE, line->values[LINE_COMPONENT]))))
		found = ph_search_next(finder->components);
	return found;
}

static void
set_component(Finder *finder, PhLine *line)
{
	bool		found;
	bool		isnull;

	line->nulls[LINE_ACCOUNT] = line->nulls[LINE_ACCOUNT_TOTAL] = true;
	if (!finder->for_order || line->nulls[LINE_ITEM])
		return;
	found = find_component(finder, line);
	if (!found)
	{
		set_text_value(line, LINE_ACCOUNT, psprintf("issued//%s", TextDatumGetCString(line->values[LINE_ITEM])));
		return;
	}
	take(line, LINE_COMPONENT, finder->components, COMPONENT_LINE, false);
	set_text_value(line, LINE_ACCOUNT, psprintf("issued/%s", TextDatumGetCString(line->values[LINE_COMPONENT])));
	take(line, LINE_ACCOUNT_TOTAL, finder->components, COMPONENT_REQUIRED, false);
	if (DatumGetBool(ph_search_value(finder->components, COMPONENT_BACKFLUSH, &isnull)))
		line->values[LINE_ACCOUNT_TOTAL] = DirectFunctionCall1(int4_numeric, Int32GetDatum(-1));
}

/* ---- the lines ---- */

/* A quantity of the unit in which the stock of the item is kept, above zero and whole. */
static bool
is_plain_quantity(const PhLine *line)
{
	Datum		zero = DirectFunctionCall1(int4_numeric, Int32GetDatum(0));
	Datum		qty = line->values[LINE_QTY];

	return !line->nulls[LINE_QTY] && !line->nulls[LINE_UOM] && !line->nulls[LINE_BASE_UOM] &&
		ph_text_equal(line->values[LINE_UOM], line->values[LINE_BASE_UOM]) &&
		DatumGetBool(DirectFunctionCall2(numeric_gt, qty, zero)) &&
		DatumGetBool(DirectFunctionCall2(numeric_eq, qty, DirectFunctionCall2(numeric_trunc, qty, Int32GetDatum(0))));
}

/* Whether something could be wrong with the line, or has to be done yet; what it is, is found out in SQL. */
static bool
is_doubtful(const Finder *finder, const PhLine *line, JsonbContainer *object)
{
	bool		has_lot = !line->nulls[LINE_LOT];
	JsonbValue	serials;

	return !is_plain_quantity(line) ||
		DatumGetBool(line->values[LINE_LOT_CONTROLLED]) != has_lot ||
		DatumGetBool(line->values[LINE_SERIAL_CONTROLLED]) ||
		getKeyJsonValueFromContainer(object, "serials", 7, &serials) != NULL ||
		(!line->nulls[LINE_FROM] && line->nulls[LINE_FROM_KNOWN]) ||
		(!line->nulls[LINE_TO] && line->nulls[LINE_TO_KNOWN]) ||
		(has_lot && !finder->may_create && line->nulls[LINE_LOT_KNOWN]) ||
		(finder->usable && !line->nulls[LINE_EXPIRY]);
}

/* object: NULL when the line is none, which nothing is known of then. */
static bool
find_line(Finder *finder, PhLine *line, int i, JsonbContainer *object)
{
	bool		doubtful;

	read_line(finder, line, object);
	find_item(finder, line);
	find_lot(finder, line);
	find_location(finder, line, LINE_FROM, LINE_FROM_KNOWN);
	find_location(finder, line, LINE_TO, LINE_TO_KNOWN);
	set_component(finder, line);
	doubtful = is_doubtful(finder, line, object);

	line->values[LINE_N] = Int32GetDatum(i + 1);
	line->values[LINE_POINTER] = CStringGetTextDatum(psprintf("%s/%d", finder->pointer, i));
	line->values[LINE_KIND] = finder->kind;
	line->nulls[LINE_N] = line->nulls[LINE_POINTER] = line->nulls[LINE_KIND] = false;
	line->nulls[LINE_SERIALS] = true;
	line->values[LINE_BASE_QTY] = line->values[LINE_QTY];
	line->nulls[LINE_BASE_QTY] = line->nulls[LINE_QTY] || line->nulls[LINE_UOM] || line->nulls[LINE_BASE_UOM] ||
		!ph_text_equal(line->values[LINE_UOM], line->values[LINE_BASE_UOM]);
	if (line->nulls[LINE_LOT])
		line->values[LINE_LOT] = finder->no_lot;
	line->nulls[LINE_LOT] = false;
	return doubtful;
}

/* Whether one of the lines is doubtful. */
static bool
find_lines(Finder *finder, Jsonb *raw, PhLine *lines)
{
	JsonbIterator *iterator = JsonbIteratorInit(&raw->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	bool		doubtful = false;
	int			i = 0;

	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		bool		is_object = value.type == jbvBinary && JsonContainerIsObject(value.val.binary.data);

		if (token != WJB_ELEM)
			continue;
		CHECK_FOR_INTERRUPTS();
		doubtful |= find_line(finder, &lines[i], i, is_object ? value.val.binary.data : NULL);
		i++;
	}
	return doubtful;
}

/*
 * find_lines(event planthub.inbound, raw jsonb, pointer text, kind text, may_create boolean, usable boolean,
 * order_no text, operation text) -> (lines planthub.line[], doubtful boolean): see resolve_lines(), which does what is
 * left when there are doubts: base_qty is null when the unit is another, and serials always.
 */
Datum
planthub_find_lines(PG_FUNCTION_ARGS)
{
	TupleDesc	result = ph_result_descriptor(fcinfo);
	Datum		row[FOUND_COLUMNS] = {0};
	bool		row_nulls[FOUND_COLUMNS] = {true, true};
	Jsonb	   *raw = PG_ARGISNULL(ARG_RAW) ? NULL : PG_GETARG_JSONB_P(ARG_RAW);
	int			n = raw == NULL ? 0 : JB_ROOT_COUNT(raw);

	if (raw != NULL && (!JB_ROOT_IS_ARRAY(raw) || JB_ROOT_IS_SCALAR(raw)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the lines of an event are not an array")));
	if (n > 0)
	{
		PhLine	   *lines = MemoryContextAllocHuge(CurrentMemoryContext, n * sizeof(PhLine));
		Finder		finder;

		open_finder(fcinfo, &finder);
		row[FOUND_DOUBTFUL] = BoolGetDatum(find_lines(&finder, raw, lines));
		row[FOUND_LINES] = ph_composite_array(TupleDescAttr(result, FOUND_LINES)->atttypid, n, LINE_ATTRIBUTES, lines,
											  sizeof(PhLine));
		row_nulls[FOUND_DOUBTFUL] = row_nulls[FOUND_LINES] = false;
		close_finder(&finder);
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(result, row, row_nulls)));
}

/* ---- what is taken automatically ---- */

/* Arguments of backflush_lines(), in order. */
enum
{
	TAKE_EVENT, TAKE_UNITS, TAKE_ORDER_QTY, TAKE_LINES
};

static const char *const total_columns[] = {"total", NULL};
static const char *const unit_columns[] = {"dimension", NULL};

typedef struct Taker
{
	PhInbound	event;
	Datum		order_no;
	Datum		operation;
	Datum		units;
	Datum		order_qty;
	const PhLine *lines;		/* of the event */
	int			nlines;
	PhSearch   *components;
	PhSearch   *items;
	PhSearch   *ledger;
	PhSearch   *units_of_measure;
} Taker;

static bool
is_counted(Taker *taker, Datum unit)
{
	return ph_search_first(taker->units_of_measure, &unit) &&
		(ph_search_is(taker->units_of_measure, 0, CStringGetTextDatum("count")) ||
		 ph_search_is(taker->units_of_measure, 0, CStringGetTextDatum("package")));
}

/* What the units confirmed until now require of a component, less what was issued; false: nothing. */
static bool
required_quantity(Taker *taker, const PhLine *line, Datum *qty)
{
	Datum		keys[] = {taker->event.values[EVENT_SITE], taker->order_no, line->values[LINE_ACCOUNT]};
	Datum		exact = DirectFunctionCall2(numeric_div, DirectFunctionCall2(numeric_mul, line->values[LINE_ACCOUNT_TOTAL], taker->units),
											taker->order_qty);
	int			decimals = is_counted(taker, line->values[LINE_BASE_UOM]) ? 0 : 6;
	bool		isnull;

	*qty = DirectFunctionCall2(numeric_round, exact, Int32GetDatum(decimals));
	if (ph_search_last(taker->ledger, keys))
		*qty = DirectFunctionCall2(numeric_sub, *qty, ph_search_value(taker->ledger, 0, &isnull));
	return DatumGetBool(DirectFunctionCall2(numeric_gt, *qty, DirectFunctionCall1(int4_numeric, Int32GetDatum(0))));
}

/* A line for the component that was found; false: nothing is taken. */
static bool
take_component(Taker *taker, PhLine *line, int number)
{
	memset(line->nulls, true, sizeof(line->nulls));
	take(line, LINE_COMPONENT, taker->components, COMPONENT_LINE, false);
	take(line, LINE_ITEM, taker->components, COMPONENT_ITEM, false);
	take(line, LINE_ACCOUNT_TOTAL, taker->components, COMPONENT_REQUIRED, false);
	take(line, LINE_BASE_UOM, taker->components, COMPONENT_UOM, false);
	take(line, LINE_FROM, taker->components, COMPONENT_FROM, false);
	set_text_value(line, LINE_ACCOUNT, psprintf("issued/%s", TextDatumGetCString(line->values[LINE_COMPONENT])));
	if (!required_quantity(taker, line, &line->values[LINE_BASE_QTY]))
		return false;
	line->nulls[LINE_BASE_QTY] = line->nulls[LINE_QTY] = line->nulls[LINE_UOM] = line->nulls[LINE_N] = false;
	line->values[LINE_QTY] = line->values[LINE_BASE_QTY];
	line->values[LINE_UOM] = line->values[LINE_BASE_UOM];
	line->values[LINE_N] = Int32GetDatum(number);
	if (line->nulls[LINE_FROM] && taker->nlines > 0)
	{
		line->values[LINE_FROM] = taker->lines->values[LINE_FROM];
		line->nulls[LINE_FROM] = taker->lines->nulls[LINE_FROM];
	}
	if (find_version(taker->items, &taker->event, line->values[LINE_ITEM]))
	{
		take(line, LINE_LOT_CONTROLLED, taker->items, ITEM_LOT_CONTROLLED, true);
		take(line, LINE_SERIAL_CONTROLLED, taker->items, ITEM_SERIAL_CONTROLLED, true);
	}
	set_text_value(line, LINE_POINTER, "/data/yield");
	set_text_value(line, LINE_KIND, "issue_to_order");
	set_text_value(line, LINE_LOT, "");
	set_text_value(line, LINE_FROM_STATUS, "unrestricted");
	line->values[LINE_FROM_KNOWN] = BoolGetDatum(true);
	line->nulls[LINE_FROM_KNOWN] = false;
	return true;
}

/* Lines for the backflushed components of the operation; *n: how many. */
static PhLine *
take_components(Taker *taker, int *n)
{
	Datum		keys[] = {taker->event.values[EVENT_SITE], taker->order_no};
	PhLine	   *taken = NULL;
	int			allocated = 0;
	bool		found = ph_search_first(taker->components, keys);
	bool		isnull;

	for (*n = 0; found; found = ph_search_next(taker->components))
	{
		CHECK_FOR_INTERRUPTS();
		if (!DatumGetBool(ph_search_value(taker->components, COMPONENT_BACKFLUSH, &isnull)) ||
			!ph_search_is(taker->components, COMPONENT_OPERATION, taker->operation))
			continue;
		if (*n == allocated)
		{
			allocated = Max(allocated * 2, 4);
			taken = taken == NULL ? palloc(allocated * sizeof(PhLine)) : repalloc(taken, allocated * sizeof(PhLine));
		}
		*n += take_component(taker, &taken[*n], taker->nlines + *n + 1);
	}
	return taken;
}

/*
 * backflush_lines(event planthub.inbound, units numeric, order_qty numeric, lines planthub.line[]) -> planthub.line[]: lines for the
 * backflushed components of the operation that the event names: what the quantity of the operation after it requires,
 * less what was issued.  lines: those that the event has itself.
 */
Datum
planthub_backflush_lines(PG_FUNCTION_ARGS)
{
	Taker		taker = {.units = PG_GETARG_DATUM(TAKE_UNITS), .order_qty = PG_GETARG_DATUM(TAKE_ORDER_QTY)};
	JsonbContainer *data;
	PhLine	   *taken = NULL;
	int			n = 0;

	ph_inbound_argument(fcinfo, TAKE_EVENT, &taker.event);
	taker.lines = ph_lines_argument(fcinfo, TAKE_LINES, &taker.nlines);
	data = &DatumGetJsonbP(taker.event.values[EVENT_DATA])->root;
	if (PG_ARGISNULL(TAKE_UNITS) || PG_ARGISNULL(TAKE_ORDER_QTY) ||
		!ph_member_text(data, "order", &taker.order_no) || !ph_member_text(data, "operation", &taker.operation))
		PG_RETURN_NULL();
	taker.components = ph_search_open("order_component", "order_component_pkey", 2, component_columns, NULL);
	taker.items = ph_search_open("item", "item_pkey", 1, item_columns, NULL);
	taker.ledger = ph_search_open("order_ledger", "order_ledger_pkey", 3, total_columns, NULL);
	taker.units_of_measure = ph_search_open("unit", "unit_pkey", 1, unit_columns, NULL);
	taken = take_components(&taker, &n);
	ph_search_close(taker.components);
	ph_search_close(taker.items);
	ph_search_close(taker.ledger);
	ph_search_close(taker.units_of_measure);
	if (n == 0)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(ph_composite_array(get_fn_expr_rettype(fcinfo->flinfo), n, LINE_ATTRIBUTES, taken, sizeof(PhLine)));
}
