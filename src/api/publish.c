/*
 * publish.c
 *	  SQL functions planthub.publish() and planthub.publish_many().
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "engine/publish.h"

/* Furthest that clocks are from UTC, as the server sees it. */
#define OFFSET_LIMIT_MINUTES	(16 * 60)

/* An array argument; NULL elements and a NULL array are told apart by the caller. */
typedef struct Elements
{
	int			n;				/* -1: the argument is NULL */
	Datum	   *values;
	bool	   *nulls;
} Elements;

PG_FUNCTION_INFO_V1(planthub_publish);
PG_FUNCTION_INFO_V1(planthub_publish_many);

static void
require_argument(FunctionCallInfo fcinfo, int number, const char *name)
{
	if (PG_ARGISNULL(number))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name)));
}

static text *
text_argument(FunctionCallInfo fcinfo, int number)
{
	return PG_ARGISNULL(number) ? NULL : PG_GETARG_TEXT_PP(number);
}

/* What is the same for one message and for many. */
static void
set_attributes(PhFact *fact, FunctionCallInfo fcinfo, int number)
{
	if (PG_ARGISNULL(number))
		return;
	fact->attributes = PG_GETARG_DATUM(number);
	ph_publish_check_attributes(fact->attributes);
}

static void
set_not_before(PhFact *fact, FunctionCallInfo fcinfo, int number)
{
	if (PG_ARGISNULL(number))
		return;
	fact->has_not_before = true;
	fact->not_before = PG_GETARG_TIMESTAMPTZ(number);
	ph_publish_check_time("not_before", fact->not_before);
}

static void
set_event_offset(PhFact *fact, FunctionCallInfo fcinfo, int number)
{
	Interval   *offset;
	int64		minutes;

	if (PG_ARGISNULL(number))
		return;
	offset = PG_GETARG_INTERVAL_P(number);
	minutes = offset->time / USECS_PER_MINUTE;
	if (offset->month != 0 || offset->day != 0 || offset->time % USECS_PER_MINUTE != 0 ||
		minutes <= -OFFSET_LIMIT_MINUTES || minutes >= OFFSET_LIMIT_MINUTES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" is not an offset from UTC", "event_offset"),
				 errhint("Give whole minutes of less than 16 hours, such as interval '+02:00'.")));
	fact->has_event_offset = true;
	fact->event_offset = (int) minutes;
}

static void
set_texts(PhFact *fact, FunctionCallInfo fcinfo, int source, int correlation_id, int causation_id, int traceparent)
{
	fact->source = text_argument(fcinfo, source);
	fact->correlation_id = text_argument(fcinfo, correlation_id);
	fact->causation_id = text_argument(fcinfo, causation_id);
	fact->traceparent = text_argument(fcinfo, traceparent);
	ph_publish_check_text("source", fact->source);
	ph_publish_check_text("correlation_id", fact->correlation_id);
	ph_publish_check_text("causation_id", fact->causation_id);
	ph_publish_check_traceparent(fact->traceparent);
}

/* ---- publish() ---- */

enum
{
	ARG_TOPIC, ARG_DATA, ARG_KEY, ARG_SITE, ARG_SUBJECT, ARG_EVENT_TIME, ARG_SOURCE, ARG_EVENT_ID,
	ARG_CORRELATION_ID, ARG_CAUSATION_ID, ARG_TRACEPARENT, ARG_ATTRIBUTES, ARG_NOT_BEFORE, ARG_SERIALISE,
	ARG_EVENT_OFFSET
};

Datum
planthub_publish(PG_FUNCTION_ARGS)
{
	PhFact		fact = {0};
	PhPublication *publication;
	char	   *topic;
	char	   *site;
	int64		id;

	require_argument(fcinfo, ARG_TOPIC, "topic");
	require_argument(fcinfo, ARG_DATA, "data");
	require_argument(fcinfo, ARG_SITE, "site");
	require_argument(fcinfo, ARG_SERIALISE, "serialise");
	topic = text_to_cstring(PG_GETARG_TEXT_PP(ARG_TOPIC));
	site = text_to_cstring(PG_GETARG_TEXT_PP(ARG_SITE));

	fact.data = PG_GETARG_DATUM(ARG_DATA);
	fact.key = text_argument(fcinfo, ARG_KEY);
	fact.subject = text_argument(fcinfo, ARG_SUBJECT);
	fact.event_id = text_argument(fcinfo, ARG_EVENT_ID);
	if (!PG_ARGISNULL(ARG_EVENT_TIME))
	{
		fact.has_event_time = true;
		fact.event_time = PG_GETARG_TIMESTAMPTZ(ARG_EVENT_TIME);
	}
	set_texts(&fact, fcinfo, ARG_SOURCE, ARG_CORRELATION_ID, ARG_CAUSATION_ID, ARG_TRACEPARENT);
	set_attributes(&fact, fcinfo, ARG_ATTRIBUTES);
	set_not_before(&fact, fcinfo, ARG_NOT_BEFORE);
	set_event_offset(&fact, fcinfo, ARG_EVENT_OFFSET);

	if (PG_GETARG_BOOL(ARG_SERIALISE))
		ph_publish_serialise(site, &fact.key, 1);
	publication = ph_publish_open(topic, site);
	id = ph_publish_row(publication, &fact);
	ph_publish_close(publication);
	PG_RETURN_INT64(id);
}

/* ---- publish_many() ---- */

enum
{
	MANY_TOPIC, MANY_SITE, MANY_KEYS, MANY_DATA, MANY_SUBJECTS, MANY_EVENT_TIMES, MANY_SOURCE, MANY_EVENT_IDS,
	MANY_CORRELATION_ID, MANY_CAUSATION_ID, MANY_TRACEPARENT, MANY_ATTRIBUTES, MANY_NOT_BEFORE, MANY_SERIALISE
};

/* n is the number of elements that it must have, -1 for any. */
static void
get_elements(FunctionCallInfo fcinfo, int number, const char *name, Oid type, int n, Elements *elements)
{
	ArrayType  *array;

	elements->n = -1;
	if (PG_ARGISNULL(number))
		return;
	array = PG_GETARG_ARRAYTYPE_P(number);
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("argument \"%s\" must be an array of one dimension", name)));
	if (type == TIMESTAMPTZOID)
		deconstruct_array(array, type, sizeof(TimestampTz), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
						  &elements->values, &elements->nulls, &elements->n);
	else
		deconstruct_array(array, type, -1, false, TYPALIGN_INT, &elements->values, &elements->nulls, &elements->n);
	if (n >= 0 && elements->n != n)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("arguments \"%s\" and \"%s\" must have the same number of elements", name, "data"),
				 errdetail("They have %d and %d.", elements->n, n)));
}

static text *
text_element(Elements *elements, int i)
{
	return elements->n < 0 || elements->nulls[i] ? NULL : DatumGetTextPP(elements->values[i]);
}

static Tuplestorestate *
start_result(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext old;

	if (result == NULL || !IsA(result, ReturnSetInfo) || (result->allowedModes & SFRM_Materialize) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-valued function called in context that cannot accept a set")));
	old = MemoryContextSwitchTo(result->econtext->ecxt_per_query_memory);
	result->returnMode = SFRM_Materialize;
	result->setResult = tuplestore_begin_heap((result->allowedModes & SFRM_Materialize_Random) != 0, false, work_mem);
	result->setDesc = CreateTemplateTupleDesc(1);
	TupleDescInitEntry(result->setDesc, 1, "publish_many", INT8OID, -1, 0);
	MemoryContextSwitchTo(old);
	return result->setResult;
}

static void
serialise_many(const char *site, Elements *keys, int n)
{
	text	  **all = MemoryContextAllocHuge(CurrentMemoryContext, Max(n, 1) * sizeof(text *));
	int			i;

	for (i = 0; i < n; i++)
		all[i] = text_element(keys, i);
	ph_publish_serialise(site, all, n);
	pfree(all);
}

/* Whatever is wrong with one of many: which one. */
static void
tell_element(void *i)
{
	errcontext("element %d of argument \"%s\"", *(int *) i + 1, "data");
}

Datum
planthub_publish_many(PG_FUNCTION_ARGS)
{
	PhFact		fact = {0};
	PhPublication *publication;
	Tuplestorestate *ids = start_result(fcinfo);
	TupleDesc	descriptor = ((ReturnSetInfo *) fcinfo->resultinfo)->setDesc;
	Elements	data;
	Elements	keys;
	Elements	subjects;
	Elements	event_times;
	Elements	event_ids;
	ErrorContextCallback context = {error_context_stack, tell_element};
	char	   *topic;
	char	   *site;
	int			i;

	require_argument(fcinfo, MANY_TOPIC, "topic");
	require_argument(fcinfo, MANY_SITE, "site");
	require_argument(fcinfo, MANY_DATA, "data");
	require_argument(fcinfo, MANY_SERIALISE, "serialise");
	topic = text_to_cstring(PG_GETARG_TEXT_PP(MANY_TOPIC));
	site = text_to_cstring(PG_GETARG_TEXT_PP(MANY_SITE));
	get_elements(fcinfo, MANY_DATA, "data", JSONBOID, -1, &data);
	get_elements(fcinfo, MANY_KEYS, "keys", TEXTOID, data.n, &keys);
	get_elements(fcinfo, MANY_SUBJECTS, "subjects", TEXTOID, data.n, &subjects);
	get_elements(fcinfo, MANY_EVENT_TIMES, "event_times", TIMESTAMPTZOID, data.n, &event_times);
	get_elements(fcinfo, MANY_EVENT_IDS, "event_ids", TEXTOID, data.n, &event_ids);
	set_texts(&fact, fcinfo, MANY_SOURCE, MANY_CORRELATION_ID, MANY_CAUSATION_ID, MANY_TRACEPARENT);
	set_attributes(&fact, fcinfo, MANY_ATTRIBUTES);
	set_not_before(&fact, fcinfo, MANY_NOT_BEFORE);

	if (PG_GETARG_BOOL(MANY_SERIALISE))
		serialise_many(site, &keys, data.n);
	publication = ph_publish_open(topic, site);
	context.arg = &i;
	error_context_stack = &context;
	for (i = 0; i < data.n; i++)
	{
		Datum		id;
		bool		isnull = false;

		CHECK_FOR_INTERRUPTS();
		if (data.nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("element %d of argument \"%s\" must not be null", i + 1, "data")));
		fact.data = data.values[i];
		fact.key = text_element(&keys, i);
		fact.subject = text_element(&subjects, i);
		fact.event_id = text_element(&event_ids, i);
		fact.has_event_time = event_times.n >= 0 && !event_times.nulls[i];
		if (fact.has_event_time)
			fact.event_time = DatumGetTimestampTz(event_times.values[i]);
		id = Int64GetDatum(ph_publish_row(publication, &fact));
		tuplestore_putvalues(ids, descriptor, &id, &isnull);
	}
	error_context_stack = context.previous;
	ph_publish_close(publication);
	return (Datum) 0;
}
