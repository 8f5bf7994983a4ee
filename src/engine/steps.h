/*
 * steps.h
 *	  What else is asked of a service around the request that carries a message, as the column steps of
 *	  planthub.endpoint says it.  Kept with the configuration.
 *
 *	  session   a token against forged requests, and cookies: fetched before the first request, again when it is refused
 *	  read      the object that is to be changed: its ETag goes with the request
 *	  lookup    whether the effect of a request without an answer is there
 */
#ifndef PLANTHUB_STEPS_H
#define PLANTHUB_STEPS_H

#include "engine/address.h"

typedef struct PhSteps
{
	const char *credential;			/* code; NULL: none */
	const PhAddress *address;		/* of the message itself, when it has places; else NULL */
	const char *session;			/* whole address; NULL: no such step */
	const char *session_header;		/* name of the field with the token */
	const PhAddress *read;			/* NULL: no such step; so is lookup */
	const PhExpression *etag;		/* NULL: the field ETag */
	const PhExpression *require;	/* what must be true of what was read; NULL: nothing */
	const PhAddress *lookup;
	const PhExpression *found;		/* true: the effect is there; an object is the document */
	uint64		version;			/* differs when they or the credential differ */
	const char *fault;				/* why they cannot be used; only when somebody wrote the table directly */
} PhSteps;

/*
 * Compiles them in the current memory context; address is that of the endpoint, steps and credential may be NULL.  NULL:
 * there is nothing to do besides the request itself.  Needs a transaction.
 */
extern const PhSteps *ph_steps_compile(const char *address, Jsonb *steps, const char *credential);

/* Whether addresses of single messages are to be made. */
extern bool ph_steps_have_places(const PhSteps *steps);

/* The addresses for one message. */
typedef struct PhStepAddresses
{
	uint64		version;			/* of the steps they were made by */
	const char *address;			/* NULL: that of the endpoint */
	const char *read;
	const char *lookup;
} PhStepAddresses;

/* Fills them from {"request", "message", "delivery"}, in the current memory context; false: *error.  Needs a transaction. */
extern bool ph_steps_render(const PhSteps *steps, const PhValue *document, PhStepAddresses *addresses, char **error);

#endif
