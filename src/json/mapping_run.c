/*
 * mapping_run.c
 *	  Applies stored mappings to documents: variables, cross-reference, units, and errors as JSON.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "json/apply.h"
#include "json/datetime.h"
#include "json/mapping.h"
#include "json/mapping_call.h"
#include "json/reads.h"
#include "json/unit.h"
#include "json/xref.h"

#define FOUND_MAX	2
#define SECONDS_PER_OFFSET	60
#define EPOCH_SHIFT	((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

/* One document under way. */
typedef struct Session
{
	const PhMapping *mapping;
	PhApply		apply;
	PhValue		env;			/* as given */
	PhValue		overlay;		/* entries instead of the table; null: none */
	bool		placed;
	PhXrefPlace place;
	PhValue    *hits;			/* NULL: not wanted */
	MemoryContext caller;
	MemoryContext context;
} Session;

/* ---- variables ---- */

static bool
env_member(const PhValue *env, const char *name, PhValue *value)
{
	return ph_value_member(env, name, strlen(name), value) && value->type == PH_VALUE_STRING;
}

static const char *
env_text(const PhValue *env, const char *name, const char *otherwise)
{
	PhValue		value;

	return env_member(env, name, &value) ? pnstrdup(value.u.string, value.length) : otherwise;
}

/* The time at which codes must be valid. */
static TimestampTz
received_at(const PhValue *env)
{
	PhValue		value;
	PhDateTime	time;

	if (!env_member(env, "received_at", &value))
		return GetCurrentTransactionStartTimestamp();
	if (ph_datetime_parse_iso(value.u.string, value.length, &time) != NULL || !time.has_date || !time.has_offset)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_DATETIME_FORMAT),
				 errmsg("\"received_at\" of the environment is not a timestamp with offset"),
				 errhint("Write it as 2026-03-02T06:00:00Z.")));
	return ph_datetime_to_micros(&time) - time.offset * SECONDS_PER_OFFSET * USECS_PER_SEC - EPOCH_SHIFT;
}

static const char *
iso_text(TimestampTz at)
{
	PhDateTime	time = {0};
	char	   *text = palloc(PH_DATETIME_TEXT);

	(void) ph_datetime_from_micros(at + EPOCH_SHIFT, &time);
	time.has_date = time.has_time = time.has_offset = true;
	ph_datetime_format_iso(&time, text);
	return text;
}

/* $env: what was given, and what has a default. */
static PhValue
make_env(const Session *session)
{
	PhValue		env = ph_object_new(8);
	PhIterator	iterator;
	PhMember	member;

	ph_object_put_text(&env, "site", session->mapping->site);
	ph_object_put_text(&env, "timezone", session->mapping->timezone);
	if (!env_member(&session->env, "received_at", &member.value))
		ph_object_put_text(&env, "received_at", iso_text(GetCurrentTransactionStartTimestamp()));
	ph_iterate(&iterator, &session->env);
	while (ph_iterate_next(&iterator, &member))
		ph_object_append(&env, member.key, member.length, &member.value);
	ph_object_finish(&env);
	return env;
}

/* ---- lookups ---- */

/* {set: {code: value}}; false: the overlay says nothing about the set. */
static bool
look_in_overlay(const Session *session, const char *set, bool back, const PhValue *code, const char *key, bool *found,
				PhValue *result)
{
	PhValue		entries;
	PhIterator	iterator;
	PhMember	entry;
	bool		equal = false;

	if (!ph_value_member(&session->overlay, set, strlen(set), &entries))
		return false;
	*found = false;
	if (!back)
	{
		*found = ph_value_member(&entries, key, strlen(key), result);
		return true;
	}
	ph_iterate(&iterator, &entries);
	while (!*found && ph_iterate_next(&iterator, &entry))
	{
		if (ph_value_equal(&entry.value, code, NULL, &equal) && equal)
		{
			*result = ph_value_string(entry.key, entry.length);
			*found = true;
		}
	}
	return true;
}

static bool
look_in_table(Session *session, const char *set, bool back, const char *key, bool *found, PhValue *result, PhError *error)
{
	const PhXrefEntry *entries[FOUND_MAX];
	int			n;

	if (!session->placed)
	{
		ph_xref_place(&session->place, env_text(&session->env, "system", "*"),
					  env_text(&session->env, "site", session->mapping->site), env_text(&session->env, "party", NULL),
					  received_at(&session->env));
		session->placed = true;
	}
	n = ph_xref_find(set, back, key, &session->place, entries, FOUND_MAX);
	*found = n == 1;
	if (n > 1)
	{
		error->code = PH_CODE_AMBIGUOUS;
		error->message = psprintf("%d entries for \"%s\" in cross-reference \"%s\"", n, key, set);
		error->hint = "End all but one of them with planthub.end_xref().";
		return false;
	}
	/* A function that the mapping calls may look up something, too, and what is old is forgotten then. */
	if (n == 1 && back)
		*result = ph_value_text(pstrdup(entries[0]->code));
	else if (n == 1)
	{
		Jsonb	   *copy = palloc(VARSIZE(entries[0]->value));

		memcpy(copy, entries[0]->value, VARSIZE(entries[0]->value));
		*result = ph_value_from_jsonb(copy);
	}
	return true;
}

static void
add_hit(Session *session, const char *set, const char *key, bool back, bool found, const PhValue *result)
{
	PhValue		hit = ph_object_new(4);
	PhValue		answer = found ? *result : ph_value_null();
	PhValue		known = ph_value_bool(found);

	ph_object_put_text(&hit, "set", set);
	ph_object_put_text(&hit, back ? "value" : "code", key);
	ph_object_put(&hit, back ? "code" : "value", &answer);
	ph_object_put(&hit, "found", &known);
	ph_object_finish(&hit);
	ph_array_append(session->hits, &hit);
}

/* PhXrefLookup */
static bool
look_up(void *arg, const char *set, bool back, const PhValue *code, bool *found, PhValue *result, PhError *error)
{
	Session    *session = arg;
	char	   *key = ph_value_plain(code);
	PhOnMissing on_missing;

	if (!look_in_overlay(session, set, back, code, key, found, result) &&
		!look_in_table(session, set, back, key, found, result, error))
		return false;
	if (session->hits != NULL)
		add_hit(session, set, key, back, *found, result);
	if (!*found && ph_xref_set_find(set, &on_missing) && on_missing == PH_MISSING_PASS)
	{
		*found = true;
		*result = *code;
	}
	return true;
}

/* PhUnitConvert */
static bool
convert_unit(void *arg, Numeric value, const char *from, const char *to, Numeric *result, PhError *error)
{
	PhUnitResult outcome = ph_unit_convert(value, from, to, result);

	switch (outcome)
	{
		case PH_UNIT_OK:
			return true;
		case PH_UNIT_UNKNOWN_FROM:
		case PH_UNIT_UNKNOWN_TO:
			error->code = PH_CODE_INVALID_VALUE;
			error->message = psprintf("unit \"%s\" is unknown", outcome == PH_UNIT_UNKNOWN_FROM ? from : to);
			error->hint = "Translate it with xref(), or create it with planthub.create_unit().";
			error->key = pstrdup(outcome == PH_UNIT_UNKNOWN_FROM ? from : to);
			break;
		case PH_UNIT_OVERFLOW:
			error->code = PH_CODE_NOT_A_NUMBER;
			error->message = "the number is out of range";
			break;
		default:
			error->code = PH_CODE_UNIT_MISMATCH;
			error->message = psprintf("cannot convert unit \"%s\" to \"%s\"", from, to);
			break;
	}
	return false;
}

/* PhFunctionCall */
static bool
call_function(void *arg, void *target, const PhValue *with, PhValue *result, const char **message)
{
	return ph_mapping_function_call(target, with, result, message);
}

/* ---- errors ---- */

/* A unit or code that is missing is waited for, unless its set says otherwise; everything else needs another document. */
static const char *
retry_of(const PhFault *fault)
{
	PhOnMissing on_missing;

	if (fault->set == NULL ? fault->key != NULL : !ph_xref_set_find(fault->set, &on_missing) || on_missing == PH_MISSING_HOLD)
		return "after-data-fix";
	return "never";
}

static PhValue
fault_value(const PhFault *fault)
{
	PhValue		object = ph_object_new(16);
	PhValue		column = ph_value_int(fault->column);

	ph_object_put_text(&object, "code", fault->code);
	ph_object_put_text(&object, "message", fault->message);
	ph_object_put_text(&object, "hint", fault->hint);
	ph_object_put_text(&object, "at", fault->at);
	ph_object_put_text(&object, "input", fault->input);
	ph_object_put_text(&object, "template", fault->template);
	ph_object_put_text(&object, "mapping", fault->unit->id);
	ph_object_put_text(&object, "expression", fault->expression);
	if (fault->column > 0)
		ph_object_put(&object, "column", &column);
	ph_object_put_text(&object, "set", fault->set);
	ph_object_put_text(&object, "key", fault->key);
	ph_object_put_text(&object, "retry", retry_of(fault));
	ph_object_finish(&object);
	return object;
}

static PhValue
faults_value(const PhApply *apply)
{
	PhValue		list = ph_array_new(apply->nfaults);
	int			i;

	for (i = 0; i < apply->nfaults; i++)
	{
		PhValue		fault = fault_value(&apply->faults[i]);

		ph_array_append(&list, &fault);
	}
	return list;
}

/* ---- applying ---- */

static void
start(Session *session, const PhMapping *mapping, Jsonb *document, Jsonb *env, Jsonb *overlay)
{
	if (env != NULL && !JB_ROOT_IS_OBJECT(env))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("environment of a mapping is not an object"),
				 errhint("Use an object of variables, such as {\"system\": \"sap-prd\"}.")));
	memset(session, 0, sizeof(Session));
	session->caller = CurrentMemoryContext;
	session->context = AllocSetContextCreate(CurrentMemoryContext, "planthub document", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(session->context);
	ph_mapping_pin(mapping, session->context);
	ph_xref_refresh();
	session->mapping = mapping;
	session->env = env == NULL ? ph_value_null() : ph_value_from_jsonb(env);
	session->overlay = overlay == NULL ? ph_value_null() : ph_value_from_jsonb(overlay);
	session->apply.unit = mapping->unit;
	session->apply.document = ph_value_from_jsonb(document);
	session->apply.env = mapping->uses_env ? make_env(session) : ph_value_null();
	session->apply.xref = look_up;
	session->apply.unit_convert = convert_unit;
	session->apply.call = call_function;
	session->apply.arg = session;
}

/* The output as jsonb in the context of the document; NULL: faults. */
static Jsonb *
apply_to_document(Session *session)
{
	PhApply    *apply = &session->apply;
	const PhOptions *options = &apply->unit->options;
	Jsonb	   *output;

	if (!ph_apply(apply))
		return NULL;
	output = ph_value_to_jsonb(&apply->output, &apply->visits);
	if (output != NULL && VARSIZE(output) <= options->max_output)
		return output;
	apply->faults = palloc0(sizeof(PhFault));
	apply->nfaults = 1;
	apply->faults[0].code = output == NULL ? PH_CODE_BUDGET : PH_CODE_TOO_LARGE;
	apply->faults[0].message = output == NULL ? "the mapping takes too many steps" :
		psprintf("the output has %u bytes, more than " INT64_FORMAT, VARSIZE(output), options->max_output);
	apply->faults[0].at = apply->faults[0].input = apply->faults[0].template = "";
	apply->faults[0].unit = apply->unit;
	return NULL;
}

/* Ends the document; the result goes to the caller. */
static Jsonb *
finish(Session *session, const Jsonb *result)
{
	Jsonb	   *copy = MemoryContextAlloc(session->caller, VARSIZE(result));

	memcpy(copy, result, VARSIZE(result));
	MemoryContextSwitchTo(session->caller);
	MemoryContextDelete(session->context);
	return copy;
}

Jsonb *
ph_mapping_apply(const PhMapping *mapping, Jsonb *document, Jsonb *env, Jsonb **errors)
{
	Session		session;
	Jsonb	   *output;
	PhValue		list;

	start(&session, mapping, document, env, NULL);
	output = apply_to_document(&session);
	*errors = NULL;
	if (output != NULL)
		return finish(&session, output);
	list = faults_value(&session.apply);
	*errors = finish(&session, ph_value_to_jsonb(&list, NULL));
	return NULL;
}

/* Pointers of template nodes that had no part, as id#pointer; only the outermost of each. */
static PhValue
unused_nodes(const PhMapping *mapping, const bool *visited)
{
	PhValue		list = ph_array_new(8);
	int			i;
	int			j;

	for (i = 0; i < mapping->nunits; i++)
	{
		const PhTemplateUnit *unit = mapping->units[i];
		const char *last = NULL;

		for (j = 0; j < unit->nnodes; j++)
		{
			const PhTemplate *node = unit->nodes[j];
			PhValue		text;

			if (visited[unit->first + j] ||
				(last != NULL && strncmp(node->pointer, last, strlen(last)) == 0 && node->pointer[strlen(last)] == '/'))
				continue;
			last = node->pointer;
			text = ph_value_text(psprintf("%s#%s", unit->id, node->pointer));
			ph_array_append(&list, &text);
		}
	}
	return list;
}

Jsonb *
ph_mapping_explain(const PhMapping *mapping, Jsonb *document, Jsonb *env, Jsonb *xref)
{
	Session		session;
	Jsonb	   *output;
	PhValue		report;
	PhValue		value;
	PhValue		hits;

	start(&session, mapping, document, env, xref);
	hits = ph_array_new(8);
	session.hits = &hits;
	session.apply.visited = palloc0(Max(1, mapping->nnodes) * sizeof(bool));
	output = apply_to_document(&session);
	report = ph_object_new(8);
	ph_object_put_text(&report, "mapping", mapping->id);
	ph_object_put_text(&report, "sha256", mapping->sha256);
	value = output != NULL ? ph_value_from_jsonb(output) : faults_value(&session.apply);
	ph_object_put(&report, output != NULL ? "output" : "errors", &value);
	ph_object_put(&report, "xref", &hits);
	value = ph_reads_unread(mapping, &session.apply.document);
	ph_object_put(&report, "unread", &value);
	value = unused_nodes(mapping, session.apply.visited);
	ph_object_put(&report, "unused", &value);
	value = ph_value_int(mapping->unit->options.budget - session.apply.visits);
	ph_object_put(&report, "visits", &value);
	ph_object_finish(&report);
	return finish(&session, ph_value_to_jsonb(&report, NULL));
}
