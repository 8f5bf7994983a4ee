/*
 * config.c
 *	  SQL functions around the configuration: its triggers, and checks that only C can make.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "pgstat.h"
#include "tcop/tcopprot.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "connector/connector.h"
#include "engine/steps.h"
#include "pg/xact.h"

PG_FUNCTION_INFO_V1(planthub_config_changed);
PG_FUNCTION_INFO_V1(planthub_table_changed);
PG_FUNCTION_INFO_V1(planthub_check_address);
PG_FUNCTION_INFO_V1(planthub_check_steps);
PG_FUNCTION_INFO_V1(planthub_hide_statement);
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

static void
refuse_address(const char *connector, const char *error)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("address is not valid for connector \"%s\"", connector),
			 errdetail_internal("%s", error),
			 errhint("See the comment of column \"address\" of planthub.endpoint.")));
}

/* check_address(connector, address): throws when the connector is unknown or does not like the address. */
Datum
planthub_check_address(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *given = text_to_cstring(PG_GETARG_TEXT_PP(1));
	const PhConnector *connector = ph_connector_find(name);
	const PhAddress *address;
	char		error[256] = "";
	char	   *fault = NULL;

	if (connector == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("connector \"%s\" does not exist", name),
				 errhint("Use \"http\", or load the library that brings the connector.")));
	address = ph_address_compile(given, &fault);
	if (address == NULL)
		refuse_address(name, fault);
	if (!connector->check_address(ph_address_sample(address), error, sizeof(error)))
		refuse_address(name, error);
	PG_RETURN_VOID();
}

static void
check_sample(const PhConnector *connector, const char *step, const char *sample)
{
	char		error[256] = "";

	if (!connector->check_address(sample, error, sizeof(error)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("steps are not valid"),
				 errdetail("%s.address: %s.", step, error),
				 errhint("See the comment of column \"steps\" of planthub.endpoint.")));
}

/*
 * check_steps(connector, address, steps): throws 22023 when places of the address, or steps, cannot be used.  The
 * address has been checked.
 */
Datum
planthub_check_steps(PG_FUNCTION_ARGS)
{
	char	   *name = PG_ARGISNULL(0) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(0));
	const PhConnector *connector = ph_connector_find(name);
	Jsonb	   *given = PG_ARGISNULL(2) ? NULL : PG_GETARG_JSONB_P(2);
	const PhSteps *steps;

	if (connector == NULL || PG_ARGISNULL(1))
		PG_RETURN_VOID();
	if (given != NULL && !JB_ROOT_IS_OBJECT(given))
		given = NULL;				/* a constraint says so, or it is null and means none */
	steps = ph_steps_compile(text_to_cstring(PG_GETARG_TEXT_PP(1)), given, NULL);
	if (steps != NULL && steps->fault != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("steps are not valid"),
				 errdetail("%s.", steps->fault),
				 errhint("See the comment of column \"steps\" of planthub.endpoint.")));
	if (steps != NULL && steps->session != NULL)
		check_sample(connector, "session", steps->session);
	if (steps != NULL && steps->read != NULL)
		check_sample(connector, "read", ph_address_sample(steps->read));
	if (steps != NULL && steps->lookup != NULL)
		check_sample(connector, "lookup", ph_address_sample(steps->lookup));
	PG_RETURN_VOID();
}

/*
 * hide_statement(instead): what the server shows of the statement under way from now on, in pg_stat_activity and beside
 * errors.
 */
Datum
planthub_hide_statement(PG_FUNCTION_ARGS)
{
	char	   *instead = MemoryContextStrdup(MessageContext, text_to_cstring(PG_GETARG_TEXT_PP(0)));

	debug_query_string = instead;
	pgstat_report_activity(STATE_RUNNING, instead);
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
