/*
 * schema_violation.c
 *	  What is said about values that a JSON Schema refuses.
 *
 * The output has the members of the format "basic" (2020-12, 12.4.2).  Of the branches of anyOf and oneOf only the
 * one that was most likely meant is reported: one of another type, or whose const or enum tells it apart, was not.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "json/schema_run.h"

#define SHOWN_LIMIT		200			/* characters of a value */

/* ---- places ---- */

static void
write_place(const PhPlace *place, StringInfo out)
{
	if (place == NULL)
		return;
	write_place(place->outer, out);
	if (place->key == NULL)
		appendStringInfo(out, "/%d", place->index);
	else
		appendStringInfoString(out, ph_pointer_append("", place->key, place->length));
}

static void
write_way(const PhFrame *frame, StringInfo out)
{
	if (frame->outer == NULL)
		return;
	write_way(frame->outer, out);
	appendStringInfo(out, "/%s", frame->keyword);
	if (frame->name != NULL)
		appendStringInfoString(out, ph_pointer_append("", frame->name, frame->length));
	else if (frame->index >= 0)
		appendStringInfo(out, "/%d", frame->index);
}

static void
write_keyword(const PhFinding *finding, StringInfo out)
{
	appendStringInfo(out, "/%s", finding->keyword);
	if (finding->below != NULL)
		appendStringInfoString(out, ph_pointer_append("", finding->below, finding->below_length));
}

static bool
crossed_reference(const PhFrame *frame)
{
	for (; frame->outer != NULL; frame = frame->outer)
	{
		if (strcmp(frame->keyword, "$ref") == 0 || strcmp(frame->keyword, "$dynamicRef") == 0)
			return true;
	}
	return false;
}

/* ---- values ---- */

static bool
is_pii(const PhRun *run, const PhFrame *frame, const PhValue *value)
{
	if (!run->schema->has_pii)
		return false;
	/* A container may hold what must not be shown. */
	if (ph_value_kind(value) == PH_KIND_ARRAY || ph_value_kind(value) == PH_KIND_OBJECT)
		return true;
	for (; frame != NULL; frame = frame->outer)
	{
		if (frame->s->pii)
			return true;
	}
	return false;
}

static PhValue
cut(const char *text, int length)
{
	int			n = pg_mbcharcliplen(text, length, SHOWN_LIMIT);

	return n == length ? ph_value_string(text, length) : ph_value_text(psprintf("%.*s...", n, text));
}

/* Short values as they are, long ones as the beginning of their text. */
static PhValue
shorten(const PhValue *value)
{
	StringInfoData text;
	int64		budget = 10 * SHOWN_LIMIT;

	if (value->type == PH_VALUE_STRING)
		return cut(value->u.string, value->length);
	if (value->type == PH_VALUE_NULL || value->type == PH_VALUE_BOOL)
		return *value;
	if (value->type == PH_VALUE_CONTAINER && value->length > 64 * SHOWN_LIMIT)
		return ph_value_text(ph_value_kind(value) == PH_KIND_ARRAY ? "[...]" : "{...}");
	initStringInfo(&text);
	if (!ph_value_write(value, &text, &budget))
		return ph_value_text(ph_value_kind(value) == PH_KIND_ARRAY ? "[...]" : "{...}");
	return text.len <= SHOWN_LIMIT ? *value : cut(text.data, text.len);
}

/* ---- noting a violation ---- */

bool
ph_run_fail(PhRun *run, const PhFrame *frame, const PhFinding *finding)
{
	PhViolations *all = run->violations;
	PhViolation *violation;
	StringInfoData out;

	if (!ph_run_collects(run))
		return false;
	if (all->n == all->allocated)
	{
		all->allocated = Max(8, all->allocated * 2);
		all->items = all->items == NULL ? palloc(all->allocated * sizeof(PhViolation)) :
			repalloc(all->items, all->allocated * sizeof(PhViolation));
	}
	violation = &all->items[all->n++];
	memset(violation, 0, sizeof(PhViolation));
	violation->keyword = finding->keyword;
	violation->message = finding->message;

	initStringInfo(&out);
	write_place(finding->place != NULL ? finding->place : frame->place, &out);
	violation->instance = out.data;
	initStringInfo(&out);
	write_way(frame, &out);
	write_keyword(finding, &out);
	violation->place = out.data;
	if (crossed_reference(frame))
	{
		initStringInfo(&out);
		appendStringInfo(&out, "%s#%s", frame->s->resource->uri, frame->s->pointer);
		write_keyword(finding, &out);
		violation->absolute = out.data;
	}
	if (finding->expected != NULL)
	{
		violation->has_expected = true;
		violation->expected = *finding->expected;
	}
	if (finding->found != NULL && !is_pii(run, frame, finding->found))
	{
		violation->has_found = true;
		violation->found = shorten(finding->found);
	}
	return false;
}

/* ---- the best branch ---- */

static int
count_steps(const char *pointer)
{
	int			n = 0;

	for (; *pointer != '\0'; pointer++)
		n += *pointer == '/';
	return n;
}

/* Less is better. */
static int
misfit(const PhViolation *violation, int depth)
{
	int			below = count_steps(violation->instance) - depth;

	if (below == 0 && strcmp(violation->keyword, "type") == 0)
		return 1000000;
	if (below <= 1 && (strcmp(violation->keyword, "const") == 0 || strcmp(violation->keyword, "enum") == 0))
		return 10000;
	return 1;
}

void
ph_run_keep_best(PhRun *run, const PhFrame *frame, const int *starts, int n)
{
	PhViolations *all = run->violations;
	StringInfoData place;
	int			first = starts[0];
	int			best = -1;
	int			best_score = 0;
	int			depth;
	int			kept;
	int			i;
	int			k;

	initStringInfo(&place);
	write_place(frame->place, &place);
	depth = count_steps(place.data);
	for (i = 0; i < n; i++)
	{
		int			end = i + 1 < n ? starts[i + 1] : all->n;
		int			score = 0;

		for (k = starts[i]; k < end; k++)
			score = Min(score + misfit(&all->items[k], depth), 100000000);
		if (best < 0 || score < best_score)
		{
			best = i;
			best_score = score;
		}
	}
	kept = (best + 1 < n ? starts[best + 1] : all->n) - starts[best];
	if (kept > 0)
		memmove(&all->items[first], &all->items[starts[best]], kept * sizeof(PhViolation));
	all->n = first + kept;
}

/* ---- for others ---- */

/* Where something has to be done: the place itself, or the member that is missing from it. */
static const char *
fix_place(const PhViolation *violation)
{
	if (strcmp(violation->keyword, "required") != 0 || !violation->has_expected)
		return violation->instance;
	return ph_pointer_append(violation->instance, violation->expected.u.string, violation->expected.length);
}

Jsonb *
ph_violations_to_jsonb(const PhViolations *violations, const char *prefix)
{
	PhValue		array = ph_array_new(violations->n);
	int			i;

	for (i = 0; i < violations->n; i++)
	{
		const PhViolation *violation = &violations->items[i];
		PhValue		object = ph_object_new(8);

		ph_object_put_text(&object, "instanceLocation", psprintf("%s%s", prefix, violation->instance));
		ph_object_put_text(&object, "pointer", psprintf("%s%s", prefix, fix_place(violation)));
		ph_object_put_text(&object, "keywordLocation", violation->place);
		ph_object_put_text(&object, "absoluteKeywordLocation", violation->absolute);
		ph_object_put_text(&object, "keyword", violation->keyword);
		ph_object_put_text(&object, "error", violation->message);
		if (violation->has_expected)
			ph_object_put(&object, "limit", &violation->expected);
		if (violation->has_found)
			ph_object_put(&object, "value", &violation->found);
		ph_object_finish(&object);
		ph_array_append(&array, &object);
	}
	return ph_value_to_jsonb(&array, NULL);
}

static void
write_shown(const char *what, const PhValue *value, StringInfo out)
{
	PhValue		shown = shorten(value);

	appendStringInfoString(out, what);
	(void) ph_value_write(&shown, out, NULL);
}

void
ph_violation_write(const PhViolation *violation, StringInfo out)
{
	appendStringInfo(out, "%s: %s", violation->instance[0] == '\0' ? "(root)" : violation->instance,
					 violation->message);
	/* Nothing is found where a member is missing, and the message names it. */
	if (violation->has_expected && violation->has_found)
		write_shown("; expected ", &violation->expected, out);
	if (violation->has_found)
		write_shown("; found ", &violation->found, out);
}
