/*
 * value_whole.c
 *	  What walks a whole value: comparing it, writing it as text or as jsonb.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"

#include "json/value.h"

#define TEXT_PER_VISIT	64		/* bytes of text that cost as much as one visit */

/* One value with so many bytes of text. */
static bool
pay(int64 *budget, int64 length)
{
	if (budget == NULL)
		return true;
	*budget -= 1 + length / TEXT_PER_VISIT;
	return *budget >= 0;
}

static bool
equal_containers(const PhValue *a, const PhValue *b, int64 *budget, bool *equal)
{
	PhIterator	ia;
	PhIterator	ib;
	PhMember	ma;
	PhMember	mb;

	*equal = ph_value_count(a) == ph_value_count(b);
	ph_iterate(&ia, a);
	ph_iterate(&ib, b);
	/* Members have the same order in both. */
	while (*equal && ph_iterate_next(&ia, &ma) && ph_iterate_next(&ib, &mb))
	{
		if (ma.key != NULL && (ma.length != mb.length || memcmp(ma.key, mb.key, ma.length) != 0))
			*equal = false;
		else if (!ph_value_equal(&ma.value, &mb.value, budget, equal))
			return false;
	}
	return true;
}

bool
ph_value_equal(const PhValue *a, const PhValue *b, int64 *budget, bool *equal)
{
	PhKind		kind = ph_value_kind(a);

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	*equal = kind == ph_value_kind(b);
	if (!pay(budget, a->type == PH_VALUE_STRING ? a->length : 0))
		return false;
	if (!*equal)
		return true;
	switch (kind)
	{
		case PH_KIND_NULL:
			break;
		case PH_KIND_BOOLEAN:
			*equal = a->u.boolean == b->u.boolean;
			break;
		case PH_KIND_NUMBER:
		case PH_KIND_STRING:
			*equal = ph_value_compare(a, b) == 0;
			break;
		case PH_KIND_ARRAY:
		case PH_KIND_OBJECT:
			return equal_containers(a, b, budget, equal);
		case PH_KIND_EXPRESSION:
			*equal = a->u.expression == b->u.expression;
			break;
	}
	return true;
}

int
ph_value_compare(const PhValue *a, const PhValue *b)
{
	int			order;

	if (a->type == PH_VALUE_NUMBER)
		return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(a->u.number),
												 NumericGetDatum(b->u.number)));
	order = memcmp(a->u.string, b->u.string, Min(a->length, b->length));
	return order != 0 ? order : a->length - b->length;
}

#define EVERY_BYTE(c)	(UINT64CONST(0x0101010101010101) * (c))
#define HAS_ZERO(x)		(((x) - EVERY_BYTE(1)) & ~(x) & EVERY_BYTE(0x80))

/* Whether none of eight characters needs an escape. */
static inline bool
is_plain(const char *eight)
{
	uint64		x;

	memcpy(&x, eight, sizeof(x));
	return (((x - EVERY_BYTE(' ')) & ~x & EVERY_BYTE(0x80)) |
			HAS_ZERO(x ^ EVERY_BYTE('"')) | HAS_ZERO(x ^ EVERY_BYTE('\\'))) == 0;
}

/* Runs of plain characters are copied as a whole: text is written out for every delivery. */
static void
write_string(const char *string, int length, StringInfo out)
{
	int			from = 0;
	int			i;

	appendStringInfoCharMacro(out, '"');
	for (i = 0; i < length; i++)
	{
		unsigned char c;

		while (length - i >= 8 && is_plain(string + i))
			i += 8;
		if (i == length)
			break;
		c = string[i];
		if (c >= ' ' && c != '"' && c != '\\')
			continue;
		appendBinaryStringInfo(out, string + from, i - from);
		from = i + 1;
		if (c == '"' || c == '\\')
		{
			appendStringInfoCharMacro(out, '\\');
			from = i;
		}
		else if (c == '\n')
			appendBinaryStringInfo(out, "\\n", 2);
		else if (c == '\t')
			appendBinaryStringInfo(out, "\\t", 2);
		else if (c == '\r')
			appendBinaryStringInfo(out, "\\r", 2);
		else if (c == '\b')
			appendBinaryStringInfo(out, "\\b", 2);
		else if (c == '\f')
			appendBinaryStringInfo(out, "\\f", 2);
		else
			appendStringInfo(out, "\\u%04x", c);
	}
	appendBinaryStringInfo(out, string + from, length - from);
	appendStringInfoCharMacro(out, '"');
}

static bool
write_container(const PhValue *value, StringInfo out, int64 *budget)
{
	bool		object = ph_value_kind(value) == PH_KIND_OBJECT;
	PhIterator	iterator;
	PhMember	member;
	bool		first = true;

	appendStringInfoCharMacro(out, object ? '{' : '[');
	ph_iterate(&iterator, value);
	while (ph_iterate_next(&iterator, &member))
	{
		if (!first)
			appendStringInfoCharMacro(out, ',');
		first = false;
		if (object)
		{
			if (!pay(budget, member.length))
				return false;
			write_string(member.key, member.length, out);
			appendStringInfoCharMacro(out, ':');
		}
		if (!ph_value_write(&member.value, out, budget))
			return false;
	}
	appendStringInfoCharMacro(out, object ? '}' : ']');
	return true;
}

bool
ph_value_write(const PhValue *value, StringInfo out, int64 *budget)
{
	int			start = out->len;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (!pay(budget, value->type == PH_VALUE_STRING ? value->length : 0))
		return false;
	switch (ph_value_kind(value))
	{
		case PH_KIND_NULL:
		case PH_KIND_EXPRESSION:
			appendBinaryStringInfo(out, "null", 4);
			return true;
		case PH_KIND_BOOLEAN:
			appendStringInfoString(out, value->u.boolean ? "true" : "false");
			return true;
		case PH_KIND_NUMBER:
			appendStringInfoString(out, DatumGetCString(DirectFunctionCall1(numeric_out,
																			NumericGetDatum(value->u.number))));
			return pay(budget, out->len - start);
		case PH_KIND_STRING:
			write_string(value->u.string, value->length, out);
			return true;
		case PH_KIND_ARRAY:
		case PH_KIND_OBJECT:
			break;
	}
	return write_container(value, out, budget);
}

char *
ph_value_plain(const PhValue *value)
{
	StringInfoData text;

	if (value->type == PH_VALUE_STRING)
		return pnstrdup(value->u.string, value->length);
	initStringInfo(&text);
	(void) ph_value_write(value, &text, NULL);
	return text.data;
}

static bool build(const PhValue *value, int64 *budget, JsonbValue *result);

static bool
build_array(const PhValue *value, int64 *budget, JsonbValue *result)
{
	int			n = ph_value_count(value);
	PhIterator	iterator;
	PhMember	member;

	result->type = jbvArray;
	result->val.array.rawScalar = false;
	result->val.array.nElems = 0;
	result->val.array.elems = palloc(Max(1, n) * sizeof(JsonbValue));
	ph_iterate(&iterator, value);
	while (ph_iterate_next(&iterator, &member))
	{
		if (!build(&member.value, budget, &result->val.array.elems[result->val.array.nElems++]))
			return false;
	}
	return true;
}

/* Members are sorted and unique, as jsonb wants them. */
static bool
build_object(const PhValue *value, int64 *budget, JsonbValue *result)
{
	int			n = ph_value_count(value);
	PhIterator	iterator;
	PhMember	member;

	result->type = jbvObject;
	result->val.object.nPairs = 0;
	result->val.object.pairs = palloc(Max(1, n) * sizeof(JsonbPair));
	ph_iterate(&iterator, value);
	while (ph_iterate_next(&iterator, &member))
	{
		JsonbPair  *pair = &result->val.object.pairs[result->val.object.nPairs++];

		pair->key.type = jbvString;
		pair->key.val.string.val = unconstify(char *, member.key);
		pair->key.val.string.len = member.length;
		if (!pay(budget, member.length) || !build(&member.value, budget, &pair->value))
			return false;
	}
	return true;
}

/* The whole tree at once, which is cheaper than pushing its parts one after the other. */
static bool
build(const PhValue *value, int64 *budget, JsonbValue *result)
{
	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	switch (ph_value_kind(value))
	{
		case PH_KIND_ARRAY:
			return pay(budget, 0) && build_array(value, budget, result);
		case PH_KIND_OBJECT:
			return pay(budget, 0) && build_object(value, budget, result);
		case PH_KIND_BOOLEAN:
			result->type = jbvBool;
			result->val.boolean = value->u.boolean;
			return pay(budget, 0);
		case PH_KIND_NUMBER:
			result->type = jbvNumeric;
			result->val.numeric = value->u.number;
			return pay(budget, 0);
		case PH_KIND_STRING:
			result->type = jbvString;
			result->val.string.val = unconstify(char *, value->u.string);
			result->val.string.len = value->length;
			return pay(budget, value->length);
		default:
			result->type = jbvNull;
			return pay(budget, 0);
	}
}

Jsonb *
ph_value_to_jsonb(const PhValue *value, int64 *budget)
{
	JsonbValue	whole;

	/* A container that is copied as it is needs no tree. */
	if (value->type == PH_VALUE_CONTAINER)
	{
		whole.type = jbvBinary;
		whole.val.binary.data = value->u.container;
		whole.val.binary.len = value->length;
		return pay(budget, value->length) ? JsonbValueToJsonb(&whole) : NULL;
	}
	return build(value, budget, &whole) ? JsonbValueToJsonb(&whole) : NULL;
}
