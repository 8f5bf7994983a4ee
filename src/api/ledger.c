/*
 * ledger.c
 *	  SQL functions of the hot path of orders: entries of the ledger of an order, for what lines issue, put out or
 *	  receive.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "api/line.h"
#include "pg/insert.h"
#include "pg/search.h"

PG_FUNCTION_INFO_V1(planthub_order_entries);
PG_FUNCTION_INFO_V1(planthub_write_order_entries);

enum
{
	ARG_EVENT, ARG_ORDER, ARG_LINES, ARG_SIGN
};

enum
{
	RESULT_ENTRIES, RESULT_DOUBTFUL,
	RESULT_COLUMNS
};

/* Columns of planthub.order_ledger, in order. */
enum
{
	ENTRY_SITE, ENTRY_ORDER, ENTRY_ACCOUNT, ENTRY_SEQ, ENTRY_MESSAGE_ID, ENTRY_DELTA, ENTRY_TOTAL,
	ENTRY_COLUMNS
};

/* An entry, with what is asked about its component. */
typedef struct Entry
{
	Datum		values[ENTRY_COLUMNS];
	bool		nulls[ENTRY_COLUMNS];
	bool		is_issue;
	bool		is_odd;			/* it cannot be backflushed, or is backflushed by somebody else */
	bool		has_limit;
	Datum		limit;			/* what the component requires */
} Entry;

enum
{
	LEDGER_SEQ, LEDGER_TOTAL
};

static const char *const ledger_columns[] = {"seq", "total", NULL};

static bool
is_issue(Datum account)
{
	text	   *name = DatumGetTextPP(account);

	return VARSIZE_ANY_EXHDR(name) >= 7 && memcmp(VARDATA_ANY(name), "issued/", 7) == 0;
}

static bool
less(Datum left, Datum right)
{
	return DatumGetBool(DirectFunctionCall2(numeric_lt, left, right));
}

/* What one line adds to its account. */
static void
start_entry(Entry *entry, const PhLine *line, bool negative)
{
	bool		no_lot = line->nulls[LINE_LOT] || VARSIZE_ANY_EXHDR(DatumGetTextPP(line->values[LINE_LOT])) == 0;

	if (line->nulls[LINE_BASE_QTY])
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("a line for an order needs a quantity")));
	memset(entry, 0, sizeof(*entry));
	entry->values[ENTRY_ACCOUNT] = line->values[LINE_ACCOUNT];
	entry->values[ENTRY_DELTA] = negative ? DirectFunctionCall1(numeric_uminus, line->values[LINE_BASE_QTY]) :
		line->values[LINE_BASE_QTY];
	entry->is_issue = is_issue(line->values[LINE_ACCOUNT]);
	entry->is_odd = line->nulls[LINE_FROM] ||
		(no_lot && !line->nulls[LINE_LOT_CONTROLLED] && DatumGetBool(line->values[LINE_LOT_CONTROLLED]));
	entry->has_limit = !line->nulls[LINE_ACCOUNT_TOTAL];
	entry->limit = line->values[LINE_ACCOUNT_TOTAL];
}

static void
merge_entry(Entry *entry, const Entry *other)
{
	entry->values[ENTRY_DELTA] = DirectFunctionCall2(numeric_add, entry->values[ENTRY_DELTA], other->values[ENTRY_DELTA]);
	entry->is_odd |= other->is_odd;
	if (other->has_limit && (!entry->has_limit || less(other->limit, entry->limit)))
		entry->limit = other->limit;
	entry->has_limit |= other->has_limit;
}

static int
compare_entries(const void *a, const void *b)
{
	return ph_text_compare(((const Entry *) a)->values[ENTRY_ACCOUNT], ((const Entry *) b)->values[ENTRY_ACCOUNT]);
}

/* One entry for each account; *n: how many. */
static Entry *
collect_entries(const PhLine *lines, int nlines, bool negative, int *n)
{
	Entry	   *entries = MemoryContextAllocHuge(CurrentMemoryContext, Max(nlines, 1) * sizeof(Entry));
	int			count = 0;
	int			i;

	for (i = 0; i < nlines; i++)
	{
		if (!lines[i].nulls[LINE_ACCOUNT])
			start_entry(&entries[count++], &lines[i], negative);
	}
	qsort(entries, count, sizeof(Entry), compare_entries);
	*n = 0;
	for (i = 0; i < count; i++)
	{
		if (*n > 0 && compare_entries(&entries[*n - 1], &entries[i]) == 0)
			merge_entry(&entries[*n - 1], &entries[i]);
		else
			entries[(*n)++] = entries[i];
	}
	return entries;
}

static void
fill_entry(PhSearch *ledger, const PhInbound *event, Datum order_no, Entry *entry)
{
	Datum		keys[] = {event->values[EVENT_SITE], order_no, entry->values[ENTRY_ACCOUNT]};
	int32		seq = 0;
	bool		isnull;

	entry->values[ENTRY_SITE] = event->values[EVENT_SITE];
	entry->values[ENTRY_ORDER] = order_no;
	entry->values[ENTRY_MESSAGE_ID] = event->values[EVENT_ID];
	entry->values[ENTRY_TOTAL] = entry->values[ENTRY_DELTA];
	if (ph_search_last(ledger, keys))
	{
		seq = DatumGetInt32(ph_search_value(ledger, LEDGER_SEQ, &isnull));
		entry->values[ENTRY_TOTAL] = DirectFunctionCall2(numeric_add, ph_search_value(ledger, LEDGER_TOTAL, &isnull),
														 entry->values[ENTRY_DELTA]);
	}
	entry->values[ENTRY_SEQ] = Int32GetDatum(seq + 1);
}

/* How many times what is required may be issued, by the policy of the site; false: there is no limit. */
static bool
issue_factor(const PhInbound *event, Datum *factor)
{
	Datum		value;
	Datum		percent;

	if (event->nulls[EVENT_POLICIES] ||
		!ph_member_text(&DatumGetJsonbP(event->values[EVENT_POLICIES])->root, "over_issue_tolerance_pct", &value))
		return false;
	percent = DirectFunctionCall3(numeric_in, CStringGetDatum(TextDatumGetCString(value)),
								  ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	*factor = DirectFunctionCall2(numeric_add, DirectFunctionCall1(int4_numeric, Int32GetDatum(1)),
								  DirectFunctionCall2(numeric_div, percent,
													  DirectFunctionCall1(int4_numeric, Int32GetDatum(100))));
	return true;
}

/* Whether there may be something wrong with what is issued for the component. */
static bool
is_doubtful(const Entry *entry, bool has_factor, Datum factor)
{
	if (!entry->is_issue)
		return false;
	return entry->is_odd || !entry->has_limit ||
		less(entry->limit, DirectFunctionCall1(int4_numeric, Int32GetDatum(0))) ||
		(has_factor && less(DirectFunctionCall2(numeric_mul, entry->limit, factor), entry->values[ENTRY_TOTAL]));
}

/*
 * order_entries(event planthub.inbound, order_no text, lines planthub.line[], sign int) -> (entries
 * planthub.order_ledger[], doubtful boolean): entries of the ledger of an order for lines that have an account; sign -1:
 * taken back; whether components have to be looked at, see component_violations().
 */
Datum
planthub_order_entries(PG_FUNCTION_ARGS)
{
	TupleDesc	result = ph_result_descriptor(fcinfo);
	Datum		row[RESULT_COLUMNS] = {0};
	bool		row_nulls[RESULT_COLUMNS] = {0};
	PhInbound	event;
	int			nlines;
	PhLine	   *lines = ph_lines_argument(fcinfo, ARG_LINES, &nlines);
	int			n = 0;
	Entry	   *entries = collect_entries(lines, nlines, PG_GETARG_INT32(ARG_SIGN) < 0, &n);
	PhSearch   *ledger;
	Datum		factor = (Datum) 0;
	bool		has_factor;
	bool		doubtful = false;
	int			i;

	ph_inbound_argument(fcinfo, ARG_EVENT, &event);
	if (n > 0)
		ph_require_arguments(fcinfo, ARG_ORDER, ARG_ORDER);
	ledger = ph_search_open("order_ledger", "order_ledger_pkey", 3, ledger_columns, NULL);
	has_factor = issue_factor(&event, &factor);
	for (i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		fill_entry(ledger, &event, PG_GETARG_DATUM(ARG_ORDER), &entries[i]);
		doubtful |= is_doubtful(&entries[i], has_factor, factor);
	}
	ph_search_close(ledger);
	row[RESULT_ENTRIES] = ph_composite_array(TupleDescAttr(result, RESULT_ENTRIES)->atttypid, n, ENTRY_COLUMNS, entries,
											 sizeof(Entry));
	row_nulls[RESULT_ENTRIES] = n == 0;
	row[RESULT_DOUBTFUL] = BoolGetDatum(doubtful);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(result, row, row_nulls)));
}

/* write_order_entries(entries planthub.order_ledger[]) -> true */
Datum
planthub_write_order_entries(PG_FUNCTION_ARGS)
{
	int			n;
	Entry	   *entries = ph_composites_argument(fcinfo, 0, ENTRY_COLUMNS, sizeof(Entry), &n);
	PhInsert   *insert = ph_insert_open("order_ledger", ENTRY_COLUMNS);
	int			i;

	for (i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		ph_insert_row(insert, entries[i].values, entries[i].nulls);
	}
	ph_insert_close(insert);
	PG_RETURN_BOOL(true);
}
