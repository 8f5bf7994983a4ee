/*
 * addition.c
 *	  What effects add to the message that is published for an event: the movements that it led to.
 *
 * Who posts a confirmation needs them: the hub takes some components itself, and an ERP that is told of movements takes
 * nothing on its own.  They are kept from the effect until the message is published, in the same transaction.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "api/addition.h"
#include "api/line.h"

PG_FUNCTION_INFO_V1(planthub_add_movements);

static int64 added_to = 0;		/* message */
static FullTransactionId added_in;	/* transaction; what another one left is gone */
static Jsonb *addition = NULL;	/* in TopTransactionContext */

static void
push_key(JsonbParseState **state, const char *name)
{
	JsonbValue	key = {.type = jbvString, .val.string = {.len = (int) strlen(name), .val = unconstify(char *, name)}};

	(void) pushJsonbValue(state, WJB_KEY, &key);
}

/* Absent and empty texts are left out. */
static void
push_text(JsonbParseState **state, const char *name, Datum value, bool isnull)
{
	JsonbValue	text_value = {.type = jbvString};
	text	   *content;

	if (isnull)
		return;
	content = DatumGetTextPP(value);
	if (VARSIZE_ANY_EXHDR(content) == 0)
		return;
	push_key(state, name);
	text_value.val.string.val = VARDATA_ANY(content);
	text_value.val.string.len = VARSIZE_ANY_EXHDR(content);
	(void) pushJsonbValue(state, WJB_VALUE, &text_value);
}

static void
push_quantity(JsonbParseState **state, const char *name, const PhLine *line, int qty, int uom)
{
	char	   *digits;

	if (line->nulls[qty])
		return;
	digits = DatumGetCString(DirectFunctionCall1(numeric_out, DirectFunctionCall1(numeric_trim_scale, line->values[qty])));
	push_key(state, name);
	(void) pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	push_text(state, "value", CStringGetTextDatum(digits), false);
	push_text(state, "uom", line->values[uom], line->nulls[uom]);
	(void) pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

static void
push_line(JsonbParseState **state, const PhLine *line)
{
	const Datum *values = line->values;
	const bool *nulls = line->nulls;

	(void) pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	push_text(state, "kind", values[LINE_KIND], nulls[LINE_KIND]);
	push_text(state, "item", values[LINE_ITEM], nulls[LINE_ITEM]);
	push_text(state, "lot", values[LINE_LOT], nulls[LINE_LOT]);
	push_text(state, "from", values[LINE_FROM], nulls[LINE_FROM]);
	push_text(state, "to", values[LINE_TO], nulls[LINE_TO]);
	push_text(state, "component_line", values[LINE_COMPONENT], nulls[LINE_COMPONENT]);
	push_quantity(state, "qty", line, LINE_QTY, LINE_UOM);
	push_quantity(state, "base_qty", line, LINE_BASE_QTY, LINE_BASE_UOM);
	(void) pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

/* add_movements(message_id bigint, lines planthub.line[], posting_date date) -> true; lines null: there are none. */
Datum
planthub_add_movements(PG_FUNCTION_ARGS)
{
	JsonbParseState *state = NULL;
	int			n;
	PhLine	   *lines = ph_lines_argument(fcinfo, 1, &n);
	int			i;
	MemoryContext old;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_key(&state, "movements");
	(void) pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (i = 0; i < n; i++)
		push_line(&state, &lines[i]);
	(void) pushJsonbValue(&state, WJB_END_ARRAY, NULL);
	if (!PG_ARGISNULL(2))
		push_text(&state, "posting_date", CStringGetTextDatum(DatumGetCString(DirectFunctionCall1(date_out, PG_GETARG_DATUM(2)))), false);
	old = MemoryContextSwitchTo(TopTransactionContext);
	addition = JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
	MemoryContextSwitchTo(old);
	added_to = PG_GETARG_INT64(0);
	added_in = GetTopFullTransactionId();
	PG_RETURN_BOOL(true);
}

Datum
ph_addition_apply(int64 message_id, Datum data)
{
	Datum		result = data;

	if (added_to == message_id && FullTransactionIdEquals(added_in, GetTopFullTransactionIdIfAny()))
	{
		result = DirectFunctionCall2(jsonb_concat, data, JsonbPGetDatum(addition));
		pfree(addition);
	}
	added_to = 0;
	addition = NULL;
	return result;
}
