/*
 * inbound.c
 *	  SQL functions that receive() and the effects are made of: the hash of a fact, locks on things, calling functions
 *	  that were registered, publishing what was received.
 */
#include "postgres.h"

#include <openssl/evp.h>

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "parser/parse_func.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "api/addition.h"
#include "api/line.h"
#include "engine/pattern.h"
#include "engine/publish.h"
#include "json/canonical.h"
#include "pg/compat.h"
#include "pg/careful.h"
#include "pg/lookup.h"
#include "pg/relations.h"

#define SHA256_LENGTH	32
#define LOCK_POLL_MS	2

/* Apart from the locks that users take (1 or 2) and those of ordering keys. */
#define ADVISORY_CLASS	0x5049

/*
 * Things of one kind share this many locks, so that a transaction that touches a million of them does not fill the table
 * of locks.  Two things that share one only wait for each other without need.
 */
#define THING_LOCKS		4096

PG_FUNCTION_INFO_V1(planthub_event_hash);
PG_FUNCTION_INFO_V1(planthub_lock_things);
PG_FUNCTION_INFO_V1(planthub_call_effect);
PG_FUNCTION_INFO_V1(planthub_run_checks);
PG_FUNCTION_INFO_V1(planthub_publish_inbound);
PG_FUNCTION_INFO_V1(planthub_lock_key);

/*
 * event_hash(topic text, event_time timestamptz, data jsonb) -> bytea: SHA-256 of the canonical form of a fact.  What
 * belongs to the transport is left out, so a copy sent again has the hash of the first.
 */
Datum
planthub_event_hash(PG_FUNCTION_ARGS)
{
	StringInfoData canonical;

	PG_RETURN_BYTEA_P(ph_event_hash(text_to_cstring(PG_GETARG_TEXT_PP(0)), PG_GETARG_TIMESTAMPTZ(1),
									PG_GETARG_JSONB_P(2), &canonical));
}

bytea *
ph_event_hash(const char *topic, TimestampTz event_time, Jsonb *data, StringInfo canonical)
{
	bytea	   *result = palloc(VARHDRSZ + SHA256_LENGTH);

	initStringInfo(canonical);
	appendStringInfo(canonical, "%s\n" INT64_FORMAT "\n", topic, (int64) event_time);
	ph_canonical_append(canonical, data);
	SET_VARSIZE(result, VARHDRSZ + SHA256_LENGTH);
	if (EVP_Digest(canonical->data, canonical->len, (unsigned char *) VARDATA(result), NULL, EVP_sha256(), NULL) != 1)
		elog(ERROR, "could not compute a digest");
	return result;
}

/* ---- locks ---- */

static int
compare_locks(const void *a, const void *b)
{
	uint32		left = *(const uint32 *) a;
	uint32		right = *(const uint32 *) b;

	return left < right ? -1 : left > right;
}

/*
 * lock_things(kind text, keys text[]) -> true: locks things until the end of the transaction, always in one order.  Who parks
 * an event that waits for a thing, and who brings the thing, both do so; one of them sees what the other has written.
 */
Datum
planthub_lock_things(PG_FUNCTION_ARGS)
{
	ph_lock_things(PG_GETARG_TEXT_PP(0), PG_GETARG_ARRAYTYPE_P(1));
	PG_RETURN_BOOL(true);
}

void
ph_lock_things(text *kind, ArrayType *array)
{
	uint64		seed = hash_bytes_extended((unsigned char *) VARDATA_ANY(kind), (int) VARSIZE_ANY_EXHDR(kind), 0);
	Datum	   *keys;
	bool	   *nulls;
	uint32	   *locks;
	int			n;
	int			i;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &keys, &nulls, &n);
	locks = palloc(Max(n, 1) * sizeof(uint32));
	for (i = 0; i < n; i++)
	{
		text	   *key = nulls[i] ? cstring_to_text("") : DatumGetTextPP(keys[i]);

		locks[i] = (uint32) (hash_bytes_extended((unsigned char *) VARDATA_ANY(key), (int) VARSIZE_ANY_EXHDR(key),
												 seed) % THING_LOCKS);
	}
	qsort(locks, n, sizeof(uint32), compare_locks);
	for (i = 0; i < n; i++)
	{
		LOCKTAG		tag;

		if (i > 0 && locks[i] == locks[i - 1])
			continue;
		SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) seed, locks[i], ADVISORY_CLASS);
		(void) LockAcquire(&tag, ExclusiveLock, false, false);
	}
}

/*
 * lock_key(site text, key text, patience int) -> boolean: locks an ordering key as publish(serialise => true) does;
 * false when another transaction still has it after so many milliseconds.  Negative: waits as long as it takes.
 */
Datum
planthub_lock_key(PG_FUNCTION_ARGS)
{
	text	   *key = PG_GETARG_TEXT_PP(1);

	char	   *site = text_to_cstring(PG_GETARG_TEXT_PP(0));
	int			patience = PG_GETARG_INT32(2);
	bool		locked = ph_publish_lock_key(site, key, patience < 0);
	int			waited;

	for (waited = 0; !locked && waited < patience; waited += LOCK_POLL_MS)
	{
		CHECK_FOR_INTERRUPTS();
		pg_usleep(LOCK_POLL_MS * 1000L);
		locked = ph_publish_lock_key(site, key, false);
	}
	PG_RETURN_BOOL(locked);
}

/* ---- functions that were registered ---- */

/*
 * They run with the rights of the owner of the extension, as all that receive() does.  So that registering one does not
 * lend those rights, it must belong to that owner, or run with its own owner's (SECURITY DEFINER).
 */
static Oid
find_function(const char *name, const Oid *types, int ntypes, Oid result, bool *trusted)
{
	List	   *names = ph_qualified_name(name);
	Oid			function = LookupFuncName(names, ntypes, types, true);
	HeapTuple	tuple = OidIsValid(function) ? SearchSysCache1(PROCOID, ObjectIdGetDatum(function)) : NULL;
	Form_pg_proc form;

	if (!HeapTupleIsValid(tuple) || ((Form_pg_proc) GETSTRUCT(tuple))->prorettype != result)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function \"%s\" does not exist", name),
				 errdetail("It must be %s(%s%s) returns planthub.violation[].", name, format_type_be(types[0]),
						   ntypes > 1 ? ", planthub.line[]" : ""),
				 errhint("Create it, or correct planthub.effect or planthub.rule_check.")));
	form = (Form_pg_proc) GETSTRUCT(tuple);
	*trusted = form->proowner == GetUserId() || superuser_arg(form->proowner);
	if (!form->prosecdef && !*trusted)
	{
		ReleaseSysCache(tuple);
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("function \"%s\" would run with the rights of the extension", name),
				 errhint("Make it SECURITY DEFINER.")));
	}
	ReleaseSysCache(tuple);
	return function;
}

/* A type of our schema; "line" is in pg_catalog, too. */
static Oid
type_oid(const char *name)
{
	return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum(name), ObjectIdGetDatum(ph_schema_oid()));
}

static bool
call_function(Oid function, bool trusted, Datum *arguments, const bool *nulls, int n, Datum *result)
{
	LOCAL_FCINFO(fcinfo, 2);
	FmgrInfo	flinfo;
	PhGuard		guard;
	int			i;

	if (!trusted)
		ph_guard_begin(&guard, GetUserId());
	fmgr_info(function, &flinfo);
	InitFunctionCallInfoData(*fcinfo, &flinfo, n, InvalidOid, NULL, NULL);
	for (i = 0; i < n; i++)
	{
		fcinfo->args[i].value = arguments[i];
		fcinfo->args[i].isnull = nulls[i];
	}
	*result = FunctionCallInvoke(fcinfo);
	if (!trusted)
		ph_guard_end(&guard);
	return !fcinfo->isnull;
}

/* call_effect(function text, event planthub.inbound) -> planthub.violation[] */
Datum
planthub_call_effect(PG_FUNCTION_ARGS)
{
	Oid			types[1] = {type_oid("inbound")};
	bool		trusted;
	Oid			function = find_function(text_to_cstring(PG_GETARG_TEXT_PP(0)), types, 1,
										 get_array_type(type_oid("violation")), &trusted);
	Datum		argument = PG_GETARG_DATUM(1);
	bool		isnull = false;
	Datum		result;

	if (!call_function(function, trusted, &argument, &isnull, 1, &result))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(result);
}

/* One row of planthub.rule_check. */
typedef struct Check
{
	const char *step;
	const char *topic;
	const char *function;
} Check;

static PhWatch check_watch = {.table = "rule_check"};
static uint64 checks_read = UINT64_MAX;
static MemoryContext check_context = NULL;
static Check *checks;
static int	nchecks;

static void
read_checks(void)
{
	uint64		changes = ph_watch(&check_watch);
	PhLookup   *lookup;
	MemoryContext old;
	int			allocated = 16;

	if (checks_read == changes)
		return;
	if (check_context == NULL)
		check_context = AllocSetContextCreate(TopMemoryContext, "PlantHub checks", ALLOCSET_SMALL_SIZES);
	MemoryContextReset(check_context);
	checks_read = UINT64_MAX;
	old = MemoryContextSwitchTo(check_context);
	checks = palloc(allocated * sizeof(Check));
	nchecks = 0;
	lookup = ph_lookup_open("rule_check", NULL, 0, NULL, NULL);
	while (ph_lookup_next(lookup))
	{
		if (nchecks == allocated)
			checks = repalloc(checks, (allocated *= 2) * sizeof(Check));
		checks[nchecks].step = ph_lookup_text(lookup, "step");
		checks[nchecks].topic = ph_lookup_text(lookup, "topic");
		checks[nchecks++].function = ph_lookup_text(lookup, "function");
	}
	ph_lookup_close(lookup);
	MemoryContextSwitchTo(old);
	checks_read = changes;
}

/* Names of the checks of a step for a topic; copies, because a check may cause the list to be read again. */
static List *
matching_checks(const char *step, const char *topic)
{
	List	   *names = NIL;
	int			i;

	read_checks();
	for (i = 0; i < nchecks; i++)
	{
		if (strcmp(checks[i].step, step) == 0 && ph_pattern_matches(checks[i].topic, topic))
			names = lappend(names, pstrdup(checks[i].function));
	}
	return names;
}

/*
 * run_checks(step text, topic text, event planthub.inbound, lines planthub.line[]) -> planthub.violation[]: what the
 * registered checks of a step find; null when nothing.
 */
Datum
planthub_run_checks(PG_FUNCTION_ARGS)
{
	Datum		arguments[2] = {PG_GETARG_DATUM(2), PG_GETARG_DATUM(3)};
	bool		nulls[2] = {PG_ARGISNULL(2), PG_ARGISNULL(3)};
	List	   *names;
	Datum		all = (Datum) 0;
	ListCell   *cell;

	ph_require_arguments(fcinfo, 0, 1);
	names = matching_checks(text_to_cstring(PG_GETARG_TEXT_PP(0)), text_to_cstring(PG_GETARG_TEXT_PP(1)));
	foreach(cell, names)
	{
		Oid			types[2] = {type_oid("inbound"), get_array_type(type_oid("line"))};
		bool		trusted;
		Oid			function = find_function(lfirst(cell), types, 2, get_array_type(type_oid("violation")), &trusted);
		Datum		found;

		if (call_function(function, trusted, arguments, nulls, 2, &found))
			all = all == (Datum) 0 ? found : OidFunctionCall2(F_ARRAY_CAT, all, found);
	}
	if (all == (Datum) 0)
		PG_RETURN_NULL();
	PG_RETURN_DATUM(all);
}

/* ---- publishing what was received ---- */

static text *
text_attribute(Datum *values, bool *nulls, int attribute)
{
	return nulls[attribute] ? NULL : DatumGetTextPP(values[attribute]);
}

static void
fill_fact(PhFact *fact, Datum *values, bool *nulls)
{
	fact->id = DatumGetInt64(values[EVENT_ID]);
	fact->version = DatumGetInt32(values[EVENT_VERSION]);
	fact->received = true;
	fact->key = text_attribute(values, nulls, EVENT_KEY);
	fact->subject = text_attribute(values, nulls, EVENT_SUBJECT);
	fact->source = text_attribute(values, nulls, EVENT_SOURCE);
	fact->event_id = text_attribute(values, nulls, EVENT_EVENT_ID);
	fact->correlation_id = text_attribute(values, nulls, EVENT_CORRELATION_ID);
	fact->causation_id = text_attribute(values, nulls, EVENT_CAUSATION_ID);
	fact->traceparent = text_attribute(values, nulls, EVENT_TRACEPARENT);
	fact->has_event_time = true;
	fact->event_time = DatumGetTimestampTz(values[EVENT_TIME]);
	fact->has_event_offset = !nulls[EVENT_OFFSET];
	fact->event_offset = DatumGetInt16(values[EVENT_OFFSET]);
	fact->data = ph_addition_apply(fact->id, values[EVENT_DATA]);
}

/*
 * publish_inbound(event planthub.inbound) -> true: the message for an event that was received, under the number that it has.
 * Whether it is new was found out before.
 */
Datum
planthub_publish_inbound(PG_FUNCTION_ARGS)
{
	PhInbound	event;
	PhFact		fact = {0};
	PhPublication *publication;

	ph_inbound_argument(fcinfo, 0, &event);
	fill_fact(&fact, event.values, event.nulls);
	publication = ph_publish_open(TextDatumGetCString(event.values[EVENT_TOPIC]), TextDatumGetCString(event.values[EVENT_SITE]));
	(void) ph_publish_row(publication, &fact);
	ph_publish_close(publication);
	PG_RETURN_BOOL(true);
}
