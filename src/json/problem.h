/*
 * problem.h
 *	  What is wrong with a template, and where: problems, JSON Pointers (RFC 6901), and paths of simple expressions.
 */
#ifndef PLANTHUB_PROBLEM_H
#define PLANTHUB_PROBLEM_H

#include "json/pointer.h"
#include "json/value.h"

#define PH_PROBLEMS_MAX		50

/* What is wrong with a template, or probably not meant. */
typedef struct PhProblem
{
	const char *pointer;
	const char *code;			/* one of jmespath.h, invalid-template, or that of a warning */
	const char *message;
	const char *hint;
	int			column;			/* in the expression at the pointer; 0: none */
} PhProblem;

typedef struct PhProblems
{
	int			n;				/* those beyond the limit are dropped */
	PhProblem  *list;
} PhProblems;

#define PH_CODE_TEMPLATE	"invalid-template"

typedef struct PhStep
{
	const char *key;			/* NULL: element number index */
	int			length;
	int64		index;
	const struct PhStep *next;
} PhStep;

/* An expression that does nothing but follow members: where its value is in the input can be told. */
typedef struct PhPath
{
	char		base;			/* '@', '$', or 'v' for a variable */
	const char *variable;
	int			variable_length;
	const PhStep *steps;
	bool		flatten;		/* "[]" at its end */
} PhPath;

extern void ph_problem_add(PhProblems *problems, const char *pointer, const char *code, const char *hint, int column,
						   const char *format,...) pg_attribute_printf(6, 7);

/* An array of {pointer, code, message, hint, column}. */
extern PhValue ph_problems_value(const PhProblems *problems);

/* The path of an expression such as a.b, $.a, $it."c d"[0], a.b[]; NULL when it is something else. */
extern PhPath *ph_path_read(const char *text);

#endif
