/*
 * parser.c
 *	  Expressions as trees: a Pratt parser with the binding powers of the reference implementation of JMESPath, and
 *	  those of the Community edition between them.
 *
 * One thing is allowed beyond the grammar: a number may be written without back-ticks, except alone as an element of
 * [...], where JMESPath expects an index.  Depth is bounded while the tree grows, so that nobody who walks it later has
 * to fear for the stack.  Pure C: this file cannot throw.
 */
#include "json/parser.h"

#include <string.h>

#include "json/json_text.h"

#ifdef POSTGRES_H
#error "parser.c must not include postgres.h"
#endif

/* How strongly a token binds what stands to its left; 0: it does not. */
enum
{
	POWER_NONE = 0, POWER_PIPE = 1, POWER_TERNARY = 2, POWER_OR = 3, POWER_AND = 4, POWER_COMPARE = 5, POWER_SUM = 6,
	POWER_PRODUCT = 7, POWER_SIGN = 8, POWER_FLATTEN = 9, POWER_PROJECTION_STOP = 10, POWER_STAR = 20, POWER_FILTER = 21,
	POWER_DOT = 40, POWER_NOT = 45, POWER_BRACKET = 55
};

/* Tokens that continue what stands to their left. */
static const struct
{
	int			power;
	PhOperator	operator;
}			infix[PH_TOKENS] = {
	[PH_TOKEN_PIPE] = {POWER_PIPE, PH_OPERATOR_NONE},
	[PH_TOKEN_QUESTION] = {POWER_TERNARY, PH_OPERATOR_NONE},
	[PH_TOKEN_OR] = {POWER_OR, PH_OPERATOR_NONE},
	[PH_TOKEN_AND] = {POWER_AND, PH_OPERATOR_NONE},
	[PH_TOKEN_EQUAL] = {POWER_COMPARE, PH_OPERATOR_EQUAL},
	[PH_TOKEN_DIFFERENT] = {POWER_COMPARE, PH_OPERATOR_DIFFERENT},
	[PH_TOKEN_LESS] = {POWER_COMPARE, PH_OPERATOR_LESS},
	[PH_TOKEN_LESS_OR_EQUAL] = {POWER_COMPARE, PH_OPERATOR_LESS_OR_EQUAL},
	[PH_TOKEN_GREATER] = {POWER_COMPARE, PH_OPERATOR_GREATER},
	[PH_TOKEN_GREATER_OR_EQUAL] = {POWER_COMPARE, PH_OPERATOR_GREATER_OR_EQUAL},
	[PH_TOKEN_PLUS] = {POWER_SUM, PH_OPERATOR_PLUS},
	[PH_TOKEN_MINUS] = {POWER_SUM, PH_OPERATOR_MINUS},
	[PH_TOKEN_STAR] = {POWER_PRODUCT, PH_OPERATOR_TIMES},
	[PH_TOKEN_TIMES] = {POWER_PRODUCT, PH_OPERATOR_TIMES},
	[PH_TOKEN_DIVIDE] = {POWER_PRODUCT, PH_OPERATOR_DIVIDE},
	[PH_TOKEN_FLOOR_DIVIDE] = {POWER_PRODUCT, PH_OPERATOR_FLOOR_DIVIDE},
	[PH_TOKEN_MODULO] = {POWER_PRODUCT, PH_OPERATOR_MODULO},
	[PH_TOKEN_FLATTEN] = {POWER_FLATTEN, PH_OPERATOR_NONE},
	[PH_TOKEN_FILTER] = {POWER_FILTER, PH_OPERATOR_NONE},
	[PH_TOKEN_DOT] = {POWER_DOT, PH_OPERATOR_NONE},
	[PH_TOKEN_LEFT_BRACKET] = {POWER_BRACKET, PH_OPERATOR_NONE}
};

#define INDEX_LIMIT	INT32_MAX	/* no array has more elements, so more is as good as this */

typedef struct Parser
{
	const char *text;
	size_t		length;
	PhTree		tree;
	PhToken		token;			/* the next one to take */
	int			depth;			/* of the recursion */
} Parser;

static PhNode *parse_expression(Parser *parser, int power);
static PhNode *parse_projected(Parser *parser, int power);

/* ---- tokens ---- */

static PhNode *
fault_here(Parser *parser, const char *fault)
{
	if (parser->token.type == PH_TOKEN_FAULT)
		return ph_node_fault(&parser->tree, parser->token.start, parser->token.fault, NULL);
	if (parser->token.type == PH_TOKEN_END)
		return ph_node_fault(&parser->tree, parser->token.start, "expression ends too early", NULL);
	return ph_node_fault(&parser->tree, parser->token.start, fault, NULL);
}

static PhToken
peek(Parser *parser)
{
	return ph_lexer_next(parser->text, parser->length, parser->token.end);
}

static PhToken
take(Parser *parser)
{
	PhToken		token = parser->token;

	parser->token = peek(parser);
	return token;
}

static bool
take_if(Parser *parser, PhTokenType type)
{
	if (parser->token.type != type)
		return false;
	(void) take(parser);
	return true;
}

static bool
expect(Parser *parser, PhTokenType type, const char *fault)
{
	if (take_if(parser, type))
		return true;
	(void) fault_here(parser, fault);
	return false;
}

static bool
word_is(const PhToken *token, const char *word)
{
	return token->type == PH_TOKEN_IDENTIFIER && token->length == (int) strlen(word) &&
		memcmp(token->text, word, token->length) == 0;
}

static PhNode *
current(Parser *parser)
{
	return ph_node_new(&parser->tree, PH_NODE_CURRENT, parser->token.start);
}

/* ---- leaves ---- */

static PhNode *
parse_literal(Parser *parser)
{
	PhToken		token = take(parser);
	PhNode	   *node = ph_node_text(&parser->tree, PH_NODE_LITERAL, &token);

	ph_node_unescape(&parser->tree, node, '`', '`');
	return ph_node_check_json(&parser->tree, node->text, node->length, token.start + 1, "Write text as 'text'.") ? node : NULL;
}

static PhNode *
parse_raw(Parser *parser)
{
	PhToken		token = take(parser);
	PhNode	   *node = ph_node_text(&parser->tree, PH_NODE_STRING, &token);

	ph_node_unescape(&parser->tree, node, '\'', '\\');
	return node;
}

static PhNode *
parse_number(Parser *parser)
{
	PhToken		token = take(parser);

	if (!ph_json_text_number(token.text, token.length))
		return ph_node_fault(&parser->tree, token.start, "number has leading zeros or too many digits", NULL);
	return ph_node_text(&parser->tree, PH_NODE_LITERAL, &token);
}

static PhNode *
parse_quoted(Parser *parser)
{
	PhToken		token = take(parser);

	if (!ph_node_check_json(&parser->tree, token.text, token.length, token.start, NULL))
		return NULL;
	if (parser->token.type == PH_TOKEN_LEFT_PAREN)
		return ph_node_fault(&parser->tree, token.start, "name of a function must not be quoted", NULL);
	return ph_node_text(&parser->tree, PH_NODE_FIELD, &token);
}

/* ---- functions, let ---- */

static PhNode *
parse_argument(Parser *parser)
{
	PhToken		token = parser->token;

	if (take_if(parser, PH_TOKEN_REFERENCE))
		return ph_node_over(&parser->tree, PH_NODE_REFERENCE, token.start, parse_expression(parser, POWER_NONE));
	return parse_expression(parser, POWER_NONE);
}

static PhNode *
parse_call(Parser *parser, const PhToken *name)
{
	PhNode	   *node = ph_node_text(&parser->tree, PH_NODE_CALL, name);
	PhNode	  **tail = &node->list;

	(void) take(parser);
	if (take_if(parser, PH_TOKEN_RIGHT_PAREN))
		return node;
	do
	{
		if (!ph_node_append(&parser->tree, node, &tail, parse_argument(parser)))
			return NULL;
	} while (take_if(parser, PH_TOKEN_COMMA));
	return expect(parser, PH_TOKEN_RIGHT_PAREN, "expected \",\" or \")\" after an argument") ? node : NULL;
}

/* "let" has been taken. */
static PhNode *
parse_let(Parser *parser, const PhToken *let)
{
	PhNode	   *node = ph_node_text(&parser->tree, PH_NODE_LET, let);
	PhNode	  **tail = &node->list;

	do
	{
		PhToken		name = parser->token;
		PhNode	   *binding;

		if (!expect(parser, PH_TOKEN_VARIABLE, "expected a variable after \"let\" or \",\"") ||
			!expect(parser, PH_TOKEN_ASSIGN, "expected \"=\" after the variable"))
			return NULL;
		binding = ph_node_text(&parser->tree, PH_NODE_BINDING, &name);
		binding->left = parse_expression(parser, POWER_NONE);
		if (!ph_node_adopt(&parser->tree, binding, binding->left) || !ph_node_append(&parser->tree, node, &tail, binding))
			return NULL;
	} while (take_if(parser, PH_TOKEN_COMMA));
	if (!word_is(&parser->token, "in"))
		return fault_here(parser, "expected \",\" or \"in\" after a binding of \"let\"");
	(void) take(parser);
	node->left = parse_expression(parser, POWER_NONE);
	return ph_node_adopt(&parser->tree, node, node->left) ? node : NULL;
}

static PhNode *
parse_name(Parser *parser)
{
	PhToken		token = take(parser);

	if (parser->token.type == PH_TOKEN_LEFT_PAREN)
		return parse_call(parser, &token);
	if (word_is(&token, "let") && parser->token.type == PH_TOKEN_VARIABLE)
		return parse_let(parser, &token);
	return ph_node_text(&parser->tree, PH_NODE_FIELD, &token);
}

/* ---- brackets and braces ---- */

/* [-]digits */
static bool
parse_integer(Parser *parser, int64_t *value)
{
	PhToken		token = take(parser);
	bool		negative = token.type == PH_TOKEN_MINUS;
	int			i;

	if (negative)
	{
		if (parser->token.start != token.end)
			return false;
		token = take(parser);
	}
	if (token.type != PH_TOKEN_NUMBER)
		return false;
	*value = 0;
	for (i = 0; i < token.length; i++)
	{
		if (token.text[i] < '0' || token.text[i] > '9')
			return false;
		if (*value < INDEX_LIMIT)
			*value = *value * 10 + (token.text[i] - '0');
	}
	if (negative)
		*value = -*value;
	return true;
}

/* Whether an index or a slice follows the bracket that is the next token, and not an element of a list. */
static bool
range_follows(Parser *parser)
{
	PhToken		token = peek(parser);

	if (token.type == PH_TOKEN_MINUS)
		token = ph_lexer_next(parser->text, parser->length, token.end);
	if (token.type == PH_TOKEN_NUMBER)
		token = ph_lexer_next(parser->text, parser->length, token.end);
	return token.type == PH_TOKEN_COLON || token.type == PH_TOKEN_RIGHT_BRACKET;
}

/* An index or slice of left; the bracket is the next token. */
static PhNode *
parse_range(Parser *parser, PhNode *left)
{
	size_t		offset = take(parser).start;
	PhNode	   *node;
	int			part = 0;

	node = ph_node_over(&parser->tree, PH_NODE_INDEX, offset, left);
	if (node == NULL)
		return NULL;
	while (parser->token.type != PH_TOKEN_RIGHT_BRACKET)
	{
		if (parser->token.type == PH_TOKEN_COLON)
		{
			node->type = PH_NODE_SLICE;
			if (++part > 2)
				return fault_here(parser, "a slice has at most three parts");
			(void) take(parser);
		}
		else if (node->given[part] || parser->token.type == PH_TOKEN_END || parser->token.type == PH_TOKEN_FAULT)
			return fault_here(parser, "expected \":\" or \"]\"");
		else if (parse_integer(parser, &node->range[part]))
			node->given[part] = true;
		else
			return ph_node_fault(&parser->tree, offset, "index or slice must be made of whole numbers", NULL);
	}
	if (node->type == PH_NODE_INDEX && !node->given[0])
		return fault_here(parser, "index is missing");
	(void) take(parser);
	if (node->type == PH_NODE_INDEX)
		return node;
	return ph_node_pair(&parser->tree, PH_NODE_PROJECT_SLICE, offset, node, parse_projected(parser, POWER_STAR));
}

/* Numbers alone are refused: with brackets around them they look like an index. */
static PhNode *
parse_element(Parser *parser)
{
	size_t		offset = parser->token.start;
	bool		number = parser->token.type == PH_TOKEN_NUMBER;
	PhNode	   *node = parse_expression(parser, POWER_NONE);

	if (node != NULL && number && node->type == PH_NODE_LITERAL && !node->grouped)
		return ph_node_fault(&parser->tree, offset, "number alone cannot be an element of a list",
						"Write it between back-ticks, such as `1`.");
	return node;
}

static PhNode *
parse_list(Parser *parser)
{
	PhNode	   *node = ph_node_new(&parser->tree, PH_NODE_LIST, take(parser).start);
	PhNode	  **tail = &node->list;

	do
	{
		if (!ph_node_append(&parser->tree, node, &tail, parse_element(parser)))
			return NULL;
	} while (take_if(parser, PH_TOKEN_COMMA));
	return expect(parser, PH_TOKEN_RIGHT_BRACKET, "expected \",\" or \"]\" after an element") ? node : NULL;
}

static PhNode *
parse_member(Parser *parser)
{
	PhToken		key = parser->token;
	PhNode	   *node;

	if (key.type != PH_TOKEN_IDENTIFIER && key.type != PH_TOKEN_QUOTED)
		return fault_here(parser, "expected a key");
	(void) take(parser);
	if (key.type == PH_TOKEN_QUOTED && !ph_node_check_json(&parser->tree, key.text, key.length, key.start, NULL))
		return NULL;
	if (!expect(parser, PH_TOKEN_COLON, "expected \":\" after a key"))
		return NULL;
	node = ph_node_text(&parser->tree, PH_NODE_MEMBER, &key);
	node->left = parse_expression(parser, POWER_NONE);
	return ph_node_adopt(&parser->tree, node, node->left) ? node : NULL;
}

static PhNode *
parse_hash(Parser *parser)
{
	PhNode	   *node = ph_node_new(&parser->tree, PH_NODE_HASH, take(parser).start);
	PhNode	  **tail = &node->list;

	do
	{
		if (!ph_node_append(&parser->tree, node, &tail, parse_member(parser)))
			return NULL;
	} while (take_if(parser, PH_TOKEN_COMMA));
	return expect(parser, PH_TOKEN_RIGHT_BRACE, "expected \",\" or \"}\" after a member") ? node : NULL;
}

/* ---- projections ---- */

/*
 * What may follow a dot.  A list or hash ends a projection, as in the reference implementation: what is written behind it
 * is for the whole result.
 */
static PhNode *
parse_after_dot(Parser *parser, int power)
{
	switch (parser->token.type)
	{
		case PH_TOKEN_IDENTIFIER:
		case PH_TOKEN_QUOTED:
		case PH_TOKEN_STAR:
			return parse_expression(parser, power);
		case PH_TOKEN_LEFT_BRACE:
			return parse_hash(parser);
		case PH_TOKEN_LEFT_BRACKET:
			return parse_list(parser);
		default:
			return fault_here(parser, "expected a name, \"*\", \"[\" or \"{\" after \".\"");
	}
}

/* What a projection does with each element. */
static PhNode *
parse_projected(Parser *parser, int power)
{
	switch (parser->token.type)
	{
		case PH_TOKEN_LEFT_BRACKET:
		case PH_TOKEN_FILTER:
			return parse_expression(parser, power);
		case PH_TOKEN_DOT:
			(void) take(parser);
			return parse_after_dot(parser, power);
		default:
			if (infix[parser->token.type].power < POWER_PROJECTION_STOP)
				return current(parser);
			return fault_here(parser, "unexpected text after a projection");
	}
}

static PhNode *
parse_values(Parser *parser, PhNode *left)
{
	size_t		offset = take(parser).start;

	return ph_node_pair(&parser->tree, PH_NODE_PROJECT_VALUES, offset, left, parse_projected(parser, POWER_STAR));
}

static PhNode *
parse_flatten(Parser *parser, PhNode *left)
{
	size_t		offset = take(parser).start;
	PhNode	   *flat = ph_node_over(&parser->tree, PH_NODE_FLATTEN, offset, left);

	if (flat == NULL)
		return NULL;
	return ph_node_pair(&parser->tree, PH_NODE_PROJECT_LIST, offset, flat, parse_projected(parser, POWER_FLATTEN));
}

static PhNode *
parse_filter(Parser *parser, PhNode *left)
{
	size_t		offset = take(parser).start;
	PhNode	   *condition = parse_expression(parser, POWER_NONE);
	PhNode	   *node;

	if (condition == NULL || !expect(parser, PH_TOKEN_RIGHT_BRACKET, "expected \"]\" after a filter"))
		return NULL;
	node = ph_node_pair(&parser->tree, PH_NODE_FILTER, offset, left,
					 parser->token.type == PH_TOKEN_FLATTEN ? current(parser) : parse_projected(parser, POWER_FILTER));
	if (node == NULL)
		return NULL;
	node->third = condition;
	return ph_node_adopt(&parser->tree, node, condition) ? node : NULL;
}

/* A bracket; left is NULL at the beginning of an expression. */
static PhNode *
parse_bracket(Parser *parser, PhNode *left)
{
	PhToken		next = peek(parser);

	if (next.type == PH_TOKEN_STAR &&
		ph_lexer_next(parser->text, parser->length, next.end).type == PH_TOKEN_RIGHT_BRACKET)
	{
		size_t		offset = take(parser).start;

		(void) take(parser);
		(void) take(parser);
		return ph_node_pair(&parser->tree, PH_NODE_PROJECT_LIST, offset, left != NULL ? left : current(parser),
						 parse_projected(parser, POWER_STAR));
	}
	if (left != NULL || range_follows(parser))
		return parse_range(parser, left != NULL ? left : current(parser));
	return parse_list(parser);
}

/* ---- operators ---- */

static PhNode *
parse_prefix(Parser *parser, PhNodeType type, int power)
{
	PhToken		token = take(parser);
	PhNode	   *node = ph_node_over(&parser->tree, type, token.start, parse_expression(parser, power));

	if (node != NULL)
		node->operator = infix[token.type].operator;
	return node;
}

static PhNode *
parse_infix(Parser *parser, PhNodeType type, PhNode *left)
{
	PhToken		token = take(parser);
	PhNode	   *right = parse_expression(parser, infix[token.type].power);
	PhNode	   *node;

	if (right == NULL)
		return NULL;
	node = ph_node_pair(&parser->tree, type, token.start, left, right);
	if (node != NULL)
		node->operator = infix[token.type].operator;
	return node;
}

static PhNode *
parse_ternary(Parser *parser, PhNode *left)
{
	size_t		offset = take(parser).start;
	PhNode	   *good = parse_expression(parser, POWER_NONE);
	PhNode	   *node;

	if (good == NULL || !expect(parser, PH_TOKEN_COLON, "expected \":\" of \"? :\""))
		return NULL;
	node = ph_node_pair(&parser->tree, PH_NODE_TERNARY, offset, left, good);
	if (node == NULL)
		return NULL;
	node->third = parse_expression(parser, POWER_TERNARY - 1);
	return ph_node_adopt(&parser->tree, node, node->third) ? node : NULL;
}

static PhNode *
parse_group(Parser *parser)
{
	PhNode	   *node;

	(void) take(parser);
	node = parse_expression(parser, POWER_NONE);
	if (node == NULL || !expect(parser, PH_TOKEN_RIGHT_PAREN, "expected \")\""))
		return NULL;
	node->grouped = true;
	return node;
}

/* ---- expressions ---- */

static PhNode *
parse_start(Parser *parser)
{
	PhToken		token = parser->token;

	switch (token.type)
	{
		case PH_TOKEN_IDENTIFIER:
			return parse_name(parser);
		case PH_TOKEN_QUOTED:
			return parse_quoted(parser);
		case PH_TOKEN_RAW:
			return parse_raw(parser);
		case PH_TOKEN_LITERAL:
			return parse_literal(parser);
		case PH_TOKEN_NUMBER:
			return parse_number(parser);
		case PH_TOKEN_VARIABLE:
			(void) take(parser);
			return ph_node_text(&parser->tree, PH_NODE_VARIABLE, &token);
		case PH_TOKEN_ROOT:
			return ph_node_new(&parser->tree, PH_NODE_ROOT, take(parser).start);
		case PH_TOKEN_CURRENT:
			return ph_node_new(&parser->tree, PH_NODE_CURRENT, take(parser).start);
		case PH_TOKEN_STAR:
			return parse_values(parser, current(parser));
		case PH_TOKEN_FLATTEN:
			return parse_flatten(parser, current(parser));
		case PH_TOKEN_FILTER:
			return parse_filter(parser, current(parser));
		case PH_TOKEN_LEFT_BRACKET:
			return parse_bracket(parser, NULL);
		case PH_TOKEN_LEFT_BRACE:
			return parse_hash(parser);
		case PH_TOKEN_LEFT_PAREN:
			return parse_group(parser);
		case PH_TOKEN_NOT:
			return parse_prefix(parser, PH_NODE_NOT, POWER_NOT);
		case PH_TOKEN_PLUS:
		case PH_TOKEN_MINUS:
			return parse_prefix(parser, PH_NODE_SIGN, POWER_SIGN);
		case PH_TOKEN_REFERENCE:
			return fault_here(parser, "\"&\" is only for arguments of functions");
		default:
			return fault_here(parser, "expected an expression");
	}
}

/* The next token continues the expression on its left. */
static PhNode *
parse_more(Parser *parser, PhNode *left)
{
	size_t		offset = parser->token.start;

	switch (parser->token.type)
	{
		case PH_TOKEN_PIPE:
			return parse_infix(parser, PH_NODE_PIPE, left);
		case PH_TOKEN_OR:
			return parse_infix(parser, PH_NODE_OR, left);
		case PH_TOKEN_AND:
			return parse_infix(parser, PH_NODE_AND, left);
		case PH_TOKEN_QUESTION:
			return parse_ternary(parser, left);
		case PH_TOKEN_FLATTEN:
			return parse_flatten(parser, left);
		case PH_TOKEN_FILTER:
			return parse_filter(parser, left);
		case PH_TOKEN_LEFT_BRACKET:
			return parse_bracket(parser, left);
		case PH_TOKEN_DOT:
			(void) take(parser);
			if (parser->token.type == PH_TOKEN_STAR)
				return parse_values(parser, left);
			return ph_node_pair(&parser->tree, PH_NODE_SUB, offset, left, parse_after_dot(parser, POWER_DOT));
		default:
			return parse_infix(parser, infix[parser->token.type].power == POWER_COMPARE ? PH_NODE_COMPARE :
							   PH_NODE_ARITHMETIC, left);
	}
}

static PhNode *
parse_expression(Parser *parser, int power)
{
	PhNode	   *node;

	if (++parser->depth > PH_EXPRESSION_DEPTH)
		return ph_node_fault(&parser->tree, parser->token.start, "expression is nested too deeply", NULL);
	node = parse_start(parser);
	while (node != NULL && power < infix[parser->token.type].power)
		node = parse_more(parser, node);
	parser->depth--;
	return node;
}

PhNode *
ph_parser_parse(const char *text, size_t length, bool ascii, PhAllocate allocate, void *arg, PhSyntax *syntax)
{
	Parser		parser = {text, length, {ascii, allocate, arg, syntax}};
	PhNode	   *node;

	syntax->fault = NULL;
	syntax->hint = NULL;
	parser.token = ph_lexer_next(text, length, 0);
	node = parse_expression(&parser, POWER_NONE);
	if (node != NULL && parser.token.type != PH_TOKEN_END)
		return fault_here(&parser, "unexpected text after the expression");
	return node;
}
