/*
 * window.c
 *	  Reading one window of a lane.
 *
 * A window is what its new snapshot sees and its old one does not.  The index (lane, xid, id) gives exactly those rows,
 * transaction by transaction; handed out they are in the order of their ids, because a key that is serialised by a row
 * lock gets ids, not transaction ids, in lock order.  So the first rows by id are collected in a bounded heap.  A
 * transaction of a million rows costs no more than the rows taken: inside one transaction the ids rise, so the scan
 * leaves it as soon as it cannot improve the heap.
 *
 * A window of very many small transactions (a target was away for hours) would be walked again for every claim.  When
 * a walk has cost more than READ_BUDGET index entries, the window is read along the index on id instead, from the
 * cursor's position or floor: every delivery between is passed once, whoever it belongs to.  Late transactions, whose
 * ids may lie below the floor, are few and are always read one by one.
 *
 * Rolled-back rows stay in the index until vacuum; fetching the row skips them.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "engine/window.h"
#include "pg/compat.h"
#include "pg/relations.h"

#define READ_BUDGET		20000	/* index entries */
#define USELESS_RUN		8		/* entries stepped over before it pays to descend the index again */

/* Columns of planthub.delivery. */
enum
{
	DELIVERY_ID = 1,
	DELIVERY_XID,
	DELIVERY_MESSAGE_ID,
	DELIVERY_REPLAY_OF,
	DELIVERY_NOT_BEFORE,
	DELIVERY_LANE,
	DELIVERY_ROUTE,
	DELIVERY_SLOT,
	DELIVERY_MESSAGE_SLOT
};

/* The server's own layout of pg_snapshot (xid8funcs.c keeps it to itself; it is an on-disk format and stays). */
typedef struct StoredSnapshot
{
	int32		varlena_header;
	uint32		nxip;
	uint64		xmin;
	uint64		xmax;
	uint64		xip[FLEXIBLE_ARRAY_MEMBER];
} StoredSnapshot;

typedef struct Reader
{
	int			lane;
	const PhCursor *cursor;
	Snapshot	snapshot;
	PhDeliveryRow *rows;		/* a heap, largest id first */
	int			limit;
	int			n;
	int64		visited;
	bool		counting;		/* count index entries up to limit, fetch no rows */
	int64		oldest;			/* smallest id counted */
	PhXidRange *ranges;
	int			nranges;
	uint64	   *late;
	int			nlate;
	/* the leaf being read */
	Relation	heap;
	TupleTableSlot *slot;
	IndexScanDesc range_scan;
	IndexScanDesc xid_scan;
} Reader;

static bool read_leaf(Reader *reader, int leaf, bool by_id);
static bool read_range(Reader *reader, uint64 from, uint64 to);
static void read_xid(Reader *reader, uint64 xid);
static void read_ids(Reader *reader, int leaf);
static void take_row(Reader *reader);

/* ---- stored snapshots ---- */

Datum
ph_window_current_snapshot(void)
{
	return OidFunctionCall0(F_PG_CURRENT_SNAPSHOT);
}

/* The arrays point into a copy in the current memory context. */
void
ph_window_decode_snapshot(Datum datum, PhSnapshot *snapshot)
{
	StoredSnapshot *stored = (StoredSnapshot *) PG_DETOAST_DATUM_COPY(datum);

	snapshot->xmin = stored->xmin;
	snapshot->xmax = stored->xmax;
	snapshot->nxip = (int) stored->nxip;
	snapshot->xip = stored->xip;
}

Datum
ph_window_encode_snapshot(const PhSnapshot *snapshot)
{
	Size		size = offsetof(StoredSnapshot, xip) + sizeof(uint64) * (Size) snapshot->nxip;
	StoredSnapshot *stored = palloc(size);

	SET_VARSIZE(stored, size);
	stored->nxip = (uint32) snapshot->nxip;
	stored->xmin = snapshot->xmin;
	stored->xmax = snapshot->xmax;
	if (snapshot->nxip > 0)
		memcpy(stored->xip, snapshot->xip, sizeof(uint64) * (Size) snapshot->nxip);
	return PointerGetDatum(stored);
}

/* ---- the bounded heap ---- */

static bool
is_useful(const Reader *reader, int64 id)
{
	return id > reader->cursor->position &&
		(reader->counting || reader->n < reader->limit || id < reader->rows[0].id);
}

static void
sift_down(PhDeliveryRow *rows, int n, int at)
{
	PhDeliveryRow moving = rows[at];

	for (;;)
	{
		int			child = 2 * at + 1;

		if (child >= n)
			break;
		if (child + 1 < n && rows[child + 1].id > rows[child].id)
			child++;
		if (rows[child].id <= moving.id)
			break;
		rows[at] = rows[child];
		at = child;
	}
	rows[at] = moving;
}

static void
heap_add(Reader *reader, const PhDeliveryRow *row)
{
	int			at;

	if (reader->n == reader->limit)
	{
		reader->rows[0] = *row;
		sift_down(reader->rows, reader->n, 0);
		return;
	}
	at = reader->n++;
	while (at > 0 && reader->rows[(at - 1) / 2].id < row->id)
	{
		reader->rows[at] = reader->rows[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	reader->rows[at] = *row;
}

static int
compare_rows(const void *a, const void *b)
{
	int64		left = ((const PhDeliveryRow *) a)->id;
	int64		right = ((const PhDeliveryRow *) b)->id;

	return (left > right) - (left < right);
}

/* ---- reading ---- */

static void
enclose(Reader *reader, const PhSnapshot *s_old, const PhSnapshot *s_new)
{
	reader->ranges = palloc(sizeof(PhXidRange) * (Size) ph_snapshot_max_ranges(s_new));
	reader->nranges = ph_snapshot_ranges(s_old, s_new, reader->ranges);
	reader->late = palloc(sizeof(uint64) * (Size) Max(s_old->nxip, 1));
	reader->nlate = ph_snapshot_late(s_old, s_new, reader->late);
}

int
ph_window_read(int lane, PhCursor *cursor, int limit, Snapshot snapshot, PhDeliveryRow *rows)
{
	Reader		reader = {.lane = lane,.cursor = cursor,.snapshot = snapshot,.rows = rows,.limit = limit};
	int			leaf;

	enclose(&reader, &cursor->s_old, &cursor->s_new);
	if (reader.nranges == 0 && reader.nlate == 0)
		return 0;
	for (leaf = 0; leaf < PH_SLOTS; leaf++)
	{
		if (!read_leaf(&reader, leaf, cursor->large))
		{
			cursor->large = true;
			reader.n = 0;
			leaf = -1;
		}
	}
	qsort(rows, reader.n, sizeof(PhDeliveryRow), compare_rows);
	return reader.n;
}

/* Opens the leaf unless it is empty; NULL then. */
static Relation
open_leaf(int leaf)
{
	Relation	heap = table_open(ph_log_leaf(PH_LOG_DELIVERY, leaf), AccessShareLock);

	if (RelationGetNumberOfBlocks(heap) > 0)
		return heap;
	table_close(heap, AccessShareLock);
	return NULL;
}

/* Returns false when the budget is used up and the window must be read by id instead. */
static bool
read_leaf(Reader *reader, int leaf, bool by_id)
{
	Relation	index;
	bool		done = true;
	int			i;

	reader->heap = open_leaf(leaf);
	if (reader->heap == NULL)
		return true;
	index = index_open(ph_log_index(PH_LOG_DELIVERY, leaf, "lane"), AccessShareLock);
	reader->slot = table_slot_create(reader->heap, NULL);
	reader->range_scan = ph_index_beginscan(reader->heap, index, reader->snapshot, 3);
	reader->xid_scan = ph_index_beginscan(reader->heap, index, reader->snapshot, 3);
	reader->range_scan->xs_want_itup = true;
	reader->xid_scan->xs_want_itup = true;

	for (i = 0; i < reader->nlate; i++)
		read_xid(reader, reader->late[i]);
	if (by_id)
		read_ids(reader, leaf);
	else
	{
		for (i = 0; i < reader->nranges && done; i++)
			done = read_range(reader, reader->ranges[i].from, reader->ranges[i].to);
	}

	index_endscan(reader->xid_scan);
	index_endscan(reader->range_scan);
	ExecDropSingleTupleTableSlot(reader->slot);
	index_close(index, AccessShareLock);
	table_close(reader->heap, AccessShareLock);
	return done;
}

static void
start_scan(IndexScanDesc scan, int lane, StrategyNumber xid_strategy, RegProcedure xid_function, uint64 xid,
		   AttrNumber third, StrategyNumber strategy, RegProcedure function, uint64 value)
{
	ScanKeyData keys[3];

	ScanKeyInit(&keys[0], 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(lane));
	ScanKeyInit(&keys[1], 2, xid_strategy, xid_function, UInt64GetDatum(xid));
	ScanKeyInit(&keys[2], third, strategy, function, UInt64GetDatum(value));
	index_rescan(scan, keys, 3, NULL, 0);
}

static uint64
index_column(IndexScanDesc scan, AttrNumber column)
{
	bool		isnull;

	return DatumGetUInt64(index_getattr(scan->xs_itup, column, scan->xs_itupdesc, &isnull));
}

static int64
slot_int64(TupleTableSlot *slot, AttrNumber column)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, column, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

static int
slot_int32(TupleTableSlot *slot, AttrNumber column)
{
	bool		isnull;

	return DatumGetInt32(slot_getattr(slot, column, &isnull));
}

/* The entry at which an index scan stands. */
static void
take_entry(Reader *reader, IndexScanDesc scan, int64 id)
{
	if (reader->counting)
	{
		reader->n++;
		reader->oldest = reader->oldest == 0 ? id : Min(reader->oldest, id);
	}
	else if (index_fetch_heap(scan, reader->slot))
		take_row(reader);
}

static bool
is_exhausted(const Reader *reader)
{
	if (reader->counting)
		return reader->n >= reader->limit;
	return reader->visited > READ_BUDGET + 2 * (int64) reader->limit;
}

/* The row is in reader->slot. */
static void
take_row(Reader *reader)
{
	TupleTableSlot *slot = reader->slot;
	PhDeliveryRow row;
	bool		isnull;

	row.id = slot_int64(slot, DELIVERY_ID);
	row.xid = (uint64) slot_int64(slot, DELIVERY_XID);
	row.message_id = slot_int64(slot, DELIVERY_MESSAGE_ID);
	row.replay_of = slot_int64(slot, DELIVERY_REPLAY_OF);
	row.not_before = slot_int64(slot, DELIVERY_NOT_BEFORE);
	row.route = slot_int32(slot, DELIVERY_ROUTE);
	row.message_slot = DatumGetInt16(slot_getattr(slot, DELIVERY_MESSAGE_SLOT, &isnull));
	heap_add(reader, &row);
}

/* Every transaction of the range; false when the budget is used up. */
static bool
read_range(Reader *reader, uint64 from, uint64 to)
{
	IndexScanDesc scan = reader->range_scan;
	uint64		xid = 0;
	int			useless = 0;

	start_scan(scan, reader->lane, BTGreaterEqualStrategyNumber, F_XID8GE, from,
			   2, BTLessStrategyNumber, F_XID8LT, to);
	while (index_getnext_tid(scan, ForwardScanDirection) != NULL)
	{
		uint64		this_xid = index_column(scan, 2);
		int64		id = (int64) index_column(scan, 3);

		CHECK_FOR_INTERRUPTS();
		reader->visited++;
		if (is_exhausted(reader))
			return false;
		if (this_xid != xid)
			useless = 0;
		xid = this_xid;
		if (is_useful(reader, id))
			take_entry(reader, scan, id);
		else if (++useless >= USELESS_RUN)
		{
			if (id <= reader->cursor->position)
				read_xid(reader, xid);
			start_scan(scan, reader->lane, BTGreaterStrategyNumber, F_XID8GT, xid,
					   2, BTLessStrategyNumber, F_XID8LT, to);
			useless = 0;
		}
	}
	return true;
}

/* The rows of one transaction above the position, as long as they are among the first. */
static void
read_xid(Reader *reader, uint64 xid)
{
	IndexScanDesc scan = reader->xid_scan;

	start_scan(scan, reader->lane, BTEqualStrategyNumber, F_XID8EQ, xid,
			   3, BTGreaterStrategyNumber, F_INT8GT, (uint64) reader->cursor->position);
	while (index_getnext_tid(scan, ForwardScanDirection) != NULL)
	{
		CHECK_FOR_INTERRUPTS();
		reader->visited++;
		if (!is_useful(reader, (int64) index_column(scan, 3)) || (reader->counting && is_exhausted(reader)))
			break;
		take_entry(reader, scan, (int64) index_column(scan, 3));
	}
}

/* The rows of the ranges (not the late ones) along the index on id. */
static void
read_ids(Reader *reader, int leaf)
{
	const PhCursor *cursor = reader->cursor;
	Relation	index = index_open(ph_log_index(PH_LOG_DELIVERY, leaf, "id"), AccessShareLock);
	IndexScanDesc scan = ph_index_beginscan(reader->heap, index, reader->snapshot, 2);
	ScanKeyData keys[2];

	ScanKeyInit(&keys[0], 1, BTGreaterStrategyNumber, F_INT8GT,
				Int64GetDatum(Max(cursor->position, cursor->floor)));
	ScanKeyInit(&keys[1], 1, BTLessEqualStrategyNumber, F_INT8LE, Int64GetDatum(cursor->ceiling));
	index_rescan(scan, keys, 2, NULL, 0);
	while (index_getnext_slot(scan, ForwardScanDirection, reader->slot))
	{
		uint64		xid = (uint64) slot_int64(reader->slot, DELIVERY_XID);

		CHECK_FOR_INTERRUPTS();
		if (!is_useful(reader, slot_int64(reader->slot, DELIVERY_ID)))
			break;
		if (slot_int32(reader->slot, DELIVERY_LANE) == reader->lane &&
			xid >= cursor->s_old.xmax && ph_snapshot_sees(&cursor->s_new, xid))
			take_row(reader);
	}
	index_endscan(scan);
	index_close(index, AccessShareLock);
}

/* ---- counting ---- */

/* Adds what lies between the snapshots, above the position, until there are limit; false then. */
static bool
count_between(Reader *reader, const PhSnapshot *s_old, const PhSnapshot *s_new, int64 position)
{
	PhCursor	cursor = {.s_old = *s_old,.s_new = *s_new,.position = position};
	bool		done = true;
	int			leaf;

	reader->cursor = &cursor;
	enclose(reader, s_old, s_new);
	for (leaf = 0; leaf < PH_SLOTS && done; leaf++)
		done = read_leaf(reader, leaf, false);
	return done;
}

int64
ph_window_count(int lane, const PhCursor *cursor, int limit, bool *exact, int64 *oldest_id)
{
	Reader		reader = {.lane = lane,.snapshot = GetActiveSnapshot(),.counting = true,.limit = limit};
	PhSnapshot	now;

	ph_window_decode_snapshot(ph_window_current_snapshot(), &now);
	*exact = (cursor->used_up || count_between(&reader, &cursor->s_old, &cursor->s_new, cursor->position)) &&
		count_between(&reader, &cursor->s_new, &now, 0);
	*oldest_id = reader.oldest;
	return reader.n;
}
