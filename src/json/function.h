/*
 * function.h
 *	  Functions of expressions: what each takes, and its body.
 */
#ifndef PLANTHUB_FUNCTION_H
#define PLANTHUB_FUNCTION_H

#include "json/evaluate.h"

#define PH_ARGUMENTS_MAX	100

typedef struct PhCall
{
	PhEvaluation *evaluation;
	const PhNode *node;
	const struct PhFunction *function;
	int			n;
	const PhValue *arguments;
} PhCall;

typedef bool (*PhFunctionBody) (const PhCall *call, PhValue *result);

/*
 * For a call that is being compiled: checks what must be known then, and keeps what it makes of it in "prepared" of a
 * string among the arguments.  False: code and message of the error are filled, and *where is the node to blame.
 */
typedef bool (*PhFunctionPrepare) (PhNode *call, PhError *error, const PhNode **where);

/*
 * Arguments: one letter each, the last one for all that follow: b boolean, s string, n number, a array, o object,
 * e expression reference, x anything else, z string or null.  A capital one, S or N, is an array of them, A one of
 * arrays.  The result has a letter of the same kind; where it can be null, too, that is not said.  least arguments must
 * be there; most is -1 for any number.
 */
typedef struct PhFunction
{
	const char *name;
	const char *arguments;
	char		result;
	int			least;
	int			most;
	PhFunctionBody body;
	PhFunctionPrepare prepare;
} PhFunction;

/* NULL: there is none of that name. */
extern const PhFunction *ph_function_find(const char *name, int length);

/* Checks the types of the arguments and calls it. */
extern bool ph_function_call(PhCall *call, PhValue *result);

/* Records an error about the call; returns false. */
extern bool ph_function_fail(const PhCall *call, const char *code, const char *format, ...) pg_attribute_printf(3, 4);

/* Argument i as a whole number of at least the given size; absent or null: the value of otherwise. */
extern bool ph_function_int(const PhCall *call, int i, int32 least, int32 otherwise, int32 *result);

extern char *ph_function_text(const PhCall *call, int i);	/* a string, terminated */

/* Each family's functions; ended by a NULL name. */
extern const PhFunction ph_functions_value[];
extern const PhFunction ph_functions_list[];
extern const PhFunction ph_functions_number[];
extern const PhFunction ph_functions_string[];
extern const PhFunction ph_functions_pattern[];
extern const PhFunction ph_functions_time[];
extern const PhFunction ph_functions_lookup[];

#endif
