/*
 * kind.c
 *	  What kind of value an expression has, as far as it can be told without a document.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "json/function.h"

bool
ph_node_literal(const PhNode *node, PhValue *value)
{
	if (node->type == PH_NODE_LITERAL)
		*value = *(const PhValue *) node->prepared;
	else if (node->type == PH_NODE_STRING)
		*value = ph_value_string(node->text, node->length);
	return node->type == PH_NODE_LITERAL || node->type == PH_NODE_STRING;
}

static bool
known(PhKind *kind, PhKind is)
{
	*kind = is;
	return true;
}

static bool
result_of(char letter, PhKind *kind)
{
	switch (letter)
	{
		case 'b':
			return known(kind, PH_KIND_BOOLEAN);
		case 's':
			return known(kind, PH_KIND_STRING);
		case 'n':
			return known(kind, PH_KIND_NUMBER);
		case 'a':
			return known(kind, PH_KIND_ARRAY);
		case 'o':
			return known(kind, PH_KIND_OBJECT);
		default:
			return false;
	}
}

/* Both ways lead to the same. */
static bool
same(const PhNode *one, const PhNode *other, PhKind *kind)
{
	PhKind		second;

	return ph_node_kind(one, kind) && ph_node_kind(other, &second) && *kind == second;
}

bool
ph_node_kind(const PhNode *node, PhKind *kind)
{
	PhValue		literal;

	check_stack_depth();
	switch (node->type)
	{
		case PH_NODE_LITERAL:
		case PH_NODE_STRING:
			(void) ph_node_literal(node, &literal);
			*kind = ph_value_kind(&literal);
			return *kind != PH_KIND_NULL;
		case PH_NODE_NOT:
		case PH_NODE_COMPARE:
			return known(kind, PH_KIND_BOOLEAN);
		case PH_NODE_ARITHMETIC:
		case PH_NODE_SIGN:
			return known(kind, PH_KIND_NUMBER);
		case PH_NODE_LIST:
		case PH_NODE_FLATTEN:
		case PH_NODE_PROJECT_LIST:
		case PH_NODE_PROJECT_VALUES:
		case PH_NODE_FILTER:
			return known(kind, PH_KIND_ARRAY);
		case PH_NODE_HASH:
			return known(kind, PH_KIND_OBJECT);
		case PH_NODE_CALL:
			return result_of(((const PhFunction *) node->prepared)->result, kind);
		case PH_NODE_SUB:
		case PH_NODE_PIPE:
			return ph_node_kind(node->right, kind);
		case PH_NODE_OR:
		case PH_NODE_AND:
			return same(node->left, node->right, kind);
		case PH_NODE_TERNARY:
			return same(node->right, node->third, kind);
		case PH_NODE_LET:
			return ph_node_kind(node->left, kind);
		default:
			return false;
	}
}

bool
ph_jmespath_kind(const PhExpression *expression, PhKind *kind)
{
	return ph_node_kind(expression->node, kind);
}

bool
ph_jmespath_literal(const PhExpression *expression, PhValue *value)
{
	return ph_node_literal(expression->node, value);
}
