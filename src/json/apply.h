/*
 * apply.h
 *	  Applies a compiled template to a document.
 *
 * A leaf that fails is noted and gives nothing, and the work goes on, so that all faults of a document are found at
 * once; with one fault there is no output.  Thrown are only out of memory, a cancelled query, a stack that is too deep,
 * and what the lookups and functions throw.
 */
#ifndef PLANTHUB_APPLY_H
#define PLANTHUB_APPLY_H

#include "json/template.h"

#define PH_CODE_REQUIRED		"required"
#define PH_CODE_EMPTY_OUTPUT	"empty-output"
#define PH_CODE_TOO_LARGE		"too-large"
#define PH_CODE_CALL_FAILED		"call-failed"
#define PH_CODE_BUSINESS		"business"

typedef struct PhFault
{
	const char *code;
	const char *message;
	const char *hint;			/* or NULL */
	const char *at;				/* in the output, JSON Pointers */
	const char *input;			/* what @ was */
	const char *template;
	const char *expression;		/* or NULL */
	int			column;
	const PhTemplateUnit *unit;
	const char *set;			/* unmapped-code: what is waited for */
	const char *key;
} PhFault;

/* Calls a function; a result of null is nothing.  False: *message says why. */
typedef bool (*PhFunctionCall) (void *arg, void *target, const PhValue *with, PhValue *result, const char **message);

typedef struct PhApply
{
	/* given */
	const PhTemplateUnit *unit;
	PhValue		document;
	PhValue		env;
	PhXrefLookup xref;
	PhUnitConvert unit_convert;
	PhFunctionCall call;
	void	   *arg;			/* for these three */
	bool	   *visited;		/* by number of all units' nodes; NULL: not wanted */
	/* the result */
	PhValue		output;			/* without faults only */
	int			nfaults;
	PhFault    *faults;			/* at most unit->options.max_errors */
	int64		visits;			/* budget that is left */
} PhApply;

/* In the current memory context, which should be one for this document.  False: see the faults. */
extern bool ph_apply(PhApply *apply);

#endif
