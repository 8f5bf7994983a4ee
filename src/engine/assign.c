/*
 * assign.c
 *	  Which endpoints and lanes this worker serves: follows the configuration, takes and gives back leases.
 */
#include "postgres.h"

#include <signal.h>

#include "access/transam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "engine/assign.h"
#include "engine/entry.h"
#include "engine/exchange.h"
#include "engine/work.h"
#include "pg/settings.h"
#include "pg/worker.h"

#define RETAKE_MS			1000	/* until the next try for a lane that another worker still owns */

static PhEndpointState *
find_endpoint(PhEndpointState **endpoints, int n, int id)
{
	int			i;

	for (i = 0; i < n; i++)
	{
		if (endpoints[i]->id == id)
			return endpoints[i];
	}
	return NULL;
}

static PhLaneWork *
find_lane(const PhEndpointState *endpoint, int id)
{
	int			i;

	for (i = 0; i < endpoint->nlanes; i++)
	{
		if (endpoint->lanes[i]->state.id == id)
			return endpoint->lanes[i];
	}
	return NULL;
}

static PhEndpointState *
create_endpoint(const PhEndpoint *endpoint)
{
	PhEndpointState *state = palloc0(sizeof(PhEndpointState));

	state->id = endpoint->id;
	ph_breaker_init(&state->breaker, endpoint->target.max_in_flight);
	return state;
}

static int
compare_priority(const void *a, const void *b)
{
	const PhLaneWork *left = *(PhLaneWork *const *) a;
	const PhLaneWork *right = *(PhLaneWork *const *) b;

	if (left->priority != right->priority)
		return left->priority - right->priority;
	return (left->state.id > right->state.id) - (left->state.id < right->state.id);
}

/* Brings the lanes of an endpoint in line with the configuration; a lane never goes away while the endpoint is there. */
static void
apply_lanes(const PhConfig *config, PhEndpointState *state)
{
	int			i;

	state->lanes = state->lanes == NULL ? palloc(sizeof(PhLaneWork *) * (Size) Max(config->nlanes, 1)) :
		repalloc(state->lanes, sizeof(PhLaneWork *) * (Size) Max(config->nlanes, 1));
	for (i = 0; i < config->nlanes; i++)
	{
		const PhLane *lane = &config->lanes[i];
		PhLaneWork *work;

		if (config->endpoints[lane->endpoint].id != state->id || find_lane(state, lane->id) != NULL)
			continue;
		work = palloc0(sizeof(PhLaneWork));
		ph_lane_init(&work->state, lane->id, ph_work.context);
		ph_queue_init(&work->queue);
		work->endpoint = state;
		work->priority = lane->priority;
		state->lanes[state->nlanes++] = work;
		ph_work.take_at = GetCurrentTimestamp();
	}
	qsort(state->lanes, state->nlanes, sizeof(PhLaneWork *), compare_priority);
}

void
ph_assign_config(const PhConfig *config)
{
	MemoryContext old = MemoryContextSwitchTo(ph_work.context);
	PhEndpointState **endpoints = palloc(sizeof(PhEndpointState *) * (Size) Max(config->nendpoints, 1));
	int			n = 0;
	int			i;
	int			j;

	for (i = 0; config->armed && i < config->nendpoints; i++)
	{
		const PhEndpoint *endpoint = &config->endpoints[i];
		PhEndpointState *state;

		if (endpoint->id % ph_work.workers != ph_work.worker_no)
			continue;
		state = find_endpoint(ph_work.endpoints, ph_work.nendpoints, endpoint->id);
		if (state == NULL)
			state = create_endpoint(endpoint);
		state->endpoint = endpoint;
		ph_exchange_refresh(state);
		apply_lanes(config, state);
		for (j = 0; j < state->nlanes; j++)
			state->lanes[j]->wants_claim = state->lanes[j]->wants_due = true;
		endpoints[n++] = state;
	}
	for (i = 0; i < ph_work.nendpoints; i++)
	{
		PhEndpointState *state = ph_work.endpoints[i];

		if (find_endpoint(endpoints, n, state->id) != NULL)
			continue;
		state->endpoint = NULL;
		for (j = 0; j < state->nlanes; j++)
			ph_lane_release(&state->lanes[j]->state);
	}
	if (ph_work.endpoints != NULL)
		pfree(ph_work.endpoints);
	ph_work.endpoints = endpoints;
	ph_work.nendpoints = n;
	MemoryContextSwitchTo(old);

	ph_config_pin(config);
	if (ph_work.config != NULL)
		ph_config_unpin(ph_work.config);
	ph_work.config = config;
	ph_work.reload = true;			/* the lanes are read in the next transaction */
}

/* ---- leases ---- */

static void
take_lane(void *arg)
{
	PhLaneWork *lane = arg;

	const PhEndpoint *endpoint = lane->endpoint->endpoint;
	bool		looks_up = endpoint->steps != NULL && endpoint->steps->lookup != NULL;

	/* What can be looked up before it is sent again is in no doubt. */
	(void) ph_lane_take(&lane->state, endpoint->idempotent || looks_up);
}

void
ph_assign_take_lanes(void)
{
	TimestampTz now = GetCurrentTimestamp();
	bool		recovered = false;
	int			i;
	int			j;

	if (ph_work.take_at == 0 || ph_work.take_at > now)
		return;
	ph_work.take_at = 0;
	for (i = 0; i < ph_work.nendpoints; i++)
	{
		for (j = 0; j < ph_work.endpoints[i]->nlanes; j++)
		{
			PhLaneWork *lane = ph_work.endpoints[i]->lanes[j];
			bool		ok;

			if (lane->state.leased)
				continue;
			ok = ph_run_transaction(&ph_usual_transaction, take_lane, lane, NULL);
			if (!ok)
				ph_lane_release(&lane->state);
			lane->wants_claim = lane->wants_due = true;
			lane->follow_at = now;		/* look once */
			recovered = recovered || !dlist_is_empty(&lane->state.recoveries);
			if (lane->state.leased)
			{
				ph_work_sweep_soon(now);
				ph_entry_distrust();
			}
			else
				ph_work.take_at = TimestampTzPlusMilliseconds(now, RETAKE_MS);
		}
	}
	if (recovered && strcmp(ph_debug_crash, "recovered") == 0)
		kill(MyProcPid, SIGKILL);
}
