/*
 * condition.c
 *	  Conditions of routes.
 *
 * A route whose condition cannot be evaluated for a message is neither taken nor passed over: publish() makes the
 * delivery with not_before = infinity, and the worker parks it with the error.  So nobody's transaction fails because of
 * somebody else's route, and nothing is lost.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "engine/condition.h"

#define CONDITION_VISITS	100000

static const char *const members[] = {
	"topic", "site", "key", "subject", "source", "event_id", "correlation_id", "attributes"
};

/* These look into tables: too slow, and the answer would change with the time. */
static const char *const refused[] = {"xref", "xref_back", "unit"};

static bool
refuse(PhError *error, const PhUse *use, const char *code, const char *message)
{
	error->code = code;
	error->message = message;
	error->column = use->column;
	return false;
}

static bool
is_one_of(const char *name, size_t length, const char *const *names, int n)
{
	int			i;

	for (i = 0; i < n; i++)
	{
		if (strlen(names[i]) == length && memcmp(names[i], name, length) == 0)
			return true;
	}
	return false;
}

/* "$env.key" is good, "$env.kye.x" is not. */
static bool
check_field(const PhUse *use, PhError *error)
{
	const char *name = use->name + strlen("$env.");

	if (strncmp(use->name, "$env.", strlen("$env.")) != 0)
		return true;
	if (is_one_of(name, strcspn(name, ".["), members, lengthof(members)))
		return true;
	error->hint = "It has topic, site, key, subject, source, event_id, correlation_id and attributes.";
	return refuse(error, use, PH_CODE_UNDEFINED_VARIABLE,
				  psprintf("\"$env\" has no member \"%.*s\"", (int) strcspn(name, ".["), name));
}

static bool
check_use(const PhUse *use, PhError *error)
{
	switch (use->kind)
	{
		case PH_USE_FIELD:
			return check_field(use, error);
		case PH_USE_VARIABLE:
			if (strcmp(use->name, "env") == 0)
				return true;
			return refuse(error, use, PH_CODE_UNDEFINED_VARIABLE, psprintf("variable \"$%s\" is not defined", use->name));
		case PH_USE_FUNCTION:
			if (!is_one_of(use->name, strlen(use->name), refused, lengthof(refused)))
				return true;
			return refuse(error, use, PH_CODE_UNKNOWN_FUNCTION,
						  psprintf("%s() is not available in conditions", use->name));
		case PH_USE_XREF:
			break;				/* the function has been refused */
	}
	return true;
}

const PhExpression *
ph_condition_compile(const char *text, PhError *error)
{
	const PhExpression *condition = ph_jmespath_compile(text, strlen(text), error);
	const PhUse *use;

	if (condition == NULL)
		return NULL;
	for (use = ph_jmespath_uses(condition); use != NULL; use = use->next)
	{
		if (!check_use(use, error))
			return NULL;
	}
	return condition;
}

static void
put_text(PhValue *object, const char *name, text *value)
{
	PhValue		string = value == NULL ? ph_value_null() :
		ph_value_string(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));

	ph_object_put(object, name, &string);
}

PhValue
ph_subject_env(const PhSubject *subject)
{
	PhValue		env = ph_object_new(lengthof(members));
	PhValue		topic = ph_value_text(subject->topic);
	PhValue		site = ph_value_text(subject->site);
	PhValue		attributes = ph_value_null();

	if (subject->attributes != 0)
		attributes = ph_value_from_jsonb(DatumGetJsonbP(subject->attributes));
	ph_object_put(&env, "topic", &topic);
	ph_object_put(&env, "site", &site);
	put_text(&env, "key", subject->key);
	put_text(&env, "subject", subject->subject);
	put_text(&env, "source", subject->source);
	put_text(&env, "event_id", subject->event_id);
	put_text(&env, "correlation_id", subject->correlation_id);
	ph_object_put(&env, "attributes", &attributes);
	return env;
}

void
ph_condition_prepare(const PhSubject *subject, PhConditionInput *input)
{
	PhValue		env = ph_subject_env(subject);

	ph_object_finish(&env);
	input->data = ph_value_from_jsonb(DatumGetJsonbP(subject->data));
	input->env.name = "env";
	input->env.length = strlen("env");
	input->env.value = env;
	input->env.outer = NULL;
}

bool
ph_condition_evaluate(const PhExpression *condition, const PhConditionInput *input, PhValue *value, PhError *error)
{
	PhEvaluation evaluation = {.root = input->data,.variables = &input->env,.visits = CONDITION_VISITS};

	if (ph_jmespath_evaluate(condition, &evaluation, &input->data, value))
		return true;
	*error = evaluation.error;
	return false;
}

char *
ph_condition_error_text(const PhError *error)
{
	return psprintf("condition, column %d: %s (%s)", error->column, error->message, error->code);
}
