/*
 * json_text.c
 *	  Whether text is JSON that the server can take.
 *
 * The server's own parser throws on the first fault; text that passed here can be given to it without that fear.
 * Pure C: this file cannot throw or allocate.
 */
#include "json/json_text.h"

#include <string.h>

#ifdef POSTGRES_H
#error "json_text.c must not include postgres.h"
#endif

#define EXPONENT_MAX	100000	/* more than any that can be good; keeps the arithmetic from overflowing */

typedef struct Scanner
{
	const char *at;
	const char *end;
	bool		ascii;
	const char *fault;
} Scanner;

static bool scan_value(Scanner *scanner, int depth);

static bool
fault(Scanner *scanner, const char *what)
{
	if (scanner->fault == NULL)
		scanner->fault = what;
	return false;
}

static void
skip_space(Scanner *scanner)
{
	while (scanner->at < scanner->end && memchr(" \t\n\r", *scanner->at, 4) != NULL)
		scanner->at++;
}

static bool
take(Scanner *scanner, char c)
{
	if (scanner->at == scanner->end || *scanner->at != c)
		return false;
	scanner->at++;
	return true;
}

static int
digits(Scanner *scanner)
{
	const char *start = scanner->at;

	while (scanner->at < scanner->end && *scanner->at >= '0' && *scanner->at <= '9')
		scanner->at++;
	return (int) (scanner->at - start);
}

/* 0 without an exponent. */
static bool
scan_exponent(Scanner *scanner, int *exponent)
{
	bool		negative;

	*exponent = 0;
	if (!take(scanner, 'e') && !take(scanner, 'E'))
		return true;
	negative = take(scanner, '-');
	if (!negative)
		(void) take(scanner, '+');
	if (scanner->at == scanner->end || *scanner->at < '0' || *scanner->at > '9')
		return fault(scanner, "number has no digits in its exponent");
	for (; scanner->at < scanner->end && *scanner->at >= '0' && *scanner->at <= '9'; scanner->at++)
	{
		if (*exponent < EXPONENT_MAX)
			*exponent = *exponent * 10 + (*scanner->at - '0');
	}
	if (negative)
		*exponent = -*exponent;
	return true;
}

static bool
scan_number(Scanner *scanner)
{
	int			before;
	int			after = 0;
	int			exponent;

	(void) take(scanner, '-');
	before = take(scanner, '0') ? 1 : digits(scanner);
	if (before == 0)
		return fault(scanner, "not a JSON value");
	if (take(scanner, '.') && (after = digits(scanner)) == 0)
		return fault(scanner, "number has no digits after the point");
	if (!scan_exponent(scanner, &exponent))
		return false;
	if (before > PH_NUMBER_DIGITS || after > PH_NUMBER_DIGITS ||
		before + exponent > PH_NUMBER_DIGITS || after - exponent > PH_NUMBER_DIGITS)
		return fault(scanner, "number has too many digits");
	return true;
}

/* The four digits of \uXXXX; -1 when they are none. */
static int
hex4(Scanner *scanner)
{
	int			value = 0;
	int			i;

	for (i = 0; i < 4; i++, scanner->at++)
	{
		char		c = scanner->at < scanner->end ? *scanner->at : ' ';

		if (c >= '0' && c <= '9')
			value = value * 16 + (c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value * 16 + (c - 'a' + 10);
		else if (c >= 'A' && c <= 'F')
			value = value * 16 + (c - 'A' + 10);
		else
			return -1;
	}
	return value;
}

static bool
scan_unicode(Scanner *scanner)
{
	int			code = hex4(scanner);

	if (code < 0)
		return fault(scanner, "\"\\u\" must be followed by four hexadecimal digits");
	if (code == 0)
		return fault(scanner, "\"\\u0000\" cannot be text");
	if (code >= 0xd800 && code <= 0xdbff)
	{
		if (!take(scanner, '\\') || !take(scanner, 'u'))
			return fault(scanner, "\"\\u\" escape is half of a surrogate pair");
		code = hex4(scanner);
		if (code < 0xdc00 || code > 0xdfff)
			return fault(scanner, "\"\\u\" escape is half of a surrogate pair");
	}
	else if (code >= 0xdc00 && code <= 0xdfff)
		return fault(scanner, "\"\\u\" escape is half of a surrogate pair");
	if (scanner->ascii && code > 127)
		return fault(scanner, "\"\\u\" escapes beyond ASCII need a database in UTF-8");
	return true;
}

static bool
scan_string(Scanner *scanner)
{
	scanner->at++;
	while (scanner->at < scanner->end)
	{
		unsigned char c = *scanner->at++;

		if (c == '"')
			return true;
		if (c < ' ')
		{
			scanner->at--;
			return fault(scanner, "control character in a JSON string must be escaped");
		}
		if (c != '\\')
			continue;
		if (take(scanner, 'u'))
		{
			if (!scan_unicode(scanner))
				return false;
		}
		else if (scanner->at == scanner->end || memchr("\"\\/bfnrt", *scanner->at, 8) == NULL)
			return fault(scanner, "unknown escape in a JSON string");
		else
			scanner->at++;
	}
	return fault(scanner, "JSON string has no end");
}

static bool
scan_array(Scanner *scanner, int depth)
{
	scanner->at++;
	skip_space(scanner);
	if (take(scanner, ']'))
		return true;
	do
	{
		if (!scan_value(scanner, depth))
			return false;
	} while (take(scanner, ','));
	return take(scanner, ']') || fault(scanner, "expected \",\" or \"]\" in a JSON array");
}

static bool
scan_object(Scanner *scanner, int depth)
{
	scanner->at++;
	skip_space(scanner);
	if (take(scanner, '}'))
		return true;
	do
	{
		skip_space(scanner);
		if (scanner->at == scanner->end || *scanner->at != '"')
			return fault(scanner, "expected a key in a JSON object");
		if (!scan_string(scanner))
			return false;
		skip_space(scanner);
		if (!take(scanner, ':'))
			return fault(scanner, "expected \":\" after a key of a JSON object");
		if (!scan_value(scanner, depth))
			return false;
	} while (take(scanner, ','));
	return take(scanner, '}') || fault(scanner, "expected \",\" or \"}\" in a JSON object");
}

static bool
scan_word(Scanner *scanner)
{
	static const char *const words[] = {"true", "false", "null"};
	size_t		i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
	{
		size_t		length = strlen(words[i]);

		if ((size_t) (scanner->end - scanner->at) >= length && memcmp(scanner->at, words[i], length) == 0)
		{
			scanner->at += length;
			return true;
		}
	}
	return fault(scanner, "not a JSON value");
}

/* White space around it too. */
static bool
scan_value(Scanner *scanner, int depth)
{
	bool		good;

	skip_space(scanner);
	if (depth > PH_JSON_DEPTH)
		return fault(scanner, "JSON is nested too deeply");
	if (scanner->at == scanner->end)
		return fault(scanner, "JSON value is missing");
	switch (*scanner->at)
	{
		case '{':
			good = scan_object(scanner, depth + 1);
			break;
		case '[':
			good = scan_array(scanner, depth + 1);
			break;
		case '"':
			good = scan_string(scanner);
			break;
		case 't':
		case 'f':
		case 'n':
			good = scan_word(scanner);
			break;
		default:
			good = scan_number(scanner);
			break;
	}
	skip_space(scanner);
	return good;
}

const char *
ph_json_text_fault(const char *text, size_t length, bool ascii, size_t *offset)
{
	Scanner		scanner = {text, text + length, ascii, NULL};

	if (scan_value(&scanner, 0) && scanner.at < scanner.end)
		(void) fault(&scanner, "text after the JSON value");
	*offset = scanner.at - text;
	return scanner.fault;
}

bool
ph_json_text_number(const char *text, size_t length)
{
	Scanner		scanner = {text, text + length, true, NULL};

	return length > 0 && scan_number(&scanner) && scanner.at == scanner.end;
}
