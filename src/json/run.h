/*
 * run.h
 *	  A template at work: what the files of apply.c share.
 *
 * Where an output member comes to stand and where @ is in the input are chains of frames on the stack; they become
 * text only when there is a fault.
 */
#ifndef PLANTHUB_RUN_H
#define PLANTHUB_RUN_H

#include "json/apply.h"

/* Where something comes to stand in the output. */
typedef struct PhPlace
{
	const struct PhPlace *outer;
	const char *key;			/* NULL: element number index */
	int			length;
	int			index;
} PhPlace;

/* Where a value is in the input: the outer one, then the steps, then perhaps an element. */
typedef struct PhOrigin
{
	const struct PhOrigin *outer;
	const PhStep *steps;
	int			element;		/* -1: none */
} PhOrigin;

typedef struct PhScope
{
	PhValue		current;
	const PhOrigin *origin;
	const PhVariable *variables;
	const char *name;			/* of the variable that is current, NULL: none */
	const struct PhScope *outer;
} PhScope;

typedef struct PhRun
{
	PhApply    *apply;
	PhEvaluation evaluation;
	const PhTemplateUnit *unit; /* the one at work; $use changes it */
	const PhOrigin *root;
	PhVariable	env;
	MemoryContext context;
	Size		memory_limit;
	int64		next_memory_check;	/* visits left */
	bool		stopped;		/* budget or number of faults spent */
} PhRun;

/* ---- apply.c ---- */

/* The value of a node; false: it gives nothing, or faults, which are noted. */
extern bool ph_run_eval(PhRun *run, const PhTemplate *node, const PhScope *scope, const PhPlace *place, PhValue *result);

/* The value of an expression, also null; false: it failed, which is noted. */
extern bool ph_run_leaf(PhRun *run, const PhLeaf *leaf, const PhScope *scope, const PhPlace *place, PhValue *result);

extern bool ph_run_null(const PhValue *value);	/* null, or a function reference */

/* ---- run_loop.c ---- */

/* $each and $map. */
extern bool ph_run_loop(PhRun *run, const PhTemplate *node, const PhScope *scope, const PhPlace *place, PhValue *result);

/* ---- run_fault.c ---- */

extern PhFault *ph_run_fault(PhRun *run, const char *code, const char *message, const char *pointer,
							 const PhScope *scope, const PhPlace *place);
extern void ph_run_leaf_fault(PhRun *run, const char *code, const char *message, const PhLeaf *leaf,
							  const PhScope *scope, const PhPlace *place);
extern void ph_run_expression_fault(PhRun *run, const PhLeaf *leaf, const PhScope *scope, const PhPlace *place);

/* Where in the input the steps of a path begin; false: unknown, and *origin keeps the nearest known. */
extern bool ph_run_origin(const PhRun *run, const PhPath *path, const PhScope *scope, const PhOrigin **origin);

/* Where an element is; array and known as ph_run_origin() says. */
extern PhOrigin ph_run_element_origin(const PhOrigin *array, bool known, bool is_array, const PhLeaf *leaf, int element);

#endif
