/*
 * datetime.h
 *	  Dates and times as text: template patterns of SQL, and ISO 8601.  Pure C.
 */
#ifndef PLANTHUB_DATETIME_H
#define PLANTHUB_DATETIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PH_DATETIME_TEXT	256	/* room for anything that is formatted */
#define PH_DATETIME_FORMAT	80	/* longest format */

#define PH_MICROSECONDS		INT64_C(1000000)

typedef struct PhDateTime
{
	int			year;			/* 1 to 9999 */
	int			month;
	int			day;
	int			hour;
	int			minute;
	int			second;
	int			microsecond;
	int			offset;			/* minutes east of UTC */
	bool		has_date;
	bool		has_time;
	bool		has_offset;
} PhDateTime;

/*
 * Patterns: YYYY YY MM MON DD DDD IYYY IW ID, HH24 HH12 HH AM PM MI SS, MS US FF1 to FF6, TZH TZM.  Letters of other text
 * are written in double quotes, everything else stands for itself.  Numbers have all their digits unless FM stands before
 * the pattern.  YY is 1970 to 2069.  TZH reads "Z" too, and then a colon and TZM behind it read nothing.
 *
 * All of these return NULL when good, else what is wrong.
 */
extern const char *ph_datetime_check_format(const char *format, size_t length);
extern const char *ph_datetime_parse(const char *text, size_t text_length, const char *format, size_t length,
									 PhDateTime *result);
extern const char *ph_datetime_format(const PhDateTime *value, const char *format, size_t length,
									  char out[PH_DATETIME_TEXT]);

/* YYYY-MM-DD, YYYY-MM-DDTHH:MI[:SS[.ffffff]], each time with Z, +HH or +HH:MI or without. */
extern const char *ph_datetime_parse_iso(const char *text, size_t length, PhDateTime *result);
extern void ph_datetime_format_iso(const PhDateTime *value, char out[PH_DATETIME_TEXT]);

/* Microseconds since 1970 of the date and time as written, whatever its offset. */
extern int64_t ph_datetime_to_micros(const PhDateTime *value);
extern bool ph_datetime_from_micros(int64_t micros, PhDateTime *value);	/* false: not within the years */

#endif
