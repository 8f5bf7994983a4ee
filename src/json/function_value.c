/*
 * function_value.c
 *	  Functions for values of any type: what they are, defaults, members, conversions.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "json/function.h"
#include "json/json_text.h"
#include "json/number.h"

static bool
type(const PhCall *call, PhValue *result)
{
	*result = ph_value_text(ph_kind_name(ph_value_kind(&call->arguments[0])));
	return true;
}

static bool
not_null(const PhCall *call, PhValue *result)
{
	int			i;

	for (i = 0; i < call->n - 1 && call->arguments[i].type == PH_VALUE_NULL; i++)
		;
	*result = call->arguments[i];
	return true;
}

/* has(object, key): whether it is there, be it null; nothing is there in null. */
static bool
has(const PhCall *call, PhValue *result)
{
	PhValue		ignored;

	if (call->arguments[0].type != PH_VALUE_NULL && ph_value_kind(&call->arguments[0]) != PH_KIND_OBJECT)
		return ph_function_fail(call, PH_CODE_INVALID_TYPE, "argument 1 of has() must be an object or null, not %s",
								ph_kind_name(ph_value_kind(&call->arguments[0])));
	*result = ph_value_bool(ph_value_member(&call->arguments[0], call->arguments[1].u.string,
											call->arguments[1].length, &ignored));
	return true;
}

/* get(object, key): what a path cannot say when the key is computed. */
static bool
get(const PhCall *call, PhValue *result)
{
	if (!ph_value_member(&call->arguments[0], call->arguments[1].u.string, call->arguments[1].length, result))
		*result = ph_value_null();
	return true;
}

static bool
length(const PhCall *call, PhValue *result)
{
	const PhValue *value = &call->arguments[0];

	switch (ph_value_kind(value))
	{
		case PH_KIND_STRING:
			*result = ph_value_int(pg_mbstrlen_with_len(value->u.string, value->length));
			return true;
		case PH_KIND_ARRAY:
		case PH_KIND_OBJECT:
			*result = ph_value_int(ph_value_count(value));
			return true;
		default:
			return ph_function_fail(call, PH_CODE_INVALID_TYPE, "argument 1 of length() must be a string, an array or an object, not %s",
									ph_kind_name(ph_value_kind(value)));
	}
}

static bool
to_array(const PhCall *call, PhValue *result)
{
	*result = call->arguments[0];
	if (ph_value_kind(&call->arguments[0]) != PH_KIND_ARRAY)
	{
		*result = ph_array_new(1);
		ph_array_append(result, &call->arguments[0]);
	}
	return true;
}

static bool
to_string(const PhCall *call, PhValue *result)
{
	StringInfoData out;

	*result = call->arguments[0];
	if (result->type == PH_VALUE_STRING)
		return true;
	initStringInfo(&out);
	if (!ph_value_write(&call->arguments[0], &out, &call->evaluation->visits))
		return ph_evaluate_spent(call->evaluation, call->node);
	*result = ph_value_string(out.data, out.len);
	return true;
}

/* Null when it is no number, as JMESPath wants it; number() is the strict one. */
static bool
to_number(const PhCall *call, PhValue *result)
{
	const PhValue *value = &call->arguments[0];
	Numeric		number;

	*result = ph_value_null();
	if (value->type == PH_VALUE_NUMBER)
		*result = *value;
	else if (value->type == PH_VALUE_STRING && ph_json_text_number(value->u.string, value->length) &&
			 ph_number_parse(value->u.string, value->length, &number))
		*result = ph_value_number(number);
	return true;
}

/* Whether one of the values of a list, or the one value, equals this one. */
static bool
is_among(const PhCall *call, const PhValue *value, const PhValue *list, bool *found)
{
	PhIterator	iterator;
	PhMember	member;

	*found = false;
	if (ph_value_kind(list) != PH_KIND_ARRAY)
		return ph_value_equal(value, list, &call->evaluation->visits, found) ||
			ph_evaluate_spent(call->evaluation, call->node);
	ph_iterate(&iterator, list);
	while (!*found && ph_iterate_next(&iterator, &member))
	{
		if (!ph_value_equal(value, &member.value, &call->evaluation->visits, found))
			return ph_evaluate_spent(call->evaluation, call->node);
	}
	return true;
}

/* boolean(x[, trues, falses]): lists or single values; without them "true" and "false". */
static bool
boolean(const PhCall *call, PhValue *result)
{
	PhValue		words[2] = {ph_value_text("true"), ph_value_text("false")};
	bool		found;
	int			i;

	*result = call->arguments[0];
	if (result->type == PH_VALUE_BOOL)
		return true;
	if (result->type == PH_VALUE_NULL)
		return ph_function_fail(call, PH_CODE_INVALID_TYPE, "argument 1 of boolean() must not be null");
	for (i = 0; i < 2; i++)
	{
		if (!is_among(call, &call->arguments[0], i + 1 < call->n ? &call->arguments[i + 1] : &words[i], &found))
			return false;
		if (found)
		{
			*result = ph_value_bool(i == 0);
			return true;
		}
	}
	return ph_function_fail(call, PH_CODE_INVALID_VALUE, "argument 1 of boolean() is neither among the true nor among the false values");
}

const PhFunction ph_functions_value[] = {
	{"boolean", "x", 'b', 1, 3, boolean, NULL},
	{"get", "xs", 'x', 2, 2, get, NULL},
	{"has", "xs", 'b', 2, 2, has, NULL},
	{"length", "x", 'n', 1, 1, length, NULL},
	{"not_null", "x", 'x', 1, -1, not_null, NULL},
	{"nz", "x", 'x', 2, 2, not_null, NULL},
	{"to_array", "x", 'a', 1, 1, to_array, NULL},
	{"to_number", "x", 'n', 1, 1, to_number, NULL},
	{"to_string", "x", 's', 1, 1, to_string, NULL},
	{"type", "x", 's', 1, 1, type, NULL},
	{NULL}
};
