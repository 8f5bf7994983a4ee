/*
 * receive.c
 *	  SQL functions on the hot path of receive(): a good event is opened in one call, and what it brings releases others.
 *
 * open_inbound() knows only good events that are new.  Whenever something is not as it should be, or needs a closer look,
 * it says so by returning null, and the functions in SQL find out what it is.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "api/line.h"
#include "engine/contract.h"
#include "engine/publish.h"
#include "engine/sender.h"
#include "engine/sql.h"
#include "json/datetime.h"
#include "pg/insert.h"
#include "pg/lookup.h"
#include "pg/relations.h"
#include "pg/search.h"
#include "pg/settings.h"
#include "pg/xact.h"

#define QUANTITY_DIGITS		12		/* before the point */
#define QUANTITY_DECIMALS	6
#define URN					"urn:planthub:schema:"

PG_FUNCTION_INFO_V1(planthub_open_inbound);
PG_FUNCTION_INFO_V1(planthub_quantity_value);
PG_FUNCTION_INFO_V1(planthub_bring);
PG_FUNCTION_INFO_V1(planthub_take_released);
PG_FUNCTION_INFO_V1(planthub_close_inbound);

/* Results of open_inbound(), in order. */
enum
{
	OPENED_M, OPENED_EFFECT, OPENED_BUSINESS_KEY, OPENED_HASH,
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
	text	   *business_key;		/* NULL: the topic has none */
	bytea	   *hash;
	PhInbound	inbound;
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

	if (opening->sender->nmembers == 0)
		return NULL;
	initStringInfo(&key);
	for (i = 0; i < opening->sender->nmembers; i++)
	{
		Datum		value;

		if (i > 0)
			appendStringInfoChar(&key, '\x1f');
		if (ph_member_text(&opening->data->root, opening->sender->members[i], &value))
			appendBinaryStringInfo(&key, VARDATA_ANY(DatumGetPointer(value)), VARSIZE_ANY_EXHDR(DatumGetPointer(value)));
	}
	return cstring_to_text_with_len(key.data, key.len);
}

static void
set_value(Opening *opening, int attribute, Datum value, bool isnull)
{
	opening->inbound.values[attribute] = value;
	opening->inbound.nulls[attribute] = isnull;
}

static void
set_member(Opening *opening, int attribute, const char *name)
{
	char	   *value = member_text(opening, name);

	set_value(opening, attribute, value == NULL ? (Datum) 0 : CStringGetTextDatum(value), value == NULL);
}

static void
fill_inbound(Opening *opening)
{
	const PhSender *sender = opening->sender;

	set_value(opening, EVENT_ID, (Datum) 0, true);
	set_value(opening, EVENT_TOPIC, CStringGetTextDatum(opening->topic), false);
	set_value(opening, EVENT_VERSION, Int32GetDatum(opening->version), false);
	set_value(opening, EVENT_SITE, PointerGetDatum(sender->site), false);
	set_value(opening, EVENT_SYSTEM, PointerGetDatum(sender->system), false);
	set_value(opening, EVENT_KIND, PointerGetDatum(sender->kind), false);
	set_value(opening, EVENT_SOURCE, CStringGetTextDatum(opening->source), false);
	set_member(opening, EVENT_EVENT_ID, "id");
	set_member(opening, EVENT_SUBJECT, "subject");
	set_member(opening, EVENT_KEY, "partitionkey");
	set_value(opening, EVENT_TIME, TimestampTzGetDatum(opening->time), false);
	set_value(opening, EVENT_OFFSET, Int16GetDatum(opening->offset), false);
	set_value(opening, EVENT_SENT_AT, TimestampTzGetDatum(opening->sent_at), false);
	set_member(opening, EVENT_CORRELATION_ID, "correlationid");
	set_member(opening, EVENT_CAUSATION_ID, "causationid");
	set_member(opening, EVENT_TRACEPARENT, "traceparent");
	set_value(opening, EVENT_TIMEZONE, PointerGetDatum(sender->timezone), sender->timezone == NULL);
	set_value(opening, EVENT_POLICIES, JsonbPGetDatum(sender->policies), false);
	set_value(opening, EVENT_DATA, JsonbPGetDatum(opening->data), false);
}

/* The canonical form of the data tells whether they have references that must be looked up. */
static bool
identify(Opening *opening)
{
	StringInfoData canonical;

	opening->business_key = business_key(opening);
	opening->hash = ph_event_hash(opening->topic, opening->time, opening->data, &canonical);
	return strstr(canonical.data, "\"scheme\":") == NULL;
}

/* The same as planthub.lock_event() without end of patience. */
static void
lock_event(Opening *opening)
{
	const char *site = text_to_cstring(opening->sender->site);
	bool		has_key = !opening->inbound.nulls[EVENT_KEY];
	Datum		key = opening->inbound.values[EVENT_KEY];
	Datum		order_no;
	Datum		order_key;
	int			order;

	if (!ph_member_text(&opening->data->root, "order", &order_no))
	{
		if (has_key)
			(void) ph_publish_lock_key(site, DatumGetTextPP(key), true);
		return;
	}
	order_key = CStringGetTextDatum(psprintf("mo:%s", TextDatumGetCString(order_no)));
	order = has_key ? DatumGetInt32(DirectFunctionCall2Coll(bttextcmp, C_COLLATION_OID, key, order_key)) : 0;
	if (order < 0)
		(void) ph_publish_lock_key(site, DatumGetTextPP(key), true);
	(void) ph_publish_lock_key(site, DatumGetTextPP(order_key), true);
	if (order > 0)
		(void) ph_publish_lock_key(site, DatumGetTextPP(key), true);
}

static bool
is_in_inbox(const char *index, int nkeys, const Datum *keys, Snapshot snapshot)
{
	static const char *const columns[] = {NULL};
	PhSearch   *inbox = ph_search_open("inbox", index, nkeys, columns, snapshot);
	bool		found = ph_search_first(inbox, keys);

	ph_search_close(inbox);
	return found;
}

/* Whether the event, or another one about the same fact, arrived before.  Its key is locked, so this stays so. */
static bool
is_known(Opening *opening)
{
	Datum	   *values = opening->inbound.values;
	Datum		identity[] = {values[EVENT_SOURCE], values[EVENT_EVENT_ID]};
	Datum		fact[] = {values[EVENT_SOURCE], values[EVENT_TOPIC], PointerGetDatum(opening->business_key)};
	Snapshot	snapshot = RegisterSnapshot(GetTransactionSnapshot());
	bool		known = is_in_inbox("inbox_identity", 2, identity, snapshot) ||
		(opening->business_key != NULL && is_in_inbox("inbox_business_key", 3, fact, snapshot));

	UnregisterSnapshot(snapshot);
	return known;
}

/* Microseconds that a policy stands for; false when it says nothing, or nothing that is plain. */
static bool
policy_span(Opening *opening, const char *name, double unit, double *span)
{
	Datum		value;
	char	   *number;
	char	   *end;

	if (!ph_member_text(&opening->sender->policies->root, name, &value))
		return false;
	number = TextDatumGetCString(value);
	*span = strtod(number, &end) * unit;
	return end != number && *end == '\0';
}

/* Neither too far in the future nor in the past; see planthub.window_violations(). */
static bool
is_in_window(Opening *opening)
{
	double		difference = (double) opening->time - (double) opening->sent_at;
	double		future;
	double		past;

	return policy_span(opening, "future_event_limit_min", USECS_PER_MINUTE, &future) && difference <= future &&
		policy_span(opening, "late_event_limit_h", USECS_PER_HOUR, &past) && difference >= -past;
}

/*
 * open_inbound(event jsonb) -> (m planthub.inbound, effect text, business_key text, hash bytea): a good event that is new: it keeps
 * its contracts, its sender may send it, and nothing in it has to be looked up; with its number, and its key locked.
 * All null when it needs a closer look.
 */
Datum
planthub_open_inbound(PG_FUNCTION_ARGS)
{
	Opening		opening = {.event = PG_GETARG_JSONB_P(0)};
	TupleDesc	descriptor = ph_result_descriptor(fcinfo);
	Datum		values[OPENED_COLUMNS] = {0};
	bool		nulls[OPENED_COLUMNS] = {true, true, true, true};
	MemoryContext caller = CurrentMemoryContext;
	bool		good;
	bool		fresh = false;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
	MemoryContextSwitchTo(caller);	/* what is found is needed after SPI_finish() */
	good = open_event(&opening) && is_in_window(&opening);
	SPI_finish();
	if (good && identify(&opening))
	{
		fill_inbound(&opening);
		lock_event(&opening);
		fresh = !is_known(&opening);
	}
	if (fresh)
	{
		set_value(&opening, EVENT_ID, Int64GetDatum(ph_sequence_next("message_id_seq")), false);
		memset(nulls, 0, sizeof(nulls));
		values[OPENED_M] = ph_composite(TupleDescAttr(descriptor, OPENED_M)->atttypid, EVENT_ATTRIBUTES,
										opening.inbound.values, opening.inbound.nulls);
		nulls[OPENED_EFFECT] = opening.sender->effect == NULL;
		values[OPENED_EFFECT] = PointerGetDatum(opening.sender->effect);
		nulls[OPENED_BUSINESS_KEY] = opening.business_key == NULL;
		values[OPENED_BUSINESS_KEY] = PointerGetDatum(opening.business_key);
		values[OPENED_HASH] = PointerGetDatum(opening.hash);
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(descriptor, values, nulls)));
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

/* Whether one that was, was taken: what takes it may be undone. */
static bool taken = false;

/* Whoever releases events without evaluating them leaves that to a job. */
static void
end_of_transaction(XactEvent event, void *arg)
{
	if (released && (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE))
		ph_xact_mark_jobs(0);
	if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE || event == XACT_EVENT_ABORT)
		released = taken = false;
}

static void
end_of_subtransaction(SubXactEvent event, SubTransactionId own, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB && taken)
		released = true;
}

static void
note_released(void)
{
	static bool registered = false;

	if (!registered)
	{
		RegisterXactCallback(end_of_transaction, NULL);
		RegisterSubXactCallback(end_of_subtransaction, NULL);
	}
	registered = released = true;
}

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
	if (ph_sql_run_latest(&release, arguments, NULL, SPI_OK_UPDATE) > 0)
		note_released();
	SPI_finish();
	PG_RETURN_BOOL(true);
}

/*
 * Whether others have left released events behind because this transaction had their key.  One that has a snapshot for
 * good leaves them to others, for what it parks itself is due, too.
 */
static bool
has_left_behind(void)
{
	static const char *const columns[] = {NULL};
	PhSearch   *due;
	bool		found;

	if (IsolationUsesXactSnapshot())
		return false;
	due = ph_search_open("parked", "parked_due", 0, columns, GetTransactionSnapshot());
	found = ph_search_first(due, NULL);
	ph_search_close(due);
	return found;
}

static bool
take_released(void)
{
	bool		result = released;

	taken = taken || released;
	released = false;
	return result || has_left_behind();
}

/*
 * take_released() -> boolean: whether bring() has released events since this was asked last, or others have left released
 * ones behind because this transaction had their key.
 */
Datum
planthub_take_released(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(take_released());
}

/* ---- the end ---- */

/* Arguments of close_inbound(), in order. */
enum
{
	CLOSE_M, CLOSE_EVENT, CLOSE_OUTCOME, CLOSE_CODE, CLOSE_VIOLATIONS, CLOSE_BUSINESS_KEY, CLOSE_HASH
};

/* Columns of planthub.inbox, in order. */
enum
{
	INBOX_ID, INBOX_RECEIVED_AT, INBOX_EVENT_TIME, INBOX_OUTCOME_AT, INBOX_COPIES, INBOX_ATTEMPTS, INBOX_OWNS,
	INBOX_OUTCOME, INBOX_CODE, INBOX_SITE, INBOX_SYSTEM, INBOX_TOPIC, INBOX_KEY, INBOX_SOURCE, INBOX_EVENT_ID,
	INBOX_BUSINESS_KEY, INBOX_HASH, INBOX_VIOLATIONS, INBOX_EVENT,
	INBOX_COLUMNS
};

/* Where the attributes of the event and the arguments go. */
static const int attribute_columns[][2] = {
	{EVENT_ID, INBOX_ID}, {EVENT_TIME, INBOX_EVENT_TIME}, {EVENT_SITE, INBOX_SITE}, {EVENT_SYSTEM, INBOX_SYSTEM},
	{EVENT_TOPIC, INBOX_TOPIC}, {EVENT_KEY, INBOX_KEY}, {EVENT_SOURCE, INBOX_SOURCE}, {EVENT_EVENT_ID, INBOX_EVENT_ID}
};

static const int argument_columns[][2] = {
	{CLOSE_OUTCOME, INBOX_OUTCOME}, {CLOSE_CODE, INBOX_CODE}, {CLOSE_VIOLATIONS, INBOX_VIOLATIONS},
	{CLOSE_BUSINESS_KEY, INBOX_BUSINESS_KEY}, {CLOSE_HASH, INBOX_HASH}, {CLOSE_EVENT, INBOX_EVENT}
};

/*
 * close_inbound(m planthub.inbound, event jsonb, outcome text, code text, violations jsonb, business_key text, hash bytea) -> boolean:
 * writes an event that open_inbound() has opened into the inbox, and says whether events were released, see
 * take_released().
 */
Datum
planthub_close_inbound(PG_FUNCTION_ARGS)
{
	PhInbound	m;
	PhInsert   *inbox;
	Datum		values[INBOX_COLUMNS] = {0};
	bool		nulls[INBOX_COLUMNS] = {0};
	int			i;

	ph_inbound_argument(fcinfo, CLOSE_M, &m);
	inbox = ph_insert_open("inbox", INBOX_COLUMNS);
	values[INBOX_RECEIVED_AT] = values[INBOX_OUTCOME_AT] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[INBOX_ATTEMPTS] = Int32GetDatum(1);
	values[INBOX_OWNS] = BoolGetDatum(true);
	for (i = 0; i < lengthof(attribute_columns); i++)
	{
		values[attribute_columns[i][1]] = m.values[attribute_columns[i][0]];
		nulls[attribute_columns[i][1]] = m.nulls[attribute_columns[i][0]];
	}
	for (i = 0; i < lengthof(argument_columns); i++)
	{
		values[argument_columns[i][1]] = PG_GETARG_DATUM(argument_columns[i][0]);
		nulls[argument_columns[i][1]] = PG_ARGISNULL(argument_columns[i][0]);
	}
	ph_insert_row(inbox, values, nulls);
	ph_insert_close(inbox);
	PG_RETURN_BOOL(take_released());
}
