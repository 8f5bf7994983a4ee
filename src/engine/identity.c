/*
 * identity.c
 *	  A fact is published once: (source, event id) looked for in every slot of the log.
 *
 * The unique index of a slot covers only that slot, so the others are probed, with a dirty snapshot: a row that another
 * transaction has not committed yet counts, too, and is waited for, as a unique index does.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "engine/identity.h"
#include "pg/compat.h"
#include "pg/relations.h"

/* Columns of planthub.message and of the index. */
#define MESSAGE_ID		1
#define INDEX_SOURCE	1
#define INDEX_EVENT_ID	2

typedef struct Leaf
{
	Relation	heap;			/* NULL: empty when it was opened */
	Relation	index;
	IndexScanDesc scan;
	TupleTableSlot *row;
} Leaf;

struct PhIdentity
{
	SnapshotData dirty;
	Leaf		leaves[PH_SLOTS];
};

PhIdentity *
ph_identity_open(void)
{
	PhIdentity *identity = palloc0(sizeof(PhIdentity));
	int			current = ph_current_slot();
	int			i;

	InitDirtySnapshot(identity->dirty);
	for (i = 0; i < PH_SLOTS; i++)
	{
		Leaf	   *leaf = &identity->leaves[i];
		Relation	heap = table_open(ph_log_leaf(PH_LOG_MESSAGE, i), AccessShareLock);

		if (i != current && RelationGetNumberOfBlocks(heap) == 0)
		{
			table_close(heap, AccessShareLock);
			continue;
		}
		leaf->heap = heap;
		leaf->index = index_open(ph_log_index(PH_LOG_MESSAGE, i, "event"), AccessShareLock);
		leaf->scan = ph_index_beginscan(heap, leaf->index, &identity->dirty, 2);
		leaf->row = table_slot_create(heap, NULL);
	}
	return identity;
}

/* Number of the message in this slot, 0 if none; sets *wait when it is not known to stay. */
static int64
find_in_leaf(PhIdentity *identity, Leaf *leaf, ScanKey keys, TransactionId *wait)
{
	int64		id = 0;

	*wait = InvalidTransactionId;
	index_rescan(leaf->scan, keys, 2, NULL, 0);
	if (index_getnext_slot(leaf->scan, ForwardScanDirection, leaf->row))
	{
		bool		isnull;

		id = DatumGetInt64(slot_getattr(leaf->row, MESSAGE_ID, &isnull));
		*wait = identity->dirty.xmin;
	}
	ExecClearTuple(leaf->row);
	index_rescan(leaf->scan, keys, 2, NULL, 0);	/* lets go of the page: the caller may wait long */
	return id;
}

int64
ph_identity_find(PhIdentity *identity, text *source, text *event_id)
{
	ScanKeyData keys[2];
	int			i;

	ScanKeyEntryInitialize(&keys[0], 0, INDEX_SOURCE, BTEqualStrategyNumber, InvalidOid, C_COLLATION_OID, F_TEXTEQ,
						   PointerGetDatum(source));
	ScanKeyEntryInitialize(&keys[1], 0, INDEX_EVENT_ID, BTEqualStrategyNumber, InvalidOid, C_COLLATION_OID, F_TEXTEQ,
						   PointerGetDatum(event_id));
	for (i = 0; i < PH_SLOTS; i++)
	{
		TransactionId wait;
		int64		id = 0;

		while (identity->leaves[i].heap != NULL)
		{
			id = find_in_leaf(identity, &identity->leaves[i], keys, &wait);
			if (id == 0 || !TransactionIdIsValid(wait))
				break;
			XactLockTableWait(wait, NULL, NULL, XLTW_None);
		}
		if (id != 0)
			return id;
	}
	return 0;
}

void
ph_identity_close(PhIdentity *identity)
{
	int			i;

	for (i = 0; i < PH_SLOTS; i++)
	{
		Leaf	   *leaf = &identity->leaves[i];

		if (leaf->heap == NULL)
			continue;
		index_endscan(leaf->scan);
		ExecDropSingleTupleTableSlot(leaf->row);
		index_close(leaf->index, AccessShareLock);
		table_close(leaf->heap, AccessShareLock);
	}
	pfree(identity);
}
