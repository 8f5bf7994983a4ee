/*
 * template.c
 *	  Compiles templates of mappings.
 *
 * All problems of a template are collected, so that its author can mend them at once; a node that could not be
 * compiled becomes the literal null, which nobody sees because the unit is refused.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"

#include "json/problem.h"
#include "json/template.h"

/* A variable that expressions may use; scopes are chained from the innermost outward. */
typedef struct Binder
{
	const char *name;
	PhTemplate *loop;			/* $index and $count: who must compute it */
	struct Let *let;			/* of a $let */
	int			binding;
	const struct Binder *outer;
} Binder;

/* A $let while it is compiled. */
typedef struct Let
{
	int			n;
	int			current;		/* binding being compiled, -1: the body */
	bool	   *needs;			/* [i * n + j]: i uses j */
} Let;

typedef struct Compiler
{
	PhTemplateUnit *unit;
	const PhResolver *resolver;
	PhProblems *errors;
	int			allocated;		/* nodes */
	int			depth;
	bool		full;			/* too many nodes, already said */
} Compiler;

/* The forms of directives: what must and what may stand beside the first key. */
typedef struct Form
{
	const char *head;
	PhTemplateKind kind;
	const char *required[3];
	const char *optional[5];
} Form;

static const Form forms[] = {
	{"$value", PH_TEMPLATE_VALUE, {NULL}, {"$default", "$null", "$type", "$label", NULL}},
	{"$each", PH_TEMPLATE_EACH, {"$do", NULL}, {"$as", "$where", "$sort", NULL}},
	{"$map", PH_TEMPLATE_MAP, {"$key", "$do", NULL}, {NULL}},
	{"$if", PH_TEMPLATE_IF, {NULL}, {"$then", "$else", NULL}},
	{"$switch", PH_TEMPLATE_SWITCH, {"$cases", NULL}, {"$else", NULL}},
	{"$let", PH_TEMPLATE_LET, {"$do", NULL}, {NULL}},
	{"$merge", PH_TEMPLATE_MERGE, {NULL}, {NULL}},
	{"$use", PH_TEMPLATE_USE, {NULL}, {"$with", NULL}},
	{"$call", PH_TEMPLATE_CALL, {"$with", NULL}, {NULL}},
	{"$fail", PH_TEMPLATE_FAIL, {NULL}, {NULL}}
};

/* Words of $null and $type, of the option "nulls", in the order of their enums from 1. */
static const char *const null_words[] = {"omit", "keep", "error"};
static const char *const type_words[] = {"string", "number", "integer", "boolean", "date", "timestamp"};

static PhTemplate *compile(Compiler *compiler, const PhValue *source, const char *pointer, const Binder *scope);

/* ---- pointers ---- */

static char *
pointer_key(const char *pointer, const char *key)
{
	return ph_pointer_append(pointer, key, strlen(key));
}

/* ---- nodes ---- */

static PhTemplate *
new_node(Compiler *compiler, PhTemplateKind kind, const char *pointer)
{
	PhTemplateUnit *unit = compiler->unit;
	PhTemplate *node = palloc0(sizeof(PhTemplate));

	node->kind = kind;
	node->pointer = pointer;
	node->literal = ph_value_null();
	node->number = unit->nnodes;
	if (unit->nnodes == compiler->allocated)
	{
		compiler->allocated = Max(64, 2 * compiler->allocated);
		unit->nodes = unit->nodes == NULL ? palloc(compiler->allocated * sizeof(PhTemplate *)) :
			repalloc(unit->nodes, compiler->allocated * sizeof(PhTemplate *));
	}
	unit->nodes[unit->nnodes++] = node;
	return node;
}

static char *
copy_string(const PhValue *value)
{
	return pnstrdup(value->u.string, value->length);
}

static bool
is_name(const PhValue *value)
{
	int			i;

	if (value->type != PH_VALUE_STRING || value->length == 0)
		return false;
	for (i = 0; i < value->length; i++)
	{
		char		c = value->u.string[i];

		if (!(c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (i > 0 && c >= '0' && c <= '9')))
			return false;
	}
	return true;
}

/* ---- leaves ---- */

static const Binder *
find_binder(const Binder *scope, const char *name)
{
	for (; scope != NULL; scope = scope->outer)
	{
		if (strcmp(scope->name, name) == 0)
			return scope;
	}
	return NULL;
}

/* Notes who needs the variables of a leaf. */
static void
bind_variables(Compiler *compiler, const PhLeaf *leaf, const Binder *scope)
{
	const PhUse *use;

	for (use = ph_jmespath_uses(leaf->expression); use != NULL; use = use->next)
	{
		const Binder *binder;

		if (use->kind != PH_USE_VARIABLE)
			continue;
		binder = find_binder(scope, use->name);
		if (binder == NULL && strcmp(use->name, "env") == 0)
			compiler->unit->uses_env = true;
		else if (binder == NULL)
			ph_problem_add(compiler->errors, leaf->pointer, PH_CODE_UNDEFINED_VARIABLE,
						   "Bind it with $let or $as; $env, and inside of $each $it, $index, $count and $parent, are there already.",
						   use->column, "variable \"$%s\" is not bound here", use->name);
		else if (binder->loop != NULL && strcmp(use->name, "index") == 0)
			binder->loop->uses_index = true;
		else if (binder->loop != NULL && strcmp(use->name, "count") == 0)
			binder->loop->uses_count = true;
		else if (binder->let != NULL && binder->let->current >= 0)
			binder->let->needs[binder->let->current * binder->let->n + binder->binding] = true;
	}
}

static bool
is_leaf(const PhValue *source)
{
	return source->type == PH_VALUE_STRING && source->length > 0 && source->u.string[0] == '=' &&
		!(source->length > 1 && source->u.string[1] == '=');
}

/* NULL when it is refused. */
static const PhLeaf *
compile_leaf(Compiler *compiler, const PhValue *source, const char *pointer, const Binder *scope)
{
	PhLeaf	   *leaf = palloc(sizeof(PhLeaf));
	PhError		error = {0};

	if (!is_leaf(source) || source->length - 1 > PH_LEAF_MAX)
	{
		ph_problem_add(compiler->errors, pointer, PH_CODE_TEMPLATE, "Write it as \"=expression\", with up to 4096 bytes.", 0,
					   "an expression is needed here");
		return NULL;
	}
	leaf->text = pnstrdup(source->u.string + 1, source->length - 1);
	leaf->pointer = pointer;
	leaf->path = ph_path_read(leaf->text);
	leaf->expression = ph_jmespath_compile(leaf->text, source->length - 1, &error);
	if (leaf->expression == NULL)
	{
		ph_problem_add(compiler->errors, pointer, error.code, error.hint, error.column, "%s", error.message);
		return NULL;
	}
	bind_variables(compiler, leaf, scope);
	return leaf;
}

/* ---- directives ---- */

static bool
member(const PhValue *source, const char *key, PhValue *value)
{
	return ph_value_member(source, key, strlen(key), value);
}

/* The leaf of a key that is there. */
static const PhLeaf *
leaf_of(Compiler *compiler, const PhValue *source, const char *key, const char *pointer, const Binder *scope)
{
	PhValue		value;

	if (!member(source, key, &value))
		return NULL;
	return compile_leaf(compiler, &value, pointer_key(pointer, key), scope);
}

/* The template of a key; NULL when the key is absent. */
static const PhTemplate *
template_of(Compiler *compiler, const PhValue *source, const char *key, const char *pointer, const Binder *scope)
{
	PhValue		value;

	if (!member(source, key, &value))
		return NULL;
	return compile(compiler, &value, pointer_key(pointer, key), scope);
}

/* Number of the word from 1; 0 when the key is absent or the word unknown, which is a problem. */
static int
word_of(PhProblems *errors, const PhValue *source, const char *key, const char *pointer, const char *const *words, int n)
{
	PhValue		value;
	int			i;

	if (!member(source, key, &value))
		return 0;
	for (i = 0; i < n; i++)
	{
		if (value.type == PH_VALUE_STRING && value.length == strlen(words[i]) &&
			memcmp(value.u.string, words[i], value.length) == 0)
			return i + 1;
	}
	ph_problem_add(errors, pointer_key(pointer, key), PH_CODE_TEMPLATE, NULL, 0, "\"%s\" has an unknown value", key);
	return 0;
}

static void
compile_value(Compiler *compiler, PhTemplate *node, const PhValue *source, const Binder *scope)
{
	PhValue		label;

	node->body = template_of(compiler, source, "$value", node->pointer, scope);
	node->other = template_of(compiler, source, "$default", node->pointer, scope);
	node->nulls = word_of(compiler->errors, source, "$null", node->pointer, null_words, lengthof(null_words));
	node->type = word_of(compiler->errors, source, "$type", node->pointer, type_words, lengthof(type_words));
	if (!member(source, "$label", &label))
		return;
	if (label.type == PH_VALUE_STRING)
		node->label = copy_string(&label);
	else
		ph_problem_add(compiler->errors, pointer_key(node->pointer, "$label"), PH_CODE_TEMPLATE, NULL, 0,
					   "\"$label\" must be a string");
}

/* $each and $map.  The elements are chosen and sorted before they are counted. */
static void
compile_loop(Compiler *compiler, PhTemplate *node, const PhValue *source, const char *head, const Binder *scope)
{
	Binder		it = {"it", NULL, NULL, 0, scope};
	Binder		parent = {"parent", NULL, NULL, 0, &it};
	Binder		index = {"index", node, NULL, 0, &parent};
	Binder		count = {"count", node, NULL, 0, &index};
	PhValue		name;

	node->name = "it";
	if (member(source, "$as", &name))
	{
		if (is_name(&name))
			it.name = node->name = copy_string(&name);
		else
			ph_problem_add(compiler->errors, pointer_key(node->pointer, "$as"), PH_CODE_TEMPLATE,
						   "Use letters, digits and \"_\", without \"$\".", 0, "\"$as\" must be a name");
	}
	node->name_length = strlen(node->name);
	node->leaf = leaf_of(compiler, source, head, node->pointer, scope);
	node->where = leaf_of(compiler, source, "$where", node->pointer, &parent);
	node->order = leaf_of(compiler, source, "$sort", node->pointer, &parent);
	node->key = leaf_of(compiler, source, "$key", node->pointer, &count);
	node->body = template_of(compiler, source, "$do", node->pointer, &count);
}

/* Members of an object as templates; strip: "$$k" means "$k". */
static void
compile_members(Compiler *compiler, PhTemplate *node, const PhValue *source, const char *pointer, bool strip,
				const Binder *scope)
{
	PhTemplateMember *members = palloc0(Max(1, ph_value_count(source)) * sizeof(PhTemplateMember));
	PhIterator	iterator;
	PhMember	item;

	node->members = members;
	ph_iterate(&iterator, source);
	while (ph_iterate_next(&iterator, &item))
	{
		int			skip = strip && item.length > 1 && item.key[0] == '$' && item.key[1] == '$' ? 1 : 0;
		PhTemplateMember *next = &members[node->n++];

		next->key = pnstrdup(item.key + skip, item.length - skip);
		next->length = item.length - skip;
		next->value = compile(compiler, &item.value, ph_pointer_append(pointer, item.key, item.length), scope);
	}
}

/* Elements of an array as templates. */
static void
compile_elements(Compiler *compiler, PhTemplate *node, const PhValue *source, const char *pointer, const Binder *scope)
{
	PhTemplateMember *members = palloc0(Max(1, ph_value_count(source)) * sizeof(PhTemplateMember));
	PhIterator	iterator;
	PhMember	item;

	node->members = members;
	ph_iterate(&iterator, source);
	while (ph_iterate_next(&iterator, &item))
	{
		members[node->n].value = compile(compiler, &item.value, ph_pointer_index(pointer, node->n), scope);
		node->n++;
	}
}

/* Depth first: what a binding needs comes before it.  False: a cycle. */
static bool
order_binding(const Let *let, int binding, char *state, int *order, int *n)
{
	int			i;

	if (state[binding] == 'd')
		return true;
	if (state[binding] == 'o')
		return false;
	state[binding] = 'o';
	for (i = 0; i < let->n; i++)
	{
		if (let->needs[binding * let->n + i] && !order_binding(let, i, state, order, n))
			return false;
	}
	state[binding] = 'd';
	order[(*n)++] = binding;
	return true;
}

static void
order_bindings(Compiler *compiler, PhTemplate *node, const Let *let, const PhTemplateMember *members, const char *pointer)
{
	PhTemplateMember *ordered = palloc(Max(1, let->n) * sizeof(PhTemplateMember));
	char	   *state = palloc0(Max(1, let->n));
	int		   *order = palloc(Max(1, let->n) * sizeof(int));
	int			n = 0;
	int			i;

	node->members = ordered;
	node->n = let->n;
	for (i = 0; i < let->n; i++)
	{
		if (order_binding(let, i, state, order, &n))
			continue;
		ph_problem_add(compiler->errors, pointer_key(pointer, members[i].key), PH_CODE_TEMPLATE,
					   "Bindings of one $let may use each other, but not in a circle.", 0,
					   "variable \"$%s\" depends on itself", members[i].key);
		node->n = 0;
		return;
	}
	for (i = 0; i < n; i++)
		ordered[i] = members[order[i]];
}

static void
compile_let(Compiler *compiler, PhTemplate *node, const PhValue *source, const Binder *scope)
{
	const char *pointer = pointer_key(node->pointer, "$let");
	Let			let = {0};
	Binder	   *binders;
	PhTemplateMember *members;
	PhValue		bindings;
	PhIterator	iterator;
	PhMember	item;

	member(source, "$let", &bindings);
	if (ph_value_kind(&bindings) != PH_KIND_OBJECT)
	{
		ph_problem_add(compiler->errors, pointer, PH_CODE_TEMPLATE, NULL, 0, "\"$let\" must be an object of variables");
		return;
	}
	let.n = ph_value_count(&bindings);
	if (let.n > PH_TEMPLATE_DEPTH)
	{
		ph_problem_add(compiler->errors, pointer, PH_CODE_TEMPLATE, "Nest a second $let.", 0,
					   "\"$let\" binds more than %d variables", PH_TEMPLATE_DEPTH);
		return;
	}
	let.needs = palloc0(Max(1, let.n * let.n));
	binders = palloc0(Max(1, let.n) * sizeof(Binder));
	members = palloc0(Max(1, let.n) * sizeof(PhTemplateMember));
	ph_iterate(&iterator, &bindings);
	for (let.current = 0; ph_iterate_next(&iterator, &item); let.current++)
	{
		PhValue		name = ph_value_string(item.key, item.length);

		if (!is_name(&name))
			ph_problem_add(compiler->errors, ph_pointer_append(pointer, item.key, item.length), PH_CODE_TEMPLATE,
						   "Use letters, digits and \"_\", without \"$\".", 0, "the name of a variable is not valid");
		members[let.current].key = copy_string(&name);
		members[let.current].length = item.length;
		binders[let.current] = (Binder) {members[let.current].key, NULL, &let, let.current, scope};
		scope = &binders[let.current];
	}
	ph_iterate(&iterator, &bindings);
	for (let.current = 0; ph_iterate_next(&iterator, &item); let.current++)
		members[let.current].value = compile(compiler, &item.value, ph_pointer_append(pointer, item.key, item.length), scope);
	order_bindings(compiler, node, &let, members, pointer);
	let.current = -1;
	node->body = template_of(compiler, source, "$do", node->pointer, scope);
}

static void
compile_merge(Compiler *compiler, PhTemplate *node, const PhValue *source, const Binder *scope)
{
	const char *pointer = pointer_key(node->pointer, "$merge");
	PhValue		list;

	member(source, "$merge", &list);
	if (ph_value_kind(&list) != PH_KIND_ARRAY)
		ph_problem_add(compiler->errors, pointer, PH_CODE_TEMPLATE, NULL, 0, "\"$merge\" must be an array of templates");
	else
		compile_elements(compiler, node, &list, pointer, scope);
}

static void
compile_switch(Compiler *compiler, PhTemplate *node, const PhValue *source, const Binder *scope)
{
	const char *pointer = pointer_key(node->pointer, "$cases");
	PhValue		cases;

	node->leaf = leaf_of(compiler, source, "$switch", node->pointer, scope);
	node->other = template_of(compiler, source, "$else", node->pointer, scope);
	member(source, "$cases", &cases);
	if (ph_value_kind(&cases) != PH_KIND_OBJECT)
		ph_problem_add(compiler->errors, pointer, PH_CODE_TEMPLATE, NULL, 0, "\"$cases\" must be an object of templates");
	else
		compile_members(compiler, node, &cases, pointer, false, scope);
}

/* $use and $call: a name, resolved by whoever compiles. */
static void
compile_reference(Compiler *compiler, PhTemplate *node, const PhValue *source, const char *head, const Binder *scope)
{
	const char *pointer = pointer_key(node->pointer, head);
	const char *message = NULL;
	PhValue		name;

	member(source, head, &name);
	node->body = template_of(compiler, source, "$with", node->pointer, scope);
	if (name.type != PH_VALUE_STRING)
	{
		ph_problem_add(compiler->errors, pointer, PH_CODE_TEMPLATE, NULL, 0, "\"%s\" must be a name", head);
		return;
	}
	node->name = copy_string(&name);
	node->target = node->kind == PH_TEMPLATE_USE ?
		compiler->resolver->use(compiler->resolver->arg, node->name, &message) :
		compiler->resolver->call(compiler->resolver->arg, node->name, &message);
	if (node->target == NULL)
		ph_problem_add(compiler->errors, pointer, node->kind == PH_TEMPLATE_USE ? PH_CODE_TEMPLATE : PH_CODE_UNKNOWN_FUNCTION,
					   NULL, 0, "%s", message);
}

static bool
is_one_of(const char *const *keys, const char *key, int length)
{
	for (; *keys != NULL; keys++)
	{
		if (strlen(*keys) == length && memcmp(*keys, key, length) == 0)
			return true;
	}
	return false;
}

/* The form of a directive; NULL when its keys do not belong together. */
static const Form *
find_form(Compiler *compiler, const PhValue *source, const char *pointer)
{
	const Form *form = NULL;
	PhIterator	iterator;
	PhMember	item;
	PhValue		value;
	int			before = compiler->errors->n;
	int			i;

	for (i = 0; i < lengthof(forms) && form == NULL; i++)
	{
		if (member(source, forms[i].head, &value))
			form = &forms[i];
	}
	ph_iterate(&iterator, source);
	while (ph_iterate_next(&iterator, &item))
	{
		if (form != NULL && (is_one_of((const char *const[]) {form->head, NULL}, item.key, item.length) ||
							 is_one_of(form->required, item.key, item.length) ||
							 is_one_of(form->optional, item.key, item.length)))
			continue;
		if (form == NULL && item.key[0] != '$')
			continue;
		ph_problem_add(compiler->errors, ph_pointer_append(pointer, item.key, item.length), PH_CODE_TEMPLATE,
					   "A key that begins with \"$\" is a directive; write \"$$\" for a member whose name begins with \"$\".", 0,
					   "key \"%.*s\" %s%s", pg_mbcliplen(item.key, item.length, 64), item.key,
					   form == NULL ? "is no directive" : "does not belong to ", form == NULL ? "" : form->head);
	}
	for (i = 0; form != NULL && form->required[i] != NULL; i++)
	{
		if (!member(source, form->required[i], &value))
			ph_problem_add(compiler->errors, pointer, PH_CODE_TEMPLATE, NULL, 0, "\"%s\" needs \"%s\"", form->head,
						   form->required[i]);
	}
	return compiler->errors->n == before ? form : NULL;
}

static PhTemplate *
compile_directive(Compiler *compiler, const PhValue *source, const char *pointer, const Binder *scope)
{
	const Form *form = find_form(compiler, source, pointer);
	PhTemplate *node;

	if (form == NULL)
		return new_node(compiler, PH_TEMPLATE_LITERAL, pointer);
	node = new_node(compiler, form->kind, pointer);
	switch (form->kind)
	{
		case PH_TEMPLATE_VALUE:
			compile_value(compiler, node, source, scope);
			break;
		case PH_TEMPLATE_EACH:
		case PH_TEMPLATE_MAP:
			compile_loop(compiler, node, source, form->head, scope);
			break;
		case PH_TEMPLATE_IF:
			node->leaf = leaf_of(compiler, source, "$if", pointer, scope);
			node->body = template_of(compiler, source, "$then", pointer, scope);
			node->other = template_of(compiler, source, "$else", pointer, scope);
			break;
		case PH_TEMPLATE_SWITCH:
			compile_switch(compiler, node, source, scope);
			break;
		case PH_TEMPLATE_LET:
			compile_let(compiler, node, source, scope);
			break;
		case PH_TEMPLATE_MERGE:
			compile_merge(compiler, node, source, scope);
			break;
		case PH_TEMPLATE_USE:
		case PH_TEMPLATE_CALL:
			compile_reference(compiler, node, source, form->head, scope);
			break;
		default:
			node->leaf = leaf_of(compiler, source, "$fail", pointer, scope);
			break;
	}
	return node;
}

/* ---- everything ---- */

static bool
is_directive(const PhValue *source)
{
	PhIterator	iterator;
	PhMember	item;

	ph_iterate(&iterator, source);
	while (ph_iterate_next(&iterator, &item))
	{
		if (item.length > 0 && item.key[0] == '$' && !(item.length > 1 && item.key[1] == '$'))
			return true;
	}
	return false;
}

static PhTemplate *
compile_string(Compiler *compiler, const PhValue *source, const char *pointer, const Binder *scope)
{
	PhTemplate *node;

	if (is_leaf(source))
	{
		node = new_node(compiler, PH_TEMPLATE_LEAF, pointer);
		node->leaf = compile_leaf(compiler, source, pointer, scope);
		return node;
	}
	node = new_node(compiler, PH_TEMPLATE_LITERAL, pointer);
	node->literal = *source;
	if (source->length > 0 && source->u.string[0] == '=')
		node->literal = ph_value_string(source->u.string + 1, source->length - 1);
	return node;
}

static PhTemplate *
compile_any(Compiler *compiler, const PhValue *source, const char *pointer, const Binder *scope)
{
	PhTemplate *node;

	switch (ph_value_kind(source))
	{
		case PH_KIND_STRING:
			return compile_string(compiler, source, pointer, scope);
		case PH_KIND_ARRAY:
			node = new_node(compiler, PH_TEMPLATE_ARRAY, pointer);
			compile_elements(compiler, node, source, pointer, scope);
			return node;
		case PH_KIND_OBJECT:
			if (is_directive(source))
				return compile_directive(compiler, source, pointer, scope);
			node = new_node(compiler, PH_TEMPLATE_OBJECT, pointer);
			compile_members(compiler, node, source, pointer, true, scope);
			return node;
		default:
			node = new_node(compiler, PH_TEMPLATE_LITERAL, pointer);
			node->literal = *source;
			return node;
	}
}

static PhTemplate *
compile(Compiler *compiler, const PhValue *source, const char *pointer, const Binder *scope)
{
	PhTemplate *node;

	CHECK_FOR_INTERRUPTS();
	if (compiler->unit->nnodes >= PH_TEMPLATE_NODES || compiler->depth >= PH_TEMPLATE_DEPTH)
	{
		if (!compiler->full)
			ph_problem_add(compiler->errors, pointer, PH_CODE_TEMPLATE, "Split it into several mappings, and include them with $use.", 0,
						   compiler->depth >= PH_TEMPLATE_DEPTH ? "the template is nested deeper than %d" :
						   "the template has more than %d nodes",
						   compiler->depth >= PH_TEMPLATE_DEPTH ? PH_TEMPLATE_DEPTH : PH_TEMPLATE_NODES);
		compiler->full = true;
		return compiler->unit->nnodes > 0 ? (PhTemplate *) compiler->unit->nodes[0] :
			new_node(compiler, PH_TEMPLATE_LITERAL, pointer);
	}
	compiler->depth++;
	node = compile_any(compiler, source, pointer, scope);
	compiler->depth--;
	return node;
}

bool
ph_template_compile(PhTemplateUnit *unit, const PhValue *source, const PhResolver *resolver, PhProblems *errors)
{
	Compiler	compiler = {.unit = unit, .resolver = resolver, .errors = errors};
	int			before = errors->n;

	unit->nnodes = 0;
	unit->nodes = NULL;
	unit->root = compile(&compiler, source, "", NULL);
	return errors->n == before;
}
