/*
 * mapping_call.c
 *	  Functions that mappings may call.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "json/mapping_call.h"
#include "pg/careful.h"
#include "pg/lookup.h"

struct PhMappingFunction
{
	Oid			owner;
	FmgrInfo	info;
};

static PhWatch watch = {.table = "mapping_function"};
static uint64 procedure_changes = 0;
static bool registered = false;

static void
on_procedure_change(Datum arg, int cache, uint32 hash)
{
	procedure_changes++;
}

uint64
ph_mapping_function_changes(void)
{
	if (!registered)
	{
		CacheRegisterSyscacheCallback(PROCOID, on_procedure_change, (Datum) 0);
		registered = true;
	}
	return ph_watch(&watch) + procedure_changes;
}

/* Without regard to privileges: whoever registered it was its owner. */
static HeapTuple
find_procedure(const char *schema, const char *name)
{
	Oid			argument = JSONBOID;

	return SearchSysCache3(PROCNAMEARGSNSP, CStringGetDatum(name), PointerGetDatum(buildoidvector(&argument, 1)),
						   ObjectIdGetDatum(get_namespace_oid(schema, true)));
}

PhMappingFunction *
ph_mapping_function(const char *code, const char **message)
{
	static const char *const columns[] = {"code"};
	PhLookup   *lookup = ph_lookup_open("mapping_function", "mapping_function_pkey", 1, columns, &code);
	PhMappingFunction *function;
	char	   *schema = NULL;
	char	   *name = NULL;
	HeapTuple	procedure;
	Form_pg_proc form;

	if (ph_lookup_next(lookup))
	{
		schema = ph_lookup_text(lookup, "schema");
		name = ph_lookup_text(lookup, "function");
	}
	ph_lookup_close(lookup);
	if (name == NULL)
	{
		*message = psprintf("function \"%s\" is not registered in planthub.mapping_function", code);
		return NULL;
	}
	procedure = find_procedure(schema, name);
	if (!HeapTupleIsValid(procedure))
	{
		*message = psprintf("function %s.%s(jsonb) does not exist", schema, name);
		return NULL;
	}
	form = (Form_pg_proc) GETSTRUCT(procedure);
	if (form->prorettype != JSONBOID || form->proretset || form->provolatile == PROVOLATILE_VOLATILE)
	{
		ReleaseSysCache(procedure);
		*message = psprintf("function %s.%s(jsonb) must return jsonb and be stable or immutable", schema, name);
		return NULL;
	}
	function = palloc(sizeof(PhMappingFunction));
	function->owner = form->proowner;
	fmgr_info_cxt(form->oid, &function->info, CurrentMemoryContext);
	ReleaseSysCache(procedure);
	return function;
}

typedef struct Invocation
{
	PhMappingFunction *function;
	Jsonb	   *argument;
	PhValue    *result;			/* copied into the current memory context */
} Invocation;

static void
invoke(void *arg)
{
	Invocation *invocation = arg;
	LOCAL_FCINFO(fcinfo, 1);
	PhGuard		guard;
	Datum		value;

	ph_guard_begin(&guard, invocation->function->owner);
	InitFunctionCallInfoData(*fcinfo, &invocation->function->info, 1, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = JsonbPGetDatum(invocation->argument);
	fcinfo->args[0].isnull = false;
	value = FunctionCallInvoke(fcinfo);
	*invocation->result = fcinfo->isnull ? ph_value_null() :
		ph_value_from_jsonb((Jsonb *) PG_DETOAST_DATUM_COPY(value));
	ph_guard_end(&guard);
}

bool
ph_mapping_function_call(PhMappingFunction *function, const PhValue *with, PhValue *result, const char **message)
{
	Invocation	invocation = {function, ph_value_to_jsonb(with, NULL), result};
	bool		push = !ActiveSnapshotSet();
	bool		good;

	if (push)
		PushActiveSnapshot(GetTransactionSnapshot());
	good = ph_careful(invoke, &invocation, message);
	if (push)
		PopActiveSnapshot();
	return good;
}
