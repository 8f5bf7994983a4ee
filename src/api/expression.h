/*
 * expression.h
 *	  Errors of expressions as errors of SQL.
 */
#ifndef PLANTHUB_API_EXPRESSION_H
#define PLANTHUB_API_EXPRESSION_H

#include "json/jmespath.h"
#include "pg/compat.h"

/* The class is the DETAIL, the place is shown in the expression. */
pg_noreturn extern void ph_expression_throw(const PhError *error, const char *expression);

#endif
