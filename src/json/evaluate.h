/*
 * evaluate.h
 *	  What the evaluator and the functions of expressions share.
 */
#ifndef PLANTHUB_EVALUATE_H
#define PLANTHUB_EVALUATE_H

#include "json/jmespath.h"
#include "json/node.h"

struct PhExpression
{
	const char *text;
	int			length;
	PhNode	   *node;
};

/* The value of a node for the current value.  False: the error is recorded. */
extern bool ph_evaluate_node(PhEvaluation *evaluation, const PhNode *node, const PhValue *current, PhValue *result);

/* Records an error at a node; returns false for the caller to return. */
extern bool ph_evaluate_fail(PhEvaluation *evaluation, const PhNode *node, const char *code, const char *format,
							 ...) pg_attribute_printf(4, 5);

/* Pays for n items, or says that the budget is spent. */
extern bool ph_evaluate_pay(PhEvaluation *evaluation, const PhNode *node, int64 n);

/* The same for text. */
extern bool ph_evaluate_pay_text(PhEvaluation *evaluation, const PhNode *node, int64 length);

extern bool ph_evaluate_spent(PhEvaluation *evaluation, const PhNode *node);	/* records that it is; false */

/* See ph_jmespath_kind() and ph_jmespath_literal(); of a compiled node. */
extern bool ph_node_kind(const PhNode *node, PhKind *kind);
extern bool ph_node_literal(const PhNode *node, PhValue *value);

/* Place in characters, from 1. */
extern int	ph_expression_column(const char *text, size_t offset);

#endif
