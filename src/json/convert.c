/*
 * convert.c
 *	  Strict conversion of values to the types of "$type".
 */
#include "postgres.h"

#include "json/convert.h"
#include "json/datetime.h"
#include "json/number.h"

static const char *
to_string(const PhValue *value, PhValue *result)
{
	switch (ph_value_kind(value))
	{
		case PH_KIND_STRING:
			*result = *value;
			return NULL;
		case PH_KIND_NUMBER:
			*result = ph_value_text(ph_number_text(value->u.number));
			return NULL;
		case PH_KIND_BOOLEAN:
			*result = ph_value_text(value->u.boolean ? "true" : "false");
			return NULL;
		default:
			return "a string is needed";
	}
}

static const char *
to_number(const PhValue *value, PhValue *result)
{
	Numeric		number;

	if (value->type == PH_VALUE_NUMBER)
		*result = *value;
	else if (value->type == PH_VALUE_STRING && ph_number_parse(value->u.string, value->length, &number))
		*result = ph_value_number(number);
	else
		return "a number is needed";
	return NULL;
}

static const char *
to_integer(const PhValue *value, PhValue *result)
{
	const char *fault = to_number(value, result);
	Numeric		whole;

	if (fault == NULL)
		fault = ph_number_round(result->u.number, 0, PH_ROUND_DOWN, &whole);
	if (fault != NULL)
		return fault;
	if (ph_number_compare(whole, result->u.number) != 0)
		return "a whole number is needed";
	*result = ph_value_number(whole);
	return NULL;
}

static const char *
to_boolean(const PhValue *value, PhValue *result)
{
	*result = *value;
	if (value->type == PH_VALUE_BOOL)
		return NULL;
	if (value->type == PH_VALUE_STRING)
	{
		bool		is_true = value->length == 4 && memcmp(value->u.string, "true", 4) == 0;

		*result = ph_value_bool(is_true);
		if (is_true || (value->length == 5 && memcmp(value->u.string, "false", 5) == 0))
			return NULL;
	}
	return "true or false is needed";
}

static const char *
to_time(const PhValue *value, bool with_time, PhValue *result)
{
	const char *needed = with_time ? "a date and time with offset is needed, such as 2026-03-02T06:00:00Z" :
		"a date is needed, such as 2026-03-02";
	PhDateTime	time;

	*result = *value;
	if (value->type != PH_VALUE_STRING || ph_datetime_parse_iso(value->u.string, value->length, &time) != NULL ||
		!time.has_date || time.has_time != with_time || time.has_offset != with_time)
		return needed;
	return NULL;
}

const char *
ph_convert(PhType type, const PhValue *value, PhValue *result)
{
	switch (type)
	{
		case PH_TYPE_STRING:
			return to_string(value, result);
		case PH_TYPE_NUMBER:
			return to_number(value, result);
		case PH_TYPE_INTEGER:
			return to_integer(value, result);
		case PH_TYPE_BOOLEAN:
			return to_boolean(value, result);
		case PH_TYPE_DATE:
			return to_time(value, false, result);
		case PH_TYPE_TIMESTAMP:
			return to_time(value, true, result);
		default:
			*result = *value;
			return NULL;
	}
}
