/*
 * receive.c
 *	  SQL functions on the hot path of receive(): a good event is opened in one call, and what it brings releases others.
 *
 * open_inbound() knows only good events.  Whenever something is not as it should be, or needs a closer look, it says so
 * by returning null, and the functions in SQL find out what it is.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "api/inbound.h"
#include "engine/contract.h"
#include "engine/sender.h"
#include "engine/sql.h"
#include "json/datetime.h"
#include "pg/lookup.h"
#include "pg/settings.h"

#define QUANTITY_DIGITS		12		/* before the point */
#define QUANTITY_DECIMALS	6
#define URN					"urn:planthub:schema:"

PG_FUNCTION_INFO_V1(planthub_open_inbound);
PG_FUNCTION_INFO_V1(planthub_quantity_value);
PG_FUNCTION_INFO_V1(planthub_bring);
PG_FUNCTION_INFO_V1(planthub_take_released);

/* Results of open_inbound(), in order. */
enum
{
	OPENED_M, OPENED_EFFECT, OPENED_BUSINESS_KEY, OPENED_HASH, OPENED_REFERENCES,
	OPENED_COLUMNS
};

typedef struct Opening
{
	Jsonb	   *event;
	Jsonb	   *data;
	char	   *source;
	char	   *topic;
	int			version;
	TimestampTz time;
	TimestampTz sent_at;
	int			offset;
	const PhSender *sender;
	StringInfoData canonical;		/* what was hashed */
} Opening;

static JsonbValue *
member(Opening *opening, const char *name, JsonbValue *value)
{
	return getKeyJsonValueFromContainer(&opening->event->root, name, (int) strlen(name), value);
}

static char *
member_text(Opening *opening, const char *name)
{
	JsonbValue	value;

	if (member(opening, name, &value) == NULL || value.type != jbvString)
		return NULL;
	return pnstrdup(value.val.string.val, value.val.string.len);
}

static bool
read_instant(Opening *opening, const char *name, TimestampTz *result, int *offset)
{
	JsonbValue	value;
	PhDateTime	time;

	if (member(opening, name, &value) == NULL || value.type != jbvString ||
		ph_datetime_parse_iso(value.val.string.val, value.val.string.len, &time) != NULL ||
		!time.has_date || !time.has_time || !time.has_offset)
		return false;
	*result = ph_datetime_to_micros(&time) - time.offset * USECS_PER_MINUTE -
		(TimestampTz) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
	*offset = time.offset;
	return true;
}

/* Topic and version as dataschema and type agree on them. */
static bool
read_topic(Opening *opening)
{
	char	   *schema = member_text(opening, "dataschema");
	char	   *type = member_text(opening, "type");
	char	   *colon;
	char	   *end;

	if (schema == NULL || type == NULL || strncmp(schema, URN, strlen(URN)) != 0)
		return false;
	opening->topic = schema + strlen(URN);
	colon = strrchr(opening->topic, ':');
	if (colon == NULL || strlen(colon) > 9)
		return false;
	*colon = '\0';
	opening->version = (int) strtol(colon + 1, &end, 10);
	return *end == '\0' && strcmp(type, psprintf("planthub.%s.v%d", opening->topic, opening->version)) == 0;
}

/* Whether the event keeps the contracts of the envelope and of its topic. */
static bool
keeps_contracts(Opening *opening)
{
	const PhContract *contract = ph_contract_find("_envelope", 1);

	if (contract == NULL ||
		ph_contract_violations(contract, JsonbPGetDatum(opening->event), 1, "") != NULL || !read_topic(opening))
		return false;
	contract = ph_contract_find(opening->topic, opening->version);
	return contract != NULL && contract->status == PH_CONTRACT_ACTIVE &&
		ph_contract_violations(contract, JsonbPGetDatum(opening->data), 1, "") == NULL;
}

static bool
open_event(Opening *opening)
{
	JsonbValue	value;
	int			ignored;

	if (!JB_ROOT_IS_OBJECT(opening->event) || VARSIZE(opening->event) > (Size) ph_max_payload_size * 1024 ||
		member(opening, "data", &value) == NULL || value.type != jbvBinary)
		return false;
	opening->data = JsonbValueToJsonb(&value);
	opening->source = member_text(opening, "source");
	if (opening->source == NULL || !keeps_contracts(opening) ||
		!read_instant(opening, "time", &opening->time, &opening->offset) ||
		!read_instant(opening, "recordedtime", &opening->sent_at, &ignored))
		return false;
	opening->sender = ph_sender_find(opening->event, opening->source, opening->topic);
	return opening->sender != NULL;
}

/* The same as planthub.business_key(): the values as ->> gives them, with a unit separator between. */
static text *
business_key(Opening *opening)
{
	StringInfoData key;
	int			i;

	initStringInfo(&key);
	for (i = 0; i < opening->sender->nmembers; i++)
	{
		const char *name = opening->sender->members[i];
		JsonbValue	value;

		if (i > 0)
			appendStringInfoChar(&key, '\x1f');
		if (getKeyJsonValueFromContainer(&opening->data->root, name, (int) strlen(name), &value) == NULL ||
			value.type == jbvNull)
			continue;
		if (value.type == jbvString)
			appendBinaryStringInfo(&key, value.val.string.val, value.val.string.len);
		else
		{
			Jsonb	   *part = JsonbValueToJsonb(&value);

			(void) JsonbToCString(&key, &part->root, VARSIZE(part));
		}
	}
	return cstring_to_text_with_len(key.data, key.len);
}

static void
set_member(Opening *opening, Datum *values, bool *nulls, int attribute, const char *name)
{
	char	   *value = member_text(opening, name);

	nulls[attribute] = value == NULL;
	values[attribute] = value == NULL ? (Datum) 0 : CStringGetTextDatum(value);
}

static Datum
build_inbound(Opening *opening, TupleDesc descriptor)
{
	Datum		values[EVENT_ATTRIBUTES];
	bool		nulls[EVENT_ATTRIBUTES] = {0};
	const PhSender *sender = opening->sender;

	if (descriptor->natts != EVENT_ATTRIBUTES)
		elog(ERROR, "type planthub.inbound has %d attributes", descriptor->natts);
	nulls[EVENT_ID] = true;
	values[EVENT_TOPIC] = CStringGetTextDatum(opening->topic);
	values[EVENT_VERSION] = Int32GetDatum(opening->version);
	values[EVENT_SITE] = PointerGetDatum(sender->site);
	values[EVENT_SYSTEM] = PointerGetDatum(sender->system);
	values[EVENT_KIND] = PointerGetDatum(sender->kind);
	values[EVENT_SOURCE] = CStringGetTextDatum(opening->source);
	set_member(opening, values, nulls, EVENT_EVENT_ID, "id");
	set_member(opening, values, nulls, EVENT_SUBJECT, "subject");
	set_member(opening, values, nulls, EVENT_KEY, "partitionkey");
	values[EVENT_TIME] = TimestampTzGetDatum(opening->time);
	values[EVENT_OFFSET] = Int16GetDatum(opening->offset);
	values[EVENT_SENT_AT] = TimestampTzGetDatum(opening->sent_at);
	set_member(opening, values, nulls, EVENT_CORRELATION_ID, "correlationid");
	set_member(opening, values, nulls, EVENT_CAUSATION_ID, "causationid");
	set_member(opening, values, nulls, EVENT_TRACEPARENT, "traceparent");
	nulls[EVENT_TIMEZONE] = sender->timezone == NULL;
	values[EVENT_TIMEZONE] = PointerGetDatum(sender->timezone);
	values[EVENT_POLICIES] = JsonbPGetDatum(sender->policies);
	values[EVENT_DATA] = JsonbPGetDatum(opening->data);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, nulls));
}

/*
 * open_inbound(event jsonb) -> (m planthub.inbound, effect text, business_key text, hash bytea, has_references boolean):
 * a good event, which keeps its contracts and whose sender may send it; all null when it needs a closer look.
 */
Datum
planthub_open_inbound(PG_FUNCTION_ARGS)
{
	Opening		opening = {.event = PG_GETARG_JSONB_P(0)};
	TupleDesc	descriptor;
	Datum		values[OPENED_COLUMNS] = {0};
	bool		nulls[OPENED_COLUMNS] = {true, true, true, true, true};
	MemoryContext caller = CurrentMemoryContext;
	bool		good;

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "open_inbound() must return a row");
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	MemoryContextSwitchTo(caller);	/* what is found is needed after SPI_finish() */
	good = open_event(&opening);
	SPI_finish();
	if (good)
	{
		TupleDesc	inbound = lookup_rowtype_tupdesc_copy(TupleDescAttr(descriptor, OPENED_M)->atttypid, -1);

		memset(nulls, 0, sizeof(nulls));
		values[OPENED_M] = build_inbound(&opening, inbound);
		nulls[OPENED_EFFECT] = opening.sender->effect == NULL;
		values[OPENED_EFFECT] = PointerGetDatum(opening.sender->effect);
		nulls[OPENED_BUSINESS_KEY] = opening.sender->nmembers == 0;
		values[OPENED_BUSINESS_KEY] = PointerGetDatum(business_key(&opening));
		values[OPENED_HASH] = PointerGetDatum(ph_event_hash(opening.topic, opening.time, opening.data, &opening.canonical));
		values[OPENED_REFERENCES] = BoolGetDatum(strstr(opening.canonical.data, "\"scheme\":") != NULL);
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, nulls)));
}

/*
 * quantity_value(value text) -> numeric: a decimal as quantities have it; null when it does not fit numeric(18,6)
 * exactly, or is no decimal at all.
 */
Datum
planthub_quantity_value(PG_FUNCTION_ARGS)
{
	Datum		result;

	if (!ph_quantity_value(PG_GETARG_TEXT_PP(0), &result))
		PG_RETURN_NULL();
	PG_RETURN_DATUM(result);
}

bool
ph_quantity_value(text *value, Datum *result)
{
	const char *digits = VARDATA_ANY(value);
	int			length = VARSIZE_ANY_EXHDR(value);
	int			i = length > 0 && digits[0] == '-' ? 1 : 0;
	int			whole = 0;
	int			decimals = 0;		/* up to the last that is not 0 */
	int			start = i;

	for (; i < length && digits[i] >= '0' && digits[i] <= '9'; i++)
	{
		if (whole > 0 || digits[i] != '0')
			whole++;
	}
	if (i == start)
		return false;
	if (i < length && digits[i] == '.')
	{
		int			point = i++;

		for (; i < length && digits[i] >= '0' && digits[i] <= '9'; i++)
		{
			if (digits[i] != '0')
				decimals = i - point;
		}
		length = i == length ? point + decimals + (decimals > 0) : -1;
	}
	else if (i != length)
		length = -1;
	if (length < 0 || whole > QUANTITY_DIGITS || decimals > QUANTITY_DECIMALS)
		return false;
	*result = DirectFunctionCall3(numeric_in, CStringGetDatum(pnstrdup(digits, length)), ObjectIdGetDatum(InvalidOid),
								  Int32GetDatum(-1));
	return true;
}

/* ---- what has come ---- */

/* Whether an event was released in this transaction and has not been taken yet. */
static bool released = false;

static PhStatement release = {
	"UPDATE planthub.parked AS p SET due = true WHERE p.kind = $1 AND p.key = ANY ($2) AND NOT p.due",
	2, {TEXTOID, TEXTARRAYOID}
};

static bool
is_waited_for(const char *kind, const char *key)
{
	static const char *const columns[] = {"kind", "key"};
	const char *keys[] = {kind, key};
	PhLookup   *lookup = ph_lookup_open("parked", "parked_thing", 2, columns, keys);
	bool		found = ph_lookup_next(lookup);

	ph_lookup_close(lookup);
	return found;
}

/*
 * bring(kind text, keys text[]) -> boolean: things have come to be.  They are locked as who waits for them locks them, so one of
 * the two sees the other; events that wait become due, and the result is whether there were any.
 */
Datum
planthub_bring(PG_FUNCTION_ARGS)
{
	Datum		arguments[2] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};
	char	   *kind = TextDatumGetCString(arguments[0]);
	Datum	   *keys;
	bool	   *nulls;
	bool		found = false;
	int			n;
	int			i;

	ph_lock_things(PG_GETARG_TEXT_PP(0), PG_GETARG_ARRAYTYPE_P(1));
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT, &keys, &nulls, &n);
	for (i = 0; i < n && !found; i++)
		found = !nulls[i] && is_waited_for(kind, TextDatumGetCString(keys[i]));
	if (!found)
		PG_RETURN_BOOL(false);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	if (ph_sql_run(&release, arguments, NULL, SPI_OK_UPDATE) > 0)
		released = true;
	SPI_finish();
	PG_RETURN_BOOL(true);
}

static PhStatement left_behind = {
	"SELECT FROM planthub.parked AS p WHERE p.due LIMIT 1", 0, {0}
};

/*
 * take_released() -> boolean: whether bring() has released events since this was asked last, or others have left released
 * ones behind because this transaction had their key.
 */
Datum
planthub_take_released(PG_FUNCTION_ARGS)
{
	bool		result = released;

	released = false;
	if (!result)
	{
		if (SPI_connect() != SPI_OK_CONNECT)
			elog(ERROR, "could not connect to SPI");
		result = ph_sql_run(&left_behind, NULL, NULL, SPI_OK_SELECT) > 0;
		SPI_finish();
	}
	PG_RETURN_BOOL(result);
}
