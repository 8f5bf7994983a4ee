/*
 * item_value.c
 *	  A delivery as expressions and mappings see it.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "engine/item_value.h"

static void
put(PhValue *object, const char *name, PhValue value)
{
	ph_object_put(object, name, &value);
}

static void
put_text(PhValue *object, const char *name, const char *value)
{
	put(object, name, value == NULL ? ph_value_null() : ph_value_text(value));
}

/* What the event says is UTF-8, whatever the encoding of the server. */
static void
put_utf8(PhValue *object, const char *name, const char *value)
{
	put_text(object, name, value == NULL ? NULL : pg_any_to_server(value, (int) strlen(value), PG_UTF8));
}

static PhValue
delivery_value(const PhItem *item, const char *route, const PhEndpoint *endpoint)
{
	PhValue		delivery = ph_object_new(6);

	put(&delivery, "id", ph_value_int(item->delivery_id));
	put_text(&delivery, "route", route);
	put_text(&delivery, "endpoint", endpoint->code);
	put_text(&delivery, "system", endpoint->system);
	put_utf8(&delivery, "idempotency_key", item->idempotency_key);
	put(&delivery, "attempts", ph_value_int(item->attempts));
	ph_object_finish(&delivery);
	return delivery;
}

static PhValue
message_value(const PhItem *item)
{
	PhValue		message = ph_object_new(8);

	put(&message, "id", ph_value_int(item->message_id));
	put_utf8(&message, "type", item->event.type);
	put_utf8(&message, "source", item->event.source);
	put_utf8(&message, "event_id", item->event.id);
	put_utf8(&message, "subject", item->event.subject);
	put_utf8(&message, "time", item->event.time);
	put_text(&message, "key", item->key);
	put_text(&message, "site", item->site);
	ph_object_finish(&message);
	return message;
}

void
ph_item_append_values(PhValue *object, const PhItem *item, const char *route, const PhEndpoint *endpoint)
{
	put(object, "delivery", delivery_value(item, route, endpoint));
	put(object, "message", message_value(item));
}
