/*
 * contract.h
 *	  Contracts: versions of the JSON Schema that the data of a topic have to meet, compiled and kept per backend.
 */
#ifndef PLANTHUB_CONTRACT_H
#define PLANTHUB_CONTRACT_H

#include "datatype/timestamp.h"
#include "json/schema.h"

typedef enum PhContractStatus
{
	PH_CONTRACT_DRAFT,
	PH_CONTRACT_ACTIVE,
	PH_CONTRACT_DEPRECATED,
	PH_CONTRACT_RETIRED
} PhContractStatus;

typedef struct PhContract
{
	char	   *topic;
	int			version;
	PhContractStatus status;
	bool		has_sunset;
	TimestampTz sunset;
	PhSchema   *schema;
} PhContract;

/* What a violation of the limits of evaluation has as keyword. */
#define PH_CONTRACT_LIMIT_KEYWORD	"planthub:limit"

/*
 * The contract of a topic and version; NULL when there is none.  Needs a transaction; valid until the next call in
 * this backend.  Throws when its schema does not compile (any more).
 */
extern const PhContract *ph_contract_find(const char *topic, int version);

/* Whether messages may still come under it: active, or deprecated and not past its sunset. */
extern bool ph_contract_accepted(const PhContract *contract);

/* Whether the topic has a contract of any version. */
extern bool ph_contract_has_any(const char *topic);

/*
 * NULL when the data (jsonb) meet the contract; else an array of violations in the current memory context, at most
 * limit of them.  Bad data never make it throw.
 */
extern Jsonb *ph_contract_violations(const PhContract *contract, Datum data, int limit, const char *prefix);

/* Throws 23514 with the violations in DETAIL. */
extern void ph_contract_require(const PhContract *contract, Datum data);

/* Any schema, compiled or from the cache of those used last; valid until the next call in this backend. */
extern const PhSchema *ph_contract_schema(Jsonb *document, bool assert_format);

#endif
