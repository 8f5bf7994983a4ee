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

/* "Name: value" without its line end; "" when it is to be left out. */
static char *
lower_name(const char *line, int length, int *name_length)
{
	char	   *name;
	int			i;

	for (*name_length = 0; *name_length < length && line[*name_length] != ':'; (*name_length)++)
		;
	name = pnstrdup(line, *name_length);
	for (i = 0; i < *name_length; i++)
		name[i] = (char) pg_ascii_tolower((unsigned char) name[i]);
	if (*name_length == length || strcmp(name, "set-cookie") == 0)
		*name_length = 0;
	return name;
}

static void
append_field(PhValue *headers, const char *line, int length)
{
	int			name_length;
	char	   *name = lower_name(line, length, &name_length);
	char	   *text;
	PhObject   *object = headers->u.object;
	PhValue		value;
	int			i;

	if (name_length == 0)
		return;
	line += name_length + 1;
	length -= name_length + 1;
	while (length > 0 && (*line == ' ' || *line == '\t'))
		line++, length--;
	text = server_text(line, length);
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

	while (line < end)
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
