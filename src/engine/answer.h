/*
 * answer.h
 *	  The answer of a target as a JSON value: {"status", "headers", "body"}.
 */
#ifndef PLANTHUB_ANSWER_H
#define PLANTHUB_ANSWER_H

#include "connector/connector.h"
#include "json/value.h"

typedef struct PhAnswer
{
	int			status;
	const char *headers;		/* as received, in the encoding of the wire, as is body */
	size_t		headers_len;
	const char *body;
	size_t		body_len;
} PhAnswer;

/* Refers to the connector's memory, see PhResult; false when there is no whole answer. */
extern bool ph_answer_of(const PhResult *result, PhAnswer *answer);

/* A copy that stays. */
extern PhAnswer *ph_answer_copy(const PhAnswer *answer, MemoryContext context);

/*
 * Appends status, headers and body to an object; everything is in the current memory context.  Names of header fields
 * are in lower case, fields that come more than once are joined by ", " (RFC 9110 5.3); Set-Cookie is left out, it is a
 * secret.  The body is what its JSON says, else a string; null when it is empty or no valid text.  May need a
 * transaction when the encoding of the server is not UTF-8.
 */
extern void ph_answer_append(PhValue *object, const PhAnswer *answer);

/* The JSON value in a text, or the text as a string; null when it is empty or no valid UTF-8. */
extern PhValue ph_answer_parse(const char *text, size_t length);

#endif
