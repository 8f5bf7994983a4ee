/*
 * config_row.c
 *	  One row of a table of the configuration, column by column.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "engine/config_row.h"

static Datum
get(PhRow *row, const char *column, bool *isnull)
{
	AttrNumber	number = get_attnum(RelationGetRelid(row->relation), column);

	if (number == InvalidAttrNumber)
		elog(ERROR, "column \"%s\" of planthub.%s is missing", column, RelationGetRelationName(row->relation));
	return slot_getattr(row->slot, number, isnull);
}

Datum
ph_row_value(PhRow *row, const char *column)
{
	bool		isnull;
	Datum		value = get(row, column, &isnull);

	if (isnull)
		elog(ERROR, "column \"%s\" of planthub.%s is null", column, RelationGetRelationName(row->relation));
	return value;
}

int
ph_row_int(PhRow *row, const char *column)
{
	return DatumGetInt32(ph_row_value(row, column));
}

const char *
ph_row_text(PhRow *row, const char *column)
{
	return TextDatumGetCString(ph_row_value(row, column));
}

const char *
ph_row_text_or_null(PhRow *row, const char *column)
{
	bool		isnull;
	Datum		value = get(row, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

Jsonb *
ph_row_jsonb_or_null(PhRow *row, const char *column)
{
	bool		isnull;
	Datum		value = get(row, column, &isnull);

	return isnull ? NULL : (Jsonb *) PG_DETOAST_DATUM_COPY(value);
}

/* Microseconds, capped at a hundred thousand years so that adding it to a time does not overflow; 0 for null. */
int64
ph_row_interval(PhRow *row, const char *column)
{
	bool		isnull;
	Interval   *interval = DatumGetIntervalP(get(row, column, &isnull));
	int64		days;

	if (isnull)
		return 0;
	days = (int64) interval->month * DAYS_PER_MONTH + interval->day;
	if (days > INT64CONST(36500000) || interval->time / USECS_PER_DAY > INT64CONST(36500000))
		return INT64CONST(36500000) * USECS_PER_DAY;
	return days * USECS_PER_DAY + interval->time;
}

int64
ph_row_interval_ms(PhRow *row, const char *column)
{
	return (ph_row_interval(row, column) + 999) / 1000;
}

/* {"X-Plant": "P1"} becomes "X-Plant: P1", for libraries that want lines; NULL at the end. */
const char *const *
ph_row_headers(PhRow *row, const char *column)
{
	Jsonb	   *headers = DatumGetJsonbP(ph_row_value(row, column));
	const char **lines = palloc((JB_ROOT_COUNT(headers) + 1) * sizeof(char *));
	JsonbIterator *iterator = JsonbIteratorInit(&headers->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	char	   *name = NULL;
	int			n = 0;

	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			name = pnstrdup(value.val.string.val, value.val.string.len);
		else if (token == WJB_VALUE && value.type == jbvString)
			lines[n++] = psprintf("%s: %.*s", name, value.val.string.len, value.val.string.val);
	}
	lines[n] = NULL;
	return n == 0 ? NULL : lines;
}
