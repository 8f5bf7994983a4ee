/*
 * value.c
 *	  JSON values while they are computed; see value.h.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "json/value.h"

#define INITIAL_ITEMS	8
#define EXPECTED_MAX	4096	/* expectations may come from a document; memory is for what is really there */

/* ---- making ---- */

PhValue
ph_value_null(void)
{
	PhValue		value = {PH_VALUE_NULL};

	return value;
}

PhValue
ph_value_bool(bool boolean)
{
	PhValue		value = {PH_VALUE_BOOL};

	value.u.boolean = boolean;
	return value;
}

PhValue
ph_value_number(Numeric number)
{
	PhValue		value = {PH_VALUE_NUMBER};

	value.u.number = number;
	return value;
}

PhValue
ph_value_int(int64 number)
{
	return ph_value_number(int64_to_numeric(number));
}

PhValue
ph_value_string(const char *string, int length)
{
	PhValue		value = {PH_VALUE_STRING};

	value.length = length;
	value.u.string = string;
	return value;
}

PhValue
ph_value_text(const char *string)
{
	return ph_value_string(string, strlen(string));
}

PhValue
ph_value_from_jsonb_value(const JsonbValue *from)
{
	PhValue		value = {PH_VALUE_CONTAINER};

	switch (from->type)
	{
		case jbvNull:
			return ph_value_null();
		case jbvBool:
			return ph_value_bool(from->val.boolean);
		case jbvNumeric:
			return ph_value_number(from->val.numeric);
		case jbvString:
			return ph_value_string(from->val.string.val, from->val.string.len);
		case jbvBinary:
			value.length = from->val.binary.len;
			value.u.container = from->val.binary.data;
			return value;
		default:
			elog(ERROR, "unexpected type of jsonb value: %d", (int) from->type);
	}
}

PhValue
ph_value_from_jsonb(Jsonb *jsonb)
{
	PhValue		value = {PH_VALUE_CONTAINER};
	JsonbValue	scalar;

	if (JB_ROOT_IS_SCALAR(jsonb) && JsonbExtractScalar(&jsonb->root, &scalar))
		return ph_value_from_jsonb_value(&scalar);
	value.length = VARSIZE(jsonb) - VARHDRSZ;
	value.u.container = &jsonb->root;
	return value;
}

/* Doubles what an array of items has, refusing what no allocation can hold. */
static void *
grow(void *items, int *allocated, size_t size)
{
	if (*allocated >= MaxAllocSize / size / 2)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("JSON value has too many elements")));
	*allocated = Max(*allocated * 2, INITIAL_ITEMS);
	return items == NULL ? palloc(*allocated * size) : repalloc(items, *allocated * size);
}

PhValue
ph_array_new(int expected)
{
	PhValue		value = {PH_VALUE_ARRAY};

	value.u.array = palloc0(sizeof(PhArray));
	expected = Min(expected, EXPECTED_MAX);
	if (expected > 0)
	{
		value.u.array->items = palloc(expected * sizeof(PhValue));
		value.u.array->allocated = expected;
	}
	return value;
}

void
ph_array_append(PhValue *value, const PhValue *item)
{
	PhArray    *array = value->u.array;

	if (array->n == array->allocated)
		array->items = grow(array->items, &array->allocated, sizeof(PhValue));
	array->items[array->n++] = *item;
}

PhValue
ph_object_new(int expected)
{
	PhValue		value = {PH_VALUE_OBJECT};

	value.u.object = palloc0(sizeof(PhObject));
	expected = Min(expected, EXPECTED_MAX);
	if (expected > 0)
	{
		value.u.object->members = palloc(expected * sizeof(PhMember));
		value.u.object->allocated = expected;
	}
	return value;
}

void
ph_object_append(PhValue *value, const char *key, int length, const PhValue *item)
{
	PhObject   *object = value->u.object;
	PhMember   *member;

	if (object->n == object->allocated)
		object->members = grow(object->members, &object->allocated, sizeof(PhMember));
	member = &object->members[object->n++];
	member->key = key;
	member->length = length;
	member->value = *item;
}

void
ph_object_put(PhValue *object, const char *key, const PhValue *value)
{
	ph_object_append(object, key, strlen(key), value);
}

void
ph_object_put_text(PhValue *object, const char *key, const char *text)
{
	PhValue		value;

	if (text == NULL)
		return;
	value = ph_value_text(text);
	ph_object_put(object, key, &value);
}

/* The order of jsonb. */
static int
compare_keys(const char *a, int a_length, const char *b, int b_length)
{
	if (a_length != b_length)
		return a_length < b_length ? -1 : 1;
	return memcmp(a, b, a_length);
}

static bool
in_order(const PhObject *object)
{
	int			i;

	for (i = 1; i < object->n; i++)
	{
		const PhMember *a = &object->members[i - 1];
		const PhMember *b = &object->members[i];

		if (compare_keys(a->key, a->length, b->key, b->length) >= 0)
			return false;
	}
	return true;
}

/* Merges two sorted runs; of equal keys the one from the left comes first. */
static void
merge_runs(const PhMember *left, int nleft, const PhMember *right, int nright, PhMember *out)
{
	while (nleft > 0 && nright > 0)
	{
		if (compare_keys(left->key, left->length, right->key, right->length) <= 0)
		{
			*out++ = *left++;
			nleft--;
		}
		else
		{
			*out++ = *right++;
			nright--;
		}
	}
	memcpy(out, left, nleft * sizeof(PhMember));
	memcpy(out + nleft, right, nright * sizeof(PhMember));
}

/* Bottom up and stable, which the sort of the server is not; the later of two equal keys must be known. */
static void
sort_members(PhObject *object)
{
	PhMember   *other = palloc(object->n * sizeof(PhMember));
	int			width;

	for (width = 1; width < object->n; width *= 2)
	{
		PhMember   *swap = object->members;
		int			at;

		for (at = 0; at < object->n; at += 2 * width)
		{
			int			nleft = Min(width, object->n - at);
			int			nright = Min(width, object->n - at - nleft);

			merge_runs(&object->members[at], nleft, &object->members[at + nleft], nright, &other[at]);
		}
		object->members = other;
		other = swap;
	}
	object->allocated = object->n;
	pfree(other);
}

void
ph_object_finish(PhValue *value)
{
	PhObject   *object = value->u.object;
	int			kept = 0;
	int			i;

	if (in_order(object))
		return;
	sort_members(object);
	for (i = 1; i < object->n; i++)
	{
		const PhMember *member = &object->members[i];

		if (compare_keys(member->key, member->length, object->members[kept].key, object->members[kept].length) != 0)
			kept++;
		object->members[kept] = *member;
	}
	object->n = kept + 1;
}

/* ---- reading ---- */

PhKind
ph_value_kind(const PhValue *value)
{
	switch (value->type)
	{
		case PH_VALUE_NULL:
			return PH_KIND_NULL;
		case PH_VALUE_BOOL:
			return PH_KIND_BOOLEAN;
		case PH_VALUE_NUMBER:
			return PH_KIND_NUMBER;
		case PH_VALUE_STRING:
			return PH_KIND_STRING;
		case PH_VALUE_CONTAINER:
			return JsonContainerIsArray(value->u.container) ? PH_KIND_ARRAY : PH_KIND_OBJECT;
		case PH_VALUE_ARRAY:
			return PH_KIND_ARRAY;
		case PH_VALUE_OBJECT:
			return PH_KIND_OBJECT;
		case PH_VALUE_EXPRESSION:
			break;
	}
	return PH_KIND_EXPRESSION;
}

const char *
ph_kind_name(PhKind kind)
{
	static const char *const names[] = {"null", "boolean", "number", "string", "array", "object", "expression"};

	return names[kind];
}

int
ph_value_count(const PhValue *value)
{
	switch (value->type)
	{
		case PH_VALUE_CONTAINER:
			return JsonContainerSize(value->u.container);
		case PH_VALUE_ARRAY:
			return value->u.array->n;
		case PH_VALUE_OBJECT:
			return value->u.object->n;
		default:
			return 0;
	}
}

bool
ph_value_true(const PhValue *value)
{
	switch (value->type)
	{
		case PH_VALUE_NULL:
			return false;
		case PH_VALUE_BOOL:
			return value->u.boolean;
		case PH_VALUE_STRING:
			return value->length > 0;
		case PH_VALUE_NUMBER:
		case PH_VALUE_EXPRESSION:
			return true;
		default:
			return ph_value_count(value) > 0;
	}
}

static bool
own_member(const PhObject *object, const char *key, int length, PhValue *member)
{
	int			low = 0;
	int			high = object->n;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;
		const PhMember *at = &object->members[middle];
		int			order = compare_keys(key, length, at->key, at->length);

		if (order == 0)
		{
			*member = at->value;
			return true;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

bool
ph_value_member(const PhValue *object, const char *key, int length, PhValue *member)
{
	JsonbValue	found;

	if (object->type == PH_VALUE_OBJECT)
		return own_member(object->u.object, key, length, member);
	if (object->type != PH_VALUE_CONTAINER || !JsonContainerIsObject(object->u.container) ||
		getKeyJsonValueFromContainer(object->u.container, key, length, &found) == NULL)
		return false;
	*member = ph_value_from_jsonb_value(&found);
	return true;
}

bool
ph_value_element(const PhValue *array, int64 index, PhValue *element)
{
	int			n = ph_value_count(array);
	JsonbValue *found;

	if (ph_value_kind(array) != PH_KIND_ARRAY)
		return false;
	if (index < 0)
		index += n;
	if (index < 0 || index >= n)
		return false;
	if (array->type == PH_VALUE_ARRAY)
	{
		*element = array->u.array->items[index];
		return true;
	}
	found = getIthJsonbValueFromContainer(array->u.container, (uint32) index);
	*element = ph_value_from_jsonb_value(found);
	pfree(found);
	return true;
}

void
ph_iterate(PhIterator *iterator, const PhValue *value)
{
	JsonbValue	ignored;

	iterator->value = value;
	iterator->next = 0;
	iterator->jsonb = NULL;
	if (value->type == PH_VALUE_CONTAINER)
	{
		iterator->jsonb = JsonbIteratorInit(value->u.container);
		(void) JsonbIteratorNext(&iterator->jsonb, &ignored, false);
	}
}

static bool
next_of_jsonb(PhIterator *iterator, PhMember *member)
{
	JsonbValue	item;

	switch (JsonbIteratorNext(&iterator->jsonb, &item, true))
	{
		case WJB_KEY:
			member->key = item.val.string.val;
			member->length = item.val.string.len;
			(void) JsonbIteratorNext(&iterator->jsonb, &item, true);
			break;
		case WJB_ELEM:
			member->key = NULL;
			member->length = 0;
			break;
		default:
			return false;
	}
	member->value = ph_value_from_jsonb_value(&item);
	return true;
}

bool
ph_iterate_next(PhIterator *iterator, PhMember *member)
{
	const PhValue *value = iterator->value;

	switch (value->type)
	{
		case PH_VALUE_CONTAINER:
			return next_of_jsonb(iterator, member);
		case PH_VALUE_ARRAY:
			if (iterator->next >= value->u.array->n)
				return false;
			member->key = NULL;
			member->length = 0;
			member->value = value->u.array->items[iterator->next++];
			return true;
		case PH_VALUE_OBJECT:
			if (iterator->next >= value->u.object->n)
				return false;
			*member = value->u.object->members[iterator->next++];
			return true;
		default:
			return false;
	}
}
