/*
 * publish.h
 *	  Messages and their deliveries written in the caller's transaction.
 */
#ifndef PLANTHUB_PUBLISH_H
#define PLANTHUB_PUBLISH_H

#include "datatype/timestamp.h"

/* One message to write.  Absent texts are NULL; data and attributes are jsonb, possibly compressed or external. */
typedef struct PhFact
{
	text	   *key;
	text	   *subject;
	text	   *source;
	text	   *event_id;
	text	   *correlation_id;
	text	   *causation_id;
	text	   *traceparent;
	Datum		attributes;		/* 0: none */
	Datum		data;
	int64		id;				/* number it has already; 0: the next */
	int			version;		/* of its contract; 0: the present one of the topic */
	bool		received;		/* identity and contract were checked when it was received */
	bool		has_event_time;
	bool		has_event_offset;
	bool		has_not_before;
	int			event_offset;	/* minutes east of UTC */
	int			except_endpoint;	/* number of the one that has told it and is not told again; 0: none */
	TimestampTz event_time;
	TimestampTz not_before;
} PhFact;

typedef struct PhPublication PhPublication;

/*
 * Locks the site's keys until the end of the transaction, so that messages with one key get their ids in the order of
 * commits.  To be called before ph_publish_open().
 */
extern void ph_publish_serialise(const char *site, text **keys, int n);

/* The same for one key; false when it must not wait and another transaction has the key. */
extern bool ph_publish_lock_key(const char *site, text *key, bool wait);

/*
 * Any number of messages of one topic and site.  Everything belongs to the current memory context.  As with PhAppend,
 * nothing else may run between open and close.
 */
extern PhPublication *ph_publish_open(const char *topic, const char *site);
extern int64 ph_publish_row(PhPublication *publication, const PhFact *fact);
extern void ph_publish_close(PhPublication *publication);

/* For the caller, who has to look into what is the same for many rows only once; each throws. */
extern void ph_publish_check_attributes(Datum attributes);
extern void ph_publish_check_text(const char *argument, text *value);
extern void ph_publish_check_traceparent(text *value);
extern void ph_publish_check_time(const char *argument, TimestampTz value);

#endif
