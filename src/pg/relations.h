/*
 * relations.h
 *	  The tables of the extension, found once per backend; and rows appended to the log tables without SQL.
 */
#ifndef PLANTHUB_RELATIONS_H
#define PLANTHUB_RELATIONS_H

#include "access/tupdesc.h"
#include "utils/relcache.h"

#define PH_SLOTS	8

typedef enum PhLog
{
	PH_LOG_MESSAGE,
	PH_LOG_DELIVERY,
	PH_LOG_LANE_WINDOW,
	PH_LOG_ATTEMPT,
	PH_LOGS
} PhLog;

/* Throws 42704/55000 with a hint when the extension is not in this database. */
extern Oid	ph_extension_oid(void);		/* InvalidOid when absent; never throws */
extern Oid	ph_schema_oid(void);
extern Oid	ph_relation_oid(const char *name);	/* any relation of the schema, cached until it changes */
/* Throws 0A000 when Citus distributes the table: rows written here directly would be lost. */
extern void ph_refuse_distributed(Oid table);
extern Oid	ph_log_leaf(PhLog log, int slot);
extern Oid	ph_log_index(PhLog log, int slot, const char *suffix);	/* e.g. "id" for message_3_id */

/* The slot that new rows go to (planthub.hub.slot), cached, follows a rotation. */
extern int	ph_current_slot(void);

/*
 * Appending to one log leaf: open, put rows, close.  Rows go through the table access method and all indexes, in
 * batches; unique violations raise as usual.  values and nulls have the order of the columns of the table.
 * Nothing may run between open and close that could close relations of this transaction.
 */
typedef struct PhAppend PhAppend;
extern PhAppend *ph_append_open(PhLog log, int slot);
extern void ph_append_row(PhAppend *append, Datum *values, bool *nulls);
extern void ph_append_flush(PhAppend *append);	/* writes the rows given so far; not needed before close */
extern void ph_append_close(PhAppend *append);

/* Refuses recovery (25006), read-only transactions (25006) and parallel operations (25000); open does so itself. */
extern void ph_append_check(void);

/* Next number of a sequence of the schema; the caller has made sure that the transaction has its xid. */
extern int64 ph_sequence_next(const char *name);
extern int64 ph_sequence_last(const char *name);	/* last number given out, 0 if none */

#endif
