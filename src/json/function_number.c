/*
 * function_number.c
 *	  Functions for numbers.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "json/function.h"
#include "json/number.h"

static bool
not_a_number(const PhCall *call, const char *fault)
{
	return ph_function_fail(call, PH_CODE_NOT_A_NUMBER, "%s", fault);
}

/* Rounds argument 1, or says why not. */
static bool
rounded(const PhCall *call, Numeric number, int digits, PhRounding rounding, PhValue *result)
{
	Numeric		value;
	const char *fault = ph_number_round(number, digits, rounding, &value);

	if (fault != NULL)
		return not_a_number(call, fault);
	*result = ph_value_number(value);
	return true;
}

static bool
absolute(const PhCall *call, PhValue *result)
{
	*result = ph_value_number(DatumGetNumeric(DirectFunctionCall1(numeric_abs, NumericGetDatum(call->arguments[0].u.number))));
	return true;
}

static bool
ceiling(const PhCall *call, PhValue *result)
{
	Numeric		number = call->arguments[0].u.number;
	bool		negative = ph_number_compare(number, int64_to_numeric(0)) < 0;

	return rounded(call, number, 0, negative ? PH_ROUND_DOWN : PH_ROUND_UP, result);
}

static bool
bottom(const PhCall *call, PhValue *result)
{
	Numeric		number = call->arguments[0].u.number;
	bool		negative = ph_number_compare(number, int64_to_numeric(0)) < 0;

	return rounded(call, number, 0, negative ? PH_ROUND_UP : PH_ROUND_DOWN, result);
}

/* Their number has been paid for by the check of their type. */
static bool
add_up(const PhCall *call, Numeric *total)
{
	PhIterator	iterator;
	PhMember	member;

	*total = int64_to_numeric(0);
	ph_iterate(&iterator, &call->arguments[0]);
	while (ph_iterate_next(&iterator, &member))
	{
		const char *fault = ph_number_operate(PH_OPERATOR_PLUS, *total, member.value.u.number, total);

		if (fault != NULL)
			return not_a_number(call, fault);
	}
	return true;
}

static bool
sum(const PhCall *call, PhValue *result)
{
	Numeric		total;

	if (!add_up(call, &total))
		return false;
	*result = ph_value_number(total);
	return true;
}

static bool
average(const PhCall *call, PhValue *result)
{
	int			n = ph_value_count(&call->arguments[0]);
	Numeric		total;
	const char *fault;

	*result = ph_value_null();
	if (n == 0)
		return true;
	if (!add_up(call, &total))
		return false;
	fault = ph_number_operate(PH_OPERATOR_DIVIDE, total, int64_to_numeric(n), &total);
	if (fault != NULL)
		return not_a_number(call, fault);
	*result = ph_value_number(total);
	return true;
}

/* ---- strict conversions ---- */

/* One character of an argument that says how numbers are written; 0 when it is absent. */
static bool
separator(const PhCall *call, int i, char *c)
{
	*c = '\0';
	if (i >= call->n || call->arguments[i].type == PH_VALUE_NULL)
		return true;
	if (call->arguments[i].length != 1 ||
		memchr("0123456789+-eE", call->arguments[i].u.string[0], 14) != NULL)
		return ph_function_fail(call, PH_CODE_INVALID_VALUE, "argument %d of %s() must be one ASCII character that is no part of a number",
								i + 1, call->function->name);
	*c = call->arguments[i].u.string[0];
	return true;
}

/* Digits in groups of three without what separates them; false where the groups are not. */
static bool
without_groups(const char *text, int length, char decimal, char group, char *plain, int *plain_length)
{
	bool		grouped = false;
	bool		fraction = false;
	int			digits = 0;		/* since the last separator */
	int			n = 0;
	int			i;

	for (i = 0; i < length; i++)
	{
		char		c = text[i];

		if (c == group && group != '\0')
		{
			if (fraction || digits == 0 || digits > 3 || (grouped && digits != 3))
				return false;
			grouped = true;
			digits = 0;
			continue;
		}
		if (c == decimal)
		{
			if (fraction || (grouped && digits != 3))
				return false;
			fraction = true;
			c = '.';
		}
		else if (c >= '0' && c <= '9')
			digits++;
		else if (c == '.' || (i > 0 && (c == '+' || c == '-') && group != '\0'))
			return false;
		plain[n++] = c;
	}
	*plain_length = n;
	return fraction || !grouped || digits == 3;
}

/* number(x[, decimal[, group]]) */
static bool
to_numeric(const PhCall *call, Numeric *number)
{
	const PhValue *value = &call->arguments[0];
	char	   *plain;
	int			length;
	char		decimal;
	char		group;

	if (!separator(call, 1, &decimal) || !separator(call, 2, &group))
		return false;
	if (decimal == '\0')
		decimal = '.';
	if (value->type == PH_VALUE_NUMBER)
	{
		*number = value->u.number;
		return true;
	}
	if (value->type != PH_VALUE_STRING)
		return ph_function_fail(call, PH_CODE_INVALID_TYPE, "argument 1 of %s() must be a number or a string, not %s",
								call->function->name, ph_kind_name(ph_value_kind(value)));
	if (!ph_evaluate_pay_text(call->evaluation, call->node, value->length))
		return false;
	plain = palloc(value->length + 1);
	if (decimal != group && without_groups(value->u.string, value->length, decimal, group, plain, &length) &&
		ph_number_parse(plain, length, number))
		return true;
	return ph_function_fail(call, PH_CODE_INVALID_VALUE, "\"%.*s\" is not a number", Min(value->length, 100),
							value->u.string);
}

static bool
number(const PhCall *call, PhValue *result)
{
	Numeric		value;

	if (!to_numeric(call, &value))
		return false;
	*result = ph_value_number(value);
	return true;
}

static bool
integer(const PhCall *call, PhValue *result)
{
	Numeric		value;
	Numeric		whole;
	const char *fault;

	if (!to_numeric(call, &value))
		return false;
	fault = ph_number_round(value, 0, PH_ROUND_DOWN, &whole);
	if (fault != NULL)
		return not_a_number(call, fault);
	if (ph_number_compare(value, whole) != 0)
		return ph_function_fail(call, PH_CODE_INVALID_VALUE, "%.100s is not a whole number", ph_number_text(value));
	*result = ph_value_number(whole);
	return true;
}

/* ---- decimals ---- */

static bool
round_to(const PhCall *call, PhValue *result)
{
	static const char *const names[] = {"half_up", "half_even", "down", "up"};
	PhRounding	rounding = PH_ROUND_HALF_UP;
	int32		digits;

	if (!ph_function_int(call, 1, PG_INT32_MIN, 0, &digits))
		return false;
	if (call->n > 2)
	{
		for (rounding = 0; rounding < lengthof(names); rounding++)
		{
			if (strlen(names[rounding]) == call->arguments[2].length &&
				memcmp(names[rounding], call->arguments[2].u.string, call->arguments[2].length) == 0)
				break;
		}
		if (rounding == lengthof(names))
			return ph_function_fail(call, PH_CODE_INVALID_VALUE, "argument 3 of round() must be 'half_up', 'half_even', 'down' or 'up'");
	}
	return rounded(call, call->arguments[0].u.number, digits, rounding, result);
}

static bool
trim_scale(const PhCall *call, PhValue *result)
{
	const char *fault = ph_number_fault(call->arguments[0].u.number);

	if (fault != NULL)
		return not_a_number(call, fault);
	*result = ph_value_number(DatumGetNumeric(DirectFunctionCall1(numeric_trim_scale,
																 NumericGetDatum(call->arguments[0].u.number))));
	return true;
}

/* Text with exactly that many digits after the point. */
static bool
format_number(const PhCall *call, PhValue *result)
{
	int32		scale;

	if (!ph_function_int(call, 1, 0, 0, &scale) ||
		!rounded(call, call->arguments[0].u.number, scale, PH_ROUND_HALF_UP, result))
		return false;
	*result = ph_value_text(ph_number_text(DatumGetNumeric(DirectFunctionCall2(numeric_round,
																			   NumericGetDatum(result->u.number),
																			   Int32GetDatum(scale)))));
	return ph_evaluate_pay_text(call->evaluation, call->node, result->length);
}

const PhFunction ph_functions_number[] = {
	{"abs", "n", 'n', 1, 1, absolute, NULL},
	{"avg", "N", 'n', 1, 1, average, NULL},
	{"ceil", "n", 'n', 1, 1, ceiling, NULL},
	{"floor", "n", 'n', 1, 1, bottom, NULL},
	{"format_number", "nn", 's', 2, 2, format_number, NULL},
	{"integer", "xz", 'n', 1, 3, integer, NULL},
	{"number", "xz", 'n', 1, 3, number, NULL},
	{"round", "nns", 'n', 2, 3, round_to, NULL},
	{"sum", "N", 'n', 1, 1, sum, NULL},
	{"trim_scale", "n", 'n', 1, 1, trim_scale, NULL},
	{NULL}
};
