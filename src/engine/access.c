/*
 * access.c
 *	  What a worker knows about one endpoint that lets it in.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "engine/access.h"
#include "pg/worker.h"

PhAccess *
ph_access_of(PhEndpointState *endpoint)
{
	if (endpoint->access == NULL)
		endpoint->access = MemoryContextAllocZero(ph_work.context, sizeof(PhAccess));
	return endpoint->access;
}

void
ph_access_drop_token(PhAccess *access, uint64 version)
{
	if (access->token_version != version)
		return;
	access->token_version++;
	access->token_until = 0;
	if (access->credential.is_oauth2 && access->credential.field != NULL)
		pfree((char *) access->credential.field);
	access->credential.field = NULL;
}

void
ph_access_drop_session(PhAccess *access, uint64 version)
{
	if (access->session_version != version)
		return;
	access->session_version++;
	if (access->session_field != NULL)
		pfree(access->session_field);
	access->session_field = NULL;
	ph_cookies_forget(&access->cookies);
}

void
ph_access_forget(PhAccess *access)
{
	ph_access_drop_token(access, access->token_version);
	ph_access_drop_session(access, access->session_version);
	if (access->context != NULL)
		MemoryContextDelete(access->context);
	access->context = NULL;
	memset(&access->credential, 0, sizeof(access->credential));
	access->stale = false;
}

/* ---- credential and token ---- */

typedef struct Reading
{
	const char *code;
	PhAccess   *access;
	const PhResult *result;
	const char *error;			/* in the caller's context */
} Reading;

static void
load(void *arg)
{
	Reading    *reading = arg;
	MemoryContext old = MemoryContextSwitchTo(reading->access->context);

	(void) ph_credential_load(reading->code, &reading->access->credential, &reading->error);
	MemoryContextSwitchTo(old);
}

bool
ph_access_load(PhAccess *access, const char *credential, const char **error)
{
	Reading		reading = {credential, access};
	ErrorData  *thrown = NULL;

	if (access->context != NULL)
		return true;
	access->context = AllocSetContextCreate(ph_work.context, "planthub credential", ALLOCSET_SMALL_SIZES);
	if (!ph_run_transaction(&ph_usual_transaction, load, &reading, &thrown))
		reading.error = psprintf("the credential could not be read: %s", thrown->message);
	if (reading.error == NULL)
		return true;
	*error = pstrdup(reading.error);
	MemoryContextDelete(access->context);
	access->context = NULL;
	memset(&access->credential, 0, sizeof(access->credential));
	return false;
}

static void
take_token(void *arg)
{
	Reading    *reading = arg;
	PhAccess   *access = reading->access;
	PhToken		token;

	ph_token_read(reading->result, &token);
	reading->error = token.error;
	if (token.field == NULL)
		return;
	ph_access_drop_token(access, access->token_version);
	access->credential.field = MemoryContextStrdup(access->context, token.field);
	access->token_until = GetCurrentTimestamp() + token.lives_s * USECS_PER_SEC;
}

const char *
ph_access_take_token(PhAccess *access, const PhResult *result)
{
	Reading		reading = {.access = access,.result = result};
	ErrorData  *thrown = NULL;

	if (result->fault != PH_FAULT_NONE || result->body == NULL)
		return psprintf("no token: %s", result->error[0] == '\0' ? "no answer" : result->error);
	if (!ph_run_transaction(&ph_usual_transaction, take_token, &reading, &thrown))
		return "no token: the answer could not be read";	/* the error could cite it */
	return reading.error;
}

/* ---- session ---- */

bool
ph_access_take_session(PhAccess *access, const PhResult *result, const char *header)
{
	size_t		length;
	const char *token;

	if (result->headers == NULL)
		return false;
	token = ph_field_find(result->headers, result->headers_len, header, &length);
	if (token == NULL || length == 0 || (length == strlen("Required") && pg_strncasecmp(token, "Required", length) == 0))
		return false;
	ph_access_drop_session(access, access->session_version);
	access->session_field = MemoryContextAlloc(ph_work.context, strlen(header) + length + 3);
	sprintf(access->session_field, "%s: %.*s", header, (int) length, token);
	ph_cookies_hear(&access->cookies, result->headers, result->headers_len);
	return true;
}

void
ph_access_hide(const PhAccess *access, char *text, size_t size)
{
	const char *secrets[] = {access->credential.secret,
		access->credential.field == NULL ? NULL : strrchr(access->credential.field, ' ') + 1,
	access->session_field == NULL ? NULL : strrchr(access->session_field, ' ') + 1};
	bool		cut_off = strlen(text) == size - 1;
	int			i;

	for (i = 0; i < lengthof(secrets); i++)
	{
		if (secrets[i] != NULL)
		{
			char	   *clean = ph_without_secret(text, cut_off, secrets[i]);

			strlcpy(text, clean, size);
			pfree(clean);
		}
	}
}
