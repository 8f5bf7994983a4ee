/*
 * function.c
 *	  Functions of expressions: finding one, and checking its arguments.
 */
#include "postgres.h"

#include "json/function.h"
#include "json/number.h"

static const PhFunction *const families[] = {
	ph_functions_value, ph_functions_list, ph_functions_number, ph_functions_string, ph_functions_pattern,
	ph_functions_time, ph_functions_lookup
};

const PhFunction *
ph_function_find(const char *name, int length)
{
	int			i;

	for (i = 0; i < lengthof(families); i++)
	{
		const PhFunction *function;

		for (function = families[i]; function->name != NULL; function++)
		{
			if (strlen(function->name) == length && memcmp(function->name, name, length) == 0)
				return function;
		}
	}
	return NULL;
}

bool
ph_function_fail(const PhCall *call, const char *code, const char *format, ...)
{
	char		message[512];
	va_list		args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	return ph_evaluate_fail(call->evaluation, call->node, code, "%s", message);
}

static const char *
type_name(char type)
{
	switch (type)
	{
		case 'b':
			return "a boolean";
		case 's':
			return "a string";
		case 'z':
			return "a string or null";
		case 'n':
			return "a number";
		case 'a':
			return "an array";
		case 'o':
			return "an object";
		case 'e':
			return "an expression with \"&\"";
		case 'S':
			return "an array of strings";
		case 'N':
			return "an array of numbers";
		case 'A':
			return "an array of arrays";
		default:
			return "a value, not an expression with \"&\"";
	}
}

static bool is_of_type(const PhCall *call, const PhValue *value, char type, bool *good);

static bool
are_of_type(const PhCall *call, const PhValue *array, char type, bool *good)
{
	PhIterator	iterator;
	PhMember	member;

	*good = ph_value_kind(array) == PH_KIND_ARRAY;
	if (!*good)
		return true;
	if (!ph_evaluate_pay(call->evaluation, call->node, ph_value_count(array)))
		return false;
	ph_iterate(&iterator, array);
	while (*good && ph_iterate_next(&iterator, &member))
	{
		if (!is_of_type(call, &member.value, type, good))
			return false;
	}
	return true;
}

/* False: the budget is spent. */
static bool
is_of_type(const PhCall *call, const PhValue *value, char type, bool *good)
{
	PhKind		kind = ph_value_kind(value);

	switch (type)
	{
		case 'b':
			*good = kind == PH_KIND_BOOLEAN;
			break;
		case 's':
			*good = kind == PH_KIND_STRING;
			break;
		case 'z':
			*good = kind == PH_KIND_STRING || kind == PH_KIND_NULL;
			break;
		case 'n':
			*good = kind == PH_KIND_NUMBER;
			break;
		case 'a':
			*good = kind == PH_KIND_ARRAY;
			break;
		case 'o':
			*good = kind == PH_KIND_OBJECT;
			break;
		case 'e':
			*good = kind == PH_KIND_EXPRESSION;
			break;
		case 'S':
			return are_of_type(call, value, 's', good);
		case 'N':
			return are_of_type(call, value, 'n', good);
		case 'A':
			return are_of_type(call, value, 'a', good);
		default:
			*good = kind != PH_KIND_EXPRESSION;
			break;
	}
	return true;
}

bool
ph_function_call(PhCall *call, PhValue *result)
{
	const char *type = call->function->arguments;
	bool		good;
	int			i;

	for (i = 0; i < call->n; i++)
	{
		if (!is_of_type(call, &call->arguments[i], *type, &good))
			return false;
		if (!good)
			return ph_function_fail(call, PH_CODE_INVALID_TYPE, "argument %d of %s() must be %s%s%s", i + 1,
									call->function->name, type_name(*type), *type == 'x' ? "" : ", not ",
									*type == 'x' ? "" : ph_kind_name(ph_value_kind(&call->arguments[i])));
		if (type[1] != '\0')
			type++;
	}
	return call->function->body(call, result);
}

bool
ph_function_int(const PhCall *call, int i, int32 least, int32 otherwise, int32 *result)
{
	*result = otherwise;
	if (i >= call->n || call->arguments[i].type == PH_VALUE_NULL)
		return true;
	if (!ph_number_to_int(call->arguments[i].u.number, result))
		return ph_function_fail(call, PH_CODE_INVALID_VALUE, "argument %d of %s() must be a whole number", i + 1,
								call->function->name);
	if (*result < least)
		return ph_function_fail(call, PH_CODE_INVALID_VALUE, "argument %d of %s() must not be below %d", i + 1,
								call->function->name, least);
	return true;
}

char *
ph_function_text(const PhCall *call, int i)
{
	return pnstrdup(call->arguments[i].u.string, call->arguments[i].length);
}
