/*
 * insert.c
 *	  Rows written into tables of ours without SQL.
 *
 * Unlike the logs (relations.c) these tables have constraints, and a plant may have triggers on them.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/nodeModifyTable.h"
#include "miscadmin.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"

#include "pg/compat.h"
#include "pg/insert.h"
#include "pg/relations.h"

struct PhInsert
{
	EState	   *estate;
	ResultRelInfo *result;
	TupleTableSlot *slot;
	TransitionCaptureState *capture;	/* NULL: no trigger wants a table of the rows */
	int			columns;
};

PhInsert *
ph_insert_open(const char *table, int columns)
{
	PhInsert   *insert = palloc(sizeof(PhInsert));
	Relation	relation;

	PreventCommandIfReadOnly("INSERT");
	PreventCommandIfParallelMode("INSERT");
	relation = table_open(ph_relation_oid(table), RowExclusiveLock);
	ph_refuse_distributed(RelationGetRelid(relation));
	if (RelationGetDescr(relation)->natts < columns)
		elog(ERROR, "planthub.%s has %d columns", table, RelationGetDescr(relation)->natts);
	insert->columns = columns;
	insert->estate = CreateExecutorState();
	insert->estate->es_output_cid = GetCurrentCommandId(true);
	insert->result = makeNode(ResultRelInfo);
	InitResultRelInfo(insert->result, relation, 0, NULL, 0);
	ExecOpenIndices(insert->result, false);
	insert->slot = table_slot_create(relation, NULL);
	AfterTriggerBeginQuery();
	insert->capture = MakeTransitionCaptureState(relation->trigdesc, RelationGetRelid(relation), CMD_INSERT);
	ExecBSInsertTriggers(insert->estate, insert->result);
	return insert;
}

/* What ExecSimpleRelationInsert() does, but triggers get their table of the rows, too. */
static void
insert_slot(PhInsert *insert)
{
	ResultRelInfo *result = insert->result;
	Relation	relation = result->ri_RelationDesc;
	TupleConstr *constraints = RelationGetDescr(relation)->constr;
	List	   *recheck = NIL;

	if (relation->trigdesc != NULL && relation->trigdesc->trig_insert_before_row &&
		!ExecBRInsertTriggers(insert->estate, result, insert->slot))
		return;
	if (constraints != NULL && constraints->has_generated_stored)
		ExecComputeStoredGenerated(result, insert->estate, insert->slot, CMD_INSERT);
	if (constraints != NULL)
		ExecConstraints(result, insert->slot, insert->estate);
	if (relation->rd_rel->relispartition)
		ExecPartitionCheck(result, insert->slot, insert->estate, true);
	simple_table_tuple_insert(relation, insert->slot);
	if (result->ri_NumIndices > 0)
		recheck = ph_exec_insert_index_tuples(result, insert->slot, insert->estate);
	ExecARInsertTriggers(insert->estate, result, insert->slot, recheck, insert->capture);
	list_free(recheck);
}

void
ph_insert_row(PhInsert *insert, const Datum *values, const bool *nulls)
{
	TupleTableSlot *slot = insert->slot;
	TupleDesc	descriptor = slot->tts_tupleDescriptor;
	MemoryContext old = MemoryContextSwitchTo(GetPerTupleMemoryContext(insert->estate));
	int			i;

	ExecClearTuple(slot);
	for (i = 0; i < insert->columns; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);

		slot->tts_isnull[i] = nulls[i];
		slot->tts_values[i] = nulls[i] || attribute->atttypid != NUMERICOID ? values[i] :
			DirectFunctionCall2(numeric, values[i], Int32GetDatum(attribute->atttypmod));
	}
	for (; i < descriptor->natts; i++)
		slot->tts_isnull[i] = true;
	ExecStoreVirtualTuple(slot);
	insert_slot(insert);
	MemoryContextSwitchTo(old);
	ResetPerTupleExprContext(insert->estate);
}

void
ph_insert_close(PhInsert *insert)
{
	ExecASInsertTriggers(insert->estate, insert->result, insert->capture);
	AfterTriggerEndQuery(insert->estate);
	ExecDropSingleTupleTableSlot(insert->slot);
	ExecCloseIndices(insert->result);
	ExecCloseResultRelations(insert->estate);
	table_close(insert->result->ri_RelationDesc, NoLock);
	ExecResetTupleTable(insert->estate->es_tupleTable, false);
	FreeExecutorState(insert->estate);
	pfree(insert->result);
	pfree(insert);
	CommandCounterIncrement();
}
