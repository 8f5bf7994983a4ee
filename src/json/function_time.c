/*
 * function_time.c
 *	  Functions for dates and times.  They know no present time: a replay gives the same result.
 *
 * A local time that a zone skips or has twice is an error, unless the call says which of the two instants is meant.
 */
#include "postgres.h"

#include "pgtime.h"
#include "utils/builtins.h"

#include "json/datetime.h"
#include "json/function.h"
#include "json/number.h"

#define SECONDS_PER_DAY	86400

static const struct
{
	const char *name;
	int			digits;			/* decimal places of one second */
}			units[] = {{"s", 0}, {"ms", 3}, {"us", 6}};

static bool
invalid(const PhCall *call, const char *fault)
{
	return ph_function_fail(call, PH_CODE_INVALID_VALUE, "%s", fault);
}

static bool
give(const PhDateTime *value, PhValue *result)
{
	char		text[PH_DATETIME_TEXT];

	ph_datetime_format_iso(value, text);
	*result = ph_value_text(pstrdup(text));
	return true;
}

static bool
iso_argument(const PhCall *call, int i, bool needs_time, PhDateTime *value)
{
	const PhValue *text = &call->arguments[i];
	const char *fault = ph_datetime_parse_iso(text->u.string, text->length, value);

	if (fault == NULL && needs_time && !value->has_time)
		fault = "text has no time of day";
	if (fault == NULL)
		return true;
	return ph_function_fail(call, PH_CODE_INVALID_VALUE, "argument %d of %s() is \"%.*s\": %s", i + 1,
							call->function->name, Min(text->length, 60), text->u.string, fault);
}

/* ---- zones ---- */

static bool
zone_argument(const PhCall *call, int i, pg_tz **zone)
{
	*zone = NULL;
	if (i >= call->n || call->arguments[i].type == PH_VALUE_NULL)
		return true;
	if (call->arguments[i].length > 0 && call->arguments[i].length < TZ_STRLEN_MAX)
		*zone = pg_tzset(ph_function_text(call, i));
	if (*zone == NULL || !pg_tz_acceptable(*zone))
		return ph_function_fail(call, PH_CODE_INVALID_VALUE, "argument %d of %s() is not a time zone: \"%.*s\"", i + 1,
								call->function->name, Min(call->arguments[i].length, 60), call->arguments[i].u.string);
	return true;
}

/* Seconds east of UTC at an instant. */
static long
offset_at(int64 seconds, pg_tz *zone)
{
	pg_time_t	instant = seconds;

	return pg_localtime(&instant, zone)->tm_gmtoff;
}

/* The instant of a local time: 0, 1 or 2 candidates in order; where it is skipped, those with the offsets around. */
static int
candidates(int64 local, pg_tz *zone, int64 instants[2])
{
	int64		first = local - offset_at(local - SECONDS_PER_DAY, zone);
	int64		second = local - offset_at(local + SECONDS_PER_DAY, zone);
	bool		first_is = local - offset_at(first, zone) == first;
	bool		second_is = local - offset_at(second, zone) == second;

	instants[0] = Min(first, second);
	instants[1] = Max(first, second);
	if (first_is && second_is)
		return first == second ? 1 : 2;
	if (!first_is && !second_is)
		return 0;
	instants[0] = first_is ? first : second;
	return 1;
}

static bool
choose_instant(const PhCall *call, int i, int64 instants[2], int n, int64 *instant)
{
	const PhValue *choice = i < call->n ? &call->arguments[i] : NULL;

	*instant = instants[0];
	if (choice != NULL && !(choice->length == 7 && memcmp(choice->u.string, "earlier", 7) == 0) &&
		!(choice->length == 5 && memcmp(choice->u.string, "later", 5) == 0))
		return ph_function_fail(call, PH_CODE_INVALID_VALUE, "argument %d of %s() must be 'earlier' or 'later'", i + 1,
								call->function->name);
	if (n == 1)
		return true;
	if (choice == NULL)
		return invalid(call, n == 0 ? "time zone skips this local time; say 'earlier' or 'later'" :
					   "time zone has this local time twice; say 'earlier' or 'later'");
	*instant = instants[choice->length == 7 ? 0 : 1];
	return true;
}

/* As local time of the zone; text without offset is local time there already.  Argument choice: see above. */
static bool
to_zone(const PhCall *call, PhDateTime *value, pg_tz *zone, int choice)
{
	int64		micros;
	int64		instants[2];
	int64		instant;
	long		offset;
	int			n;

	value->has_time = true;		/* a date is its beginning */
	micros = ph_datetime_to_micros(value);
	instants[0] = (micros - value->microsecond) / PH_MICROSECONDS - value->offset * 60;
	n = 1;
	if (!value->has_offset)
		n = candidates(instants[0], zone, instants);
	if (!choose_instant(call, choice, instants, n, &instant))
		return false;
	offset = offset_at(instant, zone);
	if (offset % 60 != 0)
		return invalid(call, "offset from UTC of the time zone is not in whole minutes then");
	if (!ph_datetime_from_micros((instant + offset) * PH_MICROSECONDS + value->microsecond, value))
		return invalid(call, "year must be 1 to 9999");
	value->has_offset = true;
	value->offset = offset / 60;
	return true;
}

/* ---- functions ---- */

/* datetime(text, format[, zone[, 'earlier' or 'later']]) */
static bool
datetime(const PhCall *call, PhValue *result)
{
	const PhValue *text = &call->arguments[0];
	const PhValue *format = &call->arguments[1];
	PhDateTime	value;
	pg_tz	   *zone;
	const char *fault;

	if (!zone_argument(call, 2, &zone))
		return false;
	fault = ph_datetime_parse(text->u.string, text->length, format->u.string, format->length, &value);
	if (fault == NULL && zone != NULL && !value.has_date)
		fault = "a time without date has no time zone";
	if (fault != NULL)
		return ph_function_fail(call, PH_CODE_INVALID_VALUE, "\"%.*s\" is not a date or time of the format \"%.*s\": %s",
								Min(text->length, 60), text->u.string, Min(format->length, 60), format->u.string, fault);
	if (zone != NULL && !to_zone(call, &value, zone, 3))
		return false;
	return give(&value, result);
}

/* format_datetime(iso, format[, zone[, 'earlier' or 'later']]) */
static bool
format_datetime(const PhCall *call, PhValue *result)
{
	PhDateTime	value;
	pg_tz	   *zone;
	char		text[PH_DATETIME_TEXT];
	const char *fault;

	if (!zone_argument(call, 2, &zone) || !iso_argument(call, 0, false, &value) ||
		(zone != NULL && !to_zone(call, &value, zone, 3)))
		return false;
	fault = ph_datetime_format(&value, call->arguments[1].u.string, call->arguments[1].length, text);
	if (fault != NULL)
		return invalid(call, fault);
	*result = ph_value_text(pstrdup(text));
	return true;
}

/* Of seconds, or with digits = 3 of milliseconds ... */
static bool
to_micros(const PhCall *call, Numeric number, int digits, int64 *micros)
{
	Numeric		value;
	Numeric		limit = int64_to_numeric(INT64CONST(1000000000000) * PH_MICROSECONDS);
	const char *fault = ph_number_round(number, 6 - digits, PH_ROUND_HALF_UP, &value);
	int			i;

	for (i = digits; fault == NULL && i < 6; i++)
		fault = ph_number_operate(PH_OPERATOR_TIMES, value, int64_to_numeric(10), &value);
	if (fault == NULL && (ph_number_compare(value, limit) > 0 || ph_number_compare(value, ph_number_negate(limit)) < 0))
		fault = "year must be 1 to 9999";
	if (fault != NULL)
		return invalid(call, fault);
	*micros = DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(value)));
	return true;
}

static bool
from_micros(const PhCall *call, int64 micros, int digits, PhValue *result)
{
	Numeric		value = int64_to_numeric(micros);
	const char *fault = NULL;
	int			i;

	for (i = digits; fault == NULL && i < 6; i++)
		fault = ph_number_operate(PH_OPERATOR_DIVIDE, value, int64_to_numeric(10), &value);
	if (fault != NULL)
		return invalid(call, fault);
	*result = ph_value_number(DatumGetNumeric(DirectFunctionCall1(numeric_trim_scale, NumericGetDatum(value))));
	return true;
}

/* Keeps the offset; rounds to microseconds. */
static bool
add_seconds(const PhCall *call, PhValue *result)
{
	PhDateTime	value;
	int64		micros;

	if (!iso_argument(call, 0, true, &value) || !to_micros(call, call->arguments[1].u.number, 0, &micros))
		return false;
	if (!ph_datetime_from_micros(ph_datetime_to_micros(&value) + micros, &value))
		return invalid(call, "year must be 1 to 9999");
	return give(&value, result);
}

/* From the first to the second. */
static bool
seconds_between(const PhCall *call, PhValue *result)
{
	PhDateTime	from;
	PhDateTime	to;

	if (!iso_argument(call, 0, false, &from) || !iso_argument(call, 1, false, &to))
		return false;
	if (from.has_offset != to.has_offset)
		return invalid(call, "either both or none of the arguments of seconds_between() must have an offset from UTC");
	return from_micros(call, ph_datetime_to_micros(&to) - ph_datetime_to_micros(&from) -
					   (to.offset - from.offset) * 60 * PH_MICROSECONDS, 0, result);
}

/* Argument 2: s (default), ms or us. */
static bool
unit_argument(const PhCall *call, int *digits)
{
	int			i;

	*digits = 0;
	if (call->n < 2)
		return true;
	for (i = 0; i < lengthof(units); i++)
	{
		if (strlen(units[i].name) == call->arguments[1].length &&
			memcmp(units[i].name, call->arguments[1].u.string, call->arguments[1].length) == 0)
		{
			*digits = units[i].digits;
			return true;
		}
	}
	return ph_function_fail(call, PH_CODE_INVALID_VALUE, "argument 2 of %s() must be 's', 'ms' or 'us'",
							call->function->name);
}

static bool
from_epoch(const PhCall *call, PhValue *result)
{
	PhDateTime	value = {.has_offset = true};
	int64		micros;
	int			digits;

	if (!unit_argument(call, &digits) || !to_micros(call, call->arguments[0].u.number, digits, &micros))
		return false;
	if (!ph_datetime_from_micros(micros, &value))
		return invalid(call, "year must be 1 to 9999");
	return give(&value, result);
}

static bool
to_epoch(const PhCall *call, PhValue *result)
{
	PhDateTime	value;
	int			digits;

	if (!unit_argument(call, &digits) || !iso_argument(call, 0, true, &value))
		return false;
	if (!value.has_offset)
		return invalid(call, "argument 1 of to_epoch() must have an offset from UTC");
	return from_micros(call, ph_datetime_to_micros(&value) - value.offset * 60 * PH_MICROSECONDS, digits, result);
}

/* A format that is written in the expression is checked with it. */
static bool
prepare_format(PhNode *call, PhError *error, const PhNode **where)
{
	const PhNode *format = call->list->next;

	if (format->type != PH_NODE_STRING)
		return true;
	error->message = ph_datetime_check_format(format->text, format->length);
	error->code = PH_CODE_INVALID_VALUE;
	*where = format;
	return error->message == NULL;
}

const PhFunction ph_functions_time[] = {
	{"add_seconds", "sn", 's', 2, 2, add_seconds, NULL},
	{"datetime", "sszs", 's', 2, 4, datetime, prepare_format},
	{"format_datetime", "sszs", 's', 2, 4, format_datetime, prepare_format},
	{"from_epoch", "ns", 's', 1, 2, from_epoch, NULL},
	{"seconds_between", "s", 'n', 2, 2, seconds_between, NULL},
	{"to_epoch", "ss", 'n', 1, 2, to_epoch, NULL},
	{NULL}
};
