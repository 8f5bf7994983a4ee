/*
 * options.c
 *	  Options of a mapping.
 */
#include "postgres.h"

#include "json/number.h"
#include "json/template.h"

#define MAX_ERRORS_DEFAULT	20
#define MAX_ERRORS_MOST		1000
#define BUDGET_MOST			100000000
#define MAX_OUTPUT_DEFAULT	(16 * 1024 * 1024)
#define MAX_OUTPUT_MOST		(128 * 1024 * 1024)
#define TIMEZONE_MOST		64

static bool
is_text(const PhValue *value, const char *text)
{
	return value->type == PH_VALUE_STRING && value->length == strlen(text) &&
		memcmp(value->u.string, text, value->length) == 0;
}

static bool
read_int(const PhValue *value, int most, int *result)
{
	return value->type == PH_VALUE_NUMBER && ph_number_to_int(value->u.number, result) && *result >= 1 &&
		*result <= most;
}

static bool
is_list_of_texts(const PhValue *value)
{
	PhIterator	iterator;
	PhMember	item;

	if (ph_value_kind(value) != PH_KIND_ARRAY)
		return false;
	ph_iterate(&iterator, value);
	while (ph_iterate_next(&iterator, &item))
	{
		if (item.value.type != PH_VALUE_STRING)
			return false;
	}
	return true;
}

/* NULL when good, else what is expected. */
static const char *
read_option(PhOptions *options, const char *key, const PhValue *value)
{
	int			number;

	if (strcmp(key, "nulls") == 0)
	{
		options->nulls = is_text(value, "omit") ? PH_NULLS_OMIT : is_text(value, "keep") ? PH_NULLS_KEEP : PH_NULLS_ERROR;
		return options->nulls != PH_NULLS_ERROR || is_text(value, "error") ? NULL : "Use omit, keep or error.";
	}
	if (strcmp(key, "empty_string") == 0)
	{
		options->empty_is_null = is_text(value, "null");
		return options->empty_is_null || is_text(value, "keep") ? NULL : "Use keep or null.";
	}
	if (strcmp(key, "max_errors") == 0)
		return read_int(value, MAX_ERRORS_MOST, &options->max_errors) ? NULL : "Use 1 to 1000.";
	if (strcmp(key, "budget") == 0)
	{
		if (!read_int(value, BUDGET_MOST, &number))
			return "Use 1 to 100000000 visits.";
		options->budget = number;
		return NULL;
	}
	if (strcmp(key, "max_output") == 0)
	{
		if (!read_int(value, MAX_OUTPUT_MOST, &number))
			return "Use 1 to 134217728 bytes.";
		options->max_output = number;
		return NULL;
	}
	if (strcmp(key, "timezone") == 0)
	{
		if (value->type != PH_VALUE_STRING || value->length > TIMEZONE_MOST)
			return "Use an IANA name such as Europe/Berlin.";
		options->timezone = pnstrdup(value->u.string, value->length);
		return NULL;
	}
	if (strcmp(key, "extra") == 0)
	{
		options->extra = *value;
		return is_list_of_texts(value) ? NULL : "Use an array of JSON Pointers into the output.";
	}
	return "Use nulls, empty_string, max_errors, budget, max_output, timezone or extra.";
}

bool
ph_options_read(PhOptions *options, const PhValue *source, PhProblems *errors)
{
	int			before = errors->n;
	PhIterator	iterator;
	PhMember	member;

	*options = (PhOptions) {PH_NULLS_OMIT, false, MAX_ERRORS_DEFAULT, PH_VISITS_DEFAULT, MAX_OUTPUT_DEFAULT, NULL};
	ph_iterate(&iterator, source);
	while (ph_iterate_next(&iterator, &member))
	{
		const char *key = pnstrdup(member.key, member.length);
		const char *hint = read_option(options, key, &member.value);

		if (hint != NULL)
			ph_problem_add(errors, "", PH_CODE_TEMPLATE, hint, 0, "option \"%.64s\" is not valid", key);
	}
	return errors->n == before;
}
