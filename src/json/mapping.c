/*
 * mapping.c
 *	  Mappings as they are stored: found, put together, compiled and kept.
 *
 * A compiled mapping is one memory context with everything that it uses.  All of them are forgotten when a row of
 * planthub.mapping, a function or a site changes; one that is being applied stays until that has ended.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#include "json/mapping.h"
#include "json/mapping_call.h"
#include "json/merge_patch.h"
#include "json/xref.h"
#include "pg/lookup.h"

#define BASES_MAX	16			/* overrides of overrides */
#define UNITS_MAX	64
#define SHA256_LENGTH	32

/* A row of planthub.mapping. */
typedef struct Row
{
	const char *name;
	const char *site;
	int			version;
	const char *base_site;		/* NULL: no override */
	int			base;
	Jsonb	   *template;
	Jsonb	   *options;
} Row;

typedef struct Loaded
{
	PhMapping	public;			/* first: the two are cast into each other */
	MemoryContext context;
	int			pins;
	bool		stale;
} Loaded;

typedef struct Element
{
	const char *key;			/* reference and site */
	Loaded	   *loaded;
	char		status;			/* for simplehash */
} Element;

#define SH_PREFIX mappings
#define SH_ELEMENT_TYPE Element
#define SH_KEY_TYPE const char *
#define SH_KEY key
#define SH_HASH_KEY(table, key) hash_bytes((const unsigned char *) (key), strlen(key))
#define SH_EQUAL(table, a, b) (strcmp(a, b) == 0)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* A mapping while it is compiled, with those that it uses. */
typedef struct Loader
{
	const char *site;			/* for which references without a version are resolved */
	int			n;
	PhTemplateUnit *units[UNITS_MAX];
	bool		done[UNITS_MAX];
	int			nnodes;
	bool		uses_env;
	StringInfoData source;		/* everything that decides the output */
} Loader;

static PhWatch mapping_watch = {.table = "mapping"};
static PhWatch site_watch = {.table = "site"};
static mappings_hash *loaded_mappings = NULL;
static uint64 loaded_at = 0;

/* ---- rows ---- */

static int
get_int(PhLookup *lookup, const char *column)
{
	bool		isnull;
	Datum		value = ph_lookup_datum(lookup, column, &isnull);

	return isnull ? 0 : DatumGetInt32(value);
}

/* The version of (name, site), or with 0 the active one; NULL: there is none.  *any: there is some version. */
static Row *
read_row(const char *name, const char *site, int version, bool *any)
{
	static const char *const columns[] = {"name", "site"};
	const char *const keys[] = {name, site};
	PhLookup   *lookup = ph_lookup_open("mapping", "mapping_pkey", 2, columns, keys);
	Row		   *row = NULL;

	while (row == NULL && ph_lookup_next(lookup))
	{
		*any = true;
		if (version == 0 ? strcmp(ph_lookup_text(lookup, "status"), "active") != 0 :
			get_int(lookup, "version") != version)
			continue;
		row = palloc(sizeof(Row));
		row->name = ph_lookup_text(lookup, "name");
		row->site = ph_lookup_text(lookup, "site");
		row->version = get_int(lookup, "version");
		row->base_site = ph_lookup_text(lookup, "base_site");
		row->base = get_int(lookup, "base");
		row->template = (Jsonb *) ph_lookup_varlena(lookup, "template");
		row->options = (Jsonb *) ph_lookup_varlena(lookup, "options");
	}
	ph_lookup_close(lookup);
	return row;
}

/* NULL: *message says why. */
static Row *
find_row(const char *reference, const char *site, const char **message)
{
	const char *at = strchr(reference, '@');
	const char *colon = at == NULL ? NULL : strchr(at, ':');
	const char *name = at == NULL ? reference : pnstrdup(reference, at - reference);
	int			version = 0;
	char	   *end;
	PhXrefPlace place;
	bool		any = false;
	Row		   *row = NULL;
	int			i;

	if (at != NULL)
	{
		long		number = strtol(at + 1, &end, 10);

		if (number <= PG_INT32_MAX && (*end == '\0' || end == colon))
			version = number;
	}
	if (version > 0)
		row = read_row(name, colon == NULL ? "*" : colon + 1, version, &any);
	else if (at == NULL)
	{
		ph_xref_place(&place, "*", site, NULL, 0);
		for (i = 0; i < place.nscopes && row == NULL; i++)
			row = read_row(name, place.scopes[i], 0, &any);
	}
	if (row == NULL)
		*message = psprintf(any && at == NULL ? "mapping \"%s\" has no active version for site \"%s\"" :
							"mapping \"%s\" does not exist", reference, site);
	return row;
}

static const char *
make_id(const Row *row)
{
	return strcmp(row->site, "*") == 0 ? psprintf("%s@%d", row->name, row->version) :
		psprintf("%s@%d:%s", row->name, row->version, row->site);
}

/* Template or options, with the patches of all overrides up to this one. */
static PhValue
effective(const Row *row, bool template, int depth)
{
	PhValue		own = ph_value_from_jsonb(template ? row->template : row->options);
	PhValue		base;
	bool		any;
	Row		   *below;

	if (row->base_site == NULL)
		return own;
	below = depth < BASES_MAX ? read_row(row->name, row->base_site, row->base, &any) : NULL;
	if (below == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("base of mapping \"%s\" does not exist, or there are too many overrides", make_id(row))));
	base = effective(below, template, depth + 1);
	return ph_merge_patch(&base, &own);
}

/* ---- compiling ---- */

static void *resolve_use(void *arg, const char *reference, const char **message);
static void *resolve_call(void *arg, const char *name, const char **message);

static Jsonb *
whole(const PhValue *value)
{
	return ph_value_to_jsonb(value, NULL);
}

static void
add_source(Loader *loader, const char *id, Jsonb *part)
{
	appendStringInfo(&loader->source, "%s ", id);
	JsonbToCString(&loader->source, &part->root, VARSIZE(part));
	appendStringInfoChar(&loader->source, '\n');
}

static PhTemplateUnit *
compile_unit(Loader *loader, const Row *row, PhProblems *errors)
{
	PhTemplateUnit *unit = palloc0(sizeof(PhTemplateUnit));
	PhResolver	resolver = {resolve_use, resolve_call, loader};
	int			number = loader->n++;
	PhValue		template = effective(row, true, 0);
	PhValue		options = effective(row, false, 0);
	Jsonb	   *source = whole(&template);
	Jsonb	   *settings = whole(&options);

	unit->id = make_id(row);
	unit->name = row->name;
	unit->version = row->version;
	unit->site = row->site;
	loader->units[number] = unit;
	loader->done[number] = false;
	add_source(loader, unit->id, source);
	add_source(loader, "options", settings);
	template = ph_value_from_jsonb(source);
	options = ph_value_from_jsonb(settings);
	if (!ph_options_read(&unit->options, &options, errors) ||
		!ph_template_compile(unit, &template, &resolver, errors))
		return NULL;
	unit->first = loader->nnodes;
	loader->nnodes += unit->nnodes;
	loader->uses_env |= unit->uses_env;
	loader->done[number] = true;
	return unit;
}

/* For $use. */
static void *
resolve_use(void *arg, const char *reference, const char **message)
{
	Loader	   *loader = arg;
	Row		   *row = find_row(reference, loader->site, message);
	PhProblems	errors = {0};
	PhTemplateUnit *unit;
	int			i;

	check_stack_depth();
	if (row == NULL)
		return NULL;
	for (i = 0; i < loader->n; i++)
	{
		if (strcmp(loader->units[i]->id, make_id(row)) != 0)
			continue;
		if (!loader->done[i])
		{
			*message = psprintf("mapping \"%s\" uses itself", loader->units[i]->id);
			return NULL;
		}
		return loader->units[i];
	}
	if (loader->n == UNITS_MAX)
	{
		*message = psprintf("more than %d mappings use each other", UNITS_MAX);
		return NULL;
	}
	unit = compile_unit(loader, row, &errors);
	if (unit == NULL)
		*message = psprintf("mapping \"%s\" is not valid: %s, at \"%s\"", make_id(row), errors.list[0].message,
							errors.list[0].pointer);
	return unit;
}

static void *
resolve_call(void *arg, const char *name, const char **message)
{
	return ph_mapping_function(name, message);
}

static void
compute_sha256(const StringInfo source, char out[65])
{
	bytea	   *all = (bytea *) cstring_to_text_with_len(source->data, source->len);
	bytea	   *digest = DatumGetByteaPP(DirectFunctionCall1(sha256_bytea, PointerGetDatum(all)));

	hex_encode(VARDATA_ANY(digest), SHA256_LENGTH, out);
	out[2 * SHA256_LENGTH] = '\0';
}

static const char *
site_timezone(const char *site)
{
	static const char *const columns[] = {"code"};
	PhLookup   *lookup = ph_lookup_open("site", "site_pkey", 1, columns, &site);
	const char *timezone = ph_lookup_next(lookup) ? ph_lookup_text(lookup, "timezone") : "UTC";

	ph_lookup_close(lookup);
	return timezone;
}

/* Compiles in a context of its own below the current one. NULL: see the problems, or *message when there is no row. */
static Loaded *
load(const char *reference, const char *site, PhProblems *errors, const char **message)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "planthub mapping", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	Loader	   *loader = palloc0(sizeof(Loader));
	Row		   *row;
	Loaded	   *loaded;
	PhTemplateUnit *unit;

	loader->site = pstrdup(site);
	initStringInfo(&loader->source);
	row = find_row(reference, loader->site, message);
	unit = row == NULL ? NULL : compile_unit(loader, row, errors);
	MemoryContextSwitchTo(caller);
	if (unit == NULL)
		return NULL;

	MemoryContextSwitchTo(context);
	loaded = palloc0(sizeof(Loaded));
	loaded->context = context;
	loaded->public.id = unit->id;
	loaded->public.site = loader->site;
	loaded->public.timezone = unit->options.timezone != NULL ? unit->options.timezone : site_timezone(site);
	loaded->public.unit = unit;
	loaded->public.nunits = loader->n;
	loaded->public.units = (const PhTemplateUnit *const *) loader->units;
	loaded->public.nnodes = loader->nnodes;
	loaded->public.uses_env = loader->uses_env;
	compute_sha256(&loader->source, loaded->public.sha256);
	MemoryContextSwitchTo(caller);
	return loaded;
}

/* ---- keeping ---- */

static void
release(Loaded *loaded)
{
	if (loaded->stale && loaded->pins == 0)
		MemoryContextDelete(loaded->context);
}

static void
forget_all(void)
{
	mappings_iterator iterator;
	Element    *element;

	if (loaded_mappings == NULL)
	{
		loaded_mappings = mappings_create(TopMemoryContext, 64, NULL);
		return;
	}
	mappings_start_iterate(loaded_mappings, &iterator);
	while ((element = mappings_iterate(loaded_mappings, &iterator)) != NULL)
	{
		element->loaded->stale = true;
		release(element->loaded);
	}
	mappings_reset(loaded_mappings);
}

static void
keep(const char *key, Loaded *loaded)
{
	char	   *kept = MemoryContextStrdup(loaded->context, key);
	bool		found;
	Element    *element;

	element = mappings_insert(loaded_mappings, kept, &found);
	element->loaded = loaded;
	MemoryContextSetParent(loaded->context, TopMemoryContext);
}

static void
refuse_invalid(const char *reference, const PhProblems *errors)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("mapping \"%s\" cannot be compiled", reference),
			 errdetail("%s, at \"%s\" of the template.", errors->list[0].message, errors->list[0].pointer),
			 errhint("See planthub.mapping_lint(); what it uses may have been changed.")));
}

static void
refuse_missing(const char *message)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("%s", message),
			 errhint("Create it with planthub.create_mapping() and planthub.activate_mapping(), or look in the table planthub.mapping.")));
}

const PhMapping *
ph_mapping_get(const char *reference, const char *site)
{
	uint64		changes = ph_watch(&mapping_watch) + ph_watch(&site_watch) + ph_mapping_function_changes();
	char	   *key = psprintf("%s %s", reference, site);
	PhProblems	errors = {0};
	const char *message = NULL;
	Element    *element;
	Loaded	   *loaded;

	if (loaded_mappings == NULL || changes != loaded_at)
	{
		forget_all();
		loaded_at = changes;
	}
	element = mappings_lookup(loaded_mappings, key);
	if (element == NULL)
	{
		loaded = load(reference, site, &errors, &message);
		if (message != NULL)
			refuse_missing(message);
		if (loaded == NULL)
			refuse_invalid(reference, &errors);
		keep(key, loaded);
	}
	else
		loaded = element->loaded;
	pfree(key);
	return &loaded->public;
}

const PhMapping *
ph_mapping_compile(const char *reference, const char *site, PhProblems *errors)
{
	const char *message = NULL;
	Loaded	   *loaded = load(reference, site, errors, &message);

	if (message != NULL)
		refuse_missing(message);
	return loaded == NULL ? NULL : &loaded->public;
}

Jsonb *
ph_mapping_template(const char *reference, const char *site)
{
	const char *message = NULL;
	Row		   *row = find_row(reference, site, &message);
	PhValue		template;

	if (row == NULL)
		refuse_missing(message);
	template = effective(row, true, 0);
	return whole(&template);
}

static void
unpin(void *arg)
{
	Loaded	   *loaded = arg;

	loaded->pins--;
	release(loaded);
}

void
ph_mapping_pin(const PhMapping *mapping, MemoryContext context)
{
	Loaded	   *loaded = (Loaded *) mapping;
	MemoryContextCallback *callback = MemoryContextAlloc(context, sizeof(MemoryContextCallback));

	callback->func = unpin;
	callback->arg = loaded;
	MemoryContextRegisterResetCallback(context, callback);
	loaded->pins++;
}
