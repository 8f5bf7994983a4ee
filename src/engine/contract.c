/*
 * contract.c
 *	  Contracts and other JSON Schemas, compiled and kept per backend.
 *
 * Both tables are watched (pg/lookup.h); when one has changed, everything compiled is thrown away, because a schema
 * may refer to any other.
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "engine/contract.h"
#include "pg/lookup.h"

#define TOPIC_SIZE			132
#define CACHE_ENTRIES		64		/* schemas given by value */
#define CACHE_BYTES			(128 * 1024)	/* larger ones are compiled each time */
#define DETAIL_VIOLATIONS	20
#define URN					"urn:planthub:schema:"

typedef struct ContractKey
{
	char		topic[TOPIC_SIZE];	/* padded with zeros */
	int			version;
} ContractKey;

typedef struct ContractEntry
{
	ContractKey key;
	PhContract *contract;			/* NULL: there is none */
} ContractEntry;

/* A schema given by value. */
typedef struct Cached
{
	uint64		hash;
	uint64		used;
	bool		assert_format;
	Jsonb	   *document;
	PhSchema   *schema;
} Cached;

static PhWatch contract_watch = {"contract"};
static PhWatch schema_watch = {"json_schema"};
static uint64 seen = 0;				/* changes of both when everything was thrown away last */
static MemoryContext cache = NULL;	/* everything compiled; child of CacheMemoryContext */
static MemoryContext scratch = NULL;	/* for one check */
static HTAB *contracts = NULL;
static Cached cached[CACHE_ENTRIES];
static uint64 uses = 0;

/* ---- keeping it up to date ---- */

static void
refresh(void)
{
	HASHCTL		control = {0};
	uint64		now = ph_watch(&contract_watch) + ph_watch(&schema_watch);

	if (cache != NULL && now == seen)
		return;
	if (cache != NULL)
		MemoryContextDelete(cache);
	cache = NULL;
	memset(cached, 0, sizeof(cached));
	cache = AllocSetContextCreate(CacheMemoryContext, "planthub contracts", ALLOCSET_DEFAULT_SIZES);
	control.keysize = sizeof(ContractKey);
	control.entrysize = sizeof(ContractEntry);
	control.hcxt = cache;
	contracts = hash_create("planthub contracts", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	if (scratch == NULL)
		scratch = AllocSetContextCreate(CacheMemoryContext, "planthub contract check", ALLOCSET_DEFAULT_SIZES);
	seen = now;
}

/* ---- reading the tables ---- */

static PhContractStatus
status_of(const char *status)
{
	return strcmp(status, "active") == 0 ? PH_CONTRACT_ACTIVE :
		strcmp(status, "deprecated") == 0 ? PH_CONTRACT_DEPRECATED :
		strcmp(status, "retired") == 0 ? PH_CONTRACT_RETIRED : PH_CONTRACT_DRAFT;
}

static PhLookup *
open_contracts(const char *topic)
{
	static const char *const columns[] = {"topic"};

	return ph_lookup_open("contract", "contract_pkey", 1, columns, &topic);
}

/* A copy of the row in the current context; *document is its schema.  NULL when there is none. */
static PhContract *
read_contract(const char *topic, int version, Jsonb **document)
{
	PhLookup   *lookup = open_contracts(topic);
	PhContract *contract = NULL;
	bool		isnull;

	while (contract == NULL && ph_lookup_next(lookup))
	{
		if (DatumGetInt32(ph_lookup_datum(lookup, "version", &isnull)) != version)
			continue;
		contract = palloc0(sizeof(PhContract));
		contract->topic = pstrdup(topic);
		contract->version = version;
		contract->status = status_of(ph_lookup_text(lookup, "status"));
		contract->sunset = DatumGetTimestampTz(ph_lookup_datum(lookup, "sunset", &isnull));
		contract->has_sunset = !isnull;
		*document = (Jsonb *) ph_lookup_varlena(lookup, "schema");
	}
	ph_lookup_close(lookup);
	return contract;
}

static Jsonb *
read_schema(const char *uri)
{
	static const char *const columns[] = {"uri"};
	PhLookup   *lookup = ph_lookup_open("json_schema", "json_schema_pkey", 1, columns, &uri);
	Jsonb	   *document = ph_lookup_next(lookup) ? (Jsonb *) ph_lookup_varlena(lookup, "document") : NULL;

	ph_lookup_close(lookup);
	return document;
}

/* Contracts are known by their URN, other schemas by the URI they were registered with. */
static Jsonb *
look_up(const char *uri)
{
	Jsonb	   *document = NULL;
	const char *colon = strrchr(uri, ':');

	if (strncmp(uri, URN, strlen(URN)) != 0 || colon < uri + strlen(URN) || strlen(colon) > 9 ||
		strspn(colon + 1, "0123456789") != strlen(colon + 1))
		return read_schema(uri);
	(void) read_contract(pnstrdup(uri + strlen(URN), colon - uri - strlen(URN)), atoi(colon + 1), &document);
	return document != NULL ? document : read_schema(uri);
}

/* ---- contracts ---- */

/* What it leaves in the scratch context is gone with the next check. */
static PhSchema *
compile(Jsonb *document, bool assert_format)
{
	MemoryContext old = MemoryContextSwitchTo(scratch);
	PhSchema   *schema = ph_schema_compile(document, assert_format, look_up);

	MemoryContextSwitchTo(old);
	MemoryContextSetParent(ph_schema_context(schema), cache);
	return schema;
}

static PhContract *
load_contract(const char *topic, int version)
{
	MemoryContext old = MemoryContextSwitchTo(scratch);
	Jsonb	   *document;
	PhContract *found = read_contract(topic, version, &document);
	PhContract *contract = NULL;

	MemoryContextSwitchTo(old);
	if (found != NULL)
	{
		PhSchema   *schema = compile(document, false);

		contract = MemoryContextAlloc(cache, sizeof(PhContract));
		*contract = *found;
		contract->topic = MemoryContextStrdup(cache, topic);
		contract->schema = schema;
	}
	MemoryContextReset(scratch);
	return contract;
}

const PhContract *
ph_contract_find(const char *topic, int version)
{
	ContractKey key = {{0}};
	ContractEntry *entry;
	PhContract *contract;

	if (strlen(topic) >= TOPIC_SIZE || version <= 0)
		return NULL;
	refresh();
	strcpy(key.topic, topic);
	key.version = version;
	entry = hash_search(contracts, &key, HASH_FIND, NULL);
	if (entry != NULL)
		return entry->contract;
	contract = load_contract(topic, version);
	/* Nobody asks for unknown versions all the time but who wants to fill the memory. */
	if (contract != NULL || hash_get_num_entries(contracts) < 10000)
	{
		entry = hash_search(contracts, &key, HASH_ENTER, NULL);
		entry->contract = contract;
	}
	return contract;
}

bool
ph_contract_accepted(const PhContract *contract)
{
	return contract->status == PH_CONTRACT_ACTIVE ||
		(contract->status == PH_CONTRACT_DEPRECATED &&
		 (!contract->has_sunset || GetCurrentTransactionStartTimestamp() < contract->sunset));
}

bool
ph_contract_has_any(const char *topic)
{
	PhLookup   *lookup = open_contracts(topic);
	bool		found = ph_lookup_next(lookup);

	ph_lookup_close(lookup);
	return found;
}

/* ---- checking ---- */

static void
note_limit(PhViolations *violations)
{
	violations->items = palloc0(sizeof(PhViolation));
	violations->n = 1;
	violations->items->instance = violations->items->place = "";
	violations->items->keyword = PH_CONTRACT_LIMIT_KEYWORD;
	violations->items->message = "value is too deep, or takes too much work to check";
}

/* False, and the violations in the current context, when the data do not meet the contract. */
static bool
check(const PhContract *contract, Datum data, int limit, PhViolations *violations)
{
	MemoryContext old;
	PhSchemaResult result;
	PhValue		value;
	Jsonb	   *document;

	/* Most data are good: those need no list. */
	old = MemoryContextSwitchTo(scratch);
	value = ph_value_from_jsonb(DatumGetJsonbP(data));
	result = ph_schema_check(contract->schema, &value);
	MemoryContextSwitchTo(old);
	MemoryContextReset(scratch);
	if (result == PH_SCHEMA_VALID)
		return true;

	document = DatumGetJsonbP(data);
	value = ph_value_from_jsonb(document);
	if (result == PH_SCHEMA_INVALID)
		result = ph_schema_violations(contract->schema, &value, limit, violations);
	if (result == PH_SCHEMA_LIMIT)
		note_limit(violations);
	return false;
}

Jsonb *
ph_contract_violations(const PhContract *contract, Datum data, int limit, const char *prefix)
{
	PhViolations violations;

	return check(contract, data, limit, &violations) ? NULL : ph_violations_to_jsonb(&violations, prefix);
}

void
ph_contract_require(const PhContract *contract, Datum data)
{
	PhViolations violations;
	StringInfoData detail;
	int			i;

	if (check(contract, data, DETAIL_VIOLATIONS + 1, &violations))
		return;
	initStringInfo(&detail);
	for (i = 0; i < Min(violations.n, DETAIL_VIOLATIONS); i++)
	{
		if (i > 0)
			appendStringInfoChar(&detail, '\n');
		ph_violation_write(&violations.items[i], &detail);
	}
	if (violations.n > DETAIL_VIOLATIONS)
		appendStringInfoString(&detail, "\nThere are more.");
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("data do not meet version %d of the contract of topic \"%s\"", contract->version, contract->topic),
			 errdetail_internal("%s", detail.data),
			 errhint("Correct the data; the schema is in planthub.contract, and planthub.contract_violations() checks without publishing.")));
}

/* ---- schemas given by value ---- */

static Cached *
find_cached(Jsonb *document, uint64 hash, bool assert_format)
{
	Cached	   *oldest = &cached[0];
	int			i;

	for (i = 0; i < CACHE_ENTRIES; i++)
	{
		Cached	   *entry = &cached[i];

		if (entry->document != NULL && entry->hash == hash && entry->assert_format == assert_format &&
			VARSIZE(entry->document) == VARSIZE(document) &&
			memcmp(entry->document, document, VARSIZE(document)) == 0)
			return entry;
		if (entry->used < oldest->used)
			oldest = entry;
	}
	if (oldest->document != NULL)
	{
		MemoryContextDelete(ph_schema_context(oldest->schema));
		pfree(oldest->document);
		memset(oldest, 0, sizeof(Cached));
	}
	return oldest;
}

const PhSchema *
ph_contract_schema(Jsonb *document, bool assert_format)
{
	uint64		hash;
	Cached	   *entry;

	refresh();
	if (VARSIZE(document) > CACHE_BYTES)
		return ph_schema_compile(document, assert_format, look_up);
	hash = hash_bytes_extended((const unsigned char *) document, (int) VARSIZE(document), 0);
	entry = find_cached(document, hash, assert_format);
	entry->used = ++uses;
	if (entry->document == NULL)
	{
		PhSchema   *schema = compile(document, assert_format);

		MemoryContextReset(scratch);
		entry->document = memcpy(MemoryContextAlloc(cache, VARSIZE(document)), document, VARSIZE(document));
		entry->schema = schema;
		entry->hash = hash;
		entry->assert_format = assert_format;
	}
	return entry->schema;
}
