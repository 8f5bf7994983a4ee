/*
 * settle.c
 *	  Recording outcomes.
 *
 * A delivered item leaves one attempt row and nothing else.  Only what failed, or cannot go now, enters held.  An
 * attempt that cannot have reached the target does not count against max_attempts: a message never dies of an outage.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "engine/follow.h"
#include "engine/held.h"
#include "engine/lane.h"
#include "engine/posting.h"
#include "engine/settle.h"
#include "engine/sql.h"
#include "json/value.h"
#include "pg/compat.h"
#include "pg/relations.h"

static void check_owner(PhItem **items, const int64 *tokens, int n);
static void append_attempts(PhItem **items, int n);
static void decide(const PhConfig *config, PhItem *item, PhHeldRow *row);

bool
ph_settle_is_final(const PhItem *item)
{
	if (item->fate == PH_FATE_SEND)
		return item->outcome == PH_OUTCOME_SUCCESS || item->outcome == PH_OUTCOME_DUPLICATE;
	return item->fate == PH_FATE_EXPIRED;
}

int
ph_settle(const PhConfig *config, PhItem **items, const int64 *tokens, int n)
{
	PhHeldRow  *inserts = palloc(sizeof(PhHeldRow) * (Size) Max(n, 1));
	PhHeldRow  *updates = palloc(sizeof(PhHeldRow) * (Size) Max(n, 1));
	PhItem	  **finished = palloc(sizeof(PhItem *) * (Size) Max(n, 1));
	int64	   *finished_tokens = palloc(sizeof(int64) * (Size) Max(n, 1));
	int			ninserts = 0;
	int			nupdates = 0;
	int			nfinished = 0;
	int			waiting;
	int			i;

	SPI_connect();
	check_owner(items, tokens, n);
	append_attempts(items, n);
	ph_posting_record(config, items, n);
	for (i = 0; i < n; i++)
	{
		PhItem	   *item = items[i];

		if (item->follow != NULL)
			ph_follow_settle(config, item);
		else if (!ph_settle_is_final(item))
		{
			PhHeldRow  *row = item->held ? &updates[nupdates++] : &inserts[ninserts++];

			row->token = tokens[i];
			decide(config, item, row);
		}
		else if (item->held)
		{
			finished_tokens[nfinished] = tokens[i];
			finished[nfinished++] = item;
		}
	}
	ph_held_insert(inserts, ninserts);
	ph_held_update(updates, nupdates);
	waiting = ph_held_finish(finished, finished_tokens, nfinished);
	SPI_finish();
	return waiting;
}

/* Each lane has its own token; rows of held carry it, and are checked when they are written. */
static void
check_owner(PhItem **items, const int64 *tokens, int n)
{
	int			i;

	for (i = 0; i < n; i++)
	{
		bool		seen = items[i]->held;
		int			j;

		for (j = i - 1; j >= 0 && !seen; j--)
			seen = items[j]->lane == items[i]->lane && !items[j]->held;
		if (!seen && !ph_lane_owns(items[i]->lane, tokens[i]))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("lane %d has been taken over by another worker", items[i]->lane),
					 errdetail("The outcomes of this worker are not recorded; the new owner sends the deliveries again.")));
	}
}

/* ---- attempts ---- */

/* Text from outside is shown as far as it is valid in the database's encoding. */
static Datum
foreign_text(const char *text, bool *isnull)
{
	int			len;

	*isnull = text == NULL || text[0] == '\0';
	if (*isnull)
		return (Datum) 0;
	len = pg_encoding_verifymbstr(GetDatabaseEncoding(), text, (int) strlen(text));
	return PointerGetDatum(cstring_to_text_with_len(text, len));
}

/* [{"step": "read", "status": 200, "ms": 12.3}, ...] */
static Jsonb *
steps_of(const PhItem *item)
{
	PhValue		steps = ph_array_new(item->nnotes);
	int			i;

	for (i = 0; i < item->nnotes; i++)
	{
		const PhStepNote *note = &item->notes[i];
		PhValue		step = ph_object_new(3);
		PhValue		status = note->status == 0 ? ph_value_null() : ph_value_int(note->status);
		PhValue		duration = ph_value_number(int64_div_fast_to_numeric(note->duration_us, 3));

		ph_object_put_text(&step, "step", note->step);
		ph_object_put(&step, "status", &status);
		ph_object_put(&step, "ms", &duration);
		ph_object_finish(&step);
		ph_array_append(&steps, &step);
	}
	return ph_value_to_jsonb(&steps, NULL);
}

static void
append_attempt(PhAppend *append, int slot, PhItem *item)
{
	Datum		values[16];
	bool		nulls[16] = {0};
	bool		sent = item->recorded_attempt;

	values[0] = Int64GetDatum(item->delivery_id);
	values[1] = Int64GetDatum(item->message_id);
	values[2] = sent ? TimestampTzGetDatum(item->started_us - (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)
		: TimestampTzGetDatum(GetCurrentTimestamp());
	values[3] = Int64GetDatum(item->batch->batch_no);
	nulls[3] = item->batch->batch_no == 0;
	values[4] = Int64GetDatum(sent ? item->duration_us : 0);
	values[5] = Int32GetDatum(item->lane);
	values[6] = Int32GetDatum(sent ? item->tries : 0);
	values[7] = Int32GetDatum(item->status);
	nulls[7] = item->status == 0;
	values[8] = Int16GetDatum((int16) slot);
	values[9] = CStringGetTextDatum(sent ? ph_outcome_name(item->outcome) : "expired");
	values[10] = CStringGetTextDatum(item->site);
	values[11] = foreign_text(item->error, &nulls[11]);
	values[12] = foreign_text(item->response, &nulls[12]);
	nulls[13] = !sent;
	if (sent)
	{
		bytea	   *digest = palloc(VARHDRSZ + sizeof(item->digest));

		SET_VARSIZE(digest, VARHDRSZ + sizeof(item->digest));
		memcpy(VARDATA(digest), item->digest, sizeof(item->digest));
		values[13] = PointerGetDatum(digest);
	}
	values[14] = foreign_text(item->mapping, &nulls[14]);
	nulls[15] = !sent || item->notes == NULL;
	if (!nulls[15])
		values[15] = JsonbPGetDatum(steps_of(item));
	ph_append_row(append, values, nulls);
}

static void
append_attempts(PhItem **items, int n)
{
	int			slot = ph_current_slot();
	PhAppend   *append = NULL;
	int			i;

	for (i = 0; i < n; i++)
	{
		if (items[i]->follow != NULL || (!items[i]->recorded_attempt && items[i]->fate != PH_FATE_EXPIRED))
			continue;
		if (append == NULL)
			append = ph_append_open(PH_LOG_ATTEMPT, slot);
		append_attempt(append, slot, items[i]);
	}
	if (append != NULL)
		ph_append_close(append);
}

/* ---- what next ---- */

static void
set_row(PhHeldRow *row, const char *state, const char *reason, TimestampTz due_at)
{
	row->state = state;
	row->reason = reason;
	row->due_at = due_at;
}

static void
decide_unsent(PhItem *item, PhHeldRow *row)
{
	switch (item->fate)
	{
		case PH_FATE_BLOCKED:
			set_row(row, "blocked", item->reason, 0);
			break;
		case PH_FATE_SCHEDULED:
			set_row(row, "scheduled", item->reason, item->not_before);
			break;
		case PH_FATE_PAUSED:
			set_row(row, "paused", item->reason, 0);
			break;
		case PH_FATE_SET_ASIDE:
			set_row(row, "retry", item->reason, GetCurrentTimestamp());
			break;
		default:
			set_row(row, "parked", item->reason, 0);
			break;
	}
}

static void
decide_retry(const PhEndpoint *endpoint, PhItem *item, PhHeldRow *row)
{
	int64		delay_ms;

	if (item->attempts >= endpoint->max_attempts)
	{
		set_row(row, "dead", "ATTEMPTS_EXHAUSTED", 0);
		return;
	}
	delay_ms = ph_retry_delay_ms(Max(item->attempts, 1), endpoint->retry_base_ms, endpoint->retry_cap_ms,
								 item->retry_after_s, ph_random_double());
	set_row(row, "retry", item->reason == NULL ? "RETRY" : item->reason, TimestampTzPlusMilliseconds(GetCurrentTimestamp(), delay_ms));
}

/* The item has failed: attempts already counts this one. */
static void
decide(const PhConfig *config, PhItem *item, PhHeldRow *row)
{
	const PhLane *lane = ph_config_lane(config, item->lane);
	const PhEndpoint *endpoint = lane == NULL ? NULL : &config->endpoints[lane->endpoint];

	row->item = item;
	if (item->fate != PH_FATE_SEND)
		decide_unsent(item, row);
	else if (item->behind)
		set_row(row, "blocked", "KEY_BLOCKED", 0);
	else if (endpoint == NULL)
		set_row(row, "parked", "ENDPOINT_GONE", 0);
	else if (item->outcome == PH_OUTCOME_UNKNOWN && !endpoint->idempotent)
		set_row(row, "in_doubt", item->reason == NULL ? "NO_ANSWER" : item->reason, 0);
	else if (!item->single && (item->outcome == PH_OUTCOME_BUSINESS || item->outcome == PH_OUTCOME_PERMANENT))
		set_row(row, "retry", "BATCH_REFUSED", GetCurrentTimestamp());	/* alone it shows which one it was */
	else if (item->outcome == PH_OUTCOME_BUSINESS)
		set_row(row, "parked", item->reason == NULL ? "BUSINESS" : item->reason, 0);
	else if (item->outcome == PH_OUTCOME_PERMANENT)
		set_row(row, "dead", item->reason == NULL ? "PERMANENT" : item->reason, 0);
	else
		decide_retry(endpoint, item, row);
}
