/*
 * function_pattern.c
 *	  Functions with regular expressions: those of PostgreSQL (advanced), written in the expression itself and compiled
 *	  with it.
 *
 * Back references are refused, and input is short: with both, matching takes time that can be foreseen.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "regex/regex.h"
#include "utils/memutils.h"

#include "json/function.h"

#define INPUT_MAX	10240		/* bytes */
#define GROUPS_MAX	20

typedef struct Pattern
{
	regex_t		regex;
} Pattern;

/* One text and where the pattern is in it. */
typedef struct Search
{
	const PhCall *call;
	Pattern    *pattern;
	pg_wchar   *text;
	int			length;
	regmatch_t	groups[GROUPS_MAX];
} Search;

/* The library of servers before 16 allocates outside memory contexts. */
static void
free_pattern(void *arg)
{
	pg_regfree(&((Pattern *) arg)->regex);
}

static bool
compile(PhNode *node, PhError *error)
{
	Pattern    *pattern = palloc0(sizeof(Pattern));
	MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));
	pg_wchar   *text = palloc((node->length + 1) * sizeof(pg_wchar));
	int			length = pg_mb2wchar_with_len(node->text, text, node->length);
	int			failed = pg_regcomp(&pattern->regex, text, length, REG_ADVANCED, DEFAULT_COLLATION_OID);
	char		message[100];

	pfree(text);
	CHECK_FOR_INTERRUPTS();
	error->code = PH_CODE_INVALID_VALUE;
	if (failed != REG_OKAY)
	{
		pg_regerror(failed, &pattern->regex, message, sizeof(message));
		error->message = psprintf("not a regular expression: %s", message);
		return false;
	}
	callback->func = free_pattern;
	callback->arg = pattern;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
	if ((pattern->regex.re_info & REG_UBACKREF) != 0)
		error->message = "regular expression must not have back references";
	else if (pattern->regex.re_nsub >= GROUPS_MAX)
		error->message = "regular expression has too many parentheses";
	else
		node->prepared = pattern;
	return node->prepared != NULL;
}

static bool
prepare_pattern(PhNode *call, PhError *error, const PhNode **where)
{
	PhNode	   *pattern = call->list->next;

	*where = pattern;
	if (pattern->type == PH_NODE_STRING)
		return compile(pattern, error);
	error->code = PH_CODE_INVALID_VALUE;
	error->message = "regular expression must be written as a string";
	return false;
}

static bool
start(const PhCall *call, Search *search)
{
	const PhValue *text = &call->arguments[0];

	if (text->length > INPUT_MAX)
		return ph_function_fail(call, PH_CODE_INVALID_VALUE, "argument 1 of %s() must not be longer than %d bytes",
								call->function->name, INPUT_MAX);
	if (!ph_evaluate_pay_text(call->evaluation, call->node, text->length))
		return false;
	search->call = call;
	search->pattern = (Pattern *) call->node->list->next->prepared;
	search->text = palloc((text->length + 1) * sizeof(pg_wchar));
	search->length = pg_mb2wchar_with_len(text->u.string, search->text, text->length);
	return true;
}

/* The first match from a character on. */
static bool
next(Search *search, int from, bool *found)
{
	int			status = pg_regexec(&search->pattern->regex, search->text, search->length, from, NULL, GROUPS_MAX,
									search->groups, 0);
	char		message[100];

	CHECK_FOR_INTERRUPTS();
	*found = status == REG_OKAY;
	if (*found || status == REG_NOMATCH)
		return true;
	pg_regerror(status, &search->pattern->regex, message, sizeof(message));
	return ph_function_fail(search->call, PH_CODE_INVALID_VALUE, "regular expression failed: %s", message);
}

static void
append_characters(StringInfo out, const Search *search, int from, int to)
{
	enlargeStringInfo(out, (to - from) * pg_database_encoding_max_length() + 1);
	out->len += pg_wchar2mb_with_len(search->text + from, out->data + out->len, to - from);
}

static bool
matches(const PhCall *call, PhValue *result)
{
	Search		search;
	bool		found;

	if (!start(call, &search) || !next(&search, 0, &found))
		return false;
	*result = ph_value_bool(found);
	return true;
}

/* What the parentheses matched, each a string or null; the whole match without parentheses; null without a match. */
static bool
capture(const PhCall *call, PhValue *result)
{
	Search		search;
	int			last;
	int			i;
	bool		found;

	if (!start(call, &search) || !next(&search, 0, &found))
		return false;
	*result = ph_value_null();
	if (!found)
		return true;
	*result = ph_array_new(0);
	last = search.pattern->regex.re_nsub;
	for (i = last > 0 ? 1 : 0; i <= last; i++)
	{
		PhValue		group = ph_value_null();
		StringInfoData text;

		if (search.groups[i].rm_so >= 0)
		{
			initStringInfo(&text);
			append_characters(&text, &search, search.groups[i].rm_so, search.groups[i].rm_eo);
			group = ph_value_string(text.data, text.len);
		}
		ph_array_append(result, &group);
	}
	return true;
}

/* In the replacement \1 to \9 are groups, \& is the match, \\ a backslash. */
static void
append_replacement(StringInfo out, const Search *search, const PhValue *by)
{
	int			i;

	for (i = 0; i < by->length; i++)
	{
		char		c = by->u.string[i];
		char		after = i + 1 < by->length ? by->u.string[i + 1] : '\0';
		const regmatch_t *group = NULL;

		if (c == '\\' && (after == '&' || (after >= '1' && after <= '9')))
			group = &search->groups[after == '&' ? 0 : after - '0'];
		if (group != NULL && group->rm_so >= 0)
			append_characters(out, search, group->rm_so, group->rm_eo);
		if (group != NULL || (c == '\\' && after == '\\'))
			i++;
		if (group == NULL)
			appendStringInfoChar(out, c);
	}
}

/* Every match. */
static bool
replace_re(const PhCall *call, PhValue *result)
{
	Search		search;
	StringInfoData out;
	int			at = 0;			/* from here on nothing has been copied */
	int			from = 0;
	bool		found = true;

	if (!start(call, &search))
		return false;
	initStringInfo(&out);
	while (from <= search.length)
	{
		int			copied = out.len;

		if (!next(&search, from, &found))
			return false;
		if (!found)
			break;
		append_characters(&out, &search, at, search.groups[0].rm_so);
		append_replacement(&out, &search, &call->arguments[2]);
		if (!ph_evaluate_pay_text(call->evaluation, call->node, out.len - copied + search.length - from))
			return false;
		at = search.groups[0].rm_eo;
		from = Max(at, search.groups[0].rm_so + 1);
	}
	append_characters(&out, &search, at, search.length);
	*result = ph_value_string(out.data, out.len);
	return true;
}

const PhFunction ph_functions_pattern[] = {
	{"capture", "s", 'a', 2, 2, capture, prepare_pattern},
	{"matches", "s", 'b', 2, 2, matches, prepare_pattern},
	{"replace_re", "s", 's', 3, 3, replace_re, prepare_pattern},
	{NULL}
};
