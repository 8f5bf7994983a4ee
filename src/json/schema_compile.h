/*
 * schema_compile.h
 *	  A JSON Schema while it is compiled; only for src/json/schema*.c.
 */
#ifndef PLANTHUB_SCHEMA_COMPILE_H
#define PLANTHUB_SCHEMA_COMPILE_H

#include "json/schema_rule.h"

typedef struct PhCompilation
{
	PhSchema   *schema;
	PhDocuments documents;
	HTAB	   *known;				/* subschema by its container */
	int			nsubschemas;
	bool		assert_format;
	int			nrules;
	int			allocated;
	PhSubschema **rules;			/* those with keywords */
	int			ndynamic;
	const char **dynamic;			/* names that dynamic references ask for */
} PhCompilation;

/* A keyword where it stands. */
typedef struct PhSite
{
	PhCompilation *c;
	PhSubschema *s;
	PhResource *resource;
	const PhValue *schema;
	const PhValue *value;
	const char *keyword;
	const char *pointer;			/* of the keyword */
} PhSite;

typedef enum PhVocabulary
{
	PH_VOCABULARY_CORE,
	PH_VOCABULARY_APPLICATOR,
	PH_VOCABULARY_VALIDATION,
	PH_VOCABULARY_UNEVALUATED
} PhVocabulary;

typedef struct PhKeyword
{
	const char *name;
	void		(*compile) (PhSite *site);
	PhVocabulary vocabulary;
	bool		draft07;
	bool		draft2020;
} PhKeyword;

/* NULL: the keyword is unknown in the dialect, or says nothing there. */
extern const PhKeyword *ph_keyword_find(const char *name, int length, const PhDialect *dialect);

/* The subschema for a schema that stands there; found again when it was compiled before. */
extern const PhSubschema *ph_subschema_compile(PhCompilation *c, PhResource *resource, const PhValue *schema,
											   const char *pointer);

#endif
