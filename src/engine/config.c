/*
 * config.c
 *	  The configuration compiled for use.
 *
 * Read from the tables with a latest snapshot: it sees every committed change and this transaction's own, whatever the
 * isolation level.  The trigger on each table invalidates its relation, so backends learn of a change with the messages
 * that every transaction accepts; a change undone by a rollback invalidates again.  What was read before an
 * invalidation arrived counts as old.
 *
 * Each version lives in one memory context, which is deleted when a newer one exists and nobody has pinned it.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "engine/config.h"
#include "engine/config_row.h"
#include "engine/pattern.h"
#include "pg/relations.h"

typedef enum ConfigTable
{
	TABLE_HUB,
	TABLE_SITE,
	TABLE_ENDPOINT,
	TABLE_TOPIC,
	TABLE_LANE,
	TABLE_ROUTE,
	TABLE_PAUSE,
	TABLE_OUTCOME_RULE,
	TABLES
} ConfigTable;

static const char *const table_names[TABLES] = {
	"hub", "site", "endpoint", "topic", "lane", "route", "pause", "outcome_rule"
};

typedef struct Match
{
	int			n;
	const PhRoute *routes[FLEXIBLE_ARRAY_MEMBER];
} Match;

typedef struct Topic
{
	const char *name;
	int			version;
	Match	  **matches;		/* by index of the site; NULL, or elements NULL, until asked for */
} Topic;

typedef struct Pause
{
	const char *scope;
	const char *name;
} Pause;

/* A rule as it is written; those of sets that an endpoint uses are compiled. */
typedef struct Rule
{
	PhOutcomeRule public;		/* not compiled; first: rules are sorted as such */
	const char *condition;
	const char *retry_after;
} Rule;

typedef struct Config
{
	PhConfig	public;			/* first: the two are cast into each other */
	MemoryContext context;
	int			pins;
	int			ntopics;
	Topic	   *topics;			/* by bytes of the name */
	int			nsites;
	const char **sites;			/* by bytes */
	int			npauses;
	Pause	   *pauses;
	int			nrules;
	Rule	   *rules;			/* by set and position */
} Config;

typedef void (*FillElement) (void *element, PhRow *row);

static bool registered = false;
static Oid	table_oids[TABLES];
static uint64 changes = 0;		/* invalidations seen */
static uint64 read_at = 0;		/* their number when current was read */
static Config *current = NULL;	/* NULL: none was read yet */
static uint64 generation = 0;

static void find_tables(void);
static Config *read_config(void);

/* ---- keeping it up to date ---- */

static void
on_relation_change(Datum arg, Oid relation)
{
	int			i;

	for (i = 0; i < TABLES; i++)
	{
		if (relation == table_oids[i] || !OidIsValid(relation))
		{
			changes++;
			return;
		}
	}
}

static void
release(Config *config)
{
	if (config != current && config->pins == 0)
		MemoryContextDelete(config->context);
}

const PhConfig *
ph_config_get(void)
{
	Assert(IsTransactionState());
	if (!registered)
	{
		CacheRegisterRelcacheCallback(on_relation_change, (Datum) 0);
		registered = true;
	}
	AcceptInvalidationMessages();
	if (current == NULL || read_at != changes)
	{
		Config	   *old = current;
		uint64		started;

		find_tables();
		started = changes;
		current = read_config();
		read_at = started;
		if (old != NULL)
			release(old);
	}
	return &current->public;
}

void
ph_config_forget(void)
{
	changes++;
}

void
ph_config_pin(const PhConfig *config)
{
	((Config *) config)->pins++;
}

void
ph_config_unpin(const PhConfig *config)
{
	Config	   *mine = (Config *) config;

	Assert(mine->pins > 0);
	mine->pins--;
	release(mine);
}

/* ---- asking it ---- */

/* The element of a sorted array whose first member compares equal; NULL when there is none. */
static void *
find_by_id(const void *array, int n, Size size, int id)
{
	int			low = 0;

	while (low < n)
	{
		int			middle = low + (n - low) / 2;
		const char *element = (const char *) array + middle * size;
		int			found = *(const int *) element;

		if (found == id)
			return (void *) element;
		if (found < id)
			low = middle + 1;
		else
			n = middle;
	}
	return NULL;
}

static void *
find_by_name(const void *array, int n, Size size, const char *name)
{
	int			low = 0;

	while (low < n)
	{
		int			middle = low + (n - low) / 2;
		const char *element = (const char *) array + middle * size;
		int			order = strcmp(*(const char *const *) element, name);

		if (order == 0)
			return (void *) element;
		if (order < 0)
			low = middle + 1;
		else
			n = middle;
	}
	return NULL;
}

const PhRoute *
ph_config_route(const PhConfig *config, int id)
{
	return find_by_id(config->routes, config->nroutes, sizeof(PhRoute), id);
}

const PhLane *
ph_config_lane(const PhConfig *config, int id)
{
	return find_by_id(config->lanes, config->nlanes, sizeof(PhLane), id);
}

bool
ph_config_key_paused(const PhConfig *config, const char *key)
{
	return find_by_name(config->paused_keys, config->npaused_keys, sizeof(char *), key) != NULL;
}

static Match *
make_match(Config *config, const char *topic, const char *site)
{
	Match	   *match = MemoryContextAlloc(config->context, offsetof(Match, routes) +
										   config->public.nroutes * sizeof(PhRoute *));
	int			i;

	match->n = 0;
	for (i = 0; i < config->public.nroutes; i++)
	{
		PhRoute    *route = &config->public.routes[i];

		if (route->enabled && (strcmp(route->site, "*") == 0 || strcmp(route->site, site) == 0) &&
			ph_pattern_matches(route->topic_pattern, topic))
			match->routes[match->n++] = route;
	}
	return repalloc(match, offsetof(Match, routes) + Max(match->n, 1) * sizeof(PhRoute *));
}

const PhRoute *const *
ph_config_match(const PhConfig *config, const char *topic, const char *site, int *n)
{
	Config	   *mine = (Config *) config;
	Topic	   *known_topic = find_by_name(mine->topics, mine->ntopics, sizeof(Topic), topic);
	const char **known_site = find_by_name(mine->sites, mine->nsites, sizeof(char *), site);
	Match	  **match;

	*n = 0;
	if (known_topic == NULL || known_site == NULL)
		return NULL;
	if (known_topic->matches == NULL)
		known_topic->matches = MemoryContextAllocZero(mine->context, mine->nsites * sizeof(Match *));
	match = &known_topic->matches[known_site - mine->sites];
	if (*match == NULL)
		*match = make_match(mine, topic, site);
	*n = (*match)->n;
	return (*match)->routes;
}

int
ph_config_require_topic(const PhConfig *config, const char *topic)
{
	Config	   *mine = (Config *) config;
	Topic	   *known = find_by_name(mine->topics, mine->ntopics, sizeof(Topic), topic);

	if (known == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("topic \"%s\" does not exist", topic),
				 errhint("Create it with planthub.create_topic(), or look in the table planthub.topic.")));
	return known->version;
}

void
ph_config_require_site(const PhConfig *config, const char *site)
{
	Config	   *mine = (Config *) config;

	if (find_by_name(mine->sites, mine->nsites, sizeof(char *), site) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("site \"%s\" does not exist", site),
				 errhint("Create it with planthub.create_site(), or look in the table planthub.site.")));
}

/* ---- one element from one row ---- */

static void
fill_name(void *element, PhRow *row)
{
	*(const char **) element = ph_row_text(row, "code");
}

static void
fill_topic(void *element, PhRow *row)
{
	Topic	   *topic = element;

	topic->name = ph_row_text(row, "name");
	topic->version = ph_row_int(row, "version");
}

static void
fill_pause(void *element, PhRow *row)
{
	Pause	   *pause = element;

	pause->scope = ph_row_text(row, "scope");
	pause->name = ph_row_text(row, "name");
}

static void
fill_lane(void *element, PhRow *row)
{
	PhLane	   *lane = element;

	lane->id = ph_row_int(row, "id");
	lane->endpoint = ph_row_int(row, "endpoint");	/* made an index later */
	lane->priority = DatumGetInt16(ph_row_value(row, "priority"));
}

static void
compile_condition(PhRoute *route)
{
	PhError		error;

	if (route->condition_text == NULL)
		return;
	route->condition = ph_condition_compile(route->condition_text, &error);
	if (route->condition == NULL)
		route->condition_error = ph_condition_error_text(&error);
}

static void
fill_route(void *element, PhRow *row)
{
	PhRoute    *route = element;

	route->id = ph_row_int(row, "id");
	route->code = ph_row_text(row, "code");
	route->topic_pattern = ph_row_text(row, "topic_pattern");
	route->site = ph_row_text(row, "site");
	route->lane = ph_row_int(row, "lane");
	route->enabled = DatumGetBool(ph_row_value(row, "enabled"));
	route->block = strcmp(ph_row_text(row, "key_policy"), "block") == 0;
	route->expires_after_us = ph_row_interval(row, "expires_after");
	route->condition_text = ph_row_text_or_null(row, "condition");
	route->mapping = ph_row_text_or_null(row, "mapping");
	route->response_mapping = ph_row_text_or_null(row, "response_mapping");
	route->posts = route->response_mapping != NULL || ph_row_interval(row, "acknowledge_within") > 0;
	compile_condition(route);
}

static void
fill_target(PhTarget *target, PhRow *row)
{
	const char *mode = ph_row_text(row, "content_mode");

	target->address = ph_row_text(row, "address");
	target->method = ph_row_text(row, "method");
	target->headers = ph_row_headers(row, "headers");
	target->content_mode = strcmp(mode, "batch") == 0 ? PH_CONTENT_BATCH :
		strcmp(mode, "binary") == 0 ? PH_CONTENT_BINARY :
		strcmp(mode, "plain") == 0 ? PH_CONTENT_PLAIN :
		strcmp(mode, "none") == 0 ? PH_CONTENT_NONE : PH_CONTENT_STRUCTURED;
	target->http2 = strcmp(ph_row_text(row, "http_version"), "2") == 0;
	target->max_in_flight = ph_row_int(row, "max_in_flight");
	target->connect_timeout_ms = (long) ph_row_interval_ms(row, "connect_timeout");
	target->low_speed_timeout_s = (long) ((ph_row_interval_ms(row, "low_speed_timeout") + 999) / 1000);
	target->total_timeout_ms = (long) ph_row_interval_ms(row, "total_timeout");
	target->response_limit = ph_row_int(row, "response_limit");
}

static void
fill_endpoint(void *element, PhRow *row)
{
	PhEndpoint *endpoint = element;

	endpoint->id = ph_row_int(row, "id");
	endpoint->code = ph_row_text(row, "code");
	endpoint->system = ph_row_text(row, "system");
	endpoint->connector = ph_row_text(row, "connector");
	endpoint->idempotent = DatumGetBool(ph_row_value(row, "idempotent"));
	endpoint->max_attempts = ph_row_int(row, "max_attempts");
	endpoint->retry_base_ms = ph_row_interval_ms(row, "retry_base");
	endpoint->retry_cap_ms = ph_row_interval_ms(row, "retry_cap");
	endpoint->breaker_threshold = ph_row_int(row, "breaker_threshold");
	endpoint->outcome_set = ph_row_text_or_null(row, "outcome_set");
	endpoint->xml_profile = ph_row_jsonb_or_null(row, "xml_profile");
	fill_target(&endpoint->target, row);
	endpoint->steps = ph_steps_compile(endpoint->target.address, ph_row_jsonb_or_null(row, "steps"),
									   ph_row_text_or_null(row, "credential"));
	endpoint->batch_size = endpoint->target.content_mode == PH_CONTENT_BATCH ? ph_row_int(row, "batch_size") : 1;
}

static void
fill_rule(void *element, PhRow *row)
{
	Rule	   *rule = element;
	const char *outcome = ph_row_text(row, "outcome");

	rule->public.set = ph_row_text(row, "set");
	rule->public.position = ph_row_int(row, "position");
	rule->public.reason = ph_row_text_or_null(row, "reason");
	rule->condition = ph_row_text(row, "condition");
	rule->retry_after = ph_row_text_or_null(row, "retry_after");
	if (!ph_outcome_parse(outcome, &rule->public.outcome))
		elog(ERROR, "outcome \"%s\" is unknown", outcome);
}

/* Only this server and database may send: a copy has the row, too, but another identity. */
static void
fill_hub(void *element, PhRow *row)
{
	PhConfig   *config = element;
	char	   *id = DatumGetCString(DirectFunctionCall1(uuid_out, ph_row_value(row, "id")));

	strlcpy(config->hub_id, id, sizeof(config->hub_id));
	config->armed = DatumGetInt64(ph_row_value(row, "database_oid")) == (int64) MyDatabaseId &&
		(uint64) DatumGetInt64(ph_row_value(row, "system_identifier")) == GetSystemIdentifier();
}

/* ---- reading everything ---- */

static void
find_tables(void)
{
	int			i;

	for (i = 0; i < TABLES; i++)
		table_oids[i] = ph_relation_oid(table_names[i]);
}

/* All rows of a table as an array in the current context; returns their number. */
static int
read_rows(ConfigTable table, Snapshot snapshot, void *array, Size size, FillElement fill)
{
	Relation	relation = table_open(table_oids[table], AccessShareLock);
	PhRow		row = {relation, table_slot_create(relation, NULL)};
	TableScanDesc scan = table_beginscan(relation, snapshot, 0, NULL);
	int			n = 0;
	int			room = 16;
	char	   *elements = palloc0(room * size);

	while (table_scan_getnextslot(scan, ForwardScanDirection, row.slot))
	{
		if (n == room)
		{
			elements = repalloc_huge(elements, 2 * room * size);
			memset(elements + room * size, 0, room * size);
			room *= 2;
		}
		fill(elements + n++ * size, &row);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(row.slot);
	table_close(relation, AccessShareLock);
	*(void **) array = elements;
	return n;
}

static int
compare_ids(const void *a, const void *b)
{
	int			left = *(const int *) a;
	int			right = *(const int *) b;

	return left < right ? -1 : left > right;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static int
compare_rules(const void *a, const void *b)
{
	const PhOutcomeRule *left = a;
	const PhOutcomeRule *right = b;
	int			order = strcmp(left->set, right->set);

	return order != 0 ? order : left->position < right->position ? -1 : left->position > right->position;
}

static void
read_tables(Config *config, Snapshot snapshot)
{
	PhConfig   *public = &config->public;
	PhConfig   *hub;

	if (read_rows(TABLE_HUB, snapshot, &hub, sizeof(PhConfig), fill_hub) > 0)
	{
		memcpy(public->hub_id, hub->hub_id, sizeof(public->hub_id));
		public->armed = hub->armed;
	}
	config->nsites = read_rows(TABLE_SITE, snapshot, &config->sites, sizeof(char *), fill_name);
	config->ntopics = read_rows(TABLE_TOPIC, snapshot, &config->topics, sizeof(Topic), fill_topic);
	config->npauses = read_rows(TABLE_PAUSE, snapshot, &config->pauses, sizeof(Pause), fill_pause);
	public->nendpoints = read_rows(TABLE_ENDPOINT, snapshot, &public->endpoints, sizeof(PhEndpoint), fill_endpoint);
	public->nlanes = read_rows(TABLE_LANE, snapshot, &public->lanes, sizeof(PhLane), fill_lane);
	public->nroutes = read_rows(TABLE_ROUTE, snapshot, &public->routes, sizeof(PhRoute), fill_route);
	config->nrules = read_rows(TABLE_OUTCOME_RULE, snapshot, &config->rules, sizeof(Rule), fill_rule);

	qsort(config->sites, config->nsites, sizeof(char *), compare_names);
	qsort(config->topics, config->ntopics, sizeof(Topic), compare_names);
	qsort(public->endpoints, public->nendpoints, sizeof(PhEndpoint), compare_ids);
	qsort(public->lanes, public->nlanes, sizeof(PhLane), compare_ids);
	qsort(public->routes, public->nroutes, sizeof(PhRoute), compare_ids);
	qsort(config->rules, config->nrules, sizeof(Rule), compare_rules);
}

static bool
is_paused(Config *config, const char *scope, const char *name)
{
	int			i;

	for (i = 0; i < config->npauses; i++)
	{
		if (strcmp(config->pauses[i].scope, scope) == 0 && strcmp(config->pauses[i].name, name) == 0)
			return true;
	}
	return false;
}

static void
apply_pauses(Config *config)
{
	PhConfig   *public = &config->public;
	int			i;

	for (i = 0; i < public->nendpoints; i++)
	{
		PhEndpoint *endpoint = &public->endpoints[i];

		endpoint->paused = is_paused(config, "endpoint", endpoint->code) ||
			is_paused(config, "system", endpoint->system);
	}
	for (i = 0; i < public->nroutes; i++)
		public->routes[i].paused = is_paused(config, "route", public->routes[i].code);

	public->paused_keys = palloc((config->npauses + 1) * sizeof(char *));
	for (i = 0; i < config->npauses; i++)
	{
		if (strcmp(config->pauses[i].scope, "key") == 0)
			public->paused_keys[public->npaused_keys++] = config->pauses[i].name;
	}
	qsort(public->paused_keys, public->npaused_keys, sizeof(char *), compare_names);
}

/* A foreign key makes sure that the endpoint is there. */
static void
link_lanes(PhConfig *public)
{
	int			i;

	for (i = 0; i < public->nlanes; i++)
	{
		PhEndpoint *endpoint = find_by_id(public->endpoints, public->nendpoints, sizeof(PhEndpoint),
										  public->lanes[i].endpoint);

		if (endpoint == NULL)
			elog(ERROR, "lane %d has no endpoint", public->lanes[i].id);
		public->lanes[i].endpoint = (int) (endpoint - public->endpoints);
	}
}

static void
compile_rule(const Rule *rule, PhOutcomeRule *compiled)
{
	PhError		error;

	*compiled = rule->public;
	compiled->condition = ph_outcome_rule_compile(rule->condition, &error);
	if (compiled->condition != NULL && rule->retry_after != NULL)
	{
		compiled->retry_after = ph_outcome_rule_compile(rule->retry_after, &error);
		if (compiled->retry_after == NULL)
			compiled->condition = NULL;
	}
	if (compiled->condition == NULL)
		compiled->fault = psprintf("outcome rule %d of \"%s\", column %d: %s (%s)", compiled->position, compiled->set,
								   error.column, error.message, error.code);
}

const PhOutcomeRule *
ph_config_compile_rules(const PhConfig *config, const char *set, int *n)
{
	const Config *mine = (const Config *) config;
	PhOutcomeRule *rules = NULL;
	int			i;

	*n = 0;
	for (i = 0; i < mine->nrules; i++)
	{
		if (strcmp(mine->rules[i].public.set, set) != 0)
			continue;
		if (rules == NULL)
			rules = palloc((mine->nrules - i) * sizeof(PhOutcomeRule));
		compile_rule(&mine->rules[i], &rules[(*n)++]);
	}
	return rules;
}

/* Endpoints of one product share its rules. */
static void
link_rules(PhConfig *public, PhEndpoint *endpoint)
{
	const PhEndpoint *other;

	for (other = public->endpoints; other < endpoint; other++)
	{
		if (other->outcome_set != NULL && strcmp(other->outcome_set, endpoint->outcome_set) == 0)
		{
			endpoint->nrules = other->nrules;
			endpoint->rules = other->rules;
			return;
		}
	}
	endpoint->rules = ph_config_compile_rules(public, endpoint->outcome_set, &endpoint->nrules);
}

/* Who looks at answers: rules, and routes with a mapping for them. */
static void
link_answers(Config *config)
{
	PhConfig   *public = &config->public;
	int			i;

	for (i = 0; i < public->nendpoints; i++)
	{
		PhEndpoint *endpoint = &public->endpoints[i];

		if (endpoint->outcome_set != NULL)
			link_rules(public, endpoint);
		endpoint->target.keep_answer = endpoint->nrules > 0 || endpoint->steps != NULL;
	}
	for (i = 0; i < public->nroutes; i++)
	{
		const PhLane *lane = ph_config_lane(public, public->routes[i].lane);

		if (public->routes[i].response_mapping != NULL && lane != NULL)
			public->endpoints[lane->endpoint].target.keep_answer = true;
	}
}

static Config *
read_config(void)
{
	/* A child of the caller's context until it is complete, so that an error frees it. */
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "planthub configuration",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Config	   *config = palloc0(sizeof(Config));
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());

	config->context = context;
	read_tables(config, snapshot);
	UnregisterSnapshot(snapshot);
	apply_pauses(config);
	link_lanes(&config->public);
	link_answers(config);
	config->public.generation = ++generation;

	MemoryContextSwitchTo(old);
	MemoryContextSetParent(context, CacheMemoryContext);
	return config;
}
