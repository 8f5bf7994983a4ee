/*
 * pattern.h
 *	  Regular expressions of JSON Schema: ECMA-262 (with flag u) translated to the server's, compiled once.
 */
#ifndef PLANTHUB_JSON_PATTERN_H
#define PLANTHUB_JSON_PATTERN_H

typedef struct PhRegex PhRegex;

/*
 * Compiled in the current memory context, freed with it.  Returns NULL for what is no regular expression or cannot be
 * translated; *reason says why then.
 */
extern PhRegex *ph_regex_compile(const char *pattern, int length, const char **reason);

typedef enum PhRegexResult
{
	PH_REGEX_MATCH,
	PH_REGEX_NO_MATCH,
	PH_REGEX_FAILED			/* out of memory, or too complex for this text */
} PhRegexResult;

/* Anywhere in the text, as ECMA does. */
extern PhRegexResult ph_regex_match(PhRegex *regex, const char *text, int length);

/* The translation alone, for tests and messages; NULL as above.  *unicode: it needs Unicode's classes. */
extern char *ph_regex_translate(const char *pattern, int length, bool *unicode, const char **reason);

#endif
