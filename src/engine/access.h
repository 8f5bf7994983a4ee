/*
 * access.h
 *	  What a worker knows about one endpoint that lets it in: credential and token, session and cookies.
 */
#ifndef PLANTHUB_ACCESS_H
#define PLANTHUB_ACCESS_H

#include "connector/fields.h"
#include "engine/credential.h"
#include "engine/request.h"

typedef struct PhAccess
{
	uint64		version;			/* of the steps it is for */
	bool		stale;				/* to be forgotten as soon as nothing is being fetched */
	PhRequest  *fetch;				/* of token or session, under way; NULL: none */
	PhRequest  *first_waiting;		/* for it */
	PhRequest  *last_waiting;

	MemoryContext context;			/* of the credential; NULL: not read yet */
	PhCredential credential;		/* with the token in its field */
	TimestampTz token_until;		/* 0: there is none */
	uint64		token_version;		/* differs for every token */

	char	   *session_field;		/* "X-CSRF-Token: ..."; NULL: there is none */
	PhCookies	cookies;
	uint64		session_version;	/* differs for every session */
} PhAccess;

extern PhAccess *ph_access_of(PhEndpointState *endpoint);

extern void ph_access_forget(PhAccess *access);
extern void ph_access_drop_token(PhAccess *access, uint64 version);	/* when it is still that one; so below */
extern void ph_access_drop_session(PhAccess *access, uint64 version);

/* Reads the credential if it is not known; false: *error.  Runs a transaction. */
extern bool ph_access_load(PhAccess *access, const char *credential, const char **error);

/* Takes the token out of the answer; NULL, or what is wrong.  Runs a transaction. */
extern const char *ph_access_take_token(PhAccess *access, const PhResult *result);

/* Takes token and cookies out of the answer; false when there is no token. */
extern bool ph_access_take_session(PhAccess *access, const PhResult *result, const char *header);

/* Takes out of an answer's text what must not be told. */
extern void ph_access_hide(const PhAccess *access, char *text, size_t size);

#endif
