/*
 * dispatch.c
 *	  The dispatcher: what a worker does.
 *
 * One turn: take the answers that have come in; then, if there is something to write or to read, one transaction that
 * records what is finished and claims what is next (work.c); then start requests as far as the limits allow, endpoint by
 * endpoint in turns.  No transaction is open while a request is under way, and nothing waits for the slowest one.
 *
 * Answers are recorded together, but no later than LINGER_US after the first: one commit for many.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "engine/dispatch.h"
#include "engine/exchange.h"
#include "engine/follow.h"
#include "engine/outage.h"
#include "engine/outcome_rule.h"
#include "engine/work.h"
#include "pg/compat.h"
#include "pg/settings.h"

#define LINGER_US			10000	/* longest wait of an answer for others to be recorded with it */
#define RECORD_AT_ONCE		1000	/* as many answers are recorded without waiting */
#define QUANTUM				8		/* requests an endpoint may start before the next one has its turn */
#define POLL_MS				1000	/* while the end of something is known to come without a wake */
#define RETRY_WORK_MS		200		/* after a failed transaction, times the failures in a row */
#define MAX_WORK_FAILURES	8		/* then the worker starts afresh */

static const PhConnector *connector;
static int	turn_start;			/* endpoint that is served first in the next turn */

static void start(int worker_no, int workers);
static long turn(const PhMarks *marks, bool config);
static int	wait_fd(void);
static void stop(void);

const PhWorkerOps ph_dispatch_ops = {.start = start,.turn = turn,.wait_fd = wait_fd,.stop = stop};

static void finish(PhRequest *request, const PhResult *result, const PhJudgement *judgement);
static void take_results(void);
static void start_requests(TimestampTz now);
static long next_turn_ms(TimestampTz now);

/* ---- frame ---- */

static void
start(int worker_no, int workers)
{
	char		error[256];

	connector = ph_connector_find("http");
	if (connector == NULL || !connector->start(ph_max_connections, error, sizeof(error)))
		ereport(ERROR,
				(errcode(ERRCODE_SYSTEM_ERROR),
				 errmsg("could not start connector \"%s\"", "http"),
				 errdetail("%s", connector == NULL ? "It is not part of this library." : error)));
	turn_start = 0;
	ph_exchange_start(connector, finish);
	ph_work_start(worker_no, workers);
}

static void
stop(void)
{
	if (connector != NULL)
	{
		connector->abandon();
		connector->stop();
	}
	ph_exchange_stop();
	ph_work_stop();
}

static int
wait_fd(void)
{
	return connector == NULL ? -1 : connector->wait_fd();
}

static long
turn(const PhMarks *marks, bool config)
{
	TimestampTz now;

	connector->run();
	take_results();
	now = GetCurrentTimestamp();
	ph_work_mark(marks, config, now);
	ph_work_make_room(now);
	if (ph_work.nfinished >= RECORD_AT_ONCE || (ph_work.nfinished > 0 && connector->in_flight() == 0) ||
		(ph_work.nfinished > 0 && now - ph_work.first_finished >= LINGER_US) || ph_work_wanted(now))
	{
		if (now >= ph_work.not_before && !ph_work_run())
		{
			if (++ph_work.failures > MAX_WORK_FAILURES)
				ereport(ERROR,
						(errcode(ERRCODE_INTERNAL_ERROR),
						 errmsg("planthub worker starts afresh after %d failed transactions in a row", ph_work.failures)));
			ph_work.not_before = TimestampTzPlusMilliseconds(now, RETRY_WORK_MS * ph_work.failures);
		}
		now = GetCurrentTimestamp();
	}
	ph_follow_run(now);
	start_requests(now);
	connector->run();
	return next_turn_ms(GetCurrentTimestamp());
}

/* ---- answers ---- */

/* What an answer is judged by, in a transaction of its own. */
typedef struct Hearing
{
	const PhEndpoint *endpoint;
	PhAnswer	answer;
	PhJudgement judgement;
} Hearing;

static void
hear(void *arg)
{
	Hearing    *hearing = arg;
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "planthub answer", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);

	ph_outcome_judge(hearing->endpoint->rules, hearing->endpoint->nrules, &hearing->answer, &hearing->judgement);
	MemoryContextSwitchTo(old);
	if (hearing->judgement.fault != NULL)
		hearing->judgement.fault = pstrdup(hearing->judgement.fault);
	MemoryContextDelete(scratch);
}

/* What the result means by the rules of the endpoint, else by its status.  In the current memory context. */
static PhJudgement
judge(const PhRequest *request, const PhResult *result)
{
	PhJudgement unjudged = {.outcome = ph_outcome_classify(result),.retry_after_s = -1};
	Hearing		hearing = {.endpoint = request->target};
	ErrorData  *error = NULL;

	if (hearing.endpoint->nrules == 0 || !ph_answer_of(result, &hearing.answer))
		return unjudged;
	if (!ph_run_transaction(&ph_usual_transaction, hear, &hearing, &error))
	{
		unjudged.fault = psprintf("the outcome rules could not be evaluated: %s", error->message);
		return unjudged;
	}
	if (!hearing.judgement.decided)
		hearing.judgement.outcome = unjudged.outcome;
	return hearing.judgement;
}

/* What went wrong with the request, and with the rules about its answer; NULL when nothing did. */
static char *
error_text(MemoryContext context, const char *error, const char *fault)
{
	if (fault == NULL)
		return error[0] == '\0' ? NULL : MemoryContextStrdup(context, error);
	return MemoryContextStrdup(context, error[0] == '\0' ? fault : psprintf("%s; %s", error, fault));
}

static void
copy_result(const PhConfig *config, PhItem *item, const PhResult *result, const PhJudgement *judgement)
{
	MemoryContext context = item->batch->context;
	const PhRoute *route = ph_config_route(config, item->route);
	PhAnswer	answer;

	item->recorded_attempt = true;
	item->outcome = judgement->outcome;
	item->reason = judgement->reason == NULL ? NULL : MemoryContextStrdup(context, judgement->reason);
	item->counts = ph_outcome_counts(result);
	item->attempts += item->counts ? 1 : 0;
	item->status = result->status;
	item->retry_after_s = judgement->retry_after_s >= 0 ? judgement->retry_after_s : result->retry_after_s;
	item->started_us = result->started_us;
	item->duration_us = result->duration_us;
	memcpy(item->digest, result->request_digest, sizeof(item->digest));
	item->error = error_text(context, result->error, judgement->fault);
	if (!ph_settle_is_final(item) && result->response[0] != '\0')
		item->response = MemoryContextStrdup(context, result->response);
	if (ph_settle_is_final(item) && item->single && route != NULL && route->response_mapping != NULL &&
		ph_answer_of(result, &answer))
		item->answer = ph_answer_copy(&answer, context);
}

/* Whether an earlier item of the same request has the same key and failed too. */
static bool
failed_before(const PhRequest *request, int i)
{
	int			j;

	for (j = 0; j < i; j++)
	{
		if (request->items[i]->key != NULL && request->items[j]->key != NULL && !ph_settle_is_final(request->items[j]) &&
			strcmp(request->items[i]->key, request->items[j]->key) == 0)
			return true;
	}
	return false;
}

/* The end of a request: judgement says what its result means, NULL: what rules and status say. */
static void
finish(PhRequest *request, const PhResult *result, const PhJudgement *judgement)
{
	PhEndpointState *endpoint = request->endpoint;
	PhJudgement own;
	int			i;

	if (judgement == NULL)
	{
		own = judge(request, result);
		judgement = &own;
	}
	endpoint->in_flight--;
	for (i = 0; i < request->n; i++)
	{
		PhItem	   *item = request->items[i];

		item->single = request->n == 1;
		copy_result(request->config, item, result, judgement);
		item->behind = item->blocks && failed_before(request, i);
	}
	ph_outage_note_answer(endpoint, request->items[0]);
	for (i = 0; i < request->n; i++)
		ph_work_finish(request->items[i]);
	ph_request_free(request);
}

static void
take_results(void)
{
	PhResult	result;

	while (connector->next_result(&result))
	{
		PhRequest  *request = result.owner;

		ph_request_crash_at("answered");
		if (request->exchange != NULL)
			ph_exchange_hear(request, &result);
		else
			finish(request, &result, NULL);
	}
}

/* ---- requests ---- */

static void
submit(PhEndpointState *endpoint, PhItem **items, int n)
{
	PhRequest  *request = ph_request_create(endpoint, ph_work.config, endpoint->endpoint, items, n);

	endpoint->in_flight++;
	if (request->target->steps != NULL || items[0]->follow != NULL)
		ph_exchange_begin(request);
	else
		ph_request_submit(connector, request, &request->target->target);
}

/* Sends what may go together with this item; false when the item needed no request after all. */
static bool
send_item(PhEndpointState *endpoint, PhLaneWork *lane, PhItem *item, TimestampTz now)
{
	PhItem	   *items[1000];
	int			limit = item->alone ? 1 : Min(endpoint->endpoint->batch_size, (int) lengthof(items));
	int			n = 0;

	while (item != NULL)
	{
		if (ph_work_still_wanted(item, now))
			items[n++] = item;
		else
			ph_work_finish(item);
		if (n == limit || limit == 1)
			break;
		item = n > 0 ? ph_queue_pop_follower(&lane->queue, items[n - 1]) : NULL;
		if (item == NULL)
			item = ph_queue_pop_for_batch(&lane->queue);
	}
	if (n == 0)
		return false;
	submit(endpoint, items, n);
	return true;
}

/* How many of the worker's connections are always there for this endpoint: as many as for every other, if it needs them. */
static int
share_of(const PhEndpointState *endpoint)
{
	return Min(Max(ph_max_connections / ph_work.nendpoints, 1), endpoint->endpoint->target.max_in_flight);
}

/* How many connections are kept free for endpoints below their share. */
static int
count_reserved(void)
{
	int			reserved = 0;
	int			i;

	for (i = 0; i < ph_work.nendpoints; i++)
		reserved += Max(share_of(ph_work.endpoints[i]) - ph_work.endpoints[i]->in_flight, 0);
	return reserved;
}

/* One target that does not answer must not hold all connections. */
static bool
may_connect(const PhEndpointState *endpoint, int reserved)
{
	int			kept = endpoint->in_flight < share_of(endpoint) ? 0 : reserved;

	return connector->in_flight() + ph_exchange_waiting() + kept < ph_max_connections;
}

/* Starts up to quantum requests; returns how many. */
static int
serve_endpoint(PhEndpointState *endpoint, TimestampTz now, int quantum, int *reserved)
{
	int			started = 0;
	int			i;

	for (i = 0; i < endpoint->nlanes; i++)
	{
		PhLaneWork *lane = endpoint->lanes[i];

		while (started < quantum && ph_work_allowance(endpoint, now) > 0 && may_connect(endpoint, *reserved))
		{
			PhItem	   *item = ph_queue_pop(&lane->queue);

			if (item == NULL)
				break;
			if (send_item(endpoint, lane, item, now))
			{
				started++;
				*reserved -= endpoint->in_flight <= share_of(endpoint) ? 1 : 0;
			}
		}
	}
	return started;
}

static void
start_requests(TimestampTz now)
{
	int			n = ph_work.nendpoints;
	int			reserved;
	int			started;
	int			i;

	if (n == 0)
		return;
	reserved = count_reserved();
	turn_start = (turn_start + 1) % n;
	do
	{
		started = 0;
		for (i = 0; i < n; i++)
			started += serve_endpoint(ph_work.endpoints[(turn_start + i) % n], now, QUANTUM, &reserved);
	} while (started > 0);
}

/* ---- when next ---- */

static long
next_turn_ms(TimestampTz now)
{
	TimestampTz next = ph_work_next(now);
	long		ms = connector->timeout_ms();

	if (ph_work.nfinished > 0)
		next = next == 0 ? ph_work.first_finished + LINGER_US : Min(next, ph_work.first_finished + LINGER_US);
	if (next != 0 && ph_work.not_before > now)
		next = Max(next, ph_work.not_before);
	if (next != 0)
	{
		long		wait_ms = next <= now ? 0 : (long) ((next - now + 999) / 1000);

		ms = ms < 0 ? wait_ms : Min(ms, wait_ms);
	}
	if (ph_work.polling)
		ms = ms < 0 ? POLL_MS : Min(ms, POLL_MS);
	return ms;
}
