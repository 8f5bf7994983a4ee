/*
 * schema_document.c
 *	  Which schemas there are in a document, by their URIs and anchors, and where references lead.
 *
 * A document is searched once, along the keywords that hold subschemas, for "$id", "$anchor" and "$dynamicAnchor";
 * what stands in other places (an enum, an unknown keyword) is data and is not an identifier.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "json/schema_rule.h"
#include "json/uri.h"

#define RESOURCE_LIMIT	1000

typedef enum Shape
{
	SHAPE_SCHEMA,
	SHAPE_ARRAY,				/* of schemas */
	SHAPE_MAP,					/* object of schemas */
	SHAPE_EITHER				/* a schema or an array of them */
} Shape;

typedef struct Applicator
{
	const char *keyword;
	Shape		shape;
	bool		draft07;
	bool		draft2020;
} Applicator;

static const Applicator applicators[] = {
	{"$defs", SHAPE_MAP, false, true},
	{"additionalItems", SHAPE_SCHEMA, true, false},
	{"additionalProperties", SHAPE_SCHEMA, true, true},
	{"allOf", SHAPE_ARRAY, true, true},
	{"anyOf", SHAPE_ARRAY, true, true},
	{"contains", SHAPE_SCHEMA, true, true},
	{"definitions", SHAPE_MAP, true, true},
	{"dependencies", SHAPE_MAP, true, false},
	{"dependentSchemas", SHAPE_MAP, false, true},
	{"else", SHAPE_SCHEMA, true, true},
	{"if", SHAPE_SCHEMA, true, true},
	{"items", SHAPE_EITHER, true, true},
	{"not", SHAPE_SCHEMA, true, true},
	{"oneOf", SHAPE_ARRAY, true, true},
	{"patternProperties", SHAPE_MAP, true, true},
	{"prefixItems", SHAPE_ARRAY, false, true},
	{"properties", SHAPE_MAP, true, true},
	{"propertyNames", SHAPE_SCHEMA, true, true},
	{"then", SHAPE_SCHEMA, true, true},
	{"unevaluatedItems", SHAPE_SCHEMA, false, true},
	{"unevaluatedProperties", SHAPE_SCHEMA, false, true}
};

typedef struct RootEntry
{
	JsonbContainer *container;
	PhResource *resource;
} RootEntry;

static void scan(PhDocuments *documents, PhResource *resource, const PhValue *schema, const char *pointer);

/* ---- helpers ---- */

void
ph_schema_refuse(const PhResource *resource, const char *pointer, const char *format,...)
{
	StringInfoData reason;
	va_list		args;
	int			needed;

	initStringInfo(&reason);
	for (;;)
	{
		va_start(args, format);
		needed = appendStringInfoVA(&reason, format, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&reason, needed);
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("JSON schema is not valid"),
			 errdetail("At \"%s#%s\": %s.", resource->uri, pointer, reason.data),
			 errhint("Correct the schema at this JSON Pointer.")));
}

char *
ph_value_cstring(const PhValue *string)
{
	return pnstrdup(string->u.string, string->length);
}

/* A member that is a string, terminated; NULL when it is absent. */
static const char *
text_member(const PhResource *resource, const PhValue *schema, const char *keyword, const char *pointer)
{
	PhValue		value;

	if (!ph_value_member(schema, keyword, strlen(keyword), &value))
		return NULL;
	if (value.type != PH_VALUE_STRING)
		ph_schema_refuse(resource, ph_pointer_append(pointer, keyword, strlen(keyword)), "a string is expected");
	return ph_value_cstring(&value);
}

static bool
is_name(const char *text)
{
	if (!((*text | 0x20) >= 'a' && (*text | 0x20) <= 'z') && *text != '_')
		return false;
	return strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") == strlen(text);
}

/* ---- dialects ---- */

static void
read_vocabulary(PhResource *resource, const char *pointer, const PhValue *metaschema, PhDialect *dialect)
{
	static const char *const base = "https://json-schema.org/draft/2020-12/vocab/";
	PhValue		vocabulary;
	PhIterator	iterator;
	PhMember	member;

	if (!ph_value_member(metaschema, "$vocabulary", 11, &vocabulary))
		return;
	dialect->applicator = dialect->validation = dialect->unevaluated = false;
	ph_iterate(&iterator, &vocabulary);
	while (ph_iterate_next(&iterator, &member))
	{
		char	   *name = member.key == NULL ? "" : pnstrdup(member.key, member.length);
		const char *word = strncmp(name, base, strlen(base)) == 0 ? name + strlen(base) : "";

		if (strcmp(word, "applicator") == 0)
			dialect->applicator = true;
		else if (strcmp(word, "validation") == 0)
			dialect->validation = true;
		else if (strcmp(word, "unevaluated") == 0)
			dialect->unevaluated = true;
		else if (strcmp(word, "format-assertion") == 0)
			dialect->format_assertion = true;
		else if (strcmp(word, "core") != 0 && strcmp(word, "meta-data") != 0 && strcmp(word, "content") != 0 &&
				 strcmp(word, "format-annotation") != 0 && ph_value_true(&member.value))
			ph_schema_refuse(resource, pointer, "its dialect requires the unknown vocabulary \"%s\"", name);
	}
}

/* What "$schema" says. */
static void
read_dialect(PhDocuments *documents, PhResource *resource, const char *uri)
{
	static const char *const old[] = {"draft-03", "draft-04", "draft-06", "draft/2019-09"};
	char	   *name = pstrdup(uri);
	const char *rest;
	Jsonb	   *document;
	PhValue		metaschema;
	int			i;

	name[strcspn(name, "#")] = '\0';
	rest = strstr(name, "://json-schema.org/");
	rest = rest == NULL ? "" : rest + strlen("://json-schema.org/");
	if (strcmp(rest, "draft/2020-12/schema") == 0 || strcmp(rest, "draft-07/schema") == 0)
	{
		PhDialect	dialect = {strcmp(rest, "draft-07/schema") == 0, true, true, true, false};

		resource->dialect = dialect;
		return;
	}
	for (i = 0; i < lengthof(old); i++)
	{
		if (strncmp(rest, old[i], strlen(old[i])) == 0)
			ph_schema_refuse(resource, "/$schema", "the dialect \"%s\" is not supported, only 2020-12 and draft-07",
							 name);
	}
	document = documents->lookup == NULL ? NULL : documents->lookup(name);
	if (document == NULL)
		ph_schema_refuse(resource, "/$schema", "the dialect \"%s\" is not known", name);
	resource->dialect.draft07 = false;
	resource->dialect.applicator = resource->dialect.validation = resource->dialect.unevaluated = true;
	resource->dialect.format_assertion = false;
	metaschema = ph_value_from_jsonb(document);
	read_vocabulary(resource, "/$schema", &metaschema, &resource->dialect);
}

/* ---- what a document contains ---- */

static PhResource *
add_resource(PhDocuments *documents, const char *uri, const PhValue *root, const PhDialect *dialect)
{
	PhResource *resource = palloc0(sizeof(PhResource));
	const char *schema;
	RootEntry  *entry;
	bool		found;

	resource->uri = uri;
	resource->root = *root;
	resource->dialect = *dialect;
	if (documents->nresources == RESOURCE_LIMIT)
		ph_schema_refuse(resource, "", "it consists of more than %d schemas with a URI", RESOURCE_LIMIT);
	if (documents->nresources == documents->allocated)
	{
		documents->allocated = Max(8, documents->allocated * 2);
		documents->resources = documents->resources == NULL ? palloc(documents->allocated * sizeof(PhResource *)) :
			repalloc(documents->resources, documents->allocated * sizeof(PhResource *));
	}
	documents->resources[documents->nresources++] = resource;
	if (ph_value_kind(root) != PH_KIND_OBJECT)
		return resource;
	entry = hash_search(documents->roots, &root->u.container, HASH_ENTER, &found);
	entry->resource = resource;
	schema = text_member(resource, root, "$schema", "");
	if (schema != NULL)
		read_dialect(documents, resource, schema);
	return resource;
}

static void
add_anchor(PhResource *resource, const char *keyword, const char *name, bool dynamic, const PhValue *schema,
		   const char *pointer)
{
	PhAnchor   *anchor;

	if (!is_name(name))
		ph_schema_refuse(resource, ph_pointer_append(pointer, keyword, strlen(keyword)),
						 "\"%s\" is not a name for an anchor", name);
	resource->anchors = resource->anchors == NULL ? palloc(sizeof(PhAnchor)) :
		repalloc(resource->anchors, (resource->nanchors + 1) * sizeof(PhAnchor));
	anchor = &resource->anchors[resource->nanchors++];
	anchor->name = name;
	anchor->dynamic = dynamic;
	anchor->schema = *schema;
	anchor->pointer = pointer;
}

static PhResource *
find_resource(PhDocuments *documents, const char *uri)
{
	int			i;

	for (i = 0; i < documents->nresources; i++)
	{
		if (strcmp(documents->resources[i]->uri, uri) == 0)
			return documents->resources[i];
	}
	return NULL;
}

/* The resource that the schema belongs to: a new one when it has an "$id"; *pointer is made relative to it. */
static PhResource *
identify(PhDocuments *documents, PhResource *resource, const PhValue *schema, const char **pointer)
{
	PhValue		ignored;
	char		uri[PH_URI_SIZE];
	const char *id;
	char	   *fragment;

	if (resource->dialect.draft07 && ph_value_member(schema, "$ref", 4, &ignored))
		return resource;
	id = text_member(resource, schema, "$id", *pointer);
	if (id == NULL)
		return resource;
	if (!ph_uri_resolve(resource->uri, id, uri))
		ph_schema_refuse(resource, ph_pointer_append(*pointer, "$id", 3), "the URI is too long");
	fragment = strchr(uri, '#');
	if (fragment != NULL)
		*fragment++ = '\0';
	if (fragment != NULL && *fragment != '\0' && !resource->dialect.draft07)
		ph_schema_refuse(resource, ph_pointer_append(*pointer, "$id", 3), "\"%s\" has a fragment; use \"$anchor\"",
						 id);
	if (id[0] != '#' && strcmp(uri, resource->uri) != 0)
	{
		resource = add_resource(documents, pstrdup(uri), schema, &resource->dialect);
		*pointer = "";
	}
	if (fragment != NULL && *fragment != '\0')
		add_anchor(resource, "$id", pstrdup(fragment), false, schema, *pointer);
	return resource;
}

static void
scan_members(PhDocuments *documents, PhResource *resource, const PhValue *container, const char *pointer)
{
	PhIterator	iterator;
	PhMember	member;
	int64		index = 0;

	ph_iterate(&iterator, container);
	while (ph_iterate_next(&iterator, &member))
		scan(documents, resource, &member.value, member.key == NULL ? ph_pointer_index(pointer, index++) :
			 ph_pointer_append(pointer, member.key, member.length));
}

static void
scan(PhDocuments *documents, PhResource *resource, const PhValue *schema, const char *pointer)
{
	const char *name;
	int			i;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (ph_value_kind(schema) != PH_KIND_OBJECT)
		return;
	resource = identify(documents, resource, schema, &pointer);
	if (!resource->dialect.draft07)
	{
		if ((name = text_member(resource, schema, "$anchor", pointer)) != NULL)
			add_anchor(resource, "$anchor", name, false, schema, pointer);
		if ((name = text_member(resource, schema, "$dynamicAnchor", pointer)) != NULL)
			add_anchor(resource, "$dynamicAnchor", name, true, schema, pointer);
	}
	for (i = 0; i < lengthof(applicators); i++)
	{
		const Applicator *applicator = &applicators[i];
		PhValue		value;
		char	   *below;

		if (!(resource->dialect.draft07 ? applicator->draft07 : applicator->draft2020) ||
			!ph_value_member(schema, applicator->keyword, strlen(applicator->keyword), &value))
			continue;
		below = ph_pointer_append(pointer, applicator->keyword, strlen(applicator->keyword));
		if (applicator->shape == SHAPE_SCHEMA ||
			(applicator->shape == SHAPE_EITHER && ph_value_kind(&value) == PH_KIND_OBJECT))
			scan(documents, resource, &value, below);
		else if (ph_value_kind(&value) == PH_KIND_OBJECT || ph_value_kind(&value) == PH_KIND_ARRAY)
			scan_members(documents, resource, &value, below);
	}
}

void
ph_documents_init(PhDocuments *documents, PhSchemaLookup lookup)
{
	HASHCTL		control = {0};

	control.keysize = sizeof(JsonbContainer *);
	control.entrysize = sizeof(RootEntry);
	control.hcxt = CurrentMemoryContext;
	memset(documents, 0, sizeof(PhDocuments));
	documents->lookup = lookup;
	documents->roots = hash_create("JSON schema resources", 16, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* A document may call itself by another URI than the one it is known by. */
static PhResource *
own_resource(PhDocuments *documents, PhResource *resource)
{
	PhResource *own = ph_documents_root(documents, &resource->root);

	return own != NULL ? own : resource;
}

PhResource *
ph_documents_add(PhDocuments *documents, const char *uri, const PhValue *root, const PhDialect *dialect)
{
	PhResource *resource = add_resource(documents, pstrdup(uri), root, dialect);

	scan(documents, resource, root, "");
	return own_resource(documents, resource);
}

PhResource *
ph_documents_root(PhDocuments *documents, const PhValue *schema)
{
	RootEntry  *entry = ph_value_kind(schema) != PH_KIND_OBJECT ? NULL :
		hash_search(documents->roots, &schema->u.container, HASH_FIND, NULL);

	return entry == NULL ? NULL : entry->resource;
}

const PhAnchor *
ph_resource_anchor(const PhResource *resource, const char *name, bool dynamic)
{
	int			i;

	for (i = 0; i < resource->nanchors; i++)
	{
		if ((resource->anchors[i].dynamic || !dynamic) && strcmp(resource->anchors[i].name, name) == 0)
			return &resource->anchors[i];
	}
	return NULL;
}

/* ---- where references lead ---- */

/* One step of a JSON Pointer, unescaped in place. */
static bool
step(const PhValue *from, char *token, PhValue *to)
{
	char	   *in;
	char	   *out;

	for (in = out = token; *in != '\0'; in++)
	{
		if (*in == '~' && (in[1] == '0' || in[1] == '1'))
			*out++ = *++in == '0' ? '~' : '/';
		else
			*out++ = *in;
	}
	*out = '\0';
	if (ph_value_kind(from) == PH_KIND_ARRAY)
	{
		if (*token == '\0' || strspn(token, "0123456789") != strlen(token) || strlen(token) > 9)
			return false;
		return ph_value_element(from, atoi(token), to);
	}
	return ph_value_member(from, token, strlen(token), to);
}

static bool
follow(PhDocuments *documents, PhLocation *location, char *pointer)
{
	char	   *token = pointer[0] == '/' ? pointer + 1 : NULL;

	while (token != NULL)
	{
		char	   *next = strchr(token, '/');
		PhResource *inner;
		PhValue		value;

		if (next != NULL)
			*next++ = '\0';
		if (!step(&location->schema, token, &value))
			return false;
		location->schema = value;
		inner = ph_documents_root(documents, &value);
		location->pointer = inner != NULL ? "" : ph_pointer_append(location->pointer, token, strlen(token));
		if (inner != NULL)
			location->resource = inner;
		token = next;
	}
	return true;
}

/* The resource of a URI without fragment; other documents are looked up. */
static PhResource *
require_resource(PhDocuments *documents, PhResource *from, const char *pointer, const char *uri)
{
	PhResource *resource = find_resource(documents, uri);
	Jsonb	   *document;
	PhValue		root;

	if (resource != NULL)
		return resource;
	document = documents->lookup == NULL ? NULL : documents->lookup(uri);
	if (document == NULL)
		ph_schema_refuse(from, pointer, "no schema is known by the URI \"%s\", and nothing is ever fetched", uri);
	document = memcpy(palloc(VARSIZE(document)), document, VARSIZE(document));
	root = ph_value_from_jsonb(document);
	return ph_documents_add(documents, uri, &root, &from->dialect);
}

PhLocation
ph_documents_resolve(PhDocuments *documents, PhResource *from, const char *pointer, const char *reference)
{
	PhLocation	location = {0};
	char		uri[PH_URI_SIZE];
	char	   *fragment;

	if (!ph_uri_resolve(from->uri, reference, uri))
		ph_schema_refuse(from, pointer, "the URI is too long");
	fragment = strchr(uri, '#');
	if (fragment != NULL)
		*fragment++ = '\0';
	location.resource = own_resource(documents, strcmp(uri, from->uri) == 0 ? from :
									 require_resource(documents, from, pointer, uri));
	location.schema = location.resource->root;
	location.pointer = "";
	if (fragment == NULL || *fragment == '\0')
		return location;
	if (!ph_uri_decode(fragment) || !pg_verifymbstr(fragment, strlen(fragment), true))
		ph_schema_refuse(from, pointer, "the fragment of \"%s\" is not valid", reference);
	if (*fragment == '/')
	{
		if (!follow(documents, &location, fragment))
			ph_schema_refuse(from, pointer, "\"%s\" leads nowhere", reference);
		return location;
	}
	location.anchor = ph_resource_anchor(location.resource, fragment, false);
	if (location.anchor == NULL)
		ph_schema_refuse(from, pointer, "\"%s\" leads nowhere", reference);
	location.schema = location.anchor->schema;
	location.pointer = location.anchor->pointer;
	return location;
}
