/*
 * mapped.c
 *	  A message as its target wants it.
 *
 * The active version may be gone, or no longer compile, or call a function that fails: all of that concerns the
 * deliveries of one route, so it runs in a subtransaction and ends in an error text for planthub.held.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "engine/mapped.h"
#include "json/mapping.h"
#include "json/xml.h"
#include "pg/careful.h"

typedef struct Work
{
	const char *reference;
	const PhMappedMessage *message;
	PhMapped   *mapped;
} Work;

static Jsonb *
make_env(const PhMappedMessage *message)
{
	PhValue		env = ph_subject_env(message->subject);
	PhValue		id = ph_value_int(message->message_id);

	ph_object_put(&env, "message_id", &id);
	ph_object_put_text(&env, "source", message->source);
	ph_object_put_text(&env, "id", message->id);
	ph_object_put_text(&env, "time", message->time);
	ph_object_put_text(&env, "received_at", message->recorded_at);
	if (message->endpoint != NULL)
	{
		ph_object_put_text(&env, "system", message->endpoint->system);
		ph_object_put_text(&env, "endpoint", message->endpoint->code);
	}
	ph_object_finish(&env);
	return ph_value_to_jsonb(&env, NULL);
}

static const char *
member_text(const PhValue *object, const char *name)
{
	PhValue		value;

	if (!ph_value_member(object, name, strlen(name), &value) || value.type != PH_VALUE_STRING)
		return NULL;
	return pnstrdup(value.u.string, value.length);
}

/* Whether every error says so, and which entries are missing then. */
static bool
waits_for_data(Jsonb *errors, ArrayType **entries)
{
	PhValue		list = ph_value_from_jsonb(errors);
	PhIterator	iterator;
	PhMember	member;
	ArrayBuildState *build = initArrayResult(TEXTOID, CurrentMemoryContext, false);

	ph_iterate(&iterator, &list);
	while (ph_iterate_next(&iterator, &member))
	{
		const char *retry = member_text(&member.value, "retry");
		const char *set = member_text(&member.value, "set");
		const char *key = member_text(&member.value, "key");

		if (retry == NULL || strcmp(retry, "after-data-fix") != 0)
			return false;
		if (key != NULL)		/* without a set: a unit */
			accumArrayResult(build, CStringGetTextDatum(psprintf("%s/%s", set == NULL ? "" : set, key)), false, TEXTOID,
							 CurrentMemoryContext);
	}
	if (build->nelems > 0)
		*entries = DatumGetArrayTypeP(makeArrayResult(build, CurrentMemoryContext));
	return true;
}

static void
apply(void *arg)
{
	Work	   *work = arg;
	PhMapped   *mapped = work->mapped;
	const PhSubject *subject = work->message->subject;
	const PhMapping *mapping = ph_mapping_get(work->reference, subject->site);
	Jsonb	   *errors = NULL;

	mapped->version = pstrdup(mapping->id);
	mapped->data = ph_mapping_apply(mapping, DatumGetJsonbP(subject->data), make_env(work->message), &errors);
	if (mapped->data == NULL)
	{
		mapped->error = JsonbToCString(NULL, &errors->root, VARSIZE(errors));
		mapped->waits = waits_for_data(errors, &mapped->waits_for);
	}
}

void
ph_mapped_apply(const char *reference, const PhMappedMessage *message, PhMapped *mapped)
{
	Work		work = {reference, message, mapped};

	memset(mapped, 0, sizeof(PhMapped));
	if (!ph_careful(apply, &work, &mapped->error))
		mapped->data = NULL;
}

typedef struct Conversion
{
	Jsonb	   *data;
	Jsonb	   *profile;
	text	   *xml;
} Conversion;

static void
convert(void *arg)
{
	Conversion *conversion = arg;

	conversion->xml = ph_xml_write(conversion->data, conversion->profile);
}

text *
ph_mapped_xml(Jsonb *data, Jsonb *profile, const char **error)
{
	Conversion	conversion = {data, profile, NULL};

	return ph_careful(convert, &conversion, error) ? conversion.xml : NULL;
}
