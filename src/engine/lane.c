/*
 * lane.c
 *	  A lane and its owner; see lane.h for the protocol and window.c for the reading.
 *
 * Crashes: a window left by one crash runs again as it is.  Left by two, it is halved with every further crash and its
 * parts run alone, one after the other, so that a message that kills its worker ends up in a window of its own; there, left
 * by three, it is parked.  Only a window that was under way is charged with a crash: a recovery is written when the lane
 * is taken and once more when its turn comes (started).
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "engine/held.h"
#include "engine/lane.h"
#include "engine/sql.h"
#include "pg/compat.h"
#include "pg/relations.h"

/* Apart from the locks that users (1, 2) and publish() take. */
#define ADVISORY_CLASS		0x5049

#define WINDOW_TOKEN		2	/* column of planthub.lane_window */

/* A window as it is written and read. */
typedef struct WindowRow
{
	int64		batch_no;
	int64		first_id;
	int64		last_id;
	int64		origin;			/* 0: a claim */
	int			deliveries;
	int			crashes;
	bool		started;
	PhCursor	cursor;			/* snapshots, floors, ceiling; position is not used */
} WindowRow;

static bool lock_lane(int lane);
static void append_window(PhLaneState *lane, const WindowRow *window, int64 oldest_open);
static void recover(PhLaneState *lane, bool idempotent);
static int	read_open_windows(int lane, int64 newest, WindowRow **windows);
static int64 oldest_open_window(const PhLaneState *lane, int64 upto);

void
ph_lane_init(PhLaneState *lane, int id, MemoryContext parent)
{
	memset(lane, 0, sizeof(*lane));
	lane->id = id;
	lane->context = AllocSetContextCreate(parent, "planthub lane", ALLOCSET_SMALL_SIZES);
	dlist_init(&lane->recoveries);
	dlist_init(&lane->batches);
}

static PhRecovery *
next_recovery(PhLaneState *lane)
{
	return dlist_is_empty(&lane->recoveries) ? NULL :
		dlist_container(PhRecovery, node, dlist_head_node(&lane->recoveries));
}

static void
free_recovery(PhRecovery *recovery)
{
	dlist_delete(&recovery->node);
	pfree(unconstify(uint64 *, recovery->s_old.xip));
	pfree(unconstify(uint64 *, recovery->s_new.xip));
	pfree(recovery);
}

/* ---- lease ---- */

/* An advisory lock, because the server takes back all others of the session when a transaction fails. */
static void
lane_locktag(LOCKTAG *tag, int lane)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, 0, (uint32) lane, ADVISORY_CLASS);
}

static bool
lock_lane(int lane)
{
	LOCKTAG		tag;

	lane_locktag(&tag, lane);
	return LockAcquire(&tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL;
}

bool
ph_lane_take(PhLaneState *lane, bool idempotent)
{
	if (!lane->leased)
	{
		if (!lock_lane(lane->id))
			return false;
		lane->leased = true;
		lane->token = (int64) (ph_random_uint64() >> 1);
	}
	while (next_recovery(lane) != NULL)
		free_recovery(next_recovery(lane));	/* of a take that was rolled back */
	SPI_connect();
	ph_lane_load_cursor(lane);
	ph_held_recover(lane->id, idempotent);
	recover(lane, idempotent);
	SPI_finish();
	return true;
}

void
ph_lane_release(PhLaneState *lane)
{
	LOCKTAG		tag;

	if (!lane->leased)
		return;
	lane_locktag(&tag, lane->id);
	LockRelease(&tag, ExclusiveLock, true);
	lane->leased = false;
}

/* The token of the lane's newest window in one leaf; false when it has none there. */
static bool
newest_token(int lane, int log_slot, int64 *token)
{
	Relation	heap = table_open(ph_log_leaf(PH_LOG_LANE_WINDOW, log_slot), AccessShareLock);
	Relation	index = index_open(ph_log_index(PH_LOG_LANE_WINDOW, log_slot, "lane"), AccessShareLock);
	TupleTableSlot *slot = table_slot_create(heap, NULL);
	IndexScanDesc scan;
	ScanKeyData key;
	bool		found;
	bool		isnull;

	PushActiveSnapshot(GetLatestSnapshot());
	scan = ph_index_beginscan(heap, index, GetActiveSnapshot(), 1);
	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(lane));
	index_rescan(scan, &key, 1, NULL, 0);
	found = index_getnext_slot(scan, BackwardScanDirection, slot);
	if (found)
		*token = DatumGetInt64(slot_getattr(slot, WINDOW_TOKEN, &isnull));
	index_endscan(scan);
	PopActiveSnapshot();
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, AccessShareLock);
	table_close(heap, AccessShareLock);
	return found;
}

/* Windows are appended to the present slot, so the newest is there, or nowhere new. */
bool
ph_lane_owns(int lane, int64 token)
{
	static PhStatement newest = {
		"SELECT token FROM planthub.lane_window WHERE lane = $1 ORDER BY batch_no DESC LIMIT 1",
		1, {INT4OID}
	};
	Datum		values[1] = {Int32GetDatum(lane)};
	int64		found;

	if (newest_token(lane, ph_current_slot(), &found))
		return found == token;
	return ph_sql_run(&newest, values, NULL, SPI_OK_SELECT) == 0 || ph_sql_int64(0, 1) == token;
}

/* ---- cursor ---- */

static void
copy_snapshot(PhSnapshot *to, const PhSnapshot *from, MemoryContext context)
{
	*to = *from;
	to->xip = MemoryContextAlloc(context, sizeof(uint64) * (Size) Max(from->nxip, 1));
	if (from->nxip > 0)
		memcpy(unconstify(uint64 *, to->xip), from->xip, sizeof(uint64) * (Size) from->nxip);
}

/* Replaces the cursor's snapshots by copies in the lane's context and frees the old ones. */
static void
set_cursor(PhLaneState *lane, const PhCursor *cursor)
{
	PhCursor	old = lane->cursor;

	lane->cursor = *cursor;
	copy_snapshot(&lane->cursor.s_old, &cursor->s_old, lane->context);
	copy_snapshot(&lane->cursor.s_new, &cursor->s_new, lane->context);
	if (old.s_old.xip != NULL)
		pfree(unconstify(uint64 *, old.s_old.xip));
	if (old.s_new.xip != NULL)
		pfree(unconstify(uint64 *, old.s_new.xip));
}

static void
read_snapshot(uint64 row, int column, PhSnapshot *snapshot)
{
	bool		isnull;

	ph_window_decode_snapshot(ph_sql_datum(row, column, &isnull), snapshot);
}

/* Needs SPI.  A lane that was never read starts before its first row. */
void
ph_lane_load_cursor(PhLaneState *lane)
{
	static PhStatement newest = {
		"SELECT batch_no FROM planthub.lane_window WHERE lane = $1 ORDER BY batch_no DESC LIMIT 1",
		1, {INT4OID}
	};
	static PhStatement read = {
		"SELECT last_id, id_floor, id_ceiling, next_floor, used_up, s_old, s_new FROM planthub.lane_window"
		" WHERE lane = $1 AND origin IS NULL ORDER BY batch_no DESC LIMIT 1",
		1, {INT4OID}
	};
	Datum		values[1] = {Int32GetDatum(lane->id)};
	PhCursor	cursor = {.s_old = {.xmin = 3,.xmax = 3},.s_new = {.xmin = 3,.xmax = 3},.used_up = true};

	lane->batch_no = ph_sql_run(&newest, values, NULL, SPI_OK_SELECT) == 0 ? 0 : ph_sql_int64(0, 1);
	if (ph_sql_run(&read, values, NULL, SPI_OK_SELECT) > 0)
	{
		cursor.position = ph_sql_int64(0, 1);
		cursor.floor = ph_sql_int64(0, 2);
		cursor.ceiling = ph_sql_int64(0, 3);
		cursor.next_floor = ph_sql_int64(0, 4);
		cursor.used_up = ph_sql_bool(0, 5);
		read_snapshot(0, 6, &cursor.s_old);
		read_snapshot(0, 7, &cursor.s_new);
	}
	set_cursor(lane, &cursor);
}

/* ---- claims ---- */

void
ph_lane_begin_claims(PhClaimSnapshot *snapshot)
{
	snapshot->floor = ph_sequence_last("delivery_id_seq");
	PushActiveSnapshot(GetTransactionSnapshot());
	ph_window_decode_snapshot(ph_window_current_snapshot(), &snapshot->stored);
	snapshot->snapshot = GetActiveSnapshot();
	snapshot->ceiling = ph_sequence_last("delivery_id_seq");
}

void
ph_lane_end_claims(void)
{
	PopActiveSnapshot();
}

/* Returns how many of the deliveries are in the batch now: fewer than n when they are large. */
static int
fill_batch(PhBatch *batch, const PhDeliveryRow *rows, int n, const PhConfig *config, Snapshot snapshot, bool careful,
		   Size budget)
{
	int			i;

	for (i = 0; i < n; i++)
	{
		PhItem	   *item = &batch->items[i];

		item->delivery_id = rows[i].id;
		item->message_id = rows[i].message_id;
		item->message_slot = rows[i].message_slot;
		item->not_before = rows[i].not_before;
		item->route = rows[i].route;
		item->tries = 1;
	}
	n = (careful ? ph_item_load_each : ph_item_load) (config, batch->items, n, snapshot, budget);
	ph_item_cut_batch(batch, n);
	ph_held_block(batch->lane, batch->items, n);
	return n;
}

/* Leaves in rows those without an attempt and without a held row; returns how many. */
static int
without_outcome(PhDeliveryRow *rows, int n)
{
	static PhStatement open_ones = {
		"SELECT d.id FROM unnest($1) WITH ORDINALITY AS d (id, n)"
		" WHERE NOT EXISTS (SELECT FROM planthub.attempt AS a WHERE a.delivery_id = d.id)"
		" AND NOT EXISTS (SELECT FROM planthub.held AS h WHERE h.delivery_id = d.id) ORDER BY d.n",
		1, {INT8ARRAYOID}
	};
	int64	   *ids = palloc(sizeof(int64) * (Size) Max(n, 1));
	Datum		values[1];
	int			nopen;
	int			at = 0;
	int			i;

	for (i = 0; i < n; i++)
		ids[i] = rows[i].id;
	values[0] = ph_sql_int8_array(ids, n);
	nopen = (int) ph_sql_run(&open_ones, values, NULL, SPI_OK_SELECT);
	for (i = 0; i < nopen; i++)
	{
		while (rows[at].id != ph_sql_int64(i, 1))
			at++;
		rows[i] = rows[at++];
	}
	return nopen;
}

static int
read_recovery(PhLaneState *lane, PhRecovery *recovery, PhDeliveryRow *rows, Snapshot snapshot)
{
	PhCursor	cursor = {
		.s_old = recovery->s_old,.s_new = recovery->s_new,
		.position = recovery->first_id - 1,.floor = recovery->first_id - 1,.ceiling = recovery->last_id
	};
	int			n = ph_window_read(lane->id, &cursor, recovery->deliveries, snapshot, rows);

	while (n > 0 && rows[n - 1].id > recovery->last_id)
		n--;
	return n;
}

static void
claim_recovery(PhLaneState *lane, PhRecovery *recovery, const PhConfig *config, const PhClaimSnapshot *snapshot,
			   MemoryContext parent, PhClaim *claim)
{
	PhDeliveryRow *rows = palloc(sizeof(PhDeliveryRow) * (Size) Max(recovery->deliveries, 1));
	int			n = without_outcome(rows, read_recovery(lane, recovery, rows, snapshot->snapshot));
	WindowRow	window = {0};

	claim->recovery = recovery;
	claim->more = true;
	if (n == 0)
		return;
	window.batch_no = lane->batch_no + 1;
	window.origin = recovery->batch_no;
	window.first_id = recovery->first_id;
	window.last_id = recovery->last_id;
	window.deliveries = recovery->deliveries;
	window.crashes = recovery->crashes;
	window.started = true;
	window.cursor.s_old = recovery->s_old;
	window.cursor.s_new = recovery->s_new;
	append_window(lane, &window, oldest_open_window(lane, recovery->batch_no));
	claim->batch = ph_item_create_batch(parent, lane->id, window.batch_no, n);
	claim->batch->crashes = recovery->crashes;
	/* What was one window fits into memory. */
	(void) fill_batch(claim->batch, rows, n, config, snapshot->snapshot, lane->careful, MaxAllocHugeSize);
}

void
ph_lane_claim(PhLaneState *lane, const PhConfig *config, const PhClaimSnapshot *snapshot, int limit,
			  MemoryContext parent, PhClaim *claim)
{
	PhCursor   *cursor = &claim->cursor;
	PhDeliveryRow *rows;
	WindowRow	window = {0};
	int			n;

	memset(claim, 0, sizeof(*claim));
	claim->lane = lane;
	*cursor = lane->cursor;
	SPI_connect();
	if (next_recovery(lane) != NULL)
	{
		claim_recovery(lane, next_recovery(lane), config, snapshot, parent, claim);
		SPI_finish();
		return;
	}
	/* What was committed since s_new, an older window does not show: only a new one that is used up is the end. */
	claim->more = !cursor->used_up;
	if (cursor->used_up)
	{
		cursor->s_old = cursor->s_new;
		cursor->floor = cursor->next_floor;
		cursor->s_new = snapshot->stored;
		cursor->position = 0;
		cursor->next_floor = snapshot->floor;
		cursor->ceiling = snapshot->ceiling;
		cursor->large = false;
	}
	rows = palloc(sizeof(PhDeliveryRow) * (Size) limit);
	n = ph_window_read(lane->id, cursor, limit, snapshot->snapshot, rows);
	cursor->used_up = n < limit;
	if (n > 0)
	{
		int			wanted = n;

		window.batch_no = lane->batch_no + 1;
		claim->batch = ph_item_create_batch(parent, lane->id, window.batch_no, n);
		n = fill_batch(claim->batch, rows, n, config, snapshot->snapshot, lane->careful, PH_WINDOW_BYTES);
		cursor->used_up = cursor->used_up && n == wanted;
		window.first_id = rows[0].id;
		window.last_id = rows[n - 1].id;
		window.deliveries = n;
		window.cursor = *cursor;
		window.started = true;
		cursor->position = window.last_id;
		append_window(lane, &window, oldest_open_window(lane, window.batch_no));
	}
	claim->more = claim->more || !cursor->used_up;
	SPI_finish();
}

void
ph_lane_adopt(const PhClaim *claim)
{
	PhLaneState *lane = claim->lane;

	if (claim->batch != NULL)
		dlist_push_tail(&lane->batches, &claim->batch->node);
	if (claim->batch != NULL)
		lane->batch_no = claim->batch->batch_no;
	if (claim->recovery != NULL)
		free_recovery(claim->recovery);
	else
		set_cursor(lane, &claim->cursor);
}

static int64
oldest_open_window(const PhLaneState *lane, int64 upto)
{
	int64		oldest = upto;
	dlist_iter	iter;

	dlist_foreach(iter, &unconstify(PhLaneState *, lane)->batches)
	{
		PhBatch    *batch = dlist_container(PhBatch, node, iter.cur);

		if (batch->batch_no > 0 && batch->batch_no < oldest)
			oldest = batch->batch_no;
	}
	dlist_foreach(iter, &unconstify(PhLaneState *, lane)->recoveries)
	{
		PhRecovery *recovery = dlist_container(PhRecovery, node, iter.cur);

		oldest = Min(oldest, recovery->batch_no);
	}
	return oldest;
}

/* The unique index on (lane, batch_no) is the fence: of two owners one fails here. */
static void
append_window(PhLaneState *lane, const WindowRow *window, int64 oldest_open)
{
	int			slot = ph_current_slot();
	PhAppend   *append = ph_append_open(PH_LOG_LANE_WINDOW, slot);
	Datum		values[19];
	bool		nulls[19] = {0};
	int			i = 0;

	values[i++] = Int64GetDatum(window->batch_no);
	values[i++] = Int64GetDatum(lane->token);
	values[i++] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[i++] = Int64GetDatum(oldest_open);
	values[i++] = Int64GetDatum(window->first_id);
	values[i++] = Int64GetDatum(window->last_id);
	values[i++] = Int64GetDatum(window->cursor.floor);
	values[i++] = Int64GetDatum(window->cursor.ceiling);
	values[i++] = Int64GetDatum(window->cursor.next_floor);
	nulls[i] = window->origin == 0;
	values[i++] = Int64GetDatum(window->origin);
	values[i++] = Int32GetDatum(lane->id);
	values[i++] = Int32GetDatum(MyProcPid);
	values[i++] = Int32GetDatum(window->deliveries);
	values[i++] = Int16GetDatum((int16) slot);
	values[i++] = Int16GetDatum((int16) Min(window->crashes, PG_INT16_MAX));
	values[i++] = BoolGetDatum(window->cursor.used_up);
	values[i++] = BoolGetDatum(window->started);
	values[i++] = ph_window_encode_snapshot(&window->cursor.s_old);
	values[i++] = ph_window_encode_snapshot(&window->cursor.s_new);
	ph_append_row(append, values, nulls);
	ph_append_close(append);
}

/* ---- recovery ---- */

/*
 * In the order of their deliveries, which is not that of their numbers: a recovery has a new number, and so has its
 * start.  Of windows between the same snapshots the one with the lower ids came first; otherwise the one whose snapshot
 * is older, because it knew fewer transactions or more of them were still running.
 */
static int
compare_windows(const void *a, const void *b)
{
	const WindowRow *left = a;
	const WindowRow *right = b;

	if (left->cursor.s_new.xmax != right->cursor.s_new.xmax)
		return left->cursor.s_new.xmax < right->cursor.s_new.xmax ? -1 : 1;
	if (left->cursor.s_new.nxip != right->cursor.s_new.nxip)
		return left->cursor.s_new.nxip > right->cursor.s_new.nxip ? -1 : 1;
	return (left->first_id > right->first_id) - (left->first_id < right->first_id);
}

/* Windows that may be open and were not replaced by a later recovery, oldest first. */
static int
read_open_windows(int lane, int64 newest, WindowRow **windows)
{
	static PhStatement read = {
		"WITH recent AS MATERIALIZED (SELECT w.* FROM planthub.lane_window AS w WHERE w.lane = $1 AND w.batch_no >="
		" (SELECT oldest_open FROM planthub.lane_window WHERE lane = $1 AND batch_no = $2))"
		" SELECT batch_no, first_id, last_id, deliveries, crashes, id_floor, id_ceiling, s_old, s_new, started"
		" FROM recent AS r"
		" WHERE NOT EXISTS (SELECT FROM recent AS later WHERE later.origin = r.batch_no) AND deliveries > 0",
		2, {INT4OID, INT8OID}
	};
	Datum		values[2] = {Int32GetDatum(lane), Int64GetDatum(newest)};
	int			n = (int) ph_sql_run(&read, values, NULL, SPI_OK_SELECT);
	int			i;

	*windows = palloc0(sizeof(WindowRow) * (Size) Max(n, 1));
	for (i = 0; i < n; i++)
	{
		WindowRow  *window = &(*windows)[i];

		window->batch_no = ph_sql_int64(i, 1);
		window->first_id = ph_sql_int64(i, 2);
		window->last_id = ph_sql_int64(i, 3);
		window->deliveries = ph_sql_int32(i, 4);
		window->crashes = ph_sql_int32(i, 5);
		window->cursor.floor = ph_sql_int64(i, 6);
		window->cursor.ceiling = ph_sql_int64(i, 7);
		read_snapshot(i, 8, &window->cursor.s_old);
		read_snapshot(i, 9, &window->cursor.s_new);
		window->started = ph_sql_bool(i, 10);
	}
	qsort(*windows, (size_t) n, sizeof(WindowRow), compare_windows);
	return n;
}

/* Puts a window that is on disk into the list of what is to be run. */
static void
remember_recovery(PhLaneState *lane, const WindowRow *window)
{
	MemoryContext old = MemoryContextSwitchTo(lane->context);
	PhRecovery *recovery = palloc0(sizeof(PhRecovery));

	MemoryContextSwitchTo(old);
	recovery->batch_no = window->batch_no;
	recovery->first_id = window->first_id;
	recovery->last_id = window->last_id;
	recovery->deliveries = window->deliveries;
	recovery->crashes = window->crashes;
	copy_snapshot(&recovery->s_old, &window->cursor.s_old, lane->context);
	copy_snapshot(&recovery->s_new, &window->cursor.s_new, lane->context);
	dlist_push_tail(&lane->recoveries, &recovery->node);
}

/* Writes the part rows[from..to) of a window as a recovery of its own. */
static void
add_recovery(PhLaneState *lane, const WindowRow *origin, int crashes, const PhDeliveryRow *rows, int from, int to)
{
	WindowRow	window = *origin;

	window.origin = origin->batch_no;
	window.batch_no = ++lane->batch_no;
	window.first_id = rows[from].id;
	window.last_id = rows[to - 1].id;
	window.deliveries = to - from;
	window.crashes = crashes;
	window.started = false;
	remember_recovery(lane, &window);
	append_window(lane, &window, oldest_open_window(lane, window.batch_no));
}

static int
position_of(int64 id, const PhDeliveryRow *rows)
{
	int			at = 0;

	while (rows[at].id != id)
		at++;
	return at;
}

/* A recovery is a range of ids: from its first delivery without an outcome to its last one. */
static void
recover_window(PhLaneState *lane, const WindowRow *window, bool idempotent)
{
	PhRecovery	range = {
		.first_id = window->first_id,.last_id = window->last_id,.deliveries = window->deliveries,
		.s_old = window->cursor.s_old,.s_new = window->cursor.s_new
	};
	PhDeliveryRow *all = palloc(sizeof(PhDeliveryRow) * (Size) window->deliveries);
	PhDeliveryRow *open_ones = palloc(sizeof(PhDeliveryRow) * (Size) window->deliveries);
	int64	   *ids = palloc(sizeof(int64) * (Size) window->deliveries);
	int			crashes = window->crashes + 1;
	int			n = read_recovery(lane, &range, all, GetActiveSnapshot());
	int			nopen;
	int			i;

	memcpy(open_ones, all, sizeof(PhDeliveryRow) * (Size) n);
	nopen = without_outcome(open_ones, n);
	if (nopen == 0)
		return;
	for (i = 0; i < nopen; i++)
		ids[i] = open_ones[i].id;
	if (window->started && window->deliveries == 1 && crashes >= PH_CRASHES_TO_PARK)
		ph_held_insert_leftover(lane->id, ids, 1, crashes, "parked", "WORKER_CRASHED",
								psprintf("the worker crashed %d times while it had this delivery", crashes));
	else if (window->started && !idempotent)
		ph_held_insert_leftover(lane->id, ids, nopen, crashes, "in_doubt", "WORKER_CRASHED",
								"the worker crashed before it recorded an outcome; the request may have been sent");
	else
	{
		int			first = position_of(open_ones[0].id, all);
		int			last = position_of(open_ones[nopen - 1].id, all);
		int			middle = position_of(open_ones[nopen / 2].id, all);

		/* What waited for its turn is written again too: every row says where the oldest open window is. */
		if (!window->started)
			add_recovery(lane, window, window->crashes, all, first, last + 1);
		else if (nopen > 1 && crashes >= PH_CRASHES_TO_SUSPECT)
		{
			add_recovery(lane, window, crashes, all, first, middle);
			add_recovery(lane, window, crashes, all, middle, last + 1);
		}
		else
			add_recovery(lane, window, crashes, all, first, last + 1);
	}
}

static void
recover(PhLaneState *lane, bool idempotent)
{
	WindowRow  *windows;
	int			n;
	int			i;

	if (lane->batch_no == 0)
		return;
	n = read_open_windows(lane->id, lane->batch_no, &windows);
	for (i = 0; i < n; i++)
		recover_window(lane, &windows[i], idempotent);
}
