/*
 * lint.c
 *	  SQL functions that say what lint compares with contracts.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "api/expression.h"
#include "engine/condition.h"
#include "json/reads.h"
#include "json/writes.h"
#include "json/xref.h"

PG_FUNCTION_INFO_V1(planthub_mapping_outline);
PG_FUNCTION_INFO_V1(planthub_condition_outline);

static PhValue
reads_value(const PhReads *reads)
{
	PhValue		report = ph_object_new(3);
	PhValue		warnings = ph_problems_value(&reads->warnings);

	ph_object_put(&report, "warnings", &warnings);
	ph_object_put(&report, "reads", &reads->places);
	ph_object_put(&report, "assumptions", &reads->assumptions);
	return report;
}

static Datum
finish(PhValue *report)
{
	ph_object_finish(report);
	return JsonbPGetDatum(ph_value_to_jsonb(report, NULL));
}

/* mapping_outline(mapping, site); null: it cannot be compiled. */
Datum
planthub_mapping_outline(PG_FUNCTION_ARGS)
{
	PhProblems	errors = {0};
	const PhMapping *mapping = ph_mapping_compile(text_to_cstring(PG_GETARG_TEXT_PP(0)),
												  text_to_cstring(PG_GETARG_TEXT_PP(1)), &errors);
	PhReads		reads;
	PhValue		report;
	PhValue		writes;

	if (mapping == NULL)
		PG_RETURN_NULL();
	ph_xref_refresh();
	ph_reads_find(mapping, &reads);
	report = reads_value(&reads);
	writes = ph_writes_find(mapping);
	ph_object_put(&report, "writes", &writes);
	ph_object_put(&report, "extra", &mapping->unit->options.extra);
	return finish(&report);
}

/* condition_outline(condition): throws as check_condition() does. */
Datum
planthub_condition_outline(PG_FUNCTION_ARGS)
{
	char	   *condition = text_to_cstring(PG_GETARG_TEXT_PP(0));
	PhError		error;
	const PhExpression *expression = ph_condition_compile(condition, &error);
	PhReads		reads;
	PhValue		report;

	if (expression == NULL)
		ph_expression_throw(&error, condition);
	ph_reads_of_expression(expression, &reads);
	report = reads_value(&reads);
	return finish(&report);
}
