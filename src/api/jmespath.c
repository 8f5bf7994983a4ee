/*
 * jmespath.c
 *	  SQL functions planthub.jmespath() and planthub.jmespath_explain().
 *
 * Compiled expressions are kept in a table of fixed size, one for each value of a hash of their text; another text with
 * the same value takes the place.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "api/expression.h"
#include "json/jmespath.h"
#include "pg/compat.h"

#define CACHE_SLOTS		256
#define CACHE_TEXT_MAX	4096	/* bytes; longer expressions are compiled each time */

typedef struct Slot
{
	MemoryContext context;		/* NULL: free */
	const PhExpression *expression;
	int			length;
} Slot;

static Slot slots[CACHE_SLOTS];

PG_FUNCTION_INFO_V1(planthub_jmespath);
PG_FUNCTION_INFO_V1(planthub_jmespath_explain);

static const PhExpression *
compile(const char *text, int length)
{
	PhError		error;
	const PhExpression *expression = ph_jmespath_compile(text, length, &error);

	if (expression == NULL)
		ph_expression_throw(&error, pnstrdup(text, length));
	return expression;
}

/* Nothing is put into the slot before the expression is good. */
static const PhExpression *
compile_into(Slot *slot, const char *text, int length)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "PlantHub expression", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	const PhExpression *expression = compile(text, length);

	MemoryContextSwitchTo(old);
	if (slot->context != NULL)
		MemoryContextDelete(slot->context);
	MemoryContextSetParent(context, CacheMemoryContext);
	slot->context = context;
	slot->expression = expression;
	slot->length = length;
	return expression;
}

static const PhExpression *
find(const char *text, int length)
{
	Slot	   *slot = &slots[hash_bytes((const unsigned char *) text, length) % CACHE_SLOTS];

	if (length > CACHE_TEXT_MAX)
		return compile(text, length);
	if (slot->context != NULL && slot->length == length &&
		memcmp(ph_jmespath_text(slot->expression), text, length) == 0)
		return slot->expression;
	return compile_into(slot, text, length);
}

/* jmespath(expression, document): JSON null is the jsonb null. */
Datum
planthub_jmespath(PG_FUNCTION_ARGS)
{
	text	   *source = PG_GETARG_TEXT_PP(0);
	Jsonb	   *document = PG_GETARG_JSONB_P(1);
	const PhExpression *expression = find(VARDATA_ANY(source), VARSIZE_ANY_EXHDR(source));
	PhEvaluation evaluation = {.visits = PH_VISITS_DEFAULT};
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "PlantHub evaluation", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	const PhError too_large = {PH_CODE_BUDGET, "result of the expression is too large", NULL, 1};
	PhValue		value;
	Jsonb	   *result;

	evaluation.root = ph_value_from_jsonb(document);
	if (!ph_jmespath_evaluate(expression, &evaluation, &evaluation.root, &value))
		ph_expression_throw(&evaluation.error, ph_jmespath_text(expression));
	MemoryContextSwitchTo(old);
	result = ph_value_to_jsonb(&value, &evaluation.visits);
	if (result == NULL)
		ph_expression_throw(&too_large, ph_jmespath_text(expression));
	MemoryContextDelete(scratch);
	PG_RETURN_JSONB_P(result);
}

static void
put_row(ReturnSetInfo *result, const char *kind, const char *name, int column)
{
	Datum		values[] = {CStringGetTextDatum(kind), CStringGetTextDatum(name), Int32GetDatum(column)};
	bool		nulls[lengthof(values)] = {false};

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* jmespath_explain(expression) */
Datum
planthub_jmespath_explain(PG_FUNCTION_ARGS)
{
	static const char *const kinds[] = {"field", "variable", "function", "xref"};
	text	   *source = PG_GETARG_TEXT_PP(0);
	const PhExpression *expression = compile(VARDATA_ANY(source), VARSIZE_ANY_EXHDR(source));
	const PhUse *use;
	const PhWarning *warning;

	InitMaterializedSRF(fcinfo, 0);
	for (use = ph_jmespath_uses(expression); use != NULL; use = use->next)
		put_row((ReturnSetInfo *) fcinfo->resultinfo, kinds[use->kind], use->name, use->column);
	for (warning = ph_jmespath_warnings(expression); warning != NULL; warning = warning->next)
		put_row((ReturnSetInfo *) fcinfo->resultinfo, "warning", psprintf("%s: %s", warning->code, warning->message),
				warning->column);
	return (Datum) 0;
}
