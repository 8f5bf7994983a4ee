/*
 * schema_children.c
 *	  The keywords of JSON Schema that look into arrays and objects.
 *
 * Members of an object and the names that a schema knows are both sorted the way jsonb sorts them, so one pass over
 * both finds what belongs together and what is missing.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"

#include "json/schema_run.h"

/* ---- walking ---- */

void
ph_walk_start(PhWalk *walk, const PhValue *value)
{
	const JsonbContainer *container = value->u.container;

	walk->container = container;
	walk->object = JsonContainerIsObject(container);
	walk->n = JsonContainerSize(container);
	walk->next = 0;
	walk->base = (const char *) &container->children[walk->object ? 2 * walk->n : walk->n];
	walk->key_offset = 0;
	walk->value_offset = walk->object && walk->n > 0 ? getJsonbOffset(container, walk->n) : 0;
}

static void
walk_value(const char *base, JEntry entry, uint32 offset, uint32 end, PhValue *value)
{
	if (JBE_ISSTRING(entry))
		*value = ph_value_string(base + offset, end - offset);
	else if (JBE_ISNUMERIC(entry))
		*value = ph_value_number((Numeric) (base + INTALIGN(offset)));
	else if (JBE_ISCONTAINER(entry))
	{
		value->type = PH_VALUE_CONTAINER;
		value->length = end - INTALIGN(offset);
		value->u.container = (JsonbContainer *) (base + INTALIGN(offset));
	}
	else if (JBE_ISNULL(entry))
		*value = ph_value_null();
	else
		*value = ph_value_bool(JBE_ISBOOL_TRUE(entry));
}

bool
ph_walk_next(PhWalk *walk, PhMember *member)
{
	uint32		end;
	JEntry		entry;

	if (walk->next == walk->n)
		return false;
	member->key = NULL;
	member->length = 0;
	if (walk->object)
	{
		end = walk->key_offset;
		JBE_ADVANCE_OFFSET(end, walk->container->children[walk->next]);
		member->key = walk->base + walk->key_offset;
		member->length = end - walk->key_offset;
		walk->key_offset = end;
	}
	entry = walk->container->children[walk->object ? walk->n + walk->next : walk->next];
	end = walk->value_offset;
	JBE_ADVANCE_OFFSET(end, entry);
	walk_value(walk->base, entry, walk->value_offset, end, &member->value);
	walk->value_offset = end;
	walk->next++;
	return true;
}

/* ---- arrays ---- */

static bool
check_contains(PhRun *run, const PhFrame *frame, PhEvaluated *evaluated)
{
	const PhArrayRules *rules = frame->s->array;
	PhViolations *violations = run->violations;
	PhWalk		walk;
	PhMember	member;
	int64		found = 0;
	int			i;

	run->violations = NULL;
	ph_walk_start(&walk, frame->value);
	for (i = 0; ph_walk_next(&walk, &member) && !run->exhausted; i++)
	{
		PhPlace		place = {frame->place, NULL, 0, i};

		if (!ph_run_descend(run, frame, rules->contains, "contains", NULL, 0, -1, &member.value, &place))
			continue;
		found++;
		if (rules->marks_contained)
			ph_evaluated_add(evaluated, i);
	}
	run->violations = violations;
	if (found < rules->min_contains)
		return ph_run_fail_count(run, frame, rules->min_contains == 1 ? "contains" : "minContains",
						  "too few items have what is asked for", rules->min_contains, found);
	if (rules->max_contains >= 0 && found > rules->max_contains)
		return ph_run_fail_count(run, frame, "maxContains", "too many items have what is asked for",
								 rules->max_contains, found);
	return true;
}

static bool
check_items(PhRun *run, const PhFrame *frame, PhEvaluated *evaluated)
{
	const PhArrayRules *rules = frame->s->array;
	bool		valid = true;
	PhWalk		walk;
	PhMember	member;
	int			i;

	ph_walk_start(&walk, frame->value);
	for (i = 0; ph_walk_next(&walk, &member); i++)
	{
		PhPlace		place = {frame->place, NULL, 0, i};

		if (i < rules->nprefix)
			valid &= ph_run_descend(run, frame, rules->prefix[i], rules->prefix_keyword, NULL, 0, i, &member.value,
									&place);
		else if (rules->rest != NULL)
			valid &= ph_run_descend(run, frame, rules->rest, rules->rest_keyword, NULL, 0, -1, &member.value, &place);
		else
			break;
		ph_evaluated_add(evaluated, i);
		if (!valid && !ph_run_collects(run))
			return false;
	}
	return valid;
}

bool
ph_check_array(PhRun *run, const PhFrame *frame, PhEvaluated *evaluated)
{
	const PhArrayRules *rules = frame->s->array;
	int			n = ph_value_count(frame->value);
	bool		valid = true;

	if (n < rules->min)
		valid = ph_run_fail_count(run, frame, "minItems", "array has too few items", rules->min, n);
	if (rules->max >= 0 && n > rules->max)
		valid = ph_run_fail_count(run, frame, "maxItems", "array has too many items", rules->max, n);
	if (!valid && run->violations == NULL)
		return false;
	if (rules->nprefix > 0 || rules->rest != NULL)
		valid &= check_items(run, frame, evaluated);
	if (rules->contains != NULL && !run->exhausted)
		valid &= check_contains(run, frame, evaluated);
	if (rules->unique && n > 1 && !run->exhausted)
		valid &= ph_check_unique(run, frame, n);
	return valid;
}

/* ---- objects ---- */

static bool
fail_missing(PhRun *run, const PhFrame *frame, const char *keyword, const char *below, int below_length,
			 const char *key, int length)
{
	PhFinding	finding = {keyword, below, below_length};
	PhValue		name;

	if (!ph_run_collects(run))
		return false;
	name = ph_value_string(key, length);
	finding.message = psprintf("member \"%.*s\" is missing", pg_mbcharcliplen(key, length, 100), key);
	finding.expected = &name;
	return ph_run_fail(run, frame, &finding);
}

static bool
check_dependents(PhRun *run, const PhFrame *frame, PhEvaluated *evaluated)
{
	const PhObjectRules *rules = frame->s->object;
	bool		valid = true;
	PhValue		value;
	int			i;
	int			k;

	for (i = 0; i < rules->ndependents; i++)
	{
		const PhDependent *dependent = &rules->dependents[i];

		if (!ph_value_member(frame->value, dependent->key, dependent->length, &value))
			continue;
		for (k = 0; k < dependent->nrequired; k++)
		{
			const PhValue *name = &dependent->required[k];

			if (!ph_value_member(frame->value, name->u.string, name->length, &value))
				valid = fail_missing(run, frame, dependent->keyword, dependent->key, dependent->length,
									 name->u.string, name->length);
		}
		if (dependent->schema != NULL)
		{
			PhFrame		inner = {frame, dependent->schema, dependent->keyword, dependent->key, dependent->length, -1,
			frame->depth + 1, frame->value, frame->place};

			valid &= ph_run_evaluate(run, &inner, evaluated);
		}
	}
	return valid;
}

static bool
check_property_name(PhRun *run, const PhFrame *frame, const PhMember *member)
{
	PhValue		name = ph_value_string(member->key, member->length);

	return ph_run_descend(run, frame, frame->s->object->property_names, "propertyNames", NULL, 0, -1, &name,
						  frame->place);
}

/* All that is said about one member; known: its entry among the names, or NULL. */
static bool
check_member(PhRun *run, const PhFrame *frame, const PhMember *member, const PhName *known, int i,
			 PhEvaluated *evaluated)
{
	const PhObjectRules *rules = frame->s->object;
	PhPlace		place = {frame->place, member->key, member->length, 0};
	bool		matched = known != NULL && known->schema != NULL;
	bool		valid = true;
	int			k;

	if (matched)
		valid &= ph_run_descend(run, frame, known->schema, "properties", member->key, member->length, -1,
								&member->value, &place);
	for (k = 0; k < rules->npatterns; k++)
	{
		const PhPatternRule *rule = &rules->patterns[k];

		if (!ph_run_matches(run, rule->regex, member->key, member->length))
			continue;
		matched = true;
		valid &= ph_run_descend(run, frame, rule->schema, "patternProperties", rule->source, rule->length, -1,
								&member->value, &place);
	}
	if (!matched && rules->additional != NULL)
	{
		matched = true;
		valid &= ph_run_descend(run, frame, rules->additional, "additionalProperties", NULL, 0, -1, &member->value,
								&place);
	}
	if (matched)
		ph_evaluated_add(evaluated, i);
	if (rules->property_names != NULL)
		valid &= check_property_name(run, frame, member);
	return valid;
}

/* <0: the name comes before the key in jsonb */
static int
compare_name(const PhName *name, const PhMember *member)
{
	if (name->length != member->length)
		return name->length - member->length;
	return memcmp(name->key, member->key, name->length);
}

static bool
check_members(PhRun *run, const PhFrame *frame, PhEvaluated *evaluated)
{
	const PhObjectRules *rules = frame->s->object;
	const PhName *name = rules->names;
	const PhName *end = rules->names + rules->nnames;
	bool		valid = true;
	PhWalk		walk;
	PhMember	member;
	int			i;

	ph_walk_start(&walk, frame->value);
	for (i = 0; ph_walk_next(&walk, &member); i++)
	{
		int			order = 1;

		while (name < end && (order = compare_name(name, &member)) < 0)
		{
			if (name->required)
				valid = fail_missing(run, frame, "required", NULL, 0, name->key, name->length);
			name++;
		}
		if (!valid && !ph_run_collects(run))
			return false;
		valid &= check_member(run, frame, &member, name < end && order == 0 ? name : NULL, i, evaluated);
		if (name < end && order == 0)
			name++;
		if (!valid && !ph_run_collects(run))
			return false;
	}
	for (; name < end; name++)
	{
		if (name->required)
			valid = fail_missing(run, frame, "required", NULL, 0, name->key, name->length);
	}
	return valid;
}

bool
ph_check_object(PhRun *run, const PhFrame *frame, PhEvaluated *evaluated)
{
	const PhObjectRules *rules = frame->s->object;
	int			n = ph_value_count(frame->value);
	bool		valid = true;

	if (n < rules->min)
		valid = ph_run_fail_count(run, frame, "minProperties", "object has too few members", rules->min, n);
	if (rules->max >= 0 && n > rules->max)
		valid = ph_run_fail_count(run, frame, "maxProperties", "object has too many members", rules->max, n);
	if (!valid && run->violations == NULL)
		return false;
	valid &= check_members(run, frame, evaluated);
	if (rules->ndependents > 0 && !run->exhausted)
		valid &= check_dependents(run, frame, evaluated);
	return valid;
}
