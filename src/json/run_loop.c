/*
 * run_loop.c
 *	  Loops of a template at work: $each and $map.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "json/run.h"

#define EXPECTED_MOST	64		/* elements for which there is room at once; many may come to nothing */

/* An element of a loop, chosen and perhaps sorted. */
typedef struct Item
{
	PhValue		value;
	PhValue		key;
	int			element;		/* in the input */
} Item;

/* The scope of an element.  storage holds its variables: it and parent. */
static PhScope
element_scope(const PhTemplate *node, const PhScope *scope, const Item *item, const PhOrigin *origin, PhVariable storage[2])
{
	PhScope		inner;

	storage[0] = (PhVariable) {node->name, node->name_length, item->value, scope->variables};
	storage[1] = (PhVariable) {"parent", 6, scope->current, &storage[0]};
	inner.current = item->value;
	inner.origin = origin;
	inner.variables = &storage[1];
	inner.name = node->name;
	inner.outer = scope;
	return inner;
}

static int
compare_items(const void *a, const void *b)
{
	const Item *left = a;
	const Item *right = b;
	int			order = ph_value_compare(&left->key, &right->key);

	return order != 0 ? order : left->element - right->element;
}

/* Sorts by the keys, which must be all numbers or all strings. */
static bool
sort_items(PhRun *run, const PhTemplate *node, Item *items, int n, const PhScope *scope, const PhPlace *place)
{
	int			i;

	for (i = 0; i < n; i++)
	{
		if ((items[i].key.type != PH_VALUE_NUMBER && items[i].key.type != PH_VALUE_STRING) ||
			items[i].key.type != items[0].key.type)
		{
			ph_run_leaf_fault(run, PH_CODE_INVALID_TYPE, "keys of \"$sort\" must be all numbers or all strings", node->order,
						   scope, place);
			return false;
		}
	}
	qsort(items, n, sizeof(Item), compare_items);
	return true;
}

typedef struct Loop
{
	Item	   *items;
	int			n;
	bool		is_array;
	bool		known;			/* the place of the array in the input */
	const PhOrigin *array;
} Loop;

/* Chooses and sorts the elements.  False: there is nothing to loop over, or a fault. */
static bool
start_loop(PhRun *run, const PhTemplate *node, const PhScope *scope, const PhPlace *place, Loop *loop)
{
	PhValue		list;
	PhIterator	iterator;
	PhMember	element = {0};
	int			faults = run->apply->nfaults;
	int			number = 0;

	if (!ph_run_leaf(run, node->leaf, scope, place, &list) || ph_run_null(&list))
		return false;
	loop->is_array = ph_value_kind(&list) == PH_KIND_ARRAY;
	loop->items = palloc(Max(1, loop->is_array ? ph_value_count(&list) : 1) * sizeof(Item));
	loop->n = 0;
	loop->array = scope->origin;
	loop->known = ph_run_origin(run, node->leaf->path, scope, &loop->array);
	element.value = list;
	if (loop->is_array)
		ph_iterate(&iterator, &list);
	while (loop->is_array ? ph_iterate_next(&iterator, &element) : number == 0)
	{
		Item	   *item = &loop->items[loop->n];
		PhOrigin	origin = ph_run_element_origin(loop->array, loop->known, loop->is_array, node->leaf, number);
		PhVariable	storage[2];
		PhScope		inner;
		PhValue		chosen;

		item->value = element.value;
		item->element = number++;
		inner = element_scope(node, scope, item, &origin, storage);
		if (node->where != NULL &&
			!(ph_run_leaf(run, node->where, &inner, place, &chosen) && ph_value_true(&chosen)))
			continue;
		if (node->order != NULL && !ph_run_leaf(run, node->order, &inner, place, &item->key))
			continue;
		loop->n++;
	}
	if (run->apply->nfaults > faults || run->stopped)
		return false;
	return node->order == NULL || sort_items(run, node, loop->items, loop->n, scope, place);
}

static bool
add_element(PhRun *run, const PhTemplate *node, const PhScope *inner, const PhPlace *place, PhValue *result)
{
	PhPlace		here = {place, NULL, 0, ph_value_count(result)};
	int			faults = run->apply->nfaults;
	PhValue		value;

	if (ph_run_eval(run, node->body, inner, &here, &value))
		ph_array_append(result, &value);
	else if (run->apply->nfaults > faults)
	{
		/* Keeps the places of later faults right; nobody will see it. */
		value = ph_value_null();
		ph_array_append(result, &value);
	}
	return !run->stopped;
}

/* A member of $map. */
static bool
add_member(PhRun *run, const PhTemplate *node, const PhScope *inner, const PhPlace *place, PhValue *result)
{
	PhPlace		here;
	PhValue		key;
	PhValue		value;

	if (!ph_run_leaf(run, node->key, inner, place, &key))
		return !run->stopped;
	if (key.type != PH_VALUE_STRING)
	{
		ph_run_leaf_fault(run, PH_CODE_INVALID_TYPE, "a key must be a string", node->key, inner, place);
		return !run->stopped;
	}
	here = (PhPlace) {place, key.u.string, key.length, 0};
	if (ph_run_eval(run, node->body, inner, &here, &value))
		ph_object_append(result, key.u.string, key.length, &value);
	return !run->stopped;
}

/* No key may occur twice: which element should win? */
static bool
finish_map(PhRun *run, const PhTemplate *node, const PhScope *scope, const PhPlace *place, PhValue *result)
{
	int			n = ph_value_count(result);

	ph_object_finish(result);
	if (ph_value_count(result) == n)
		return true;
	ph_run_leaf_fault(run, PH_CODE_INVALID_VALUE, "a key occurs twice", node->key, scope, place);
	return false;
}

bool
ph_run_loop(PhRun *run, const PhTemplate *node, const PhScope *scope, const PhPlace *place, PhValue *result)
{
	bool		is_map = node->kind == PH_TEMPLATE_MAP;
	PhVariable	index = {"index", 5, ph_value_null(), NULL};
	PhVariable	count = {"count", 5, ph_value_null(), NULL};
	Loop		loop;
	int			i;

	if (!start_loop(run, node, scope, place, &loop))
		return false;
	*result = is_map ? ph_object_new(Min(loop.n, EXPECTED_MOST)) : ph_array_new(Min(loop.n, EXPECTED_MOST));
	if (node->uses_count)
		count.value = ph_value_int(loop.n);
	for (i = 0; i < loop.n; i++)
	{
		PhOrigin	origin = ph_run_element_origin(loop.array, loop.known, loop.is_array, node->leaf, loop.items[i].element);
		PhVariable	storage[2];
		PhScope		inner = element_scope(node, scope, &loop.items[i], &origin, storage);

		CHECK_FOR_INTERRUPTS();
		if (node->uses_index)
		{
			index.value = ph_value_int(i);
			index.outer = inner.variables;
			inner.variables = &index;
		}
		if (node->uses_count)
		{
			count.outer = inner.variables;
			inner.variables = &count;
		}
		if (!(is_map ? add_member(run, node, &inner, place, result) : add_element(run, node, &inner, place, result)))
			return false;
	}
	pfree(loop.items);			/* a join has one such list for each element of the outer loop */
	return !is_map || finish_map(run, node, scope, place, result);
}
