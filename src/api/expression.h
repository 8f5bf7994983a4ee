/*
 * expression.h
 *	  Errors of expressions as errors of SQL.
 */
#ifndef PLANTHUB_API_EXPRESSION_H
#define PLANTHUB_API_EXPRESSION_H

#include "json/jmespath.h"

/* The class is the DETAIL, the place is shown in the expression. */
extern void ph_expression_throw(const PhError *error, const char *expression) pg_attribute_noreturn();

#endif
