/*
 * outcome_rule.h
 *	  Rules of an endpoint that say what an answer means, where its status alone does not tell.
 *
 * A rule has a condition, a JMESPath expression over {"status", "headers", "body"}; the first one that is true decides.
 * Without one that is true, the classification of outcome.h holds, as it does for requests without answer.
 */
#ifndef PLANTHUB_OUTCOME_RULE_H
#define PLANTHUB_OUTCOME_RULE_H

#include "engine/answer.h"
#include "engine/outcome.h"
#include "json/jmespath.h"

typedef struct PhOutcomeRule
{
	const char *set;
	int			position;
	const PhExpression *condition;	/* NULL: it cannot be compiled, see fault */
	PhOutcome	outcome;
	const char *reason;			/* code for planthub.held; NULL: that of the outcome */
	const PhExpression *retry_after;	/* seconds; NULL: what the answer says itself */
	const char *fault;			/* only when somebody wrote the table directly */
} PhOutcomeRule;

typedef struct PhJudgement
{
	bool		decided;		/* a rule was true: */
	int			position;
	PhOutcome	outcome;
	const char *reason;			/* of the rule; NULL: none */
	long		retry_after_s;	/* -1: the rule says none */
	const char *fault;			/* why a rule could not be evaluated, the first one; NULL: none */
} PhJudgement;

/*
 * Compiles an expression over an object with these members, the last one NULL, in the current memory context: what
 * conditions of routes refuse, and variables, are refused here too.
 */
extern const PhExpression *ph_members_compile(const char *text, const char *const *members, PhError *error);

/*
 * Compiles an expression of a rule in the current memory context: what conditions of routes refuse, and variables, are
 * refused here too.
 */
extern const PhExpression *ph_outcome_rule_compile(const char *text, PhError *error);

/*
 * What the rules say about an answer; a rule that cannot be evaluated counts as not true.  In the current memory context,
 * in a transaction.
 */
extern void ph_outcome_judge(const PhOutcomeRule *rules, int nrules, const PhAnswer *answer, PhJudgement *judgement);

#endif
