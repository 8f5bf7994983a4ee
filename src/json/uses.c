/*
 * uses.c
 *	  What an expression reads, found by following its paths without a document.
 *
 * A path stands for everything below it: where the way cannot be followed any more, through a function or a choice, what
 * went in counts as read as a whole.
 */
#include "postgres.h"

#include "json/evaluate.h"

/* A variable that the expression binds itself; path NULL: not known. */
typedef struct Binding
{
	const PhNode *node;
	const char *path;
	const struct Binding *outer;
} Binding;

typedef struct Walk
{
	const PhExpression *expression;
	PhUse	   *first;
	PhUse	  **tail;
} Walk;

static const char *follow(Walk *walk, const PhNode *node, const char *current, const Binding *scope);

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

/* Follows, and takes what is at the end of the way as read. */
static void
read_whole(Walk *walk, const PhNode *node, const char *current, const Binding *scope)
{
	const char *path = follow(walk, node, current, scope);

	if (path != NULL)
		note(walk, PH_USE_FIELD, path, node);
}

static const char *
extend(const char *path, const char *more)
{
	return path == NULL ? NULL : psprintf("%s%s", path, more);
}

static const char *
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
	return psprintf("$%s", name);
}

static const char *
follow_projection(Walk *walk, const PhNode *node, const char *current, const Binding *scope)
{
	const char *path = extend(follow(walk, node->left, current, scope),
							  node->type == PH_NODE_PROJECT_VALUES ? ".*" : "[]");

	if (node->third != NULL)
		read_whole(walk, node->third, path, scope);
	return follow(walk, node->right, path, scope);
}

/* References are followed from the elements of the first argument that is none. */
static const char *
follow_call(Walk *walk, const PhNode *node, const char *current, const Binding *scope)
{
	const PhNode *argument;
	const char *elements = NULL;
	bool		known = false;

	note(walk, PH_USE_FUNCTION, pnstrdup(node->text, node->length), node);
	if ((node->length == 4 && memcmp(node->text, "xref", 4) == 0) ||
		(node->length == 9 && memcmp(node->text, "xref_back", 9) == 0))
		note(walk, PH_USE_XREF, pnstrdup(node->list->text, node->list->length), node);
	for (argument = node->list; argument != NULL; argument = argument->next)
	{
		const char *path;

		if (argument->type == PH_NODE_REFERENCE)
			continue;
		path = follow(walk, argument, current, scope);
		if (path != NULL)
			note(walk, PH_USE_FIELD, path, argument);
		if (!known)
			elements = extend(path, "[]");
		known = true;
	}
	for (argument = node->list; argument != NULL; argument = argument->next)
	{
		if (argument->type == PH_NODE_REFERENCE)
			read_whole(walk, argument->left, elements, scope);
	}
	return NULL;
}

static const char *
follow_let(Walk *walk, const PhNode *node, const char *current, const Binding *scope)
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

/* Every part is read, and nothing is known of the result. */
static const char *
follow_parts(Walk *walk, const PhNode *node, const char *current, const Binding *scope)
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
	return NULL;
}

/* Path of the value, or NULL when nobody can know. */
static const char *
follow(Walk *walk, const PhNode *node, const char *current, const Binding *scope)
{
	switch (node->type)
	{
		case PH_NODE_CURRENT:
			return current;
		case PH_NODE_ROOT:
			return "$";
		case PH_NODE_VARIABLE:
			return follow_variable(walk, node, scope);
		case PH_NODE_FIELD:
			return extend(current, psprintf(".%.*s", node->length, node->text));
		case PH_NODE_LITERAL:
		case PH_NODE_STRING:
			return NULL;
		case PH_NODE_INDEX:
			return extend(follow(walk, node->left, current, scope), psprintf("[" INT64_FORMAT "]", node->range[0]));
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
		default:
			return follow_parts(walk, node, current, scope);
	}
}

const PhUse *
ph_jmespath_uses(const PhExpression *expression)
{
	Walk		walk = {expression, NULL, NULL};

	walk.tail = &walk.first;
	read_whole(&walk, expression->node, "@", NULL);
	return walk.first;
}
