/*
 * datetime.c
 *	  Dates and times as text.
 *
 * The server has such patterns too, but throws for a bad format, has reported other errors in other versions, and reads
 * much that was not meant.  Here what does not fit the format is wrong.
 * Pure C: this file cannot throw or allocate.
 */
#include "json/datetime.h"

#include <stdio.h>
#include <string.h>

#ifdef POSTGRES_H
#error "datetime.c must not include postgres.h"
#endif

#define SECONDS_PER_DAY		86400
#define OFFSET_MAX			(16 * 60)

typedef enum Pattern
{
	PATTERN_TEXT,				/* one character that stands for itself */
	YYYY, YY, MM, MON, DD, DDD, IYYY, IW, ID, HH24, HH12, AM, MI, SS, FF, TZH, TZM
} Pattern;

/* Longest first where one begins another; digits is the width, for FF how many of the fraction. */
static const struct
{
	const char *text;
	Pattern		pattern;
	int			digits;
}			patterns[] = {
	{"YYYY", YYYY, 4}, {"YY", YY, 2}, {"MM", MM, 2}, {"MON", MON, 0}, {"DDD", DDD, 3}, {"DD", DD, 2},
	{"IYYY", IYYY, 4}, {"IW", IW, 2}, {"ID", ID, 1}, {"HH24", HH24, 2}, {"HH12", HH12, 2}, {"HH", HH12, 2},
	{"AM", AM, 0}, {"PM", AM, 0}, {"MI", MI, 2}, {"SS", SS, 2}, {"MS", FF, 3}, {"US", FF, 6}, {"FF1", FF, 1},
	{"FF2", FF, 2}, {"FF3", FF, 3}, {"FF4", FF, 4}, {"FF5", FF, 5}, {"FF6", FF, 6}, {"TZH", TZH, 2}, {"TZM", TZM, 2}
};

static const char *const months[] = {
	"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
};

/* One step through a format. */
typedef struct Piece
{
	Pattern		pattern;
	int			digits;
	bool		fill;			/* all digits must be there */
	bool		capitals;
	char		text;
} Piece;

typedef struct Reader
{
	const char *at;
	const char *end;
	bool		quoted;
} Reader;

/* What was read, before it is put together. */
typedef struct Fields
{
	int			value[TZM + 1];
	bool		given[TZM + 1];
	bool		pm;
	int			sign;			/* of the offset */
	bool		zulu;
} Fields;

/* ---- formats ---- */

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char
upper(char c)
{
	return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c;
}

static bool
same_word(const char *text, size_t length, const char *word)
{
	size_t		i;

	if (length < strlen(word))
		return false;
	for (i = 0; word[i] != '\0'; i++)
	{
		if (upper(text[i]) != upper(word[i]))
			return false;
	}
	return true;
}

/* The next piece.  1: there is one; 0: the end; -1: unknown pattern. */
static int
next_piece(Reader *reader, Piece *piece)
{
	size_t		i;

	memset(piece, 0, sizeof(*piece));
	piece->fill = true;
	while (reader->at < reader->end && *reader->at == '"')
	{
		reader->quoted = !reader->quoted;
		reader->at++;
	}
	if (reader->at == reader->end)
		return reader->quoted ? -1 : 0;
	if (reader->quoted || !is_letter(*reader->at))
	{
		piece->text = *reader->at++;
		return 1;
	}
	if (same_word(reader->at, reader->end - reader->at, "FM"))
	{
		piece->fill = false;
		reader->at += 2;
	}
	for (i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
	{
		if (!same_word(reader->at, reader->end - reader->at, patterns[i].text))
			continue;
		piece->pattern = patterns[i].pattern;
		piece->digits = patterns[i].digits;
		piece->capitals = strlen(patterns[i].text) > 1 && reader->at[1] == upper(reader->at[1]);
		reader->at += strlen(patterns[i].text);
		return 1;
	}
	return -1;
}

const char *
ph_datetime_check_format(const char *format, size_t length)
{
	Reader		reader = {format, format + length, false};
	Piece		piece;
	int			more;

	if (length == 0 || length > PH_DATETIME_FORMAT)
		return "format of a date must have 1 to 80 characters";
	while ((more = next_piece(&reader, &piece)) > 0)
		;
	return more < 0 ? "format of a date has an unknown pattern; other letters must be in double quotes" : NULL;
}

/* ---- calendar ---- */

static bool
is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int
days_in_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days since 1970-01-01 of a day in the proleptic Gregorian calendar; years begin in March here. */
static int64_t
days_of(int year, int month, int day)
{
	int			y = month <= 2 ? year - 1 : year;
	int			era = (y >= 0 ? y : y - 399) / 400;
	int			year_of_era = y - era * 400;
	int			day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int			day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return (int64_t) era * 146097 + day_of_era - 719468;
}

static void
date_of(int64_t days, PhDateTime *value)
{
	int64_t		shifted = days + 719468;
	int64_t		era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	int			day_of_era = (int) (shifted - era * 146097);
	int			year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int			day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int			month = (5 * day_of_year + 2) / 153;

	value->day = day_of_year - (153 * month + 2) / 5 + 1;
	value->month = month < 10 ? month + 3 : month - 9;
	value->year = (int) (year_of_era + era * 400) + (value->month <= 2);
}

/* 1: Monday. */
static int
weekday_of(int64_t days)
{
	return (int) (((days + 3) % 7 + 7) % 7) + 1;
}

/* Monday of the first ISO week of a year. */
static int64_t
first_monday(int year)
{
	int64_t		fourth = days_of(year, 1, 4);

	return fourth - (weekday_of(fourth) - 1);
}

static int
iso_year_of(const PhDateTime *value)
{
	int64_t		days = days_of(value->year, value->month, value->day);

	if (days < first_monday(value->year))
		return value->year - 1;
	return days >= first_monday(value->year + 1) ? value->year + 1 : value->year;
}

static int
iso_week_of(const PhDateTime *value)
{
	return (int) (days_of(value->year, value->month, value->day) - first_monday(iso_year_of(value))) / 7 + 1;
}

int64_t
ph_datetime_to_micros(const PhDateTime *value)
{
	int64_t		seconds = days_of(value->year, value->month, value->day) * SECONDS_PER_DAY +
		value->hour * 3600 + value->minute * 60 + value->second;

	return seconds * PH_MICROSECONDS + value->microsecond;
}

bool
ph_datetime_from_micros(int64_t micros, PhDateTime *value)
{
	int64_t		day = (int64_t) SECONDS_PER_DAY * PH_MICROSECONDS;
	int64_t		days = micros / day - (micros % day < 0);
	int64_t		rest = micros - days * day;

	if (days < days_of(1, 1, 1) || days > days_of(9999, 12, 31))
		return false;
	date_of(days, value);
	value->microsecond = (int) (rest % PH_MICROSECONDS);
	rest /= PH_MICROSECONDS;
	value->second = (int) (rest % 60);
	value->minute = (int) (rest / 60 % 60);
	value->hour = (int) (rest / 3600);
	value->has_date = true;
	value->has_time = true;
	return true;
}

/* ---- reading ---- */

/* Digits of a number: exactly as many as the piece says, or up to that many. */
static bool
read_number(Reader *text, const Piece *piece, int *value)
{
	int			n = 0;

	*value = 0;
	while (n < piece->digits && text->at < text->end && *text->at >= '0' && *text->at <= '9')
	{
		*value = *value * 10 + (*text->at++ - '0');
		n++;
	}
	return piece->fill ? n == piece->digits : n > 0;
}

static bool
read_month(Reader *text, int *month)
{
	for (*month = 1; *month <= 12; (*month)++)
	{
		if (same_word(text->at, text->end - text->at, months[*month - 1]))
		{
			text->at += 3;
			return true;
		}
	}
	return false;
}

static bool
read_offset_hours(Reader *text, const Piece *piece, Fields *fields)
{
	if (text->at == text->end)
		return false;
	if (*text->at == 'Z' || *text->at == 'z')
	{
		text->at++;
		fields->zulu = true;
		fields->value[TZH] = 0;
		return true;
	}
	if (*text->at != '+' && *text->at != '-')
		return false;
	fields->sign = *text->at++ == '-' ? -1 : 1;
	return read_number(text, piece, &fields->value[TZH]);
}

/* A fraction is read to microseconds. */
static bool
read_fraction(Reader *text, const Piece *piece, int *micros)
{
	const char *start = text->at;
	int			n;

	if (!read_number(text, piece, micros))
		return false;
	for (n = (int) (text->at - start); n < 6; n++)
		*micros *= 10;
	return true;
}

static bool
read_piece(Reader *text, const Piece *piece, Fields *fields)
{
	fields->given[piece->pattern] = true;
	switch (piece->pattern)
	{
		case PATTERN_TEXT:
			if (fields->zulu && piece->text == ':')
				return true;	/* of TZH:TZM */
			return text->at < text->end && *text->at++ == piece->text;
		case MON:
			return read_month(text, &fields->value[MON]);
		case AM:
			fields->pm = same_word(text->at, text->end - text->at, "PM");
			if (!fields->pm && !same_word(text->at, text->end - text->at, "AM"))
				return false;
			text->at += 2;
			return true;
		case FF:
			return read_fraction(text, piece, &fields->value[FF]);
		case TZH:
			return read_offset_hours(text, piece, fields);
		case TZM:
			return fields->zulu || read_number(text, piece, &fields->value[TZM]);
		default:
			return read_number(text, piece, &fields->value[piece->pattern]);
	}
}

static const char *
set_date(const Fields *fields, PhDateTime *result)
{
	int64_t		days;

	result->has_date = true;
	result->year = fields->value[YYYY];
	if (fields->given[YY])
		result->year = fields->value[YY] + (fields->value[YY] < 70 ? 2000 : 1900);
	result->month = fields->given[MON] ? fields->value[MON] : fields->value[MM];
	result->day = fields->value[DD];
	if (fields->given[IYYY])
	{
		if (fields->value[IYYY] < 1 || fields->value[IW] < 1 || fields->value[IW] > 53 || fields->value[ID] > 7 ||
			(fields->given[ID] && fields->value[ID] < 1))
			return "there is no such week";
		days = first_monday(fields->value[IYYY]) + (fields->value[IW] - 1) * 7 +
			(fields->given[ID] ? fields->value[ID] - 1 : 0);
		date_of(days, result);
		if (fields->value[IW] != iso_week_of(result))
			return "there is no such week";
	}
	else if (fields->given[DDD])
	{
		if (fields->value[DDD] < 1 || fields->value[DDD] > 365 + is_leap(result->year))
			return "there is no such day";
		date_of(days_of(result->year, 1, 1) + fields->value[DDD] - 1, result);
	}
	if (result->year < 1 || result->year > 9999 || result->month < 1 || result->month > 12 || result->day < 1 ||
		result->day > days_in_month(result->year, result->month))
		return "there is no such day";
	return NULL;
}

static const char *
set_time(const Fields *fields, PhDateTime *result)
{
	result->has_time = true;
	result->hour = fields->value[HH24];
	if (fields->given[HH12])
	{
		if (fields->value[HH12] < 1 || fields->value[HH12] > 12)
			return "hour of a clock of twelve hours must be 1 to 12";
		result->hour = fields->value[HH12] % 12 + (fields->pm ? 12 : 0);
	}
	result->minute = fields->value[MI];
	result->second = fields->value[SS];
	result->microsecond = fields->value[FF];
	if (result->hour > 23 || result->minute > 59 || result->second > 59)
		return "there is no such time of day";
	return NULL;
}

static const char *
set_fields(const Fields *fields, PhDateTime *result)
{
	const bool *given = fields->given;
	const char *fault = NULL;

	memset(result, 0, sizeof(*result));
	if (given[IYYY] ? given[IW] : (given[YYYY] || given[YY]) && (given[DDD] || ((given[MM] || given[MON]) && given[DD])))
		fault = set_date(fields, result);
	else if (given[YYYY] || given[YY] || given[MM] || given[MON] || given[DD] || given[DDD] || given[IYYY] || given[IW])
		return "format of a date must have year, month and day";
	if (fault == NULL && (given[HH24] || given[HH12]))
		fault = set_time(fields, result);
	else if (fault == NULL && (given[MI] || given[SS] || given[FF]))
		return "format of a time must have the hour";
	if (fault == NULL && given[TZH])
	{
		result->has_offset = true;
		result->offset = (fields->sign < 0 ? -1 : 1) * (fields->value[TZH] * 60 + fields->value[TZM]);
		if (fields->value[TZM] > 59 || result->offset >= OFFSET_MAX || result->offset <= -OFFSET_MAX)
			return "offset from UTC is out of range";
	}
	return fault;
}

const char *
ph_datetime_parse(const char *text, size_t text_length, const char *format, size_t length, PhDateTime *result)
{
	const char *fault = ph_datetime_check_format(format, length);
	Reader		reader = {format, format + length, false};
	Reader		input = {text, text + text_length, false};
	Fields		fields;
	Piece		piece;

	if (fault != NULL)
		return fault;
	memset(&fields, 0, sizeof(fields));
	while (next_piece(&reader, &piece) > 0)
	{
		if (!read_piece(&input, &piece, &fields))
			return "text does not have the format";
	}
	if (input.at < input.end)
		return "text does not have the format";
	return set_fields(&fields, result);
}

/* ---- writing ---- */

static int
value_of(const PhDateTime *value, Pattern pattern)
{
	switch (pattern)
	{
		case YYYY:
			return value->year;
		case YY:
			return value->year % 100;
		case MM:
			return value->month;
		case DD:
			return value->day;
		case DDD:
			return (int) (days_of(value->year, value->month, value->day) - days_of(value->year, 1, 1)) + 1;
		case IYYY:
			return iso_year_of(value);
		case IW:
			return iso_week_of(value);
		case ID:
			return weekday_of(days_of(value->year, value->month, value->day));
		case HH24:
			return value->hour;
		case HH12:
			return value->hour % 12 == 0 ? 12 : value->hour % 12;
		case MI:
			return value->minute;
		case SS:
			return value->second;
		case TZM:
			return (value->offset < 0 ? -value->offset : value->offset) % 60;
		default:
			return 0;
	}
}

/* At most five bytes and the digits; formats are short enough for the room. */
static int
write_piece(const PhDateTime *value, const Piece *piece, char *out, size_t room)
{
	int			absolute = value->offset < 0 ? -value->offset : value->offset;
	int			fraction = value->microsecond;
	int			i;

	switch (piece->pattern)
	{
		case PATTERN_TEXT:
			return snprintf(out, room, "%c", piece->text);
		case MON:
			snprintf(out, room, "%s", months[value->month - 1]);
			for (i = 1; piece->capitals && i < 3; i++)
				out[i] = upper(out[i]);
			return 3;
		case AM:
			return snprintf(out, room, "%s", value->hour < 12 ? "AM" : "PM");
		case FF:
			for (i = piece->digits; i < 6; i++)
				fraction /= 10;
			return snprintf(out, room, "%0*d", piece->digits, fraction);
		case TZH:
			return snprintf(out, room, "%c%0*d", value->offset < 0 ? '-' : '+', piece->digits, absolute / 60);
		default:
			return snprintf(out, room, "%0*d", piece->fill ? piece->digits : 1, value_of(value, piece->pattern));
	}
}

/* What the pattern needs of the value. */
static const char *
missing_for(const PhDateTime *value, Pattern pattern)
{
	if (pattern >= YYYY && pattern <= ID && !value->has_date)
		return "format has a date, the value has none";
	if (pattern >= HH24 && pattern <= FF && !value->has_time)
		return "format has a time, the value has none";
	if (pattern >= TZH && !value->has_offset)
		return "format has an offset, the value has none";
	return NULL;
}

const char *
ph_datetime_format(const PhDateTime *value, const char *format, size_t length, char out[PH_DATETIME_TEXT])
{
	const char *fault = ph_datetime_check_format(format, length);
	Reader		reader = {format, format + length, false};
	Piece		piece;
	size_t		n = 0;

	while (fault == NULL && next_piece(&reader, &piece) > 0)
	{
		fault = missing_for(value, piece.pattern);
		if (fault == NULL)
			n += write_piece(value, &piece, out + n, PH_DATETIME_TEXT - n);
	}
	out[n] = '\0';
	return fault;
}

/* ---- ISO 8601 ---- */

static const char *const iso_times[] = {
	"", "\"T\"HH24:MI:SS", "\"T\"HH24:MI:SS.", "\"T\"HH24:MI", " HH24:MI:SS", " HH24:MI:SS.", " HH24:MI"
};

/* How many digits a fraction has that begins at "at". */
static int
fraction_digits(const char *at, const char *end)
{
	int			n = 0;

	while (at < end && *at >= '0' && *at <= '9')
	{
		at++;
		n++;
	}
	return n;
}

/* The offset at the end of a time, as a format: "", "TZH", "TZH:TZM". */
static const char *
offset_format(const char *text, size_t length)
{
	if (length > 0 && (text[length - 1] == 'Z' || text[length - 1] == 'z'))
		return "TZH";
	if (length > 3 && (text[length - 3] == '+' || text[length - 3] == '-'))
		return "TZH";
	if (length > 6 && text[length - 3] == ':' && (text[length - 6] == '+' || text[length - 6] == '-'))
		return "TZH:TZM";
	return "";
}

const char *
ph_datetime_parse_iso(const char *text, size_t length, PhDateTime *result)
{
	const char *point = memchr(text, '.', length);
	const char *offset = length > 10 ? offset_format(text, length) : "";
	char		format[PH_DATETIME_FORMAT];
	char		fraction[8] = "";
	size_t		i;

	if (point != NULL)
	{
		int			digits = fraction_digits(point + 1, text + length);

		if (digits < 1 || digits > 6)
			return "fraction of a second must have 1 to 6 digits";
		snprintf(fraction, sizeof(fraction), "FF%d", digits);
	}
	for (i = 0; i < sizeof(iso_times) / sizeof(iso_times[0]); i++)
	{
		bool		with_point = iso_times[i][0] != '\0' && iso_times[i][strlen(iso_times[i]) - 1] == '.';
		const char *fault;

		if (with_point != (point != NULL))
			continue;
		snprintf(format, sizeof(format), "YYYY-MM-DD%s%s%s", iso_times[i], fraction, offset);
		fault = ph_datetime_parse(text, length, format, strlen(format), result);
		if (fault == NULL || strcmp(fault, "text does not have the format") != 0)
			return fault;
	}
	return "text is not a date and time of ISO 8601";
}

void
ph_datetime_format_iso(const PhDateTime *value, char out[PH_DATETIME_TEXT])
{
	int			absolute = value->offset < 0 ? -value->offset : value->offset;
	size_t		n = 0;

	out[0] = '\0';
	if (value->has_date)
		n += snprintf(out, PH_DATETIME_TEXT, "%04d-%02d-%02d%s", value->year, value->month, value->day,
					  value->has_time ? "T" : "");
	if (value->has_time)
		n += snprintf(out + n, PH_DATETIME_TEXT - n, "%02d:%02d:%02d", value->hour, value->minute, value->second);
	if (value->has_time && value->microsecond != 0)
	{
		n += snprintf(out + n, PH_DATETIME_TEXT - n, ".%06d", value->microsecond);
		while (out[n - 1] == '0')
			out[--n] = '\0';
	}
	if (value->has_offset && value->offset == 0)
		snprintf(out + n, PH_DATETIME_TEXT - n, "Z");
	else if (value->has_offset)
		snprintf(out + n, PH_DATETIME_TEXT - n, "%c%02d:%02d", value->offset < 0 ? '-' : '+', absolute / 60,
				 absolute % 60);
}
