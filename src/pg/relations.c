/*
 * relations.c
 *	  The tables of the extension, found once per backend; and rows appended to the log tables without SQL.
 *
 * Object ids are looked up by name once and kept until an invalidation says that they may have changed: of the
 * relation itself, or of any schema (which CREATE EXTENSION and DROP EXTENSION always bring).  The callbacks run where
 * no catalog may be read, so they only forget.  Absence is never remembered.
 *
 * Rows appended here see no triggers, constraints, defaults or row security; the log tables have none.  Everything a
 * PhAppend holds belongs to the current memory context and resource owner, so an error cleans up by itself.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/hio.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "commands/extension.h"
#include "commands/sequence.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "pg/compat.h"
#include "pg/relations.h"

/* As COPY does: enough to fill pages and WAL records, little enough to stay in the cache of the processor. */
#define BATCH_ROWS		1000
#define BATCH_BYTES		65536

typedef struct NamedRelation
{
	char		name[NAMEDATALEN];	/* hash key */
	Oid			oid;			/* InvalidOid: look again */
} NamedRelation;

struct PhAppend
{
	Relation	relation;
	EState	   *estate;
	ResultRelInfo *result;
	CommandId	command;
	BulkInsertState bulk;		/* once a batch was full; NULL before */
	int			rows;			/* in slots, not yet written */
	Size		bytes;
	int			nslots;
	TupleTableSlot *slots[BATCH_ROWS];
};

static const char *const log_names[PH_LOGS] = {"message", "delivery", "lane_window", "attempt"};

static bool registered = false;
static Oid	extension_oid = InvalidOid;
static Oid	schema_oid = InvalidOid;
static Oid	hub_oid = InvalidOid;
static int	current_slot = -1;		/* -1: unknown */
static uint64 hub_changes = 0;
static Oid	leaves[PH_LOGS][PH_SLOTS];
static HTAB *relations = NULL;

static void forget_all(void);

/* ---- object ids ---- */

static void
forget_slot(void)
{
	current_slot = -1;
	hub_changes++;
}

static void
on_schema_change(Datum arg, int cache, uint32 hash)
{
	forget_all();
}

static void
on_relation_change(Datum arg, Oid relation)
{
	HASH_SEQ_STATUS scan;
	NamedRelation *entry;
	int			i;

	if (!OidIsValid(relation))
	{
		forget_all();
		return;
	}
	if (relation == hub_oid)
		forget_slot();
	for (i = 0; i < PH_LOGS * PH_SLOTS; i++)
	{
		if (leaves[i / PH_SLOTS][i % PH_SLOTS] == relation)
			leaves[i / PH_SLOTS][i % PH_SLOTS] = InvalidOid;
	}
	if (relations == NULL)
		return;
	hash_seq_init(&scan, relations);
	while ((entry = hash_seq_search(&scan)) != NULL)
	{
		if (entry->oid == relation)
			entry->oid = InvalidOid;
	}
}

static void
forget_all(void)
{
	HASH_SEQ_STATUS scan;
	NamedRelation *entry;

	extension_oid = schema_oid = hub_oid = InvalidOid;
	forget_slot();
	memset(leaves, 0, sizeof(leaves));
	if (relations == NULL)
		return;
	hash_seq_init(&scan, relations);
	while ((entry = hash_seq_search(&scan)) != NULL)
		entry->oid = InvalidOid;
}

static void
register_callbacks(void)
{
	if (registered)
		return;
	CacheRegisterSyscacheCallback(NAMESPACEOID, on_schema_change, (Datum) 0);
	CacheRegisterRelcacheCallback(on_relation_change, (Datum) 0);
	registered = true;
}

Oid
ph_extension_oid(void)
{
	register_callbacks();
	if (!OidIsValid(extension_oid))
		extension_oid = get_extension_oid("planthub", true);
	return extension_oid;
}

Oid
ph_schema_oid(void)
{
	register_callbacks();
	if (!OidIsValid(schema_oid))
	{
		if (!OidIsValid(ph_extension_oid()))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("extension \"planthub\" is not in this database"),
					 errhint("Create it with CREATE EXTENSION planthub.")));
		schema_oid = get_namespace_oid("planthub", false);
	}
	return schema_oid;
}

Oid
ph_relation_oid(const char *name)
{
	NamedRelation *entry;
	Oid			oid;
	bool		found;

	if (relations == NULL)
	{
		HASHCTL		control = {.keysize = NAMEDATALEN, .entrysize = sizeof(NamedRelation), .hcxt = TopMemoryContext};

		relations = hash_create("planthub relations", 64, &control, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	}
	entry = hash_search(relations, name, HASH_FIND, NULL);
	if (entry != NULL && OidIsValid(entry->oid))
		return entry->oid;

	oid = get_relname_relid(name, ph_schema_oid());
	if (!OidIsValid(oid))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("relation \"planthub.%s\" does not exist", name),
				 errdetail("The library is of version %s.", PLANTHUB_VERSION),
				 errhint("Run ALTER EXTENSION planthub UPDATE.")));
	entry = hash_search(relations, name, HASH_ENTER, &found);
	entry->oid = oid;
	return oid;
}

/* Rows of a table that Citus distributes live elsewhere: what is written here directly would be lost. */
void
ph_refuse_distributed(Oid table)
{
	Oid			catalog = get_relname_relid("pg_dist_partition", PG_CATALOG_NAMESPACE);
	Relation	relation;
	SysScanDesc scan;
	ScanKeyData key;
	bool		distributed;

	if (!OidIsValid(catalog))
		return;
	relation = table_open(catalog, AccessShareLock);
	ScanKeyInit(&key, get_attnum(catalog, "logicalrelid"), BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(table));
	scan = systable_beginscan(relation, InvalidOid, false, NULL, 1, &key);
	distributed = HeapTupleIsValid(systable_getnext(scan));
	systable_endscan(scan);
	table_close(relation, AccessShareLock);
	if (distributed)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"planthub.%s\" is distributed by Citus", get_rel_name(table)),
				 errdetail("What a hub writes is local to its server."),
				 errhint("Undo it with undistribute_table(), and distribute a read model instead.")));
}

Oid
ph_log_leaf(PhLog log, int slot)
{
	Assert(slot >= 0 && slot < PH_SLOTS);
	if (!OidIsValid(leaves[log][slot]))
	{
		char		name[NAMEDATALEN];
		Oid			leaf;

		snprintf(name, sizeof(name), "%s_%d", log_names[log], slot);
		leaf = ph_relation_oid(name);
		ph_refuse_distributed(leaf);
		leaves[log][slot] = leaf;
	}
	return leaves[log][slot];
}

Oid
ph_log_index(PhLog log, int slot, const char *suffix)
{
	char		name[NAMEDATALEN];

	snprintf(name, sizeof(name), "%s_%d_%s", log_names[log], slot, suffix);
	return ph_relation_oid(name);
}

/* ---- the slot in use ---- */

static int
read_current_slot(void)
{
	Relation	hub = table_open(hub_oid, AccessShareLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = table_beginscan(hub, snapshot, 0, NULL);
	TupleTableSlot *row = table_slot_create(hub, NULL);
	AttrNumber	column = get_attnum(hub_oid, "slot");
	int			slot = -1;

	if (table_scan_getnextslot(scan, ForwardScanDirection, row))
	{
		bool		isnull;

		slot = DatumGetInt16(slot_getattr(row, column, &isnull));
	}
	ExecDropSingleTupleTableSlot(row);
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(hub, AccessShareLock);
	if (slot < 0 || slot >= PH_SLOTS)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the hub has no identity"),
				 errdetail("The table planthub.hub must have exactly one row."),
				 errhint("If a restore is under way, wait until it has ended; otherwise restore the row from a backup.")));
	return slot;
}

int
ph_current_slot(void)
{
	AcceptInvalidationMessages();
	if (current_slot < 0)
	{
		uint64		changes;
		int			slot;

		hub_oid = ph_relation_oid("hub");
		changes = hub_changes;
		slot = read_current_slot();
		/* A change that arrived meanwhile may be newer than what was read: then read again next time. */
		if (changes != hub_changes)
			return slot;
		current_slot = slot;
	}
	return current_slot;
}

/* ---- appending ---- */

void
ph_append_check(void)
{
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("cannot write to the log of the hub during recovery"),
				 errhint("Connect to the primary server.")));
	if (XactReadOnly)
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("cannot write to the log of the hub in a read-only transaction"),
				 errhint("Start the transaction with READ WRITE.")));
	if (IsInParallelMode())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_STATE),
				 errmsg("cannot write to the log of the hub during a parallel operation"),
				 errhint("Mark the function that does so as PARALLEL UNSAFE.")));
}

PhAppend *
ph_append_open(PhLog log, int slot)
{
	PhAppend   *append;
	Oid			leaf;

	ph_append_check();
	leaf = ph_log_leaf(log, slot);
	append = palloc(sizeof(PhAppend));
	append->relation = table_open(leaf, RowExclusiveLock);
	append->estate = CreateExecutorState();
	append->result = makeNode(ResultRelInfo);
	append->command = GetCurrentCommandId(true);
	append->bulk = NULL;
	append->rows = append->nslots = 0;
	append->bytes = 0;
	InitResultRelInfo(append->result, append->relation, 0, NULL, 0);
	ExecOpenIndices(append->result, false);
	return append;
}

static void
insert_index_entries(PhAppend *append, TupleTableSlot *slot)
{
	(void) ph_exec_insert_index_tuples(append->result, slot, append->estate);
	ResetPerTupleExprContext(append->estate);
}

void
ph_append_flush(PhAppend *append)
{
	int			i;

	if (append->rows == 0)
		return;
	if (append->rows == 1)
		table_tuple_insert(append->relation, append->slots[0], append->command, 0, append->bulk);
	else
		table_multi_insert(append->relation, append->slots, append->rows, append->command, 0, append->bulk);
	for (i = 0; i < append->rows; i++)
	{
		insert_index_entries(append, append->slots[i]);
		ExecClearTuple(append->slots[i]);
	}
	append->rows = 0;
	append->bytes = 0;
}

/*
 * Remembers the page that the next batch continues on.  Without the ring of buffers that comes with it: workers read
 * these rows at once, so they should stay in memory.
 */
static void
start_bulk(PhAppend *append)
{
	append->bulk = GetBulkInsertState();
	FreeAccessStrategy(append->bulk->strategy);
	append->bulk->strategy = NULL;
}

void
ph_append_row(PhAppend *append, Datum *values, bool *nulls)
{
	int			columns = RelationGetDescr(append->relation)->natts;
	TupleTableSlot *slot;

	if (append->rows == BATCH_ROWS || append->bytes >= BATCH_BYTES)
	{
		if (append->bulk == NULL)
			start_bulk(append);
		ph_append_flush(append);
	}
	if (append->rows == append->nslots)
		append->slots[append->nslots++] = table_slot_create(append->relation, NULL);
	slot = append->slots[append->rows++];

	memcpy(slot->tts_values, values, columns * sizeof(Datum));
	memcpy(slot->tts_isnull, nulls, columns * sizeof(bool));
	ExecStoreVirtualTuple(slot);
	/* The caller may free or reuse what the values point to. */
	ExecMaterializeSlot(slot);
	append->bytes += ((BufferHeapTupleTableSlot *) slot)->base.tuple->t_len;
}

void
ph_append_close(PhAppend *append)
{
	int			i;

	ph_append_flush(append);
	if (append->bulk != NULL)
	{
		FreeBulkInsertState(append->bulk);
		table_finish_bulk_insert(append->relation, 0);
	}
	for (i = 0; i < append->nslots; i++)
		ExecDropSingleTupleTableSlot(append->slots[i]);
	ExecCloseIndices(append->result);
	/* The lock stays until the end of the transaction, so that the slot is not truncated under its rows. */
	table_close(append->relation, NoLock);
	FreeExecutorState(append->estate);
	pfree(append->result);
	pfree(append);
}

/* ---- sequences ---- */

int64
ph_sequence_next(const char *name)
{
	return nextval_internal(ph_relation_oid(name), false);
}

/* Read from the page, as the sequence code itself does: pg_sequence_last_value() would ask for privileges. */
int64
ph_sequence_last(const char *name)
{
	Relation	sequence = relation_open(ph_relation_oid(name), AccessShareLock);
	Buffer		buffer = ReadBuffer(sequence, 0);
	HeapTupleHeader tuple;
	Form_pg_sequence_data data;
	Page		page;
	int64		last;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	page = BufferGetPage(buffer);
	tuple = (HeapTupleHeader) PageGetItem(page, PageGetItemId(page, FirstOffsetNumber));
	data = (Form_pg_sequence_data) ((char *) tuple + tuple->t_hoff);
	last = data->is_called ? data->last_value : 0;
	UnlockReleaseBuffer(buffer);
	relation_close(sequence, AccessShareLock);
	return last;
}
