/*
 * held.c
 *	  The table held: deliveries that cannot go now.
 *
 * A row whose token is set is being sent by the owner of its lane; operators' verbs leave it alone.  Of the rows of one
 * key that wait for each other only the oldest is in state retry, the others are blocked; planthub.held_promote() keeps
 * it so when one leaves.  A worker never waits for a row that an operator's transaction has locked.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "engine/held.h"
#include "engine/sql.h"
#include "pg/compat.h"

#define LOCKED_MS			500		/* until the next look at what is due and locked by an operator */

/* ---- blocking ---- */

static uint32
key_hash(const void *key, Size size)
{
	const char *text = *(const char *const *) key;

	return string_hash(text, strlen(text) + 1);
}

static int
key_match(const void *a, const void *b, Size size)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* A set of keys; the texts must outlive it. */
static HTAB *
create_key_set(int size)
{
	HASHCTL		ctl = {.keysize = sizeof(char *),.entrysize = sizeof(char *),.hcxt = CurrentMemoryContext};

	ctl.hash = key_hash;
	ctl.match = key_match;
	return hash_create("planthub keys", size, &ctl, HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
}

/* The keys of the items that have something in held. */
static void
add_held_keys(HTAB *keys, int lane, PhItem *items, int n)
{
	static PhStatement held_keys = {
		"SELECT k FROM unnest($2) AS k WHERE EXISTS (SELECT FROM planthub.held AS h WHERE h.lane = $1 AND h.key = k)",
		2, {INT4OID, TEXTARRAYOID}
	};
	const char **texts = palloc(sizeof(char *) * (Size) Max(n, 1));
	Datum		values[2];
	uint64		nfound;
	uint64		row;
	int			ntexts = 0;
	int			i;

	for (i = 0; i < n; i++)
	{
		if (items[i].key != NULL)
			texts[ntexts++] = items[i].key;
	}
	if (ntexts == 0)
		return;
	values[0] = Int32GetDatum(lane);
	values[1] = ph_sql_text_array(texts, ntexts);
	nfound = ph_sql_run(&held_keys, values, NULL, SPI_OK_SELECT);
	for (row = 0; row < nfound; row++)
	{
		bool		isnull;
		char	   *key = TextDatumGetCString(ph_sql_datum(row, 1, &isnull));

		hash_search(keys, &key, HASH_ENTER, NULL);
	}
}

void
ph_held_block(int lane, PhItem *items, int n)
{
	HTAB	   *keys = create_key_set(256);
	int			i;

	add_held_keys(keys, lane, items, n);
	for (i = 0; i < n; i++)
	{
		PhItem	   *item = &items[i];

		if (item->key == NULL || item->fate == PH_FATE_EXPIRED)
			continue;
		if (item->fate == PH_FATE_SEND && item->blocks && hash_search(keys, &item->key, HASH_FIND, NULL) != NULL)
		{
			item->fate = PH_FATE_BLOCKED;
			item->reason = "KEY_BLOCKED";
		}
		if (item->fate != PH_FATE_SEND)
			hash_search(keys, &item->key, HASH_ENTER, NULL);
	}
	hash_destroy(keys);
}

/* ---- writing ---- */

/* The columns of rows as arrays, in the order of the statements below. */
static void
row_arrays(PhHeldRow *rows, int n, Datum *values)
{
	int64	   *ids = palloc(sizeof(int64) * (Size) n);
	int64	   *due = palloc(sizeof(int64) * (Size) n);
	int32	   *attempts = palloc(sizeof(int32) * (Size) n);
	int32	   *tries = palloc(sizeof(int32) * (Size) n);
	int32	   *status = palloc(sizeof(int32) * (Size) n);
	const char **states = palloc(sizeof(char *) * (Size) n);
	const char **reasons = palloc(sizeof(char *) * (Size) n);
	const char **errors = palloc(sizeof(char *) * (Size) n);
	const char **entries = palloc0(sizeof(char *) * (Size) n);
	int			i;

	for (i = 0; i < n; i++)
	{
		PhItem	   *item = rows[i].item;

		ids[i] = item->delivery_id;
		due[i] = rows[i].due_at;
		attempts[i] = item->attempts;
		tries[i] = item->recorded_attempt ? item->tries : item->tries - 1;
		status[i] = item->status;
		states[i] = rows[i].state;
		reasons[i] = rows[i].reason;
		errors[i] = item->error;
		if (item->waits_for != NULL)
			entries[i] = OidOutputFunctionCall(F_ARRAY_OUT, PointerGetDatum(item->waits_for));
	}
	values[0] = ph_sql_int8_array(ids, n);
	values[1] = ph_sql_text_array(states, n);
	values[2] = ph_sql_text_array(reasons, n);
	values[3] = ph_sql_text_array(errors, n);
	values[4] = ph_sql_int8_array(due, n);
	values[5] = ph_sql_int4_array(attempts, n);
	values[6] = ph_sql_int4_array(tries, n);
	values[7] = ph_sql_int4_array(status, n);
	values[8] = ph_sql_text_array(entries, n);
}

/* Microseconds since 2000, the server's own count, as a time; 0 is null. */
#define DUE_AT "CASE WHEN r.due <> 0 THEN timestamptz '2000-01-01 00:00:00+00' + r.due * interval '1 microsecond' END"

void
ph_held_insert(PhHeldRow *rows, int n)
{
	static PhStatement insert = {
		"INSERT INTO planthub.held (delivery_id, state, reason, last_error, due_at, attempts, tries, last_status, waits_for,"
		" message_id, message_slot, lane, route, blocks, expires_at, site, key)"
		" SELECT r.id, r.state, r.reason, r.error, " DUE_AT ", r.attempts, r.tries, nullif(r.status, 0), r.entries::text[],"
		" r.message_id, r.message_slot, r.lane, r.route, r.blocks <> 0,"
		" CASE WHEN r.expires <> 0 THEN timestamptz '2000-01-01 00:00:00+00' + r.expires * interval '1 microsecond' END,"
		" r.site, r.key"
		" FROM ROWS FROM (unnest($1), unnest($2), unnest($3), unnest($4), unnest($5), unnest($6), unnest($7),"
		" unnest($8), unnest($9), unnest($10), unnest($11), unnest($12), unnest($13), unnest($14), unnest($15),"
		" unnest($16), unnest($17)) AS r (id, state, reason, error, due, attempts, tries, status, entries, message_id, message_slot, lane,"
		" route, blocks, expires, site, key)"
		" ON CONFLICT (delivery_id) DO NOTHING",
		17, {INT8ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID, INT4ARRAYOID, INT4ARRAYOID,
			INT4ARRAYOID, TEXTARRAYOID, INT8ARRAYOID, INT4ARRAYOID, INT4ARRAYOID, INT4ARRAYOID, INT4ARRAYOID, INT8ARRAYOID,
		TEXTARRAYOID, TEXTARRAYOID}
	};
	int64	   *message_ids = palloc(sizeof(int64) * (Size) Max(n, 1));
	int64	   *expires = palloc(sizeof(int64) * (Size) Max(n, 1));
	int32	   *numbers[4];
	const char **sites = palloc(sizeof(char *) * (Size) Max(n, 1));
	const char **keys = palloc(sizeof(char *) * (Size) Max(n, 1));
	Datum		values[17];
	int			i;

	if (n == 0)
		return;
	for (i = 0; i < 4; i++)
		numbers[i] = palloc(sizeof(int32) * (Size) n);
	for (i = 0; i < n; i++)
	{
		PhItem	   *item = rows[i].item;

		message_ids[i] = item->message_id;
		expires[i] = item->expires_at;
		numbers[0][i] = item->message_slot;
		numbers[1][i] = item->lane;
		numbers[2][i] = item->route;
		numbers[3][i] = item->blocks;
		sites[i] = item->site;
		keys[i] = item->key;
	}
	row_arrays(rows, n, values);
	values[9] = ph_sql_int8_array(message_ids, n);
	for (i = 0; i < 4; i++)
		values[10 + i] = ph_sql_int4_array(numbers[i], n);
	values[14] = ph_sql_int8_array(expires, n);
	values[15] = ph_sql_text_array(sites, n);
	values[16] = ph_sql_text_array(keys, n);
	ph_sql_run(&insert, values, NULL, SPI_OK_INSERT);
}

static int
promote(const int32 *lanes, const char **keys, int n)
{
	static PhStatement promote_heads = {
		"SELECT planthub.held_promote($1, $2)", 2, {INT4ARRAYOID, TEXTARRAYOID}
	};
	Datum		values[2];

	if (n == 0)
		return 0;
	values[0] = ph_sql_int4_array(lanes, n);
	values[1] = ph_sql_text_array(keys, n);
	ph_sql_run(&promote_heads, values, NULL, SPI_OK_SELECT);
	return (int) ph_sql_int64(0, 1);
}

/* Each lane has a lease, and so a token, of its own; a row that does not carry it any more is another worker's. */
static void
require_own_rows(uint64 found, int n)
{
	if (found != (uint64) n)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("held deliveries have been taken over by another worker"),
				 errdetail("Of %d rows only " UINT64_FORMAT " carry the token of this one.", n, found)));
}

void
ph_held_update(PhHeldRow *rows, int n)
{
	static PhStatement update = {
		"UPDATE planthub.held AS h SET token = NULL, crashes = 0, state = r.state, reason = r.reason,"
		" last_error = r.error, due_at = " DUE_AT ", attempts = r.attempts, tries = r.tries,"
		" last_status = nullif(r.status, 0), waits_for = r.entries::text[]"
		" FROM ROWS FROM (unnest($1), unnest($2), unnest($3), unnest($4), unnest($5), unnest($6), unnest($7),"
		" unnest($8), unnest($9), unnest($10)) AS r (id, state, reason, error, due, attempts, tries, status, entries, token)"
		" WHERE h.delivery_id = r.id AND h.token = r.token",
		10, {INT8ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, INT8ARRAYOID, INT4ARRAYOID, INT4ARRAYOID,
			INT4ARRAYOID, TEXTARRAYOID, INT8ARRAYOID}
	};
	int64	   *tokens = palloc(sizeof(int64) * (Size) Max(n, 1));
	Datum		values[10];
	int			i;

	if (n == 0)
		return;
	row_arrays(rows, n, values);
	for (i = 0; i < n; i++)
		tokens[i] = rows[i].token;
	values[9] = ph_sql_int8_array(tokens, n);
	require_own_rows(ph_sql_run(&update, values, NULL, SPI_OK_UPDATE), n);
}

int
ph_held_finish(PhItem **items, const int64 *tokens, int n)
{
	static PhStatement delete = {
		"DELETE FROM planthub.held AS h USING ROWS FROM (unnest($1), unnest($2)) AS r (id, token)"
		" WHERE h.delivery_id = r.id AND h.token = r.token",
		2, {INT8ARRAYOID, INT8ARRAYOID}
	};
	int64	   *ids = palloc(sizeof(int64) * (Size) Max(n, 1));
	int32	   *lanes = palloc(sizeof(int32) * (Size) Max(n, 1));
	const char **keys = palloc(sizeof(char *) * (Size) Max(n, 1));
	Datum		values[2];
	int			nkeys = 0;
	int			i;

	if (n == 0)
		return 0;
	for (i = 0; i < n; i++)
	{
		ids[i] = items[i]->delivery_id;
		if (items[i]->key == NULL)
			continue;
		lanes[nkeys] = items[i]->lane;
		keys[nkeys++] = items[i]->key;
	}
	values[0] = ph_sql_int8_array(ids, n);
	values[1] = ph_sql_int8_array(tokens, n);
	require_own_rows(ph_sql_run(&delete, values, NULL, SPI_OK_DELETE), n);
	return promote(lanes, keys, nkeys);
}

int
ph_held_sweep(const int32 *lanes, int n)
{
	const char **all_keys = palloc0(sizeof(char *) * (Size) Max(n, 1));

	return promote(lanes, all_keys, n);
}

/* ---- taking ---- */

static void
read_next_due(int lane, PhHeldDue *due)
{
	static PhStatement next_due = {
		"SELECT (SELECT min(due_at) FROM planthub.held WHERE lane = $1 AND state IN ('retry', 'scheduled')"
		" AND token IS NULL AND crashes < $2), (SELECT min(due_at) FROM planthub.held WHERE lane = $1"
		" AND state IN ('retry', 'scheduled') AND token IS NULL AND crashes >= $2)",
		2, {INT4OID, INT4OID}
	};
	Datum		values[2] = {Int32GetDatum(lane), Int32GetDatum(PH_CRASHES_TO_SUSPECT)};

	ph_sql_run(&next_due, values, NULL, SPI_OK_SELECT);
	due->at = ph_sql_int64(0, 1);
	due->suspect_at = ph_sql_int64(0, 2);
}

/*
 * Marks what is due.  A delivery whose time has come but that has an earlier one of its key in held goes behind it, and
 * is not taken even if its time comes between the two statements; one that an operator has locked stays out.
 */
static int
mark_due(int lane, int64 token, int limit, bool suspect)
{
	static PhStatement queue_up = {
		"UPDATE planthub.held AS x SET state = 'blocked', reason = 'KEY_BLOCKED', due_at = NULL"
		" FROM (SELECT h.delivery_id FROM planthub.held AS h WHERE h.lane = $1 AND h.state IN ('retry', 'scheduled')"
		" AND h.due_at <= clock_timestamp() AND h.token IS NULL AND h.blocks AND EXISTS (SELECT"
		" FROM planthub.held AS earlier WHERE earlier.lane = h.lane AND earlier.key = h.key"
		" AND earlier.delivery_id < h.delivery_id) FOR UPDATE SKIP LOCKED) AS waits"
		" WHERE x.delivery_id = waits.delivery_id",
		1, {INT4OID}
	};
	static PhStatement mark = {
		"WITH due AS (SELECT h.delivery_id FROM planthub.held AS h WHERE h.lane = $1"
		" AND h.state IN ('retry', 'scheduled') AND h.due_at <= clock_timestamp() AND h.token IS NULL"
		" AND (h.crashes >= $5) = $4 AND NOT (h.blocks AND EXISTS (SELECT FROM planthub.held AS earlier"
		" WHERE earlier.lane = h.lane AND earlier.key = h.key AND earlier.delivery_id < h.delivery_id))"
		" ORDER BY h.due_at, h.delivery_id LIMIT $3 FOR UPDATE SKIP LOCKED),"
		" marked AS (UPDATE planthub.held AS h SET token = $2 FROM due"
		" WHERE h.delivery_id = due.delivery_id RETURNING h.*)"
		" SELECT delivery_id, message_id, message_slot, route, attempts, tries, expires_at FROM marked"
		" ORDER BY delivery_id",
		5, {INT4OID, INT8OID, INT4OID, BOOLOID, INT4OID}
	};
	Datum		values[5] = {Int32GetDatum(lane), Int64GetDatum(token), Int32GetDatum(suspect ? 1 : limit),
		BoolGetDatum(suspect), Int32GetDatum(PH_CRASHES_TO_SUSPECT)};

	ph_sql_run(&queue_up, values, NULL, SPI_OK_UPDATE);
	return (int) ph_sql_run(&mark, values, NULL, SPI_OK_SELECT);
}

/* Those beyond the first n are due still. */
static void
give_back(const PhBatch *batch, int n, int64 token)
{
	static PhStatement unmark = {
		"UPDATE planthub.held SET token = NULL WHERE delivery_id = ANY ($1) AND token = $2", 2, {INT8ARRAYOID, INT8OID}
	};
	int64	   *ids = palloc(sizeof(int64) * (Size) batch->nitems);
	Datum		values[2];
	int			i;

	if (n == batch->nitems)
		return;
	for (i = n; i < batch->nitems; i++)
		ids[i - n] = batch->items[i].delivery_id;
	values[0] = ph_sql_int8_array(ids, batch->nitems - n);
	values[1] = Int64GetDatum(token);
	ph_sql_run(&unmark, values, NULL, SPI_OK_UPDATE);
}

PhBatch *
ph_held_take_due(const PhConfig *config, int lane, int64 token, int limit, bool suspect, Snapshot snapshot,
				 MemoryContext parent, PhHeldDue *due)
{
	TimestampTz soon = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LOCKED_MS);
	PhBatch    *batch = NULL;
	int			n;
	int			i;

	SPI_connect();
	n = mark_due(lane, token, limit, suspect);
	if (n > 0)
	{
		batch = ph_item_create_batch(parent, lane, 0, n);
		batch->crashes = suspect ? PH_CRASHES_TO_SUSPECT : 0;
		for (i = 0; i < n; i++)
		{
			PhItem	   *item = &batch->items[i];

			item->held = true;
			item->alone = true;
			item->delivery_id = ph_sql_int64(i, 1);
			item->message_id = ph_sql_int64(i, 2);
			item->message_slot = ph_sql_int32(i, 3);
			item->route = ph_sql_int32(i, 4);
			item->attempts = ph_sql_int32(i, 5);
			item->tries = ph_sql_int32(i, 6) + 1;
			item->expires_at = ph_sql_int64(i, 7);
		}
		n = ph_item_load(config, batch->items, n, snapshot, PH_WINDOW_BYTES);
		give_back(batch, n, token);
		ph_item_cut_batch(batch, n);
	}
	read_next_due(lane, due);
	SPI_finish();
	if (batch == NULL && due->at != 0 && !suspect)
		due->at = Max(due->at, soon);
	if (batch == NULL && due->suspect_at != 0 && suspect)
		due->suspect_at = Max(due->suspect_at, soon);
	return batch;
}

/* ---- after a crash ---- */

void
ph_held_recover(int lane, bool idempotent)
{
	static PhStatement recover = {
		"UPDATE planthub.held SET token = NULL, crashes = crashes + 1, tries = tries + 1,"
		" state = CASE WHEN crashes + 1 >= $2 THEN 'parked' WHEN NOT $3 THEN 'in_doubt' ELSE state END,"
		" reason = CASE WHEN crashes + 1 >= $2 OR NOT $3 THEN 'WORKER_CRASHED' ELSE reason END"
		" WHERE lane = $1 AND token IS NOT NULL",
		3, {INT4OID, INT4OID, BOOLOID}
	};
	Datum		values[3] = {Int32GetDatum(lane), Int32GetDatum(PH_CRASHES_TO_PARK), BoolGetDatum(idempotent)};

	ph_sql_run(&recover, values, NULL, SPI_OK_UPDATE);
}

void
ph_held_insert_leftover(int lane, const int64 *delivery_ids, int n, int crashes, const char *state, const char *reason,
						const char *error)
{
	static PhStatement insert = {
		"INSERT INTO planthub.held (delivery_id, message_id, message_slot, lane, route, crashes, state, reason,"
		" last_error, tries, attempts, site, key, blocks, expires_at)"
		" SELECT d.id, d.message_id, d.message_slot, d.lane, d.route, $2, $3, $4, $5, 1, 1, d.site, m.key,"
		" coalesce(r.key_policy = 'block', true), m.recorded_at + r.expires_after"
		" FROM unnest($1) AS o (id) JOIN planthub.delivery AS d ON d.id = o.id"
		" JOIN planthub.message AS m ON m.id = d.message_id AND m.slot = d.message_slot"
		" LEFT JOIN planthub.route AS r ON r.id = d.route ON CONFLICT (delivery_id) DO NOTHING",
		5, {INT8ARRAYOID, INT2OID, TEXTOID, TEXTOID, TEXTOID}
	};
	Datum		values[5];

	values[0] = ph_sql_int8_array(delivery_ids, n);
	values[1] = Int16GetDatum((int16) Min(crashes, PG_INT16_MAX));
	values[2] = CStringGetTextDatum(state);
	values[3] = CStringGetTextDatum(reason);
	values[4] = CStringGetTextDatum(error);
	ph_sql_run(&insert, values, NULL, SPI_OK_INSERT);
}
