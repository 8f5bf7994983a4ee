/*
 * sender.c
 *	  Who may send a topic for a site, and what is done with it: the answers of planthub.check_source(), remembered.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "engine/sender.h"
#include "engine/sql.h"
#include "pg/lookup.h"

/* Sources, topics and sites are few; when there are more, remembering begins anew. */
#define REMEMBERED		4096

typedef struct Entry
{
	const char *key;
	uint32		hash;
	char		status;
	PhSender   *sender;
} Entry;

#define SH_PREFIX		entries
#define SH_ELEMENT_TYPE	Entry
#define SH_KEY_TYPE		const char *
#define SH_KEY			key
#define SH_HASH_KEY(table, name)	hash_bytes((const unsigned char *) (name), (int) strlen(name))
#define SH_EQUAL(table, a, b)	(strcmp(a, b) == 0)
#define SH_STORE_HASH
#define SH_GET_HASH(table, entry)	(entry)->hash
#define SH_SCOPE		static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

static PhWatch watches[] = {
	{"source"}, {"source_mapping"}, {"topic_source"}, {"effect"}, {"policy"}, {"site_policy"}, {"system"}, {"site"}
};
static uint64 seen = 0;
static MemoryContext context = NULL;
static struct entries_hash *entries = NULL;

static PhStatement ask = {
	"SELECT (c.m).system, (c.m).kind, (c.m).site, (c.m).timezone, (c.m).policies, e.function, e.business_key, "
	"s.site <> '*' OR (c.m).data ? 'site' OR $1 ? 'site' "
	"FROM planthub.check_source($1, planthub.open_event($1)) AS c "
	"LEFT JOIN LATERAL (SELECT x.function, x.business_key FROM planthub.effect AS x "
	"WHERE x.topic = (c.m).topic ORDER BY x.builtin LIMIT 1) AS e ON true "
	"JOIN planthub.source AS s ON s.uri = (c.m).source WHERE c.violations IS NULL AND NOT c.is_foreign",
	1, {JSONBOID}
};

static void
refresh(void)
{
	uint64		now = 0;
	int			i;

	for (i = 0; i < lengthof(watches); i++)
		now += ph_watch(&watches[i]);
	if (context != NULL && now == seen && entries->members < REMEMBERED)
		return;
	if (context != NULL)
		MemoryContextDelete(context);
	context = AllocSetContextCreate(CacheMemoryContext, "PlantHub senders", ALLOCSET_SMALL_SIZES);
	entries = entries_create(context, 64, NULL);
	seen = now;
}

static JsonbValue *
member(JsonbContainer *object, const char *name, JsonbValue *value)
{
	return getKeyJsonValueFromContainer(object, name, (int) strlen(name), value);
}

/*
 * What the answer depends on besides the tables: source, topic, and the site that the event names.  NULL when its site
 * is found by other means than that.
 */
static char *
sender_key(Jsonb *event, const char *source, const char *topic)
{
	JsonbValue	site;
	JsonbValue	data;

	if (member(&event->root, "site", &site) == NULL)
	{
		if (member(&event->root, "data", &data) == NULL || data.type != jbvBinary)
			return NULL;
		if (member(data.val.binary.data, "site", &site) == NULL)
			return psprintf("%s\x1f%s", source, topic);
	}
	if (site.type != jbvString)
		return NULL;
	return psprintf("%s\x1f%s\x1f%.*s", source, topic, site.val.string.len, site.val.string.val);
}

static text *
copy_text(int column)
{
	bool		isnull;
	Datum		value = ph_sql_datum(0, column, &isnull);

	return isnull ? NULL : DatumGetTextPCopy(value);
}

static PhSender *
copy_sender(const char *key)
{
	PhSender   *sender = palloc0(sizeof(PhSender));
	bool		isnull;
	Datum		value;
	Datum	   *members;
	int			i;

	sender->key = pstrdup(key);
	sender->system = copy_text(1);
	sender->kind = copy_text(2);
	sender->site = copy_text(3);
	sender->timezone = copy_text(4);
	sender->policies = DatumGetJsonbPCopy(ph_sql_datum(0, 5, &isnull));
	sender->effect = copy_text(6);
	value = ph_sql_datum(0, 7, &isnull);
	if (isnull)
		return sender;
	deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT, &members, NULL, &sender->nmembers);
	sender->members = palloc(sender->nmembers * sizeof(char *));
	for (i = 0; i < sender->nmembers; i++)
		sender->members[i] = TextDatumGetCString(members[i]);
	return sender;
}

const PhSender *
ph_sender_find(Jsonb *event, const char *source, const char *topic)
{
	char	   *key = sender_key(event, source, topic);
	Entry	   *entry;
	PhSender   *sender;
	Datum		argument = JsonbPGetDatum(event);
	MemoryContext old;
	bool		found;

	refresh();
	entry = key == NULL ? NULL : entries_lookup(entries, key);
	if (entry != NULL)
		return entry->sender;
	if (key == NULL || ph_sql_run(&ask, &argument, NULL, SPI_OK_SELECT) == 0 || !ph_sql_bool(0, 8))
		return NULL;
	old = MemoryContextSwitchTo(context);
	sender = copy_sender(key);
	MemoryContextSwitchTo(old);
	entry = entries_insert(entries, sender->key, &found);
	entry->sender = sender;
	return sender;
}
