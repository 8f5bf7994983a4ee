/*
 * steps.c
 *	  What else is asked of a service around the request that carries a message.
 *
 * Addresses of steps begin with a slash and are completed by scheme, host and port of the endpoint: secrets of a service
 * never go to another one.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/builtins.h"

#include "engine/outcome_rule.h"
#include "engine/steps.h"
#include "pg/lookup.h"

static const char *const answer_members[] = {"status", "headers", "body", "request", "message", "delivery", NULL};

typedef struct Reader
{
	const char *origin;
	const char *step;
	PhValue		object;
	char	   *error;			/* the first one */
} Reader;

static void
refuse(Reader *reader, const char *member, const char *why)
{
	if (reader->error == NULL)
		reader->error = psprintf("%s%s%s: %s", reader->step, member == NULL ? "" : ".", member == NULL ? "" : member, why);
}

/* A text of the step; NULL when it is absent. */
static char *
text_of(Reader *reader, const char *member, bool required)
{
	PhValue		value;

	if (!ph_value_member(&reader->object, member, (int) strlen(member), &value))
	{
		if (required)
			refuse(reader, member, "it is missing");
		return NULL;
	}
	if (ph_value_kind(&value) != PH_KIND_STRING || value.length == 0)
	{
		refuse(reader, member, "a text is wanted");
		return NULL;
	}
	return ph_value_plain(&value);
}

static const PhAddress *
address_of(Reader *reader)
{
	char	   *text = text_of(reader, "address", true);
	const PhAddress *address;
	char	   *error;

	if (text == NULL)
		return NULL;
	if (text[0] != '/' || text[1] == '/')
	{
		refuse(reader, "address", "it must begin with one slash; scheme, host and port are those of the endpoint");
		return NULL;
	}
	address = ph_address_compile(psprintf("%s%s", reader->origin, text), &error);
	if (address == NULL)
		refuse(reader, "address", error);
	return address;
}

static const PhExpression *
expression_of(Reader *reader, const char *member, bool required)
{
	char	   *text = text_of(reader, member, required);
	const PhExpression *expression;
	PhError		error;

	if (text == NULL)
		return NULL;
	expression = ph_members_compile(text, answer_members, &error);
	if (expression == NULL)
		refuse(reader, member, psprintf("column %d: %s (%s)", error.column, error.message, error.code));
	return expression;
}

/* Whether the step is there; other members than those, the last one NULL, are refused. */
static bool
open_step(Reader *reader, const PhValue *steps, const char *name, const char *const *members)
{
	PhIterator	iterator;
	PhMember	member;

	reader->step = name;
	if (!ph_value_member(steps, name, (int) strlen(name), &reader->object))
		return false;
	if (ph_value_kind(&reader->object) != PH_KIND_OBJECT)
	{
		refuse(reader, NULL, "an object is wanted");
		return false;
	}
	ph_iterate(&iterator, &reader->object);
	while (ph_iterate_next(&iterator, &member))
	{
		int			i;

		for (i = 0; members[i] != NULL; i++)
		{
			if (strlen(members[i]) == member.length && memcmp(members[i], member.key, member.length) == 0)
				break;
		}
		if (members[i] == NULL)
			refuse(reader, pnstrdup(member.key, member.length), "there is no such member");
	}
	return true;
}

static void
check_names(Reader *reader, const PhValue *steps)
{
	PhIterator	iterator;
	PhMember	member;

	ph_iterate(&iterator, steps);
	while (ph_iterate_next(&iterator, &member))
	{
		reader->step = pnstrdup(member.key, member.length);
		if (strcmp(reader->step, "session") != 0 && strcmp(reader->step, "read") != 0 &&
			strcmp(reader->step, "lookup") != 0)
			refuse(reader, NULL, "there is no such step; there are session, read and lookup");
	}
}

/* Its address is the same for every message. */
static void
read_session(Reader *reader, PhSteps *steps)
{
	char	   *text = text_of(reader, "address", true);
	const char *header = text_of(reader, "header", false);

	if (text != NULL && (text[0] != '/' || text[1] == '/' || strpbrk(text, "{}") != NULL))
		refuse(reader, "address", "it must begin with one slash and have no places; scheme, host and port are those of the endpoint");
	else if (text != NULL)
		steps->session = psprintf("%s%s", reader->origin, text);
	steps->session_header = header == NULL ? "X-CSRF-Token" : header;
	if (strspn(steps->session_header, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") !=
		strlen(steps->session_header))
		refuse(reader, "header", "the name of a header field has letters, digits, - and _");
}

static void
read_steps(Reader *reader, const PhValue *value, PhSteps *steps)
{
	static const char *const of_session[] = {"address", "header", NULL};
	static const char *const of_read[] = {"address", "etag", "require", NULL};
	static const char *const of_lookup[] = {"address", "found", NULL};

	check_names(reader, value);
	if (open_step(reader, value, "session", of_session))
		read_session(reader, steps);
	if (open_step(reader, value, "read", of_read))
	{
		steps->read = address_of(reader);
		steps->etag = expression_of(reader, "etag", false);
		steps->require = expression_of(reader, "require", false);
	}
	if (open_step(reader, value, "lookup", of_lookup))
	{
		steps->lookup = address_of(reader);
		steps->found = expression_of(reader, "found", true);
	}
}

/* So that a credential that is given another secret is read again. */
static int64
credential_changed_at(const char *credential)
{
	static const char *const columns[] = {"code"};
	PhLookup   *lookup = ph_lookup_open("credential", "credential_pkey", 1, columns, &credential);
	int64		changed_at = 0;
	bool		isnull;

	if (ph_lookup_next(lookup))
		changed_at = DatumGetInt64(ph_lookup_datum(lookup, "changed_at", &isnull));
	ph_lookup_close(lookup);
	return changed_at;
}

static uint64
version_of(const char *address, Jsonb *steps, const char *credential)
{
	char	   *text = psprintf("%s\n%s\n%s " INT64_FORMAT, address,
								steps == NULL ? "" : JsonbToCString(NULL, &steps->root, VARSIZE(steps)),
								credential == NULL ? "" : credential,
								credential == NULL ? 0 : credential_changed_at(credential));

	return hash_bytes_extended((const unsigned char *) text, (int) strlen(text), 0);
}

const PhSteps *
ph_steps_compile(const char *address, Jsonb *given, const char *credential)
{
	PhSteps    *steps;
	Reader		reader = {.origin = ph_address_origin(address)};
	bool		has_places = strpbrk(address, "{}") != NULL;
	char	   *error;

	if (given == NULL && credential == NULL && !has_places)
		return NULL;
	steps = palloc0(sizeof(PhSteps));
	steps->credential = credential;
	if (has_places)
	{
		steps->address = ph_address_compile(address, &error);
		if (steps->address == NULL)
			reader.error = psprintf("address: %s", error);
		else if (strpbrk(reader.origin, "{}") != NULL)
			reader.error = psprintf("address: a place can be in the path or behind it only");
	}
	if (given != NULL)
	{
		PhValue		value = ph_value_from_jsonb(given);

		if (ph_value_kind(&value) == PH_KIND_OBJECT)
			read_steps(&reader, &value, steps);
		else
			reader.error = "steps are a JSON object";
	}
	steps->version = version_of(address, given, credential);
	steps->fault = reader.error;
	return steps;
}

bool
ph_steps_have_places(const PhSteps *steps)
{
	return steps->address != NULL || steps->read != NULL || steps->lookup != NULL;
}

static bool
render(const PhAddress *address, const PhValue *document, const char **rendered, char **error)
{
	*rendered = address == NULL ? NULL : ph_address_render(address, document, error);
	return address == NULL || *rendered != NULL;
}

bool
ph_steps_render(const PhSteps *steps, const PhValue *document, PhStepAddresses *addresses, char **error)
{
	return render(steps->address, document, &addresses->address, error) &&
		render(steps->read, document, &addresses->read, error) &&
		render(steps->lookup, document, &addresses->lookup, error);
}
