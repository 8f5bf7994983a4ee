/*
 * entry.c
 *	  Deliveries that wait for entries of the cross-reference, or units, which their mappings lacked.
 *
 * Whoever brings an entry does not look for who waits for it: that one may not be visible to him, for he may have an old
 * snapshot, or the delivery may be on its way into held.  He leaves a mark for the entry when his transaction has ended,
 * and the workers look.  A worker takes the mark before or after its mapping has looked for the entry.  After: the
 * outcome is recorded before it looks for what waits, in the same transaction at the latest.  Before: the mapping has
 * found the entry.
 *
 * Marks are bits, which entries share; so it is made sure that there is an entry.  Which bits are waited for is kept in
 * memory, maybe with some that are not any more; entries that nobody waits for cost no statement.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "engine/entry.h"
#include "engine/sql.h"

#define LOOK_MS		1000		/* shortest time between two looks */

static PhMarks brought;			/* entries that have come */
static PhMarks awaited;			/* entries that are waited for */
static PhMarks left;			/* of brought, after the present transaction */
static PhMarks still_awaited;	/* likewise of awaited */
static bool looked;				/* the present transaction has looked, */
static bool released;			/* and let something go */
static TimestampTz looked_at;

static void
add(PhMarks *marks, const PhMarks *more)
{
	int			i;

	for (i = PH_LANE_WORDS; i < PH_MARK_WORDS; i++)
		marks->word[i] |= more->word[i];
}

static bool
have_common(const PhMarks *a, const PhMarks *b)
{
	int			i;

	for (i = PH_LANE_WORDS; i < PH_MARK_WORDS; i++)
	{
		if ((a->word[i] & b->word[i]) != 0)
			return true;
	}
	return false;
}

void
ph_entry_start(void)
{
	memset(&brought, 0, sizeof(brought));
	memset(&awaited, 0, sizeof(awaited));
	looked = false;
	looked_at = 0;
}

void
ph_entry_mark(const PhMarks *marks)
{
	add(&brought, marks);
}

void
ph_entry_await(const PhItem *item)
{
	Datum	   *things;
	int			n;
	int			i;

	if (item->waits_for == NULL)
		return;
	deconstruct_array(item->waits_for, TEXTOID, -1, false, TYPALIGN_INT, &things, NULL, &n);
	for (i = 0; i < n; i++)
		ph_marks_add_entry(&awaited, TextDatumGetCString(things[i]));
}

void
ph_entry_distrust(void)
{
	memset(&brought, 0xff, sizeof(brought));
	memset(&awaited, 0xff, sizeof(awaited));
	looked_at = 0;
}

TimestampTz
ph_entry_next(void)
{
	return have_common(&brought, &awaited) ? TimestampTzPlusMilliseconds(looked_at, LOOK_MS) : 0;
}

/* Of the things that are waited for in these lanes, those whose marks are set. */
static Datum
find_brought(Datum lanes)
{
	static PhStatement find = {
		"SELECT DISTINCT w FROM planthub.held AS h CROSS JOIN unnest(h.waits_for) AS w"
		" WHERE h.lane = ANY ($1) AND h.waits_for IS NOT NULL AND h.state = 'parked'",
		1, {INT4ARRAYOID}
	};
	uint64		n = ph_sql_run(&find, &lanes, NULL, SPI_OK_SELECT);
	const char **things = palloc(sizeof(char *) * Max(n, 1));
	int			nbrought = 0;
	uint64		i;

	for (i = 0; i < n; i++)
	{
		bool		isnull;
		char	   *thing = TextDatumGetCString(ph_sql_datum(i, 1, &isnull));
		PhMarks		mark = {{0}};

		ph_marks_add_entry(&mark, thing);
		add(&still_awaited, &mark);
		if (have_common(&mark, &brought))
			things[nbrought++] = thing;
	}
	return ph_sql_text_array(things, nbrought);
}

/* What an operator has locked is looked at again. */
static void
release(Datum lanes, Datum things)
{
	static PhStatement release_them = {
		"WITH thing AS MATERIALIZED (SELECT array_agg(t) AS list FROM unnest($2) AS t"
		" WHERE EXISTS (SELECT FROM planthub.xref AS x WHERE x.set = split_part(t, '/', 1)"
		" AND x.code = substr(t, strpos(t, '/') + 1)) OR EXISTS (SELECT FROM planthub.xref AS x"
		" WHERE x.set = split_part(t, '/', 1) AND x.canonical = substr(t, strpos(t, '/') + 1))"
		" OR t LIKE '/%' AND EXISTS (SELECT FROM planthub.unit AS u WHERE u.code = substr(t, 2))),"
		" ready AS MATERIALIZED (SELECT h.delivery_id FROM planthub.held AS h, thing WHERE h.lane = ANY ($1)"
		" AND h.waits_for && thing.list AND h.waits_for IS NOT NULL AND h.state = 'parked'"
		" AND h.reason = 'MAPPING_FAILED' AND h.token IS NULL),"
		" unlocked AS MATERIALIZED (SELECT h.delivery_id FROM planthub.held AS h JOIN ready USING (delivery_id)"
		" FOR UPDATE OF h SKIP LOCKED),"
		" gone AS (UPDATE planthub.held AS h SET state = 'retry', reason = NULL, due_at = now(), attempts = 0, crashes = 0"
		" FROM unlocked AS u WHERE h.delivery_id = u.delivery_id AND h.state = 'parked' RETURNING 1)"
		" SELECT (SELECT count(*) FROM ready) - (SELECT count(*) FROM unlocked), (SELECT count(*) FROM gone)",
		2, {INT4ARRAYOID, TEXTARRAYOID}
	};
	Datum		values[2] = {lanes, things};

	ph_sql_run(&release_them, values, NULL, SPI_OK_SELECT);
	if (ph_sql_int64(0, 1) > 0)
		left = brought;
	released = ph_sql_int64(0, 2) > 0;
}

void
ph_entry_release(const int32 *lanes, int n)
{
	TimestampTz next = ph_entry_next();
	Datum		array;
	Datum		things;

	looked = released = false;
	if (next == 0 || next > GetCurrentTimestamp())
		return;
	memset(&still_awaited, 0, sizeof(still_awaited));
	memset(&left, 0, sizeof(left));
	looked = true;
	array = ph_sql_int4_array(lanes, n);
	things = find_brought(array);
	if (ARR_NDIM(DatumGetArrayTypeP(things)) > 0)
		release(array, things);
}

bool
ph_entry_released(void)
{
	if (!looked)
		return false;
	brought = left;
	awaited = still_awaited;
	looked_at = GetCurrentTimestamp();
	looked = false;
	return released;
}
