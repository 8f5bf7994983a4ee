/*
 * canonical.c
 *	  One text for all ways to write the same JSON document.
 *
 * jsonb has already sorted the members and dropped duplicates; what is left are the ways to write a number.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/numeric.h"

#include "json/canonical.h"

/* Length without the zeros at the end of the fraction; the whole length when the text is not a plain decimal. */
static int
decimal_length(const char *text, int length)
{
	int			i = length > 0 && text[0] == '-' ? 1 : 0;
	int			start = i;
	int			end = length;

	while (i < length && text[i] >= '0' && text[i] <= '9')
		i++;
	if (i == start || i == length || text[i] != '.' || i + 1 == length)
		return length;
	for (i++; i < length; i++)
	{
		if (text[i] < '0' || text[i] > '9')
			return length;
	}
	while (text[end - 1] == '0')
		end--;
	return text[end - 1] == '.' ? end - 1 : end;
}

static bool
is_quantity(JsonbContainer *object)
{
	JsonbValue	uom;

	return getKeyJsonValueFromContainer(object, "uom", 3, &uom) != NULL && uom.type == jbvString;
}

static void
append_string(StringInfo out, const char *text, int length)
{
	char	   *terminated = pnstrdup(text, length);

	escape_json(out, terminated);
	pfree(terminated);
}

static void
append_scalar(StringInfo out, JsonbValue *value, bool quantity)
{
	switch (value->type)
	{
		case jbvNull:
			appendStringInfoString(out, "null");
			break;
		case jbvBool:
			appendStringInfoString(out, value->val.boolean ? "true" : "false");
			break;
		case jbvNumeric:
			appendStringInfoString(out, DatumGetCString(DirectFunctionCall1(numeric_out,
				DirectFunctionCall1(numeric_trim_scale, NumericGetDatum(value->val.numeric)))));
			break;
		case jbvString:
			append_string(out, value->val.string.val, quantity ?
						  decimal_length(value->val.string.val, value->val.string.len) : value->val.string.len);
			break;
		default:
			elog(ERROR, "unexpected type of JSON value: %d", (int) value->type);
	}
}

/* Whether the member that is about to come is the number of a quantity. */
static bool
is_quantity_value(JsonbIterator *iterator, JsonbValue *name)
{
	return name->val.string.len == 5 && memcmp(name->val.string.val, "value", 5) == 0 &&
		is_quantity(iterator->container);
}

void
ph_canonical_append(StringInfo out, Jsonb *document)
{
	JsonbIterator *iterator = JsonbIteratorInit(&document->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	bool		raw_scalar = JB_ROOT_IS_SCALAR(document);
	bool		first = true;
	bool		quantity = false;

	while ((token = JsonbIteratorNext(&iterator, &value, false)) != WJB_DONE)
	{
		if (token == WJB_KEY || token == WJB_ELEM)
		{
			if (!first)
				appendStringInfoChar(out, ',');
			first = false;
		}
		switch (token)
		{
			case WJB_BEGIN_ARRAY:
				if (!raw_scalar)
					appendStringInfoChar(out, '[');
				first = true;
				break;
			case WJB_BEGIN_OBJECT:
				appendStringInfoChar(out, '{');
				first = true;
				break;
			case WJB_KEY:
				append_string(out, value.val.string.val, value.val.string.len);
				appendStringInfoChar(out, ':');
				quantity = is_quantity_value(iterator, &value);
				break;
			case WJB_ELEM:
				append_scalar(out, &value, false);
				break;
			case WJB_VALUE:
				append_scalar(out, &value, quantity);
				break;
			case WJB_END_ARRAY:
				if (!raw_scalar)
					appendStringInfoChar(out, ']');
				first = false;
				break;
			case WJB_END_OBJECT:
				appendStringInfoChar(out, '}');
				first = false;
				break;
			default:
				elog(ERROR, "unexpected token of JSON: %d", (int) token);
		}
	}
}
