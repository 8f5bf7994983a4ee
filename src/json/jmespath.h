/*
 * jmespath.h
 *	  Expressions: JMESPath, Community edition (jmespath.site, grammar of May 2025), with exact numbers and the functions
 *	  of the hub.  Compiled once, evaluated on jsonb.
 *
 * Errors of expressions and data are returned, never thrown; what is thrown is out of memory, a cancelled query and
 * a stack that is too deep.
 */
#ifndef PLANTHUB_JMESPATH_H
#define PLANTHUB_JMESPATH_H

#include "json/value.h"

#define PH_EXPRESSION_MAX	65536	/* bytes */
#define PH_VISITS_DEFAULT	1000000

/* Classes of errors, as JMESPath names them, and ours. */
#define PH_CODE_SYNTAX				"syntax"
#define PH_CODE_INVALID_ARITY		"invalid-arity"
#define PH_CODE_UNKNOWN_FUNCTION	"unknown-function"
#define PH_CODE_UNDEFINED_VARIABLE	"undefined-variable"
#define PH_CODE_INVALID_TYPE		"invalid-type"
#define PH_CODE_INVALID_VALUE		"invalid-value"
#define PH_CODE_NOT_A_NUMBER		"not-a-number"
#define PH_CODE_UNMAPPED			"unmapped-code"
#define PH_CODE_AMBIGUOUS			"ambiguous-code"
#define PH_CODE_UNIT_MISMATCH		"unit-mismatch"
#define PH_CODE_BUDGET				"budget"

typedef struct PhError
{
	const char *code;			/* one of the above; NULL: none */
	const char *message;		/* lower case, no full stop */
	const char *hint;			/* a sentence, or NULL */
	int			column;			/* in the expression, in characters from 1 */
	const char *set;			/* unmapped-code: what is waited for */
	const char *key;
} PhError;

typedef struct PhExpression PhExpression;

/* A variable of the evaluation, without "$"; scopes are chained from the innermost outward. */
typedef struct PhVariable
{
	const char *name;
	int			length;
	PhValue		value;
	const struct PhVariable *outer;
} PhVariable;

/*
 * xref(set, code) and xref_back(set, value): back says which.  Code is never null.  Not found: return true with
 * *found = false.  Other errors: fill code, message and, if useful, hint of the error and return false.
 */
typedef bool (*PhXrefLookup) (void *arg, const char *set, bool back, const PhValue *code, bool *found,
							  PhValue *result, PhError *error);

/* unit(value, from, to), the codes terminated; same rule for errors. */
typedef bool (*PhUnitConvert) (void *arg, Numeric value, const char *from, const char *to, Numeric *result,
							   PhError *error);

/* One evaluation of any number of expressions on one document. */
typedef struct PhEvaluation
{
	PhValue		root;			/* $ */
	const PhVariable *variables;	/* $name: $env and those of the template; NULL: none */
	int64		visits;			/* budget that is left */
	PhXrefLookup xref;			/* NULL: error invalid-value */
	PhUnitConvert unit;			/* NULL: error invalid-value */
	void	   *arg;			/* for both */
	PhError		error;			/* of the last call that returned false */
	const PhExpression *expression;		/* under way; the evaluation's own */
} PhEvaluation;

/*
 * Compiles in the current memory context, where it stays.  NULL: see the error (syntax, invalid-arity,
 * unknown-function, invalid-type, invalid-value).  Names of variables are not checked: see ph_jmespath_uses().
 */
extern const PhExpression *ph_jmespath_compile(const char *text, size_t length, PhError *error);

extern const char *ph_jmespath_text(const PhExpression *expression);	/* as it was compiled */

/*
 * The value for "current" (@).  The result points into the document, the expression, or the current memory context.
 * False: see evaluation->error.
 */
extern bool ph_jmespath_evaluate(const PhExpression *expression, PhEvaluation *evaluation, const PhValue *current,
								 PhValue *result);

/* What an expression reads, found by looking at it. */
typedef enum PhUseKind
{
	/* "@.a[].b", "$.a" or "$name.a"; [] for all elements, [3] for one, .* for all members; ."c.d" where . or [ is part of a name */
	PH_USE_FIELD,
	PH_USE_VARIABLE,			/* that it does not bind itself, without "$" */
	PH_USE_FUNCTION,
	PH_USE_XREF					/* set of xref() or xref_back() */
} PhUseKind;

typedef struct PhUse
{
	PhUseKind	kind;
	const char *name;
	int			column;			/* of the first one */
	const struct PhUse *next;
} PhUse;

extern const PhUse *ph_jmespath_uses(const PhExpression *expression);	/* each name once; NULL: none */

/* The only kind of value that an expression has besides null; false: that cannot be told without a document. */
extern bool ph_jmespath_kind(const PhExpression *expression, PhKind *kind);

/* The value of an expression that is nothing but a literal. */
extern bool ph_jmespath_literal(const PhExpression *expression, PhValue *value);

/*
 * What an expression takes for granted about the types of what it reads, to be compared with a contract.  Paths are
 * those of PH_USE_FIELD.
 */
typedef enum PhAssumptionKind
{
	PH_ASSUME_EQUAL,				/* can be equal to the literal, or to the other path */
	PH_ASSUME_ORDER,				/* is a number, or the order is null */
	PH_ASSUME_NUMBER				/* is a number, or it is an error */
} PhAssumptionKind;

typedef struct PhAssumption
{
	PhAssumptionKind kind;
	const char *path;
	const char *other;			/* PH_ASSUME_EQUAL: NULL when it is a literal */
	PhValue		literal;
	int			column;
	const struct PhAssumption *next;
} PhAssumption;

extern const PhAssumption *ph_jmespath_assumptions(const PhExpression *expression);	/* NULL: none */

/* What is allowed and is probably not meant. */
typedef struct PhWarning
{
	const char *code;
	const char *message;
	const char *hint;			/* a sentence */
	int			column;
	const struct PhWarning *next;
} PhWarning;

extern const PhWarning *ph_jmespath_warnings(const PhExpression *expression);

#endif
