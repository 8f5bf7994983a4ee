/*
 * outcome.c
 *	  SQL functions around outcome rules: checking an expression, and saying what an answer means.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "api/expression.h"
#include "connector/retry_after.h"
#include "engine/config.h"

PG_FUNCTION_INFO_V1(planthub_check_outcome_expression);
PG_FUNCTION_INFO_V1(planthub_outcome_explain);

/* check_outcome_expression(expression): throws as jmespath() does. */
Datum
planthub_check_outcome_expression(PG_FUNCTION_ARGS)
{
	char	   *expression = text_to_cstring(PG_GETARG_TEXT_PP(0));
	PhError		error = {0};

	if (ph_outcome_rule_compile(expression, &error) == NULL)
		ph_expression_throw(&error, expression);
	PG_RETURN_VOID();
}

/* {"Retry-After": "5"} as the lines that a connector hears. */
static void
append_headers(StringInfo lines, Jsonb *headers)
{
	PhValue		object = ph_value_from_jsonb(headers);
	PhIterator	iterator;
	PhMember	member;

	if (ph_value_kind(&object) != PH_KIND_OBJECT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("headers must be a JSON object of texts"),
				 errhint("Give them as {\"Retry-After\": \"5\"}.")));
	ph_iterate(&iterator, &object);
	while (ph_iterate_next(&iterator, &member))
	{
		if (ph_value_kind(&member.value) == PH_KIND_STRING)
			appendStringInfo(lines, "%.*s: %.*s\r\n", member.length, member.key, member.value.length,
							 member.value.u.string);
	}
}

static void
hear_retry_after(PhResult *result, Jsonb *headers)
{
	PhValue		object = ph_value_from_jsonb(headers);
	PhIterator	iterator;
	PhMember	member;

	ph_iterate(&iterator, &object);
	while (ph_iterate_next(&iterator, &member))
	{
		if (member.length == strlen("Retry-After") && pg_strncasecmp(member.key, "Retry-After", member.length) == 0 &&
			ph_value_kind(&member.value) == PH_KIND_STRING)
			result->retry_after_s = ph_retry_after_parse(pnstrdup(member.value.u.string, member.value.length),
														 (int64_t) time(NULL));
	}
}

static void
read_answer(FunctionCallInfo fcinfo, PhAnswer *answer, PhResult *result)
{
	char	   *body = PG_ARGISNULL(2) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(2));
	StringInfoData lines;

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", "status")));
	initStringInfo(&lines);
	result->retry_after_s = -1;
	if (!PG_ARGISNULL(3))
	{
		append_headers(&lines, PG_GETARG_JSONB_P(3));
		hear_retry_after(result, PG_GETARG_JSONB_P(3));
	}
	answer->status = result->status = PG_GETARG_INT32(1);
	answer->body = pg_server_to_any(body, (int) strlen(body), PG_UTF8);
	answer->body_len = strlen(answer->body);
	answer->headers = pg_server_to_any(lines.data, lines.len, PG_UTF8);
	answer->headers_len = strlen(answer->headers);
}

static void
judge(const char *set, const PhAnswer *answer, PhJudgement *judgement)
{
	int			nrules;
	const PhOutcomeRule *rules = ph_config_compile_rules(ph_config_get(), set, &nrules);

	if (nrules == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("outcome set \"%s\" has no rules", set),
				 errhint("Add them with planthub.set_outcome_rule(), or look in the table planthub.outcome_rule.")));
	ph_outcome_judge(rules, nrules, answer, judgement);
}

/*
 * outcome_explain(set, status, body, headers): outcome, reason, retry_after, position, error.  Throws 42704 for a set
 * without rules.
 */
Datum
planthub_outcome_explain(PG_FUNCTION_ARGS)
{
	PhAnswer	answer;
	PhResult	result = {0};
	PhJudgement judgement = {.retry_after_s = -1};
	TupleDesc	columns;
	Datum		values[5] = {0};
	bool		nulls[5];

	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	read_answer(fcinfo, &answer, &result);
	if (!PG_ARGISNULL(0))
		judge(text_to_cstring(PG_GETARG_TEXT_PP(0)), &answer, &judgement);
	if (!judgement.decided)
		judgement.outcome = ph_outcome_classify(&result);
	if (judgement.retry_after_s < 0)
		judgement.retry_after_s = result.retry_after_s;

	nulls[0] = false;
	values[0] = CStringGetTextDatum(ph_outcome_name(judgement.outcome));
	nulls[1] = judgement.reason == NULL;
	values[1] = nulls[1] ? (Datum) 0 : CStringGetTextDatum(judgement.reason);
	nulls[2] = judgement.retry_after_s < 0;
	values[2] = Int32GetDatum((int32) judgement.retry_after_s);
	nulls[3] = !judgement.decided;
	values[3] = Int32GetDatum(judgement.position);
	nulls[4] = judgement.fault == NULL;
	values[4] = nulls[4] ? (Datum) 0 : CStringGetTextDatum(judgement.fault);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns), values, nulls)));
}
