/*
 * mapped.h
 *	  A message as its target wants it: its data, translated by the mapping of its route.
 */
#ifndef PLANTHUB_MAPPED_H
#define PLANTHUB_MAPPED_H

#include "utils/array.h"

#include "engine/condition.h"
#include "engine/config.h"

typedef struct PhMappedMessage
{
	const PhSubject *subject;
	int64		message_id;
	const char *source;			/* of CloudEvents, as the target sees it; so are id and time */
	const char *id;
	const char *time;
	const char *recorded_at;	/* RFC 3339 */
	const PhEndpoint *endpoint; /* NULL: not known */
} PhMappedMessage;

typedef struct PhMapped
{
	const char *version;		/* name@version that was used; NULL: it could not be found or compiled */
	Jsonb	   *data;			/* NULL: see error */
	const char *error;			/* a JSON array of errors, or a line */
	bool		waits;			/* failed for want of data that may come */
	ArrayType  *waits_for;		/* entries of the cross-reference among them, set/code, and units, /code; NULL: none */
} PhMapped;

/*
 * Applies a mapping.  Its $env has what conditions have, and message_id, source, id, time, received_at, system and endpoint.  Never raises
 * what the mapping or the message is to blame for.  Everything is in the current memory context.
 */
extern void ph_mapped_apply(const char *reference, const PhMappedMessage *message, PhMapped *mapped);

/*
 * The data as XML by the profile of their endpoint; NULL: *error says why they cannot be.  In the current memory context.
 */
extern text *ph_mapped_xml(Jsonb *data, Jsonb *profile, const char **error);

#endif
