/*
 * jmespath.c
 *	  Compiling an expression: its tree, with everything in it that does not depend on a document worked out.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/fmgrprotos.h"

#include "json/function.h"
#include "json/parser.h"

/* One expression that is being compiled. */
typedef struct Compiler
{
	const char *text;
	PhError    *error;
} Compiler;

static bool prepare(Compiler *compiler, PhNode *node);

static bool
fail(Compiler *compiler, const PhNode *node, const char *code, const char *message)
{
	compiler->error->code = code;
	compiler->error->message = message;
	compiler->error->column = ph_expression_column(compiler->text, node->offset);
	return false;
}

/* Text that the parser has found good. */
static PhValue
value_of_json(const PhNode *node)
{
	char	   *text = pnstrdup(node->text, node->length);
	Datum		jsonb = DirectFunctionCall1(jsonb_in, CStringGetDatum(text));

	pfree(text);
	return ph_value_from_jsonb(DatumGetJsonbP(jsonb));
}

static void
become_string(PhNode *node, PhNodeType type, const PhValue *string)
{
	node->type = type;
	node->text = string->u.string;
	node->length = string->length;
	node->quoted = false;
}

/* Strings are the same however they were written. */
static void
prepare_literal(PhNode *node)
{
	PhValue    *value = palloc(sizeof(PhValue));

	*value = value_of_json(node);
	node->prepared = value;
	if (value->type == PH_VALUE_STRING)
	{
		become_string(node, PH_NODE_STRING, value);
		node->prepared = NULL;
	}
}

static char *
arity_fault(const PhFunction *function, int n)
{
	int			most = function->most < 0 ? PH_ARGUMENTS_MAX : function->most;

	if (n >= function->least && n <= most)
		return NULL;
	if (most > function->least)
		return psprintf("%s() takes %d to %d arguments, not %d", function->name, function->least, most, n);
	return psprintf("%s() takes %d argument%s, not %d", function->name, most, most == 1 ? "" : "s", n);
}

static bool
prepare_call(Compiler *compiler, PhNode *node)
{
	const PhFunction *function = ph_function_find(node->text, node->length);
	const PhNode *where = node;
	const char *fault;

	if (function == NULL)
		return fail(compiler, node, PH_CODE_UNKNOWN_FUNCTION,
					psprintf("function %.*s() does not exist", Min(node->length, 100), node->text));
	fault = arity_fault(function, node->n);
	if (fault != NULL)
		return fail(compiler, node, PH_CODE_INVALID_ARITY, fault);
	if (function->prepare != NULL && !function->prepare(node, compiler->error, &where))
		return fail(compiler, where, compiler->error->code, compiler->error->message);
	node->prepared = function;
	return true;
}

static bool
prepare_children(Compiler *compiler, PhNode *node)
{
	PhNode	   *item;

	for (item = node->list; item != NULL; item = item->next)
	{
		CHECK_FOR_INTERRUPTS();
		if (!prepare(compiler, item))
			return false;
	}
	return (node->left == NULL || prepare(compiler, node->left)) &&
		(node->right == NULL || prepare(compiler, node->right)) &&
		(node->third == NULL || prepare(compiler, node->third));
}

static bool
prepare(Compiler *compiler, PhNode *node)
{
	PhValue		name;

	check_stack_depth();
	if (!prepare_children(compiler, node))
		return false;
	switch (node->type)
	{
		case PH_NODE_FIELD:
		case PH_NODE_MEMBER:
			if (node->quoted)
			{
				name = value_of_json(node);
				become_string(node, node->type, &name);
			}
			return true;
		case PH_NODE_LITERAL:
			prepare_literal(node);
			return true;
		case PH_NODE_SLICE:
			if (node->given[2] && node->range[2] == 0)
				return fail(compiler, node, PH_CODE_INVALID_VALUE, "step of a slice must not be 0");
			return true;
		case PH_NODE_CALL:
			return prepare_call(compiler, node);
		default:
			return true;
	}
}

static void *
allocate(void *arg, size_t size)
{
	return MemoryContextAlloc(arg, size);
}

const PhExpression *
ph_jmespath_compile(const char *text, size_t length, PhError *error)
{
	PhExpression *expression = palloc0(sizeof(PhExpression));
	Compiler	compiler = {pnstrdup(text, length), error};
	PhSyntax	syntax;

	memset(error, 0, sizeof(PhError));
	error->code = PH_CODE_SYNTAX;
	error->column = 1;
	if (length > PH_EXPRESSION_MAX)
	{
		error->message = psprintf("expression is longer than %d bytes", PH_EXPRESSION_MAX);
		return NULL;
	}
	expression->text = compiler.text;
	expression->length = length;
	expression->node = ph_parser_parse(expression->text, length, GetDatabaseEncoding() != PG_UTF8, allocate,
									   CurrentMemoryContext, &syntax);
	if (expression->node == NULL)
	{
		error->message = syntax.fault;
		error->hint = syntax.hint;
		error->column = ph_expression_column(expression->text, syntax.offset);
		return NULL;
	}
	if (!prepare(&compiler, expression->node))
		return NULL;
	memset(error, 0, sizeof(PhError));
	return expression;
}

const char *
ph_jmespath_text(const PhExpression *expression)
{
	return expression->text;
}
