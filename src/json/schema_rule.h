/*
 * schema_rule.h
 *	  A compiled JSON Schema from the inside; only for src/json/schema*.c.
 *
 * A schema is a graph of subschemas.  Every subschema belongs to a resource (what has a URI of its own), which
 * belongs to a document.  Everything lives in the memory context of the schema and is never changed after compilation.
 */
#ifndef PLANTHUB_SCHEMA_RULE_H
#define PLANTHUB_SCHEMA_RULE_H

#include "utils/hsearch.h"

#include "json/pattern.h"
#include "json/pointer.h"
#include "json/schema.h"
#include "json/schema_format.h"
#include "pg/compat.h"

typedef struct PhDialect
{
	bool		draft07;
	bool		applicator;		/* vocabularies in force */
	bool		validation;
	bool		unevaluated;
	bool		format_assertion;
} PhDialect;

typedef struct PhAnchor
{
	const char *name;
	bool		dynamic;
	PhValue		schema;
	const char *pointer;
} PhAnchor;

typedef struct PhResource
{
	const char *uri;			/* absolute, without fragment; "" when nothing says */
	PhValue		root;
	PhDialect	dialect;
	int			nanchors;
	PhAnchor   *anchors;
	bool		used;			/* has compiled subschemas */
	int			ndynamic;		/* dynamic anchors that a dynamic reference may choose */
	struct PhDynamic *dynamics;
} PhResource;

typedef struct PhDynamic
{
	const char *name;
	const struct PhSubschema *target;
} PhDynamic;

/* A member name with what is asked of it. */
typedef struct PhName
{
	const char *key;
	int			length;
	bool		required;
	const struct PhSubschema *schema;	/* NULL: none */
} PhName;

typedef struct PhPatternRule
{
	const char *source;
	int			length;
	PhRegex    *regex;
	const struct PhSubschema *schema;
} PhPatternRule;

typedef struct PhDependent
{
	const char *key;
	int			length;
	const char *keyword;		/* dependentRequired, dependentSchemas or dependencies */
	int			nrequired;
	PhValue    *required;
	const struct PhSubschema *schema;	/* NULL: names only */
} PhDependent;

typedef struct PhObjectRules
{
	int64		min;			/* -1: none */
	int64		max;
	int			nnames;			/* in the order of members in jsonb */
	PhName	   *names;
	int			npatterns;
	PhPatternRule *patterns;
	const struct PhSubschema *additional;
	const struct PhSubschema *property_names;
	int			ndependents;
	PhDependent *dependents;
} PhObjectRules;

typedef struct PhArrayRules
{
	int64		min;
	int64		max;
	bool		unique;
	int			nprefix;
	const struct PhSubschema **prefix;
	const char *prefix_keyword;
	const struct PhSubschema *rest;
	const char *rest_keyword;
	const struct PhSubschema *contains;
	int64		min_contains;
	int64		max_contains;	/* -1: none */
	bool		marks_contained;	/* contained items count as evaluated */
} PhArrayRules;

typedef struct PhNumberRules
{
	Numeric		minimum;		/* NULL: none */
	Numeric		maximum;
	Numeric		exclusive_minimum;
	Numeric		exclusive_maximum;
	Numeric		multiple_of;
} PhNumberRules;

typedef struct PhStringRules
{
	int64		min;
	int64		max;
	const char *pattern;
	int			pattern_length;
	PhRegex    *regex;
	PhFormat	format;			/* PH_FORMAT_NONE: not asserted */
	const char *format_name;
} PhStringRules;

/* allOf, anyOf, oneOf */
typedef struct PhBranches
{
	int			n;
	const struct PhSubschema **schemas;
} PhBranches;

/* Subschemas for the same place of the instance, and what is left after them. */
typedef struct PhInPlace
{
	const struct PhSubschema *ref;
	const struct PhSubschema *dynamic_ref;	/* the target when no dynamic anchor is found */
	const char *dynamic_name;	/* NULL: it is a plain reference */
	PhBranches	all_of;
	PhBranches	any_of;
	PhBranches	one_of;
	const struct PhSubschema *not;
	const struct PhSubschema *condition;
	const struct PhSubschema *then;
	const struct PhSubschema *otherwise;
	const struct PhSubschema *unevaluated_items;
	const struct PhSubschema *unevaluated_properties;
} PhInPlace;

typedef enum PhVerdict
{
	PH_VERDICT_RULES,
	PH_VERDICT_TRUE,
	PH_VERDICT_FALSE
} PhVerdict;

/* Bits of the keyword "type"; "integer" is a bit of its own besides "number". */
#define PH_TYPE(kind)		(1 << (kind))
#define PH_TYPE_INTEGER		(1 << 7)

typedef struct PhSubschema
{
	PhVerdict	verdict;
	bool		pii;			/* "hub:pii": values are not shown */
	uint8		types;			/* 0: any */
	bool		has_const;
	PhValue		constant;
	int			nenum;			/* -1: no enum */
	PhValue    *enumeration;
	PhValue		enum_value;		/* the array, for messages */
	PhNumberRules *number;		/* each NULL when it has nothing to say */
	PhStringRules *string;
	PhArrayRules *array;
	PhObjectRules *object;
	PhInPlace  *in_place;
	const PhResource *resource;
	const char *pointer;		/* within the resource */
	int			mark;			/* while looking for cycles */
} PhSubschema;

struct PhSchema
{
	MemoryContext context;
	const PhSubschema *root;
	bool		has_pii;
};

/* ---- documents (schema_document.c) ---- */

/* Throws 22023: at the pointer in the resource. */
pg_noreturn extern void ph_schema_refuse(const PhResource *resource, const char *pointer, const char *format,...)
			pg_attribute_printf(3, 4);

typedef struct PhDocuments
{
	PhSchemaLookup lookup;
	int			nresources;
	int			allocated;
	PhResource **resources;
	HTAB	   *roots;			/* resource by the container that is its root */
} PhDocuments;

typedef struct PhLocation
{
	PhResource *resource;
	PhValue		schema;
	const char *pointer;
	const PhAnchor *anchor;		/* it was reached by */
} PhLocation;

extern void ph_documents_init(PhDocuments *documents, PhSchemaLookup lookup);
extern PhResource *ph_documents_add(PhDocuments *documents, const char *uri, const PhValue *root,
									const PhDialect *dialect);

/* Where a reference found in a resource leads; throws with the pointer when it leads nowhere. */
extern PhLocation ph_documents_resolve(PhDocuments *documents, PhResource *from, const char *pointer,
									   const char *reference);
extern PhResource *ph_documents_root(PhDocuments *documents, const PhValue *schema); /* that begins here, or NULL */
extern const PhAnchor *ph_resource_anchor(const PhResource *resource, const char *name, bool dynamic);

/* ---- helpers ---- */

extern char *ph_value_cstring(const PhValue *string);
extern int	ph_numeric_sign(Numeric number);

#endif
