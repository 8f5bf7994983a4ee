/*
 * number.c
 *	  Exact arithmetic that returns its errors.
 *
 * The server's functions throw on overflow and division by zero.  Operands are bounded first, so that nothing here can
 * overflow: the largest results have twice as many digits.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/memutils.h"

#include "json/json_text.h"
#include "json/number.h"
#include "pg/compat.h"

static Numeric
call1(PGFunction function, Numeric a)
{
	return DatumGetNumeric(DirectFunctionCall1(function, NumericGetDatum(a)));
}

static Numeric
call2(PGFunction function, Numeric a, Numeric b)
{
	return DatumGetNumeric(DirectFunctionCall2(function, NumericGetDatum(a), NumericGetDatum(b)));
}

static Numeric
with_scale(PGFunction function, Numeric a, int scale)
{
	return DatumGetNumeric(DirectFunctionCall2(function, NumericGetDatum(a), Int32GetDatum(scale)));
}

static Numeric
parse(const char *text)
{
	return DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid),
											   Int32GetDatum(-1)));
}

static int
scale_of(Numeric number)
{
	return DatumGetInt32(DirectFunctionCall1(numeric_scale, NumericGetDatum(number)));
}

static int
sign_of(Numeric number)
{
	return ph_number_compare(number, int64_to_numeric(0));
}

/* 10^digits */
static Numeric
power_of_ten(int digits)
{
	char		text[16];

	snprintf(text, sizeof(text), "1e%d", digits);
	return parse(text);
}

int
ph_number_compare(Numeric a, Numeric b)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(a), NumericGetDatum(b)));
}

Numeric
ph_number_negate(Numeric number)
{
	return call1(numeric_uminus, number);
}

/*
 * The short format of numeric, which is what is stored on disk and cannot change, has no room for more than 256 digits
 * before and 63 after the point; nearly every number has it.
 */
static bool
is_short(Numeric number)
{
	uint16		header;

	memcpy(&header, VARDATA_ANY(number), sizeof(header));
	return (header & 0xc000) == 0x8000;
}

const char *
ph_number_fault(Numeric number)
{
	static Numeric limit = NULL;	/* one more digit than allowed */
	bool		large;

	if (is_short(number))
		return NULL;
	if (numeric_is_nan(number))
		return "number is not finite";
	if (limit == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

		limit = power_of_ten(PH_NUMBER_DIGITS);
		MemoryContextSwitchTo(old);
	}
	large = scale_of(number) > PH_NUMBER_DIGITS ||
		ph_number_compare(call1(numeric_abs, number), limit) >= 0;
	return large ? "number has more than 1000 digits before or after the point" : NULL;
}

/* Floor of the exact quotient. */
static Numeric
floor_divide(Numeric a, Numeric b)
{
	Numeric		quotient = call2(numeric_div_trunc, a, b);
	int			rest = sign_of(call2(numeric_mod, a, b));

	if (rest != 0 && (rest > 0) != (sign_of(b) > 0))
		quotient = call2(numeric_sub, quotient, int64_to_numeric(1));
	return quotient;
}

const char *
ph_number_operate(PhOperator operator, Numeric a, Numeric b, Numeric *result)
{
	const char *fault = ph_number_fault(a);

	if (fault == NULL)
		fault = ph_number_fault(b);
	if (fault != NULL)
		return fault;
	if ((operator == PH_OPERATOR_DIVIDE || operator == PH_OPERATOR_FLOOR_DIVIDE || operator == PH_OPERATOR_MODULO) &&
		sign_of(b) == 0)
		return "division by zero";
	switch (operator)
	{
		case PH_OPERATOR_PLUS:
			*result = call2(numeric_add, a, b);
			break;
		case PH_OPERATOR_MINUS:
			*result = call2(numeric_sub, a, b);
			break;
		case PH_OPERATOR_TIMES:
			*result = call2(numeric_mul, a, b);
			break;
		case PH_OPERATOR_DIVIDE:
			*result = call2(numeric_div, a, b);
			break;
		case PH_OPERATOR_FLOOR_DIVIDE:
			*result = floor_divide(a, b);
			break;
		default:
			*result = call2(numeric_mod, a, b);
			break;
	}
	return ph_number_fault(*result);
}

/* Of the two neighbours of a tie, the one whose last digit is even. */
static Numeric
to_even(Numeric low, Numeric high, int digits)
{
	Numeric		last = digits >= 0 ? call2(numeric_mul, low, power_of_ten(digits)) :
		call2(numeric_div_trunc, low, power_of_ten(-digits));

	return sign_of(call2(numeric_mod, last, int64_to_numeric(2))) == 0 ? low : high;
}

const char *
ph_number_round(Numeric number, int digits, PhRounding rounding, Numeric *result)
{
	const char *fault = ph_number_fault(number);
	Numeric		low;
	Numeric		high;
	Numeric		twice;

	if (fault != NULL)
		return fault;
	if (digits < -PH_NUMBER_DIGITS || digits > PH_NUMBER_DIGITS)
		return "number of digits is out of range";
	low = with_scale(numeric_trunc, number, digits);
	*result = low;
	if (rounding == PH_ROUND_DOWN || ph_number_compare(low, number) == 0)
		return NULL;
	if (rounding == PH_ROUND_HALF_UP)
	{
		*result = with_scale(numeric_round, number, digits);
		return ph_number_fault(*result);
	}
	high = call2(sign_of(number) > 0 ? numeric_add : numeric_sub, low, power_of_ten(-digits));
	twice = call2(numeric_sub, call2(numeric_add, low, high), call2(numeric_add, number, number));
	if (rounding == PH_ROUND_UP)
		*result = high;
	else if (sign_of(twice) == 0)
		*result = to_even(low, high, digits);
	else
		*result = with_scale(numeric_round, number, digits);
	return ph_number_fault(*result);
}

bool
ph_number_to_int(Numeric number, int32 *result)
{
	if (ph_number_fault(number) != NULL || ph_number_compare(call1(numeric_floor, number), number) != 0 ||
		ph_number_compare(number, int64_to_numeric(PG_INT32_MAX)) > 0 ||
		ph_number_compare(number, int64_to_numeric(PG_INT32_MIN)) < 0)
		return false;
	*result = DatumGetInt32(DirectFunctionCall1(numeric_int4, NumericGetDatum(number)));
	return true;
}

char *
ph_number_text(Numeric number)
{
	return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number)));
}

bool
ph_number_parse(const char *text, int length, Numeric *result)
{
	bool		negative = length > 0 && text[0] == '-';
	char	   *copy;

	if (length > 0 && (text[0] == '-' || text[0] == '+'))
	{
		text++;
		length--;
	}
	while (length > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9')
	{
		text++;
		length--;
	}
	if (length == 0 || text[0] == '-' || !ph_json_text_number(text, length))
		return false;
	copy = pnstrdup(text, length);
	*result = parse(copy);
	pfree(copy);
	if (negative)
		*result = ph_number_negate(*result);
	return true;
}
