/*
 * template.h
 *	  Templates of mappings (planthub.mapping/1), compiled: JSON shaped like the output, whose leaves are expressions.
 *
 * Compiling reads no table; what a template refers to comes from the caller.  Everything compiled is in the memory
 * context that was current, and points into the template given, which must stay.
 */
#ifndef PLANTHUB_TEMPLATE_H
#define PLANTHUB_TEMPLATE_H

#include "json/jmespath.h"
#include "json/problem.h"

#define PH_TEMPLATE_DEPTH	64
#define PH_TEMPLATE_NODES	5000
#define PH_LEAF_MAX			4096	/* bytes of an expression */

typedef enum PhTemplateKind
{
	PH_TEMPLATE_LITERAL,
	PH_TEMPLATE_LEAF,			/* expression */
	PH_TEMPLATE_ARRAY,
	PH_TEMPLATE_OBJECT,
	PH_TEMPLATE_VALUE,
	PH_TEMPLATE_EACH,
	PH_TEMPLATE_MAP,
	PH_TEMPLATE_IF,
	PH_TEMPLATE_SWITCH,
	PH_TEMPLATE_LET,
	PH_TEMPLATE_MERGE,
	PH_TEMPLATE_USE,
	PH_TEMPLATE_CALL,
	PH_TEMPLATE_FAIL
} PhTemplateKind;

typedef enum PhNulls
{
	PH_NULLS_UNSET,				/* of a directive: as the options say */
	PH_NULLS_OMIT,
	PH_NULLS_KEEP,
	PH_NULLS_ERROR
} PhNulls;

typedef enum PhType
{
	PH_TYPE_ANY,
	PH_TYPE_STRING,
	PH_TYPE_NUMBER,
	PH_TYPE_INTEGER,
	PH_TYPE_BOOLEAN,
	PH_TYPE_DATE,
	PH_TYPE_TIMESTAMP
} PhType;

typedef struct PhLeaf
{
	const PhExpression *expression;
	const char *text;			/* without "=" */
	const char *pointer;		/* its place in the template, a JSON Pointer */
	const PhPath *path;			/* NULL: it computes */
} PhLeaf;

typedef struct PhTemplate PhTemplate;

typedef struct PhTemplateMember
{
	const char *key;			/* terminated; of an object, a case, a variable */
	int			length;
	const PhTemplate *value;
} PhTemplateMember;

struct PhTemplate
{
	PhTemplateKind kind;
	int			number;			/* from 0, counted in its unit */
	const char *pointer;
	PhValue		literal;
	const PhLeaf *leaf;			/* leaf; the expression after $each, $map, $if, $switch, $fail */
	const PhLeaf *where;		/* $where */
	const PhLeaf *order;		/* $sort */
	const PhLeaf *key;			/* $key */
	const char *name;			/* $as; name of $call */
	int			name_length;
	bool		uses_index;		/* $index, $count: only then are they computed */
	bool		uses_count;
	int			n;
	const PhTemplateMember *members;	/* object, array, $cases, $let in order of dependence, $merge */
	const PhTemplate *body;		/* $do, $then, $value, $with */
	const PhTemplate *other;	/* $else, $default */
	PhNulls		nulls;			/* $null */
	PhType		type;			/* $type */
	const char *label;			/* $label */
	void	   *target;			/* $use: PhTemplateUnit; $call: what the caller made of the name */
};

typedef struct PhOptions
{
	PhNulls		nulls;
	bool		empty_is_null;
	int			max_errors;
	int64		budget;
	int64		max_output;		/* bytes */
	const char *timezone;		/* NULL: of the site */
	PhValue		extra;			/* for lint: pointers of what the output has beyond its contract; null: nothing */
} PhOptions;

/* One mapping, compiled; those that it uses are units of their own. */
typedef struct PhTemplateUnit
{
	const char *id;				/* name@version[:site] */
	const char *name;
	int			version;
	const char *site;
	PhOptions	options;
	const PhTemplate *root;
	int			nnodes;
	const PhTemplate **nodes;	/* by number */
	int			first;			/* number of its first node among those of all units */
	bool		uses_env;		/* reads $env */
} PhTemplateUnit;

/* Resolves names; returns NULL and sets *message when there is none. */
typedef struct PhResolver
{
	void	   *(*use) (void *arg, const char *reference, const char **message);
	void	   *(*call) (void *arg, const char *name, const char **message);
	void	   *arg;
} PhResolver;

/* False: see the problems.  Fills in root, nodes and nnodes of the unit. */
extern bool ph_template_compile(PhTemplateUnit *unit, const PhValue *source, const PhResolver *resolver,
								PhProblems *errors);

/* Reads the options of a mapping. */
extern bool ph_options_read(PhOptions *options, const PhValue *source, PhProblems *errors);

#endif
