/*
 * evaluate.c
 *	  The value of an expression, straight from its tree.
 *
 * Errors go up as "false" with the error recorded in the evaluation.  Every node costs one visit of the budget, every
 * element that is looked at too, so cost is bounded whatever the expression says.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"

#include "json/evaluate.h"
#include "json/function.h"
#include "json/number.h"

#define TEXT_PER_VISIT	64		/* bytes */

static bool
evaluate(PhEvaluation *evaluation, const PhNode *node, const PhValue *current, PhValue *result)
{
	return ph_evaluate_node(evaluation, node, current, result);
}

/* ---- errors and budget ---- */

int
ph_expression_column(const char *text, size_t offset)
{
	return pg_mbstrlen_with_len(text, (int) offset) + 1;
}

bool
ph_evaluate_fail(PhEvaluation *evaluation, const PhNode *node, const char *code, const char *format, ...)
{
	PhError    *error = &evaluation->error;
	StringInfoData message;

	initStringInfo(&message);
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, format);
		needed = appendStringInfoVA(&message, format, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&message, needed);
	}
	memset(error, 0, sizeof(PhError));
	error->code = code;
	error->message = message.data;
	error->column = ph_expression_column(evaluation->expression->text, node->offset);
	return false;
}

bool
ph_evaluate_spent(PhEvaluation *evaluation, const PhNode *node)
{
	return ph_evaluate_fail(evaluation, node, PH_CODE_BUDGET, "expression takes too many steps");
}

bool
ph_evaluate_pay(PhEvaluation *evaluation, const PhNode *node, int64 n)
{
	CHECK_FOR_INTERRUPTS();
	evaluation->visits -= n;
	return evaluation->visits >= 0 || ph_evaluate_spent(evaluation, node);
}

bool
ph_evaluate_pay_text(PhEvaluation *evaluation, const PhNode *node, int64 length)
{
	return ph_evaluate_pay(evaluation, node, 1 + length / TEXT_PER_VISIT);
}

/* ---- paths ---- */

static bool
evaluate_field(const PhNode *node, const PhValue *current, PhValue *result)
{
	if (!ph_value_member(current, node->text, node->length, result))
		*result = ph_value_null();
	return true;
}

static bool
evaluate_variable(PhEvaluation *evaluation, const PhNode *node, PhValue *result)
{
	const PhVariable *variable;

	for (variable = evaluation->variables; variable != NULL; variable = variable->outer)
	{
		if (variable->length == node->length && memcmp(variable->name, node->text, node->length) == 0)
		{
			*result = variable->value;
			return true;
		}
	}
	return ph_evaluate_fail(evaluation, node, PH_CODE_UNDEFINED_VARIABLE, "variable \"$%.*s\" is not defined",
							node->length, node->text);
}

static bool
evaluate_sub(PhEvaluation *evaluation, const PhNode *node, const PhValue *current, PhValue *result)
{
	PhValue		left;

	if (!evaluate(evaluation, node->left, current, &left))
		return false;
	if (left.type == PH_VALUE_NULL)
	{
		*result = left;
		return true;
	}
	return evaluate(evaluation, node->right, &left, result);
}

static bool
evaluate_pipe(PhEvaluation *evaluation, const PhNode *node, const PhValue *current, PhValue *result)
{
	PhValue		left;

	return evaluate(evaluation, node->left, current, &left) && evaluate(evaluation, node->right, &left, result);
}

static bool
evaluate_index(PhEvaluation *evaluation, const PhNode *node, const PhValue *current, PhValue *result)
{
	PhValue		left;

	if (!evaluate(evaluation, node->left, current, &left))
		return false;
	if (!ph_value_element(&left, node->range[0], result))
		*result = ph_value_null();
	return true;
}

/* ---- slices ---- */

typedef struct Range
{
	int64		from;
	int64		to;				/* behind the last */
	int64		step;
} Range;

static int64
clamp(int64 value, int64 low, int64 high)
{
	return value < low ? low : value > high ? high : value;
}

/* The rules of Python. */
static Range
range_of(const PhNode *node, int64 n)
{
	Range		range;
	bool		back;

	range.step = node->given[2] ? node->range[2] : 1;
	back = range.step < 0;
	range.from = back ? n - 1 : 0;
	range.to = back ? -1 : n;
	if (node->given[0])
		range.from = clamp(node->range[0] < 0 ? node->range[0] + n : node->range[0], back ? -1 : 0, back ? n - 1 : n);
	if (node->given[1])
		range.to = clamp(node->range[1] < 0 ? node->range[1] + n : node->range[1], back ? -1 : 0, back ? n - 1 : n);
	return range;
}

static bool
in_range(const Range *range, int64 at)
{
	return range->step > 0 ? at < range->to : at > range->to;
}

static bool
slice_array(PhEvaluation *evaluation, const PhNode *node, const PhValue *array, PhValue *result)
{
	int			n = ph_value_count(array);
	Range		range = range_of(node, n);
	PhValue		all = *array;
	PhIterator	iterator;
	PhMember	member;
	int64		at;

	if (!ph_evaluate_pay(evaluation, node, n))
		return false;
	if (array->type == PH_VALUE_CONTAINER)
	{
		all = ph_array_new(n);
		ph_iterate(&iterator, array);
		while (ph_iterate_next(&iterator, &member))
			ph_array_append(&all, &member.value);
	}
	*result = ph_array_new(0);
	for (at = range.from; in_range(&range, at); at += range.step)
		ph_array_append(result, &all.u.array->items[at]);
	return true;
}

/* By characters. */
static bool
slice_string(PhEvaluation *evaluation, const PhNode *node, const PhValue *string, PhValue *result)
{
	int			n = pg_mbstrlen_with_len(string->u.string, string->length);
	Range		range = range_of(node, n);
	int		   *offsets;
	StringInfoData out;
	int			offset = 0;
	int64		at;

	if (!ph_evaluate_pay_text(evaluation, node, (int64) n * sizeof(int)))
		return false;
	offsets = palloc((n + 1) * sizeof(int));
	for (at = 0; at < n; at++)
	{
		offsets[at] = offset;
		offset += pg_mblen(string->u.string + offset);
	}
	offsets[n] = string->length;
	initStringInfo(&out);
	for (at = range.from; in_range(&range, at); at += range.step)
		appendBinaryStringInfo(&out, string->u.string + offsets[at], offsets[at + 1] - offsets[at]);
	*result = ph_value_string(out.data, out.len);
	return true;
}

static bool
evaluate_slice(PhEvaluation *evaluation, const PhNode *node, const PhValue *current, PhValue *result)
{
	PhValue		left;

	if (!evaluate(evaluation, node->left, current, &left))
		return false;
	if (ph_value_kind(&left) == PH_KIND_ARRAY)
		return slice_array(evaluation, node, &left, result);
	if (left.type == PH_VALUE_STRING)
		return slice_string(evaluation, node, &left, result);
	*result = ph_value_null();
	return true;
}

/* ---- projections ---- */

/* One element of a projection: what the condition lets pass and what does not become null is appended. */
static bool
project(PhEvaluation *evaluation, const PhNode *node, const PhValue *element, PhValue *result)
{
	PhValue		value;

	if (node->third != NULL)
	{
		if (!evaluate(evaluation, node->third, element, &value))
			return false;
		if (!ph_value_true(&value))
			return true;
	}
	if (!evaluate(evaluation, node->right, element, &value))
		return false;
	if (value.type != PH_VALUE_NULL)
		ph_array_append(result, &value);
	return true;
}

static bool
project_all(PhEvaluation *evaluation, const PhNode *node, PhKind kind, const PhValue *left, PhValue *result)
{
	PhIterator	iterator;
	PhMember	member;

	if (ph_value_kind(left) != kind)
	{
		*result = ph_value_null();
		return true;
	}
	*result = ph_array_new(ph_value_count(left));
	ph_iterate(&iterator, left);
	while (ph_iterate_next(&iterator, &member))
	{
		CHECK_FOR_INTERRUPTS();
		if (!project(evaluation, node, &member.value, result))
			return false;
	}
	return true;
}

static bool
evaluate_projection(PhEvaluation *evaluation, const PhNode *node, const PhValue *current, PhValue *result)
{
	PhValue		left;

	if (!evaluate(evaluation, node->left, current, &left))
		return false;
	if (node->type == PH_NODE_PROJECT_VALUES)
		return project_all(evaluation, node, PH_KIND_OBJECT, &left, result);
	if (node->type == PH_NODE_PROJECT_SLICE && left.type == PH_VALUE_STRING)
		return evaluate(evaluation, node->right, &left, result);
	return project_all(evaluation, node, PH_KIND_ARRAY, &left, result);
}

static bool
evaluate_flatten(PhEvaluation *evaluation, const PhNode *node, const PhValue *current, PhValue *result)
{
	PhValue		left;
	PhIterator	outer;
	PhIterator	inner;
	PhMember	member;
	PhMember	nested;

	if (!evaluate(evaluation, node->left, current, &left))
		return false;
	*result = ph_value_null();
	if (ph_value_kind(&left) != PH_KIND_ARRAY)
		return true;
	*result = ph_array_new(ph_value_count(&left));
	ph_iterate(&outer, &left);
	while (ph_iterate_next(&outer, &member))
	{
		if (!ph_evaluate_pay(evaluation, node, 1 + ph_value_count(&member.value)))
			return false;
		if (ph_value_kind(&member.value) != PH_KIND_ARRAY)
		{
			ph_array_append(result, &member.value);
			continue;
		}
		ph_iterate(&inner, &member.value);
		while (ph_iterate_next(&inner, &nested))
			ph_array_append(result, &nested.value);
	}
	return true;
}

/* ---- operators ---- */

static bool
evaluate_or_and(PhEvaluation *evaluation, const PhNode *node, const PhValue *current, PhValue *result)
{
	if (!evaluate(evaluation, node->left, current, result))
		return false;
	if (ph_value_true(result) == (node->type == PH_NODE_OR))
		return true;
	return evaluate(evaluation, node->right, current, result);
}

static bool
evaluate_not(PhEvaluation *evaluation, const PhNode *node, const PhValue *current, PhValue *result)
{
	PhValue		value;

	if (!evaluate(evaluation, node->left, current, &value))
		return false;
	*result = ph_value_bool(!ph_value_true(&value));
	return true;
}

static bool
in_that_order(PhOperator operator, int order)
{
	switch (operator)
	{
		case PH_OPERATOR_LESS:
			return order < 0;
		case PH_OPERATOR_LESS_OR_EQUAL:
			return order <= 0;
		case PH_OPERATOR_GREATER:
			return order > 0;
		default:
			return order >= 0;
	}
}

static bool
evaluate_compare(PhEvaluation *evaluation, const PhNode *node, const PhValue *current, PhValue *result)
{
	PhValue		left;
	PhValue		right;
	bool		equal;

	if (!evaluate(evaluation, node->left, current, &left) || !evaluate(evaluation, node->right, current, &right))
		return false;
	if (node->operator == PH_OPERATOR_EQUAL || node->operator == PH_OPERATOR_DIFFERENT)
	{
		if (!ph_value_equal(&left, &right, &evaluation->visits, &equal))
			return ph_evaluate_spent(evaluation, node);
		*result = ph_value_bool(equal == (node->operator == PH_OPERATOR_EQUAL));
	}
	else if (left.type == PH_VALUE_NUMBER && right.type == PH_VALUE_NUMBER)
		*result = ph_value_bool(in_that_order(node->operator, ph_value_compare(&left, &right)));
	else
		*result = ph_value_null();
	return true;
}

static bool
require_number(PhEvaluation *evaluation, const PhNode *node, const PhValue *value)
{
	if (value->type == PH_VALUE_NUMBER)
		return true;
	return ph_evaluate_fail(evaluation, node, PH_CODE_INVALID_TYPE, "operand of arithmetic must be a number, not %s",
							ph_kind_name(ph_value_kind(value)));
}

static bool
evaluate_arithmetic(PhEvaluation *evaluation, const PhNode *node, const PhValue *current, PhValue *result)
{
	PhValue		left;
	PhValue		right;
	Numeric		number;
	const char *fault;

	if (!evaluate(evaluation, node->left, current, &left) || !evaluate(evaluation, node->right, current, &right) ||
		!require_number(evaluation, node->left, &left) || !require_number(evaluation, node->right, &right))
		return false;
	fault = ph_number_operate(node->operator, left.u.number, right.u.number, &number);
	if (fault != NULL)
		return ph_evaluate_fail(evaluation, node, PH_CODE_NOT_A_NUMBER, "%s", fault);
	*result = ph_value_number(number);
	return true;
}

static bool
evaluate_sign(PhEvaluation *evaluation, const PhNode *node, const PhValue *current, PhValue *result)
{
	if (!evaluate(evaluation, node->left, current, result) || !require_number(evaluation, node->left, result))
		return false;
	if (node->operator == PH_OPERATOR_MINUS)
		*result = ph_value_number(ph_number_negate(result->u.number));
	return true;
}

static bool
evaluate_ternary(PhEvaluation *evaluation, const PhNode *node, const PhValue *current, PhValue *result)
{
	PhValue		condition;

	if (!evaluate(evaluation, node->left, current, &condition))
		return false;
	return evaluate(evaluation, ph_value_true(&condition) ? node->right : node->third, current, result);
}

/* ---- constructors, variables, calls ---- */

static bool
evaluate_list(PhEvaluation *evaluation, const PhNode *node, const PhValue *current, PhValue *result)
{
	const PhNode *item;
	PhValue		value;

	*result = ph_array_new(node->n);
	for (item = node->list; item != NULL; item = item->next)
	{
		if (!evaluate(evaluation, item, current, &value))
			return false;
		ph_array_append(result, &value);
	}
	return true;
}

static bool
evaluate_hash(PhEvaluation *evaluation, const PhNode *node, const PhValue *current, PhValue *result)
{
	const PhNode *member;
	PhValue		value;

	*result = ph_object_new(node->n);
	for (member = node->list; member != NULL; member = member->next)
	{
		if (!evaluate(evaluation, member->left, current, &value))
			return false;
		ph_object_append(result, member->text, member->length, &value);
	}
	ph_object_finish(result);
	return true;
}

/* All bindings are evaluated before any of them can be seen. */
static bool
evaluate_let(PhEvaluation *evaluation, const PhNode *node, const PhValue *current, PhValue *result)
{
	const PhVariable *outer = evaluation->variables;
	PhVariable *scope = palloc(node->n * sizeof(PhVariable));
	const PhNode *binding;
	bool		good;
	int			i = 0;

	for (binding = node->list; binding != NULL; binding = binding->next, i++)
	{
		if (!evaluate(evaluation, binding->left, current, &scope[i].value))
			return false;
		scope[i].name = binding->text;
		scope[i].length = binding->length;
		scope[i].outer = i == 0 ? outer : &scope[i - 1];
	}
	evaluation->variables = &scope[node->n - 1];
	good = evaluate(evaluation, node->left, current, result);
	evaluation->variables = outer;
	return good;
}

static bool
evaluate_call(PhEvaluation *evaluation, const PhNode *node, const PhValue *current, PhValue *result)
{
	PhValue    *arguments = palloc(Max(node->n, 1) * sizeof(PhValue));
	PhCall		call = {evaluation, node, node->prepared, node->n, arguments};
	const PhNode *argument;
	int			i = 0;

	for (argument = node->list; argument != NULL; argument = argument->next, i++)
	{
		if (argument->type == PH_NODE_REFERENCE)
		{
			arguments[i].type = PH_VALUE_EXPRESSION;
			arguments[i].length = 0;
			arguments[i].u.expression = argument->left;
		}
		else if (!evaluate(evaluation, argument, current, &arguments[i]))
			return false;
	}
	return ph_function_call(&call, result);
}

bool
ph_evaluate_node(PhEvaluation *evaluation, const PhNode *node, const PhValue *current, PhValue *result)
{
	check_stack_depth();
	if (--evaluation->visits < 0)
		return ph_evaluate_spent(evaluation, node);
	switch (node->type)
	{
		case PH_NODE_CURRENT:
			*result = *current;
			return true;
		case PH_NODE_ROOT:
			*result = evaluation->root;
			return true;
		case PH_NODE_VARIABLE:
			return evaluate_variable(evaluation, node, result);
		case PH_NODE_FIELD:
			return evaluate_field(node, current, result);
		case PH_NODE_LITERAL:
			*result = *(const PhValue *) node->prepared;
			return true;
		case PH_NODE_STRING:
			*result = ph_value_string(node->text, node->length);
			return true;
		case PH_NODE_INDEX:
			return evaluate_index(evaluation, node, current, result);
		case PH_NODE_SLICE:
			return evaluate_slice(evaluation, node, current, result);
		case PH_NODE_SUB:
			return evaluate_sub(evaluation, node, current, result);
		case PH_NODE_FLATTEN:
			return evaluate_flatten(evaluation, node, current, result);
		case PH_NODE_PROJECT_LIST:
		case PH_NODE_PROJECT_SLICE:
		case PH_NODE_PROJECT_VALUES:
		case PH_NODE_FILTER:
			return evaluate_projection(evaluation, node, current, result);
		case PH_NODE_PIPE:
			return evaluate_pipe(evaluation, node, current, result);
		case PH_NODE_OR:
		case PH_NODE_AND:
			return evaluate_or_and(evaluation, node, current, result);
		case PH_NODE_NOT:
			return evaluate_not(evaluation, node, current, result);
		case PH_NODE_COMPARE:
			return evaluate_compare(evaluation, node, current, result);
		case PH_NODE_ARITHMETIC:
			return evaluate_arithmetic(evaluation, node, current, result);
		case PH_NODE_SIGN:
			return evaluate_sign(evaluation, node, current, result);
		case PH_NODE_TERNARY:
			return evaluate_ternary(evaluation, node, current, result);
		case PH_NODE_LIST:
			return evaluate_list(evaluation, node, current, result);
		case PH_NODE_HASH:
			return evaluate_hash(evaluation, node, current, result);
		case PH_NODE_CALL:
			return evaluate_call(evaluation, node, current, result);
		case PH_NODE_LET:
			return evaluate_let(evaluation, node, current, result);
		case PH_NODE_MEMBER:
		case PH_NODE_BINDING:
		case PH_NODE_REFERENCE:
			break;				/* only below the nodes that they belong to */
	}
	elog(ERROR, "unexpected node of an expression: %d", (int) node->type);
}

bool
ph_jmespath_evaluate(const PhExpression *expression, PhEvaluation *evaluation, const PhValue *current, PhValue *result)
{
	evaluation->expression = expression;
	return ph_evaluate_node(evaluation, expression->node, current, result);
}
