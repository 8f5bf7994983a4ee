/*
 * json_text.h
 *	  Whether text is JSON that the server can take, without asking the server.  Pure C.
 */
#ifndef PLANTHUB_JSON_TEXT_H
#define PLANTHUB_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#define PH_NUMBER_DIGITS	1000	/* most digits before and after the point that numbers may have */
#define PH_JSON_DEPTH		100

/*
 * One JSON value (RFC 8259) with white space around it.  Refuses what jsonb cannot hold (\u0000, lone surrogates),
 * numbers of too many digits, and text that is nested too deeply.  ascii: also \u escapes beyond ASCII, which a server
 * encoding other than UTF-8 may not have.  NULL when good; else what is wrong, and where.
 */
extern const char *ph_json_text_fault(const char *text, size_t length, bool ascii, size_t *offset);

/* A JSON number and nothing else, of at most PH_NUMBER_DIGITS digits on either side of the point. */
extern bool ph_json_text_number(const char *text, size_t length);

#endif
