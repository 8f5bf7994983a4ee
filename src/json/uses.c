/*
 * uses.c
 *	  What an expression reads and takes for granted, found by following its paths without a document.
 *
 * A path stands for everything below it: where the way cannot be followed any more, through a function or a choice, what
 * went in counts as read as a whole.
 */
#include "postgres.h"

#include "json/evaluate.h"

/* Where a value comes from.  A projection makes a list whose elements come from there. */
typedef struct Path
{
	const char *text;			/* NULL: not known */
	bool		list;
} Path;

/* A variable that the expression binds itself. */
typedef struct Binding
{
	const PhNode *node;
	Path		path;
	const struct Binding *outer;
} Binding;

typedef struct Walk
{
	const PhExpression *expression;
	PhUse	   *first;
	PhUse	  **tail;
	PhAssumption *first_assumption;
	PhAssumption **tail_assumption;
} Walk;

static const Path unknown = {NULL, false};

static Path follow(Walk *walk, const PhNode *node, Path current, const Binding *scope);

static void
note(Walk *walk, PhUseKind kind, const char *name, const PhNode *node)
{
	PhUse	   *use;

	for (use = walk->first; use != NULL; use = unconstify(PhUse *, use->next))
	{
		if (use->kind == kind && strcmp(use->name, name) == 0)
			return;
	}
	use = palloc0(sizeof(PhUse));
	use->kind = kind;
	use->name = name;
	use->column = ph_expression_column(walk->expression->text, node->offset);
	*walk->tail = use;
	walk->tail = (PhUse **) &use->next;
}

static PhAssumption *
assume(Walk *walk, PhAssumptionKind kind, Path path, const PhNode *node)
{
	PhAssumption *assumption = palloc0(sizeof(PhAssumption));

	assumption->kind = kind;
	assumption->path = path.text;
	assumption->column = ph_expression_column(walk->expression->text, node->offset);
	*walk->tail_assumption = assumption;
	walk->tail_assumption = (PhAssumption **) &assumption->next;
	return assumption;
}

/* Follows, and takes what is at the end of the way as read. */
static Path
read_whole(Walk *walk, const PhNode *node, Path current, const Binding *scope)
{
	Path		path = follow(walk, node, current, scope);

	if (path.text != NULL)
		note(walk, PH_USE_FIELD, path.text, node);
	return path;
}

static Path
make_path(const char *text)
{
	Path		path = {text, false};

	return path;
}

static Path
extend(Path path, const char *more)
{
	return path.text == NULL ? unknown : make_path(psprintf("%s%s", path.text, more));
}

/* In quotes where the end of the name would not be clear. */
static const char *
member_step(const PhNode *node)
{
	bool		quote = memchr(node->text, '.', node->length) != NULL || memchr(node->text, '[', node->length) != NULL;

	return psprintf(quote ? ".\"%.*s\"" : ".%.*s", node->length, node->text);
}

/* One element, or each, of the value. */
static Path
element_of(Path path, const char *which)
{
	return path.list ? make_path(path.text) : extend(path, which);
}

static Path
follow_variable(Walk *walk, const PhNode *node, const Binding *scope)
{
	const char *name;

	for (; scope != NULL; scope = scope->outer)
	{
		if (scope->node->length == node->length && memcmp(scope->node->text, node->text, node->length) == 0)
			return scope->path;
	}
	name = pnstrdup(node->text, node->length);
	note(walk, PH_USE_VARIABLE, name, node);
	return make_path(psprintf("$%s", name));
}

static Path
follow_projection(Walk *walk, const PhNode *node, Path current, const Binding *scope)
{
	Path		path = element_of(follow(walk, node->left, current, scope),
								  node->type == PH_NODE_PROJECT_VALUES ? ".*" : "[]");

	if (node->third != NULL)
		read_whole(walk, node->third, path, scope);
	path = follow(walk, node->right, path, scope);
	path.list = path.text != NULL;
	return path;
}

/* References are followed from the elements of the first argument that is none. */
static Path
follow_call(Walk *walk, const PhNode *node, Path current, const Binding *scope)
{
	const PhNode *argument;
	Path		elements = unknown;
	bool		known = false;

	note(walk, PH_USE_FUNCTION, pnstrdup(node->text, node->length), node);
	if ((node->length == 4 && memcmp(node->text, "xref", 4) == 0) ||
		(node->length == 9 && memcmp(node->text, "xref_back", 9) == 0))
		note(walk, PH_USE_XREF, pnstrdup(node->list->text, node->list->length), node);
	for (argument = node->list; argument != NULL; argument = argument->next)
	{
		Path		path;

		if (argument->type == PH_NODE_REFERENCE)
			continue;
		path = follow(walk, argument, current, scope);
		if (path.text != NULL)
			note(walk, PH_USE_FIELD, path.text, argument);
		if (!known)
			elements = element_of(path, "[]");
		known = true;
	}
	for (argument = node->list; argument != NULL; argument = argument->next)
	{
		if (argument->type == PH_NODE_REFERENCE)
			read_whole(walk, argument->left, elements, scope);
	}
	return unknown;
}

static Path
follow_let(Walk *walk, const PhNode *node, Path current, const Binding *scope)
{
	Binding    *bindings = palloc(node->n * sizeof(Binding));
	const PhNode *binding;
	int			i = 0;

	for (binding = node->list; binding != NULL; binding = binding->next, i++)
	{
		bindings[i].node = binding;
		bindings[i].path = follow(walk, binding->left, current, scope);
		bindings[i].outer = i == 0 ? scope : &bindings[i - 1];
	}
	return follow(walk, node->left, current, &bindings[node->n - 1]);
}

/* A list that an expression makes is no field. */
static bool
is_field(Path path)
{
	return path.text != NULL && !path.list;
}

static Path
follow_comparison(Walk *walk, const PhNode *node, Path current, const Binding *scope)
{
	Path		left = read_whole(walk, node->left, current, scope);
	Path		right = read_whole(walk, node->right, current, scope);
	bool		equality = node->operator == PH_OPERATOR_EQUAL || node->operator == PH_OPERATOR_DIFFERENT;
	PhValue		literal;

	if (!equality && is_field(left))
		assume(walk, PH_ASSUME_ORDER, left, node);
	if (!equality && is_field(right))
		assume(walk, PH_ASSUME_ORDER, right, node);
	if (!equality)
		return unknown;
	if (is_field(left) && is_field(right))
		assume(walk, PH_ASSUME_EQUAL, left, node)->other = right.text;
	else if (is_field(left) && ph_node_literal(node->right, &literal))
		assume(walk, PH_ASSUME_EQUAL, left, node)->literal = literal;
	else if (is_field(right) && ph_node_literal(node->left, &literal))
		assume(walk, PH_ASSUME_EQUAL, right, node)->literal = literal;
	return unknown;
}

static Path
follow_arithmetic(Walk *walk, const PhNode *node, Path current, const Binding *scope)
{
	const PhNode *operands[] = {node->left, node->right};
	int			i;

	for (i = 0; i < lengthof(operands); i++)
	{
		Path		path = operands[i] == NULL ? unknown : read_whole(walk, operands[i], current, scope);

		if (is_field(path))
			assume(walk, PH_ASSUME_NUMBER, path, operands[i]);
	}
	return unknown;
}

/* Every part is read, and nothing is known of the result. */
static Path
follow_parts(Walk *walk, const PhNode *node, Path current, const Binding *scope)
{
	const PhNode *parts[] = {node->left, node->right, node->third};
	const PhNode *item;
	int			i;

	for (i = 0; i < lengthof(parts); i++)
	{
		if (parts[i] != NULL)
			read_whole(walk, parts[i], current, scope);
	}
	for (item = node->list; item != NULL; item = item->next)
		read_whole(walk, item, current, scope);
	return unknown;
}

static Path
follow(Walk *walk, const PhNode *node, Path current, const Binding *scope)
{
	switch (node->type)
	{
		case PH_NODE_CURRENT:
			return current;
		case PH_NODE_ROOT:
			return make_path("$");
		case PH_NODE_VARIABLE:
			return follow_variable(walk, node, scope);
		case PH_NODE_FIELD:
			return current.list ? unknown : extend(current, member_step(node));
		case PH_NODE_LITERAL:
		case PH_NODE_STRING:
			return unknown;
		case PH_NODE_INDEX:
			return element_of(follow(walk, node->left, current, scope), psprintf("[" INT64_FORMAT "]", node->range[0]));
		case PH_NODE_SLICE:
		case PH_NODE_FLATTEN:
			return follow(walk, node->left, current, scope);
		case PH_NODE_SUB:
		case PH_NODE_PIPE:
			return follow(walk, node->right, follow(walk, node->left, current, scope), scope);
		case PH_NODE_PROJECT_LIST:
		case PH_NODE_PROJECT_SLICE:
		case PH_NODE_PROJECT_VALUES:
		case PH_NODE_FILTER:
			return follow_projection(walk, node, current, scope);
		case PH_NODE_CALL:
			return follow_call(walk, node, current, scope);
		case PH_NODE_LET:
			return follow_let(walk, node, current, scope);
		case PH_NODE_COMPARE:
			return follow_comparison(walk, node, current, scope);
		case PH_NODE_ARITHMETIC:
		case PH_NODE_SIGN:
			return follow_arithmetic(walk, node, current, scope);
		default:
			return follow_parts(walk, node, current, scope);
	}
}

static void
walk_expression(Walk *walk, const PhExpression *expression)
{
	memset(walk, 0, sizeof(Walk));
	walk->expression = expression;
	walk->tail = &walk->first;
	walk->tail_assumption = &walk->first_assumption;
	read_whole(walk, expression->node, make_path("@"), NULL);
}

const PhUse *
ph_jmespath_uses(const PhExpression *expression)
{
	Walk		walk;

	walk_expression(&walk, expression);
	return walk.first;
}

const PhAssumption *
ph_jmespath_assumptions(const PhExpression *expression)
{
	Walk		walk;

	walk_expression(&walk, expression);
	return walk.first_assumption;
}
