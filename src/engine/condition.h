/*
 * condition.h
 *	  Conditions of routes: JMESPath expressions over the data of a message (@ and $) and its attributes ($env).
 */
#ifndef PLANTHUB_CONDITION_H
#define PLANTHUB_CONDITION_H

#include "json/jmespath.h"

/* What a condition can look at; absent texts are NULL, attributes and data are jsonb, possibly compressed or external. */
typedef struct PhSubject
{
	const char *topic;
	const char *site;
	text	   *key;
	text	   *subject;
	text	   *source;
	text	   *event_id;
	text	   *correlation_id;
	Datum		attributes;			/* 0: none */
	Datum		data;
} PhSubject;

/* The members of $env; more may be appended before ph_object_finish().  In the current memory context. */
extern PhValue ph_subject_env(const PhSubject *subject);

/* A subject made ready once for any number of conditions, in the current memory context. */
typedef struct PhConditionInput
{
	PhValue		data;
	PhVariable	env;
} PhConditionInput;

/*
 * Compiles a condition in the current memory context.  NULL: see the error; besides what ph_jmespath_compile() refuses
 * these are functions that need tables, and variables and members of $env that do not exist.
 */
extern const PhExpression *ph_condition_compile(const char *text, PhError *error);

extern void ph_condition_prepare(const PhSubject *subject, PhConditionInput *input);

/* False: the condition says neither yes nor no; see the error. */
extern bool ph_condition_evaluate(const PhExpression *condition, const PhConditionInput *input, PhValue *value,
								  PhError *error);

/* "Column 5: operand of arithmetic must be a number, not null" */
extern char *ph_condition_error_text(const PhError *error);

#endif
