/*
 * config.c
 *	  SQL functions around the configuration: its triggers, and checks that only C can make.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/rel.h"

#include "connector/connector.h"
#include "pg/xact.h"

PG_FUNCTION_INFO_V1(planthub_config_changed);
PG_FUNCTION_INFO_V1(planthub_table_changed);
PG_FUNCTION_INFO_V1(planthub_check_address);
PG_FUNCTION_INFO_V1(planthub_wake);

/* Makes every backend, this one included, read the configuration again; see engine/config.c. */
Datum
planthub_config_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by a trigger", "planthub.config_changed")));
	CacheInvalidateRelcacheByRelid(RelationGetRelid(trigger->tg_relation));
	ph_xact_mark_config();
	PG_RETURN_POINTER(NULL);
}

/* Makes every backend, this one included, read the rows of the table again; see pg/lookup.h. */
Datum
planthub_table_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_FOR_STATEMENT(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" was not called by a statement trigger", "planthub.table_changed")));
	CacheInvalidateRelcacheByRelid(RelationGetRelid(trigger->tg_relation));
	PG_RETURN_POINTER(NULL);
}

/* check_address(connector, address): throws when the connector is unknown or does not like the address. */
Datum
planthub_check_address(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *address = text_to_cstring(PG_GETARG_TEXT_PP(1));
	const PhConnector *connector = ph_connector_find(name);
	char		error[256] = "";

	if (connector == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("connector \"%s\" does not exist", name),
				 errhint("Use \"http\", or load the library that brings the connector.")));
	if (!connector->check_address(address, error, sizeof(error)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("address is not valid for connector \"%s\"", name),
				 errdetail_internal("%s", error),
				 errhint("See the comment of column \"address\" of planthub.endpoint.")));
	PG_RETURN_VOID();
}

/* wake(lanes): tells their workers at commit, for deliveries that were written in SQL. */
Datum
planthub_wake(PG_FUNCTION_ARGS)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	Datum	   *lanes;
	bool	   *nulls;
	int			n;
	int			i;

	deconstruct_array(array, INT4OID, sizeof(int32), true, TYPALIGN_INT, &lanes, &nulls, &n);
	for (i = 0; i < n; i++)
	{
		if (!nulls[i])
			ph_xact_mark_lane(DatumGetInt32(lanes[i]));
	}
	ph_xact_mark_config();		/* so that they look for what waits behind a delivery that is no longer held */
	PG_RETURN_VOID();
}
