/*
 * inbound.h
 *	  What the SQL functions of receive() share.
 */
#ifndef PLANTHUB_INBOUND_H
#define PLANTHUB_INBOUND_H

#include "datatype/timestamp.h"
#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/jsonb.h"

/* Attributes of the type planthub.inbound, in order. */
enum
{
	EVENT_ID, EVENT_TOPIC, EVENT_VERSION, EVENT_SITE, EVENT_SYSTEM, EVENT_KIND, EVENT_SOURCE, EVENT_EVENT_ID,
	EVENT_SUBJECT, EVENT_KEY, EVENT_TIME, EVENT_OFFSET, EVENT_SENT_AT, EVENT_CORRELATION_ID, EVENT_CAUSATION_ID,
	EVENT_TRACEPARENT, EVENT_TIMEZONE, EVENT_POLICIES, EVENT_DATA,
	EVENT_ATTRIBUTES
};

/* The function planthub.lock_things(): until the end of the transaction, always in one order. */
extern void ph_lock_things(text *kind, ArrayType *keys);

/* The function planthub.event_hash(); canonical gets the text that was hashed. */
extern bytea *ph_event_hash(const char *topic, TimestampTz event_time, Jsonb *data, StringInfo canonical);

/* The function planthub.quantity_value(); false: null. */
extern bool ph_quantity_value(text *value, Datum *result);

#endif
