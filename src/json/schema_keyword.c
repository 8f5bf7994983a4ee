/*
 * schema_keyword.c
 *	  What each keyword of JSON Schema contributes to the rules of its subschema.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "json/schema_compile.h"

/* ---- what keywords have in common ---- */

static void
expect(PhSite *site, PhKind kind)
{
	if (ph_value_kind(site->value) != kind)
		ph_schema_refuse(site->resource, site->pointer, "\"%s\" must be %s %s, but is %s", site->keyword,
						 kind == PH_KIND_ARRAY || kind == PH_KIND_OBJECT ? "an" : "a", ph_kind_name(kind),
						 ph_kind_name(ph_value_kind(site->value)));
}

static PhInPlace *
in_place(PhSite *site)
{
	if (site->s->in_place == NULL)
		site->s->in_place = palloc0(sizeof(PhInPlace));
	return site->s->in_place;
}

static PhObjectRules *
object_rules(PhSite *site)
{
	if (site->s->object == NULL)
	{
		site->s->object = palloc0(sizeof(PhObjectRules));
		site->s->object->min = site->s->object->max = -1;
	}
	return site->s->object;
}

static PhArrayRules *
array_rules(PhSite *site)
{
	if (site->s->array == NULL)
	{
		site->s->array = palloc0(sizeof(PhArrayRules));
		site->s->array->min = site->s->array->max = site->s->array->max_contains = -1;
		site->s->array->min_contains = 1;
		site->s->array->rest_keyword = "items";
		site->s->array->marks_contained = !site->resource->dialect.draft07;
	}
	return site->s->array;
}

static PhNumberRules *
number_rules(PhSite *site)
{
	if (site->s->number == NULL)
		site->s->number = palloc0(sizeof(PhNumberRules));
	return site->s->number;
}

static PhStringRules *
string_rules(PhSite *site)
{
	if (site->s->string == NULL)
	{
		site->s->string = palloc0(sizeof(PhStringRules));
		site->s->string->min = site->s->string->max = -1;
	}
	return site->s->string;
}

static const PhSubschema *
subschema(PhSite *site)
{
	return ph_subschema_compile(site->c, site->resource, site->value, site->pointer);
}

/* A whole number from 0; more than anything has counts as the largest. */
static int64
count_value(PhSite *site)
{
	Datum		number;
	Datum		limit = NumericGetDatum(int64_to_numeric(PG_INT64_MAX));

	expect(site, PH_KIND_NUMBER);
	number = NumericGetDatum(site->value->u.number);
	if (ph_numeric_sign(site->value->u.number) < 0)
		ph_schema_refuse(site->resource, site->pointer, "\"%s\" must not be negative", site->keyword);
	if (!DatumGetBool(
			DirectFunctionCall2(numeric_eq, number, DirectFunctionCall2(numeric_trunc, number, Int32GetDatum(0)))))
		ph_schema_refuse(site->resource, site->pointer, "\"%s\" must be a whole number", site->keyword);
	if (DatumGetBool(DirectFunctionCall2(numeric_gt, number, limit)))
		return PG_INT64_MAX;
	return DatumGetInt64(DirectFunctionCall1(numeric_int8, number));
}

static PhRegex *
regex(PhSite *site, const char *pattern, int length, const char *pointer)
{
	const char *reason;
	PhRegex    *result = ph_regex_compile(pattern, length, &reason);

	if (result == NULL)
		ph_schema_refuse(site->resource, pointer, "the pattern \"%.*s\" cannot be used: %s",
						 pg_mbcliplen(pattern, length, 200), pattern, reason);
	return result;
}

/* ---- keywords: assertions ---- */

static int
type_bit(PhSite *site, const PhValue *name)
{
	static const PhKind kinds[] = {PH_KIND_NULL,   PH_KIND_BOOLEAN, PH_KIND_NUMBER,
								   PH_KIND_STRING, PH_KIND_ARRAY,   PH_KIND_OBJECT};
	char	   *text = ph_value_kind(name) == PH_KIND_STRING ? ph_value_cstring(name) : pstrdup("");
	int			i;

	if (strcmp(text, "integer") == 0)
		return PH_TYPE_INTEGER;
	for (i = 0; i < lengthof(kinds); i++)
	{
		if (strcmp(text, ph_kind_name(kinds[i])) == 0)
			return PH_TYPE(kinds[i]);
	}
	ph_schema_refuse(site->resource, site->pointer, "\"%s\" is not a type", text);
}

static void
compile_type(PhSite *site)
{
	PhIterator	iterator;
	PhMember	member;

	if (ph_value_kind(site->value) != PH_KIND_ARRAY)
	{
		site->s->types = type_bit(site, site->value);
		return;
	}
	ph_iterate(&iterator, site->value);
	while (ph_iterate_next(&iterator, &member))
		site->s->types |= type_bit(site, &member.value);
	if (site->s->types == 0)
		ph_schema_refuse(site->resource, site->pointer, "\"type\" must name at least one type");
}

static void
compile_const(PhSite *site)
{
	site->s->has_const = true;
	site->s->constant = *site->value;
}

static void
compile_enum(PhSite *site)
{
	PhIterator	iterator;
	PhMember	member;

	expect(site, PH_KIND_ARRAY);
	site->s->nenum = 0;
	site->s->enum_value = *site->value;
	site->s->enumeration = palloc(Max(1, ph_value_count(site->value)) * sizeof(PhValue));
	ph_iterate(&iterator, site->value);
	while (ph_iterate_next(&iterator, &member))
		site->s->enumeration[site->s->nenum++] = member.value;
}

static void
compile_number(PhSite *site)
{
	PhNumberRules *rules = number_rules(site);
	Numeric		number;

	expect(site, PH_KIND_NUMBER);
	number = site->value->u.number;
	if (strcmp(site->keyword, "minimum") == 0)
		rules->minimum = number;
	else if (strcmp(site->keyword, "maximum") == 0)
		rules->maximum = number;
	else if (strcmp(site->keyword, "exclusiveMinimum") == 0)
		rules->exclusive_minimum = number;
	else
		rules->exclusive_maximum = number;
}

static void
compile_multiple_of(PhSite *site)
{
	expect(site, PH_KIND_NUMBER);
	number_rules(site)->multiple_of = site->value->u.number;
	if (ph_numeric_sign(site->value->u.number) <= 0)
		ph_schema_refuse(site->resource, site->pointer, "\"multipleOf\" must be greater than 0");
}

static void
compile_min_length(PhSite *site)
{
	string_rules(site)->min = count_value(site);
}

static void
compile_max_length(PhSite *site)
{
	string_rules(site)->max = count_value(site);
}

static void
compile_pattern(PhSite *site)
{
	PhStringRules *rules = string_rules(site);

	expect(site, PH_KIND_STRING);
	rules->pattern = site->value->u.string;
	rules->pattern_length = site->value->length;
	rules->regex = regex(site, rules->pattern, rules->pattern_length, site->pointer);
}

static void
compile_format(PhSite *site)
{
	PhFormat	format;

	expect(site, PH_KIND_STRING);
	if (!site->c->assert_format && !site->resource->dialect.format_assertion)
		return;
	format = ph_format_find(site->value->u.string, site->value->length);
	if (format == PH_FORMAT_NONE)
		return;
	string_rules(site)->format = format;
	string_rules(site)->format_name = ph_value_cstring(site->value);
}

static void
compile_min_items(PhSite *site)
{
	array_rules(site)->min = count_value(site);
}

static void
compile_max_items(PhSite *site)
{
	array_rules(site)->max = count_value(site);
}

static void
compile_unique_items(PhSite *site)
{
	expect(site, PH_KIND_BOOLEAN);
	array_rules(site)->unique = site->value->u.boolean;
}

static void
compile_min_properties(PhSite *site)
{
	object_rules(site)->min = count_value(site);
}

static void
compile_max_properties(PhSite *site)
{
	object_rules(site)->max = count_value(site);
}

/* ---- keywords: members and items ---- */

/* "properties" and "required" share a list, sorted when the subschema is complete. */
static PhName *
add_name(PhObjectRules *rules, const char *key, int length)
{
	int			i;

	for (i = 0; i < rules->nnames; i++)
	{
		if (rules->names[i].length == length && memcmp(rules->names[i].key, key, length) == 0)
			return &rules->names[i];
	}
	rules->names = rules->names == NULL ? palloc(sizeof(PhName)) :
		repalloc(rules->names, (rules->nnames + 1) * sizeof(PhName));
	memset(&rules->names[rules->nnames], 0, sizeof(PhName));
	rules->names[rules->nnames].key = key;
	rules->names[rules->nnames].length = length;
	return &rules->names[rules->nnames++];
}

static void
expect_names(PhSite *site, const PhValue *names, const char *pointer)
{
	PhIterator	iterator;
	PhMember	member;
	int64		i = 0;

	if (ph_value_kind(names) != PH_KIND_ARRAY)
		ph_schema_refuse(site->resource, pointer, "an array of member names is expected");
	ph_iterate(&iterator, names);
	for (; ph_iterate_next(&iterator, &member); i++)
	{
		if (ph_value_kind(&member.value) != PH_KIND_STRING)
			ph_schema_refuse(site->resource, ph_pointer_index(pointer, i), "a member name is expected");
	}
}

static void
compile_required(PhSite *site)
{
	PhIterator	iterator;
	PhMember	member;

	expect_names(site, site->value, site->pointer);
	ph_iterate(&iterator, site->value);
	while (ph_iterate_next(&iterator, &member))
		add_name(object_rules(site), member.value.u.string, member.value.length)->required = true;
}

static void
compile_properties(PhSite *site)
{
	PhIterator	iterator;
	PhMember	member;

	expect(site, PH_KIND_OBJECT);
	ph_iterate(&iterator, site->value);
	while (ph_iterate_next(&iterator, &member))
	{
		const PhSubschema *below = ph_subschema_compile(site->c, site->resource, &member.value,
										   ph_pointer_append(site->pointer, member.key, member.length));

		add_name(object_rules(site), member.key, member.length)->schema = below;
	}
}

static void
compile_pattern_properties(PhSite *site)
{
	PhObjectRules *rules = object_rules(site);
	PhIterator	iterator;
	PhMember	member;

	expect(site, PH_KIND_OBJECT);
	rules->patterns = palloc(Max(1, ph_value_count(site->value)) * sizeof(PhPatternRule));
	ph_iterate(&iterator, site->value);
	while (ph_iterate_next(&iterator, &member))
	{
		char	   *pointer = ph_pointer_append(site->pointer, member.key, member.length);
		PhPatternRule *rule = &rules->patterns[rules->npatterns];

		rule->source = member.key;
		rule->length = member.length;
		rule->regex = regex(site, member.key, member.length, pointer);
		rule->schema = ph_subschema_compile(site->c, site->resource, &member.value, pointer);
		rules->npatterns++;
	}
}

static void
compile_additional_properties(PhSite *site)
{
	object_rules(site)->additional = subschema(site);
}

static void
compile_property_names(PhSite *site)
{
	object_rules(site)->property_names = subschema(site);
}

/* dependentRequired, dependentSchemas, and draft-07's dependencies, which is either. */
static void
compile_dependent(PhSite *site)
{
	PhObjectRules *rules = object_rules(site);
	PhIterator	iterator;
	PhMember	member;
	bool		names = strcmp(site->keyword, "dependentRequired") == 0;
	bool		schemas = strcmp(site->keyword, "dependentSchemas") == 0;
	int			n;

	expect(site, PH_KIND_OBJECT);
	n = rules->ndependents + Max(1, ph_value_count(site->value));
	rules->dependents = rules->dependents == NULL ? palloc(n * sizeof(PhDependent)) :
		repalloc(rules->dependents, n * sizeof(PhDependent));
	ph_iterate(&iterator, site->value);
	while (ph_iterate_next(&iterator, &member))
	{
		char	   *pointer = ph_pointer_append(site->pointer, member.key, member.length);
		PhDependent dependent = {member.key, member.length, site->keyword};

		if (names || (!schemas && ph_value_kind(&member.value) == PH_KIND_ARRAY))
		{
			PhIterator	inner;
			PhMember	name;

			expect_names(site, &member.value, pointer);
			dependent.required = palloc(Max(1, ph_value_count(&member.value)) * sizeof(PhValue));
			ph_iterate(&inner, &member.value);
			while (ph_iterate_next(&inner, &name))
				dependent.required[dependent.nrequired++] = name.value;
		}
		else
			dependent.schema = ph_subschema_compile(site->c, site->resource, &member.value, pointer);
		rules->dependents[rules->ndependents++] = dependent;
	}
}

static const PhSubschema **
schema_array(PhSite *site, int *n)
{
	const PhSubschema **schemas;
	PhIterator	iterator;
	PhMember	member;

	expect(site, PH_KIND_ARRAY);
	schemas = palloc(Max(1, ph_value_count(site->value)) * sizeof(PhSubschema *));
	ph_iterate(&iterator, site->value);
	for (*n = 0; ph_iterate_next(&iterator, &member); (*n)++)
		schemas[*n] =
			ph_subschema_compile(site->c, site->resource, &member.value, ph_pointer_index(site->pointer, *n));
	return schemas;
}

static void
compile_prefix_items(PhSite *site)
{
	PhArrayRules *rules = array_rules(site);

	rules->prefix = schema_array(site, &rules->nprefix);
	rules->prefix_keyword = site->keyword;
}

static void
compile_items(PhSite *site)
{
	if (site->resource->dialect.draft07 && ph_value_kind(site->value) == PH_KIND_ARRAY)
		compile_prefix_items(site);
	else
		array_rules(site)->rest = subschema(site);
}

/* Means something only beside an array of "items". */
static void
compile_additional_items(PhSite *site)
{
	PhValue		items;
	PhArrayRules *rules;

	if (!ph_value_member(site->schema, "items", 5, &items) || ph_value_kind(&items) != PH_KIND_ARRAY)
		return;
	rules = array_rules(site);
	rules->rest = subschema(site);
	rules->rest_keyword = site->keyword;
}

static void
compile_contains(PhSite *site)
{
	array_rules(site)->contains = subschema(site);
}

static void
compile_min_contains(PhSite *site)
{
	array_rules(site)->min_contains = count_value(site);
}

static void
compile_max_contains(PhSite *site)
{
	array_rules(site)->max_contains = count_value(site);
}

/* ---- keywords: the same place ---- */

static void
compile_branches(PhSite *site)
{
	PhInPlace  *rules = in_place(site);
	PhBranches *branches = strcmp(site->keyword, "allOf") == 0 ? &rules->all_of :
		strcmp(site->keyword, "anyOf") == 0 ? &rules->any_of : &rules->one_of;

	branches->schemas = schema_array(site, &branches->n);
	if (branches->n == 0)
		ph_schema_refuse(site->resource, site->pointer, "\"%s\" must not be empty", site->keyword);
}

static void
compile_not(PhSite *site)
{
	in_place(site)->not = subschema(site);
}

static void
compile_if(PhSite *site)
{
	in_place(site)->condition = subschema(site);
}

static void
compile_then(PhSite *site)
{
	in_place(site)->then = subschema(site);
}

static void
compile_else(PhSite *site)
{
	in_place(site)->otherwise = subschema(site);
}

static void
compile_unevaluated_items(PhSite *site)
{
	in_place(site)->unevaluated_items = subschema(site);
}

static void
compile_unevaluated_properties(PhSite *site)
{
	in_place(site)->unevaluated_properties = subschema(site);
}

static const PhSubschema *
compile_target(PhSite *site, PhLocation *location)
{
	expect(site, PH_KIND_STRING);
	*location =
		ph_documents_resolve(&site->c->documents, site->resource, site->pointer, ph_value_cstring(site->value));
	return ph_subschema_compile(site->c, location->resource, &location->schema, location->pointer);
}

static void
compile_ref(PhSite *site)
{
	PhLocation	location;

	in_place(site)->ref = compile_target(site, &location);
}

/* 2020-12, 8.2.3.2: dynamic only when the reference leads to a dynamic anchor to begin with. */
static void
compile_dynamic_ref(PhSite *site)
{
	PhLocation	location;
	PhCompilation *c = site->c;
	int			i;

	in_place(site)->dynamic_ref = compile_target(site, &location);
	if (location.anchor == NULL || ph_resource_anchor(location.resource, location.anchor->name, true) == NULL)
		return;
	in_place(site)->dynamic_name = location.anchor->name;
	for (i = 0; i < c->ndynamic; i++)
	{
		if (strcmp(c->dynamic[i], location.anchor->name) == 0)
			return;
	}
	c->dynamic =
		c->dynamic == NULL ? palloc(sizeof(char *)) : repalloc(c->dynamic, (c->ndynamic + 1) * sizeof(char *));
	c->dynamic[c->ndynamic++] = location.anchor->name;
}

static void
compile_pii(PhSite *site)
{
	site->s->pii = ph_value_true(site->value);
	site->c->schema->has_pii |= site->s->pii;
}

/* Sorted by name.  "$defs", "definitions" and annotations assert nothing. */
static const PhKeyword keywords[] = {
	{"$dynamicRef", compile_dynamic_ref, PH_VOCABULARY_CORE, false, true},
	{"$ref", compile_ref, PH_VOCABULARY_CORE, true, true},
	{"additionalItems", compile_additional_items, PH_VOCABULARY_APPLICATOR, true, false},
	{"additionalProperties", compile_additional_properties, PH_VOCABULARY_APPLICATOR, true, true},
	{"allOf", compile_branches, PH_VOCABULARY_APPLICATOR, true, true},
	{"anyOf", compile_branches, PH_VOCABULARY_APPLICATOR, true, true},
	{"const", compile_const, PH_VOCABULARY_VALIDATION, true, true},
	{"contains", compile_contains, PH_VOCABULARY_APPLICATOR, true, true},
	{"dependencies", compile_dependent, PH_VOCABULARY_APPLICATOR, true, false},
	{"dependentRequired", compile_dependent, PH_VOCABULARY_VALIDATION, false, true},
	{"dependentSchemas", compile_dependent, PH_VOCABULARY_APPLICATOR, false, true},
	{"else", compile_else, PH_VOCABULARY_APPLICATOR, true, true},
	{"enum", compile_enum, PH_VOCABULARY_VALIDATION, true, true},
	{"exclusiveMaximum", compile_number, PH_VOCABULARY_VALIDATION, true, true},
	{"exclusiveMinimum", compile_number, PH_VOCABULARY_VALIDATION, true, true},
	{"format", compile_format, PH_VOCABULARY_CORE, true, true},
	{"hub:pii", compile_pii, PH_VOCABULARY_CORE, true, true},
	{"if", compile_if, PH_VOCABULARY_APPLICATOR, true, true},
	{"items", compile_items, PH_VOCABULARY_APPLICATOR, true, true},
	{"maxContains", compile_max_contains, PH_VOCABULARY_VALIDATION, false, true},
	{"maxItems", compile_max_items, PH_VOCABULARY_VALIDATION, true, true},
	{"maxLength", compile_max_length, PH_VOCABULARY_VALIDATION, true, true},
	{"maxProperties", compile_max_properties, PH_VOCABULARY_VALIDATION, true, true},
	{"maximum", compile_number, PH_VOCABULARY_VALIDATION, true, true},
	{"minContains", compile_min_contains, PH_VOCABULARY_VALIDATION, false, true},
	{"minItems", compile_min_items, PH_VOCABULARY_VALIDATION, true, true},
	{"minLength", compile_min_length, PH_VOCABULARY_VALIDATION, true, true},
	{"minProperties", compile_min_properties, PH_VOCABULARY_VALIDATION, true, true},
	{"minimum", compile_number, PH_VOCABULARY_VALIDATION, true, true},
	{"multipleOf", compile_multiple_of, PH_VOCABULARY_VALIDATION, true, true},
	{"not", compile_not, PH_VOCABULARY_APPLICATOR, true, true},
	{"oneOf", compile_branches, PH_VOCABULARY_APPLICATOR, true, true},
	{"pattern", compile_pattern, PH_VOCABULARY_VALIDATION, true, true},
	{"patternProperties", compile_pattern_properties, PH_VOCABULARY_APPLICATOR, true, true},
	{"prefixItems", compile_prefix_items, PH_VOCABULARY_APPLICATOR, false, true},
	{"properties", compile_properties, PH_VOCABULARY_APPLICATOR, true, true},
	{"propertyNames", compile_property_names, PH_VOCABULARY_APPLICATOR, true, true},
	{"required", compile_required, PH_VOCABULARY_VALIDATION, true, true},
	{"then", compile_then, PH_VOCABULARY_APPLICATOR, true, true},
	{"type", compile_type, PH_VOCABULARY_VALIDATION, true, true},
	{"unevaluatedItems", compile_unevaluated_items, PH_VOCABULARY_UNEVALUATED, false, true},
	{"unevaluatedProperties", compile_unevaluated_properties, PH_VOCABULARY_UNEVALUATED, false, true},
	{"uniqueItems", compile_unique_items, PH_VOCABULARY_VALIDATION, true, true}
};

const PhKeyword *
ph_keyword_find(const char *name, int length, const PhDialect *dialect)
{
	int			low = 0;
	int			high = lengthof(keywords);

	while (low < high)
	{
		int			middle = (low + high) / 2;
		const PhKeyword *keyword = &keywords[middle];
		int			order = strncmp(name, keyword->name, length);

		if (order == 0 && keyword->name[length] != '\0')
			order = -1;
		if (order < 0)
			high = middle;
		else if (order > 0)
			low = middle + 1;
		else if (!(dialect->draft07 ? keyword->draft07 : keyword->draft2020) ||
				 (keyword->vocabulary == PH_VOCABULARY_APPLICATOR && !dialect->applicator) ||
				 (keyword->vocabulary == PH_VOCABULARY_VALIDATION && !dialect->validation) ||
				 (keyword->vocabulary == PH_VOCABULARY_UNEVALUATED && !dialect->unevaluated))
			return NULL;
		else
			return keyword;
	}
	return NULL;
}
