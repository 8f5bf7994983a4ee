/*
 * publish.c
 *	  Messages and their deliveries written in the caller's transaction.
 *
 * The order of steps is what the readers' cursors rely on: keys are locked (when asked for), then the transaction gets
 * its number, then ids are taken, then rows are written.  Workers are told at commit.  Nothing here waits for anything
 * but a concurrent publication of the same key or of the same (source, event id).
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/transam.h"
#include "access/xact.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/xid8.h"

#include "engine/attribute.h"
#include "engine/condition.h"
#include "engine/config.h"
#include "engine/contract.h"
#include "engine/identity.h"
#include "engine/publish.h"
#include "pg/relations.h"
#include "pg/settings.h"
#include "pg/xact.h"

#define TEXT_LIMIT		1024

/* Apart from the locks that users take: those have 1 or 2 here. */
#define ADVISORY_CLASS	0x5048

/* Columns of planthub.message, in order. */
enum
{
	MESSAGE_ID, MESSAGE_XID, MESSAGE_RECORDED_AT, MESSAGE_EVENT_TIME, MESSAGE_SLOT, MESSAGE_EVENT_OFFSET,
	MESSAGE_VERSION, MESSAGE_SITE, MESSAGE_TOPIC, MESSAGE_KEY, MESSAGE_SOURCE, MESSAGE_EVENT_ID, MESSAGE_SUBJECT,
	MESSAGE_CORRELATION_ID, MESSAGE_CAUSATION_ID, MESSAGE_TRACEPARENT, MESSAGE_ATTRIBUTES, MESSAGE_DATA,
	MESSAGE_COLUMNS
};

/* Columns of planthub.delivery, in order. */
enum
{
	DELIVERY_ID, DELIVERY_XID, DELIVERY_MESSAGE_ID, DELIVERY_REPLAY_OF, DELIVERY_NOT_BEFORE, DELIVERY_LANE,
	DELIVERY_ROUTE, DELIVERY_SLOT, DELIVERY_MESSAGE_SLOT, DELIVERY_SITE,
	DELIVERY_COLUMNS
};

struct PhPublication
{
	const PhConfig *config;
	int			slot;
	int			nroutes;
	const PhRoute *const *routes;
	bool	   *used;				/* which of the routes have got a delivery */
	MemoryContext conditions;		/* for one message; NULL when no route has a condition */
	const char *topic;
	const char *site;
	const char *hub_id;
	const PhContract *contract;		/* NULL: any data will do */
	text	   *default_source;		/* NULL until needed */
	TimestampTz recorded_at;
	PhAppend   *messages;
	PhAppend   *deliveries;			/* NULL without routes */
	PhIdentity *identity;			/* NULL until a fact has its own id */
	struct seen_hash *seen;			/* hashes of the identities written; may be in messages still */
	Datum		message[MESSAGE_COLUMNS];	/* what is the same for all is filled in */
	bool		message_null[MESSAGE_COLUMNS];
	Datum		delivery[DELIVERY_COLUMNS];
	bool		delivery_null[DELIVERY_COLUMNS];
};

typedef struct Seen
{
	uint64		hash;
	char		status;
} Seen;

#define SH_PREFIX		seen
#define SH_ELEMENT_TYPE	Seen
#define SH_KEY_TYPE		uint64
#define SH_KEY			hash
#define SH_HASH_KEY(table, key)	((uint32) (key))
#define SH_EQUAL(table, a, b)	((a) == (b))
#define SH_SCOPE		static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* ---- checks ---- */

void
ph_publish_check_text(const char *argument, text *value)
{
	size_t		length = value == NULL ? 1 : VARSIZE_ANY_EXHDR(value);

	if (length == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must not be empty", argument),
				 errhint("Leave it out, or give NULL, if there is none.")));
	if (value == NULL)
		return;
	if (length > TEXT_LIMIT)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("argument \"%s\" is too long", argument),
				 errdetail("It has %zu bytes; %d are allowed.", length, TEXT_LIMIT)));
	if (ph_text_control(VARDATA_ANY(value), length) != length)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" must not contain control characters", argument),
				 errdetail("It is sent in headers, where they are not allowed.")));
}

void
ph_publish_check_traceparent(text *value)
{
	if (value != NULL && !ph_traceparent_valid(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" is not a W3C trace context", "traceparent"),
				 errhint("It looks like 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.")));
}

void
ph_publish_check_time(const char *argument, TimestampTz value)
{
	struct pg_tm tm;
	fsec_t		fraction;
	int			zone;

	if (!TIMESTAMP_NOT_FINITE(value) && timestamp2tm(value, &zone, &tm, &fraction, NULL, NULL) == 0 &&
		tm.tm_year >= 1 && tm.tm_year <= 9999)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			 errmsg("argument \"%s\" is out of range", argument),
			 errdetail("A message can carry times of the years 1 to 9999 only.")));
}

static void
check_attribute(const char *name, int length, JsonbValue *value)
{
	char	   *shown = pnstrdup(name, length);

	if (!ph_attribute_name_valid(name, length))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("attribute name \"%s\" is not valid", shown),
				 errdetail("CloudEvents allows 1 to %d lower-case letters and digits.", PH_ATTRIBUTE_NAME_MAX)));
	if (ph_attribute_name_reserved(name, length))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("attribute name \"%s\" is reserved", shown),
				 errhint("Use the argument of publish() that it belongs to, or another name.")));
	if (value->type != jbvString && value->type != jbvNumeric && value->type != jbvBool)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("value of attribute \"%s\" is not a string, number or boolean", shown),
				 errhint("Put structured values into the data of the message.")));
	if (value->type == jbvString &&
		ph_text_control(value->val.string.val, value->val.string.len) != value->val.string.len)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("value of attribute \"%s\" must not contain control characters", shown),
				 errdetail("It is sent in headers, where they are not allowed.")));
	pfree(shown);
}

void
ph_publish_check_attributes(Datum attributes)
{
	Jsonb	   *object = DatumGetJsonbP(attributes);
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;
	JsonbValue	name = {0};

	if (!JB_ROOT_IS_OBJECT(object))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" is not a JSON object", "attributes")));
	iterator = JsonbIteratorInit(&object->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			name = value;
		else if (token == WJB_VALUE)
			check_attribute(name.val.string.val, name.val.string.len, &value);
	}
}

static void
check_size(const PhFact *fact)
{
	Size		size = toast_raw_datum_size(fact->data);

	if (fact->attributes != 0)
		size += toast_raw_datum_size(fact->attributes);
	if (size > (Size) ph_max_payload_size * 1024)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("message payload is too large"),
				 errdetail("The payload has %zu bytes; \"planthub.max_payload_size\" allows %d kB.",
						   size, ph_max_payload_size),
				 errhint("Store the document elsewhere and publish a reference to it.")));
}

static void
check_fact(const PhFact *fact)
{
	ph_publish_check_text("key", fact->key);
	ph_publish_check_text("subject", fact->subject);
	ph_publish_check_text("event_id", fact->event_id);
	if (fact->event_id == NULL && fact->source != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null when \"%s\" is given", "event_id", "source"),
				 errdetail("Source and id together are the identity of an event."),
				 errhint("Give the id that the source knows it by, or leave out the source.")));
	if (fact->has_event_time)
		ph_publish_check_time("event_time", fact->event_time);
	check_size(fact);
}

/* ---- order and identity ---- */

static int
compare_hashes(const void *a, const void *b)
{
	uint64		left = *(const uint64 *) a;
	uint64		right = *(const uint64 *) b;

	return left < right ? -1 : left > right;
}

static uint64
hash_key(text *key, uint64 site_hash)
{
	return hash_bytes_extended((unsigned char *) VARDATA_ANY(key), (int) VARSIZE_ANY_EXHDR(key), site_hash);
}

static uint64
hash_site(const char *site)
{
	return hash_bytes_extended((const unsigned char *) site, (int) strlen(site), 0);
}

static bool
lock_hash(uint64 hash, bool wait)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) (hash >> 32), (uint32) hash, ADVISORY_CLASS);
	return LockAcquire(&tag, ExclusiveLock, false, !wait) != LOCKACQUIRE_NOT_AVAIL;
}

bool
ph_publish_lock_key(const char *site, text *key, bool wait)
{
	return lock_hash(hash_key(key, hash_site(site)), wait);
}

void
ph_publish_serialise(const char *site, text **keys, int n)
{
	uint64	   *hashes = MemoryContextAllocHuge(CurrentMemoryContext, Max(n, 1) * sizeof(uint64));
	uint64		site_hash = hash_site(site);
	int			i;

	for (i = 0; i < n; i++)
	{
		if (keys[i] == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("argument \"%s\" must not be null when \"%s\" is true", "key", "serialise"),
					 errdetail("Messages without key have no order.")));
		hashes[i] = hash_key(keys[i], site_hash);
	}
	/* Always in one order, so that two transactions do not wait for each other. */
	qsort(hashes, n, sizeof(uint64), compare_hashes);
	for (i = 0; i < n; i++)
	{
		if (i == 0 || hashes[i] != hashes[i - 1])
			(void) lock_hash(hashes[i], true);
	}
	pfree(hashes);
}

static uint64
hash_identity(text *source, text *event_id)
{
	uint64		seed = hash_bytes_extended((unsigned char *) VARDATA_ANY(source), (int) VARSIZE_ANY_EXHDR(source), 0);

	return hash_bytes_extended((unsigned char *) VARDATA_ANY(event_id), (int) VARSIZE_ANY_EXHDR(event_id), seed);
}

/* Refuses a fact that was published before, here or elsewhere, in whatever slot. */
static void
require_new_identity(PhPublication *publication, text *source, text *event_id)
{
	bool		seen;
	int64		earlier;

	if (publication->identity == NULL)
	{
		publication->identity = ph_identity_open();
		publication->seen = seen_create(CurrentMemoryContext, 64, NULL);
	}
	(void) seen_insert(publication->seen, hash_identity(source, event_id), &seen);
	if (seen)
		ph_append_flush(publication->messages);
	earlier = ph_identity_find(publication->identity, source, event_id);
	if (earlier != 0)
	{
		char	   *shown_source = text_to_cstring(source);
		char	   *shown_id = text_to_cstring(event_id);

		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("event \"%s\" of source \"%s\" was published before", shown_id, shown_source),
				 errdetail("It is message " INT64_FORMAT ".", earlier),
				 errhint("An event is published once; use planthub.replay() to send it again.")));
	}
}

/* ---- writing ---- */

/* Opens the log of messages in the slot in use; with the lock held, the slot can no longer go out of use. */
static void
open_messages(PhPublication *publication)
{
	for (;;)
	{
		publication->slot = ph_current_slot();
		publication->messages = ph_append_open(PH_LOG_MESSAGE, publication->slot);
		if (ph_current_slot() == publication->slot)
			return;
		ph_append_close(publication->messages);
	}
}

static void
fill_common(PhPublication *publication, const char *topic, const char *site, int version)
{
	Datum		xid = FullTransactionIdGetDatum(GetTopFullTransactionId());
	Datum		site_text = CStringGetTextDatum(site);
	Datum	   *message = publication->message;
	Datum	   *delivery = publication->delivery;

	memset(publication->message_null, 0, sizeof(publication->message_null));
	memset(publication->delivery_null, 0, sizeof(publication->delivery_null));
	message[MESSAGE_XID] = delivery[DELIVERY_XID] = xid;
	message[MESSAGE_RECORDED_AT] = TimestampTzGetDatum(publication->recorded_at);
	message[MESSAGE_SLOT] = Int16GetDatum(publication->slot);
	message[MESSAGE_VERSION] = Int32GetDatum(version);
	message[MESSAGE_SITE] = delivery[DELIVERY_SITE] = site_text;
	message[MESSAGE_TOPIC] = CStringGetTextDatum(topic);
	delivery[DELIVERY_REPLAY_OF] = (Datum) 0;
	publication->delivery_null[DELIVERY_REPLAY_OF] = true;
	delivery[DELIVERY_SLOT] = delivery[DELIVERY_MESSAGE_SLOT] = Int16GetDatum(publication->slot);
}

static void
open_conditions(PhPublication *publication)
{
	int			i;

	publication->conditions = NULL;
	for (i = 0; i < publication->nroutes && publication->conditions == NULL; i++)
	{
		if (publication->routes[i]->condition_text != NULL)
			publication->conditions = AllocSetContextCreate(CurrentMemoryContext, "planthub conditions",
															ALLOCSET_DEFAULT_SIZES);
	}
}

PhPublication *
ph_publish_open(const char *topic, const char *site)
{
	PhPublication *publication = palloc(sizeof(PhPublication));
	const PhConfig *config;
	int			version;

	/*
	 * The configuration is read with the lock held: who changes it, and must know what follows the old one, can wait
	 * for this transaction by locking the log of messages.
	 */
	open_messages(publication);
	config = ph_config_get();
	version = ph_config_require_topic(config, topic);
	ph_config_require_site(config, site);
	publication->config = config;
	publication->routes = ph_config_match(config, topic, site, &publication->nroutes);
	publication->used = palloc0(Max(publication->nroutes, 1) * sizeof(bool));
	publication->topic = topic;
	publication->site = site;
	open_conditions(publication);
	publication->hub_id = config->hub_id;
	publication->contract = ph_contract_find(topic, version);
	if (publication->contract != NULL && publication->contract->status == PH_CONTRACT_DRAFT)
		publication->contract = NULL;
	publication->default_source = NULL;
	publication->recorded_at = GetCurrentTransactionStartTimestamp();
	publication->identity = NULL;
	publication->seen = NULL;
	publication->deliveries = publication->nroutes == 0 ? NULL :
		ph_append_open(PH_LOG_DELIVERY, publication->slot);
	fill_common(publication, topic, site, version);
	return publication;
}

static void
set_text(PhPublication *publication, int column, text *value)
{
	publication->message[column] = PointerGetDatum(value);
	publication->message_null[column] = value == NULL;
}

static void
fill_message(PhPublication *publication, const PhFact *fact)
{
	Datum	   *message = publication->message;
	bool	   *null = publication->message_null;

	message[MESSAGE_EVENT_TIME] = TimestampTzGetDatum(fact->has_event_time ? fact->event_time :
													   publication->recorded_at);
	message[MESSAGE_EVENT_OFFSET] = Int16GetDatum(fact->event_offset);
	null[MESSAGE_EVENT_OFFSET] = !fact->has_event_offset;
	if (fact->version != 0)
		message[MESSAGE_VERSION] = Int32GetDatum(fact->version);
	set_text(publication, MESSAGE_KEY, fact->key);
	set_text(publication, MESSAGE_SOURCE, fact->source);
	set_text(publication, MESSAGE_EVENT_ID, fact->event_id);
	set_text(publication, MESSAGE_SUBJECT, fact->subject);
	set_text(publication, MESSAGE_CORRELATION_ID, fact->correlation_id);
	set_text(publication, MESSAGE_CAUSATION_ID, fact->causation_id);
	set_text(publication, MESSAGE_TRACEPARENT, fact->traceparent);
	message[MESSAGE_ATTRIBUTES] = fact->attributes;
	null[MESSAGE_ATTRIBUTES] = fact->attributes == 0;
	message[MESSAGE_DATA] = fact->data;
	if (fact->event_id == NULL || fact->received)
		return;

	if (fact->source == NULL)
	{
		if (publication->default_source == NULL)
			publication->default_source = cstring_to_text(psprintf("urn:planthub:%s", publication->hub_id));
		set_text(publication, MESSAGE_SOURCE, publication->default_source);
	}
	require_new_identity(publication, (text *) DatumGetPointer(message[MESSAGE_SOURCE]), fact->event_id);
}

static void
prepare_conditions(PhPublication *publication, const PhFact *fact, PhConditionInput *input)
{
	PhSubject	subject = {publication->topic, publication->site, fact->key, fact->subject, fact->source, fact->event_id,
	fact->correlation_id, fact->attributes, fact->data};
	MemoryContext old;

	if (publication->conditions == NULL)
		return;
	MemoryContextReset(publication->conditions);
	old = MemoryContextSwitchTo(publication->conditions);
	ph_condition_prepare(&subject, input);
	MemoryContextSwitchTo(old);
}

/* Whether a route takes the message.  *failed: it cannot tell, so the delivery must be parked. */
static bool
is_wanted(PhPublication *publication, const PhRoute *route, const PhConditionInput *input, bool *failed)
{
	MemoryContext old;
	PhValue		value;
	PhError		error;

	*failed = false;
	if (route->condition_text == NULL)
		return true;
	old = MemoryContextSwitchTo(publication->conditions);
	*failed = route->condition == NULL || !ph_condition_evaluate(route->condition, input, &value, &error);
	MemoryContextSwitchTo(old);
	return *failed || ph_value_true(&value);
}

static bool
leads_to(const PhConfig *config, const PhRoute *route, int endpoint)
{
	const PhLane *lane = ph_config_lane(config, route->lane);

	return lane != NULL && config->endpoints[lane->endpoint].id == endpoint;
}

static void
append_delivery(PhPublication *publication, int i, const PhFact *fact, bool failed)
{
	Datum	   *delivery = publication->delivery;
	bool	   *null = publication->delivery_null;

	delivery[DELIVERY_NOT_BEFORE] = TimestampTzGetDatum(failed ? DT_NOEND : fact->not_before);
	null[DELIVERY_NOT_BEFORE] = !failed && !fact->has_not_before;
	delivery[DELIVERY_ID] = Int64GetDatum(ph_sequence_next("delivery_id_seq"));
	delivery[DELIVERY_LANE] = Int32GetDatum(publication->routes[i]->lane);
	delivery[DELIVERY_ROUTE] = Int32GetDatum(publication->routes[i]->id);
	ph_append_row(publication->deliveries, delivery, null);
	publication->used[i] = true;
}

int64
ph_publish_row(PhPublication *publication, const PhFact *fact)
{
	PhConditionInput input;
	bool		failed;
	int64		id;
	int			i;

	check_fact(fact);
	if (publication->contract != NULL && !fact->received)
		ph_contract_require(publication->contract, fact->data);
	fill_message(publication, fact);
	id = fact->id != 0 ? fact->id : ph_sequence_next("message_id_seq");
	publication->message[MESSAGE_ID] = Int64GetDatum(id);
	ph_append_row(publication->messages, publication->message, publication->message_null);

	publication->delivery[DELIVERY_MESSAGE_ID] = Int64GetDatum(id);
	prepare_conditions(publication, fact, &input);
	for (i = 0; i < publication->nroutes; i++)
	{
		if (fact->except_endpoint != 0 && leads_to(publication->config, publication->routes[i], fact->except_endpoint))
			continue;
		if (is_wanted(publication, publication->routes[i], &input, &failed))
			append_delivery(publication, i, fact, failed);
	}
	return id;
}

void
ph_publish_close(PhPublication *publication)
{
	int			i;

	ph_append_close(publication->messages);
	if (publication->deliveries != NULL)
		ph_append_close(publication->deliveries);
	if (publication->identity != NULL)
	{
		ph_identity_close(publication->identity);
		seen_destroy(publication->seen);
	}
	for (i = 0; i < publication->nroutes; i++)
	{
		if (publication->used[i])
			ph_xact_mark_lane(publication->routes[i]->lane);
	}
	if (publication->conditions != NULL)
		MemoryContextDelete(publication->conditions);
	pfree(publication->used);
	pfree(publication);
}
