/*
 * retry_after.c
 *	  The header field Retry-After: seconds or an HTTP date.  Pure C.
 */
#include <stdbool.h>
#include <string.h>

#include "connector/retry_after.h"

#ifdef POSTGRES_H
#error "pure C: must not see postgres.h"
#endif

#define MAX_SECONDS (24 * 60 * 60)

/* ---- HTTP dates, RFC 9110 5.6.7 ---- */

typedef struct Date
{
	int			year;
	int			month;				/* 1 to 12 */
	int			day;
	int			hour;
	int			minute;
	int			second;
} Date;

/* Exactly n digits; a space stands for a leading zero only where asctime has it. */
static bool
read_number(const char **p, int n, int *number)
{
	int			i;

	*number = 0;
	for (i = 0; i < n; i++)
	{
		if ((*p)[i] < '0' || (*p)[i] > '9')
			return false;
		*number = *number * 10 + ((*p)[i] - '0');
	}
	*p += n;
	return true;
}

static bool
read_literal(const char **p, const char *literal)
{
	size_t		len = strlen(literal);

	if (strncmp(*p, literal, len) != 0)
		return false;
	*p += len;
	return true;
}

static bool
read_month(const char **p, int *month)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (*month = 1; *month <= 12; (*month)++)
	{
		if (strncmp(*p, names + (*month - 1) * 3, 3) == 0)
		{
			*p += 3;
			return true;
		}
	}
	return false;
}

static bool
read_time(const char **p, Date *date)
{
	return read_number(p, 2, &date->hour) && read_literal(p, ":") && read_number(p, 2, &date->minute) &&
		read_literal(p, ":") && read_number(p, 2, &date->second);
}

/* Sun, 06 Nov 1994 08:49:37 GMT */
static bool
read_imf(const char *p, Date *date)
{
	return read_literal(&p, ", ") && read_number(&p, 2, &date->day) && read_literal(&p, " ") &&
		read_month(&p, &date->month) && read_literal(&p, " ") && read_number(&p, 4, &date->year) &&
		read_literal(&p, " ") && read_time(&p, date) && read_literal(&p, " GMT") && *p == '\0';
}

/* Sunday, 06-Nov-94 08:49:37 GMT; a year more than 50 years ahead is in the past. */
static bool
read_rfc850(const char *p, int this_year, Date *date)
{
	if (!(read_literal(&p, ", ") && read_number(&p, 2, &date->day) && read_literal(&p, "-") &&
		  read_month(&p, &date->month) && read_literal(&p, "-") && read_number(&p, 2, &date->year) &&
		  read_literal(&p, " ") && read_time(&p, date) && read_literal(&p, " GMT") && *p == '\0'))
		return false;
	date->year += this_year / 100 * 100;
	if (date->year > this_year + 50)
		date->year -= 100;
	return true;
}

/* Sun Nov  6 08:49:37 1994 */
static bool
read_asctime(const char *p, Date *date)
{
	if (!read_literal(&p, " ") || !read_month(&p, &date->month) || !read_literal(&p, " "))
		return false;
	if (!(*p == ' ' ? (p++, read_number(&p, 1, &date->day)) : read_number(&p, 2, &date->day)))
		return false;
	return read_literal(&p, " ") && read_time(&p, date) && read_literal(&p, " ") &&
		read_number(&p, 4, &date->year) && *p == '\0';
}

/* Days since 1970-01-01 in the Gregorian calendar; years start in March, so that the leap day is the last one. */
static int64_t
days_since_epoch(const Date *date)
{
	int64_t		year = date->year - (date->month <= 2);
	int64_t		month = (date->month + 9) % 12;

	return year * 365 + year / 4 - year / 100 + year / 400 + (month * 306 + 5) / 10 + date->day - 1 - 719468;
}

/* Seconds since 1970, or -1. */
static int64_t
parse_date(const char *value, int64_t now)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char *const rest[] = {"day", "day", "sday", "nesday", "rsday", "day", "urday"};
	Date		date;
	int			weekday;
	int			this_year = 1970 + (int) (now / 31556952);
	bool		good;

	for (weekday = 0; weekday < 7 && strncmp(value, days + weekday * 3, 3) != 0; weekday++)
		 ;
	if (weekday == 7)
		return -1;
	value += 3;
	if (read_literal(&value, rest[weekday]))
		good = read_rfc850(value, this_year, &date);
	else
		good = *value == ',' ? read_imf(value, &date) : read_asctime(value, &date);
	if (!good || date.day < 1 || date.day > 31 || date.hour > 23 || date.minute > 59 || date.second > 60)
		return -1;
	return days_since_epoch(&date) * 86400 + date.hour * 3600 + date.minute * 60 + date.second;
}

long
ph_retry_after_parse(const char *value, int64_t now)
{
	char		text[64];
	size_t		len;
	int64_t		seconds = 0;
	const char *p;

	value += strspn(value, " \t");
	len = strlen(value);
	while (len > 0 && strchr(" \t\r\n", value[len - 1]) != NULL)
		len--;
	if (len == 0 || len >= sizeof(text))
		return -1;
	memcpy(text, value, len);
	text[len] = '\0';

	if (strspn(text, "0123456789") == len)
	{
		for (p = text; *p != '\0' && seconds < MAX_SECONDS; p++)
			seconds = seconds * 10 + (*p - '0');
	}
	else
	{
		int64_t		at = parse_date(text, now);

		if (at == -1)
			return -1;
		seconds = at <= now ? 0 : at - now;
	}
	return seconds > MAX_SECONDS ? MAX_SECONDS : (long) seconds;
}
