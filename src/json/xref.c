/*
 * xref.c
 *	  Lookups in the cross-reference: identifiers and codes of other systems, dated and scoped.
 *
 * The cache has one element per direction, set and key that was asked for, with all its rows; which of them applies is
 * decided anew each time.  Everything is in one memory context, which is reset when the table has changed or when it
 * has become too large.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "json/xref.h"
#include "pg/lookup.h"

#define CACHE_BYTES		(16 * 1024 * 1024)
#define KEY_BYTES		1200	/* a set, and a code of 256 characters */

typedef struct Element
{
	const char *key;			/* direction, set, code */
	PhXrefEntry *entries;
	char		status;			/* for simplehash */
} Element;

#define SH_PREFIX element
#define SH_ELEMENT_TYPE Element
#define SH_KEY_TYPE const char *
#define SH_KEY key
#define SH_HASH_KEY(table, key) hash_bytes((const unsigned char *) (key), strlen(key))
#define SH_EQUAL(table, a, b) (strcmp(a, b) == 0)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

typedef struct Set
{
	char		code[NAMEDATALEN];	/* hash key */
	PhOnMissing on_missing;
	bool		cached;
} Set;

static PhWatch xref_watch = {.table = "xref"};
static PhWatch set_watch = {.table = "xref_set"};
static uint64 entries_at = 0;
static uint64 sets_at = 0;
static MemoryContext entries_context = NULL;
static MemoryContext sets_context = NULL;
static element_hash *elements = NULL;
static HTAB *sets = NULL;

/* ---- sets ---- */

static void
read_sets(uint64 changes)
{
	HASHCTL		control = {.keysize = NAMEDATALEN, .entrysize = sizeof(Set)};
	PhLookup   *lookup;

	if (sets_context == NULL)
		sets_context = AllocSetContextCreate(TopMemoryContext, "planthub xref sets", ALLOCSET_SMALL_SIZES);
	MemoryContextReset(sets_context);
	sets = NULL;
	control.hcxt = sets_context;
	sets = hash_create("planthub xref sets", 32, &control, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	lookup = ph_lookup_open("xref_set", NULL, 0, NULL, NULL);
	while (ph_lookup_next(lookup))
	{
		char	   *code = ph_lookup_text(lookup, "code");
		char	   *on_missing = ph_lookup_text(lookup, "on_missing");
		bool		isnull;
		bool		found;
		Set		   *set = hash_search(sets, code, HASH_ENTER, &found);

		set->on_missing = strcmp(on_missing, "hold") == 0 ? PH_MISSING_HOLD :
			strcmp(on_missing, "error") == 0 ? PH_MISSING_ERROR : PH_MISSING_PASS;
		set->cached = DatumGetBool(ph_lookup_datum(lookup, "cached", &isnull));
	}
	ph_lookup_close(lookup);
	sets_at = changes;
}

static Set *
find_set(const char *code)
{
	if (sets == NULL)
		ph_xref_refresh();
	if (strlen(code) >= NAMEDATALEN)
		return NULL;
	return hash_search(sets, code, HASH_FIND, NULL);
}

bool
ph_xref_set_find(const char *set, PhOnMissing *on_missing)
{
	Set		   *found = find_set(set);

	if (found != NULL)
		*on_missing = found->on_missing;
	return found != NULL;
}

bool
ph_xref_set_cached(const char *set)
{
	Set		   *found = find_set(set);

	return found != NULL && found->cached;
}

/* ---- entries ---- */

/* All rows for a key, in the current memory context. */
static PhXrefEntry *
read_entries(const char *set, bool back, const char *key)
{
	const char *const columns[] = {"set", back ? "canonical" : "code"};
	const char *const keys[] = {set, key};
	PhLookup   *lookup = ph_lookup_open("xref", back ? "xref_canonical" : "xref_code", 2, columns, keys);
	PhXrefEntry *entries = NULL;

	while (ph_lookup_next(lookup))
	{
		PhXrefEntry *entry = palloc(sizeof(PhXrefEntry));
		bool		isnull;

		entry->id = DatumGetInt64(ph_lookup_datum(lookup, "id", &isnull));
		entry->system = ph_lookup_text(lookup, "system");
		entry->scope = ph_lookup_text(lookup, "scope");
		entry->code = ph_lookup_text(lookup, "code");
		entry->canonical = ph_lookup_text(lookup, "canonical");
		entry->valid_from = DatumGetTimestampTz(ph_lookup_datum(lookup, "valid_from", &isnull));
		entry->valid_to = DatumGetTimestampTz(ph_lookup_datum(lookup, "valid_to", &isnull));
		entry->value = (Jsonb *) ph_lookup_varlena(lookup, "value");
		entry->next = entries;
		entries = entry;
	}
	ph_lookup_close(lookup);
	return entries;
}

static void
reset_entries(void)
{
	elements = NULL;
	if (entries_context == NULL)
		entries_context = AllocSetContextCreate(TopMemoryContext, "planthub xref", ALLOCSET_DEFAULT_SIZES);
	MemoryContextReset(entries_context);
	elements = element_create(entries_context, 256, NULL);
}

/* From the cache, if its set is cached. */
static const PhXrefEntry *
find_entries(const char *set, bool back, const char *key)
{
	char		full[KEY_BYTES];
	Size		set_length = strlen(set);
	Size		key_length = strlen(key);
	Element    *element;
	Set		   *known;
	PhXrefEntry *entries;
	MemoryContext caller;
	bool		found;

	/* Longer keys are not in the table. */
	if (set_length + key_length + 3 > sizeof(full))
		return NULL;
	full[0] = back ? '<' : '>';
	memcpy(full + 1, set, set_length);
	full[set_length + 1] = ' ';
	memcpy(full + set_length + 2, key, key_length + 1);
	if (elements == NULL)
		ph_xref_refresh();
	element = element_lookup(elements, full);
	if (element != NULL)
		return element->entries;
	known = find_set(set);
	if (known == NULL)
		return NULL;
	if (!known->cached)
		return read_entries(set, back, key);

	/* First everything that can fail, then the element. */
	caller = MemoryContextSwitchTo(entries_context);
	entries = read_entries(set, back, key);
	element = element_insert(elements, pstrdup(full), &found);
	element->entries = entries;
	MemoryContextSwitchTo(caller);
	return entries;
}

void
ph_xref_refresh(void)
{
	uint64		set_changes = ph_watch(&set_watch);
	uint64		changes = set_changes + ph_watch(&xref_watch);

	if (sets == NULL || sets_at != set_changes)
		read_sets(set_changes);
	if (elements == NULL || entries_at != changes ||
		MemoryContextMemAllocated(entries_context, false) > CACHE_BYTES)
	{
		reset_entries();
		entries_at = changes;
	}
}

void
ph_xref_place(PhXrefPlace *place, const char *system, const char *site, const char *party, TimestampTz at)
{
	const char *end;

	place->system = system;
	place->at = at;
	place->nscopes = 0;
	if (party != NULL)
		place->scopes[place->nscopes++] = psprintf("party:%s", party);
	if (strcmp(site, "*") != 0)
		place->scopes[place->nscopes++] = site;
	for (end = site + strlen(site); end > site && place->nscopes < PH_SCOPES_MAX - 1; end--)
	{
		if (*end == '/')
			place->scopes[place->nscopes++] = pnstrdup(site, end - site);
	}
	place->scopes[place->nscopes++] = "*";
}

/* The lower the better; -1 when the entry does not apply here and now. */
static int
rank(const PhXrefEntry *entry, const PhXrefPlace *place)
{
	int			system;
	int			i;

	if (place->at < entry->valid_from || place->at >= entry->valid_to)
		return -1;
	if (strcmp(entry->system, "*") == 0)
		system = 1;
	else if (strcmp(entry->system, place->system) == 0)
		system = 0;
	else
		return -1;
	for (i = 0; i < place->nscopes; i++)
	{
		if (strcmp(entry->scope, place->scopes[i]) == 0)
			return 2 * i + system;
	}
	return -1;
}

int
ph_xref_find(const char *set, bool back, const char *key, const PhXrefPlace *place, const PhXrefEntry **found, int max)
{
	const PhXrefEntry *entry = find_entries(set, back, key);
	int			best = -1;
	int			n = 0;

	for (; entry != NULL; entry = entry->next)
	{
		int			mine = rank(entry, place);

		if (mine < 0 || (best >= 0 && mine > best))
			continue;
		if (best < 0 || mine < best)
			n = 0;
		best = mine;
		if (n < max)
			found[n] = entry;
		n++;
	}
	return n;
}
