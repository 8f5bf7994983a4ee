/*
 * route.c
 *	  SQL functions around routes: checking a condition, and saying which routes take a message and why.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/tuplestore.h"

#include "api/expression.h"
#include "engine/condition.h"
#include "engine/config.h"
#include "engine/pattern.h"
#include "pg/compat.h"

PG_FUNCTION_INFO_V1(planthub_check_condition);
PG_FUNCTION_INFO_V1(planthub_route_explain);

/* What is said about one route. */
typedef struct Verdict
{
	bool		matches;
	const char *reason;
	const char *detail;			/* NULL: none */
	Jsonb	   *value;			/* of the condition; NULL: not evaluated */
} Verdict;

/* check_condition(condition): throws as jmespath() does. */
Datum
planthub_check_condition(PG_FUNCTION_ARGS)
{
	char	   *condition = text_to_cstring(PG_GETARG_TEXT_PP(0));
	PhError		error;

	if (ph_condition_compile(condition, &error) == NULL)
		ph_expression_throw(&error, condition);
	PG_RETURN_VOID();
}

static Verdict
refusal(const char *reason, const char *detail)
{
	Verdict		verdict = {false, reason, detail, NULL};

	return verdict;
}

static Verdict
judge_condition(const PhRoute *route, const PhConditionInput *input)
{
	Verdict		verdict = {true, "MATCH", NULL, NULL};
	PhValue		value;
	PhError		error;

	if (route->condition_text == NULL)
		return verdict;
	if (route->condition == NULL)
		return refusal("CONDITION_FAILED", route->condition_error);
	if (!ph_condition_evaluate(route->condition, input, &value, &error))
		return refusal("CONDITION_FAILED", ph_condition_error_text(&error));
	verdict.matches = ph_value_true(&value);
	verdict.value = ph_value_to_jsonb(&value, NULL);
	verdict.detail = route->condition_text;
	if (!verdict.matches)
		verdict.reason = "CONDITION_FALSE";
	return verdict;
}

static Verdict
judge(const PhRoute *route, const PhSubject *subject, const PhConditionInput *input)
{
	if (!ph_pattern_matches(route->topic_pattern, subject->topic))
		return refusal("TOPIC", psprintf("it takes topics like %s", route->topic_pattern));
	if (strcmp(route->site, "*") != 0 && strcmp(route->site, subject->site) != 0)
		return refusal("SITE", psprintf("it takes messages of site %s", route->site));
	if (!route->enabled)
		return refusal("DISABLED", NULL);
	return judge_condition(route, input);
}

static void
put_verdict(ReturnSetInfo *result, const PhConfig *config, const PhRoute *route, const Verdict *verdict)
{
	const PhLane *lane = ph_config_lane(config, route->lane);
	Datum		values[6];
	bool		nulls[6] = {false};

	values[0] = CStringGetTextDatum(route->code);
	nulls[1] = lane == NULL;
	if (lane != NULL)
		values[1] = CStringGetTextDatum(config->endpoints[lane->endpoint].code);
	values[2] = BoolGetDatum(verdict->matches);
	values[3] = CStringGetTextDatum(verdict->reason);
	nulls[4] = verdict->detail == NULL;
	if (verdict->detail != NULL)
		values[4] = CStringGetTextDatum(verdict->detail);
	nulls[5] = verdict->value == NULL;
	if (verdict->value != NULL)
		values[5] = JsonbPGetDatum(verdict->value);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static text *
text_argument(FunctionCallInfo fcinfo, int number)
{
	return PG_ARGISNULL(number) ? NULL : PG_GETARG_TEXT_PP(number);
}

/*
 * route_explain(topic, site, data, key, subject, source, event_id, correlation_id, attributes): throws as publish()
 * does for a topic or site that does not exist.
 */
Datum
planthub_route_explain(PG_FUNCTION_ARGS)
{
	const PhConfig *config = ph_config_get();
	PhSubject	subject = {0};
	PhConditionInput input;
	int			i;

	for (i = 0; i < 3; i++)
	{
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument \"%s\" must not be null", i == 0 ? "topic" : i == 1 ? "site" : "data")));
	}
	subject.topic = text_to_cstring(PG_GETARG_TEXT_PP(0));
	subject.site = text_to_cstring(PG_GETARG_TEXT_PP(1));
	subject.data = PG_GETARG_DATUM(2);
	subject.key = text_argument(fcinfo, 3);
	subject.subject = text_argument(fcinfo, 4);
	subject.source = text_argument(fcinfo, 5);
	subject.event_id = text_argument(fcinfo, 6);
	subject.correlation_id = text_argument(fcinfo, 7);
	subject.attributes = PG_ARGISNULL(8) ? 0 : PG_GETARG_DATUM(8);
	(void) ph_config_require_topic(config, subject.topic);
	ph_config_require_site(config, subject.site);

	InitMaterializedSRF(fcinfo, 0);
	ph_condition_prepare(&subject, &input);
	for (i = 0; i < config->nroutes; i++)
	{
		Verdict		verdict = judge(&config->routes[i], &subject, &input);

		put_verdict((ReturnSetInfo *) fcinfo->resultinfo, config, &config->routes[i], &verdict);
	}
	return (Datum) 0;
}
