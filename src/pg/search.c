/*
 * search.c
 *	  Many searches by key in one table of ours, without SQL.
 *
 * The index is named by the caller, so a search costs the same whatever the planner would have thought of the table when
 * a session began.  Locks stay until the end of the transaction, as those of statements do.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "pg/compat.h"
#include "pg/relations.h"
#include "pg/search.h"

struct PhSearch
{
	Relation	table;
	Relation	index;
	Snapshot	snapshot;
	IndexScanDesc scan;
	TupleTableSlot *row;
	ScanDirection direction;
	int			nkeys;
	AttrNumber	columns[PH_SEARCH_COLUMNS];
	ScanKeyData keys[PH_SEARCH_KEYS];
};

static void
prepare_key(ScanKey key, AttrNumber number, Oid type)
{
	bool		is_text = type == TEXTOID;

	Assert(is_text || type == INT8OID);
	ScanKeyEntryInitialize(key, 0, number, BTEqualStrategyNumber, InvalidOid, is_text ? C_COLLATION_OID : InvalidOid,
						   is_text ? F_TEXTEQ : F_INT8EQ, (Datum) 0);
}

PhSearch *
ph_search_open(const char *table, const char *index, int nkeys, const char *const *columns, Snapshot snapshot)
{
	PhSearch   *search = palloc(sizeof(PhSearch));
	int			i;

	Assert(nkeys <= PH_SEARCH_KEYS);
	search->table = table_open(ph_relation_oid(table), AccessShareLock);
	search->index = index_open(ph_relation_oid(index), AccessShareLock);
	search->snapshot = RegisterSnapshot(snapshot != NULL ? snapshot : GetActiveSnapshot());
	search->scan = ph_index_beginscan(search->table, search->index, search->snapshot, nkeys);
	search->row = table_slot_create(search->table, NULL);
	search->nkeys = nkeys;
	for (i = 0; i < nkeys; i++)
		prepare_key(&search->keys[i], i + 1, search->index->rd_opcintype[i]);
	for (i = 0; columns[i] != NULL; i++)
	{
		Assert(i < PH_SEARCH_COLUMNS);
		search->columns[i] = get_attnum(RelationGetRelid(search->table), columns[i]);
		if (search->columns[i] == InvalidAttrNumber)
			elog(ERROR, "column \"%s\" of planthub.%s is missing", columns[i], table);
	}
	return search;
}

static bool
start(PhSearch *search, const Datum *keys, ScanDirection direction)
{
	int			i;

	for (i = 0; i < search->nkeys; i++)
		search->keys[i].sk_argument = keys[i];
	search->direction = direction;
	index_rescan(search->scan, search->keys, search->nkeys, NULL, 0);
	return ph_search_next(search);
}

bool
ph_search_first(PhSearch *search, const Datum *keys)
{
	return start(search, keys, ForwardScanDirection);
}

bool
ph_search_last(PhSearch *search, const Datum *keys)
{
	return start(search, keys, BackwardScanDirection);
}

bool
ph_search_next(PhSearch *search)
{
	return index_getnext_slot(search->scan, search->direction, search->row);
}

/* The last that began before, unless it has ended. */
bool
ph_search_version(PhSearch *search, Datum code, TimestampTz at)
{
	bool		found = ph_search_last(search, &code);
	bool		isnull;

	while (found && DatumGetTimestampTz(ph_search_value(search, 0, &isnull)) > at)
		found = ph_search_next(search);
	return found && at < DatumGetTimestampTz(ph_search_value(search, 1, &isnull));
}

bool
ph_search_is(PhSearch *search, int column, Datum wanted)
{
	bool		isnull;
	Datum		value = ph_search_value(search, column, &isnull);

	return !isnull && DatumGetBool(DirectFunctionCall2Coll(texteq, C_COLLATION_OID, value, wanted));
}

Datum
ph_search_value(PhSearch *search, int column, bool *isnull)
{
	return slot_getattr(search->row, search->columns[column], isnull);
}

void
ph_search_close(PhSearch *search)
{
	ExecDropSingleTupleTableSlot(search->row);
	index_endscan(search->scan);
	UnregisterSnapshot(search->snapshot);
	index_close(search->index, NoLock);
	table_close(search->table, NoLock);
	pfree(search);
}
