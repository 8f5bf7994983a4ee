/*
 * lookup.h
 *	  Rows of our own small tables, read without SQL, and what is needed to remember them safely.
 *
 * Read with the newest snapshot, so whatever the isolation level it sees every committed change and those of this
 * transaction; without regard to the privileges of the user, who cannot choose what is read.
 *
 * Who remembers rows watches their table.  The trigger planthub.table_changed() invalidates the relation, which every
 * backend learns before it uses the table the next time; what was read before an invalidation arrived counts as old.
 */
#ifndef PLANTHUB_LOOKUP_H
#define PLANTHUB_LOOKUP_H

#define PH_LOOKUP_KEYS	2

typedef struct PhLookup PhLookup;

/*
 * Rows of the table with these texts in the columns of the index, whose collation is "C"; with nkeys 0 all rows, and
 * index is not used.  Close it before anything else can throw on purpose; an error closes it.
 */
extern PhLookup *ph_lookup_open(const char *table, const char *index, int nkeys, const char *const *columns,
								const char *const *keys);
extern bool ph_lookup_next(PhLookup *lookup);
extern void ph_lookup_close(PhLookup *lookup);

/* A column of the row; points into it. */
extern Datum ph_lookup_datum(PhLookup *lookup, const char *column, bool *isnull);
/* Copies in the current memory context. */
extern char *ph_lookup_text(PhLookup *lookup, const char *column);	/* NULL for null */
extern struct varlena *ph_lookup_varlena(PhLookup *lookup, const char *column);	/* jsonb, numeric: detoasted; NULL for null */

/* A table that is watched; static, with only the name set. */
typedef struct PhWatch
{
	const char *table;
	Oid			oid;			/* of the table; InvalidOid: not known */
	uint64		changes;		/* differs whenever what was read may be old */
	bool		registered;
	struct PhWatch *next;
} PhWatch;

/* Number of changes seen until now; needs a transaction. */
extern uint64 ph_watch(PhWatch *watch);

/*
 * Everything that is remembered may be old: a committing backend wakes others before it sends its invalidations, so who
 * was woken and does not find what it was woken for looks again.
 */
extern void ph_watch_distrust(void);

#endif
