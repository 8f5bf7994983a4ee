/*
 * problem.c
 *	  What is wrong with a template, and where: problems, JSON Pointers (RFC 6901), and paths of simple expressions.
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "json/problem.h"

void
ph_problem_add(PhProblems *problems, const char *pointer, const char *code, const char *hint, int column,
			   const char *format,...)
{
	StringInfoData message;
	PhProblem  *problem;

	if (problems->n == PH_PROBLEMS_MAX)
		return;
	if (problems->list == NULL)
		problems->list = palloc(PH_PROBLEMS_MAX * sizeof(PhProblem));
	initStringInfo(&message);
	for (;;)
	{
		va_list		arguments;
		int			needed;

		va_start(arguments, format);
		needed = appendStringInfoVA(&message, format, arguments);
		va_end(arguments);
		if (needed == 0)
			break;
		enlargeStringInfo(&message, needed);
	}
	problem = &problems->list[problems->n++];
	problem->pointer = pointer;
	problem->code = code;
	problem->message = message.data;
	problem->hint = hint;
	problem->column = column;
}

PhValue
ph_problems_value(const PhProblems *problems)
{
	PhValue		list = ph_array_new(problems->n);
	int			i;

	for (i = 0; i < problems->n; i++)
	{
		const PhProblem *problem = &problems->list[i];
		PhValue		item = ph_object_new(5);
		PhValue		column = ph_value_int(problem->column);

		ph_object_put_text(&item, "pointer", problem->pointer);
		ph_object_put_text(&item, "code", problem->code);
		ph_object_put_text(&item, "message", problem->message);
		ph_object_put_text(&item, "hint", problem->hint);
		if (problem->column > 0)
			ph_object_put(&item, "column", &column);
		ph_object_finish(&item);
		ph_array_append(&list, &item);
	}
	return list;
}

static bool
is_identifier(char c, bool first)
{
	return c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (!first && c >= '0' && c <= '9');
}

/* Reads a name, quoted or not, at *text; NULL when there is none or it has escapes. */
static PhStep *
read_name(const char **text)
{
	const char *start = *text;
	const char *end = start;
	PhStep	   *step;

	if (*start == '"')
	{
		for (end = ++start; *end != '"'; end++)
		{
			if (*end == '\0' || *end == '\\')
				return NULL;
		}
		*text = end + 1;
	}
	else
	{
		while (is_identifier(*end, end == start))
			end++;
		if (end == start)
			return NULL;
		*text = end;
	}
	step = palloc0(sizeof(PhStep));
	step->key = start;
	step->length = end - start;
	return step;
}

static PhStep *
read_index(const char **text)
{
	char	   *end;
	PhStep	   *step;

	if (**text < '0' || **text > '9')
		return NULL;
	step = palloc0(sizeof(PhStep));
	step->index = strtol(*text, &end, 10);
	if (*end != ']' || end - *text > 9)
		return NULL;
	*text = end + 1;
	return step;
}

PhPath *
ph_path_read(const char *text)
{
	PhPath	   *path = palloc0(sizeof(PhPath));
	const PhStep **next = &path->steps;
	bool		first = true;

	path->base = '@';
	if (*text == '$' || *text == '@')
	{
		path->base = *text++;
		first = false;
		if (path->base == '$' && is_identifier(*text, true))
		{
			PhStep	   *name = read_name(&text);

			path->base = 'v';
			path->variable = pnstrdup(name->key, name->length);
			path->variable_length = name->length;
		}
	}
	while (*text != '\0')
	{
		PhStep	   *step;

		if (strcmp(text, "[]") == 0)
		{
			path->flatten = true;
			break;
		}
		if (*text == '[')
		{
			text++;
			step = read_index(&text);
		}
		else if (first || *text == '.')
		{
			text += first ? 0 : 1;
			step = read_name(&text);
		}
		else
			return NULL;
		if (step == NULL)
			return NULL;
		*next = step;
		next = &step->next;
		first = false;
	}
	return path;
}
