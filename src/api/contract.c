/*
 * contract.c
 *	  SQL functions around JSON Schema and contracts.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#include "engine/contract.h"
#include "pg/compat.h"

#define MOST_VIOLATIONS		10000

PG_FUNCTION_INFO_V1(planthub_json_schema_errors);
PG_FUNCTION_INFO_V1(planthub_json_schema_valid);
PG_FUNCTION_INFO_V1(planthub_check_json_schema);
PG_FUNCTION_INFO_V1(planthub_contract_violations);

static void
require_argument(FunctionCallInfo fcinfo, int number, const char *name)
{
	if (PG_ARGISNULL(number))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name)));
}

static int
limit_argument(FunctionCallInfo fcinfo, int number, const char *name)
{
	int			limit;

	require_argument(fcinfo, number, name);
	limit = PG_GETARG_INT32(number);
	if (limit < 1 || limit > MOST_VIOLATIONS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must be from 1 to %d", name, MOST_VIOLATIONS)));
	return limit;
}

static void
require_result(PhSchemaResult result)
{
	if (result == PH_SCHEMA_LIMIT)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("could not check the document against the JSON schema"),
				 errdetail("The document is too deep, or takes too much work to check."),
				 errhint("Simplify the document or the schema, which may refer to itself without end or multiply its alternatives.")));
}

static Datum
jsonb_or_null(bool present, const PhValue *value, bool *isnull)
{
	*isnull = !present;
	return present ? JsonbPGetDatum(ph_value_to_jsonb(value, NULL)) : (Datum) 0;
}

/*
 * json_schema_errors(schema, instance, assert_format, max_errors): one row for every violation; none: it is valid.
 * Throws 22023 for a broken schema and 54000 when the limits of evaluation are reached.
 */
Datum
planthub_json_schema_errors(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *set = (ReturnSetInfo *) fcinfo->resultinfo;
	const PhSchema *schema;
	PhViolations violations;
	PhValue		instance;
	int			limit;
	int			i;

	require_argument(fcinfo, 0, "schema");
	require_argument(fcinfo, 1, "instance");
	require_argument(fcinfo, 2, "assert_format");
	limit = limit_argument(fcinfo, 3, "max_errors");
	InitMaterializedSRF(fcinfo, 0);
	schema = ph_contract_schema(PG_GETARG_JSONB_P(0), PG_GETARG_BOOL(2));
	instance = ph_value_from_jsonb(PG_GETARG_JSONB_P(1));
	require_result(ph_schema_violations(schema, &instance, limit, &violations));
	for (i = 0; i < violations.n; i++)
	{
		const PhViolation *violation = &violations.items[i];
		Datum		values[7];
		bool		nulls[7] = {false};

		values[0] = CStringGetTextDatum(violation->instance);
		values[1] = CStringGetTextDatum(violation->keyword);
		values[2] = CStringGetTextDatum(violation->message);
		values[3] = CStringGetTextDatum(violation->place);
		nulls[4] = violation->absolute == NULL;
		values[4] = nulls[4] ? (Datum) 0 : CStringGetTextDatum(violation->absolute);
		values[5] = jsonb_or_null(violation->has_expected, &violation->expected, &nulls[5]);
		values[6] = jsonb_or_null(violation->has_found, &violation->found, &nulls[6]);
		tuplestore_putvalues(set->setResult, set->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* json_schema_valid(schema, instance, assert_format); strict.  Throws as json_schema_errors(). */
Datum
planthub_json_schema_valid(PG_FUNCTION_ARGS)
{
	const PhSchema *schema = ph_contract_schema(PG_GETARG_JSONB_P(0), PG_GETARG_BOOL(2));
	PhValue		instance = ph_value_from_jsonb(PG_GETARG_JSONB_P(1));
	PhSchemaResult result = ph_schema_check(schema, &instance);

	require_result(result);
	PG_RETURN_BOOL(result == PH_SCHEMA_VALID);
}

/* check_json_schema(schema): throws 22023 with the place when it is broken; strict. */
Datum
planthub_check_json_schema(PG_FUNCTION_ARGS)
{
	(void) ph_contract_schema(PG_GETARG_JSONB_P(0), false);
	PG_RETURN_VOID();
}

/*
 * contract_violations(topic, version, data, max_violations, prefix): an array, empty when the data meet the contract.
 * Throws 42704 for a version that does not exist, 55000 for one that is no longer or not yet accepted.
 */
Datum
planthub_contract_violations(PG_FUNCTION_ARGS)
{
	const PhContract *contract;
	char	   *topic;
	Jsonb	   *violations;
	int			limit;
	int			version;

	require_argument(fcinfo, 0, "topic");
	require_argument(fcinfo, 1, "version");
	require_argument(fcinfo, 2, "data");
	limit = limit_argument(fcinfo, 3, "max_violations");
	require_argument(fcinfo, 4, "prefix");
	topic = text_to_cstring(PG_GETARG_TEXT_PP(0));
	version = PG_GETARG_INT32(1);
	contract = ph_contract_find(topic, version);
	if (contract == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("version %d of the contract of topic \"%s\" does not exist", version, topic),
				 errhint("Look in the table planthub.contract, or register it with planthub.register_contract().")));
	if (!ph_contract_accepted(contract))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("version %d of the contract of topic \"%s\" is not in force", version, topic),
				 errdetail("It is a draft, retired, or past its sunset."),
				 errhint("Look in the table planthub.contract for the versions that are active or deprecated.")));
	violations = ph_contract_violations(contract, PG_GETARG_DATUM(2), limit, text_to_cstring(PG_GETARG_TEXT_PP(4)));
	if (violations == NULL)
	{
		PhValue		none = ph_array_new(0);

		violations = ph_value_to_jsonb(&none, NULL);
	}
	PG_RETURN_JSONB_P(violations);
}
