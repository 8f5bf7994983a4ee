/*
 * item.c
 *	  Turns delivery rows into what a connector can send: reads the messages and writes them as CloudEvents.
 *
 * Messages are read through the index of their log slot, not by SQL: this runs for every message.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgroids.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"

#include "engine/item.h"
#include "engine/item_value.h"
#include "engine/mapped.h"
#include "json/value.h"
#include "pg/compat.h"
#include "pg/lookup.h"
#include "pg/relations.h"

/* Columns of planthub.message. */
enum
{
	MESSAGE_ID = 1,
	MESSAGE_XID,
	MESSAGE_RECORDED_AT,
	MESSAGE_EVENT_TIME,
	MESSAGE_SLOT,
	MESSAGE_EVENT_OFFSET,
	MESSAGE_VERSION,
	MESSAGE_SITE,
	MESSAGE_TOPIC,
	MESSAGE_KEY,
	MESSAGE_SOURCE,
	MESSAGE_EVENT_ID,
	MESSAGE_SUBJECT,
	MESSAGE_CORRELATION_ID,
	MESSAGE_CAUSATION_ID,
	MESSAGE_TRACEPARENT,
	MESSAGE_ATTRIBUTES,
	MESSAGE_DATA
};

/* Reason of deliveries whose condition could not be evaluated: those with not_before = infinity. */
#define CONDITION_FAILED	"CONDITION_FAILED"

/* One open message leaf. */
typedef struct Leaf
{
	Relation	heap;
	Relation	index;
	IndexScanDesc scan;
	TupleTableSlot *slot;
} Leaf;

/* What is the same for many messages in a row; strings of their batch. */
typedef struct Names
{
	const char *topic;
	int			version;
	const char *type;
	const char *dataschema;
	const char *source;			/* of this hub; NULL: not needed yet */
} Names;

static void open_leaf(Leaf *leaf, int slot, Snapshot snapshot);
static void close_leaf(Leaf *leaf);
static bool fetch_message(Leaf *leaf, int64 message_id);
static void fill_item(const PhConfig *config, PhItem *item, TupleTableSlot *slot, Names *names);
static void set_fate(PhItem *item, PhFate fate, const char *reason);
static PhSubject subject_of(TupleTableSlot *slot);
static const char *condition_fault(const PhRoute *route, TupleTableSlot *slot);
static void decide_fate(const PhConfig *config, PhItem *item, TimestampTz recorded_at);

PhBatch *
ph_item_create_batch(MemoryContext parent, int lane, int64 batch_no, int n)
{
	MemoryContext context = AllocSetContextCreate(parent, "planthub batch", ALLOCSET_DEFAULT_SIZES);
	PhBatch    *batch = MemoryContextAllocZero(context, sizeof(PhBatch));
	int			i;

	batch->context = context;
	batch->lane = lane;
	batch->batch_no = batch_no;
	batch->nitems = n;
	batch->open = n;
	batch->items = MemoryContextAllocZero(context, sizeof(PhItem) * (Size) Max(n, 1));
	for (i = 0; i < n; i++)
	{
		batch->items[i].batch = batch;
		batch->items[i].lane = lane;
	}
	return batch;
}

void
ph_item_cut_batch(PhBatch *batch, int n)
{
	Assert(n <= batch->nitems && batch->open == batch->nitems);
	batch->nitems = batch->open = n;
}

int
ph_item_load(const PhConfig *config, PhItem *items, int n, Snapshot snapshot, Size budget)
{
	Leaf		leaves[PH_SLOTS] = {0};
	Names		names = {0};
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "planthub item", ALLOCSET_DEFAULT_SIZES);
	Size		used = 0;
	int			loaded;
	int			i;

	for (loaded = 0; loaded < n && (loaded == 0 || used < budget); loaded++)
	{
		PhItem	   *item = &items[loaded];
		Leaf	   *leaf = &leaves[item->message_slot];
		MemoryContext old;

		CHECK_FOR_INTERRUPTS();
		if (leaf->heap == NULL)
			open_leaf(leaf, item->message_slot, snapshot);
		if (!fetch_message(leaf, item->message_id))
		{
			item->fate = PH_FATE_PARKED;
			item->reason = "MESSAGE_GONE";
			item->error = "the message is no longer in the log";
			item->site = "*";
			continue;
		}
		old = MemoryContextSwitchTo(scratch);
		fill_item(config, item, leaf->slot, &names);
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
		used += item->event.data_len;
	}
	for (i = 0; i < PH_SLOTS; i++)
	{
		if (leaves[i].heap != NULL)
			close_leaf(&leaves[i]);
	}
	MemoryContextDelete(scratch);
	return loaded;
}

static void
load_carefully(const PhConfig *config, PhItem *item, Snapshot snapshot)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		(void) ph_item_load(config, item, 1, snapshot, 0);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(item->batch->context);
		error = CopyErrorData();
		if (error->sqlerrcode == ERRCODE_QUERY_CANCELED || error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN)
			PG_RE_THROW();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		item->fate = PH_FATE_PARKED;
		item->reason = "UNREADABLE";
		item->error = error->message;
		item->site = item->site == NULL ? "*" : item->site;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
}

int
ph_item_load_each(const PhConfig *config, PhItem *items, int n, Snapshot snapshot, Size budget)
{
	Size		used = 0;
	int			loaded;

	for (loaded = 0; loaded < n && (loaded == 0 || used < budget); loaded++)
	{
		load_carefully(config, &items[loaded], snapshot);
		used += items[loaded].event.data_len;
	}
	return loaded;
}

static void
open_leaf(Leaf *leaf, int slot, Snapshot snapshot)
{
	leaf->heap = table_open(ph_log_leaf(PH_LOG_MESSAGE, slot), AccessShareLock);
	leaf->index = index_open(ph_log_index(PH_LOG_MESSAGE, slot, "id"), AccessShareLock);
	leaf->scan = ph_index_beginscan(leaf->heap, leaf->index, snapshot, 1);
	leaf->slot = table_slot_create(leaf->heap, NULL);
}

static void
close_leaf(Leaf *leaf)
{
	index_endscan(leaf->scan);
	ExecDropSingleTupleTableSlot(leaf->slot);
	index_close(leaf->index, AccessShareLock);
	table_close(leaf->heap, AccessShareLock);
}

static bool
fetch_message(Leaf *leaf, int64 message_id)
{
	ScanKeyData key;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(message_id));
	index_rescan(leaf->scan, &key, 1, NULL, 0);
	return index_getnext_slot(leaf->scan, ForwardScanDirection, leaf->slot);
}

/* ---- one message as an event ---- */

static char *
text_column(TupleTableSlot *slot, AttrNumber column)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static int64
int64_column(TupleTableSlot *slot, AttrNumber column)
{
	bool		isnull;

	return DatumGetInt64(slot_getattr(slot, column, &isnull));
}

/* Outside everything is UTF-8; a database in another encoding is converted. */
static char *
keep_counted(PhItem *item, const char *text, int *length)
{
	char	   *utf8 = pg_server_to_any(text, *length, PG_UTF8);
	char	   *kept;

	if (utf8 != text)
		*length = (int) strlen(utf8);
	kept = MemoryContextAlloc(item->batch->context, (Size) *length + 1);
	memcpy(kept, utf8, *length);
	kept[*length] = '\0';
	return kept;
}

static char *
keep(PhItem *item, const char *text)
{
	int			length = text == NULL ? 0 : (int) strlen(text);

	return text == NULL ? NULL : keep_counted(item, text, &length);
}

static void
keep_data(PhItem *item, Jsonb *data)
{
	PhValue		value = ph_value_from_jsonb(data);
	StringInfoData json;

	initStringInfo(&json);
	enlargeStringInfo(&json, VARSIZE(data));
	(void) ph_value_write(&value, &json, NULL);
	item->event.data = keep_counted(item, json.data, &json.len);
	item->event.data_len = (size_t) json.len;
}

static char *
timestamp_text(TimestampTz value, int offset_minutes)
{
	char		buffer[MAXDATELEN + 1];
	int			zone = -offset_minutes * SECS_PER_MINUTE;	/* the server counts west as positive */

	return pstrdup(JsonEncodeDateTime(buffer, TimestampTzGetDatum(value), TIMESTAMPTZOID, &zone));
}

static void
append_attribute(StringInfo json, const char *name, const char *value)
{
	if (value == NULL)
		return;
	appendStringInfo(json, "%c\"%s\":", json->len == 0 ? '{' : ',', name);
	escape_json(json, value);
}

static bool
has_member(Jsonb *object, const char *name)
{
	JsonbValue	value;

	return getKeyJsonValueFromContainer(&object->root, name, (int) strlen(name), &value) != NULL;
}

/* The extension attributes: the hub's own, then those that came with the message. */
static char *
extension_attributes(PhItem *item, TupleTableSlot *slot, TimestampTz recorded_at)
{
	bool		isnull;
	Datum		datum = slot_getattr(slot, MESSAGE_ATTRIBUTES, &isnull);
	Jsonb	   *attributes = isnull ? NULL : DatumGetJsonbP(datum);
	StringInfoData json;

	initStringInfo(&json);
	append_attribute(&json, "partitionkey", item->key);
	append_attribute(&json, "correlationid", text_column(slot, MESSAGE_CORRELATION_ID));
	append_attribute(&json, "causationid", text_column(slot, MESSAGE_CAUSATION_ID));
	if (attributes == NULL || !has_member(attributes, "recordedtime"))
		append_attribute(&json, "recordedtime", timestamp_text(recorded_at, 0));
	if (attributes != NULL && JB_ROOT_COUNT(attributes) > 0)
	{
		char	   *members = JsonbToCString(NULL, &attributes->root, VARSIZE(attributes));

		if (json.len == 0)
			return members;
		appendStringInfo(&json, ", %s", members + 1);
	}
	else
		appendStringInfoString(&json, json.len == 0 ? "{}" : "}");
	return json.data;
}

static void
append_percent_encoded(StringInfo out, const char *text)
{
	for (; *text != '\0'; text++)
	{
		unsigned char c = (unsigned char) *text;

		if (c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '%' && c != '#' && c != '@')
			appendStringInfoCharMacro(out, (char) c);
		else
			appendStringInfo(out, "%%%02X", c);
	}
}

/*
 * One key per business fact and target, the same over retries, replays and restarts: the fact is known by source and
 * id, or by hub and number.
 */
static char *
idempotency_key(const PhConfig *config, PhItem *item, const char *source, const char *event_id)
{
	const PhLane *lane = ph_config_lane(config, item->lane);
	const char *endpoint = lane == NULL ? "" : config->endpoints[lane->endpoint].code;
	StringInfoData key;

	initStringInfo(&key);
	if (event_id == NULL)
		appendStringInfo(&key, "%s-" INT64_FORMAT "-%s", config->hub_id, item->message_id, endpoint);
	else
	{
		append_percent_encoded(&key, source == NULL ? config->hub_id : source);
		appendStringInfoChar(&key, '#');
		append_percent_encoded(&key, event_id);
		appendStringInfo(&key, "@%s", endpoint);
	}
	return key.data;
}

static void
set_names(PhItem *item, Names *names, const char *topic, int version)
{
	if (names->topic == NULL || names->version != version || strcmp(names->topic, topic) != 0)
	{
		names->topic = MemoryContextStrdup(item->batch->context, topic);
		names->version = version;
		names->type = keep(item, psprintf("planthub.%s.v%d", topic, version));
		names->dataschema = keep(item, psprintf("urn:planthub:schema:%s:%d", topic, version));
	}
	item->event.type = names->type;
	/* What a mapping has made has no contract of ours. */
	item->event.dataschema = item->mapping == NULL ? names->dataschema : NULL;
}

static const char *
own_source(PhItem *item, Names *names, const PhConfig *config)
{
	if (names->source == NULL)
		names->source = keep(item, psprintf("urn:planthub:%s", config->hub_id));
	return names->source;
}

static const char *
source_of(const PhConfig *config, TupleTableSlot *slot)
{
	const char *source = text_column(slot, MESSAGE_SOURCE);

	return source != NULL ? source : psprintf("urn:planthub:%s", config->hub_id);
}

static const char *
id_of(const PhItem *item, TupleTableSlot *slot)
{
	const char *id = text_column(slot, MESSAGE_EVENT_ID);

	return id != NULL ? id : psprintf(INT64_FORMAT, item->message_id);
}

static const char *
time_of(TupleTableSlot *slot)
{
	bool		isnull;
	int			offset = DatumGetInt16(slot_getattr(slot, MESSAGE_EVENT_OFFSET, &isnull));

	return timestamp_text(int64_column(slot, MESSAGE_EVENT_TIME), isnull ? 0 : offset);
}

static void
park(PhItem *item, const char *reason, const char *error)
{
	set_fate(item, PH_FATE_PARKED, reason);
	item->error = keep(item, error);
}

/* The data as the mapping of the route makes them; NULL when it fails, and then the item is parked. */
static Jsonb *
map_data(const PhConfig *config, PhItem *item, const PhEndpoint *endpoint, TupleTableSlot *slot, TimestampTz recorded_at)
{
	const PhRoute *route = ph_config_route(config, item->route);
	PhSubject	subject = subject_of(slot);
	PhMappedMessage message = {&subject, item->message_id};
	PhMapped	mapped;

	message.source = source_of(config, slot);
	message.id = id_of(item, slot);
	message.time = time_of(slot);
	message.recorded_at = timestamp_text(recorded_at, 0);
	message.endpoint = endpoint;
	ph_mapped_apply(route->mapping, &message, &mapped);
	if (mapped.waits && item->held)
	{
		ph_watch_distrust();
		ph_mapped_apply(route->mapping, &message, &mapped);
	}
	item->mapping = keep(item, mapped.version);
	if (mapped.data != NULL)
		return mapped.data;
	park(item, "MAPPING_FAILED", mapped.error);
	if (mapped.waits_for != NULL)
	{
		item->waits_for = MemoryContextAlloc(item->batch->context, VARSIZE(mapped.waits_for));
		memcpy(item->waits_for, mapped.waits_for, VARSIZE(mapped.waits_for));
	}
	return NULL;
}

/* The data as the endpoint wants them; false when that fails, and then the item is parked. */
static bool
write_data(PhItem *item, const PhEndpoint *endpoint, Jsonb *data)
{
	text	   *xml;
	const char *error;

	if (endpoint == NULL || endpoint->xml_profile == NULL)
	{
		keep_data(item, data);
		return true;
	}
	xml = ph_mapped_xml(data, endpoint->xml_profile, &error);
	if (xml == NULL)
	{
		park(item, "XML_FAILED", error);
		return false;
	}
	item->event.data = keep(item, text_to_cstring(xml));
	item->event.data_len = strlen(item->event.data);
	item->event.data_type = "application/xml";
	return true;
}

static void
fill_event(const PhConfig *config, PhItem *item, TupleTableSlot *slot, Names *names, TimestampTz recorded_at)
{
	PhEvent    *event = &item->event;
	char	   *source = text_column(slot, MESSAGE_SOURCE);
	char	   *event_id = text_column(slot, MESSAGE_EVENT_ID);
	bool		isnull;
	int			version = DatumGetInt32(slot_getattr(slot, MESSAGE_VERSION, &isnull));

	event->id = keep(item, id_of(item, slot));
	event->source = source != NULL ? keep(item, source) : own_source(item, names, config);
	set_names(item, names, text_column(slot, MESSAGE_TOPIC), version);
	event->subject = keep(item, text_column(slot, MESSAGE_SUBJECT));
	event->time = keep(item, time_of(slot));
	event->attributes = keep(item, extension_attributes(item, slot, recorded_at));
	event->traceparent = keep(item, text_column(slot, MESSAGE_TRACEPARENT));
	item->idempotency_key = keep(item, idempotency_key(config, item, source, event_id));
}

/* The addresses of a message for its endpoint; an item whose address cannot be told is parked. */
static void
fill_addresses(PhItem *item, const PhRoute *route, const PhEndpoint *endpoint, Jsonb *data)
{
	PhStepAddresses addresses = {.version = endpoint->steps->version};
	PhValue		document = ph_object_new(3);
	PhValue		request = ph_value_from_jsonb(data);
	char	   *error = (char *) endpoint->steps->fault;

	if (error != NULL)
	{
		park(item, "STEPS_INVALID", error);
		return;
	}
	if (!ph_steps_have_places(endpoint->steps))
		return;
	ph_object_put(&document, "request", &request);
	ph_item_append_values(&document, item, route->code, endpoint);
	ph_object_finish(&document);
	if (!ph_steps_render(endpoint->steps, &document, &addresses, &error))
	{
		park(item, "ADDRESS_FAILED", error);
		return;
	}
	item->addresses = MemoryContextAlloc(item->batch->context, sizeof(addresses));
	*item->addresses = addresses;
	item->addresses->address = keep(item, addresses.address);
	item->addresses->read = keep(item, addresses.read);
	item->addresses->lookup = keep(item, addresses.lookup);
}

/* Runs in a scratch context; what is kept is copied to the batch's. */
static void
fill_item(const PhConfig *config, PhItem *item, TupleTableSlot *slot, Names *names)
{
	TimestampTz recorded_at = int64_column(slot, MESSAGE_RECORDED_AT);
	const PhRoute *route = ph_config_route(config, item->route);
	const PhLane *lane = ph_config_lane(config, item->lane);
	const PhEndpoint *endpoint = lane == NULL ? NULL : &config->endpoints[lane->endpoint];
	bool		isnull;
	Jsonb	   *data;

	/* The key is compared with tables, so it stays in the encoding of the server. */
	item->key = text_column(slot, MESSAGE_KEY);
	if (item->key != NULL)
		item->key = MemoryContextStrdup(item->batch->context, item->key);
	item->site = MemoryContextStrdup(item->batch->context, text_column(slot, MESSAGE_SITE));

	decide_fate(config, item, recorded_at);
	if (item->fate == PH_FATE_PARKED && strcmp(item->reason, CONDITION_FAILED) == 0)
		item->error = keep(item, condition_fault(ph_config_route(config, item->route), slot));
	if (item->fate != PH_FATE_SEND)
		return;
	data = route->mapping == NULL ? DatumGetJsonbP(slot_getattr(slot, MESSAGE_DATA, &isnull)) :
		map_data(config, item, endpoint, slot, recorded_at);
	if (data == NULL || !write_data(item, endpoint, data))
		return;
	fill_event(config, item, slot, names, recorded_at);
	if (endpoint != NULL && endpoint->steps != NULL)
		fill_addresses(item, route, endpoint, data);
}

static text *
text_datum(TupleTableSlot *slot, AttrNumber column)
{
	bool		isnull;
	Datum		value = slot_getattr(slot, column, &isnull);

	return isnull ? NULL : DatumGetTextPP(value);
}

static PhSubject
subject_of(TupleTableSlot *slot)
{
	PhSubject	subject = {text_column(slot, MESSAGE_TOPIC), text_column(slot, MESSAGE_SITE),
		text_datum(slot, MESSAGE_KEY), text_datum(slot, MESSAGE_SUBJECT), text_datum(slot, MESSAGE_SOURCE),
	text_datum(slot, MESSAGE_EVENT_ID), text_datum(slot, MESSAGE_CORRELATION_ID)};
	bool		isnull;

	subject.data = slot_getattr(slot, MESSAGE_DATA, &isnull);
	subject.attributes = slot_getattr(slot, MESSAGE_ATTRIBUTES, &isnull);
	if (isnull)
		subject.attributes = 0;
	return subject;
}

/* Why a condition failed: evaluated again, for publish() writes no texts. */
static const char *
condition_fault(const PhRoute *route, TupleTableSlot *slot)
{
	PhSubject	subject = subject_of(slot);
	PhConditionInput input;
	PhValue		value;
	PhError		error;

	if (route->condition_error != NULL)
		return route->condition_error;
	if (route->condition == NULL)
		return "the condition that the route had could not be evaluated; it has none now";
	ph_condition_prepare(&subject, &input);
	if (!ph_condition_evaluate(route->condition, &input, &value, &error))
		return ph_condition_error_text(&error);
	return ph_value_true(&value) ? "the condition that the route had could not be evaluated; it is true now" :
		"the condition that the route had could not be evaluated; it is false now";
}

static void
set_fate(PhItem *item, PhFate fate, const char *reason)
{
	item->fate = fate;
	item->reason = reason;
}

static void
decide_fate(const PhConfig *config, PhItem *item, TimestampTz recorded_at)
{
	const PhRoute *route = ph_config_route(config, item->route);
	TimestampTz now = GetCurrentTimestamp();

	item->fate = PH_FATE_SEND;
	item->blocks = route == NULL || route->block;
	if (route == NULL)
	{
		set_fate(item, PH_FATE_PARKED, "ROUTE_GONE");
		return;
	}
	if (route->expires_after_us > 0)
		item->expires_at = recorded_at + route->expires_after_us;
	if (item->expires_at != 0 && item->expires_at <= now)
		set_fate(item, PH_FATE_EXPIRED, "EXPIRED");
	else if (!item->held && TIMESTAMP_IS_NOEND(item->not_before))
		set_fate(item, PH_FATE_PARKED, CONDITION_FAILED);
	else if (route->paused)
		set_fate(item, PH_FATE_PAUSED, "ROUTE_PAUSED");
	else if (item->key != NULL && ph_config_key_paused(config, item->key))
		set_fate(item, PH_FATE_PAUSED, "KEY_PAUSED");
	else if (!item->held && item->not_before > now)
		set_fate(item, PH_FATE_SCHEDULED, "SCHEDULED");
}
