/*
 * warnings.c
 *	  What an expression may say and its author probably did not mean.
 */
#include "postgres.h"

#include "json/evaluate.h"

typedef struct Lint
{
	const PhExpression *expression;
	PhWarning  *first;
	PhWarning **tail;
} Lint;

/* These make a number of foreseeable length of a quotient. */
static const char *const rounding[] = {"round", "format_number", "ceil", "floor", "integer"};

static void
warn(Lint *lint, const PhNode *node, const char *code, const char *message, const char *hint)
{
	PhWarning  *warning = palloc0(sizeof(PhWarning));

	warning->code = code;
	warning->message = message;
	warning->hint = hint;
	warning->column = ph_expression_column(lint->expression->text, node->offset);
	*lint->tail = warning;
	lint->tail = (PhWarning **) &warning->next;
}

static bool
calls(const PhNode *node, const char *name)
{
	return node->type == PH_NODE_CALL && node->length == strlen(name) && memcmp(node->text, name, node->length) == 0;
}

static bool
is_rounding(const PhNode *node)
{
	int			i;

	for (i = 0; i < lengthof(rounding); i++)
	{
		if (calls(node, rounding[i]))
			return true;
	}
	return false;
}

static bool
is_name(const PhNode *node)
{
	return node->type == PH_NODE_FIELD && !node->grouped;
}

/* a-b, line-1: a name cannot have a minus. */
static bool
looks_like_name(const Lint *lint, const PhNode *node)
{
	const char *text = lint->expression->text;
	const PhNode *left = node->left->type == PH_NODE_SUB ? node->left->right : node->left;

	return node->operator == PH_OPERATOR_MINUS && is_name(left) && node->offset > 0 &&
		(is_name(node->right) || node->right->type == PH_NODE_LITERAL) &&
		text[node->offset] == '-' && text[node->offset - 1] != ' ' && text[node->offset + 1] != ' ';
}

/* Only numbers have an order, and only they can be computed with. */
static bool
is_no_number(const PhNode *node)
{
	PhKind		kind;

	return node != NULL && ph_node_kind(node, &kind) && kind != PH_KIND_NUMBER;
}

static bool
never_equal(const PhNode *node)
{
	PhKind		left;
	PhKind		right;

	return node->type == PH_NODE_COMPARE &&
		(node->operator == PH_OPERATOR_EQUAL || node->operator == PH_OPERATOR_DIFFERENT) &&
		ph_node_kind(node->left, &left) && ph_node_kind(node->right, &right) && left != right;
}

static bool
is_ordering(const PhNode *node)
{
	return node->type == PH_NODE_COMPARE && node->operator != PH_OPERATOR_EQUAL &&
		node->operator != PH_OPERATOR_DIFFERENT;
}

static bool
is_projection(const PhNode *node)
{
	return node->type == PH_NODE_PROJECT_LIST || node->type == PH_NODE_FILTER;
}

static bool
indexes_each(const PhNode *node)
{
	return is_projection(node) && node->right->type == PH_NODE_INDEX && node->right->left->type == PH_NODE_CURRENT;
}

static void
check_node(Lint *lint, const PhNode *node, bool rounded)
{
	if (node->left != NULL && node->left->type == PH_NODE_NOT && !node->left->grouped &&
		(node->type == PH_NODE_SUB || node->type == PH_NODE_INDEX))
		warn(lint, node->left, "negated-name", "\"!\" binds stronger than what follows its first name", "Write !(...).");
	if (never_equal(node))
		warn(lint, node, "never-equal", "the two sides are never of the same type",
			 "Convert one of them, with number() or to_string().");
	if ((node->type == PH_NODE_ARITHMETIC || node->type == PH_NODE_SIGN) &&
		(is_no_number(node->left) || is_no_number(node->right)))
		warn(lint, node, "no-number", "one side is no number, so this is always an error", "Put number() around it.");
	if (is_ordering(node) && (is_no_number(node->left) || is_no_number(node->right)))
		warn(lint, node, "no-order", "only numbers can be less or greater, so this is always null",
			 "Compare numbers, or use == and !=.");
	if (node->type == PH_NODE_ARITHMETIC && looks_like_name(lint, node))
		warn(lint, node, "minus-in-name", "this subtracts; a name cannot have a \"-\"",
			 "Put the name in double quotes, or blanks around the minus.");
	if (node->type == PH_NODE_ARITHMETIC && node->operator == PH_OPERATOR_DIVIDE && !rounded)
		warn(lint, node, "quotient", "a quotient has as many digits as it needs", "Put round() around it.");
	if (indexes_each(node))
		warn(lint, node->right, "index-of-each", "the index looks into each element of the list",
			 "Write (...)[0] or ... | [0] for one of them.");
	if (calls(node, "to_number"))
		warn(lint, node, "to-number", "to_number() makes null of what is no number", "Use number(), which says so.");
}

/* null, true and false are names of fields in JMESPath; x.null and x[*].null may be meant. */
static void
check_constant(Lint *lint, const PhNode *node, const PhNode *parent)
{
	static const char *const constants[] = {"null", "true", "false"};
	int			i;

	if (node->type != PH_NODE_FIELD || lint->expression->text[node->offset] == '"' ||
		(parent != NULL && parent->right == node && (parent->type == PH_NODE_SUB || is_projection(parent) ||
													 parent->type == PH_NODE_PROJECT_SLICE ||
													 parent->type == PH_NODE_PROJECT_VALUES)))
		return;
	for (i = 0; i < lengthof(constants); i++)
	{
		if (node->length == strlen(constants[i]) && memcmp(node->text, constants[i], node->length) == 0)
			warn(lint, node, "constant-name", psprintf("%s is the name of a field here", constants[i]),
				 psprintf("Write `%s`.", constants[i]));
	}
}

static void
check(Lint *lint, const PhNode *node, const PhNode *parent, bool rounded)
{
	const PhNode *parts[] = {node->left, node->right, node->third};
	const PhNode *item;
	int			i;

	check_constant(lint, node, parent);
	check_node(lint, node, rounded);
	rounded = rounded || is_rounding(node);
	for (i = 0; i < lengthof(parts); i++)
	{
		if (parts[i] != NULL)
			check(lint, parts[i], node, rounded);
	}
	for (item = node->list; item != NULL; item = item->next)
		check(lint, item, node, rounded);
}

const PhWarning *
ph_jmespath_warnings(const PhExpression *expression)
{
	Lint		lint = {expression, NULL, NULL};

	lint.tail = &lint.first;
	check(&lint, expression->node, NULL, false);
	return lint.first;
}
