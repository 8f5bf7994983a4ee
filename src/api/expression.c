/*
 * expression.c
 *	  Errors of expressions as errors of SQL.
 */
#include "postgres.h"

#include "api/expression.h"

static const struct
{
	const char *code;
	int			sqlstate;
}			states[] = {
	{PH_CODE_SYNTAX, ERRCODE_SYNTAX_ERROR},
	{PH_CODE_INVALID_ARITY, ERRCODE_UNDEFINED_FUNCTION},
	{PH_CODE_UNKNOWN_FUNCTION, ERRCODE_UNDEFINED_FUNCTION},
	{PH_CODE_UNDEFINED_VARIABLE, ERRCODE_UNDEFINED_PARAMETER},
	{PH_CODE_INVALID_TYPE, ERRCODE_DATATYPE_MISMATCH},
	{PH_CODE_NOT_A_NUMBER, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE},
	{PH_CODE_BUDGET, ERRCODE_PROGRAM_LIMIT_EXCEEDED}
};

static int
sqlstate_of(const char *code)
{
	int			i;

	for (i = 0; i < lengthof(states); i++)
	{
		if (strcmp(states[i].code, code) == 0)
			return states[i].sqlstate;
	}
	return ERRCODE_INVALID_PARAMETER_VALUE;
}

void
ph_expression_throw(const PhError *error, const char *expression)
{
	ereport(ERROR,
			(errcode(sqlstate_of(error->code)),
			 errmsg_internal("%s", error->message),
			 errdetail_internal("%s", error->code),
			 error->hint == NULL ? 0 : errhint("%s", error->hint),
			 errcontext("JMESPath expression, column %d", error->column),
			 internalerrquery(expression),
			 internalerrposition(error->column)));
}
