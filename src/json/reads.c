/*
 * reads.c
 *	  What a mapping reads and relies on, found by looking at its templates, and what in them is probably not meant.
 *
 * Paths are those of ph_jmespath_uses(), made absolute: "$" is the document.  Where nobody can know what @ or a
 * variable is, its path is NULL; what it was made of counts as read as a whole.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "json/reads.h"
#include "json/xref.h"

#define UNREAD_MAX	200

typedef struct Known
{
	const char *name;
	const char *path;
	const struct Known *outer;
} Known;

/* What is known at a node. */
typedef struct Context
{
	const PhTemplateUnit *unit;
	const char *root;
	const char *current;
	const Known *variables;
} Context;

typedef struct Walk
{
	PhReads    *reads;
	PhNames		seen;			/* units, each with what it was given */
} Walk;

static void walk_node(Walk *walk, const PhTemplate *node, const Context *context);

/* ---- names ---- */

static bool
add_name(PhNames *names, const char *name)
{
	int			i;

	for (i = 0; i < names->n; i++)
	{
		if (strcmp(names->list[i], name) == 0)
			return false;
	}
	if (names->n == names->allocated)
	{
		names->allocated = Max(16, 2 * names->allocated);
		names->list = names->list == NULL ? palloc(names->allocated * sizeof(char *)) :
			repalloc(names->list, names->allocated * sizeof(char *));
	}
	names->list[names->n++] = name;
	return true;
}

/* mapping#pointer; an expression of its own has no place. */
static const char *
place_of(const Context *context, const char *pointer)
{
	return context->unit == NULL ? "" : psprintf("%s#%s", context->unit->id, pointer);
}

static void
warn(Walk *walk, const Context *context, const char *pointer, int column, const char *code, const char *message,
	 const char *hint)
{
	ph_problem_add(&walk->reads->warnings, place_of(context, pointer), code, hint, column, "%s", message);
}

/* ---- paths ---- */

/* The absolute path of "@...", "$...", "$name..."; NULL: unknown, or not of the document. */
static const char *
absolute(const Context *context, const char *path)
{
	const char *end;
	const Known *known;

	if (path[0] == '@')
		return context->current == NULL ? NULL : psprintf("%s%s", context->current, path + 1);
	end = path + 1 + strcspn(path + 1, ".[");
	if (end == path + 1)
		return context->root == NULL ? NULL : psprintf("%s%s", context->root, end);
	for (known = context->variables; known != NULL; known = known->outer)
	{
		if (strlen(known->name) == end - path - 1 && memcmp(known->name, path + 1, end - path - 1) == 0)
			return known->path == NULL ? NULL : psprintf("%s%s", known->path, end);
	}
	return NULL;
}

/* The absolute path of a leaf that is nothing but a path; NULL: it is more, or unknown. */
static const char *
leaf_path(const Context *context, const PhLeaf *leaf)
{
	const PhUse *use;
	const char *path = NULL;

	if (leaf == NULL || leaf->path == NULL)
		return NULL;
	for (use = ph_jmespath_uses(leaf->expression); use != NULL; use = use->next)
	{
		if (use->kind == PH_USE_FIELD)
			path = absolute(context, use->name);
	}
	return path;
}

static PhValue
new_finding(const char *path, const char *place, int column)
{
	PhValue		finding = ph_object_new(6);
	PhValue		number = ph_value_int(column);

	ph_object_put_text(&finding, "path", path);
	ph_object_put_text(&finding, "place", place);
	ph_object_put(&finding, "column", &number);
	return finding;
}

static void
add_place(Walk *walk, const char *path, const char *place, int column)
{
	PhValue		finding = new_finding(path, place, column);

	ph_object_finish(&finding);
	ph_array_append(&walk->reads->places, &finding);
}

/* other: a path, or NULL for the literal. */
static void
add_assumption(Walk *walk, const char *kind, const char *path, const char *other, const PhValue *literal,
			   const char *place, int column)
{
	PhValue		finding = new_finding(path, place, column);

	ph_object_put_text(&finding, "kind", kind);
	if (other != NULL)
		ph_object_put_text(&finding, "other", other);
	else
		ph_object_put(&finding, "literal", literal);
	ph_object_finish(&finding);
	ph_array_append(&walk->reads->assumptions, &finding);
}

static void
walk_assumptions(Walk *walk, const PhExpression *expression, const char *pointer, const Context *context)
{
	static const char *const kinds[] = {"equal", "order", "number"};
	const PhAssumption *assumption;

	for (assumption = ph_jmespath_assumptions(expression); assumption != NULL; assumption = assumption->next)
	{
		const char *path = absolute(context, assumption->path);
		const char *other = assumption->other == NULL ? NULL : absolute(context, assumption->other);

		if (path != NULL && (assumption->other == NULL || other != NULL))
			add_assumption(walk, kinds[assumption->kind], path, other, &assumption->literal,
						   place_of(context, pointer), assumption->column);
	}
}

/* whole: the value is wanted, not only what is below it. */
static void
walk_expression(Walk *walk, const PhExpression *expression, const char *pointer, const Context *context, bool whole)
{
	const PhUse *use;
	const PhWarning *warning;
	PhOnMissing on_missing;

	for (use = ph_jmespath_uses(expression); use != NULL; use = use->next)
	{
		const char *path = use->kind == PH_USE_FIELD ? absolute(context, use->name) : NULL;

		if (whole && path != NULL)
			add_name(&walk->reads->fields, path);
		if (path != NULL)
			add_place(walk, path, place_of(context, pointer), use->column);
		if (use->kind != PH_USE_XREF || !add_name(&walk->reads->sets, use->name))
			continue;
		if (!ph_xref_set_find(use->name, &on_missing))
			warn(walk, context, pointer, use->column, "unknown-xref",
				 psprintf("cross-reference \"%s\" does not exist", use->name),
				 "Create it with planthub.create_xref_set().");
	}
	for (warning = ph_jmespath_warnings(expression); warning != NULL; warning = warning->next)
		warn(walk, context, pointer, warning->column, warning->code, warning->message, warning->hint);
	walk_assumptions(walk, expression, pointer, context);
}

static void
walk_leaf(Walk *walk, const PhLeaf *leaf, const Context *context, bool whole)
{
	if (leaf != NULL)
		walk_expression(walk, leaf->expression, leaf->pointer, context, whole);
}

/* What decides, but depends on nothing. */
static void
check_constant(Walk *walk, const PhLeaf *leaf, const Context *context)
{
	const PhUse *use;

	if (leaf == NULL)
		return;
	for (use = ph_jmespath_uses(leaf->expression); use != NULL; use = use->next)
	{
		if (use->kind != PH_USE_FUNCTION)
			return;
	}
	warn(walk, context, leaf->pointer, 0, "constant", "the condition is always the same",
		 "Write a field of the input, or leave out what is never used.");
}

/* ---- nodes ---- */

static void
walk_loop(Walk *walk, const PhTemplate *node, const Context *context)
{
	const char *path = leaf_path(context, node->leaf);
	const char *element = path == NULL ? NULL : psprintf("%s[]", path);
	Known		it = {node->name, element, context->variables};
	Known		parent = {"parent", context->current, &it};
	Known		index = {"index", NULL, &parent};
	Known		count = {"count", NULL, &index};
	Context		inner = {context->unit, context->root, element, &count};

	walk_leaf(walk, node->leaf, context, path == NULL);
	check_constant(walk, node->where, &inner);
	walk_leaf(walk, node->where, &inner, true);
	walk_leaf(walk, node->order, &inner, true);
	walk_leaf(walk, node->key, &inner, true);
	walk_node(walk, node->body, &inner);
}

static void
walk_let(Walk *walk, const PhTemplate *node, const Context *context)
{
	Known	   *known = palloc(Max(1, node->n) * sizeof(Known));
	Context		inner = *context;
	int			i;

	for (i = 0; i < node->n; i++)
	{
		const PhTemplateMember *binding = &node->members[i];
		const Known *outer;

		for (outer = inner.variables; outer != NULL; outer = outer->outer)
		{
			if (strcmp(outer->name, binding->key) == 0)
				break;
		}
		if (outer != NULL || strcmp(binding->key, "env") == 0)
			warn(walk, context, binding->value->pointer, 0, "hidden-variable",
				 psprintf("variable \"$%s\" hides an outer one of the same name", binding->key), "Use another name.");
		known[i].name = binding->key;
		known[i].path = leaf_path(&inner, binding->value->leaf);
		known[i].outer = inner.variables;
		if (known[i].path != NULL && binding->value->kind == PH_TEMPLATE_LEAF)
			walk_leaf(walk, binding->value->leaf, &inner, false);
		else
		{
			known[i].path = NULL;
			walk_node(walk, binding->value, &inner);
		}
		inner.variables = &known[i];
	}
	walk_node(walk, node->body, &inner);
}

static void
walk_use(Walk *walk, const PhTemplate *node, const Context *context)
{
	const PhTemplateUnit *unit = node->target;
	Context		inner = {unit, NULL, NULL, NULL};

	if (node->body == NULL)
		inner.current = context->current;
	else if (node->body->kind == PH_TEMPLATE_LEAF)
		inner.current = leaf_path(context, node->body->leaf);
	if (node->body != NULL && inner.current == NULL)
		walk_node(walk, node->body, context);
	else if (node->body != NULL)
		walk_leaf(walk, node->body->leaf, context, false);
	inner.root = inner.current;
	if (add_name(&walk->seen, psprintf("%s %s", unit->id, inner.current == NULL ? "" : inner.current)))
		walk_node(walk, unit->root, &inner);
}

/* $switch compares the value as text with each of its cases. */
static void
walk_switch(Walk *walk, const PhTemplate *node, const Context *context)
{
	const char *path = leaf_path(context, node->leaf);
	int			i;

	check_constant(walk, node->leaf, context);
	for (i = 0; path != NULL && i < node->n; i++)
	{
		PhValue		literal = ph_value_string(node->members[i].key, node->members[i].length);

		add_assumption(walk, "case", path, NULL, &literal, place_of(context, node->members[i].value->pointer), 0);
	}
}

static void
walk_node(Walk *walk, const PhTemplate *node, const Context *context)
{
	int			i;

	check_stack_depth();
	if (node == NULL)
		return;
	switch (node->kind)
	{
		case PH_TEMPLATE_EACH:
		case PH_TEMPLATE_MAP:
			walk_loop(walk, node, context);
			return;
		case PH_TEMPLATE_LET:
			walk_let(walk, node, context);
			return;
		case PH_TEMPLATE_USE:
			walk_use(walk, node, context);
			return;
		case PH_TEMPLATE_CALL:
			add_name(&walk->reads->functions, node->name);
			break;
		case PH_TEMPLATE_IF:
			check_constant(walk, node->leaf, context);
			break;
		case PH_TEMPLATE_SWITCH:
			walk_switch(walk, node, context);
			break;
		default:
			break;
	}
	walk_leaf(walk, node->leaf, context, true);
	walk_node(walk, node->body, context);
	walk_node(walk, node->other, context);
	for (i = 0; i < node->n; i++)
		walk_node(walk, node->members[i].value, context);
}

static void
start(PhReads *reads)
{
	memset(reads, 0, sizeof(PhReads));
	reads->places = ph_array_new(16);
	reads->assumptions = ph_array_new(16);
}

void
ph_reads_find(const PhMapping *mapping, PhReads *reads)
{
	Walk		walk = {.reads = reads};
	Context		context = {mapping->unit, "$", "$", NULL};

	start(reads);
	walk_node(&walk, mapping->unit->root, &context);
}

void
ph_reads_of_expression(const PhExpression *expression, PhReads *reads)
{
	Walk		walk = {.reads = reads};
	Context		context = {NULL, "$", "$", NULL};

	start(reads);
	walk_expression(&walk, expression, "", &context, true);
}

/* ---- what is not read ---- */

/* The rest of a path behind a member; NULL: it is another member. */
static const char *
behind_member(const char *path, const char *key, int length)
{
	int			quotes;

	if (path[0] != '.')
		return NULL;
	if (path[1] == '*' && (path[2] == '\0' || path[2] == '.' || path[2] == '['))
		return path + 2;
	quotes = path[1] == '"' ? 1 : 0;
	if (strncmp(path + 1 + quotes, key, length) != 0 || (quotes == 1 && path[1 + quotes + length] != '"'))
		return NULL;
	path += 1 + length + 2 * quotes;
	return *path == '\0' || *path == '.' || *path == '[' ? path : NULL;
}

/* The rest behind an element; negative numbers may be any. */
static const char *
behind_element(const char *path, int number)
{
	const char *end = strchr(path, ']');

	if (path[0] != '[' || end == NULL)
		return NULL;
	if (path[1] != ']' && path[1] != '-' && atoi(path + 1) != number)
		return NULL;
	return end + 1;
}

/* paths: what is read below the value, relative to it. */
static void
find_unread(PhNames *unread, const char *const *paths, int n, const PhValue *value, const char *pointer)
{
	PhKind		kind = ph_value_kind(value);
	const char **below = palloc(Max(1, n) * sizeof(char *));
	PhIterator	iterator;
	PhMember	member;
	int			number = 0;
	int			i;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	for (i = 0; i < n; i++)
	{
		/* A single value counts as an array of one. */
		below[i] = paths[i];
		while (kind != PH_KIND_ARRAY && strncmp(below[i], "[]", 2) == 0)
			below[i] += 2;
		if (below[i][0] == '\0')
			return;
	}
	if (n == 0 && unread->n < UNREAD_MAX)
		add_name(unread, pointer);
	if (n == 0 || (kind != PH_KIND_ARRAY && kind != PH_KIND_OBJECT))
		return;
	ph_iterate(&iterator, value);
	while (ph_iterate_next(&iterator, &member))
	{
		const char **rest = palloc(n * sizeof(char *));
		int			m = 0;

		for (i = 0; i < n; i++)
		{
			rest[m] = member.key != NULL ? behind_member(below[i], member.key, member.length) :
				behind_element(below[i], number);
			m += rest[m] != NULL;
		}
		find_unread(unread, rest, m, &member.value, member.key == NULL ? psprintf("%s/*", pointer) :
					ph_pointer_append(pointer, member.key, member.length));
		pfree(rest);
		number++;
	}
	pfree(below);
}

PhValue
ph_reads_unread(const PhMapping *mapping, const PhValue *document)
{
	PhReads		reads;
	PhNames		unread = {0};
	PhValue		list;
	int			i;

	ph_reads_find(mapping, &reads);
	for (i = 0; i < reads.fields.n; i++)
		reads.fields.list[i]++;	/* "$" */
	find_unread(&unread, reads.fields.list, reads.fields.n, document, "");
	list = ph_array_new(unread.n);
	for (i = 0; i < unread.n; i++)
	{
		PhValue		text = ph_value_text(unread.list[i]);

		ph_array_append(&list, &text);
	}
	return list;
}
