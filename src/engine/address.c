/*
 * address.c
 *	  Addresses with places.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "engine/address.h"
#include "engine/outcome_rule.h"

#define MAX_PARTS		20
#define ADDRESS_VISITS	100000

typedef struct Part
{
	const char *text;			/* before the place */
	const PhExpression *place;	/* NULL: behind the last one */
	bool		quoted;			/* the place stands between single quotes */
} Part;

struct PhAddress
{
	int			n;
	Part		parts[MAX_PARTS];
};

static const char *const members[] = {"request", "message", "delivery", NULL};

const PhAddress *
ph_address_compile(const char *text, char **error)
{
	PhAddress  *address = palloc0(sizeof(PhAddress));
	PhError		fault;

	for (;;)
	{
		size_t		length = strcspn(text, "{}");
		const char *end;
		Part	   *part;

		if (address->n == MAX_PARTS)
		{
			*error = psprintf("an address has at most %d places", MAX_PARTS - 1);
			return NULL;
		}
		part = &address->parts[address->n++];
		part->text = pnstrdup(text, length);
		if (text[length] == '\0')
			return address;
		end = text[length] == '{' ? strchr(text + length, '}') : NULL;
		if (end == NULL)
		{
			*error = psprintf("the brace at character %d has no other one", pg_mbstrlen_with_len(text, (int) length) + 1);
			return NULL;
		}
		part->place = ph_members_compile(pnstrdup(text + length + 1, end - text - length - 1), members, &fault);
		if (part->place == NULL)
		{
			*error = psprintf("place \"%.*s\", column %d: %s (%s)", (int) (end - text - length + 1), text + length,
							  fault.column, fault.message, fault.code);
			return NULL;
		}
		part->quoted = length > 0 && text[length - 1] == '\'' && end[1] == '\'';
		text = end + 1;
	}
}

void
ph_address_append_encoded(StringInfo out, const char *text, bool quoted)
{
	static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

	for (; *text != '\0'; text++)
	{
		if (strchr(unreserved, *text) != NULL)
			appendStringInfoChar(out, *text);
		else if (quoted && *text == '\'')
			appendStringInfoString(out, "%27%27");
		else
			appendStringInfo(out, "%%%02X", (unsigned char) *text);
	}
}

char *
ph_address_render(const PhAddress *address, const PhValue *document, char **error)
{
	StringInfoData out;
	int			i;

	initStringInfo(&out);
	for (i = 0; i < address->n; i++)
	{
		const Part *part = &address->parts[i];
		PhEvaluation evaluation = {.root = *document,.visits = ADDRESS_VISITS};
		PhValue		value;
		char	   *text;

		appendStringInfoString(&out, part->text);
		if (part->place == NULL)
			break;
		if (!ph_jmespath_evaluate(part->place, &evaluation, document, &value))
		{
			*error = psprintf("place \"{%s}\" of the address, column %d: %s (%s)", ph_jmespath_text(part->place),
							  evaluation.error.column, evaluation.error.message, evaluation.error.code);
			return NULL;
		}
		if (ph_value_kind(&value) != PH_KIND_STRING && ph_value_kind(&value) != PH_KIND_NUMBER &&
			ph_value_kind(&value) != PH_KIND_BOOLEAN)
		{
			*error = psprintf("place \"{%s}\" of the address is %s; a text, number or boolean is wanted",
							  ph_jmespath_text(part->place), ph_kind_name(ph_value_kind(&value)));
			return NULL;
		}
		text = ph_value_plain(&value);
		ph_address_append_encoded(&out, pg_server_to_any(text, (int) strlen(text), PG_UTF8), part->quoted);
	}
	return out.data;
}

char *
ph_address_sample(const PhAddress *address)
{
	StringInfoData out;
	int			i;

	initStringInfo(&out);
	for (i = 0; i < address->n; i++)
	{
		appendStringInfoString(&out, address->parts[i].text);
		if (address->parts[i].place != NULL)
			appendStringInfoChar(&out, 'x');
	}
	return out.data;
}

char *
ph_address_origin(const char *address)
{
	const char *host = strstr(address, "://");

	host = host == NULL ? address : host + 3;
	return pnstrdup(address, host - address + strcspn(host, "/?"));
}
