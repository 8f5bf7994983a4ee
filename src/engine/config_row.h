/*
 * config_row.h
 *	  One row of a table of the configuration, column by column.  What is returned is in the current memory context.
 */
#ifndef PLANTHUB_CONFIG_ROW_H
#define PLANTHUB_CONFIG_ROW_H

#include "executor/tuptable.h"
#include "utils/jsonb.h"
#include "utils/rel.h"

typedef struct PhRow
{
	Relation	relation;
	TupleTableSlot *slot;
} PhRow;

/* Not null, or an internal error. */
extern Datum ph_row_value(PhRow *row, const char *column);
extern int	ph_row_int(PhRow *row, const char *column);
extern const char *ph_row_text(PhRow *row, const char *column);

extern const char *ph_row_text_or_null(PhRow *row, const char *column);
extern Jsonb *ph_row_jsonb_or_null(PhRow *row, const char *column);

/* Microseconds, capped at a hundred thousand years so that adding it to a time does not overflow; 0 for null. */
extern int64 ph_row_interval(PhRow *row, const char *column);
extern int64 ph_row_interval_ms(PhRow *row, const char *column);	/* rounded up */

/* {"X-Plant": "P1"} becomes "X-Plant: P1", for libraries that want lines; NULL at the end; NULL: none. */
extern const char *const *ph_row_headers(PhRow *row, const char *column);

#endif
