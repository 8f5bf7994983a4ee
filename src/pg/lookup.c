/*
 * lookup.c
 *	  Rows of our own small tables, read without SQL, and what is needed to remember them safely.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "pg/lookup.h"
#include "pg/relations.h"

struct PhLookup
{
	Relation	relation;
	Snapshot	snapshot;
	SysScanDesc scan;
	HeapTuple	row;
};

static PhWatch *watches = NULL;

PhLookup *
ph_lookup_open(const char *table, const char *index, int nkeys, const char *const *columns, const char *const *keys)
{
	PhLookup   *lookup = palloc(sizeof(PhLookup));
	ScanKeyData scan_keys[PH_LOOKUP_KEYS];
	int			i;

	Assert(nkeys <= PH_LOOKUP_KEYS);
	lookup->relation = table_open(ph_relation_oid(table), AccessShareLock);
	for (i = 0; i < nkeys; i++)
		ScanKeyInit(&scan_keys[i], get_attnum(RelationGetRelid(lookup->relation), columns[i]), BTEqualStrategyNumber,
					F_TEXTEQ, PointerGetDatum(cstring_to_text(keys[i])));
	lookup->snapshot = RegisterSnapshot(GetLatestSnapshot());
	lookup->scan = systable_beginscan(lookup->relation, nkeys > 0 ? ph_relation_oid(index) : InvalidOid, nkeys > 0,
									  lookup->snapshot, nkeys, scan_keys);
	lookup->row = NULL;
	return lookup;
}

bool
ph_lookup_next(PhLookup *lookup)
{
	lookup->row = systable_getnext(lookup->scan);
	return HeapTupleIsValid(lookup->row);
}

void
ph_lookup_close(PhLookup *lookup)
{
	systable_endscan(lookup->scan);
	UnregisterSnapshot(lookup->snapshot);
	table_close(lookup->relation, AccessShareLock);
	pfree(lookup);
}

Datum
ph_lookup_datum(PhLookup *lookup, const char *column, bool *isnull)
{
	AttrNumber	number = get_attnum(RelationGetRelid(lookup->relation), column);

	if (number == InvalidAttrNumber)
		elog(ERROR, "column \"%s\" of planthub.%s is missing", column, RelationGetRelationName(lookup->relation));
	return heap_getattr(lookup->row, number, RelationGetDescr(lookup->relation), isnull);
}

char *
ph_lookup_text(PhLookup *lookup, const char *column)
{
	bool		isnull;
	Datum		value = ph_lookup_datum(lookup, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

struct varlena *
ph_lookup_varlena(PhLookup *lookup, const char *column)
{
	bool		isnull;
	Datum		value = ph_lookup_datum(lookup, column, &isnull);

	return isnull ? NULL : PG_DETOAST_DATUM_COPY(value);
}

/* ---- watching ---- */

static void
on_relation_change(Datum arg, Oid relation)
{
	PhWatch    *watch;

	for (watch = watches; watch != NULL; watch = watch->next)
	{
		if (relation == watch->oid || !OidIsValid(relation))
		{
			watch->changes++;
			watch->oid = InvalidOid;
		}
	}
}

uint64
ph_watch(PhWatch *watch)
{
	Assert(IsTransactionState());
	if (!watch->registered)
	{
		if (watches == NULL)
			CacheRegisterRelcacheCallback(on_relation_change, (Datum) 0);
		watch->next = watches;
		watches = watch;
		watch->registered = true;
	}
	AcceptInvalidationMessages();
	/* Each time anew after a change: the extension may have been dropped and made again. */
	if (!OidIsValid(watch->oid))
		watch->oid = ph_relation_oid(watch->table);
	return watch->changes;
}

void
ph_watch_distrust(void)
{
	PhWatch    *watch;

	for (watch = watches; watch != NULL; watch = watch->next)
		watch->changes++;
}
