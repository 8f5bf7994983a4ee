/*
 * sql.h
 *	  Short forms for the engine's own SQL: plans are prepared once per backend and kept.
 */
#ifndef PLANTHUB_SQL_H
#define PLANTHUB_SQL_H

#include "executor/spi.h"

typedef struct PhStatement
{
	const char *sql;
	int			nargs;
	Oid			types[20];
	SPIPlanPtr	plan;
} PhStatement;

/* Runs it between SPI_connect and SPI_finish of the caller; expect is the SPI_OK_ code. Returns the number of rows. */
extern uint64 ph_sql_run(PhStatement *statement, Datum *values, const char *nulls, int expect);

/* The same, seeing and changing what is committed now, also in a transaction that has a snapshot for good. */
extern uint64 ph_sql_run_latest(PhStatement *statement, Datum *values, const char *nulls, int expect);

/* Columns of row i of the last result; false/0 for null. */
extern int64 ph_sql_int64(uint64 row, int column);
extern int	ph_sql_int32(uint64 row, int column);
extern bool ph_sql_bool(uint64 row, int column);
extern Datum ph_sql_datum(uint64 row, int column, bool *isnull);

/* Arrays; a NULL text is a null element. */
extern Datum ph_sql_int8_array(const int64 *values, int n);
extern Datum ph_sql_int4_array(const int32 *values, int n);
extern Datum ph_sql_text_array(const char *const *values, int n);

#endif
