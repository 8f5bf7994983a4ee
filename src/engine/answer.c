/*
 * answer.c
 *	  The answer of a target as a JSON value.
 */
#include "postgres.h"

#include <ctype.h>

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "engine/answer.h"
#include "json/json_text.h"

#define MAX_FIELDS	200			/* further ones of an answer are not looked at */

bool
ph_answer_of(const PhResult *result, PhAnswer *answer)
{
	if (result->body == NULL)
		return false;
	answer->status = result->status;
	answer->headers = result->headers;
	answer->headers_len = result->headers_len;
	answer->body = result->body;
	answer->body_len = result->body_len;
	return true;
}

static const char *
copy_bytes(MemoryContext context, const char *bytes, size_t length)
{
	char	   *copy = MemoryContextAlloc(context, Max(length, 1));

	memcpy(copy, bytes, length);
	return copy;
}

PhAnswer *
ph_answer_copy(const PhAnswer *answer, MemoryContext context)
{
	PhAnswer   *copy = MemoryContextAlloc(context, sizeof(PhAnswer));

	*copy = *answer;
	copy->headers = copy_bytes(context, answer->headers, answer->headers_len);
	copy->body = copy_bytes(context, answer->body, answer->body_len);
	return copy;
}

/* NULL when it is no text that the server can take. */
static char *
server_text(const char *text, size_t length)
{
	if (!pg_verify_mbstr(PG_UTF8, text, (int) length, true))
		return NULL;
	return pg_any_to_server(pnstrdup(text, length), (int) length, PG_UTF8);
}

PhValue
ph_answer_parse(const char *text, size_t length)
{
	char	   *utf8 = length == 0 ? NULL : server_text(text, length);
	size_t		offset;

	if (utf8 == NULL)
		return ph_value_null();
	if (ph_json_text_fault(utf8, strlen(utf8), GetDatabaseEncoding() != PG_UTF8, &offset) == NULL)
		return ph_value_from_jsonb(DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(utf8))));
	return ph_value_text(utf8);
}

/* The name of the field in a line, in lower case; NULL when it has none, or is to be left out. */
static char *
field_name(const char *line, int length)
{
	char	   *name = palloc(length + 1);
	int			n;

	for (n = 0; n < length && line[n] > ' ' && line[n] <= '~' && line[n] != ':'; n++)
		name[n] = (char) pg_ascii_tolower((unsigned char) line[n]);
	name[n] = '\0';
	return n == 0 || n == length || line[n] != ':' || strcmp(name, "set-cookie") == 0 ? NULL : name;
}

static void
append_field(PhValue *headers, const char *line, int length)
{
	char	   *name = field_name(line, length);
	int			name_length = name == NULL ? 0 : (int) strlen(name);
	PhObject   *object = headers->u.object;
	char	   *text;
	PhValue		value;
	int			i;

	if (name == NULL)
		return;
	for (i = name_length + 1; i < length && (line[i] == ' ' || line[i] == '\t'); i++)
		;
	text = server_text(line + i, length - i);
	if (text == NULL)
		return;
	value = ph_value_text(text);
	for (i = 0; i < object->n; i++)
	{
		PhMember   *member = &object->members[i];

		if (member->length == name_length && memcmp(member->key, name, name_length) == 0)
		{
			member->value = ph_value_text(psprintf("%.*s, %s", member->value.length, member->value.u.string, text));
			return;
		}
	}
	ph_object_append(headers, name, name_length, &value);
}

static PhValue
headers_value(const PhAnswer *answer)
{
	PhValue		headers = ph_object_new(16);
	const char *line = answer->headers;
	const char *end = answer->headers + answer->headers_len;
	int			n;

	for (n = 0; n < MAX_FIELDS && line < end; n++)
	{
		const char *stop = memchr(line, '\n', end - line);
		const char *next = stop == NULL ? end : stop + 1;

		stop = stop == NULL ? end : stop;
		while (stop > line && isspace((unsigned char) stop[-1]))
			stop--;
		append_field(&headers, line, (int) (stop - line));
		line = next;
	}
	ph_object_finish(&headers);
	return headers;
}

void
ph_answer_append(PhValue *object, const PhAnswer *answer)
{
	PhValue		status = ph_value_int(answer->status);
	PhValue		headers = headers_value(answer);
	PhValue		body = ph_answer_parse(answer->body, answer->body_len);

	ph_object_append(object, "status", strlen("status"), &status);
	ph_object_append(object, "headers", strlen("headers"), &headers);
	ph_object_append(object, "body", strlen("body"), &body);
}
