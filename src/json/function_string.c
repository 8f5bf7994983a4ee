/*
 * function_string.c
 *	  Functions for strings.  Places and widths count characters (code points in UTF-8).
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "mb/pg_wchar.h"
#include "utils/formatting.h"

#include "json/function.h"
#include "json/number.h"

static bool
pay(const PhCall *call, int64 length)
{
	return ph_evaluate_pay_text(call->evaluation, call->node, length);
}

static const PhValue *
argument(const PhCall *call, int i)
{
	return i < call->n ? &call->arguments[i] : NULL;
}

/* First place of needle at or after "from", in bytes; -1.  In UTF-8 no character begins inside another. */
static int
find(const PhValue *text, const PhValue *needle, int from)
{
	const char *found = memmem(text->u.string + from, text->length - from, needle->u.string, needle->length);

	return found == NULL ? -1 : found - text->u.string;
}

/* Costs the product of the lengths. */
static int
find_back(const PhValue *text, const PhValue *needle)
{
	int			at;

	for (at = text->length - needle->length; at >= 0; at--)
	{
		if (memcmp(text->u.string + at, needle->u.string, needle->length) == 0)
			return at;
	}
	return -1;
}

/* ---- what is in a string ---- */

static bool
contains(const PhCall *call, PhValue *result)
{
	const PhValue *subject = &call->arguments[0];
	PhIterator	iterator;
	PhMember	member;
	bool		found = false;

	if (subject->type == PH_VALUE_STRING)
	{
		*result = ph_value_bool(call->arguments[1].type == PH_VALUE_STRING &&
								find(subject, &call->arguments[1], 0) >= 0);
		return pay(call, subject->length);
	}
	if (ph_value_kind(subject) != PH_KIND_ARRAY)
		return ph_function_fail(call, PH_CODE_INVALID_TYPE, "argument 1 of contains() must be an array or a string, not %s",
								ph_kind_name(ph_value_kind(subject)));
	ph_iterate(&iterator, subject);
	while (!found && ph_iterate_next(&iterator, &member))
	{
		if (!ph_value_equal(&member.value, &call->arguments[1], &call->evaluation->visits, &found))
			return ph_evaluate_spent(call->evaluation, call->node);
	}
	*result = ph_value_bool(found);
	return true;
}

static bool
starts_with(const PhCall *call, PhValue *result)
{
	const PhValue *text = &call->arguments[0];
	const PhValue *part = &call->arguments[1];

	*result = ph_value_bool(part->length <= text->length && memcmp(text->u.string, part->u.string, part->length) == 0);
	return true;
}

static bool
ends_with(const PhCall *call, PhValue *result)
{
	const PhValue *text = &call->arguments[0];
	const PhValue *part = &call->arguments[1];

	*result = ph_value_bool(part->length <= text->length &&
							memcmp(text->u.string + text->length - part->length, part->u.string, part->length) == 0);
	return true;
}

/* Bytes of so many characters. */
static int
bytes_of(const PhValue *text, int characters)
{
	return pg_mbcharcliplen(text->u.string, text->length, characters);
}

/* find_first(text, part[, from[, to]]): from and to may count from the end; null when it is not there, or empty. */
static bool
find_between(const PhCall *call, bool last, PhValue *result)
{
	const PhValue *text = &call->arguments[0];
	const PhValue *part = &call->arguments[1];
	int			n = pg_mbstrlen_with_len(text->u.string, text->length);
	PhValue		slice;
	int32		from;
	int32		to;
	int			at;

	if (!pay(call, last ? (int64) text->length * part->length : text->length) ||
		!ph_function_int(call, 2, PG_INT32_MIN, 0, &from) ||
		!ph_function_int(call, 3, PG_INT32_MIN, n, &to))
		return false;
	from = from < 0 ? Max(from + n, 0) : Min(from, n);
	to = to < 0 ? Max(to + n, 0) : Min(to, n);
	*result = ph_value_null();
	if (from >= to || part->length == 0)
		return true;
	at = bytes_of(text, from);
	slice = ph_value_string(text->u.string + at, bytes_of(text, to) - at);
	at = last ? find_back(&slice, part) : find(&slice, part, 0);
	if (at >= 0)
		*result = ph_value_int(from + pg_mbstrlen_with_len(slice.u.string, at));
	return true;
}

static bool
find_first(const PhCall *call, PhValue *result)
{
	return find_between(call, false, result);
}

static bool
find_last(const PhCall *call, PhValue *result)
{
	return find_between(call, true, result);
}

/* ---- other strings ---- */

static bool
lower(const PhCall *call, PhValue *result)
{
	*result = ph_value_text(str_tolower(call->arguments[0].u.string, call->arguments[0].length, DEFAULT_COLLATION_OID));
	return pay(call, result->length);
}

static bool
upper(const PhCall *call, PhValue *result)
{
	*result = ph_value_text(str_toupper(call->arguments[0].u.string, call->arguments[0].length, DEFAULT_COLLATION_OID));
	return pay(call, result->length);
}

static bool
concat(const PhCall *call, PhValue *result)
{
	StringInfoData out;
	int			i;

	initStringInfo(&out);
	for (i = 0; i < call->n; i++)
	{
		const PhValue *value = &call->arguments[i];
		int			before = out.len;

		if (value->type == PH_VALUE_STRING)
			appendBinaryStringInfo(&out, value->u.string, value->length);
		else if (value->type == PH_VALUE_NUMBER)
			appendStringInfoString(&out, ph_number_text(value->u.number));
		else
			return ph_function_fail(call, PH_CODE_INVALID_TYPE, "argument %d of concat() must be a string or a number, not %s",
									i + 1, ph_kind_name(ph_value_kind(value)));
		if (!pay(call, out.len - before))
			return false;
	}
	*result = ph_value_string(out.data, out.len);
	return true;
}

static bool
join(const PhCall *call, PhValue *result)
{
	const PhValue *glue = &call->arguments[0];
	StringInfoData out;
	PhIterator	iterator;
	PhMember	member;
	bool		first = true;

	initStringInfo(&out);
	ph_iterate(&iterator, &call->arguments[1]);
	while (ph_iterate_next(&iterator, &member))
	{
		if (!pay(call, glue->length + member.value.length))
			return false;
		if (!first)
			appendBinaryStringInfo(&out, glue->u.string, glue->length);
		first = false;
		appendBinaryStringInfo(&out, member.value.u.string, member.value.length);
	}
	*result = ph_value_string(out.data, out.len);
	return true;
}

static bool
reverse_array(const PhCall *call, PhValue *result)
{
	PhIterator	iterator;
	PhMember	member;
	int			n = ph_value_count(&call->arguments[0]);
	int			i;

	if (!ph_evaluate_pay(call->evaluation, call->node, n))
		return false;
	*result = ph_array_new(n);
	ph_iterate(&iterator, &call->arguments[0]);
	while (ph_iterate_next(&iterator, &member))
		ph_array_append(result, &member.value);
	for (i = 0; i < n / 2; i++)
	{
		PhValue		swap = result->u.array->items[i];

		result->u.array->items[i] = result->u.array->items[n - 1 - i];
		result->u.array->items[n - 1 - i] = swap;
	}
	return true;
}

static bool
reverse(const PhCall *call, PhValue *result)
{
	const PhValue *text = &call->arguments[0];
	char	   *out;
	int			at;
	int			size;

	if (ph_value_kind(text) == PH_KIND_ARRAY)
		return reverse_array(call, result);
	if (text->type != PH_VALUE_STRING)
		return ph_function_fail(call, PH_CODE_INVALID_TYPE, "argument 1 of reverse() must be an array or a string, not %s",
								ph_kind_name(ph_value_kind(text)));
	if (!pay(call, text->length))
		return false;
	out = palloc(Max(text->length, 1));
	for (at = 0; at < text->length; at += size)
	{
		size = pg_mblen(text->u.string + at);
		memcpy(out + text->length - at - size, text->u.string + at, size);
	}
	*result = ph_value_string(out, text->length);
	return true;
}

/* replace(text, old, new[, count]): the first count ones, or all; nothing for an empty old. */
static bool
replace(const PhCall *call, PhValue *result)
{
	const PhValue *text = &call->arguments[0];
	const PhValue *old = &call->arguments[1];
	const PhValue *new = &call->arguments[2];
	StringInfoData out;
	int32		count;
	int			at = 0;
	int			found;

	if (!ph_function_int(call, 3, 0, PG_INT32_MAX, &count) || !pay(call, text->length))
		return false;
	initStringInfo(&out);
	while (count-- > 0 && old->length > 0 && (found = find(text, old, at)) >= 0)
	{
		if (!pay(call, new->length))
			return false;
		appendBinaryStringInfo(&out, text->u.string + at, found - at);
		appendBinaryStringInfo(&out, new->u.string, new->length);
		at = found + old->length;
	}
	appendBinaryStringInfo(&out, text->u.string + at, text->length - at);
	*result = ph_value_string(out.data, out.len);
	return true;
}

static void
append_part(PhValue *parts, const PhValue *text, int from, int to)
{
	PhValue		part = ph_value_string(text->u.string + from, to - from);

	ph_array_append(parts, &part);
}

/* split(text, separator[, count]): at most count times; an empty separator separates characters. */
static bool
split(const PhCall *call, PhValue *result)
{
	const PhValue *text = &call->arguments[0];
	const PhValue *separator = &call->arguments[1];
	int32		count;
	int			at = 0;
	int			found;

	if (!ph_function_int(call, 2, 0, PG_INT32_MAX, &count) || !pay(call, text->length))
		return false;
	*result = ph_array_new(0);
	while (count-- > 0)
	{
		if (separator->length == 0)
			found = at < text->length ? at + pg_mblen(text->u.string + at) : -1;
		else
			found = find(text, separator, at);
		if (found < 0 || (separator->length == 0 && found >= text->length))
			break;
		if (!ph_evaluate_pay(call->evaluation, call->node, 1))
			return false;
		append_part(result, text, at, found);
		at = found + separator->length;
	}
	if (separator->length > 0 || at < text->length)
		append_part(result, text, at, text->length);
	return true;
}

/* ---- ends ---- */

/* White space of Unicode, in UTF-8. */
static const char *const spaces[] = {
	"\t", "\n", "\v", "\f", "\r", " ", "\xc2\x85", "\xc2\xa0", "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81",
	"\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88",
	"\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"
};

/* Whether the character is one of a set; NULL or an empty set is white space. */
static bool
is_trimmed(const char *character, int size, const PhValue *set)
{
	PhValue		one = ph_value_string(character, size);
	int			i;

	if (set != NULL && set->length > 0)
		return find(set, &one, 0) >= 0;
	for (i = 0; i < lengthof(spaces); i++)
	{
		if (strlen(spaces[i]) == size && memcmp(spaces[i], character, size) == 0)
			return size == 1 || GetDatabaseEncoding() == PG_UTF8;
	}
	return false;
}

static bool
trim_ends(const PhCall *call, bool left, bool right, PhValue *result)
{
	const PhValue *text = &call->arguments[0];
	const PhValue *set = argument(call, 1);
	int			from = -1;		/* first character that stays */
	int			to = 0;			/* behind the last */
	int			at;
	int			size;

	if (!pay(call, (int64) text->length * (1 + (set == NULL ? 0 : set->length / 16))))
		return false;
	for (at = 0; at < text->length; at += size)
	{
		size = pg_mblen(text->u.string + at);
		if (is_trimmed(text->u.string + at, size, set))
			continue;
		if (from < 0)
			from = at;
		to = at + size;
	}
	if (!left)
		from = 0;
	else if (from < 0)
		from = text->length;
	if (!right)
		to = text->length;
	*result = ph_value_string(text->u.string + from, Max(to - from, 0));
	return true;
}

static bool
trim(const PhCall *call, PhValue *result)
{
	return trim_ends(call, true, true, result);
}

static bool
trim_left(const PhCall *call, PhValue *result)
{
	return trim_ends(call, true, false, result);
}

static bool
trim_right(const PhCall *call, PhValue *result)
{
	return trim_ends(call, false, true, result);
}

/* pad(text, width[, character]) */
static bool
pad(const PhCall *call, bool left, PhValue *result)
{
	const PhValue *text = &call->arguments[0];
	PhValue		filler = ph_value_text(" ");
	StringInfoData out;
	int32		width;
	int			missing;

	if (!ph_function_int(call, 1, 0, 0, &width))
		return false;
	if (call->n > 2)
		filler = call->arguments[2];
	if (pg_mbstrlen_with_len(filler.u.string, filler.length) != 1)
		return ph_function_fail(call, PH_CODE_INVALID_VALUE, "argument 3 of %s() must be one character",
								call->function->name);
	missing = width - pg_mbstrlen_with_len(text->u.string, text->length);
	if (!pay(call, text->length + (int64) Max(missing, 0) * filler.length))
		return false;
	initStringInfo(&out);
	if (!left)
		appendBinaryStringInfo(&out, text->u.string, text->length);
	for (; missing > 0; missing--)
		appendBinaryStringInfo(&out, filler.u.string, filler.length);
	if (left)
		appendBinaryStringInfo(&out, text->u.string, text->length);
	*result = ph_value_string(out.data, out.len);
	return true;
}

static bool
pad_left(const PhCall *call, PhValue *result)
{
	return pad(call, true, result);
}

static bool
pad_right(const PhCall *call, PhValue *result)
{
	return pad(call, false, result);
}

const PhFunction ph_functions_string[] = {
	{"concat", "x", 's', 1, -1, concat, NULL},
	{"contains", "x", 'b', 2, 2, contains, NULL},
	{"ends_with", "s", 'b', 2, 2, ends_with, NULL},
	{"find_first", "ssn", 'n', 2, 4, find_first, NULL},
	{"find_last", "ssn", 'n', 2, 4, find_last, NULL},
	{"join", "sS", 's', 2, 2, join, NULL},
	{"lower", "s", 's', 1, 1, lower, NULL},
	{"pad_left", "sns", 's', 2, 3, pad_left, NULL},
	{"pad_right", "sns", 's', 2, 3, pad_right, NULL},
	{"replace", "sssn", 's', 3, 4, replace, NULL},
	{"reverse", "x", 'x', 1, 1, reverse, NULL},
	{"split", "ssn", 'a', 2, 3, split, NULL},
	{"starts_with", "s", 'b', 2, 2, starts_with, NULL},
	{"trim", "s", 's', 1, 2, trim, NULL},
	{"trim_left", "s", 's', 1, 2, trim_left, NULL},
	{"trim_right", "s", 's', 1, 2, trim_right, NULL},
	{"upper", "s", 's', 1, 1, upper, NULL},
	{NULL}
};
