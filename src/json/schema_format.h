/*
 * schema_format.h
 *	  The values of "format" that can be asserted.  Pure C.
 */
#ifndef PLANTHUB_SCHEMA_FORMAT_H
#define PLANTHUB_SCHEMA_FORMAT_H

#include <stdbool.h>

typedef enum PhFormat
{
	PH_FORMAT_NONE,				/* unknown: an annotation */
	PH_FORMAT_DATE,
	PH_FORMAT_TIME,
	PH_FORMAT_DATE_TIME,
	PH_FORMAT_DURATION,
	PH_FORMAT_UUID,
	PH_FORMAT_URI,
	PH_FORMAT_URI_REFERENCE,
	PH_FORMAT_EMAIL,
	PH_FORMAT_HOSTNAME,
	PH_FORMAT_IPV4,
	PH_FORMAT_IPV6,
	PH_FORMAT_JSON_POINTER,
	PH_FORMAT_REGEX				/* for the caller to check */
} PhFormat;

extern PhFormat ph_format_find(const char *name, int length);
extern bool ph_format_valid(PhFormat format, const char *text, int length);

#endif
