/*
 * lexer.c
 *	  The words of an expression: the terminals of the JMESPath Community grammar, and numbers with fraction and exponent.
 *
 * Pure C: this file cannot throw or allocate.
 */
#include "json/lexer.h"

#include <stdbool.h>
#include <string.h>

#ifdef POSTGRES_H
#error "lexer.c must not include postgres.h"
#endif

/* Longest first where one begins another. */
static const struct
{
	const char *text;
	PhTokenType type;
}			symbols[] = {
	{"||", PH_TOKEN_OR}, {"|", PH_TOKEN_PIPE}, {"&&", PH_TOKEN_AND}, {"&", PH_TOKEN_REFERENCE},
	{"!=", PH_TOKEN_DIFFERENT}, {"!", PH_TOKEN_NOT}, {"==", PH_TOKEN_EQUAL}, {"=", PH_TOKEN_ASSIGN},
	{"<=", PH_TOKEN_LESS_OR_EQUAL}, {"<", PH_TOKEN_LESS}, {">=", PH_TOKEN_GREATER_OR_EQUAL}, {">", PH_TOKEN_GREATER},
	{"[]", PH_TOKEN_FLATTEN}, {"[?", PH_TOKEN_FILTER}, {"[", PH_TOKEN_LEFT_BRACKET}, {"]", PH_TOKEN_RIGHT_BRACKET},
	{"(", PH_TOKEN_LEFT_PAREN}, {")", PH_TOKEN_RIGHT_PAREN}, {"{", PH_TOKEN_LEFT_BRACE}, {"}", PH_TOKEN_RIGHT_BRACE},
	{".", PH_TOKEN_DOT}, {",", PH_TOKEN_COMMA}, {":", PH_TOKEN_COLON}, {"?", PH_TOKEN_QUESTION}, {"@", PH_TOKEN_CURRENT},
	{"*", PH_TOKEN_STAR}, {"//", PH_TOKEN_FLOOR_DIVIDE}, {"/", PH_TOKEN_DIVIDE}, {"%", PH_TOKEN_MODULO},
	{"+", PH_TOKEN_PLUS}, {"-", PH_TOKEN_MINUS}, {"\xc3\x97", PH_TOKEN_TIMES}, {"\xc3\xb7", PH_TOKEN_DIVIDE},
	{"\xe2\x88\x92", PH_TOKEN_MINUS}
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static PhToken
make(PhTokenType type, const char *text, size_t start, size_t end)
{
	PhToken		token = {type, start, end, text + start, (int) (end - start), NULL};

	return token;
}

static PhToken
make_fault(const char *text, size_t at, const char *what)
{
	PhToken		token = make(PH_TOKEN_FAULT, text, at, at);

	token.fault = what;
	return token;
}

static size_t
name_end(const char *text, size_t length, size_t at)
{
	while (at < length && (is_letter(text[at]) || is_digit(text[at])))
		at++;
	return at;
}

static size_t
digits_end(const char *text, size_t length, size_t at)
{
	while (at < length && is_digit(text[at]))
		at++;
	return at;
}

static PhToken
number(const char *text, size_t length, size_t start)
{
	size_t		end = digits_end(text, length, start);
	size_t		more;

	if (end + 1 < length && text[end] == '.' && is_digit(text[end + 1]))
		end = digits_end(text, length, end + 1);
	if (end < length && (text[end] == 'e' || text[end] == 'E'))
	{
		more = end + 1;
		if (more < length && (text[more] == '+' || text[more] == '-'))
			more++;
		if (more < length && is_digit(text[more]))
			end = digits_end(text, length, more);
	}
	return make(PH_TOKEN_NUMBER, text, start, end);
}

/* From one delimiter to the next that has no backslash before it. */
static PhToken
delimited(PhTokenType type, const char *text, size_t length, size_t start, const char *unterminated)
{
	size_t		at;
	PhToken		token;

	for (at = start + 1; at < length && text[at] != text[start]; at++)
	{
		if (text[at] == '\\')
			at++;
	}
	if (at >= length)
		return make_fault(text, start, unterminated);
	token = make(type, text, start, at + 1);
	if (type != PH_TOKEN_QUOTED)
	{
		token.text++;
		token.length -= 2;
	}
	return token;
}

static PhToken
symbol(const char *text, size_t length, size_t start)
{
	size_t		i;

	for (i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++)
	{
		size_t		size = strlen(symbols[i].text);

		if (size <= length - start && memcmp(text + start, symbols[i].text, size) == 0)
			return make(symbols[i].type, text, start, start + size);
	}
	return make_fault(text, start, "unexpected character");
}

PhToken
ph_lexer_next(const char *text, size_t length, size_t offset)
{
	PhToken		token;

	while (offset < length && memchr(" \t\n\r", text[offset], 4) != NULL)
		offset++;
	if (offset >= length)
		return make(PH_TOKEN_END, text, length, length);
	if (is_letter(text[offset]))
		return make(PH_TOKEN_IDENTIFIER, text, offset, name_end(text, length, offset));
	if (is_digit(text[offset]))
		return number(text, length, offset);
	switch (text[offset])
	{
		case '$':
			if (offset + 1 >= length || !is_letter(text[offset + 1]))
				return make(PH_TOKEN_ROOT, text, offset, offset + 1);
			token = make(PH_TOKEN_VARIABLE, text, offset, name_end(text, length, offset + 1));
			token.text++;
			token.length--;
			return token;
		case '"':
			return delimited(PH_TOKEN_QUOTED, text, length, offset, "quoted identifier has no end");
		case '\'':
			return delimited(PH_TOKEN_RAW, text, length, offset, "string has no end");
		case '`':
			return delimited(PH_TOKEN_LITERAL, text, length, offset, "literal has no end");
		default:
			return symbol(text, length, offset);
	}
}
