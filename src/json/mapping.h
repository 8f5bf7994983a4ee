/*
 * mapping.h
 *	  Mappings as they are stored: found by name and site, compiled once per backend, applied to documents.
 *
 * A reference is "name" (the active version for the site: that of the site itself, of the sites whose codes are a
 * beginning of it up to a "/", or of the enterprise), "name@3" (version 3 of the enterprise) or "name@3:P1" (version 3
 * of the site P1).
 */
#ifndef PLANTHUB_MAPPING_H
#define PLANTHUB_MAPPING_H

#include "json/template.h"

typedef struct PhMapping
{
	const char *id;				/* name@version[:site], what to record */
	char		sha256[65];		/* of everything that decides the output: templates and options, also of what it uses */
	const char *site;			/* for which it was asked */
	const char *timezone;		/* of the options, or of that site */
	const PhTemplateUnit *unit;
	int			nunits;			/* itself, then what it uses */
	const PhTemplateUnit *const *units;
	int			nnodes;			/* of all units */
	bool		uses_env;		/* any of them reads $env */
} PhMapping;

/*
 * The mapping, which stays valid until the next call; an application under way keeps it.  Needs a transaction.  Throws
 * 42704 when there is no such mapping or no active version, 55000 when it cannot be compiled any more.
 */
extern const PhMapping *ph_mapping_get(const char *reference, const char *site);

/* The same without throwing for what the author can mend, and not kept: NULL, and the problems. */
extern const PhMapping *ph_mapping_compile(const char *reference, const char *site, PhProblems *errors);

/* The template with its overrides, in the current memory context. */
extern Jsonb *ph_mapping_template(const char *reference, const char *site);

/*
 * Applies it.  Members of env that have a meaning here: system (whose codes xref() means), site (else that of the
 * mapping), party, received_at (when codes must be valid; else now), timezone; $env has them all.  env may be NULL.
 * The result is in the current memory context.  NULL: *errors is an array of objects with code, message, at, input,
 * template, mapping, retry, and as far as known hint, expression, column, set, key.  retry "after-data-fix": the
 * document is good, but waits for an entry in the cross-reference or, when there is no set, for the unit of that key.
 * Runs functions in subtransactions.
 */
extern Jsonb *ph_mapping_apply(const PhMapping *mapping, Jsonb *document, Jsonb *env, Jsonb **errors);

/*
 * Applies it and tells how: an object with mapping, sha256, output or errors, xref, unread, unused, visits.
 * xref: entries that are used instead of the table, {set: {code: value}}, or NULL.
 */
extern Jsonb *ph_mapping_explain(const PhMapping *mapping, Jsonb *document, Jsonb *env, Jsonb *xref);

/* A mapping that is applied, until the memory context goes. */
extern void ph_mapping_pin(const PhMapping *mapping, MemoryContext context);

#endif
