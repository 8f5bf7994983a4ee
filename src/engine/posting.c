/*
 * posting.c
 *	  Delivered is not posted.
 *
 * The mapping and what it wants to be written run in a subtransaction: when either fails, the delivery is recorded as
 * accepted with the error, because the target has it already and must not get it again.  What fails the whole transaction
 * (a function that takes too long, an internal error) is given up after ANSWER_TRIES, lest it keep the worker from
 * recording anything.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "engine/item_value.h"
#include "engine/posting.h"
#include "engine/publish.h"
#include "engine/sql.h"
#include "json/mapping.h"
#include "pg/careful.h"

#define ANSWER_TRIES	2

/* One delivered item. */
typedef struct Work
{
	PhItem	   *item;
	const PhRoute *route;
	const PhEndpoint *endpoint;
	const char *error;			/* of a mapping that failed */
	Jsonb	   *response;		/* what it gave; NULL: nothing */
} Work;

/* The request whose answer it is. */
static const char *
step_of(const PhItem *item)
{
	return item->follow != NULL ? "follow" : item->nnotes > 0 ? item->notes[item->nnotes - 1].step : "send";
}

/* What is known from before; null before it is followed. */
static PhValue
posting_value(const PhItem *item)
{
	static PhStatement find = {
		"SELECT jsonb_build_object('external_document', p.external_document, 'kind', p.document_kind)"
		" FROM planthub.posting_status AS p WHERE p.delivery_id = $1", 1, {INT8OID}
	};
	MemoryContext context = CurrentMemoryContext;
	Datum		values[1] = {Int64GetDatum(item->delivery_id)};
	PhValue		posting = ph_value_null();
	bool		isnull;

	if (item->follow == NULL || ph_sql_run(&find, values, NULL, SPI_OK_SELECT) == 0)
		return posting;
	MemoryContextSwitchTo(context);
	posting = ph_value_from_jsonb(DatumGetJsonbPCopy(ph_sql_datum(0, 1, &isnull)));
	SPI_freetuptable(SPI_tuptable);
	return posting;
}

static Jsonb *
make_document(const Work *work)
{
	PhValue		document = ph_object_new(8);
	PhValue		request;
	PhValue		posting;

	ph_answer_append(&document, work->item->answer);
	request = ph_answer_parse(work->item->event.data, work->item->event.data_len);
	ph_object_put(&document, "request", &request);
	ph_object_put_text(&document, "step", step_of(work->item));
	posting = posting_value(work->item);
	ph_object_put(&document, "posting", &posting);
	ph_item_append_values(&document, work->item, work->route->code, work->endpoint);
	ph_object_finish(&document);
	return ph_value_to_jsonb(&document, NULL);
}

static Jsonb *
make_env(const Work *work)
{
	PhValue		env = ph_object_new(3);

	ph_object_put_text(&env, "system", work->endpoint->system);
	ph_object_put_text(&env, "endpoint", work->endpoint->code);
	ph_object_put_text(&env, "site", work->item->site);
	ph_object_finish(&env);
	return ph_value_to_jsonb(&env, NULL);
}

static void
write_posting(const Work *work, Jsonb *response, const char *error)
{
	static PhStatement record = {
		"SELECT planthub.record_posting($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		9, {INT8OID, INT8OID, INT4OID, TEXTOID, TEXTOID, TEXTOID, JSONBOID, TEXTOID, BOOLOID}
	};
	Datum		values[9];
	char		nulls[] = "         ";

	values[0] = Int64GetDatum(work->item->delivery_id);
	values[1] = Int64GetDatum(work->item->message_id);
	values[2] = Int32GetDatum(work->route->id);
	values[3] = CStringGetTextDatum(work->item->site);
	values[4] = CStringGetTextDatum(work->endpoint->code);
	values[5] = CStringGetTextDatum(work->endpoint->system);
	values[6] = JsonbPGetDatum(response);
	values[7] = CStringGetTextDatum(error == NULL ? "" : error);
	nulls[6] = response == NULL ? 'n' : ' ';
	nulls[7] = error == NULL ? 'n' : ' ';
	values[8] = BoolGetDatum(work->item->follow != NULL);
	ph_sql_run(&record, values, nulls, SPI_OK_SELECT);
	work->item->follow_at = ph_sql_int64(0, 1);
	SPI_freetuptable(SPI_tuptable);
}

/* ---- telling others ---- */

#define TOPIC	"posting.acknowledged"

/* Whether anybody but the target itself wants to know; what is known about an acknowledgement is told to nobody. */
static bool
is_wanted(const PhConfig *config, const Work *work)
{
	static const char about[] = "planthub." TOPIC ".";
	const PhRoute *const *routes;
	int			n;
	int			i;

	if (work->item->event.type != NULL && strncmp(work->item->event.type, about, strlen(about)) == 0)
		return false;
	routes = ph_config_match(config, TOPIC, work->item->site, &n);
	for (i = 0; i < n; i++)
	{
		const PhLane *lane = ph_config_lane(config, routes[i]->lane);

		if (lane != NULL && config->endpoints[lane->endpoint].id != work->endpoint->id)
			return true;
	}
	return false;
}

static text *
utf8_text(const char *value)
{
	return value == NULL ? NULL : cstring_to_text(pg_any_to_server(value, (int) strlen(value), PG_UTF8));
}

static bool
get_text(const PhValue *object, const char *name, PhValue *value)
{
	return ph_value_member(object, name, (int) strlen(name), value) && ph_value_kind(value) == PH_KIND_STRING &&
		value->length > 0;
}

/* The data of the event; NULL: the target has not decided yet. */
static Jsonb *
acknowledgement(const Work *work)
{
	PhValue		response = ph_value_from_jsonb(work->response);
	PhValue		data = ph_object_new(4);
	PhValue		outcome;
	PhValue		document;
	PhValue		error;
	PhValue		part;
	bool		has_document = get_text(&response, "external_document", &document);
	text	   *key;

	if (!get_text(&response, "outcome", &outcome))
		outcome = ph_value_text(has_document ? "posted" : "accepted");
	if (strncmp(outcome.u.string, "accepted", outcome.length) == 0)
		return NULL;
	key = utf8_text(work->item->idempotency_key);
	ph_object_put_text(&data, "outbox_id", key == NULL ? psprintf(INT64_FORMAT, work->item->delivery_id) : text_to_cstring(key));
	ph_object_put(&data, "outcome", &outcome);
	if (has_document)
		ph_object_put(&data, "external_document", &document);
	if (ph_value_member(&response, "error", (int) strlen("error"), &error) && get_text(&error, "code", &part) &&
		get_text(&error, "text", &part))
		ph_object_put(&data, "error", &error);
	ph_object_finish(&data);
	return ph_value_to_jsonb(&data, NULL);
}

static void
publish_acknowledgement(void *arg)
{
	Work	   *work = arg;
	const PhItem *item = work->item;
	Jsonb	   *data = acknowledgement(work);
	PhFact		fact = {.except_endpoint = work->endpoint->id};
	PhPublication *publication;

	if (data == NULL)
		return;
	fact.data = JsonbPGetDatum(data);
	fact.key = item->key == NULL ? NULL : cstring_to_text(item->key);
	fact.subject = utf8_text(item->event.subject);
	fact.causation_id = utf8_text(item->event.id);
	publication = ph_publish_open(TOPIC, item->site);
	(void) ph_publish_row(publication, &fact);
	ph_publish_close(publication);
}

/* The posting stands whether others can be told or not. */
static void
tell_others(const PhConfig *config, Work *work)
{
	const char *error;

	if (work->response != NULL && is_wanted(config, work) && !ph_careful(publish_acknowledgement, work, &error))
		ereport(LOG,
				(errmsg("the posting of delivery %lld could not be published", (long long) work->item->delivery_id),
				 errdetail("%s", error)));
}

/* ---- reading the answer ---- */

static void
map_and_write(void *arg)
{
	Work	   *work = arg;
	const PhMapping *mapping = ph_mapping_get(work->route->response_mapping, work->item->site);
	Jsonb	   *errors = NULL;
	Jsonb	   *response = ph_mapping_apply(mapping, make_document(work), make_env(work), &errors);

	if (response == NULL)
		work->error = JsonbToCString(NULL, &errors->root, VARSIZE(errors));
	else
	{
		write_posting(work, response, NULL);
		work->response = response;
	}
}

static void
record(Work *work)
{
	const char *error = NULL;

	if (work->route->response_mapping == NULL)
	{
		write_posting(work, NULL, NULL);
		return;
	}
	if (!work->item->single)
		error = "the answer to a batch says nothing about one message";
	else if (work->item->answer == NULL)
		error = "the answer was not kept: the response mapping came after the request";
	else if (work->item->answer_tries++ >= ANSWER_TRIES)
		error = "the transaction failed with the response mapping; see the server log";
	else if (ph_careful(map_and_write, work, &error))
		error = work->error;
	if (error != NULL)
		write_posting(work, NULL, error);
}

void
ph_posting_record(const PhConfig *config, PhItem **items, int n)
{
	MemoryContext scratch = NULL;
	int			i;

	for (i = 0; i < n; i++)
	{
		PhItem	   *item = items[i];
		Work		work = {item, ph_config_route(config, item->route)};
		const PhLane *lane = ph_config_lane(config, item->lane);
		MemoryContext old;

		if (item->fate != PH_FATE_SEND || !item->recorded_attempt || work.route == NULL || !work.route->posts ||
			lane == NULL || (item->outcome != PH_OUTCOME_SUCCESS && item->outcome != PH_OUTCOME_DUPLICATE))
			continue;
		work.endpoint = &config->endpoints[lane->endpoint];
		if (scratch == NULL)
			scratch = AllocSetContextCreate(CurrentMemoryContext, "planthub posting", ALLOCSET_DEFAULT_SIZES);
		old = MemoryContextSwitchTo(scratch);
		record(&work);
		tell_others(config, &work);
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
	if (scratch != NULL)
		MemoryContextDelete(scratch);
}
