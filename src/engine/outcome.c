/*
 * outcome.c
 *	  What the result of one attempt means.  Pure C.
 *
 * Status codes are RFC 9110 section 15 unless noted.  The rule behind the table: who is to act?  Nobody (success), time
 * (transient, throttled), who owns the credential (auth), who owns the data (business), who owns the connection
 * (permanent).
 *
 * 409 with an Idempotency-Key means that a request with this key is still being processed (IETF draft
 * httpapi-idempotency-key-header, 2.6), which is what the next attempt meets after a timeout: try again, until the target
 * repeats its first answer.  It is not taken for "known already": without a rule for that product nobody can tell a
 * duplicate from a conflict, and a conflict taken for success would be a lost message.  422 with such a key means that the key was used
 * with another body: business.
 */
#include <stddef.h>
#include <string.h>

#include "engine/outcome.h"

#ifdef POSTGRES_H
#error "pure C: must not see postgres.h"
#endif

static PhOutcome
classify_client_error(int status)
{
	switch (status)
	{
		case 401:
		case 403:
		case 407:
			return PH_OUTCOME_AUTH;
		case 408:					/* the server gave up waiting for the request; 15.5.9 allows to repeat it */
		case 409:
		case 421:					/* another connection may lead to the right server, 15.5.20 */
		case 423:					/* locked by someone else for now, RFC 4918 */
		case 425:					/* too early, RFC 8470 */
			return PH_OUTCOME_TRANSIENT;
		case 429:					/* RFC 6585 */
			return PH_OUTCOME_THROTTLED;
		case 404:					/* the address, method, media type or size is wrong for every message alike */
		case 405:
		case 406:
		case 410:
		case 411:
		case 413:
		case 414:
		case 415:
		case 416:
		case 417:
		case 426:
		case 428:
		case 431:
		case 451:
			return PH_OUTCOME_PERMANENT;
		default:					/* 400, 402, 412, 422; section 15: an unknown code counts as 400 */
			return PH_OUTCOME_BUSINESS;
	}
}

static PhOutcome
classify_server_error(int status, bool retry_after)
{
	switch (status)
	{
		case 501:					/* method, protocol version or extension that it will not learn by itself */
		case 505:
		case 506:
		case 508:
		case 510:
			return PH_OUTCOME_PERMANENT;
		case 503:					/* with Retry-After it says when, 15.6.4 */
			return retry_after ? PH_OUTCOME_THROTTLED : PH_OUTCOME_TRANSIENT;
		case 511:					/* something on the way wants a login, RFC 6585 */
			return PH_OUTCOME_AUTH;
		default:					/* section 15: an unknown code counts as 500 */
			return PH_OUTCOME_TRANSIENT;
	}
}

static PhOutcome
classify_status(const PhResult *result)
{
	switch (result->status / 100)
	{
		case 2:
			return PH_OUTCOME_SUCCESS;
		case 4:
			return classify_client_error(result->status);
		case 5:
			return classify_server_error(result->status, result->retry_after_s >= 0);
		default:					/* a redirect is not followed: the address is to be corrected; the rest is no HTTP */
			return PH_OUTCOME_PERMANENT;
	}
}

PhOutcome
ph_outcome_classify(const PhResult *result)
{
	switch (result->fault)
	{
		case PH_FAULT_NONE:
			return classify_status(result);
		case PH_FAULT_REQUEST:
			return PH_OUTCOME_PERMANENT;
		case PH_FAULT_TOO_LARGE:	/* the status is known and says what became of the request */
			if (result->status >= 200)
				return classify_status(result);
			break;
		default:
			break;
	}
	return result->sent ? PH_OUTCOME_UNKNOWN : PH_OUTCOME_TRANSIENT;
}

const char *
ph_outcome_name(PhOutcome outcome)
{
	switch (outcome)
	{
		case PH_OUTCOME_SUCCESS:
			return "success";
		case PH_OUTCOME_DUPLICATE:
			return "duplicate";
		case PH_OUTCOME_TRANSIENT:
			return "transient";
		case PH_OUTCOME_THROTTLED:
			return "throttled";
		case PH_OUTCOME_AUTH:
			return "auth";
		case PH_OUTCOME_BUSINESS:
			return "business";
		case PH_OUTCOME_PERMANENT:
			return "permanent";
		case PH_OUTCOME_UNKNOWN:
			return "unknown";
	}
	return "unknown";
}

bool
ph_outcome_parse(const char *name, PhOutcome *outcome)
{
	int			i;

	for (i = PH_OUTCOME_SUCCESS; i <= PH_OUTCOME_UNKNOWN; i++)
	{
		if (strcmp(ph_outcome_name(i), name) == 0)
		{
			*outcome = i;
			return true;
		}
	}
	return false;
}

bool
ph_outcome_counts(const PhResult *result)
{
	return result->sent;
}
