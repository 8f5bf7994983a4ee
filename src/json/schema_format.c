/*
 * schema_format.c
 *	  The values of "format" that can be asserted.  Pure C.
 *
 * RFC 3339 (date, time, date-time, duration), RFC 9562 (uuid), RFC 3986 (uri), RFC 5321 (email), RFC 1123 (hostname),
 * RFC 2673 (ipv4), RFC 4291 (ipv6), RFC 6901 (json-pointer).
 */
#include "json/schema_format.h"

#include <stddef.h>
#include <string.h>

typedef struct Text
{
	const char *at;
	const char *end;
} Text;

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_hex(char c)
{
	return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool
is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

static bool
take(Text *t, char c)
{
	if (t->at == t->end || *t->at != c)
		return false;
	t->at++;
	return true;
}

static bool
take_letter(Text *t, char lower)
{
	if (t->at == t->end || (*t->at | 0x20) != lower)
		return false;
	t->at++;
	return true;
}

/* A number of exactly n digits; -1 when there is none. */
static int
take_number(Text *t, int n)
{
	int			value = 0;

	for (; n > 0; n--, t->at++)
	{
		if (t->at == t->end || !is_digit(*t->at))
			return -1;
		value = value * 10 + (*t->at - '0');
	}
	return value;
}

static bool
take_digits(Text *t)
{
	const char *start = t->at;

	while (t->at < t->end && is_digit(*t->at))
		t->at++;
	return t->at > start;
}

/* ---- dates and times ---- */

static bool
take_date(Text *t)
{
	static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int			year = take_number(t, 4);
	int			month = year >= 0 && take(t, '-') ? take_number(t, 2) : -1;
	int			day = month >= 1 && take(t, '-') ? take_number(t, 2) : -1;

	if (month < 1 || month > 12 || day < 1 || day > days[month - 1])
		return false;
	return month != 2 || day < 29 || (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
}

static bool
take_time(Text *t)
{
	int			hour = take_number(t, 2);
	int			minute = hour >= 0 && take(t, ':') ? take_number(t, 2) : -1;
	int			second = minute >= 0 && take(t, ':') ? take_number(t, 2) : -1;
	int			sign = 0;
	int			zone_hour = 0;
	int			zone_minute = 0;
	int			utc;

	if (hour > 23 || minute > 59 || second < 0 || second > 60 || (take(t, '.') && !take_digits(t)))
		return false;
	if (!take_letter(t, 'z'))
	{
		sign = take(t, '+') ? 1 : take(t, '-') ? -1 : 0;
		zone_hour = sign != 0 ? take_number(t, 2) : -1;
		zone_minute = zone_hour >= 0 && take(t, ':') ? take_number(t, 2) : -1;
		if (zone_hour > 23 || zone_minute < 0 || zone_minute > 59)
			return false;
	}
	/* A leap second is the last one of a day in UTC. */
	utc = hour * 60 + minute - sign * (zone_hour * 60 + zone_minute);
	return second < 60 || (utc + 2 * 1440) % 1440 == 23 * 60 + 59;
}

/* One after the other out of units, each with a number before it; at least one. */
static bool
take_units(Text *t, const char *units)
{
	bool		any = false;
	const char *unit;

	while (t->at < t->end && is_digit(*t->at))
	{
		(void) take_digits(t);
		unit = t->at < t->end && is_one_of(*t->at, units) ? strchr(units, *t->at) : NULL;
		/* RFC 3339, appendix A: no unit is left out between two. */
		if (unit == NULL || (any && unit != units))
			return false;
		units = unit + 1;
		any = true;
		t->at++;
	}
	return any;
}

static bool
take_duration(Text *t)
{
	if (!take(t, 'P'))
		return false;
	if (t->at < t->end && *t->at != 'T')
	{
		Text		week = *t;

		if (take_digits(&week) && take(&week, 'W'))
		{
			*t = week;
			return true;
		}
		if (!take_units(t, "YMD"))
			return false;
		if (t->at == t->end)
			return true;
	}
	return take(t, 'T') && take_units(t, "HMS");
}

/* ---- names and addresses ---- */

static bool
take_uuid(Text *t)
{
	int			i;

	for (i = 0; i < 36; i++, t->at++)
	{
		bool		dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (t->at == t->end || (dash ? *t->at != '-' : !is_hex(*t->at)))
			return false;
	}
	return true;
}

static bool
take_ipv4(Text *t)
{
	int			i;

	for (i = 0; i < 4; i++)
	{
		const char *start;
		int			value = 0;

		if (i > 0 && !take(t, '.'))
			return false;
		start = t->at;
		while (t->at < t->end && is_digit(*t->at) && t->at - start < 3)
			value = value * 10 + (*t->at++ - '0');
		if (t->at == start || value > 255 || (*start == '0' && t->at - start > 1))
			return false;
	}
	return true;
}

static bool
take_ipv6(Text *t)
{
	int			groups = 0;
	bool		gap = false;

	if (t->end - t->at >= 2 && t->at[0] == ':' && t->at[1] == ':')
	{
		gap = true;
		t->at += 2;
	}
	while (t->at < t->end)
	{
		Text		dotted = *t;
		const char *start = t->at;

		if (groups <= 6 && take_ipv4(&dotted) && dotted.at == dotted.end)
		{
			*t = dotted;
			groups += 2;
			break;
		}
		while (t->at < t->end && is_hex(*t->at) && t->at - start < 4)
			t->at++;
		if (t->at == start || ++groups > 8)
			return false;
		if (t->at == t->end)
			break;
		if (!take(t, ':'))
			return false;
		if (take(t, ':'))
		{
			if (gap)
				return false;
			gap = true;
		}
		else if (t->at == t->end)
			return false;
	}
	return gap ? groups < 8 : groups == 8;
}

static bool
take_hostname(Text *t)
{
	const char *all = t->at;

	for (;;)
	{
		const char *start = t->at;

		while (t->at < t->end && (is_letter(*t->at) || is_digit(*t->at) || *t->at == '-'))
			t->at++;
		if (t->at == start || t->at - start > 63 || *start == '-' || t->at[-1] == '-')
			return false;
		if (t->at == t->end)
			return t->at - all <= 253;
		if (!take(t, '.'))
			return false;
	}
}

static bool
take_quoted(Text *t)
{
	for (t->at++; t->at < t->end && *t->at != '"'; t->at++)
	{
		if (*t->at == '\\' && ++t->at == t->end)
			return false;
		if ((unsigned char) *t->at < ' ' || *t->at == 0x7F)
			return false;
	}
	return take(t, '"');
}

static bool
take_email(Text *t)
{
	const char *start = t->at;

	if (t->at < t->end && *t->at == '"')
	{
		if (!take_quoted(t))
			return false;
	}
	else
	{
		while (t->at < t->end && (is_letter(*t->at) || is_digit(*t->at) || is_one_of(*t->at, "!#$%&'*+-/=?^_`{|}~.")))
		{
			if (*t->at == '.' && (t->at == start || t->at[-1] == '.'))
				return false;
			t->at++;
		}
		if (t->at == start || t->at[-1] == '.')
			return false;
	}
	if (t->at - start > 64 || !take(t, '@'))
		return false;
	if (t->at < t->end && *t->at == '[')
	{
		Text		address = {t->at + 1, t->end - 1};

		if (t->end - t->at < 3 || t->end[-1] != ']')
			return false;
		t->at = t->end;
		if (address.end - address.at > 5 && memcmp(address.at, "IPv6:", 5) == 0)
		{
			address.at += 5;
			return take_ipv6(&address) && address.at == address.end;
		}
		return take_ipv4(&address) && address.at == address.end;
	}
	return take_hostname(t);
}

/* ---- references ---- */

/* Characters of RFC 3986, escapes complete; brackets in the authority only. */
static bool
take_uri(Text *t, bool reference)
{
	Text		scheme = *t;
	bool		authority;
	bool		fragment = false;

	if (scheme.at < scheme.end && is_letter(*scheme.at))
	{
		while (scheme.at < scheme.end &&
			   (is_letter(*scheme.at) || is_digit(*scheme.at) || is_one_of(*scheme.at, "+-.")))
			scheme.at++;
		if (take(&scheme, ':'))
			*t = scheme;
		else if (!reference)
			return false;
	}
	else if (!reference)
		return false;
	authority = t->end - t->at >= 2 && t->at[0] == '/' && t->at[1] == '/';
	if (authority)
		t->at += 2;
	for (; t->at < t->end; t->at++)
	{
		char		c = *t->at;

		if (c == '/' || c == '?' || c == '#')
			authority = false;
		if (c == '#' && fragment)
			return false;
		fragment |= c == '#';
		if (c == '%' && (t->end - t->at < 3 || !is_hex(t->at[1]) || !is_hex(t->at[2])))
			return false;
		if ((c == '[' || c == ']') && !authority)
			return false;
		if (!is_letter(c) && !is_digit(c) && !is_one_of(c, "-._~:/?#[]@!$&'()*+,;=%"))
			return false;
	}
	return true;
}

static bool
take_json_pointer(Text *t)
{
	if (t->at == t->end)
		return true;
	if (*t->at != '/')
		return false;
	for (; t->at < t->end; t->at++)
	{
		if (*t->at == '~' && (t->end - t->at < 2 || (t->at[1] != '0' && t->at[1] != '1')))
			return false;
	}
	return true;
}

PhFormat
ph_format_find(const char *name, int length)
{
	static const struct
	{
		const char *name;
		PhFormat	format;
	}			formats[] = {
		{"date", PH_FORMAT_DATE}, {"time", PH_FORMAT_TIME}, {"date-time", PH_FORMAT_DATE_TIME},
		{"duration", PH_FORMAT_DURATION}, {"uuid", PH_FORMAT_UUID}, {"uri", PH_FORMAT_URI},
		{"uri-reference", PH_FORMAT_URI_REFERENCE}, {"email", PH_FORMAT_EMAIL}, {"hostname", PH_FORMAT_HOSTNAME},
		{"ipv4", PH_FORMAT_IPV4}, {"ipv6", PH_FORMAT_IPV6}, {"json-pointer", PH_FORMAT_JSON_POINTER},
		{"regex", PH_FORMAT_REGEX}
	};
	size_t		i;

	for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
	{
		if (strlen(formats[i].name) == (size_t) length && memcmp(formats[i].name, name, length) == 0)
			return formats[i].format;
	}
	return PH_FORMAT_NONE;
}

bool
ph_format_valid(PhFormat format, const char *text, int length)
{
	Text		t = {text, text + length};
	bool		valid = true;

	switch (format)
	{
		case PH_FORMAT_NONE:
		case PH_FORMAT_REGEX:
			return true;
		case PH_FORMAT_DATE:
			valid = take_date(&t);
			break;
		case PH_FORMAT_TIME:
			valid = take_time(&t);
			break;
		case PH_FORMAT_DATE_TIME:
			valid = take_date(&t) && take_letter(&t, 't') && take_time(&t);
			break;
		case PH_FORMAT_DURATION:
			valid = take_duration(&t);
			break;
		case PH_FORMAT_UUID:
			valid = take_uuid(&t);
			break;
		case PH_FORMAT_URI:
		case PH_FORMAT_URI_REFERENCE:
			valid = take_uri(&t, format == PH_FORMAT_URI_REFERENCE);
			break;
		case PH_FORMAT_EMAIL:
			valid = take_email(&t);
			break;
		case PH_FORMAT_HOSTNAME:
			valid = take_hostname(&t);
			break;
		case PH_FORMAT_IPV4:
			valid = take_ipv4(&t);
			break;
		case PH_FORMAT_IPV6:
			valid = take_ipv6(&t);
			break;
		case PH_FORMAT_JSON_POINTER:
			valid = take_json_pointer(&t);
			break;
	}
	return valid && t.at == t.end;
}
