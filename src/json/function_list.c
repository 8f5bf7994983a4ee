/*
 * function_list.c
 *	  Functions for arrays and objects.
 */
#include "postgres.h"

#include "json/function.h"

#define SEQ_MAX	10000

static bool
pay(const PhCall *call, int64 n)
{
	return ph_evaluate_pay(call->evaluation, call->node, n);
}

/* ---- order ---- */

typedef struct Sorted
{
	PhValue		key;
	PhValue		value;
	int			place;			/* before sorting; keeps equal ones in order */
} Sorted;

static int
compare_sorted(const void *a, const void *b)
{
	const Sorted *left = a;
	const Sorted *right = b;
	int			order = ph_value_compare(&left->key, &right->key);

	return order != 0 ? order : left->place - right->place;
}

/*
 * Elements of argument "array" with their keys: the value of argument "by" for each, or the element itself when it is
 * negative.  All keys must be numbers, or all strings.
 */
static bool
collect(const PhCall *call, int array, int by, Sorted **items, int *n)
{
	const PhValue *from = &call->arguments[array];
	PhIterator	iterator;
	PhMember	member;
	int			i = 0;

	*n = ph_value_count(from);
	if (!pay(call, *n))
		return false;
	*items = palloc(Max(*n, 1) * sizeof(Sorted));
	ph_iterate(&iterator, from);
	while (ph_iterate_next(&iterator, &member))
	{
		Sorted	   *item = &(*items)[i];

		item->place = i++;
		item->value = member.value;
		item->key = member.value;
		if (by >= 0 && !ph_evaluate_node(call->evaluation, call->arguments[by].u.expression, &member.value, &item->key))
			return false;
		if ((item->key.type != PH_VALUE_NUMBER && item->key.type != PH_VALUE_STRING) ||
			item->key.type != (*items)[0].key.type)
			return ph_function_fail(call, PH_CODE_INVALID_TYPE, "%s() needs all numbers or all strings; element %d gives %s",
									call->function->name, i, ph_kind_name(ph_value_kind(&item->key)));
	}
	return true;
}

/* Comparing costs n log n. */
static bool
sort_items(const PhCall *call, int array, int by, PhValue *result)
{
	Sorted	   *items;
	int			n;
	int			i;
	int			rounds = 1;

	if (!collect(call, array, by, &items, &n))
		return false;
	while (rounds < 31 && (1 << rounds) < n)
		rounds++;
	if (!pay(call, (int64) n * rounds / 4))
		return false;
	qsort(items, n, sizeof(Sorted), compare_sorted);
	*result = ph_array_new(n);
	for (i = 0; i < n; i++)
		ph_array_append(result, &items[i].value);
	return true;
}

/* The first of the greatest, or of the least; null for none. */
static bool
extreme(const PhCall *call, int by, int sign, PhValue *result)
{
	Sorted	   *items;
	int			best = 0;
	int			n;
	int			i;

	if (!collect(call, 0, by, &items, &n))
		return false;
	for (i = 1; i < n; i++)
	{
		if (ph_value_compare(&items[i].key, &items[best].key) * sign > 0)
			best = i;
	}
	*result = n == 0 ? ph_value_null() : items[best].value;
	return true;
}

static bool
sort(const PhCall *call, PhValue *result)
{
	return sort_items(call, 0, -1, result);
}

static bool
sort_by(const PhCall *call, PhValue *result)
{
	return sort_items(call, 0, 1, result);
}

static bool
max(const PhCall *call, PhValue *result)
{
	return extreme(call, -1, 1, result);
}

static bool
max_by(const PhCall *call, PhValue *result)
{
	return extreme(call, 1, 1, result);
}

static bool
min(const PhCall *call, PhValue *result)
{
	return extreme(call, -1, -1, result);
}

static bool
min_by(const PhCall *call, PhValue *result)
{
	return extreme(call, 1, -1, result);
}

/* ---- arrays ---- */

static bool
map(const PhCall *call, PhValue *result)
{
	PhIterator	iterator;
	PhMember	member;
	PhValue		value;

	*result = ph_array_new(ph_value_count(&call->arguments[1]));
	ph_iterate(&iterator, &call->arguments[1]);
	while (ph_iterate_next(&iterator, &member))
	{
		if (!pay(call, 1) ||
			!ph_evaluate_node(call->evaluation, call->arguments[0].u.expression, &member.value, &value))
			return false;
		ph_array_append(result, &value);
	}
	return true;
}

/* Shortest array decides. */
static bool
zip(const PhCall *call, PhValue *result)
{
	PhIterator *iterators = palloc(call->n * sizeof(PhIterator));
	PhMember	member;
	PhValue		tuple;
	int			least = ph_value_count(&call->arguments[0]);
	int			i;
	int			j;

	for (i = 0; i < call->n; i++)
	{
		least = Min(least, ph_value_count(&call->arguments[i]));
		ph_iterate(&iterators[i], &call->arguments[i]);
	}
	*result = ph_array_new(least);
	for (j = 0; j < least; j++)
	{
		if (!pay(call, call->n))
			return false;
		tuple = ph_array_new(call->n);
		for (i = 0; i < call->n; i++)
		{
			(void) ph_iterate_next(&iterators[i], &member);
			ph_array_append(&tuple, &member.value);
		}
		ph_array_append(result, &tuple);
	}
	return true;
}

static bool
seq(const PhCall *call, PhValue *result)
{
	int32		n;
	int			i;

	if (!ph_function_int(call, 0, 0, 0, &n))
		return false;
	if (n > SEQ_MAX)
		return ph_function_fail(call, PH_CODE_INVALID_VALUE, "argument 1 of seq() must not be above %d", SEQ_MAX);
	if (!pay(call, n))
		return false;
	*result = ph_array_new(n);
	for (i = 0; i < n; i++)
	{
		PhValue		number = ph_value_int(i);

		ph_array_append(result, &number);
	}
	return true;
}

/* ---- objects ---- */

static bool
keys(const PhCall *call, PhValue *result)
{
	PhIterator	iterator;
	PhMember	member;

	if (!pay(call, ph_value_count(&call->arguments[0])))
		return false;
	*result = ph_array_new(ph_value_count(&call->arguments[0]));
	ph_iterate(&iterator, &call->arguments[0]);
	while (ph_iterate_next(&iterator, &member))
	{
		PhValue		key = ph_value_string(member.key, member.length);

		ph_array_append(result, &key);
	}
	return true;
}

static bool
values(const PhCall *call, PhValue *result)
{
	PhIterator	iterator;
	PhMember	member;

	if (!pay(call, ph_value_count(&call->arguments[0])))
		return false;
	*result = ph_array_new(ph_value_count(&call->arguments[0]));
	ph_iterate(&iterator, &call->arguments[0]);
	while (ph_iterate_next(&iterator, &member))
		ph_array_append(result, &member.value);
	return true;
}

static bool
items(const PhCall *call, PhValue *result)
{
	PhIterator	iterator;
	PhMember	member;

	*result = ph_array_new(ph_value_count(&call->arguments[0]));
	ph_iterate(&iterator, &call->arguments[0]);
	while (ph_iterate_next(&iterator, &member))
	{
		PhValue		key = ph_value_string(member.key, member.length);
		PhValue		pair = ph_array_new(2);

		if (!pay(call, 1))
			return false;
		ph_array_append(&pair, &key);
		ph_array_append(&pair, &member.value);
		ph_array_append(result, &pair);
	}
	return true;
}

static bool
from_items(const PhCall *call, PhValue *result)
{
	PhIterator	iterator;
	PhMember	member;
	PhValue		key;
	PhValue		value;

	*result = ph_object_new(ph_value_count(&call->arguments[0]));
	ph_iterate(&iterator, &call->arguments[0]);
	while (ph_iterate_next(&iterator, &member))
	{
		if (!pay(call, 1))
			return false;
		if (ph_value_count(&member.value) != 2)
			return ph_function_fail(call, PH_CODE_INVALID_VALUE, "each element given to from_items() must be [key, value]");
		(void) ph_value_element(&member.value, 0, &key);
		(void) ph_value_element(&member.value, 1, &value);
		if (key.type != PH_VALUE_STRING)
			return ph_function_fail(call, PH_CODE_INVALID_TYPE, "key given to from_items() must be a string, not %s",
									ph_kind_name(ph_value_kind(&key)));
		ph_object_append(result, key.u.string, key.length, &value);
	}
	ph_object_finish(result);
	return true;
}

static bool
merge(const PhCall *call, PhValue *result)
{
	PhIterator	iterator;
	PhMember	member;
	int			i;

	*result = ph_object_new(0);
	for (i = 0; i < call->n; i++)
	{
		if (!pay(call, ph_value_count(&call->arguments[i])))
			return false;
		ph_iterate(&iterator, &call->arguments[i]);
		while (ph_iterate_next(&iterator, &member))
			ph_object_append(result, member.key, member.length, &member.value);
	}
	ph_object_finish(result);
	return true;
}

/* Elements whose key is null are left out. */
static int
keyed_items(const PhCall *call, Sorted *items)
{
	PhIterator	iterator;
	PhMember	member;
	int			n = 0;

	ph_iterate(&iterator, &call->arguments[0]);
	while (ph_iterate_next(&iterator, &member))
	{
		Sorted	   *item = &items[n];

		if (!ph_evaluate_node(call->evaluation, call->arguments[1].u.expression, &member.value, &item->key))
			return -1;
		if (item->key.type == PH_VALUE_NULL)
			continue;
		if (item->key.type != PH_VALUE_STRING)
		{
			(void) ph_function_fail(call, PH_CODE_INVALID_TYPE, "key of group_by() must be a string, not %s",
									ph_kind_name(ph_value_kind(&item->key)));
			return -1;
		}
		item->value = member.value;
		item->place = n++;
	}
	return n;
}

static bool
group_by(const PhCall *call, PhValue *result)
{
	int			count = ph_value_count(&call->arguments[0]);
	Sorted	   *items;
	PhValue		group = ph_value_null();
	int			n;
	int			i;

	if (!pay(call, count))
		return false;
	items = palloc(Max(count, 1) * sizeof(Sorted));
	n = keyed_items(call, items);
	if (n < 0)
		return false;
	qsort(items, n, sizeof(Sorted), compare_sorted);
	*result = ph_object_new(0);
	for (i = 0; i < n; i++)
	{
		if (i == 0 || ph_value_compare(&items[i - 1].key, &items[i].key) != 0)
		{
			group = ph_array_new(0);
			ph_object_append(result, items[i].key.u.string, items[i].key.length, &group);
		}
		ph_array_append(&group, &items[i].value);
	}
	ph_object_finish(result);
	return true;
}

const PhFunction ph_functions_list[] = {
	{"from_items", "A", 'o', 1, 1, from_items, NULL},
	{"group_by", "ae", 'o', 2, 2, group_by, NULL},
	{"items", "o", 'a', 1, 1, items, NULL},
	{"keys", "o", 'a', 1, 1, keys, NULL},
	{"map", "ea", 'a', 2, 2, map, NULL},
	{"max", "a", 'x', 1, 1, max, NULL},
	{"max_by", "ae", 'x', 2, 2, max_by, NULL},
	{"merge", "o", 'o', 1, -1, merge, NULL},
	{"min", "a", 'x', 1, 1, min, NULL},
	{"min_by", "ae", 'x', 2, 2, min_by, NULL},
	{"seq", "n", 'a', 1, 1, seq, NULL},
	{"sort", "a", 'a', 1, 1, sort, NULL},
	{"sort_by", "ae", 'a', 2, 2, sort_by, NULL},
	{"values", "o", 'a', 1, 1, values, NULL},
	{"zip", "a", 'a', 1, -1, zip, NULL},
	{NULL}
};
