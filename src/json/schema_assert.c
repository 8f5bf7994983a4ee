/*
 * schema_assert.c
 *	  The keywords of JSON Schema that look at one value as a whole.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "json/schema_run.h"

#define DIGITS_LIMIT	1000		/* of numbers that are divided */
#define HASH_DEPTH		8

/* ---- any type ---- */

static bool
is_integer(Numeric number)
{
	Datum		datum = NumericGetDatum(number);

	return DatumGetInt32(DirectFunctionCall1(numeric_scale, datum)) == 0 ||
		DatumGetInt32(DirectFunctionCall1(numeric_min_scale, datum)) == 0;
}

bool
ph_check_type(PhRun *run, const PhFrame *frame)
{
	static const char *const names[] = {"null", "boolean", "number", "string", "array", "object"};
	uint8		types = frame->s->types;
	PhKind		kind = ph_value_kind(frame->value);
	PhValue		expected;
	PhValue		found;
	StringInfoData list;
	int			i;

	if ((types & PH_TYPE(kind)) != 0 ||
		(kind == PH_KIND_NUMBER && (types & PH_TYPE_INTEGER) != 0 && is_integer(frame->value->u.number)))
		return true;
	if (!ph_run_collects(run))
		return false;
	initStringInfo(&list);
	for (i = 0; i < lengthof(names); i++)
	{
		if ((types & PH_TYPE(i)) != 0)
			appendStringInfo(&list, "%s%s", list.len == 0 ? "" : " or ", names[i]);
	}
	if ((types & PH_TYPE_INTEGER) != 0)
		appendStringInfo(&list, "%s%s", list.len == 0 ? "" : " or ", "integer");
	expected = ph_value_text(list.data);
	found = ph_value_text(kind == PH_KIND_NUMBER && (types & PH_TYPE_INTEGER) != 0 ? "number with a fraction"
																				   : ph_kind_name(kind));
	return ph_run_fail_here(run, frame, "type", "value has the wrong type", &expected, &found);
}

static bool
is_equal(PhRun *run, const PhValue *a, const PhValue *b)
{
	bool		equal = false;

	if (a->type == PH_VALUE_STRING && b->type == PH_VALUE_STRING)
		return a->length == b->length && memcmp(a->u.string, b->u.string, a->length) == 0;
	if (!ph_value_equal(a, b, &run->budget, &equal))
		return ph_run_exhaust(run);
	return equal;
}

bool
ph_check_enumeration(PhRun *run, const PhFrame *frame)
{
	const PhSubschema *s = frame->s;
	bool		valid = true;
	int			i;

	if (s->has_const && !is_equal(run, frame->value, &s->constant))
		valid =
			ph_run_fail_here(run, frame, "const", "value is not the only one allowed", &s->constant, frame->value);
	if (s->nenum < 0 || run->exhausted)
		return valid;
	for (i = 0; i < s->nenum; i++)
	{
		if (is_equal(run, frame->value, &s->enumeration[i]))
			return valid;
	}
	return ph_run_fail_here(run, frame, "enum", "value is not one of those allowed", &s->enum_value, frame->value);
}

/* ---- numbers ---- */

static int
compare(Numeric a, Numeric b)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(a), NumericGetDatum(b)));
}

int
ph_numeric_sign(Numeric number)
{
	return compare(number, int64_to_numeric(0));
}

/* Dividing numbers of a hundred thousand digits would take long and cannot be interrupted. */
static bool
is_huge(Numeric number)
{
	static Numeric limit = NULL;

	if (limit == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

		limit = DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum("1e1000"),
													ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
		MemoryContextSwitchTo(old);
	}
	return DatumGetInt32(DirectFunctionCall1(numeric_scale, NumericGetDatum(number))) > DIGITS_LIMIT ||
		compare(DatumGetNumeric(DirectFunctionCall1(numeric_abs, NumericGetDatum(number))), limit) > 0;
}

static bool
check_multiple(PhRun *run, const PhFrame *frame)
{
	Numeric		divisor = frame->s->number->multiple_of;
	PhValue		expected = ph_value_number(divisor);
	Numeric		rest;

	if (is_huge(frame->value->u.number) || is_huge(divisor))
		return ph_run_exhaust(run);
	rest = DatumGetNumeric(
		DirectFunctionCall2(numeric_mod, NumericGetDatum(frame->value->u.number), NumericGetDatum(divisor)));
	return ph_numeric_sign(rest) == 0 ||
		ph_run_fail_here(run, frame, "multipleOf", "value is not a multiple", &expected, frame->value);
}

static bool
check_bound(PhRun *run, const PhFrame *frame, const char *keyword, const char *message, Numeric bound, bool good)
{
	PhValue		expected;

	if (good)
		return true;
	expected = ph_value_number(bound);
	return ph_run_fail_here(run, frame, keyword, message, &expected, frame->value);
}

bool
ph_check_number(PhRun *run, const PhFrame *frame)
{
	const PhNumberRules *rules = frame->s->number;
	Numeric		value = frame->value->u.number;
	bool		valid = true;

	if (rules->minimum != NULL)
		valid &= check_bound(run, frame, "minimum", "value is below the minimum", rules->minimum,
							 compare(value, rules->minimum) >= 0);
	if (rules->maximum != NULL)
		valid &= check_bound(run, frame, "maximum", "value is above the maximum", rules->maximum,
							 compare(value, rules->maximum) <= 0);
	if (rules->exclusive_minimum != NULL)
		valid &= check_bound(run, frame, "exclusiveMinimum", "value is not above the limit", rules->exclusive_minimum,
							 compare(value, rules->exclusive_minimum) > 0);
	if (rules->exclusive_maximum != NULL)
		valid &= check_bound(run, frame, "exclusiveMaximum", "value is not below the limit", rules->exclusive_maximum,
							 compare(value, rules->exclusive_maximum) < 0);
	if (rules->multiple_of != NULL)
		valid &= check_multiple(run, frame);
	return valid;
}

/* ---- strings ---- */

static bool
check_length(PhRun *run, const PhFrame *frame)
{
	const PhStringRules *rules = frame->s->string;
	int			bytes = frame->value->length;
	int			n;

	/* A character has 1 to 4 bytes: mostly it need not be counted. */
	if (bytes / 4 >= rules->min && (rules->max < 0 || bytes <= rules->max))
		return true;
	n = pg_mbstrlen_with_len(frame->value->u.string, bytes);
	if (n < rules->min)
		return ph_run_fail_count(run, frame, "minLength", "text is too short", rules->min, n);
	if (rules->max >= 0 && n > rules->max)
		return ph_run_fail_count(run, frame, "maxLength", "text is too long", rules->max, n);
	return true;
}

/* Whether a text matches; ends the run when the engine gave up. */
bool
ph_run_matches(PhRun *run, PhRegex *regex, const char *text, int length)
{
	PhRegexResult result = ph_regex_match(regex, text, length);

	run->budget -= length / 16;
	if (result == PH_REGEX_FAILED)
		return ph_run_exhaust(run);
	return result == PH_REGEX_MATCH;
}

static bool
check_format(const PhStringRules *rules, const PhValue *value)
{
	bool		unicode;
	const char *reason;

	if (rules->format == PH_FORMAT_REGEX)
		return ph_regex_translate(value->u.string, value->length, &unicode, &reason) != NULL;
	return ph_format_valid(rules->format, value->u.string, value->length);
}

bool
ph_check_string(PhRun *run, const PhFrame *frame)
{
	const PhStringRules *rules = frame->s->string;
	const PhValue *value = frame->value;
	PhValue		expected;
	bool		valid = check_length(run, frame);

	if (rules->regex != NULL && !ph_run_matches(run, rules->regex, value->u.string, value->length))
	{
		expected = ph_value_string(rules->pattern, rules->pattern_length);
		valid = ph_run_fail_here(run, frame, "pattern", "text does not match the pattern", &expected, value);
	}
	if (rules->format != PH_FORMAT_NONE && !check_format(rules, value))
	{
		expected = ph_value_text(rules->format_name);
		valid = ph_run_fail_here(run, frame, "format", "text does not have the format", &expected, value);
	}
	return valid;
}

/* ---- arrays ---- */

/* What lies deeper than HASH_DEPTH is compared only for equal hashes. */
static uint32
hash_value(const PhValue *value, int depth)
{
	PhKind		kind = ph_value_kind(value);
	PhIterator	iterator;
	PhMember	member;
	uint32		hash = kind;

	switch (kind)
	{
		case PH_KIND_BOOLEAN:
			return hash + value->u.boolean;
		case PH_KIND_NUMBER:
			return DatumGetUInt32(DirectFunctionCall1(hash_numeric, NumericGetDatum(value->u.number)));
		case PH_KIND_STRING:
			return DatumGetUInt32(hash_any((const unsigned char *) value->u.string, value->length));
		case PH_KIND_ARRAY:
		case PH_KIND_OBJECT:
			hash = hash * 31 + ph_value_count(value);
			if (depth == HASH_DEPTH)
				return hash;
			ph_iterate(&iterator, value);
			while (ph_iterate_next(&iterator, &member))
			{
				if (member.key != NULL)
					hash = hash * 31 + DatumGetUInt32(hash_any((const unsigned char *) member.key, member.length));
				hash = hash * 31 + hash_value(&member.value, depth + 1);
			}
			return hash;
		default:
			return hash;
	}
}

typedef struct Hashed
{
	uint32		hash;
	int			index;
	PhValue		value;
} Hashed;

static int
compare_hashed(const void *a, const void *b)
{
	const Hashed *left = a;
	const Hashed *right = b;

	if (left->hash != right->hash)
		return left->hash < right->hash ? -1 : 1;
	return left->index - right->index;
}

bool
ph_check_unique(PhRun *run, const PhFrame *frame, int n)
{
	Hashed	   *items = MemoryContextAllocHuge(CurrentMemoryContext, Max(n, 1) * sizeof(Hashed));
	PhWalk		walk;
	PhMember	member;
	int			i;
	int			k;

	ph_walk_start(&walk, frame->value);
	for (i = 0; ph_walk_next(&walk, &member); i++)
	{
		items[i].hash = hash_value(&member.value, 0);
		items[i].index = i;
		items[i].value = member.value;
	}
	run->budget -= n;
	qsort(items, n, sizeof(Hashed), compare_hashed);
	for (i = 0; i < n; i++)
	{
		for (k = i + 1; k < n && items[k].hash == items[i].hash && !run->exhausted; k++)
		{
			CHECK_FOR_INTERRUPTS();
			if (--run->budget < 0)
				return ph_run_exhaust(run);
			if (is_equal(run, &items[i].value, &items[k].value))
				return ph_run_collects(run) &&
					ph_run_fail_here(run, frame, "uniqueItems",
									 psprintf("items %d and %d are equal", items[i].index, items[k].index), NULL,
									 &items[k].value);
		}
	}
	pfree(items);
	return true;
}
