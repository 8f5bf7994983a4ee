/*
 * xml_decode.c
 *	  The encoding of an XML document (XML 1.0, appendix F): everything becomes UTF-8 before anybody looks inside.
 */
#include "postgres.h"

#include <ctype.h>

#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "json/xml.h"

#define DECLARATION_MAX	200		/* bytes that are searched for encoding="..." */
#define NAME_MAX_LENGTH	40

static void
invalid_utf16(int at)
{
	ereport(ERROR,
			(errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
			 errmsg("invalid UTF-16 in XML document"),
			 errdetail("The unit of two bytes at byte %d does not belong to a character.", at + 1)));
}

static pg_wchar
unit16(const unsigned char *bytes, bool big_endian)
{
	return big_endian ? bytes[0] << 8 | bytes[1] : bytes[1] << 8 | bytes[0];
}

/* UTF-16 without its byte order mark; offset is that of the first byte in the document. */
static char *
decode_utf16(const unsigned char *bytes, int length, int offset, bool big_endian, int *decoded_length)
{
	char	   *result;
	unsigned char *to;
	int			i;

	if (length % 2 != 0)
		invalid_utf16(offset + length - 1);
	result = palloc(length / 2 * 3 + 1);
	to = (unsigned char *) result;
	for (i = 0; i < length; i += 2)
	{
		pg_wchar	c = unit16(bytes + i, big_endian);

		if (c >= 0xDC00 && c <= 0xDFFF)
			invalid_utf16(offset + i);
		if (c >= 0xD800 && c <= 0xDBFF)
		{
			pg_wchar	low = i + 2 < length ? unit16(bytes + i + 2, big_endian) : 0;

			if (low < 0xDC00 || low > 0xDFFF)
				invalid_utf16(offset + i);
			c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
			i += 2;
		}
		unicode_to_utf8(c, to);
		to += pg_utf_mblen(to);
	}
	*to = '\0';
	*decoded_length = (char *) to - result;
	return result;
}

/* What the XML declaration says; false: nothing.  The bytes of a declaration are ASCII in all encodings that get here. */
static bool
declared_encoding(const char *bytes, int length, char *name)
{
	char		head[DECLARATION_MAX + 1];
	const char *at;
	char		quote;
	int			n = 0;

	length = Min(length, DECLARATION_MAX);
	memcpy(head, bytes, length);
	head[length] = '\0';
	if (strncmp(head, "<?xml", 5) != 0 || (at = strstr(head, "?>")) == NULL)
		return false;
	head[at - head] = '\0';
	if ((at = strstr(head, "encoding")) == NULL)
		return false;
	at += strlen("encoding");
	at += strspn(at, " \t\r\n=");
	quote = *at++;
	if (quote != '"' && quote != '\'')
		return false;
	while (isalnum((unsigned char) *at) || strchr("._-", *at) != NULL)
	{
		if (*at == '\0' || n == NAME_MAX_LENGTH)
			return false;
		name[n++] = *at++;
	}
	name[n] = '\0';
	return *at == quote;
}

static char *
convert(const char *bytes, int length, int *decoded_length)
{
	char		name[NAME_MAX_LENGTH + 1];
	int			encoding = PG_UTF8;
	char	   *result;

	/* ASCII is UTF-8, and the parser finds what is neither. */
	if (declared_encoding(bytes, length, name) && pg_strcasecmp(name, "US-ASCII") != 0)
		encoding = pg_char_to_encoding(name);
	if (encoding < 0 || encoding == PG_SQL_ASCII)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("encoding \"%s\" of XML document is not supported", name),
				 errhint("Have it sent in UTF-8.")));
	if (encoding != PG_UTF8)
	{
		result = (char *) pg_do_encoding_conversion((unsigned char *) unconstify(char *, bytes), length, encoding, PG_UTF8);
		*decoded_length = strlen(result);
		return result;
	}
	*decoded_length = length;
	return pnstrdup(bytes, length);
}

char *
ph_xml_decode(const char *bytes, int length, int *decoded_length)
{
	const unsigned char *b = (const unsigned char *) bytes;

	if (length >= 4 && (memcmp(b, "\0\0\376\377", 4) == 0 || memcmp(b, "\377\376\0\0", 4) == 0 ||
						memcmp(b, "\0\0\0<", 4) == 0 || memcmp(b, "<\0\0\0", 4) == 0))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("encoding \"%s\" of XML document is not supported", "UTF-32"),
				 errhint("Have it sent in UTF-8.")));
	if (length >= 3 && memcmp(b, "\357\273\277", 3) == 0)
	{
		*decoded_length = length - 3;
		return pnstrdup(bytes + 3, length - 3);
	}
	if (length >= 2 && (memcmp(b, "\376\377", 2) == 0 || memcmp(b, "\377\376", 2) == 0))
		return decode_utf16(b + 2, length - 2, 2, b[0] == 0xFE, decoded_length);
	if (length >= 2 && (memcmp(b, "\0<", 2) == 0 || memcmp(b, "<\0", 2) == 0))
		return decode_utf16(b, length, 0, b[0] == 0, decoded_length);
	return convert(bytes, length, decoded_length);
}
