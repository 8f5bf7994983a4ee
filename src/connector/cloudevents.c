/*
 * cloudevents.c
 *	  CloudEvents 1.0 over HTTP.  Pure C.
 *
 * JSON event format (structured and batch mode) and HTTP protocol binding (binary mode).  Attribute values in header
 * fields are percent-encoded as section 3.1.3.2 of the binding says, so whatever a publisher puts into an attribute, no
 * header field can be added or ended by it.
 *
 * Data and extension attributes come as JSON text from the server's jsonb: data is copied as it is; the attributes, an
 * object of scalars, are read by a small scanner that trusts nothing but the terminating NUL.
 */
#include <stdio.h>
#include <string.h>

#include "connector/cloudevents.h"

#ifdef POSTGRES_H
#error "pure C: must not see postgres.h"
#endif

#define CONTENT_TYPE_EVENT	"Content-Type: application/cloudevents+json"
#define CONTENT_TYPE_BATCH	"Content-Type: application/cloudevents-batch+json"
#define CONTENT_TYPE_DATA	"Content-Type: application/json"

/* One member of the object of extension attributes; value is its raw JSON text. */
typedef struct Member
{
	const char *name;
	size_t		name_len;
	const char *value;
	size_t		value_len;
} Member;

/* ---- reading extension attributes ---- */

static const char *
skip_space(const char *p)
{
	return p + strspn(p, " \t\r\n");
}

/* p is at the opening quote; returns what follows the closing one, or NULL. */
static const char *
skip_string(const char *p)
{
	for (p++; *p != '"'; p++)
	{
		if (*p == '\\')
			p++;
		if ((unsigned char) *p < 0x20)
			return NULL;
	}
	return p + 1;
}

static const char *
skip_scalar(const char *p)
{
	size_t		len;

	if (*p == '"')
		return skip_string(p);
	len = strspn(p, "-+.0123456789eEtrufalsn");
	return len == 0 ? NULL : p + len;
}

/*
 * Reads the member at *p and moves on.  Returns 1 with a member, 0 at the end of the object, -1 when the text is not
 * an object of scalars.  *p is NULL-free JSON text; start it behind the opening brace.
 */
static int
next_member(const char **p, Member *member)
{
	const char *q = skip_space(*p);

	if (*q == '}')
		return *skip_space(q + 1) == '\0' ? 0 : -1;
	if (*q != '"')
		return -1;
	member->name = q + 1;
	q = skip_string(q);
	if (q == NULL)
		return -1;
	member->name_len = q - member->name - 1;
	q = skip_space(q);
	if (*q != ':')
		return -1;
	member->value = skip_space(q + 1);
	q = skip_scalar(member->value);
	if (q == NULL)
		return -1;
	member->value_len = q - member->value;
	q = skip_space(q);
	if (*q == ',')
	{
		q = skip_space(q + 1);
		if (*q != '"')
			return -1;
	}
	else if (*q != '}')
		return -1;
	*p = q;
	return 1;
}

/* CloudEvents 1.0, 3.1: lower-case letters and digits. */
static bool
name_valid(const Member *member)
{
	return member->name_len > 0 && strspn(member->name, "abcdefghijklmnopqrstuvwxyz0123456789") >= member->name_len;
}

/* Attributes that the event has fields for: the field counts. */
static bool
name_reserved(const PhEvent *event, const Member *member)
{
	static const char *const reserved[] = {"specversion", "id", "source", "type", "subject", "time", "dataschema",
	"datacontenttype", "data"};
	size_t		i;

	for (i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
	{
		if (strlen(reserved[i]) == member->name_len && memcmp(reserved[i], member->name, member->name_len) == 0)
			return true;
	}
	return event->traceparent != NULL && member->name_len == strlen("traceparent") &&
		memcmp(member->name, "traceparent", member->name_len) == 0;
}

/* Calls put for each extension attribute that is to be sent; null stands for an absent one. */
static bool
each_attribute(const PhEvent *event, bool (*put) (PhBuffer *out, const Member *member), PhBuffer *out, char *error,
			   size_t error_size)
{
	const char *p;
	Member		member;
	int			found;

	if (event->attributes == NULL)
		return true;
	p = skip_space(event->attributes);
	found = *p == '{' ? 1 : -1;
	for (p++; found > 0 && (found = next_member(&p, &member)) > 0;)
	{
		if (!name_valid(&member))
		{
			snprintf(error, error_size, "extension attribute name is not made of lower-case letters and digits");
			return false;
		}
		if (name_reserved(event, &member) || (member.value_len == 4 && memcmp(member.value, "null", 4) == 0))
			continue;
		if (!put(out, &member))
		{
			snprintf(error, error_size, "extension attribute \"%.*s\" cannot be sent", (int) member.name_len,
					 member.name);
			return false;
		}
	}
	if (found < 0)
		snprintf(error, error_size, "extension attributes are not a JSON object of scalars");
	return found == 0;
}

/* ---- JSON event format ---- */

static void
append_json_string(PhBuffer *out, const char *text)
{
	const char *from = text;
	const char *p;
	char		escape[8];

	ph_buffer_append_char(out, '"');
	for (p = text; *p != '\0'; p++)
	{
		if (*p != '"' && *p != '\\' && (unsigned char) *p >= 0x20)
			continue;
		ph_buffer_append(out, from, p - from);
		from = p + 1;
		snprintf(escape, sizeof(escape), (unsigned char) *p < 0x20 ? "\\u%04x" : "\\%c", (unsigned char) *p);
		ph_buffer_append_string(out, escape);
	}
	ph_buffer_append(out, from, p - from);
	ph_buffer_append_char(out, '"');
}

static void
append_json_attribute(PhBuffer *out, const char *name, const char *value)
{
	if (value == NULL)
		return;
	ph_buffer_append_string(out, ",\"");
	ph_buffer_append_string(out, name);
	ph_buffer_append_string(out, "\":");
	append_json_string(out, value);
}

static bool
put_json_member(PhBuffer *out, const Member *member)
{
	ph_buffer_append_string(out, ",\"");
	ph_buffer_append(out, member->name, member->name_len);
	ph_buffer_append_string(out, "\":");
	ph_buffer_append(out, member->value, member->value_len);
	return true;
}

static bool
append_event(PhBuffer *out, const PhEvent *event, char *error, size_t error_size)
{
	ph_buffer_append_string(out, "{\"specversion\":\"1.0\"");
	append_json_attribute(out, "id", event->id);
	append_json_attribute(out, "source", event->source);
	append_json_attribute(out, "type", event->type);
	append_json_attribute(out, "subject", event->subject);
	append_json_attribute(out, "time", event->time);
	append_json_attribute(out, "dataschema", event->dataschema);
	append_json_attribute(out, "traceparent", event->traceparent);
	if (!each_attribute(event, put_json_member, out, error, error_size))
		return false;
	if (event->data != NULL)
	{
		ph_buffer_append_string(out, ",\"datacontenttype\":\"application/json\",\"data\":");
		ph_buffer_append(out, event->data, event->data_len);
	}
	ph_buffer_append_char(out, '}');
	return true;
}

/* ---- HTTP binding, binary mode ---- */

/* Section 3.1.3.2: all but printable ASCII, and of that space, double quote and percent, as %XX of the UTF-8 bytes. */
static void
append_percent_encoded(PhBuffer *out, unsigned char c)
{
	static const char hex[] = "0123456789ABCDEF";

	if (c > ' ' && c < 0x7f && c != '"' && c != '%')
	{
		ph_buffer_append_char(out, (char) c);
		return;
	}
	ph_buffer_append_char(out, '%');
	ph_buffer_append_char(out, hex[c >> 4]);
	ph_buffer_append_char(out, hex[c & 15]);
}

static void
append_header(PhBuffer *out, const char *name, const char *value)
{
	if (value == NULL)
		return;
	ph_buffer_append_string(out, "ce-");
	ph_buffer_append_string(out, name);
	ph_buffer_append_string(out, ": ");
	for (; *value != '\0'; value++)
		append_percent_encoded(out, (unsigned char) *value);
	ph_buffer_append_char(out, '\0');
}

static void
append_code_point(PhBuffer *out, unsigned c)
{
	if (c < 0x80)
	{
		append_percent_encoded(out, c);
		return;
	}
	if (c < 0x800)
		append_percent_encoded(out, 0xc0 | (c >> 6));
	else
	{
		if (c < 0x10000)
			append_percent_encoded(out, 0xe0 | (c >> 12));
		else
		{
			append_percent_encoded(out, 0xf0 | (c >> 18));
			append_percent_encoded(out, 0x80 | ((c >> 12) & 0x3f));
		}
		append_percent_encoded(out, 0x80 | ((c >> 6) & 0x3f));
	}
	append_percent_encoded(out, 0x80 | (c & 0x3f));
}

/* Four hex digits; -1 when they are not. */
static int
read_hex4(const char *p, const char *end)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	int			value = 0;
	int			i;

	if (end - p < 4)
		return -1;
	for (i = 0; i < 4; i++)
	{
		const char *digit = p[i] == '\0' ? NULL : strchr(digits, p[i]);

		if (digit == NULL)
			return -1;
		value = value * 16 + (int) (digit - digits) % 16;
	}
	return value;
}

/* p is behind \u; appends the character, which may take a second \u, and returns what follows; NULL on an error. */
static const char *
put_unicode_escape(PhBuffer *out, const char *p, const char *end)
{
	int			c = read_hex4(p, end);
	int			low;

	if (c <= 0 || (c >= 0xdc00 && c <= 0xdfff))
		return NULL;				/* a NUL, or half a character */
	p += 4;
	if (c < 0xd800 || c > 0xdbff)
	{
		append_code_point(out, c);
		return p;
	}
	if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
		return NULL;
	low = read_hex4(p + 2, end);
	if (low < 0xdc00 || low > 0xdfff)
		return NULL;
	append_code_point(out, 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00));
	return p + 6;
}

static bool
put_header_member(PhBuffer *out, const Member *member)
{
	static const char escapes[] = "\"\\/bfnrt";
	static const char meanings[] = "\"\\/\b\f\n\r\t";
	const char *p = member->value;
	const char *end = p + member->value_len;

	ph_buffer_append_string(out, "ce-");
	ph_buffer_append(out, member->name, member->name_len);
	ph_buffer_append_string(out, ": ");
	if (*p == '"')
	{
		p++;
		end--;
	}
	while (p < end)
	{
		const char *escape;

		if (*p != '\\')
		{
			append_percent_encoded(out, (unsigned char) *p++);
			continue;
		}
		p++;
		if (*p == 'u')
		{
			p = put_unicode_escape(out, p + 1, end);
			if (p == NULL)
				return false;
			continue;
		}
		escape = strchr(escapes, *p);
		if (escape == NULL || *escape == '\0')
			return false;
		append_percent_encoded(out, (unsigned char) meanings[escape - escapes]);
		p++;
	}
	ph_buffer_append_char(out, '\0');
	return true;
}

static bool
encode_binary(const PhEvent *event, PhBuffer *body, PhBuffer *headers, char *error, size_t error_size)
{
	if (event->data != NULL)
	{
		ph_buffer_append(headers, CONTENT_TYPE_DATA, sizeof(CONTENT_TYPE_DATA));
		ph_buffer_append(body, event->data, event->data_len);
	}
	append_header(headers, "specversion", "1.0");
	append_header(headers, "id", event->id);
	append_header(headers, "source", event->source);
	append_header(headers, "type", event->type);
	append_header(headers, "subject", event->subject);
	append_header(headers, "time", event->time);
	append_header(headers, "dataschema", event->dataschema);
	append_header(headers, "traceparent", event->traceparent);
	return each_attribute(event, put_header_member, headers, error, error_size);
}

/* ---- plain mode ---- */

/* No attributes: what the target needs of them a mapping has put into the data. */
static void
encode_plain(const PhEvent *event, PhBuffer *body, PhBuffer *headers)
{
	ph_buffer_append_string(headers, "Content-Type: ");
	ph_buffer_append_string(headers, event->data_type == NULL ? "application/json" : event->data_type);
	ph_buffer_append_char(headers, '\0');
	if (event->data != NULL)
		ph_buffer_append(body, event->data, event->data_len);
}

/* ---- all modes ---- */

bool
ph_cloudevents_encode(PhContentMode mode, const PhEvent *events, int nevents, PhBuffer *body, PhBuffer *headers,
					  char *error, size_t error_size)
{
	int			i;

	for (i = 0; i < nevents; i++)
	{
		if (events[i].id == NULL || events[i].source == NULL || events[i].type == NULL)
		{
			snprintf(error, error_size, "event has no id, source or type");
			return false;
		}
	}
	if (nevents < 1 || (nevents > 1 && mode != PH_CONTENT_BATCH))
	{
		snprintf(error, error_size, "%d events do not fit into one request of this content mode", nevents);
		return false;
	}
	if (mode == PH_CONTENT_NONE)
		return true;
	if (mode == PH_CONTENT_PLAIN)
	{
		encode_plain(&events[0], body, headers);
		return true;
	}
	if (mode == PH_CONTENT_BINARY)
		return encode_binary(&events[0], body, headers, error, error_size);
	if (mode == PH_CONTENT_STRUCTURED)
	{
		ph_buffer_append(headers, CONTENT_TYPE_EVENT, sizeof(CONTENT_TYPE_EVENT));
		return append_event(body, &events[0], error, error_size);
	}
	ph_buffer_append(headers, CONTENT_TYPE_BATCH, sizeof(CONTENT_TYPE_BATCH));
	for (i = 0; i < nevents; i++)
	{
		ph_buffer_append_char(body, i == 0 ? '[' : ',');
		if (!append_event(body, &events[i], error, error_size))
			return false;
	}
	ph_buffer_append_char(body, ']');
	return true;
}
