/*
 * schema_compile.c
 *	  From a JSON Schema to a graph of rules.
 *
 * A subschema is compiled once, wherever it is referred to from; it is known before its keywords are compiled, so
 * that it may refer to itself.  What would apply to one place of an instance without end is refused.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "json/schema_compile.h"

#define SUBSCHEMA_LIMIT	100000

typedef struct KnownEntry
{
	JsonbContainer *container;
	PhSubschema *subschema;
} KnownEntry;

/* ---- subschemas ---- */

/* As jsonb orders the members of an object. */
static int
compare_names(const void *a, const void *b)
{
	const PhName *left = a;
	const PhName *right = b;

	if (left->length != right->length)
		return left->length < right->length ? -1 : 1;
	return memcmp(left->key, right->key, left->length);
}

static void
compile_keywords(PhSite *site)
{
	const PhDialect *dialect = &site->resource->dialect;
	const char *own_pointer = site->s->pointer;
	PhValue		reference;
	PhIterator	iterator;
	PhMember	member;

	/* In draft-07 a reference hides what stands beside it. */
	bool		only_ref = dialect->draft07 && ph_value_member(site->schema, "$ref", 4, &reference);

	ph_iterate(&iterator, site->schema);
	while (ph_iterate_next(&iterator, &member))
	{
		const PhKeyword *keyword = ph_keyword_find(member.key, member.length, dialect);

		if (keyword == NULL || (only_ref && strcmp(keyword->name, "$ref") != 0))
			continue;
		site->keyword = keyword->name;
		site->value = &member.value;
		site->pointer = ph_pointer_append(own_pointer, member.key, member.length);
		keyword->compile(site);
	}
	if (site->s->object != NULL && site->s->object->nnames > 0)
		qsort(site->s->object->names, site->s->object->nnames, sizeof(PhName), compare_names);
}

static PhSubschema *
new_subschema(PhCompilation *c, PhVerdict verdict, PhResource *resource, const char *pointer)
{
	PhSubschema *s = palloc0(sizeof(PhSubschema));

	if (++c->nsubschemas > SUBSCHEMA_LIMIT)
		ph_schema_refuse(resource, pointer, "it has more than %d subschemas", SUBSCHEMA_LIMIT);
	s->verdict = verdict;
	s->resource = resource;
	s->pointer = pointer;
	s->nenum = -1;
	return s;
}

const PhSubschema *
ph_subschema_compile(PhCompilation *c, PhResource *resource, const PhValue *schema, const char *pointer)
{
	PhResource *own;
	KnownEntry *entry;
	PhSite		site = {c};
	bool		found;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (ph_value_kind(schema) == PH_KIND_BOOLEAN)
		return new_subschema(c, schema->u.boolean ? PH_VERDICT_TRUE : PH_VERDICT_FALSE, resource, pointer);
	if (ph_value_kind(schema) != PH_KIND_OBJECT)
		ph_schema_refuse(resource, pointer, "a schema is an object or a boolean, not a value of type %s",
						 ph_kind_name(ph_value_kind(schema)));
	entry = hash_search(c->known, &schema->u.container, HASH_ENTER, &found);
	if (found)
		return entry->subschema;
	own = ph_documents_root(&c->documents, schema);
	if (own != NULL)
	{
		resource = own;
		pointer = "";
	}
	resource->used = true;
	entry->subschema = site.s = new_subschema(c, PH_VERDICT_RULES, resource, pointer);
	if (c->nrules == c->allocated)
	{
		c->allocated = Max(64, c->allocated * 2);
		c->rules = c->rules == NULL ? palloc(c->allocated * sizeof(PhSubschema *)) :
			repalloc(c->rules, c->allocated * sizeof(PhSubschema *));
	}
	c->rules[c->nrules++] = site.s;
	site.resource = resource;
	site.schema = schema;
	compile_keywords(&site);
	return site.s;
}

/* ---- the whole ---- */

/* Targets that dynamic references may choose; compiling one may bring more resources and more references. */
static void
compile_dynamic_anchors(PhCompilation *c)
{
	bool		more = true;
	int			i;
	int			k;
	int			d;

	while (more)
	{
		more = false;
		for (i = 0; i < c->documents.nresources; i++)
		{
			PhResource *resource = c->documents.resources[i];

			for (k = 0; resource->used && k < c->ndynamic; k++)
			{
				const PhAnchor *anchor = ph_resource_anchor(resource, c->dynamic[k], true);

				for (d = 0; d < resource->ndynamic && strcmp(resource->dynamics[d].name, c->dynamic[k]) != 0; d++)
					;
				if (anchor == NULL || d < resource->ndynamic)
					continue;
				resource->dynamics = resource->dynamics == NULL ? palloc(sizeof(PhDynamic)) :
					repalloc(resource->dynamics, (resource->ndynamic + 1) * sizeof(PhDynamic));
				resource->dynamics[resource->ndynamic].name = c->dynamic[k];
				resource->dynamics[resource->ndynamic++].target =
					ph_subschema_compile(c, resource, &anchor->schema, anchor->pointer);
				more = true;
			}
		}
	}
}

static void find_cycle(PhSubschema *s);

static void
find_cycle_in_branches(const PhBranches *branches)
{
	int			i;

	for (i = 0; i < branches->n; i++)
		find_cycle((PhSubschema *) branches->schemas[i]);
}

/* mark: 0 not seen, 1 on the way, 2 done */
static void
find_cycle(PhSubschema *s)
{
	const PhInPlace *rules = s == NULL ? NULL : s->in_place;
	int			i;

	check_stack_depth();
	if (s == NULL || s->mark == 2)
		return;
	if (s->mark == 1)
		ph_schema_refuse(s->resource, s->pointer, "it refers to itself for the same value, without end");
	s->mark = 1;
	if (rules != NULL)
	{
		find_cycle((PhSubschema *) rules->ref);
		if (rules->dynamic_name == NULL)
			find_cycle((PhSubschema *) rules->dynamic_ref);
		find_cycle_in_branches(&rules->all_of);
		find_cycle_in_branches(&rules->any_of);
		find_cycle_in_branches(&rules->one_of);
		find_cycle((PhSubschema *) rules->not);
		find_cycle((PhSubschema *) rules->condition);
		if (rules->condition != NULL)
		{
			find_cycle((PhSubschema *) rules->then);
			find_cycle((PhSubschema *) rules->otherwise);
		}
	}
	for (i = 0; s->object != NULL && i < s->object->ndependents; i++)
		find_cycle((PhSubschema *) s->object->dependents[i].schema);
	s->mark = 2;
}

static void
compile_document(PhCompilation *c, Jsonb *document, PhSchemaLookup lookup)
{
	static const PhDialect standard = {false, true, true, true, false};
	HASHCTL		control = {0};
	PhResource *resource;
	PhValue		root;
	PhValue		option;
	int			i;

	control.keysize = sizeof(JsonbContainer *);
	control.entrysize = sizeof(KnownEntry);
	control.hcxt = CurrentMemoryContext;
	c->known = hash_create("JSON schema subschemas", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	ph_documents_init(&c->documents, lookup);
	root = ph_value_from_jsonb(document);
	if (ph_value_member(&root, "hub:assertFormat", 16, &option))
		c->assert_format |= ph_value_true(&option);
	resource = ph_documents_add(&c->documents, "", &root, &standard);
	c->schema->root = ph_subschema_compile(c, resource, &root, "");
	compile_dynamic_anchors(c);
	for (i = 0; i < c->nrules; i++)
		find_cycle(c->rules[i]);
	hash_destroy(c->known);
	hash_destroy(c->documents.roots);
}

PhSchema *
ph_schema_compile(Jsonb *document, bool assert_format, PhSchemaLookup lookup)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "planthub JSON schema", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	PhCompilation c = {0};

	c.schema = palloc0(sizeof(PhSchema));
	c.schema->context = context;
	c.assert_format = assert_format;
	compile_document(&c, memcpy(palloc(VARSIZE(document)), document, VARSIZE(document)), lookup);
	MemoryContextSwitchTo(old);
	return c.schema;
}

MemoryContext
ph_schema_context(const PhSchema *schema)
{
	return schema->context;
}
