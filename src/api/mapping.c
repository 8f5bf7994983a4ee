/*
 * mapping.c
 *	  SQL functions around mappings.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "json/difference.h"
#include "json/mapping.h"
#include "json/merge_patch.h"
#include "json/reads.h"
#include "json/xref.h"
#include "pg/compat.h"

PG_FUNCTION_INFO_V1(planthub_map);
PG_FUNCTION_INFO_V1(planthub_map_explain);
PG_FUNCTION_INFO_V1(planthub_translate);
PG_FUNCTION_INFO_V1(planthub_mapping_describe);
PG_FUNCTION_INFO_V1(planthub_mapping_template);
PG_FUNCTION_INFO_V1(planthub_merge_patch);
PG_FUNCTION_INFO_V1(planthub_json_differences);

static Jsonb *
jsonb_of(const PhValue *value)
{
	return ph_value_to_jsonb(value, NULL);
}

static char *
error_text(const PhValue *error, const char *key)
{
	PhValue		value;

	if (!ph_value_member(error, key, strlen(key), &value) || value.type != PH_VALUE_STRING)
		return pstrdup("");
	return pnstrdup(value.u.string, value.length);
}

/* One line for each error: what, where in the output, from where in the input. */
static void
refuse_document(const PhMapping *mapping, Jsonb *errors)
{
	PhValue		list = ph_value_from_jsonb(errors);
	int			n = ph_value_count(&list);
	StringInfoData detail;
	PhIterator	iterator;
	PhMember	error;

	initStringInfo(&detail);
	ph_iterate(&iterator, &list);
	while (ph_iterate_next(&iterator, &error))
		appendStringInfo(&detail, "%s%s at \"%s\" from \"%s\": %s.", detail.len > 0 ? "\n" : "",
						 error_text(&error.value, "code"), error_text(&error.value, "at"),
						 error_text(&error.value, "input"), error_text(&error.value, "message"));
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg_plural("mapping \"%s\" found %d error in the document", "mapping \"%s\" found %d errors in the document",
						   n, mapping->id, n),
			 errdetail_internal("%s", detail.data),
			 errhint("See planthub.map_explain() for the places in the template.")));
}

/* map(mapping, document, site, env) */
Datum
planthub_map(PG_FUNCTION_ARGS)
{
	const PhMapping *mapping = ph_mapping_get(text_to_cstring(PG_GETARG_TEXT_PP(0)), text_to_cstring(PG_GETARG_TEXT_PP(2)));
	Jsonb	   *errors;
	Jsonb	   *output = ph_mapping_apply(mapping, PG_GETARG_JSONB_P(1), PG_GETARG_JSONB_P(3), &errors);

	if (output == NULL)
		refuse_document(mapping, errors);
	PG_RETURN_JSONB_P(output);
}

/* map_explain(mapping, document, site, env, xref) */
Datum
planthub_map_explain(PG_FUNCTION_ARGS)
{
	const PhMapping *mapping = ph_mapping_get(text_to_cstring(PG_GETARG_TEXT_PP(0)), text_to_cstring(PG_GETARG_TEXT_PP(2)));

	PG_RETURN_JSONB_P(ph_mapping_explain(mapping, PG_GETARG_JSONB_P(1), PG_GETARG_JSONB_P(3), PG_GETARG_JSONB_P(4)));
}

/* translate(mapping, document, site, env) -> (version, output, errors): one of the last two is null. */
Datum
planthub_translate(PG_FUNCTION_ARGS)
{
	const PhMapping *mapping = ph_mapping_get(text_to_cstring(PG_GETARG_TEXT_PP(0)), text_to_cstring(PG_GETARG_TEXT_PP(2)));
	TupleDesc	descriptor;
	Datum		values[3];
	bool		nulls[3] = {false};
	Jsonb	   *errors = NULL;
	Jsonb	   *output;

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "translate() must return a row");
	values[0] = CStringGetTextDatum(mapping->id);	/* the mapping may be gone after it was applied */
	output = ph_mapping_apply(mapping, PG_GETARG_JSONB_P(1), PG_GETARG_JSONB_P(3), &errors);
	nulls[1] = output == NULL;
	values[1] = JsonbPGetDatum(output);
	nulls[2] = output != NULL;
	values[2] = JsonbPGetDatum(errors);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, nulls)));
}

/* ---- describing ---- */

static PhValue
names_value(const PhNames *names)
{
	PhValue		list = ph_array_new(names->n);
	int			i;

	for (i = 0; i < names->n; i++)
	{
		PhValue		name = ph_value_text(names->list[i]);

		ph_array_append(&list, &name);
	}
	return list;
}

static void
describe(PhValue *report, const PhMapping *mapping)
{
	PhReads		reads;
	PhNames		uses = {0};
	PhValue		value;
	int			i;

	ph_xref_refresh();
	ph_reads_find(mapping, &reads);
	uses.list = palloc(mapping->nunits * sizeof(char *));
	for (i = 1; i < mapping->nunits; i++)
		uses.list[uses.n++] = mapping->units[i]->name;
	ph_object_put_text(report, "mapping", mapping->id);
	ph_object_put_text(report, "sha256", mapping->sha256);
	value = ph_problems_value(&reads.warnings);
	ph_object_put(report, "warnings", &value);
	value = names_value(&reads.fields);
	ph_object_put(report, "reads", &value);
	value = names_value(&uses);
	ph_object_put(report, "uses", &value);
	value = names_value(&reads.sets);
	ph_object_put(report, "xref", &value);
	value = names_value(&reads.functions);
	ph_object_put(report, "calls", &value);
}

/* mapping_describe(mapping, site) */
Datum
planthub_mapping_describe(PG_FUNCTION_ARGS)
{
	PhProblems	errors = {0};
	const PhMapping *mapping = ph_mapping_compile(text_to_cstring(PG_GETARG_TEXT_PP(0)),
												  text_to_cstring(PG_GETARG_TEXT_PP(1)), &errors);
	PhValue		report = ph_object_new(8);
	PhValue		value;

	if (mapping != NULL)
		describe(&report, mapping);
	else
	{
		value = ph_problems_value(&errors);
		ph_object_put(&report, "errors", &value);
	}
	ph_object_finish(&report);
	PG_RETURN_JSONB_P(jsonb_of(&report));
}

/* mapping_template(mapping, site) */
Datum
planthub_mapping_template(PG_FUNCTION_ARGS)
{
	PG_RETURN_JSONB_P(ph_mapping_template(text_to_cstring(PG_GETARG_TEXT_PP(0)), text_to_cstring(PG_GETARG_TEXT_PP(1))));
}

/* ---- documents ---- */

/* merge_patch(target, patch) */
Datum
planthub_merge_patch(PG_FUNCTION_ARGS)
{
	PhValue		target = ph_value_from_jsonb(PG_GETARG_JSONB_P(0));
	PhValue		patch = ph_value_from_jsonb(PG_GETARG_JSONB_P(1));
	PhValue		result = ph_merge_patch(&target, &patch);

	PG_RETURN_JSONB_P(jsonb_of(&result));
}

static void
put_difference(void *arg, const char *pointer, const PhValue *expected, const PhValue *actual)
{
	ReturnSetInfo *result = arg;
	Datum		values[3] = {CStringGetTextDatum(pointer), (Datum) 0, (Datum) 0};
	bool		nulls[3] = {false, expected == NULL, actual == NULL};

	if (expected != NULL)
		values[1] = JsonbPGetDatum(jsonb_of(expected));
	if (actual != NULL)
		values[2] = JsonbPGetDatum(jsonb_of(actual));
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

/* json_differences(expected, actual) */
Datum
planthub_json_differences(PG_FUNCTION_ARGS)
{
	PhValue		expected = ph_value_from_jsonb(PG_GETARG_JSONB_P(0));
	PhValue		actual = ph_value_from_jsonb(PG_GETARG_JSONB_P(1));

	InitMaterializedSRF(fcinfo, 0);
	ph_differences(&expected, &actual, put_difference, fcinfo->resultinfo);
	PG_RETURN_NULL();
}
