/*
 * node.h
 *	  The tree of an expression, and how it is built.  Pure C.
 */
#ifndef PLANTHUB_NODE_H
#define PLANTHUB_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json/lexer.h"

#define PH_EXPRESSION_DEPTH	300	/* of the tree */

typedef enum PhNodeType
{
	PH_NODE_CURRENT,			/* @, and where nothing is written */
	PH_NODE_ROOT,				/* $ */
	PH_NODE_VARIABLE,			/* text: name */
	PH_NODE_FIELD,				/* text: name; of the current value */
	PH_NODE_LITERAL,			/* text: JSON that the server can take */
	PH_NODE_STRING,				/* text: raw string */
	PH_NODE_INDEX,				/* left[range[0]] */
	PH_NODE_SLICE,				/* left[range[0]:range[1]:range[2]] */
	PH_NODE_SUB,				/* left.right */
	PH_NODE_FLATTEN,			/* left[] */
	PH_NODE_PROJECT_LIST,		/* left, then right for each element: [*] and after [] */
	PH_NODE_PROJECT_SLICE,		/* left is PH_NODE_SLICE; strings are not projected */
	PH_NODE_PROJECT_VALUES,		/* left.*, then right for each */
	PH_NODE_FILTER,				/* left[?third], then right for each */
	PH_NODE_PIPE,				/* left | right */
	PH_NODE_OR,
	PH_NODE_AND,
	PH_NODE_NOT,				/* !left */
	PH_NODE_COMPARE,			/* left operator right */
	PH_NODE_ARITHMETIC,			/* left operator right */
	PH_NODE_SIGN,				/* operator left; plus or minus */
	PH_NODE_TERNARY,			/* left ? right : third */
	PH_NODE_LIST,				/* [list] */
	PH_NODE_HASH,				/* {list of members} */
	PH_NODE_MEMBER,				/* text: key; left */
	PH_NODE_CALL,				/* text: function; list: arguments */
	PH_NODE_REFERENCE,			/* &left, only as argument */
	PH_NODE_LET,				/* list: bindings; left: what they are for */
	PH_NODE_BINDING				/* text: name of variable; left */
} PhNodeType;

typedef enum PhOperator
{
	PH_OPERATOR_NONE,
	PH_OPERATOR_EQUAL,
	PH_OPERATOR_DIFFERENT,
	PH_OPERATOR_LESS,
	PH_OPERATOR_LESS_OR_EQUAL,
	PH_OPERATOR_GREATER,
	PH_OPERATOR_GREATER_OR_EQUAL,
	PH_OPERATOR_PLUS,
	PH_OPERATOR_MINUS,
	PH_OPERATOR_TIMES,
	PH_OPERATOR_DIVIDE,
	PH_OPERATOR_FLOOR_DIVIDE,
	PH_OPERATOR_MODULO
} PhOperator;

typedef struct PhNode
{
	PhNodeType	type;
	PhOperator	operator;
	size_t		offset;			/* of the token that made it */
	int			depth;			/* longest way down to a leaf */
	bool		quoted;			/* PH_NODE_FIELD, PH_NODE_MEMBER: text is a JSON string, with its quotes */
	bool		grouped;		/* was written in parentheses */
	bool		given[3];		/* PH_NODE_SLICE: which parts of the range were written */
	int			length;			/* of text */
	const char *text;
	int64_t		range[3];
	struct PhNode *left;
	struct PhNode *right;
	struct PhNode *third;
	struct PhNode *list;		/* first of n, linked by next */
	struct PhNode *next;
	int			n;
	const void *prepared;		/* the parser leaves it NULL */
} PhNode;

/* Memory that stays as long as the tree; may not return NULL. */
typedef void *(*PhAllocate) (void *arg, size_t size);

typedef struct PhSyntax
{
	const char *fault;			/* NULL: good */
	size_t		offset;			/* where */
	const char *hint;
} PhSyntax;

/* A tree that grows. */
typedef struct PhTree
{
	bool		ascii;			/* see json_text.h */
	PhAllocate	allocate;
	void	   *arg;
	PhSyntax   *syntax;			/* the first fault */
} PhTree;

/* Records the first fault; returns NULL for the caller to return. */
extern PhNode *ph_node_fault(PhTree *tree, size_t offset, const char *fault, const char *hint);

extern PhNode *ph_node_new(PhTree *tree, PhNodeType type, size_t offset);
extern PhNode *ph_node_text(PhTree *tree, PhNodeType type, const PhToken *token);

/* False when the child is NULL, which is a fault that is recorded already, or when the tree becomes too deep. */
extern bool ph_node_adopt(PhTree *tree, PhNode *node, const PhNode *child);

/* Nodes with one child or two; NULL when a child is NULL or the tree becomes too deep. */
extern PhNode *ph_node_over(PhTree *tree, PhNodeType type, size_t offset, PhNode *left);
extern PhNode *ph_node_pair(PhTree *tree, PhNodeType type, size_t offset, PhNode *left, PhNode *right);

/* Appends to the list; tail points at the link to fill. */
extern bool ph_node_append(PhTree *tree, PhNode *node, PhNode ***tail, PhNode *item);

/* In its text, drops a backslash before either of two characters; every other one stays. */
extern void ph_node_unescape(PhTree *tree, PhNode *node, char first, char second);

/* Checks text that must be JSON; start is its place in the expression. */
extern bool ph_node_check_json(PhTree *tree, const char *text, size_t length, size_t start, const char *hint);

#endif
