/*
 * outage.c
 *	  What the answers of an endpoint say about it: circuit breaker, throttle, and what is told about an outage.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "engine/outage.h"
#include "engine/sql.h"
#include "pg/compat.h"

void
ph_outage_write(PhEndpointState *endpoint)
{
	static PhStatement upsert = {
		"INSERT INTO planthub.endpoint_state AS s (endpoint, state, since, failures, retry_at, last_status, last_error)"
		" VALUES ($1, $2, clock_timestamp(), $3, $4, nullif($5, 0), nullif($6, '')) ON CONFLICT (endpoint) DO UPDATE"
		" SET since = CASE WHEN s.state = excluded.state THEN s.since ELSE excluded.since END, state = excluded.state,"
		" failures = excluded.failures, retry_at = excluded.retry_at,"
		" last_status = coalesce(excluded.last_status, s.last_status),"
		" last_error = coalesce(excluded.last_error, s.last_error)",
		6, {INT4OID, TEXTOID, INT4OID, TIMESTAMPTZOID, INT4OID, TEXTOID}
	};
	bool		open = ph_breaker_is_open(&endpoint->breaker);
	Datum		values[6];

	values[0] = Int32GetDatum(endpoint->id);
	values[1] = CStringGetTextDatum(open ? "open" : "closed");
	values[2] = Int32GetDatum(endpoint->breaker.failures);
	values[3] = TimestampTzGetDatum((TimestampTz) ph_breaker_next_us(&endpoint->breaker));
	values[4] = Int32GetDatum(endpoint->last_status);
	values[5] = CStringGetTextDatum(endpoint->last_error);
	ph_sql_run(&upsert, values, open ? NULL : "   n  ", SPI_OK_INSERT);
}

/* One line for the beginning of an outage and one for its end, however often it is probed in between. */
static void
log_outage(PhEndpointState *endpoint)
{
	const PhBreaker *breaker = &endpoint->breaker;

	if (breaker->opened > 0 && !endpoint->outage_logged)
	{
		endpoint->outage_logged = true;
		ereport(LOG,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("deliveries to endpoint \"%s\" suspended after %d failures in a row",
						endpoint->endpoint->code, breaker->failures),
				 errdetail("The last attempt failed: %s.", endpoint->last_error[0] != '\0' ? endpoint->last_error :
						   psprintf("status %d", endpoint->last_status)),
				 errhint("Repair the endpoint; it is probed until it answers. See planthub.endpoint_health.")));
	}
	else if (breaker->opened == 0 && endpoint->outage_logged)
	{
		endpoint->outage_logged = false;
		ereport(LOG,
				(errcode(ERRCODE_SUCCESSFUL_COMPLETION),
				 errmsg("deliveries to endpoint \"%s\" resumed", endpoint->endpoint->code)));
	}
}

void
ph_outage_note_answer(PhEndpointState *endpoint, const PhItem *item)
{
	bool		was_open = ph_breaker_is_open(&endpoint->breaker);
	TimestampTz now = GetCurrentTimestamp();

	if (endpoint->endpoint == NULL)
		return;
	switch (item->outcome)
	{
		case PH_OUTCOME_THROTTLED:
			endpoint->throttled_until = now + Max(item->retry_after_s, 1) * USECS_PER_SEC;
			return;
		case PH_OUTCOME_TRANSIENT:
		case PH_OUTCOME_AUTH:
		case PH_OUTCOME_UNKNOWN:
			ph_breaker_failure(&endpoint->breaker, now, endpoint->endpoint->breaker_threshold,
							   ph_random_double());
			endpoint->last_status = item->status;
			strlcpy(endpoint->last_error, item->error == NULL ? "" : item->error, sizeof(endpoint->last_error));
			endpoint->dirty = endpoint->dirty || ph_breaker_is_open(&endpoint->breaker);
			break;
		default:
			ph_breaker_success(&endpoint->breaker);
			endpoint->dirty = endpoint->dirty || was_open;
			break;
	}
	log_outage(endpoint);
}
