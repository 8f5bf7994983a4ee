/*
 * lexer.h
 *	  The words of an expression.  Pure C.
 */
#ifndef PLANTHUB_LEXER_H
#define PLANTHUB_LEXER_H

#include <stddef.h>

typedef enum PhTokenType
{
	PH_TOKEN_END,
	PH_TOKEN_FAULT,				/* see PhToken.fault */
	PH_TOKEN_IDENTIFIER,
	PH_TOKEN_QUOTED,			/* "..." with its quotes: a JSON string */
	PH_TOKEN_RAW,				/* '...' without quotes, escapes as written */
	PH_TOKEN_LITERAL,			/* `...` without the back-ticks, escapes as written */
	PH_TOKEN_NUMBER,			/* without sign */
	PH_TOKEN_VARIABLE,			/* $name, without "$" */
	PH_TOKEN_ROOT,				/* $ */
	PH_TOKEN_CURRENT,			/* @ */
	PH_TOKEN_DOT,
	PH_TOKEN_STAR,
	PH_TOKEN_TIMES,				/* U+00D7 */
	PH_TOKEN_DIVIDE,			/* / or U+00F7 */
	PH_TOKEN_FLOOR_DIVIDE,		/* // */
	PH_TOKEN_MODULO,
	PH_TOKEN_PLUS,
	PH_TOKEN_MINUS,				/* - or U+2212 */
	PH_TOKEN_COMMA,
	PH_TOKEN_COLON,
	PH_TOKEN_QUESTION,
	PH_TOKEN_PIPE,
	PH_TOKEN_OR,
	PH_TOKEN_AND,
	PH_TOKEN_REFERENCE,			/* & */
	PH_TOKEN_NOT,
	PH_TOKEN_EQUAL,
	PH_TOKEN_DIFFERENT,
	PH_TOKEN_LESS,
	PH_TOKEN_LESS_OR_EQUAL,
	PH_TOKEN_GREATER,
	PH_TOKEN_GREATER_OR_EQUAL,
	PH_TOKEN_ASSIGN,
	PH_TOKEN_LEFT_PAREN,
	PH_TOKEN_RIGHT_PAREN,
	PH_TOKEN_LEFT_BRACE,
	PH_TOKEN_RIGHT_BRACE,
	PH_TOKEN_LEFT_BRACKET,
	PH_TOKEN_RIGHT_BRACKET,
	PH_TOKEN_FLATTEN,			/* [] */
	PH_TOKEN_FILTER,			/* [? */
	PH_TOKENS
} PhTokenType;

typedef struct PhToken
{
	PhTokenType type;
	size_t		start;			/* of the whole token */
	size_t		end;			/* behind it */
	const char *text;			/* what the comments above say */
	int			length;
	const char *fault;
} PhToken;

/* The token at or after the offset. */
extern PhToken ph_lexer_next(const char *text, size_t length, size_t offset);

#endif
