/*
 * xml_guard.c
 *	  Pure C.  A first look at an XML document, for what libxml2 would take long to refuse; see xml_pull.h.
 *
 * It follows the markup of a well-formed document exactly, and that of another one up to the place where libxml2 gives
 * up on it.
 */
#include <string.h>

#include "json/xml_pull.h"

typedef struct Cursor
{
	const char *at;
	const char *end;
} Cursor;

/* Moves behind the next occurrence; false: there is none. */
static bool
skip_past(Cursor *cursor, const char *what)
{
	size_t		length = strlen(what);

	while (cursor->at < cursor->end)
	{
		const char *found = memchr(cursor->at, what[0], cursor->end - cursor->at);

		if (found == NULL || (size_t) (cursor->end - found) < length)
			return false;
		cursor->at = found + 1;
		if (memcmp(found, what, length) == 0)
		{
			cursor->at = found + length;
			return true;
		}
	}
	return false;
}

static bool
begins_with(const Cursor *cursor, const char *what)
{
	size_t		length = strlen(what);

	return (size_t) (cursor->end - cursor->at) >= length && memcmp(cursor->at, what, length) == 0;
}

/*
 * The cursor is inside a start or end tag.  Returns the number of quoted values up to its end, or up to the limit; -1
 * when the document ends before the tag.
 */
static int
skip_tag(Cursor *cursor)
{
	int			values = 0;

	while (cursor->at < cursor->end && values <= PH_XML_ATTRIBUTES_MAX)
	{
		char		c = *cursor->at++;

		if (c == '>')
			return values;
		if (c == '"' || c == '\'')
		{
			const char *closing = memchr(cursor->at, c, cursor->end - cursor->at);

			cursor->at = closing == NULL ? cursor->end : closing + 1;
			values++;
		}
	}
	return values > PH_XML_ATTRIBUTES_MAX ? values : -1;
}

/* Always false. */
static bool
refuse(PhXmlError *error, PhXmlFault fault, const char *message, const char *document, const char *at)
{
	const char *line = document;
	const char *found;

	memset(error, 0, sizeof(*error));
	error->fault = fault;
	error->line = 1;
	while ((found = memchr(line, '\n', at - line)) != NULL)
	{
		error->line++;
		line = found + 1;
	}
	error->column = at - line + 1;
	strcpy(error->message, message);
	return false;
}

/* A comment ends at its first "--", and with that behind it. */
static bool
skip_comment(Cursor *cursor)
{
	cursor->at += strlen("<!--");
	return skip_past(cursor, "--") && cursor->at < cursor->end && *cursor->at++ == '>';
}

bool
ph_xml_guard(const char *document, size_t length, int *unclosed, PhXmlError *error)
{
	Cursor		cursor = {document, document + length};

	*unclosed = 0;
	while (cursor.at < cursor.end && (cursor.at = memchr(cursor.at, '<', cursor.end - cursor.at)) != NULL)
	{
		const char *start = cursor.at;
		int			values;

		if (begins_with(&cursor, "<!DOCTYPE"))
			return refuse(error, PH_XML_DOCTYPE, "", document, start);
		if (begins_with(&cursor, "<!--"))
		{
			if (!skip_comment(&cursor))
				return refuse(error, PH_XML_MALFORMED, "Comment not ended by -->, or with -- inside", document, start);
		}
		else if (begins_with(&cursor, "<![CDATA["))
		{
			if (!skip_past(&cursor, "]]>"))
				return refuse(error, PH_XML_MALFORMED, "CDATA section not finished", document, start);
		}
		else if (begins_with(&cursor, "<?"))
		{
			if (!skip_past(&cursor, "?>"))
				return refuse(error, PH_XML_MALFORMED, "Processing instruction not finished", document, start);
		}
		else
		{
			cursor.at++;
			values = skip_tag(&cursor);
			if (values > PH_XML_ATTRIBUTES_MAX)
				return refuse(error, PH_XML_TOO_MANY_ATTRIBUTES, "", document, start);
			if (values < 0)
				return refuse(error, PH_XML_MALFORMED, "Tag not finished", document, start);
			if (start[1] == '/')
				(*unclosed)--;
			else if (cursor.at[-2] != '/')
				(*unclosed)++;
		}
	}
	return true;
}
