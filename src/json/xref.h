/*
 * xref.h
 *	  Lookups in the cross-reference: identifiers and codes of other systems, dated and scoped.
 *
 * What was looked up is remembered per backend and code, also that there is nothing, for sets that say so; see the
 * column "cached" of planthub.xref_set.
 */
#ifndef PLANTHUB_XREF_H
#define PLANTHUB_XREF_H

#include "datatype/timestamp.h"
#include "utils/jsonb.h"

#define PH_SCOPES_MAX	16

typedef enum PhOnMissing
{
	PH_MISSING_HOLD,			/* wait for the entry */
	PH_MISSING_ERROR,
	PH_MISSING_PASS				/* take the code as it is */
} PhOnMissing;

typedef struct PhXrefEntry
{
	int64		id;
	const char *system;
	const char *scope;
	const char *code;
	const char *canonical;		/* the value as text */
	TimestampTz valid_from;
	TimestampTz valid_to;
	Jsonb	   *value;
	struct PhXrefEntry *next;
} PhXrefEntry;

/* Whose codes are meant, where and when.  Scopes from the most specific one to "*". */
typedef struct PhXrefPlace
{
	const char *system;
	int			nscopes;
	const char *scopes[PH_SCOPES_MAX];
	TimestampTz at;
} PhXrefPlace;

/*
 * The place of (system, site, party): the scopes are "party:<party>", the site, the sites whose codes are a beginning
 * of it up to a "/", and "*".  In the current memory context; party may be NULL.
 */
extern void ph_xref_place(PhXrefPlace *place, const char *system, const char *site, const char *party, TimestampTz at);

/* Forgets what is old.  To be called before the lookups for one document or statement, and makes earlier results invalid. */
extern void ph_xref_refresh(void);

/* False when there is no such set. */
extern bool ph_xref_set_find(const char *set, PhOnMissing *on_missing);
extern bool ph_xref_set_cached(const char *set);

/*
 * The entries for a code, or with back for a canonical value as text, that are valid and have the most specific
 * scope, then system; returns how many there are and the first max of them, which are valid until the next refresh
 * and no longer than the current memory context.
 */
extern int	ph_xref_find(const char *set, bool back, const char *key, const PhXrefPlace *place,
						 const PhXrefEntry **found, int max);

#endif
