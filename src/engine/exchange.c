/*
 * exchange.c
 *	  Deliveries that take more than one request.
 *
 * The stages of an exchange, each of them one request:
 *
 *	  token -> session -> read -> send -> lookup
 *
 * Token and session are fetched when they are missing, by a request without items; everything else of the endpoint that
 * needs them waits for it.  Each stage is repeated at most once in an exchange, so it ends whatever the service answers.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "engine/access.h"
#include "engine/exchange.h"
#include "engine/item_value.h"
#include "pg/settings.h"
#include "pg/worker.h"

#define MAX_NOTES			12
#define EXPRESSION_VISITS	100000

typedef enum Stage
{
	STAGE_TOKEN,
	STAGE_SESSION,
	STAGE_READ,
	STAGE_SEND,
	STAGE_LOOKUP,
	STAGE_FOLLOW
} Stage;

static const char *const stage_names[] = {"token", "session", "read", "send", "lookup", "follow"};

typedef struct PhExchange
{
	Stage		stage;
	PhRequest  *next_waiting;
	TimestampTz started_at;
	uint64		token_version;		/* that the request under way was sent with; so below */
	uint64		session_version;
	bool		token_renewed;
	bool		session_renewed;
	bool		read_again;
	bool		sent;				/* the message itself may have reached the target */
	bool		sent_again;
	char	   *etag;
	unsigned char digest[32];		/* of the message itself */
	int			nnotes;
	PhStepNote	notes[MAX_NOTES];
} PhExchange;

static const PhConnector *connector;
static PhFinish finish_request;
static int	nwaiting;

static void advance(PhRequest *request);

/* Those of the endpoint; what is only asked about may go to one that has none. */
static const PhSteps *
steps_of(const PhRequest *request)
{
	static const PhSteps none;

	return request->target->steps == NULL ? &none : request->target->steps;
}

void
ph_exchange_start(const PhConnector *with, PhFinish finish)
{
	connector = with;
	finish_request = finish;
	nwaiting = 0;
}

void
ph_exchange_stop(void)
{
	int			i;

	for (i = 0; i < ph_work.nendpoints; i++)
	{
		if (ph_work.endpoints[i]->access != NULL)
			ph_access_forget(ph_work.endpoints[i]->access);
	}
}

int
ph_exchange_waiting(void)
{
	return nwaiting;
}

void
ph_exchange_refresh(PhEndpointState *endpoint)
{
	PhAccess   *access = endpoint->access;
	const PhSteps *steps = endpoint->endpoint->steps;

	if (access == NULL || (steps != NULL && steps->version == access->version))
		return;
	access->version = steps == NULL ? 0 : steps->version;
	access->stale = true;
	if (access->fetch == NULL)
		ph_access_forget(access);
}

bool
ph_exchange_is_outdated(const PhEndpoint *endpoint, const PhItem *item)
{
	if (endpoint->steps == NULL || !ph_steps_have_places(endpoint->steps))
		return item->addresses != NULL;
	return item->addresses == NULL || item->addresses->version != endpoint->steps->version;
}

/* ---- ending ---- */

static void
add_note(PhRequest *request, const char *step, int status, int64 duration_us)
{
	PhExchange *exchange = request->exchange;

	if (exchange->nnotes < MAX_NOTES)
		exchange->notes[exchange->nnotes++] = (PhStepNote) {step, status, duration_us};
}

static void
copy_notes(const PhRequest *request)
{
	const PhExchange *exchange = request->exchange;
	int			i;

	for (i = 0; i < request->n; i++)
	{
		PhItem	   *item = request->items[i];
		PhStepNote *notes = MemoryContextAlloc(item->batch->context, sizeof(PhStepNote) * (Size) Max(exchange->nnotes, 1));

		memcpy(notes, exchange->notes, sizeof(PhStepNote) * (Size) exchange->nnotes);
		item->notes = notes;
		item->nnotes = exchange->nnotes;
	}
}

static void
free_exchange(PhRequest *request)
{
	if (request->exchange->etag != NULL)
		pfree(request->exchange->etag);
	pfree(request->exchange);
	request->exchange = NULL;
}

/* One attempt, from the first request of the exchange to the last. */
static void
finish(PhRequest *request, const PhResult *result, const PhJudgement *judgement)
{
	PhExchange *exchange = request->exchange;
	PhAccess   *access = ph_access_of(request->endpoint);
	PhResult	total = *result;

	total.started_us = exchange->started_at + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
	total.duration_us = GetCurrentTimestamp() - exchange->started_at;
	memcpy(total.request_digest, exchange->digest, sizeof(total.request_digest));
	ph_access_hide(access, total.error, sizeof(total.error));
	ph_access_hide(access, total.response, sizeof(total.response));
	copy_notes(request);
	free_exchange(request);
	finish_request(request, &total, judgement);
}

/* Ends it with what a step says, which is not about the message.  counts: the target has seen something. */
static void
fail(PhRequest *request, const PhResult *result, PhOutcome outcome, const char *reason, const char *error, bool counts)
{
	PhJudgement judgement = {.decided = true,.outcome = outcome,.reason = reason,.retry_after_s = -1,.fault = error};
	PhResult	failed = *result;

	failed.sent = counts;
	finish(request, &failed, &judgement);
}

/* ---- sending ---- */

/* What a step is sent to: as the message, but to another address, and without it. */
static PhTarget
step_target(const PhRequest *request, const char *address, const char *const *fields)
{
	PhTarget	target = request->target->target;

	target.address = address;
	target.method = "GET";
	target.more_headers = fields;
	target.keep_answer = true;
	return target;
}

static void
submit_token(PhRequest *request, const char **fields)
{
	const PhCredential *credential = &ph_access_of(request->endpoint)->credential;
	PhTarget	target = step_target(request, credential->token_url, fields);
	PhEvent		form = {.id = "token",.source = "planthub",.type = "token",
		.data = credential->form,.data_len = strlen(credential->form),.data_type = "application/x-www-form-urlencoded"};

	fields[0] = credential->client_field;
	fields[1] = NULL;
	target.method = "POST";
	target.headers = NULL;
	target.content_mode = PH_CONTENT_PLAIN;
	connector->submit(request, &target, &form, 1, NULL, NULL);
}

static void
submit_stage(PhRequest *request, const char **fields)
{
	const PhSteps *steps = steps_of(request);
	const PhStepAddresses *addresses = request->n == 0 ? NULL : request->items[0]->addresses;
	PhTarget	target;

	switch (request->exchange->stage)
	{
		case STAGE_TOKEN:
			submit_token(request, fields);
			return;
		case STAGE_SESSION:
			target = step_target(request, steps->session, fields);
			break;
		case STAGE_READ:
			target = step_target(request, addresses->read, fields);
			break;
		case STAGE_LOOKUP:
			target = step_target(request, addresses->lookup, fields);
			break;
		case STAGE_FOLLOW:
			target = step_target(request, request->items[0]->follow, fields);
			break;
		default:
			target = request->target->target;
			target.more_headers = fields;
			if (addresses != NULL && addresses->address != NULL)
				target.address = addresses->address;
			ph_request_submit(connector, request, &target);
			return;
	}
	connector->submit(request, &target, NULL, 0, NULL, NULL);
}

/* Sends the request of the stage, with what lets it in. */
static void
send_stage(PhRequest *request)
{
	PhExchange *exchange = request->exchange;
	const PhSteps *steps = steps_of(request);
	PhAccess   *access = ph_access_of(request->endpoint);
	PhBuffer	cookies = {0};
	const char *fields[6];
	int			n = 0;

	exchange->token_version = access->token_version;
	exchange->session_version = access->session_version;
	if (access->credential.field != NULL)
		fields[n++] = access->credential.field;
	if (steps->session != NULL && ph_cookies_write(&access->cookies, &cookies) && !cookies.failed)
		fields[n++] = cookies.data;
	if (exchange->stage == STAGE_SESSION)
		fields[n++] = psprintf("%s: Fetch", steps->session_header);
	if (exchange->stage == STAGE_SEND && access->session_field != NULL)
		fields[n++] = access->session_field;
	if (exchange->stage == STAGE_SEND && exchange->etag != NULL)
		fields[n++] = exchange->etag;
	fields[n] = NULL;
	submit_stage(request, fields);
	ph_buffer_free(&cookies);
	if (ph_debug_crash[0] != '\0')
	{
		connector->run();
		ph_request_crash_at(psprintf("step=%s", stage_names[exchange->stage]));
	}
}

/* ---- waiting for what several need ---- */

static void
begin_fetch(PhRequest *request, Stage stage)
{
	PhRequest  *fetch = ph_request_create(request->endpoint, request->config, request->target, NULL, 0);

	fetch->exchange = MemoryContextAllocZero(ph_work.context, sizeof(PhExchange));
	fetch->exchange->stage = stage;
	request->endpoint->access->fetch = fetch;
	send_stage(fetch);
}

static void
wait_for(PhRequest *request, Stage stage)
{
	PhAccess   *access = ph_access_of(request->endpoint);

	request->exchange->next_waiting = NULL;
	if (access->first_waiting == NULL)
		access->first_waiting = request;
	else
		access->last_waiting->exchange->next_waiting = request;
	access->last_waiting = request;
	nwaiting++;
	if (access->fetch == NULL)
		begin_fetch(request, stage);
}

/* The next request of the exchange, or a wait for what it needs. */
static void
advance(PhRequest *request)
{
	const PhSteps *steps = steps_of(request);
	PhAccess   *access = ph_access_of(request->endpoint);
	const char *error;

	if (access->stale && access->fetch == NULL)
		ph_access_forget(access);
	if (steps->credential != NULL && !ph_access_load(access, steps->credential, &error))
	{
		PhResult	none = {.retry_after_s = -1};

		fail(request, &none, PH_OUTCOME_AUTH, "CREDENTIAL_MISSING", error, false);
	}
	else if (access->credential.is_oauth2 && access->token_until <= GetCurrentTimestamp())
		wait_for(request, STAGE_TOKEN);
	else if (steps->session != NULL && access->session_field == NULL && request->exchange->stage == STAGE_SEND)
		wait_for(request, STAGE_SESSION);
	else
		send_stage(request);
}

/* Whether a refusal is a reason to ask for another token. */
static bool
renew_token(PhRequest *request, const PhResult *result)
{
	PhExchange *exchange = request->exchange;
	PhAccess   *access = ph_access_of(request->endpoint);

	if (result->status != 401 || !access->credential.is_oauth2 || exchange->token_renewed)
		return false;
	exchange->token_renewed = true;
	ph_access_drop_token(access, exchange->token_version);
	return true;
}

/* What a failed step means: nobody has seen the message, and it is not to blame. */
static PhOutcome
step_outcome(const PhResult *result)
{
	PhOutcome	outcome = ph_outcome_classify(result);

	return outcome == PH_OUTCOME_UNKNOWN ? PH_OUTCOME_TRANSIENT :
		outcome == PH_OUTCOME_TRANSIENT || outcome == PH_OUTCOME_THROTTLED ? outcome : PH_OUTCOME_AUTH;
}

/* One of those that waited for a token or session. */
static void
go_on(PhRequest *request, const PhResult *result, const PhStepNote *note, Stage stage, const char *error)
{
	PhResult	told = *result;

	add_note(request, note->step, note->status, note->duration_us);
	if (error == NULL || (stage == STAGE_SESSION && renew_token(request, result)))
	{
		advance(request);
		return;
	}
	told.error[0] = told.response[0] = '\0';
	fail(request, &told, step_outcome(result), stage == STAGE_TOKEN ? "TOKEN_REFUSED" : "SESSION_REFUSED", error,
		 stage == STAGE_SESSION && result->sent);
}

/* Token or session has come, or has not. */
static void
fetched(PhRequest *fetch, const PhResult *result)
{
	PhAccess   *access = ph_access_of(fetch->endpoint);
	PhRequest  *waiting = access->first_waiting;
	Stage		stage = fetch->exchange->stage;
	PhStepNote	note = {stage_names[stage], result->status, result->duration_us};
	const char *error = NULL;

	access->fetch = NULL;
	access->first_waiting = access->last_waiting = NULL;
	if (access->stale)
		ph_access_forget(access);
	else if (stage == STAGE_TOKEN)
		error = ph_access_take_token(access, result);
	else if (!ph_access_take_session(access, result, steps_of(fetch)->session_header))
		error = psprintf("no session: %s", result->fault == PH_FAULT_NONE ? psprintf("status %d without a token", result->status) : result->error);
	free_exchange(fetch);
	ph_request_free(fetch);
	while (waiting != NULL)
	{
		PhRequest  *next = waiting->exchange->next_waiting;

		nwaiting--;
		go_on(waiting, result, &note, stage, error);
		waiting = next;
	}
}

/* ---- what the answers say ---- */

typedef struct Question
{
	const PhExpression *expression;
	const PhRequest *request;
	const PhResult *result;
	bool		truth;
	char	   *text;			/* a string as it is, an object as JSON, in UTF-8; else NULL */
	const char *error;
} Question;

static void
answer(void *arg)
{
	Question   *question = arg;
	const PhItem *item = question->request->items[0];
	const PhRoute *route = ph_config_route(question->request->config, item->route);
	PhValue		document = ph_object_new(6);
	PhValue		request = ph_answer_parse(item->event.data, item->event.data_len);
	PhEvaluation evaluation = {.visits = EXPRESSION_VISITS};
	PhAnswer	heard;
	PhValue		value;

	if (!ph_answer_of(question->result, &heard))
	{
		question->error = "the answer was not kept";
		return;
	}
	ph_answer_append(&document, &heard);
	ph_object_put(&document, "request", &request);
	ph_item_append_values(&document, item, route == NULL ? NULL : route->code, question->request->target);
	ph_object_finish(&document);
	evaluation.root = document;
	if (!ph_jmespath_evaluate(question->expression, &evaluation, &document, &value))
	{
		question->error = psprintf("column %d: %s (%s)", evaluation.error.column, evaluation.error.message,
								   evaluation.error.code);
		return;
	}
	question->truth = ph_value_true(&value);
	if (ph_value_kind(&value) == PH_KIND_STRING || ph_value_kind(&value) == PH_KIND_OBJECT)
	{
		char	   *text = ph_value_plain(&value);

		question->text = pg_server_to_any(text, (int) strlen(text), PG_UTF8);
	}
}

/* Evaluates an expression over the answer in a transaction of its own; what cannot be evaluated has an error. */
static Question
ask(const PhExpression *expression, const PhRequest *request, const PhResult *result)
{
	Question	question = {expression, request, result};
	ErrorData  *thrown = NULL;

	if (!ph_run_transaction(&ph_usual_transaction, answer, &question, &thrown))
		question.error = thrown->message;
	return question;
}

static bool
take_etag(PhRequest *request, const PhResult *result, const char **error)
{
	PhExchange *exchange = request->exchange;
	const PhSteps *steps = steps_of(request);
	size_t		length = 0;
	const char *etag;

	*error = "the answer has no ETag";
	if (steps->etag == NULL)
		etag = result->headers == NULL ? NULL : ph_field_find(result->headers, result->headers_len, "ETag", &length);
	else
	{
		Question	question = ask(steps->etag, request, result);

		etag = question.text;
		length = etag == NULL ? 0 : strlen(etag);
		if (question.error != NULL)
			*error = psprintf("the ETag could not be told: %s", question.error);
	}
	if (length == 0)
		return false;
	if (exchange->etag != NULL)
		pfree(exchange->etag);
	exchange->etag = MemoryContextAlloc(ph_work.context, length + sizeof("If-Match: "));
	sprintf(exchange->etag, "If-Match: %.*s", (int) length, etag);
	return true;
}

static void
hear_read(PhRequest *request, const PhResult *result)
{
	const PhSteps *steps = steps_of(request);
	PhOutcome	outcome = ph_outcome_classify(result);
	Question	question = {.truth = true};
	const char *error;

	if (outcome != PH_OUTCOME_SUCCESS)
	{
		outcome = outcome == PH_OUTCOME_UNKNOWN ? PH_OUTCOME_TRANSIENT :
			outcome == PH_OUTCOME_PERMANENT ? PH_OUTCOME_BUSINESS : outcome;
		fail(request, result, outcome, "READ_FAILED", "the object could not be read", result->sent);
		return;
	}
	if (steps->require != NULL)
		question = ask(steps->require, request, result);
	if (question.error != NULL || !question.truth)
		fail(request, result, PH_OUTCOME_BUSINESS, "STATE_REFUSED", question.error == NULL ?
			 "the object is in a state that does not allow it" : question.error, true);
	else if (!take_etag(request, result, &error))
		fail(request, result, PH_OUTCOME_BUSINESS, "ETAG_MISSING", error, true);
	else
	{
		request->exchange->stage = STAGE_SEND;
		advance(request);
	}
}

/* From the beginning of what concerns the message. */
static void
send_message(PhRequest *request)
{
	request->exchange->stage = steps_of(request)->read != NULL ? STAGE_READ : STAGE_SEND;
	advance(request);
}

/* Whether the target says that it wants another session. */
static bool
session_is_over(const PhRequest *request, const PhResult *result)
{
	const PhSteps *steps = steps_of(request);
	const char *value;
	size_t		length;

	if (steps->session == NULL || result->status != 403 || result->headers == NULL)
		return false;
	value = ph_field_find(result->headers, result->headers_len, steps->session_header, &length);
	return value != NULL && length == strlen("Required") && pg_strncasecmp(value, "Required", length) == 0;
}

static void
hear_sent(PhRequest *request, const PhResult *result)
{
	PhExchange *exchange = request->exchange;
	const PhSteps *steps = steps_of(request);
	bool		over = session_is_over(request, result);
	bool		changed = steps->read != NULL && (result->status == 412 || result->status == 428);

	memcpy(exchange->digest, result->request_digest, sizeof(exchange->digest));
	exchange->sent = exchange->sent || result->sent;
	if (over && !exchange->session_renewed)
	{
		exchange->session_renewed = true;
		ph_access_drop_session(ph_access_of(request->endpoint), exchange->session_version);
		advance(request);
	}
	else if (over)
		fail(request, result, PH_OUTCOME_TRANSIENT, "CSRF_REQUIRED", NULL, true);
	else if (changed && !exchange->read_again)
	{
		exchange->read_again = true;
		send_message(request);
	}
	else if (changed)
		fail(request, result, PH_OUTCOME_TRANSIENT, "ETAG_STALE", NULL, true);
	else if (steps->lookup != NULL && !request->target->idempotent &&
			 ph_outcome_classify(result) == PH_OUTCOME_UNKNOWN)
	{
		exchange->stage = STAGE_LOOKUP;
		advance(request);
	}
	else
		finish(request, result, NULL);
}

/* The effect is there: an object that was found is the document, as if the request had answered with it. */
static void
finish_found(PhRequest *request, const PhResult *result, const Question *question)
{
	PhJudgement judgement = {.decided = true,.outcome = PH_OUTCOME_DUPLICATE,.retry_after_s = -1};
	PhResult	found = *result;

	if (question->text != NULL && question->text[0] == '{')
	{
		found.body = question->text;
		found.body_len = strlen(question->text);
	}
	finish(request, &found, &judgement);
}

static void
hear_lookup(PhRequest *request, const PhResult *result)
{
	PhExchange *exchange = request->exchange;
	PhOutcome	outcome = ph_outcome_classify(result);
	Question	question = {0};

	if (outcome == PH_OUTCOME_SUCCESS)
		question = ask(steps_of(request)->found, request, result);
	if (outcome == PH_OUTCOME_SUCCESS && question.error == NULL && question.truth)
		finish_found(request, result, &question);
	else if ((outcome == PH_OUTCOME_SUCCESS && question.error == NULL) || result->status == 404)
	{
		if (exchange->sent && exchange->sent_again)
			fail(request, result, PH_OUTCOME_TRANSIENT, "NOT_FOUND", NULL, true);
		else
		{
			exchange->sent_again = exchange->sent;
			send_message(request);
		}
	}
	else if (outcome == PH_OUTCOME_SUCCESS || outcome == PH_OUTCOME_BUSINESS || outcome == PH_OUTCOME_PERMANENT)
		fail(request, result, PH_OUTCOME_UNKNOWN, "LOOKUP_FAILED", question.error == NULL ?
			 "whether it is there could not be looked up" : question.error, exchange->sent);
	else
		fail(request, result, outcome == PH_OUTCOME_UNKNOWN ? PH_OUTCOME_TRANSIENT : outcome, "LOOKUP_FAILED",
			 "whether it is there could not be looked up now", exchange->sent);
}

/* ---- from the dispatcher ---- */

/* An effect that may be there already is looked for before anything is sent. */
static bool
is_doubtful(const PhRequest *request)
{
	const PhItem *item = request->items[0];

	return steps_of(request)->lookup != NULL && !request->target->idempotent &&
		(item->tries > 1 || item->batch->crashes > 0);
}

void
ph_exchange_begin(PhRequest *request)
{
	request->exchange = MemoryContextAllocZero(ph_work.context, sizeof(PhExchange));
	request->exchange->started_at = GetCurrentTimestamp();
	ph_access_of(request->endpoint)->version = steps_of(request)->version;
	if (request->items[0]->follow != NULL || is_doubtful(request))
	{
		request->exchange->stage = request->items[0]->follow != NULL ? STAGE_FOLLOW : STAGE_LOOKUP;
		advance(request);
	}
	else
		send_message(request);
}

void
ph_exchange_hear(PhRequest *request, const PhResult *result)
{
	PhExchange *exchange = request->exchange;
	PhAccess   *access = ph_access_of(request->endpoint);

	if (request->n == 0)
	{
		fetched(request, result);
		return;
	}
	add_note(request, stage_names[exchange->stage], result->status, result->duration_us);
	if (result->headers != NULL && steps_of(request)->session != NULL &&
		exchange->session_version == access->session_version)
		ph_cookies_hear(&access->cookies, result->headers, result->headers_len);
	if (renew_token(request, result))
		advance(request);
	else if (exchange->stage == STAGE_READ)
		hear_read(request, result);
	else if (exchange->stage == STAGE_LOOKUP)
		hear_lookup(request, result);
	else if (exchange->stage == STAGE_FOLLOW)
		finish(request, result, NULL);
	else
		hear_sent(request, result);
}
