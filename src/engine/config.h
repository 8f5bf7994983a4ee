/*
 * config.h
 *	  The configuration compiled for use: routes for publish(), endpoints and lanes for the worker.  Kept per backend,
 *	  thrown away when one of its tables changes (the triggers on them invalidate the relation), read again with the
 *	  newest snapshot, so a change takes effect with its commit.
 */
#ifndef PLANTHUB_CONFIG_H
#define PLANTHUB_CONFIG_H

#include "connector/connector.h"
#include "datatype/timestamp.h"
#include "engine/condition.h"
#include "engine/outcome_rule.h"
#include "engine/steps.h"

typedef struct PhRoute
{
	int			id;
	const char *code;
	const char *topic_pattern;
	const char *site;
	int			lane;
	bool		enabled;
	bool		block;				/* key policy */
	bool		paused;
	int64		expires_after_us;	/* 0: never */
	const char *condition_text; /* NULL: none */
	const PhExpression *condition;	/* NULL: none, or it cannot be compiled */
	const char *mapping;		/* reference; NULL: the data as it is */
	const char *condition_error;	/* why it cannot; only when somebody wrote the table directly */
	const char *response_mapping;	/* reference of what reads the answer of a success; NULL: none */
	bool		posts;				/* delivered is not the end: what the target did is recorded, see posting.h */
} PhRoute;

typedef struct PhLane
{
	int			id;
	int			endpoint;			/* index into PhConfig.endpoints */
	int			priority;
} PhLane;

typedef struct PhEndpoint
{
	int			id;
	const char *code;
	const char *system;
	const char *connector;
	bool		paused;				/* itself or its system */
	bool		idempotent;
	int			max_attempts;
	int64		retry_base_ms;
	int64		retry_cap_ms;
	int			breaker_threshold;
	int			batch_size;			/* 1 unless content mode is batch */
	Jsonb	   *xml_profile;		/* the data are sent as XML; NULL: as JSON */
	const char *outcome_set;	/* NULL: none */
	int			nrules;
	const PhOutcomeRule *rules;	/* of its set, in their order */
	const PhSteps *steps;		/* what is asked besides; NULL: nothing */
	PhTarget	target;
} PhEndpoint;

typedef struct PhConfig
{
	uint64		generation;			/* differs whenever the contents may differ */
	int			nroutes;
	PhRoute    *routes;				/* by id */
	int			nlanes;
	PhLane	   *lanes;				/* by id */
	int			nendpoints;
	PhEndpoint *endpoints;			/* by id */
	int			npaused_keys;
	const char **paused_keys;		/* sorted by bytes */
	char		hub_id[37];
	bool		armed;				/* this server and database may send */
} PhConfig;

/*
 * The configuration now; needs a transaction.  Valid until the next call in this backend returns another generation;
 * the worker, whose requests outlive transactions, pins what it uses.
 */
extern const PhConfig *ph_config_get(void);
/* Read it again at the next call: a committing backend wakes the workers before it sends its invalidations. */
extern void ph_config_forget(void);

extern void ph_config_pin(const PhConfig *config);	/* keep it although a newer one exists */
extern void ph_config_unpin(const PhConfig *config);

extern const PhRoute *ph_config_route(const PhConfig *config, int id);	/* NULL when it is gone */
extern const PhLane *ph_config_lane(const PhConfig *config, int id);
extern bool ph_config_key_paused(const PhConfig *config, const char *key);

/* The rules of a set, compiled in the current memory context, in their order; NULL when it has none. */
extern const PhOutcomeRule *ph_config_compile_rules(const PhConfig *config, const char *set, int *n);

/* Routes that take (topic, site), enabled ones only; a cached array, in the order of their ids. */
extern const PhRoute *const *ph_config_match(const PhConfig *config, const char *topic, const char *site, int *n);

/* 42704 with a hint when absent; version of the topic's contract. */
extern int	ph_config_require_topic(const PhConfig *config, const char *topic);
extern void ph_config_require_site(const PhConfig *config, const char *site);

#endif
