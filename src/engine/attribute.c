/*
 * attribute.c
 *	  What CloudEvents and the W3C trace context allow as attributes of a message.
 *
 * Attributes become HTTP headers in binary mode: a line break that got through here would be a header of its own.
 * Pure C: this file cannot throw or allocate.
 */
#include "engine/attribute.h"

#include <string.h>

#ifdef POSTGRES_H
#error "attribute.c must not include postgres.h"
#endif

/* 00-<32 digits>-<16 digits>-<2 digits>; later versions may append more after another "-". */
#define TRACEPARENT_LENGTH	55
#define TRACE_ID			3
#define PARENT_ID			36
#define FLAGS				53

static const char *const reserved[] = {
	"causationid", "correlationid", "data", "datacontenttype", "dataschema", "id", "partitionkey", "source",
	"specversion", "subject", "time", "traceparent", "type"
};

bool
ph_attribute_name_valid(const char *name, size_t length)
{
	size_t		i;

	if (length == 0 || length > PH_ATTRIBUTE_NAME_MAX)
		return false;
	for (i = 0; i < length; i++)
	{
		if (!((name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9')))
			return false;
	}
	return true;
}

bool
ph_attribute_name_reserved(const char *name, size_t length)
{
	size_t		i;

	for (i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
	{
		if (strlen(reserved[i]) == length && memcmp(reserved[i], name, length) == 0)
			return true;
	}
	return false;
}

/* Hexadecimal digits; zero says whether there may be nothing but zeros. */
static bool
is_hex(const char *value, size_t length, bool zero)
{
	size_t		i;

	for (i = 0; i < length; i++)
	{
		if (!((value[i] >= '0' && value[i] <= '9') || (value[i] >= 'a' && value[i] <= 'f')))
			return false;
		if (value[i] != '0')
			zero = true;
	}
	return zero;
}

bool
ph_traceparent_valid(const char *value, size_t length)
{
	if (length < TRACEPARENT_LENGTH || !is_hex(value, 2, true) || memcmp(value, "ff", 2) == 0)
		return false;
	if (length > TRACEPARENT_LENGTH && (memcmp(value, "00", 2) == 0 || value[TRACEPARENT_LENGTH] != '-'))
		return false;
	return value[TRACE_ID - 1] == '-' && value[PARENT_ID - 1] == '-' && value[FLAGS - 1] == '-' &&
		is_hex(value + TRACE_ID, PARENT_ID - 1 - TRACE_ID, false) &&
		is_hex(value + PARENT_ID, FLAGS - 1 - PARENT_ID, false) && is_hex(value + FLAGS, 2, true);
}

size_t
ph_text_control(const char *text, size_t length)
{
	size_t		i;

	for (i = 0; i < length; i++)
	{
		if ((unsigned char) text[i] < ' ' || text[i] == 0x7f)
			return i;
	}
	return length;
}
