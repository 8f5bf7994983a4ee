/*
 * writes.c
 *	  What a mapping can write, found by looking at its templates: the outline of its output.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "json/writes.h"

#define PARTS_MAX	20000		/* mappings that use each other multiply; what is beyond can be anything */

/* What a variable of $let holds. */
typedef struct Scope
{
	const char *name;
	const PhValue *part;		/* NULL: anything */
	const struct Scope *outer;
} Scope;

typedef struct Walk
{
	const PhTemplateUnit *unit;
	int			parts;
} Walk;

static bool outline(Walk *walk, const PhTemplate *node, const Scope *scope, PhValue *part);

static PhValue
new_part(Walk *walk, const PhTemplate *node)
{
	PhValue		part = ph_object_new(3);

	ph_object_put_text(&part, "place", psprintf("%s#%s", walk->unit->id, node->pointer));
	return part;
}

static void
put(PhValue *part, const char *key, PhValue value)
{
	ph_object_put(part, key, &value);
}

/* Appends what the node can write. */
static void
add_outline(Walk *walk, PhValue *list, const PhTemplate *node, const Scope *scope)
{
	PhValue		part;

	if (node != NULL && outline(walk, node, scope, &part))
		ph_array_append(list, &part);
}

static void
outline_members(Walk *walk, const PhTemplate *node, const Scope *scope, PhValue *part)
{
	PhValue		members = ph_object_new(node->n);
	PhValue		member;
	int			i;

	for (i = 0; i < node->n; i++)
	{
		if (outline(walk, node->members[i].value, scope, &member))
			ph_object_append(&members, node->members[i].key, node->members[i].length, &member);
	}
	ph_object_finish(&members);
	ph_object_put(part, "members", &members);
}

static void
outline_elements(Walk *walk, const PhTemplate *node, const Scope *scope, PhValue *part)
{
	PhValue		items = ph_array_new(node->n);
	int			i;

	for (i = 0; i < node->n; i++)
		add_outline(walk, &items, node->members[i].value, scope);
	ph_object_put(part, "items", &items);
}

/* $each and $map. */
static void
outline_loop(Walk *walk, const PhTemplate *node, const Scope *scope, PhValue *part)
{
	Scope		it = {node->name, NULL, scope};
	Scope		parent = {"parent", NULL, &it};
	Scope		index = {"index", NULL, &parent};
	Scope		count = {"count", NULL, &index};
	PhValue		inside = node->kind == PH_TEMPLATE_EACH ? ph_array_new(1) : ph_object_new(0);

	if (node->kind == PH_TEMPLATE_EACH)
		add_outline(walk, &inside, node->body, &count);
	else
	{
		ph_object_finish(&inside);
		put(part, "open", ph_value_bool(true));
	}
	ph_object_put(part, node->kind == PH_TEMPLATE_EACH ? "items" : "members", &inside);
}

/* $value with $default, $if, $switch. */
static void
outline_choice(Walk *walk, const PhTemplate *node, const Scope *scope, PhValue *part)
{
	static const char *const types[] = {NULL, "string", "number", "integer", "boolean", "string", "string"};
	PhValue		any = ph_array_new(node->n + 2);
	int			i;

	if (node->kind == PH_TEMPLATE_VALUE && node->type != PH_TYPE_ANY)
	{
		ph_object_put_text(part, "type", types[node->type]);
		return;
	}
	add_outline(walk, &any, node->body, scope);
	for (i = 0; i < node->n; i++)
		add_outline(walk, &any, node->members[i].value, scope);
	add_outline(walk, &any, node->other, scope);
	ph_object_put(part, "any", &any);
}

static bool
outline_let(Walk *walk, const PhTemplate *node, const Scope *scope, PhValue *part)
{
	Scope	   *bound = palloc(Max(1, node->n) * sizeof(Scope));
	PhValue    *values = palloc(Max(1, node->n) * sizeof(PhValue));
	int			i;

	for (i = 0; i < node->n; i++)
	{
		bound[i].name = node->members[i].key;
		bound[i].part = outline(walk, node->members[i].value, scope, &values[i]) ? &values[i] : NULL;
		bound[i].outer = scope;
		scope = &bound[i];
	}
	return node->body != NULL && outline(walk, node->body, scope, part);
}

/* Adds the members of one part of a $merge; true: others may be there, too. */
static bool
merge(PhValue *members, const PhValue *part)
{
	PhValue		inside;
	PhValue		open;
	PhIterator	iterator;
	PhMember	item;
	bool		others = false;

	if (!ph_value_member(part, "members", strlen("members"), &inside) &&
		!ph_value_member(part, "any", strlen("any"), &inside))
		return true;
	ph_iterate(&iterator, &inside);
	while (ph_iterate_next(&iterator, &item))
	{
		if (item.key == NULL)
			others |= merge(members, &item.value);
		else
			ph_object_append(members, item.key, item.length, &item.value);
	}
	return others || ph_value_member(part, "open", strlen("open"), &open);
}

static void
outline_merge(Walk *walk, const PhTemplate *node, const Scope *scope, PhValue *part)
{
	PhValue		members = ph_object_new(16);
	bool		open = false;
	PhValue		piece;
	int			i;

	for (i = 0; i < node->n; i++)
	{
		if (outline(walk, node->members[i].value, scope, &piece))
			open |= merge(&members, &piece);
	}
	ph_object_finish(&members);
	ph_object_put(part, "members", &members);
	if (open)
		put(part, "open", ph_value_bool(true));
}

/* A leaf that is nothing but a variable writes what is bound to it. */
static bool
find_variable(const PhLeaf *leaf, const Scope *scope, PhValue *part)
{
	const PhPath *path = leaf->path;

	if (path == NULL || path->base != 'v' || path->steps != NULL || path->flatten)
		return false;
	for (; scope != NULL; scope = scope->outer)
	{
		if (strlen(scope->name) != path->variable_length || memcmp(scope->name, path->variable, path->variable_length) != 0)
			continue;
		if (scope->part != NULL)
			*part = *scope->part;
		return scope->part != NULL;
	}
	return false;
}

static void
outline_leaf(const PhLeaf *leaf, PhValue *part)
{
	PhValue		literal;
	PhKind		kind;

	if (ph_jmespath_literal(leaf->expression, &literal) && literal.type != PH_VALUE_NULL)
		ph_object_put(part, "value", &literal);
	else if (ph_jmespath_kind(leaf->expression, &kind))
		ph_object_put_text(part, "type", ph_kind_name(kind));
}

static bool
outline_use(Walk *walk, const PhTemplate *node, PhValue *part)
{
	const PhTemplateUnit *unit = walk->unit;
	bool		any;

	walk->unit = node->target;
	any = outline(walk, walk->unit->root, NULL, part);
	walk->unit = unit;
	return any;
}

/* False: the node writes nothing. */
static bool
outline(Walk *walk, const PhTemplate *node, const Scope *scope, PhValue *part)
{
	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (node->kind == PH_TEMPLATE_FAIL)
		return false;
	if (node->kind == PH_TEMPLATE_LET)
		return outline_let(walk, node, scope, part);
	if (node->kind == PH_TEMPLATE_LEAF && find_variable(node->leaf, scope, part))
		return true;
	if (node->kind == PH_TEMPLATE_USE && walk->parts < PARTS_MAX)
		return outline_use(walk, node, part);
	*part = new_part(walk, node);
	walk->parts++;
	if (walk->parts < PARTS_MAX)
	{
		switch (node->kind)
		{
			case PH_TEMPLATE_LITERAL:
				ph_object_put(part, "value", &node->literal);
				break;
			case PH_TEMPLATE_LEAF:
				outline_leaf(node->leaf, part);
				break;
			case PH_TEMPLATE_ARRAY:
				outline_elements(walk, node, scope, part);
				break;
			case PH_TEMPLATE_OBJECT:
				outline_members(walk, node, scope, part);
				break;
			case PH_TEMPLATE_VALUE:
			case PH_TEMPLATE_IF:
			case PH_TEMPLATE_SWITCH:
				outline_choice(walk, node, scope, part);
				break;
			case PH_TEMPLATE_EACH:
			case PH_TEMPLATE_MAP:
				outline_loop(walk, node, scope, part);
				break;
			case PH_TEMPLATE_MERGE:
				outline_merge(walk, node, scope, part);
				break;
			default:
				break;
		}
	}
	ph_object_finish(part);
	return true;
}

PhValue
ph_writes_find(const PhMapping *mapping)
{
	Walk		walk = {mapping->unit, 0};
	PhValue		part;

	if (!outline(&walk, mapping->unit->root, NULL, &part))
		part = ph_value_null();
	return part;
}
