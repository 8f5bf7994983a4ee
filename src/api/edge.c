/*
 * edge.c
 *	  SQL functions of the hot path of genealogy: whether lots could close a circle, and the edges from many lots to one.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "api/line.h"
#include "pg/insert.h"
#include "pg/search.h"

PG_FUNCTION_INFO_V1(planthub_may_close_circle);
PG_FUNCTION_INFO_V1(planthub_append_edges);

static const char *const edge_columns[] = {NULL};

static bool
has_lot(const PhLine *line)
{
	return !line->nulls[LINE_ITEM] && !line->nulls[LINE_LOT] &&
		VARSIZE_ANY_EXHDR(DatumGetTextPP(line->values[LINE_LOT])) > 0;
}

static void
add_keys(Datum *keys, int *nkeys, const char *site, const PhLine *lines, int n)
{
	int			i;

	for (i = 0; i < n; i++)
	{
		if (has_lot(&lines[i]))
			keys[(*nkeys)++] = CStringGetTextDatum(psprintf("%s/%s/%s", site,
															TextDatumGetCString(lines[i].values[LINE_ITEM]),
															TextDatumGetCString(lines[i].values[LINE_LOT])));
	}
}

/* The same locks as planthub.lock_things() takes for planthub.lot_keys(). */
static void
lock_lots(Datum site, const PhLine *inputs, int ninputs, const PhLine *outputs, int noutputs)
{
	const char *shown = TextDatumGetCString(site);
	Datum	   *keys = palloc(Max(ninputs + noutputs, 1) * sizeof(Datum));
	int			n = 0;

	add_keys(keys, &n, shown, inputs, ninputs);
	add_keys(keys, &n, shown, outputs, noutputs);
	ph_lock_things(cstring_to_text("lot"), construct_array(keys, n, TEXTOID, -1, false, TYPALIGN_INT));
}

static bool
is_among(const PhLine *line, const PhLine *others, int n)
{
	int			i;

	for (i = 0; i < n; i++)
	{
		if (has_lot(&others[i]) && ph_text_equal(line->values[LINE_LOT], others[i].values[LINE_LOT]) &&
			ph_text_equal(line->values[LINE_ITEM], others[i].values[LINE_ITEM]))
			return true;
	}
	return false;
}

/*
 * may_close_circle(event planthub.inbound, inputs planthub.line[], outputs planthub.line[]) -> boolean: whether a lot that comes out
 * also goes in, or went into something before.  Usually it is new, or goes nowhere yet, and nothing has to be searched.
 * The lots are locked until the end of the transaction: two that would close a circle together have one in common.
 */
Datum
planthub_may_close_circle(PG_FUNCTION_ARGS)
{
	PhInbound	event;
	int			ninputs;
	PhLine	   *inputs = ph_lines_argument(fcinfo, 1, &ninputs);
	int			noutputs;
	PhLine	   *outputs = ph_lines_argument(fcinfo, 2, &noutputs);
	PhSearch   *edges;
	bool		result = false;
	int			i;

	ph_inbound_argument(fcinfo, 0, &event);
	lock_lots(event.values[EVENT_SITE], inputs, ninputs, outputs, noutputs);
	edges = ph_search_open("edge", "edge_from", 3, edge_columns, GetTransactionSnapshot());
	for (i = 0; i < noutputs && !result; i++)
	{
		Datum		keys[] = {event.values[EVENT_SITE], outputs[i].values[LINE_ITEM], outputs[i].values[LINE_LOT]};

		CHECK_FOR_INTERRUPTS();
		result = has_lot(&outputs[i]) && (is_among(&outputs[i], inputs, ninputs) || ph_search_first(edges, keys));
	}
	ph_search_close(edges);
	PG_RETURN_BOOL(result);
}

/* ---- edges ---- */

enum
{
	ARG_EVENT, ARG_KIND, ARG_INPUTS, ARG_GOAL, ARG_ORDER, ARG_OPERATION, ARG_FIRST
};

/* Columns of planthub.edge, in order. */
enum
{
	EDGE_SITE, EDGE_MESSAGE_ID, EDGE_LINE, EDGE_FROM_ITEM, EDGE_FROM_LOT, EDGE_TO_ITEM, EDGE_TO_LOT, EDGE_KIND,
	EDGE_METHOD, EDGE_QTY, EDGE_UOM, EDGE_ORDER, EDGE_OPERATION, EDGE_COMPONENT, EDGE_EVENT_TIME, EDGE_RECORDED_AT,
	EDGE_COLUMNS
};

/* Where the values of an input go. */
static const int line_columns[][2] = {
	{LINE_ITEM, EDGE_FROM_ITEM}, {LINE_LOT, EDGE_FROM_LOT}, {LINE_BASE_QTY, EDGE_QTY}, {LINE_BASE_UOM, EDGE_UOM},
	{LINE_COMPONENT, EDGE_COMPONENT}
};

/*
 * append_edges(event planthub.inbound, kind text, inputs planthub.line[], goal planthub.line[], order_no text, operation text,
 * first_line int) -> true: the lots of the inputs went into the one of the goal, so it is known how much of each.
 */
Datum
planthub_append_edges(PG_FUNCTION_ARGS)
{
	PhInbound	event;
	int			n;
	PhLine	   *inputs = ph_lines_argument(fcinfo, ARG_INPUTS, &n);
	int			ngoals;
	PhLine	   *goal = ph_lines_argument(fcinfo, ARG_GOAL, &ngoals);
	PhInsert   *insert;
	Datum		values[EDGE_COLUMNS];
	bool		nulls[EDGE_COLUMNS] = {0};
	int			i;
	int			k;

	ph_inbound_argument(fcinfo, ARG_EVENT, &event);
	ph_require_arguments(fcinfo, ARG_KIND, ARG_KIND);
	ph_require_arguments(fcinfo, ARG_FIRST, ARG_FIRST);
	if (ngoals == 0 || !has_lot(goal))
		PG_RETURN_BOOL(true);
	insert = ph_insert_open("edge", EDGE_COLUMNS);
	values[EDGE_SITE] = event.values[EVENT_SITE];
	values[EDGE_MESSAGE_ID] = event.values[EVENT_ID];
	values[EDGE_KIND] = PG_GETARG_DATUM(ARG_KIND);
	values[EDGE_METHOD] = CStringGetTextDatum("measured");
	values[EDGE_ORDER] = PG_GETARG_DATUM(ARG_ORDER);
	nulls[EDGE_ORDER] = PG_ARGISNULL(ARG_ORDER);
	values[EDGE_OPERATION] = PG_GETARG_DATUM(ARG_OPERATION);
	nulls[EDGE_OPERATION] = PG_ARGISNULL(ARG_OPERATION);
	values[EDGE_EVENT_TIME] = event.values[EVENT_TIME];
	values[EDGE_RECORDED_AT] = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
	for (i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!has_lot(&inputs[i]))
			continue;
		values[EDGE_LINE] = Int32GetDatum(PG_GETARG_INT32(ARG_FIRST) - 1 + DatumGetInt32(inputs[i].values[LINE_N]));
		values[EDGE_TO_ITEM] = goal->values[LINE_ITEM];
		values[EDGE_TO_LOT] = goal->values[LINE_LOT];
		for (k = 0; k < lengthof(line_columns); k++)
		{
			nulls[line_columns[k][1]] = inputs[i].nulls[line_columns[k][0]];
			values[line_columns[k][1]] = inputs[i].values[line_columns[k][0]];
		}
		ph_insert_row(insert, values, nulls);
	}
	ph_insert_close(insert);
	PG_RETURN_BOOL(true);
}
