/*
 * sql.c
 *	  Short forms for the engine's own SQL.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "engine/sql.h"

static uint64
run(PhStatement *statement, Datum *values, const char *nulls, Snapshot snapshot, int expect)
{
	int			code;

	if (statement->plan == NULL)
	{
		statement->plan = SPI_prepare(statement->sql, statement->nargs, statement->types);
		if (statement->plan == NULL || SPI_keepplan(statement->plan) != 0)
			elog(ERROR, "could not prepare \"%s\": %s", statement->sql, SPI_result_code_string(SPI_result));
	}
	code = SPI_execute_snapshot(statement->plan, values, nulls, snapshot, InvalidSnapshot, false, true, 0);
	if (code != expect)
		elog(ERROR, "unexpected result of \"%s\": %s", statement->sql, SPI_result_code_string(code));
	return SPI_processed;
}

uint64
ph_sql_run(PhStatement *statement, Datum *values, const char *nulls, int expect)
{
	return run(statement, values, nulls, InvalidSnapshot, expect);
}

uint64
ph_sql_run_latest(PhStatement *statement, Datum *values, const char *nulls, int expect)
{
	return run(statement, values, nulls, GetLatestSnapshot(), expect);
}

Datum
ph_sql_datum(uint64 row, int column, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, isnull);
}

int64
ph_sql_int64(uint64 row, int column)
{
	bool		isnull;
	Datum		value = ph_sql_datum(row, column, &isnull);

	return isnull ? 0 : DatumGetInt64(value);
}

int
ph_sql_int32(uint64 row, int column)
{
	bool		isnull;
	Datum		value = ph_sql_datum(row, column, &isnull);

	return isnull ? 0 : DatumGetInt32(value);
}

bool
ph_sql_bool(uint64 row, int column)
{
	bool		isnull;
	Datum		value = ph_sql_datum(row, column, &isnull);

	return isnull ? false : DatumGetBool(value);
}

Datum
ph_sql_int8_array(const int64 *values, int n)
{
	Datum	   *datums = palloc(sizeof(Datum) * (Size) Max(n, 1));
	int			i;

	for (i = 0; i < n; i++)
		datums[i] = Int64GetDatum(values[i]);
	return PointerGetDatum(construct_array(datums, n, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

Datum
ph_sql_int4_array(const int32 *values, int n)
{
	Datum	   *datums = palloc(sizeof(Datum) * (Size) Max(n, 1));
	int			i;

	for (i = 0; i < n; i++)
		datums[i] = Int32GetDatum(values[i]);
	return PointerGetDatum(construct_array(datums, n, INT4OID, 4, true, TYPALIGN_INT));
}

Datum
ph_sql_text_array(const char *const *values, int n)
{
	Datum	   *datums = palloc(sizeof(Datum) * (Size) Max(n, 1));
	bool	   *nulls = palloc(sizeof(bool) * (Size) Max(n, 1));
	int			dims[1] = {n};
	int			lower[1] = {1};
	int			i;

	if (n == 0)
		return PointerGetDatum(construct_empty_array(TEXTOID));
	for (i = 0; i < n; i++)
	{
		nulls[i] = values[i] == NULL;
		datums[i] = nulls[i] ? (Datum) 0 : CStringGetTextDatum(values[i]);
	}
	return PointerGetDatum(construct_md_array(datums, nulls, 1, dims, lower, TEXTOID, -1, false, TYPALIGN_INT));
}
