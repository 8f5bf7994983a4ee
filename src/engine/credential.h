/*
 * credential.h
 *	  Who the hub is for a service: what planthub.credential and planthub.credential_secret say.
 *
 * Secrets are in the memory of the worker and in requests, nowhere else: no text that is made here or from here for an
 * error, a log or a table has one in it.
 */
#ifndef PLANTHUB_CREDENTIAL_H
#define PLANTHUB_CREDENTIAL_H

#include "connector/connector.h"

typedef struct PhCredential
{
	const char *code;
	bool		is_oauth2;			/* field comes with every token; else it is always the same */
	const char *field;				/* "Authorization: Basic ..."; NULL: no token yet */
	const char *secret;				/* as it is stored */

	/* of oauth2, client credentials (RFC 6749, 4.4) */
	const char *token_url;
	const char *form;				/* body of the request for a token */
	const char *client_field;		/* "Authorization: Basic ..." of it; NULL: the form says who we are */
} PhCredential;

/*
 * Reads it into the current memory context, which the caller empties when it is no longer needed.  False: *error says
 * what is missing.  Needs a transaction, connects to SPI itself.
 */
extern bool ph_credential_load(const char *code, PhCredential *credential, const char **error);

/* A token as RFC 6749, 5.1 has it. */
typedef struct PhToken
{
	char	   *field;				/* "Authorization: Bearer ..."; NULL: see error */
	int64		lives_s;			/* how long it is to be used */
	const char *error;
} PhToken;

/* What the answer to the request for a token says, in the current memory context.  Needs a transaction. */
extern void ph_token_read(const PhResult *result, PhToken *token);

/*
 * A copy of a text without the secret: it is replaced by "***" wherever it is; of a text that was cut off, its beginning
 * at the end is left out, too.
 */
extern char *ph_without_secret(const char *text, bool cut_off, const char *secret);

#endif
