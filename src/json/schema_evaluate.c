/*
 * schema_evaluate.c
 *	  A compiled JSON Schema against an instance, which is read in place.
 *
 * Data never makes it throw: depth and work have limits that end it with "nothing is known"; only a cancelled query
 * throws.  Which members and items are evaluated is noted in bitmaps, only where an "unevaluated..." wants to know.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "json/schema_run.h"

#define DEPTH_LIMIT		1000		/* of subschemas within each other */
#define WORK_LIMIT		INT64CONST(20000000)

/* ---- what is evaluated ---- */

static void
evaluated_init(PhEvaluated *evaluated, const PhValue *value)
{
	PhKind		kind = ph_value_kind(value);

	evaluated->n = kind == PH_KIND_ARRAY || kind == PH_KIND_OBJECT ? ph_value_count(value) : 0;
	evaluated->few = 0;
	evaluated->bits = evaluated->n <= 64 ? &evaluated->few : palloc0((evaluated->n + 63) / 64 * sizeof(uint64));
}

static void
evaluated_free(PhEvaluated *evaluated)
{
	if (evaluated->bits != &evaluated->few)
		pfree(evaluated->bits);
}

static void
evaluated_merge(PhEvaluated *into, const PhEvaluated *from)
{
	int			i;

	for (i = 0; i < (from->n + 63) / 64; i++)
		into->bits[i] |= from->bits[i];
}

/* ---- going on to other subschemas ---- */

bool
ph_run_fail_here(PhRun *run, const PhFrame *frame, const char *keyword, const char *message, const PhValue *expected,
				 const PhValue *found)
{
	PhFinding	finding = {keyword, NULL, 0, message, expected, found, NULL};

	return ph_run_fail(run, frame, &finding);
}

bool
ph_run_exhaust(PhRun *run)
{
	run->exhausted = true;
	return false;
}

bool
ph_run_fail_count(PhRun *run, const PhFrame *frame, const char *keyword, const char *message, int64 expected,
				  int64 found)
{
	PhValue		limit;
	PhValue		count;

	if (!ph_run_collects(run))
		return false;
	limit = ph_value_int(expected);
	count = ph_value_int(found);
	return ph_run_fail_here(run, frame, keyword, message, &limit, &count);
}

/* The same place under another subschema. */
static bool
apply(PhRun *run, const PhFrame *outer, const PhSubschema *s, const char *keyword, int index, PhEvaluated *evaluated)
{
	PhFrame		frame = {outer, s, keyword, NULL, 0, index, outer->depth + 1, outer->value, outer->place};

	return ph_run_evaluate(run, &frame, evaluated);
}

/* A member or an item; name and index tell the subschema below the keyword. */
bool
ph_run_descend(PhRun *run, const PhFrame *outer, const PhSubschema *s, const char *keyword, const char *name,
			   int length, int index, const PhValue *value, const PhPlace *place)
{
	PhFrame		frame = {outer, s, keyword, name, length, index, outer->depth + 1, value, place};

	if (s->verdict == PH_VERDICT_TRUE)
		return true;
	return ph_run_evaluate(run, &frame, NULL);
}

/* Without a trace: what fails is not reported. */
static bool
try(PhRun *run, const PhFrame *outer, const PhSubschema *s, const char *keyword, int index, PhEvaluated *evaluated)
{
	PhViolations *violations = run->violations;
	bool		valid;

	run->violations = NULL;
	valid = apply(run, outer, s, keyword, index, evaluated);
	run->violations = violations;
	return valid;
}

/* ---- the same place ---- */

static bool
check_all_of(PhRun *run, const PhFrame *frame, PhEvaluated *evaluated)
{
	const PhBranches *branches = &frame->s->in_place->all_of;
	bool		valid = true;
	int			i;

	for (i = 0; i < branches->n && (valid || ph_run_collects(run)); i++)
		valid &= apply(run, frame, branches->schemas[i], "allOf", i, evaluated);
	return valid;
}

/* Tries the branches; when none fits, the violations of the best one stay.  Returns how many fit, and which two. */
static int
count_fitting(PhRun *run, const PhFrame *frame, const PhBranches *branches, const char *keyword, bool one,
			  PhEvaluated *evaluated, int *first, int *second)
{
	int			mark = run->mark;
	int			start = run->violations == NULL ? 0 : run->violations->n;
	int		   *starts = run->violations == NULL ? NULL : palloc(branches->n * sizeof(int));
	int			fitting = 0;
	int			i;

	for (i = 0; i < branches->n && !run->exhausted; i++)
	{
		PhEvaluated	own;
		bool		valid;

		if (evaluated != NULL)
			evaluated_init(&own, frame->value);
		if (starts != NULL)
			run->mark = starts[i] = run->violations->n;
		valid = apply(run, frame, branches->schemas[i], keyword, i, evaluated == NULL ? NULL : &own);
		if (valid)
		{
			*(fitting == 0 ? first : second) = i;
			fitting++;
		}
		if (evaluated != NULL)
		{
			if (valid)
				evaluated_merge(evaluated, &own);
			evaluated_free(&own);
		}
		if (one ? fitting == 2 : (fitting == 1 && evaluated == NULL))
			break;
	}
	run->mark = mark;
	if (starts != NULL)
	{
		if (fitting > 0 || run->exhausted)
			run->violations->n = start;
		else
			ph_run_keep_best(run, frame, starts, branches->n);
		pfree(starts);
	}
	return fitting;
}

static bool
check_any_of(PhRun *run, const PhFrame *frame, PhEvaluated *evaluated)
{
	int			first;
	int			second;

	if (count_fitting(run, frame, &frame->s->in_place->any_of, "anyOf", false, evaluated, &first, &second) > 0)
		return true;
	return ph_run_fail_here(run, frame, "anyOf", "value fits none of the alternatives", NULL, frame->value);
}

static bool
check_one_of(PhRun *run, const PhFrame *frame, PhEvaluated *evaluated)
{
	int			first = 0;
	int			second = 0;
	const PhBranches *branches = &frame->s->in_place->one_of;
	int			fitting = count_fitting(run, frame, branches, "oneOf", true, evaluated, &first, &second);

	if (fitting == 1)
		return true;
	if (fitting == 0)
		return ph_run_fail_here(run, frame, "oneOf", "value fits none of the alternatives", NULL, frame->value);
	return ph_run_collects(run) &&
		ph_run_fail_here(run, frame, "oneOf",
						 psprintf("value fits more than one of the alternatives, such as %d and %d", first, second),
						 NULL, frame->value);
}

static bool
check_condition(PhRun *run, const PhFrame *frame, PhEvaluated *evaluated)
{
	const PhInPlace *rules = frame->s->in_place;
	PhEvaluated	own;
	bool		valid;

	if (rules->then == NULL && rules->otherwise == NULL && evaluated == NULL)
		return true;
	if (evaluated != NULL)
		evaluated_init(&own, frame->value);
	valid = try(run, frame, rules->condition, "if", -1, evaluated == NULL ? NULL : &own);
	if (evaluated != NULL)
	{
		if (valid)
			evaluated_merge(evaluated, &own);
		evaluated_free(&own);
	}
	if (run->exhausted)
		return false;
	if (valid)
		return rules->then == NULL || apply(run, frame, rules->then, "then", -1, evaluated);
	return rules->otherwise == NULL || apply(run, frame, rules->otherwise, "else", -1, evaluated);
}

/* 2020-12, 7.1.1 and 8.2.3.2: the outermost resource on the way here that has the dynamic anchor. */
static const PhSubschema *
dynamic_target(const PhFrame *frame)
{
	const PhSubschema *target = frame->s->in_place->dynamic_ref;
	const char *name = frame->s->in_place->dynamic_name;
	int			i;

	if (name == NULL)
		return target;
	for (; frame != NULL; frame = frame->outer)
	{
		const PhResource *resource = frame->s->resource;

		for (i = 0; i < resource->ndynamic; i++)
		{
			if (strcmp(resource->dynamics[i].name, name) == 0)
				target = resource->dynamics[i].target;
		}
	}
	return target;
}

static bool
check_in_place(PhRun *run, const PhFrame *frame, PhEvaluated *evaluated)
{
	const PhInPlace *rules = frame->s->in_place;
	bool		valid = true;

	if (rules->ref != NULL)
		valid &= apply(run, frame, rules->ref, "$ref", -1, evaluated);
	if (rules->dynamic_ref != NULL && (valid || ph_run_collects(run)))
		valid &= apply(run, frame, dynamic_target(frame), "$dynamicRef", -1, evaluated);
	if (rules->all_of.n > 0 && (valid || ph_run_collects(run)))
		valid &= check_all_of(run, frame, evaluated);
	if (rules->any_of.n > 0 && (valid || ph_run_collects(run)))
		valid &= check_any_of(run, frame, evaluated);
	if (rules->one_of.n > 0 && (valid || ph_run_collects(run)))
		valid &= check_one_of(run, frame, evaluated);
	if (rules->not != NULL && (valid || ph_run_collects(run)) && try(run, frame, rules->not, "not", -1, NULL))
		valid = ph_run_fail_here(run, frame, "not", "value is of a kind that is excluded", NULL, frame->value);
	if (rules->condition != NULL && !run->exhausted && (valid || ph_run_collects(run)))
		valid &= check_condition(run, frame, evaluated);
	return valid && !run->exhausted;
}

static bool
check_unevaluated(PhRun *run, const PhFrame *frame, PhEvaluated *evaluated)
{
	const PhInPlace *rules = frame->s->in_place;
	PhKind		kind = ph_value_kind(frame->value);
	const PhSubschema *s = kind == PH_KIND_ARRAY ? rules->unevaluated_items :
		kind == PH_KIND_OBJECT ? rules->unevaluated_properties : NULL;
	bool		valid = true;
	PhWalk		walk;
	PhMember	member;
	int			i;

	if (s == NULL)
		return true;
	ph_walk_start(&walk, frame->value);
	for (i = 0; ph_walk_next(&walk, &member); i++)
	{
		PhPlace		place = {frame->place, member.key, member.length, i};

		if (ph_evaluated_has(evaluated, i))
			continue;
		valid &= ph_run_descend(run, frame, s, kind == PH_KIND_ARRAY ? "unevaluatedItems" : "unevaluatedProperties",
								NULL, 0, -1, &member.value, &place);
		ph_evaluated_add(evaluated, i);
		if (!valid && !ph_run_collects(run))
			return false;
	}
	return valid;
}

/* ---- the whole ---- */

static bool
check_rules(PhRun *run, const PhFrame *frame, PhEvaluated *evaluated)
{
	const PhSubschema *s = frame->s;
	bool		valid = true;

	if (s->types != 0)
		valid &= ph_check_type(run, frame);
	if (s->has_const || s->nenum >= 0)
		valid &= ph_check_enumeration(run, frame);
	if (!valid && !ph_run_collects(run))
		return false;
	switch (ph_value_kind(frame->value))
	{
		case PH_KIND_NUMBER:
			if (s->number != NULL)
				valid &= ph_check_number(run, frame);
			break;
		case PH_KIND_STRING:
			if (s->string != NULL)
				valid &= ph_check_string(run, frame);
			break;
		case PH_KIND_ARRAY:
			if (s->array != NULL)
				valid &= ph_check_array(run, frame, evaluated);
			break;
		case PH_KIND_OBJECT:
			if (s->object != NULL)
				valid &= ph_check_object(run, frame, evaluated);
			break;
		default:
			break;
	}
	if (s->in_place == NULL || run->exhausted || (!valid && !ph_run_collects(run)))
		return valid && !run->exhausted;
	return valid & check_in_place(run, frame, evaluated);
}

/* The keyword that led to a schema "false" is what refuses the value. */
static bool
fail_false(PhRun *run, const PhFrame *frame)
{
	PhFinding	finding = {0};

	if (frame->outer == NULL)
		return ph_run_fail_here(run, frame, "false", "no value is allowed here", NULL, frame->value);
	finding.keyword = frame->keyword;
	finding.below = frame->name;
	finding.below_length = frame->length;
	finding.message = strcmp(frame->keyword, "propertyNames") == 0 ? "no member is allowed here" :
		frame->place != NULL && frame->place != frame->outer->place ?
		(frame->place->key != NULL ? "member is not allowed" : "item is not allowed") : "value is not allowed";
	finding.found = frame->value;
	finding.place = frame->place;
	if (frame->name == NULL && frame->index >= 0)
	{
		finding.below = psprintf("%d", frame->index);
		finding.below_length = strlen(finding.below);
	}
	return ph_run_fail(run, frame->outer, &finding);
}

bool
ph_run_evaluate(PhRun *run, const PhFrame *frame, PhEvaluated *evaluated)
{
	const PhSubschema *s = frame->s;
	PhEvaluated	own;
	bool		valid;

	CHECK_FOR_INTERRUPTS();
	if (run->exhausted || --run->budget < 0 || frame->depth > DEPTH_LIMIT || stack_is_too_deep())
		return ph_run_exhaust(run);
	if (s->verdict == PH_VERDICT_TRUE)
		return true;
	if (s->verdict == PH_VERDICT_FALSE)
		return fail_false(run, frame);
	if (s->in_place == NULL ||
		(s->in_place->unevaluated_items == NULL && s->in_place->unevaluated_properties == NULL))
		return check_rules(run, frame, evaluated);

	/* Only what is evaluated below this subschema counts, not what its neighbours see. */
	evaluated_init(&own, frame->value);
	valid = check_rules(run, frame, &own);
	if (!run->exhausted && (valid || ph_run_collects(run)))
		valid &= check_unevaluated(run, frame, &own);
	if (evaluated != NULL && valid)
		evaluated_merge(evaluated, &own);
	evaluated_free(&own);
	return valid;
}

static PhSchemaResult
start(PhRun *run, const PhValue *instance)
{
	PhFrame		frame = {NULL, run->schema->root, NULL, NULL, 0, -1, 0, instance, NULL};
	bool		valid;

	run->budget = WORK_LIMIT;
	valid = ph_run_evaluate(run, &frame, NULL);
	return run->exhausted ? PH_SCHEMA_LIMIT : valid ? PH_SCHEMA_VALID : PH_SCHEMA_INVALID;
}

PhSchemaResult
ph_schema_check(const PhSchema *schema, const PhValue *instance)
{
	PhRun		run = {schema};

	return start(&run, instance);
}

PhSchemaResult
ph_schema_violations(const PhSchema *schema, const PhValue *instance, int limit, PhViolations *violations)
{
	PhRun		run = {schema, violations};

	memset(violations, 0, sizeof(PhViolations));
	run.limit = limit;
	return start(&run, instance);
}
