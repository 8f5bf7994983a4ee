/*
 * request.c
 *	  A request under way.
 */
#include "postgres.h"

#include <inttypes.h>
#include <signal.h>

#include "common/hashfn.h"
#include "miscadmin.h"

#include "engine/request.h"
#include "pg/compat.h"
#include "pg/settings.h"

PhRequest *
ph_request_create(PhEndpointState *endpoint, const PhConfig *config, const PhEndpoint *target, PhItem **items, int n)
{
	PhRequest  *request = MemoryContextAlloc(ph_work.context, offsetof(PhRequest, items) + sizeof(PhItem *) * (Size) n);

	request->endpoint = endpoint;
	request->config = config;
	request->target = target;
	request->exchange = NULL;
	request->n = n;
	if (n > 0)
		memcpy(request->items, items, sizeof(PhItem *) * (Size) n);
	ph_config_pin(config);
	return request;
}

void
ph_request_free(PhRequest *request)
{
	ph_config_unpin(request->config);
	pfree(request);
}

void
ph_request_crash_at(const char *point)
{
	if (ph_debug_crash[0] != '\0' && strcmp(ph_debug_crash, point) == 0)
		kill(MyProcPid, SIGKILL);
}

/* The trace of the event, or one of the message's own, with a new span for this attempt. */
static char *
attempt_traceparent(const PhItem *item, char *buffer, size_t size)
{
	uint64		span = ph_random_uint64() | 1;
	uint64		high = (uint64) item->message_id;
	uint64		low = hash_bytes_extended((const unsigned char *) item->event.source,
										  (int) strlen(item->event.source), high);

	if (item->event.traceparent != NULL && strlen(item->event.traceparent) == 55)
		snprintf(buffer, size, "%.36s%016" PRIx64 "%.3s", item->event.traceparent, span,
				 item->event.traceparent + 52);
	else
		snprintf(buffer, size, "00-%016" PRIx64 "%016" PRIx64 "-%016" PRIx64 "-01",
				 low, high, span);
	return buffer;
}

void
ph_request_submit(const PhConnector *connector, PhRequest *request, const PhTarget *target)
{
	PhEvent    *events = palloc(sizeof(PhEvent) * (Size) request->n);
	PhItem	   *first = request->items[0];
	char		traceparent[64];
	int			i;

	for (i = 0; i < request->n; i++)
	{
		const char *key = request->items[i]->key;

		events[i] = request->items[i]->event;
		if (strncmp(ph_debug_crash, "key=", 4) == 0 && key != NULL && strcmp(key, ph_debug_crash + 4) == 0)
			kill(MyProcPid, SIGKILL);
	}
	connector->submit(request, target, events, request->n, request->n == 1 ? first->idempotency_key : NULL,
					  attempt_traceparent(first, traceparent, sizeof(traceparent)));
	pfree(events);
	if (ph_debug_crash[0] != '\0')
		connector->run();
	ph_request_crash_at("sent");
}
