/*
 * stock.c
 *	  SQL functions of the hot path of stock: balances after lines, with their stock keys locked, and the movements.
 *
 * Whether the balances may be so, and what waits for the stock, is decided in SQL.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "api/line.h"
#include "pg/insert.h"
#include "pg/search.h"

PG_FUNCTION_INFO_V1(planthub_stock_balances);
PG_FUNCTION_INFO_V1(planthub_append_movements);

/* Attributes of the type planthub.stock_change, in order. */
enum
{
	CHANGE_STOCK_ID, CHANGE_SEQ, CHANGE_DELTA, CHANGE_BALANCE, CHANGE_LATEST, CHANGE_LOCATION, CHANGE_ITEM, CHANGE_LOT,
	CHANGE_STATUS,
	CHANGE_ATTRIBUTES
};

typedef struct Change
{
	Datum		values[CHANGE_ATTRIBUTES];
	bool		nulls[CHANGE_ATTRIBUTES];
} Change;

/* ---- balances ---- */

enum
{
	BALANCE_CHANGES, BALANCE_SHORT, BALANCE_NEW,
	BALANCE_COLUMNS
};

enum
{
	STOCK_ID
};

static const char *const stock_columns[] = {"id", NULL};

enum
{
	LEDGER_SEQ, LEDGER_BALANCE, LEDGER_LATEST
};

static const char *const ledger_columns[] = {"seq", "balance", "latest_time", NULL};

static Datum
zero(void)
{
	return DirectFunctionCall1(int4_numeric, Int32GetDatum(0));
}

static Datum
add(Datum left, Datum right)
{
	return DirectFunctionCall2(numeric_add, left, right);
}

static bool
is_negative(Datum value)
{
	return DatumGetBool(DirectFunctionCall2(numeric_lt, value, zero()));
}

/* One side of a line; nothing when the line has none there. */
static void
add_side(Change *changes, int *n, const PhLine *line, int location, int status, bool from)
{
	Change	   *change = &changes[*n];

	if (line->nulls[location])
		return;
	if (line->nulls[LINE_ITEM] || line->nulls[LINE_LOT] || line->nulls[status] || line->nulls[LINE_BASE_QTY])
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("a line that moves stock needs item, lot, status and quantity")));
	memset(change->nulls, 0, sizeof(change->nulls));
	change->values[CHANGE_LOCATION] = line->values[location];
	change->values[CHANGE_ITEM] = line->values[LINE_ITEM];
	change->values[CHANGE_LOT] = line->values[LINE_LOT];
	change->values[CHANGE_STATUS] = line->values[status];
	change->values[CHANGE_DELTA] = from ? DirectFunctionCall1(numeric_uminus, line->values[LINE_BASE_QTY]) :
		line->values[LINE_BASE_QTY];
	(*n)++;
}

/* By stock key. */
static int
compare_changes(const void *a, const void *b)
{
	int			order = 0;
	int			i;

	for (i = CHANGE_LOCATION; i < CHANGE_ATTRIBUTES && order == 0; i++)
		order = ph_text_compare(((const Change *) a)->values[i], ((const Change *) b)->values[i]);
	return order;
}

/* One change for each stock key; *n: how many. */
static Change *
collect_changes(const PhLine *lines, int nlines, int *n)
{
	Change	   *changes = palloc(Max(nlines, 1) * 2 * sizeof(Change));
	int			sides = 0;
	int			i;

	for (i = 0; i < nlines; i++)
	{
		add_side(changes, &sides, &lines[i], LINE_FROM, LINE_FROM_STATUS, true);
		add_side(changes, &sides, &lines[i], LINE_TO, LINE_TO_STATUS, false);
	}
	qsort(changes, sides, sizeof(Change), compare_changes);
	*n = 0;
	for (i = 0; i < sides; i++)
	{
		Change	   *last = &changes[*n - 1];

		if (*n > 0 && compare_changes(last, &changes[i]) == 0)
			last->values[CHANGE_DELTA] = add(last->values[CHANGE_DELTA], changes[i].values[CHANGE_DELTA]);
		else
			changes[(*n)++] = changes[i];
	}
	return changes;
}

static text *
stock_key(const char *site, const Change *change)
{
	return cstring_to_text(psprintf("%s/%s/%s/%s/%s", site, TextDatumGetCString(change->values[CHANGE_LOCATION]),
									TextDatumGetCString(change->values[CHANGE_ITEM]),
									TextDatumGetCString(change->values[CHANGE_LOT]),
									TextDatumGetCString(change->values[CHANGE_STATUS])));
}

/* The same locks as planthub.lock_things() takes for planthub.stock_key(). */
static void
lock_stock(Datum site, const Change *changes, int n)
{
	const char *shown = TextDatumGetCString(site);
	Datum	   *keys = palloc(Max(n, 1) * sizeof(Datum));
	int			i;

	for (i = 0; i < n; i++)
		keys[i] = PointerGetDatum(stock_key(shown, &changes[i]));
	ph_lock_things(cstring_to_text("stock"), construct_array(keys, n, TEXTOID, -1, false, TYPALIGN_INT));
}

/* Number of the stock key, number of its next entry, balance and latest time after that. */
static void
find_balance(PhSearch *stock, PhSearch *ledger, const PhInbound *event, Change *change)
{
	Datum		site = event->values[EVENT_SITE];
	TimestampTz latest = DatumGetTimestampTz(event->values[EVENT_TIME]);
	Datum		key[] = {site, change->values[CHANGE_LOCATION], change->values[CHANGE_ITEM], change->values[CHANGE_LOT],
	change->values[CHANGE_STATUS], CStringGetTextDatum("")};
	Datum		entry[2] = {site};
	int64		seq = 0;
	Datum		balance = zero();
	bool		isnull;

	change->nulls[CHANGE_STOCK_ID] = !ph_search_first(stock, key);
	if (!change->nulls[CHANGE_STOCK_ID])
	{
		change->values[CHANGE_STOCK_ID] = entry[1] = ph_search_value(stock, STOCK_ID, &isnull);
		if (ph_search_last(ledger, entry))
		{
			seq = DatumGetInt64(ph_search_value(ledger, LEDGER_SEQ, &isnull));
			balance = ph_search_value(ledger, LEDGER_BALANCE, &isnull);
			latest = Max(latest, DatumGetTimestampTz(ph_search_value(ledger, LEDGER_LATEST, &isnull)));
		}
	}
	change->values[CHANGE_SEQ] = Int64GetDatum(seq + 1);
	change->values[CHANGE_LATEST] = TimestampTzGetDatum(latest);
	change->values[CHANGE_BALANCE] = add(balance, change->values[CHANGE_DELTA]);
}

/*
 * stock_balances(event planthub.inbound, lines planthub.line[]) -> (changes planthub.stock_change[], short boolean,
 * is_new boolean): locks the stock keys of lines until the end of the transaction, and says what the lines change, with
 * the balances after it; whether one becomes negative by that; whether one has no number yet.
 */
Datum
planthub_stock_balances(PG_FUNCTION_ARGS)
{
	TupleDesc	result = ph_result_descriptor(fcinfo);
	Datum		row[BALANCE_COLUMNS] = {0};
	bool		row_nulls[BALANCE_COLUMNS] = {0};
	PhInbound	event;
	int			nlines;
	PhLine	   *lines = ph_lines_argument(fcinfo, 1, &nlines);
	int			n;
	Change	   *changes = collect_changes(lines, nlines, &n);
	Snapshot	snapshot;
	PhSearch   *stock;
	PhSearch   *ledger;
	bool		is_short = false;
	bool		is_new = false;
	int			i;

	ph_inbound_argument(fcinfo, 0, &event);
	lock_stock(event.values[EVENT_SITE], changes, n);
	/* What the transaction that had the lock has written must be seen. */
	snapshot = RegisterSnapshot(GetTransactionSnapshot());
	stock = ph_search_open("stock", "stock_pkey", 6, stock_columns, snapshot);
	ledger = ph_search_open("stock_ledger", "stock_ledger_pkey", 2, ledger_columns, snapshot);
	for (i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		find_balance(stock, ledger, &event, &changes[i]);
		is_short |= is_negative(changes[i].values[CHANGE_DELTA]) && is_negative(changes[i].values[CHANGE_BALANCE]);
		is_new |= changes[i].nulls[CHANGE_STOCK_ID];
	}
	ph_search_close(stock);
	ph_search_close(ledger);
	UnregisterSnapshot(snapshot);
	row[BALANCE_CHANGES] = ph_composite_array(TupleDescAttr(result, BALANCE_CHANGES)->atttypid, n, CHANGE_ATTRIBUTES,
											  changes, sizeof(Change));
	row_nulls[BALANCE_CHANGES] = n == 0;
	row[BALANCE_SHORT] = BoolGetDatum(is_short);
	row[BALANCE_NEW] = BoolGetDatum(is_new);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(result, row, row_nulls)));
}

/* ---- movements ---- */

enum
{
	ARG_EVENT, ARG_LINES, ARG_CHANGES, ARG_POSTING_DATE, ARG_DOCUMENT, ARG_ORDER, ARG_OPERATION, ARG_REASON,
	ARG_HANDLING_UNIT, ARG_REVERSES
};

enum
{
	APPENDED_BROUGHT, APPENDED_SERIALS,
	APPENDED_COLUMNS
};

/* Columns of planthub.movement, in order. */
enum
{
	MOVEMENT_SITE, MOVEMENT_MESSAGE_ID, MOVEMENT_LINE, MOVEMENT_KIND, MOVEMENT_ITEM, MOVEMENT_LOT, MOVEMENT_QTY,
	MOVEMENT_UOM, MOVEMENT_BASE_QTY, MOVEMENT_BASE_UOM, MOVEMENT_FROM, MOVEMENT_FROM_STATUS, MOVEMENT_TO,
	MOVEMENT_TO_STATUS, MOVEMENT_OWNER, MOVEMENT_ORDER, MOVEMENT_OPERATION, MOVEMENT_COMPONENT, MOVEMENT_DOCUMENT,
	MOVEMENT_REASON, MOVEMENT_HANDLING_UNIT, MOVEMENT_SERIALS, MOVEMENT_REVERSES, MOVEMENT_REVERSED_LINE,
	MOVEMENT_EVENT_TIME, MOVEMENT_EVENT_OFFSET, MOVEMENT_RECORDED_AT, MOVEMENT_POSTING_DATE,
	MOVEMENT_COLUMNS
};

/* Where the values of a line go. */
static const int line_columns[][2] = {
	{LINE_N, MOVEMENT_LINE}, {LINE_KIND, MOVEMENT_KIND}, {LINE_ITEM, MOVEMENT_ITEM}, {LINE_LOT, MOVEMENT_LOT},
	{LINE_QTY, MOVEMENT_QTY}, {LINE_UOM, MOVEMENT_UOM}, {LINE_BASE_QTY, MOVEMENT_BASE_QTY},
	{LINE_BASE_UOM, MOVEMENT_BASE_UOM}, {LINE_FROM, MOVEMENT_FROM}, {LINE_FROM_STATUS, MOVEMENT_FROM_STATUS},
	{LINE_TO, MOVEMENT_TO}, {LINE_TO_STATUS, MOVEMENT_TO_STATUS}, {LINE_COMPONENT, MOVEMENT_COMPONENT},
	{LINE_SERIALS, MOVEMENT_SERIALS}
};

/* Where arguments go, which are the same for all lines. */
static const int argument_columns[][2] = {
	{ARG_POSTING_DATE, MOVEMENT_POSTING_DATE}, {ARG_DOCUMENT, MOVEMENT_DOCUMENT}, {ARG_ORDER, MOVEMENT_ORDER},
	{ARG_OPERATION, MOVEMENT_OPERATION}, {ARG_REASON, MOVEMENT_REASON}, {ARG_HANDLING_UNIT, MOVEMENT_HANDLING_UNIT},
	{ARG_REVERSES, MOVEMENT_REVERSES}
};

static void
append_movements(FunctionCallInfo fcinfo, const PhInbound *event, const PhLine *lines, int n)
{
	PhInsert   *insert = ph_insert_open("movement", MOVEMENT_COLUMNS);
	Datum		values[MOVEMENT_COLUMNS] = {0};
	bool		nulls[MOVEMENT_COLUMNS] = {0};
	int			i;
	int			k;

	values[MOVEMENT_SITE] = event->values[EVENT_SITE];
	values[MOVEMENT_MESSAGE_ID] = event->values[EVENT_ID];
	values[MOVEMENT_OWNER] = CStringGetTextDatum("");
	values[MOVEMENT_EVENT_TIME] = event->values[EVENT_TIME];
	values[MOVEMENT_EVENT_OFFSET] = event->values[EVENT_OFFSET];
	nulls[MOVEMENT_EVENT_OFFSET] = event->nulls[EVENT_OFFSET];
	values[MOVEMENT_RECORDED_AT] = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
	for (k = 0; k < lengthof(argument_columns); k++)
	{
		nulls[argument_columns[k][1]] = PG_ARGISNULL(argument_columns[k][0]);
		values[argument_columns[k][1]] = PG_GETARG_DATUM(argument_columns[k][0]);
	}
	for (i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		for (k = 0; k < lengthof(line_columns); k++)
		{
			nulls[line_columns[k][1]] = lines[i].nulls[line_columns[k][0]];
			values[line_columns[k][1]] = lines[i].values[line_columns[k][0]];
		}
		nulls[MOVEMENT_REVERSED_LINE] = PG_ARGISNULL(ARG_REVERSES);
		values[MOVEMENT_REVERSED_LINE] = lines[i].values[LINE_N];
		ph_insert_row(insert, values, nulls);
	}
	ph_insert_close(insert);
}

/* Columns of planthub.stock_ledger, in order. */
enum
{
	ENTRY_SITE, ENTRY_STOCK_ID, ENTRY_SEQ, ENTRY_MESSAGE_ID, ENTRY_DELTA, ENTRY_BALANCE, ENTRY_EVENT_TIME,
	ENTRY_RECORDED_AT, ENTRY_LATEST,
	ENTRY_COLUMNS
};

static void
require_changes(const Change *changes, int n)
{
	int			i;

	for (i = 0; i < n * CHANGE_ATTRIBUTES; i++)
	{
		if (changes[i / CHANGE_ATTRIBUTES].nulls[i % CHANGE_ATTRIBUTES])
			ereport(ERROR,
					(errcode(ERRCODE_NOT_NULL_VIOLATION),
					 errmsg("a change of stock has no nulls")));
	}
}

static void
append_entries(const PhInbound *event, const Change *changes, int n)
{
	PhInsert   *insert = ph_insert_open("stock_ledger", ENTRY_COLUMNS);
	Datum		values[ENTRY_COLUMNS];
	bool		nulls[ENTRY_COLUMNS] = {0};
	int			i;

	values[ENTRY_SITE] = event->values[EVENT_SITE];
	values[ENTRY_MESSAGE_ID] = event->values[EVENT_ID];
	values[ENTRY_EVENT_TIME] = event->values[EVENT_TIME];
	values[ENTRY_RECORDED_AT] = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
	for (i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		values[ENTRY_STOCK_ID] = changes[i].values[CHANGE_STOCK_ID];
		values[ENTRY_SEQ] = changes[i].values[CHANGE_SEQ];
		values[ENTRY_DELTA] = changes[i].values[CHANGE_DELTA];
		values[ENTRY_BALANCE] = changes[i].values[CHANGE_BALANCE];
		values[ENTRY_LATEST] = changes[i].values[CHANGE_LATEST];
		ph_insert_row(insert, values, nulls);
	}
	ph_insert_close(insert);
}

/* Keys of the stock that has become more; null when there is none. */
static Datum
brought_keys(const PhInbound *event, const Change *changes, int n, bool *isnull)
{
	const char *site = TextDatumGetCString(event->values[EVENT_SITE]);
	Datum	   *keys = palloc(Max(n, 1) * sizeof(Datum));
	int			count = 0;
	int			i;

	for (i = 0; i < n; i++)
	{
		if (DatumGetBool(DirectFunctionCall2(numeric_gt, changes[i].values[CHANGE_DELTA], zero())))
			keys[count++] = PointerGetDatum(stock_key(site, &changes[i]));
	}
	*isnull = count == 0;
	return PointerGetDatum(construct_array(keys, count, TEXTOID, -1, false, TYPALIGN_INT));
}

static bool
has_serials(const PhLine *lines, int n)
{
	int			i;

	for (i = 0; i < n; i++)
	{
		if (!lines[i].nulls[LINE_SERIALS])
			return true;
	}
	return false;
}

/*
 * append_movements(event planthub.inbound, lines planthub.line[], changes planthub.stock_change[], posting_date date,
 * document text, order_no text, operation text, reason text, handling_unit text, reverses bigint) -> (brought text[],
 * serials boolean): writes movements and the entries of the stock ledger; changes: from stock_balances() for the same
 * lines, in this transaction.  Results: keys of the stock that has become more, and whether a line has serial numbers.
 */
Datum
planthub_append_movements(PG_FUNCTION_ARGS)
{
	TupleDesc	result = ph_result_descriptor(fcinfo);
	Datum		row[APPENDED_COLUMNS];
	bool		row_nulls[APPENDED_COLUMNS] = {0};
	PhInbound	event;
	int			nlines;
	PhLine	   *lines = ph_lines_argument(fcinfo, ARG_LINES, &nlines);
	int			n;
	Change	   *changes = ph_composites_argument(fcinfo, ARG_CHANGES, CHANGE_ATTRIBUTES, sizeof(Change), &n);

	ph_inbound_argument(fcinfo, ARG_EVENT, &event);
	require_changes(changes, n);
	append_movements(fcinfo, &event, lines, nlines);
	append_entries(&event, changes, n);
	row[APPENDED_BROUGHT] = brought_keys(&event, changes, n, &row_nulls[APPENDED_BROUGHT]);
	row[APPENDED_SERIALS] = BoolGetDatum(has_serials(lines, nlines));
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(result, row, row_nulls)));
}
