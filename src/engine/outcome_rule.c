/*
 * outcome_rule.c
 *	  Rules of an endpoint that say what an answer means.
 *
 * Answers come from outside in any form, so a rule whose expression does not fit one (a text where it wants a number)
 * is passed over and told, and the next one has its turn: an answer never gets lost by a rule.
 */
#include "postgres.h"

#include <math.h>

#include "utils/builtins.h"
#include "utils/numeric.h"

#include "engine/condition.h"
#include "engine/outcome_rule.h"

#define RULE_VISITS		100000
#define MAX_RETRY_AFTER	86400	/* seconds: as for Retry-After */

static bool
is_known(const char *field, const char *const *members)
{
	size_t		length = strcspn(field, ".[");

	for (; *members != NULL; members++)
	{
		if (strlen(*members) == length && memcmp(*members, field, length) == 0)
			return true;
	}
	return false;
}

static const char *
members_hint(const char *const *members)
{
	StringInfoData hint;
	int			i;

	initStringInfo(&hint);
	appendStringInfoString(&hint, "The expression sees the members ");
	for (i = 0; members[i] != NULL; i++)
		appendStringInfo(&hint, "%s%s", i == 0 ? "" : members[i + 1] == NULL ? " and " : ", ", members[i]);
	appendStringInfoChar(&hint, '.');
	return hint.data;
}

const PhExpression *
ph_members_compile(const char *text, const char *const *members, PhError *error)
{
	const PhExpression *expression = ph_condition_compile(text, error);
	const PhUse *use = expression == NULL ? NULL : ph_jmespath_uses(expression);

	for (; use != NULL; use = use->next)
	{
		bool		field = use->kind == PH_USE_FIELD && (use->name[0] == '@' || use->name[0] == '$') && use->name[1] == '.';

		if (use->kind != PH_USE_VARIABLE && (!field || is_known(use->name + 2, members)))
			continue;
		error->code = PH_CODE_UNDEFINED_VARIABLE;
		error->column = use->column;
		error->hint = members_hint(members);
		error->message = field ? psprintf("there is no member \"%s\"", use->name + 2) :
			psprintf("variable \"$%s\" is not defined", use->name);
		return NULL;
	}
	return expression;
}

const PhExpression *
ph_outcome_rule_compile(const char *text, PhError *error)
{
	static const char *const members[] = {"status", "headers", "body", NULL};

	return ph_members_compile(text, members, error);
}

static bool
evaluate(const PhExpression *expression, const PhValue *answer, PhValue *value, PhJudgement *judgement,
		 const PhOutcomeRule *rule)
{
	PhEvaluation evaluation = {.root = *answer,.visits = RULE_VISITS};

	if (ph_jmespath_evaluate(expression, &evaluation, answer, value))
		return true;
	if (judgement->fault == NULL)
		judgement->fault = psprintf("outcome rule %d of \"%s\", column %d: %s (%s)", rule->position, rule->set,
									evaluation.error.column, evaluation.error.message, evaluation.error.code);
	return false;
}

/* A number of seconds from 0; anything else says nothing. */
static long
seconds_of(const PhValue *value)
{
	double		seconds;

	if (ph_value_kind(value) != PH_KIND_NUMBER)
		return -1;
	seconds = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(value->u.number)));
	return seconds >= 0 ? (long) ceil(Min(seconds, MAX_RETRY_AFTER)) : -1;
}

static void
decide(const PhOutcomeRule *rule, const PhValue *answer, PhJudgement *judgement)
{
	PhValue		value;

	judgement->decided = true;
	judgement->position = rule->position;
	judgement->outcome = rule->outcome;
	judgement->reason = rule->reason;
	if (rule->retry_after != NULL && evaluate(rule->retry_after, answer, &value, judgement, rule))
		judgement->retry_after_s = seconds_of(&value);
}

void
ph_outcome_judge(const PhOutcomeRule *rules, int nrules, const PhAnswer *answer, PhJudgement *judgement)
{
	PhValue		object = ph_object_new(3);
	int			i;

	judgement->decided = false;
	judgement->reason = judgement->fault = NULL;
	judgement->retry_after_s = -1;
	ph_answer_append(&object, answer);
	ph_object_finish(&object);
	for (i = 0; i < nrules && !judgement->decided; i++)
	{
		PhValue		value;

		if (rules[i].condition == NULL)
			judgement->fault = judgement->fault == NULL ? rules[i].fault : judgement->fault;
		else if (evaluate(rules[i].condition, &object, &value, judgement, &rules[i]) && ph_value_true(&value))
			decide(&rules[i], &object, judgement);
	}
}
