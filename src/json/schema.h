/*
 * schema.h
 *	  JSON Schema: draft 2020-12, and draft-07 as a second dialect, compiled once and evaluated on jsonb with exact
 *	  numbers.
 *
 * Nothing is ever fetched: a reference leads into the same document or to one that the caller knows by its URI.
 * "format" is an annotation unless asserted; content* and unknown keywords are annotations always.
 */
#ifndef PLANTHUB_SCHEMA_H
#define PLANTHUB_SCHEMA_H

#include "json/value.h"

typedef struct PhSchema PhSchema;

/* The document that is known by an absolute URI without fragment; NULL: none.  Detoasted; copied by the caller. */
typedef Jsonb *(*PhSchemaLookup) (const char *uri);

/*
 * In a memory context of its own, a child of the current one.  Throws 22023 with the place in the schema when it is
 * broken.  assert_format: "format" is checked; the member "hub:assertFormat" of the root says so, too.
 */
extern PhSchema *ph_schema_compile(Jsonb *document, bool assert_format, PhSchemaLookup lookup);
extern MemoryContext ph_schema_context(const PhSchema *schema);		/* to move it elsewhere, or to delete it */

typedef enum PhSchemaResult
{
	PH_SCHEMA_VALID,
	PH_SCHEMA_INVALID,
	PH_SCHEMA_LIMIT				/* too deep or too much work; nothing is known */
} PhSchemaResult;

/* Members of a violation as in section 2.4 of the output format "basic" of JSON Schema. */
typedef struct PhViolation
{
	const char *instance;		/* JSON Pointer into the instance */
	const char *place;			/* way through the schema, references included */
	const char *absolute;		/* URI of the keyword when a reference was followed, else NULL */
	const char *keyword;
	const char *message;
	bool		has_expected;
	bool		has_found;
	PhValue		expected;
	PhValue		found;			/* cut */
} PhViolation;

typedef struct PhViolations
{
	int			n;
	int			allocated;
	PhViolation *items;
} PhViolations;

/* The first error ends it. */
extern PhSchemaResult ph_schema_check(const PhSchema *schema, const PhValue *instance);

/* All errors up to the limit, in the current memory context.  Data never makes it throw. */
extern PhSchemaResult ph_schema_violations(const PhSchema *schema, const PhValue *instance, int limit,
										   PhViolations *violations);

/*
 * An array of objects; prefix goes before every pointer into the instance.  Besides the members of the output format
 * there is "pointer", where something has to be done: the place itself, or the member that is missing from it.
 */
extern Jsonb *ph_violations_to_jsonb(const PhViolations *violations, const char *prefix);

/* One line for people: where, what, what was expected and found. */
extern void ph_violation_write(const PhViolation *violation, StringInfo out);

#endif
