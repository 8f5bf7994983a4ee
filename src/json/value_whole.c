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

/* Everything but our own arrays and objects. */
static JsonbValue
leaf_to_jsonb(const PhValue *value)
{
	JsonbValue	leaf = {.type = jbvNull};

	switch (value->type)
	{
		case PH_VALUE_BOOL:
			leaf.type = jbvBool;
			leaf.val.boolean = value->u.boolean;
			break;
		case PH_VALUE_NUMBER:
			leaf.type = jbvNumeric;
			leaf.val.numeric = value->u.number;
			break;
		case PH_VALUE_STRING:
			leaf.type = jbvString;
			leaf.val.string.val = unconstify(char *, value->u.string);
			leaf.val.string.len = value->length;
			break;
		case PH_VALUE_CONTAINER:
			leaf.type = jbvBinary;
			leaf.val.binary.data = value->u.container;
			leaf.val.binary.len = value->length;
			break;
		default:
			break;
	}
	return leaf;
}

static bool
push(JsonbParseState **state, JsonbIteratorToken token, const PhValue *value, int64 *budget, JsonbValue **result)
{
	bool		object = value->type == PH_VALUE_OBJECT;
	JsonbValue	leaf;
	PhIterator	iterator;
	PhMember	member;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (!pay(budget, value->length))
		return false;
	if (!object && value->type != PH_VALUE_ARRAY)
	{
		leaf = leaf_to_jsonb(value);
		*result = pushJsonbValue(state, token, &leaf);
		return true;
	}
	(void) pushJsonbValue(state, object ? WJB_BEGIN_OBJECT : WJB_BEGIN_ARRAY, NULL);
	ph_iterate(&iterator, value);
	while (ph_iterate_next(&iterator, &member))
	{
		if (object)
		{
			PhValue		key = ph_value_string(member.key, member.length);

			if (!push(state, WJB_KEY, &key, budget, result))
				return false;
		}
		if (!push(state, object ? WJB_VALUE : WJB_ELEM, &member.value, budget, result))
			return false;
	}
	*result = pushJsonbValue(state, object ? WJB_END_OBJECT : WJB_END_ARRAY, NULL);
	return true;
}

Jsonb *
ph_value_to_jsonb(const PhValue *value, int64 *budget)
{
	JsonbParseState *state = NULL;
	JsonbValue *result = NULL;
	JsonbValue	leaf;

	if (value->type == PH_VALUE_ARRAY || value->type == PH_VALUE_OBJECT)
		return push(&state, WJB_DONE, value, budget, &result) ? JsonbValueToJsonb(result) : NULL;
	leaf = leaf_to_jsonb(value);
	return pay(budget, value->length) ? JsonbValueToJsonb(&leaf) : NULL;
}
