/*
 * xref.c
 *	  SQL functions around the cross-reference and the units of measure.
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "json/unit.h"
#include "json/xref.h"
#include "pg/compat.h"
#include "pg/xact.h"

#define FOUND_MAX	16			/* of an ambiguous code, enough to see why */

PG_FUNCTION_INFO_V1(planthub_xref_changed);
PG_FUNCTION_INFO_V1(planthub_unit_added);
PG_FUNCTION_INFO_V1(planthub_xref_find);
PG_FUNCTION_INFO_V1(planthub_xref_back);
PG_FUNCTION_INFO_V1(planthub_unit_convert);
PG_FUNCTION_INFO_V1(planthub_unit_code);

/* Both ways in which a mapping may look for the entry. */
static void
tell_who_waits(HeapTuple row, TupleDesc desc)
{
	char	   *set = SPI_getvalue(row, desc, SPI_fnumber(desc, "set"));

	ph_xact_mark_entry(psprintf("%s/%s", set, SPI_getvalue(row, desc, SPI_fnumber(desc, "code"))));
	ph_xact_mark_entry(psprintf("%s/%s", set, SPI_getvalue(row, desc, SPI_fnumber(desc, "canonical"))));
}

/*
 * Row trigger: forgets what is cached of planthub.xref, unless the row belongs to a set that nobody caches, and tells the
 * workers at commit what has come.
 */
Datum
planthub_xref_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	HeapTuple	rows[2];
	int			i;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by a row trigger", "planthub.xref_changed")));
	if (!TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		tell_who_waits(TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : trigger->tg_trigtuple,
					   RelationGetDescr(trigger->tg_relation));
	rows[0] = trigger->tg_trigtuple;
	rows[1] = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : NULL;
	for (i = 0; i < 2; i++)
	{
		TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
		bool		isnull;
		Datum		set;

		if (rows[i] == NULL)
			continue;
		set = heap_getattr(rows[i], SPI_fnumber(desc, "set"), desc, &isnull);
		ph_xref_refresh();
		if (ph_xref_set_cached(TextDatumGetCString(set)))
		{
			CacheInvalidateRelcacheByRelid(RelationGetRelid(trigger->tg_relation));
			break;
		}
	}
	PG_RETURN_POINTER(NULL);
}

/* Row trigger: tells the workers at commit that there is a unit. */
Datum
planthub_unit_added(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	TupleDesc	desc;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_FOR_ROW(trigger->tg_event) || !TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by a row trigger", "planthub.unit_added")));
	desc = RelationGetDescr(trigger->tg_relation);
	ph_xact_mark_entry(psprintf("/%s", SPI_getvalue(trigger->tg_trigtuple, desc, SPI_fnumber(desc, "code"))));
	PG_RETURN_POINTER(NULL);
}

static char *
text_or(FunctionCallInfo fcinfo, int argument, const char *otherwise)
{
	if (!PG_ARGISNULL(argument))
		return text_to_cstring(PG_GETARG_TEXT_PP(argument));
	return otherwise == NULL ? NULL : pstrdup(otherwise);
}

/* (set, code or canonical, system, site, party, at) -> (id, canonical or code, value) */
static Datum
find_entries(FunctionCallInfo fcinfo, bool back)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	const PhXrefEntry *found[FOUND_MAX];
	PhXrefPlace place;
	int			n;
	int			i;

	InitMaterializedSRF(fcinfo, 0);
	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	ph_xref_refresh();
	ph_xref_place(&place, text_or(fcinfo, 2, "*"), text_or(fcinfo, 3, "*"), text_or(fcinfo, 4, NULL),
				  PG_ARGISNULL(5) ? GetCurrentTransactionStartTimestamp() : PG_GETARG_TIMESTAMPTZ(5));
	n = ph_xref_find(text_or(fcinfo, 0, NULL), back, text_or(fcinfo, 1, NULL), &place, found, FOUND_MAX);
	for (i = 0; i < Min(n, FOUND_MAX); i++)
	{
		Datum		values[3];
		bool		nulls[3] = {false, false, false};

		values[0] = Int64GetDatum(found[i]->id);
		values[1] = CStringGetTextDatum(back ? found[i]->code : found[i]->canonical);
		values[2] = JsonbPGetDatum(found[i]->value);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	PG_RETURN_NULL();
}

Datum
planthub_xref_find(PG_FUNCTION_ARGS)
{
	return find_entries(fcinfo, false);
}

Datum
planthub_xref_back(PG_FUNCTION_ARGS)
{
	return find_entries(fcinfo, true);
}

/* unit_convert(value, from, to): 42704 for an unknown unit, 22023 when the two cannot be converted. */
Datum
planthub_unit_convert(PG_FUNCTION_ARGS)
{
	Numeric		value = PG_GETARG_NUMERIC(0);
	char	   *from = text_to_cstring(PG_GETARG_TEXT_PP(1));
	char	   *to = text_to_cstring(PG_GETARG_TEXT_PP(2));
	Numeric		converted = NULL;
	PhUnitResult result;

	if (numeric_is_nan(value) || numeric_is_inf(value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("quantity is not a finite number")));
	result = ph_unit_convert(value, from, to, &converted);
	switch (result)
	{
		case PH_UNIT_OK:
			PG_RETURN_NUMERIC(converted);
		case PH_UNIT_UNKNOWN_FROM:
		case PH_UNIT_UNKNOWN_TO:
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("unit \"%s\" does not exist", result == PH_UNIT_UNKNOWN_FROM ? from : to),
					 errhint("Look in the table planthub.unit; codes of other systems are translated by the cross-reference.")));
			break;
		case PH_UNIT_OVERFLOW:
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("quantity is out of range")));
			break;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("cannot convert unit \"%s\" to \"%s\"", from, to),
					 result == PH_UNIT_MISMATCH ? errdetail("They measure different things.") :
					 errdetail("At least one of them depends on the item."),
					 errhint("Use a conversion of the item.")));
	}
	PG_RETURN_NULL();
}

/* unit_code(code): null when the unit is unknown. */
Datum
planthub_unit_code(PG_FUNCTION_ARGS)
{
	const char *code = ph_unit_code(text_to_cstring(PG_GETARG_TEXT_PP(0)));

	if (code == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(code));
}
