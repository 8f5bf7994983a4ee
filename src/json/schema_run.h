/*
 * schema_run.h
 *	  One evaluation of a compiled JSON Schema; only for src/json/schema*.c.
 */
#ifndef PLANTHUB_SCHEMA_RUN_H
#define PLANTHUB_SCHEMA_RUN_H

#include "json/schema_rule.h"

/* Where in the instance: a list from the inside out, on the stack. */
typedef struct PhPlace
{
	const struct PhPlace *outer;	/* NULL: the whole instance */
	const char *key;			/* NULL: an item */
	int			length;
	int			index;
} PhPlace;

/* How the evaluation came to a subschema: a list from the inside out, on the stack. */
typedef struct PhFrame
{
	const struct PhFrame *outer;
	const PhSubschema *s;
	const char *keyword;		/* of the outer one, that led here; NULL for the root */
	const char *name;			/* and the name below it, or NULL */
	int			length;
	int			index;			/* or the index below it, or -1 */
	int			depth;
	const PhValue *value;
	const PhPlace *place;
} PhFrame;

typedef struct PhRun
{
	const PhSchema *schema;
	PhViolations *violations;	/* NULL: the first error ends it */
	int			mark;			/* violations before the innermost branch that is tried */
	int			limit;
	int64		budget;
	bool		exhausted;
} PhRun;

/* What a violation says besides its place; expected and found may be NULL. */
typedef struct PhFinding
{
	const char *keyword;
	const char *below;			/* name or index below the keyword, or NULL */
	int			below_length;
	const char *message;
	const PhValue *expected;
	const PhValue *found;
	const PhPlace *place;		/* NULL: that of the frame */
} PhFinding;

/* Notes the violation if they are collected; always false. */
extern bool ph_run_fail(PhRun *run, const PhFrame *frame, const PhFinding *finding);

/* Whether messages are worth making. */
static inline bool
ph_run_collects(const PhRun *run)
{
	return run->violations != NULL && run->violations->n - run->mark < run->limit;
}

/* Which members or items of one value are evaluated. */
typedef struct PhEvaluated
{
	int			n;
	uint64	   *bits;
	uint64		few;			/* for up to 64 */
} PhEvaluated;

/* Walks the members or items of a container without copying. */
typedef struct PhWalk
{
	const JsonbContainer *container;
	const char *base;
	int			n;
	int			next;
	bool		object;
	uint32		key_offset;
	uint32		value_offset;
} PhWalk;

/* ---- schema_evaluate.c ---- */

extern bool ph_run_evaluate(PhRun *run, const PhFrame *frame, PhEvaluated *evaluated);

/* A member or an item; name or index tell the subschema below the keyword. */
extern bool ph_run_descend(PhRun *run, const PhFrame *outer, const PhSubschema *s, const char *keyword,
						   const char *name, int length, int index, const PhValue *value, const PhPlace *place);

/* Always false: nothing is known any more. */
extern bool ph_run_exhaust(PhRun *run);

/* Short forms of ph_run_fail(). */
extern bool ph_run_fail_here(PhRun *run, const PhFrame *frame, const char *keyword, const char *message,
							 const PhValue *expected, const PhValue *found);
extern bool ph_run_fail_count(PhRun *run, const PhFrame *frame, const char *keyword, const char *message,
							  int64 expected, int64 found);

static inline void
ph_evaluated_add(PhEvaluated *evaluated, int i)
{
	if (evaluated != NULL)
		evaluated->bits[i / 64] |= UINT64CONST(1) << (i % 64);
}

static inline bool
ph_evaluated_has(const PhEvaluated *evaluated, int i)
{
	return (evaluated->bits[i / 64] & (UINT64CONST(1) << (i % 64))) != 0;
}

/* ---- schema_assert.c ---- */

extern bool ph_check_type(PhRun *run, const PhFrame *frame);
extern bool ph_check_enumeration(PhRun *run, const PhFrame *frame);
extern bool ph_check_number(PhRun *run, const PhFrame *frame);
extern bool ph_check_string(PhRun *run, const PhFrame *frame);
extern bool ph_check_unique(PhRun *run, const PhFrame *frame, int n);
/* Whether a text matches; ends the run when the engine gave up. */
extern bool ph_run_matches(PhRun *run, PhRegex *regex, const char *text, int length);

/* ---- schema_children.c ---- */

extern void ph_walk_start(PhWalk *walk, const PhValue *value);
extern bool ph_walk_next(PhWalk *walk, PhMember *member);
extern bool ph_check_array(PhRun *run, const PhFrame *frame, PhEvaluated *evaluated);
extern bool ph_check_object(PhRun *run, const PhFrame *frame, PhEvaluated *evaluated);

/* ---- schema_violation.c ---- */

/* Of branches of anyOf or oneOf, each with violations from starts[i], keeps those of the one that fits best. */
extern void ph_run_keep_best(PhRun *run, const PhFrame *frame, const int *starts, int n);

#endif
