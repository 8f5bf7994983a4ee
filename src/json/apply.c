/*
 * apply.c
 *	  Applies a compiled template to a document.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "json/convert.h"
#include "json/run.h"

/* How often memory is looked at, and how much more than the output may be used on the way to it. */
#define MEMORY_EVERY	4096
#define MEMORY_FACTOR	8
#define MEMORY_LEAST	(64 * 1024 * 1024)

/* ---- leaves ---- */

/* Marks a variable whose binding failed: what reads it fails too, which would only be noise. */
static const PhValue failed = {.type = PH_VALUE_EXPRESSION};

static bool
reads_failed(const PhLeaf *leaf, const PhScope *scope)
{
	const PhUse *use;

	for (use = ph_jmespath_uses(leaf->expression); use != NULL; use = use->next)
	{
		const PhVariable *variable = scope->variables;

		if (use->kind != PH_USE_VARIABLE)
			continue;
		while (variable != NULL && (variable->length != strlen(use->name) ||
									memcmp(variable->name, use->name, variable->length) != 0))
			variable = variable->outer;
		if (variable != NULL && variable->value.type == PH_VALUE_EXPRESSION)
			return true;
	}
	return false;
}

/* What most leaves are: the value at the end of a path.  False: the expression must be evaluated. */
static bool
follow_path(PhRun *run, const PhPath *path, const PhScope *scope, PhValue *result)
{
	const PhStep *step;

	if (path->flatten)
		return false;
	if (path->base == '@')
		*result = scope->current;
	else if (path->base == '$')
		*result = run->evaluation.root;
	else
	{
		const PhVariable *variable = scope->variables;

		while (variable != NULL && (variable->length != path->variable_length ||
									memcmp(variable->name, path->variable, variable->length) != 0))
			variable = variable->outer;
		if (variable == NULL)
			return false;
		*result = variable->value;
	}
	for (step = path->steps; step != NULL; step = step->next)
	{
		run->evaluation.visits--;
		if (step->key != NULL ? !ph_value_member(result, step->key, step->length, result) :
			!ph_value_element(result, step->index, result))
		{
			*result = ph_value_null();
			break;
		}
	}
	return true;
}

bool
ph_run_leaf(PhRun *run, const PhLeaf *leaf, const PhScope *scope, const PhPlace *place, PhValue *result)
{
	if (run->stopped)
		return false;
	run->evaluation.variables = scope->variables;
	if (run->apply->nfaults > 0 && reads_failed(leaf, scope))
		return false;
	if ((leaf->path == NULL || !follow_path(run, leaf->path, scope, result)) &&
		!ph_jmespath_evaluate(leaf->expression, &run->evaluation, &scope->current, result))
	{
		ph_run_expression_fault(run, leaf, scope, place);
		return false;
	}
	if (run->unit->options.empty_is_null && result->type == PH_VALUE_STRING && result->length == 0)
		*result = ph_value_null();
	return true;
}

bool
ph_run_null(const PhValue *value)
{
	return value->type == PH_VALUE_NULL || value->type == PH_VALUE_EXPRESSION;
}

/* What a missing value comes to. */
static bool
resolve_null(PhRun *run, const PhTemplate *node, PhNulls nulls, const PhScope *scope, const PhPlace *place, PhValue *result)
{
	if (nulls == PH_NULLS_UNSET)
		nulls = run->unit->options.nulls;
	*result = ph_value_null();
	if (nulls == PH_NULLS_ERROR)
	{
		char	   *message = node->label == NULL ? pstrdup("value is missing") : psprintf("%s is missing", node->label);
		PhFault    *fault = ph_run_fault(run, PH_CODE_REQUIRED, message, node->pointer, scope, place);

		fault->expression = node->leaf != NULL ? node->leaf->text : NULL;
	}
	return nulls == PH_NULLS_KEEP;
}

static bool
eval_value(PhRun *run, const PhTemplate *node, const PhScope *scope, const PhPlace *place, PhValue *result)
{
	int			faults = run->apply->nfaults;
	bool		found;

	/* A null of the expression itself is this directive's business, not that of the options. */
	if (node->body->kind == PH_TEMPLATE_LEAF)
	{
		if (run->apply->visited != NULL)
			run->apply->visited[run->unit->first + node->body->number] = true;
		found = ph_run_leaf(run, node->body->leaf, scope, place, result) && !ph_run_null(result);
	}
	else
		found = ph_run_eval(run, node->body, scope, place, result) && !ph_run_null(result);
	if (run->apply->nfaults > faults || run->stopped)
		return false;
	if (!found && node->other != NULL)
		found = ph_run_eval(run, node->other, scope, place, result) && !ph_run_null(result);
	if (run->apply->nfaults > faults || run->stopped)
		return false;
	if (!found)
		return resolve_null(run, node, node->nulls, scope, place, result);
	if (node->type != PH_TYPE_ANY)
	{
		const char *message = ph_convert(node->type, result, result);

		if (message != NULL)
		{
			PhFault    *fault = ph_run_fault(run, PH_CODE_INVALID_VALUE,
										  node->label == NULL ? message : psprintf("%s: %s", node->label, message),
										  node->pointer, scope, place);

			fault->expression = node->body->leaf != NULL ? node->body->leaf->text : NULL;
			return false;
		}
	}
	return true;
}

/* ---- the other forms ---- */

static bool
eval_object(PhRun *run, const PhTemplate *node, const PhScope *scope, const PhPlace *place, PhValue *result)
{
	int			i;

	*result = ph_object_new(node->n);
	for (i = 0; i < node->n; i++)
	{
		const PhTemplateMember *member = &node->members[i];
		PhPlace		here = {place, member->key, member->length, 0};
		PhValue		value;

		if (ph_run_eval(run, member->value, scope, &here, &value))
			ph_object_append(result, member->key, member->length, &value);
		if (run->stopped)
			return false;
	}
	ph_object_finish(result);
	return true;
}

static bool
eval_array(PhRun *run, const PhTemplate *node, const PhScope *scope, const PhPlace *place, PhValue *result)
{
	int			i;

	*result = ph_array_new(node->n);
	for (i = 0; i < node->n; i++)
	{
		PhPlace		here = {place, NULL, 0, i};
		PhValue		value;

		if (!ph_run_eval(run, node->members[i].value, scope, &here, &value))
			value = ph_value_null();
		if (run->stopped)
			return false;
		ph_array_append(result, &value);
	}
	return true;
}

static bool
eval_switch(PhRun *run, const PhTemplate *node, const PhScope *scope, const PhPlace *place, PhValue *result)
{
	const PhTemplate *chosen = node->other;
	PhValue		value;
	PhValue		text;
	int			i;

	if (!ph_run_leaf(run, node->leaf, scope, place, &value))
		return false;
	if (!ph_run_null(&value))
	{
		const char *message = ph_convert(PH_TYPE_STRING, &value, &text);

		if (message != NULL)
		{
			ph_run_leaf_fault(run, PH_CODE_INVALID_TYPE, message, node->leaf, scope, place);
			return false;
		}
		for (i = 0; i < node->n; i++)
		{
			if (node->members[i].length == text.length && memcmp(node->members[i].key, text.u.string, text.length) == 0)
				chosen = node->members[i].value;
		}
	}
	return chosen != NULL && ph_run_eval(run, chosen, scope, place, result);
}

static bool
eval_let(PhRun *run, const PhTemplate *node, const PhScope *scope, const PhPlace *place, PhValue *result)
{
	PhVariable *variables = palloc(Max(1, node->n) * sizeof(PhVariable));
	PhScope		inner = *scope;
	int			i;

	for (i = 0; i < node->n && !run->stopped; i++)
	{
		int			faults = run->apply->nfaults;

		variables[i] = (PhVariable) {node->members[i].key, node->members[i].length, ph_value_null(), inner.variables};
		if (!ph_run_eval(run, node->members[i].value, &inner, place, &variables[i].value))
			variables[i].value = ph_value_null();
		if (run->apply->nfaults > faults)
			variables[i].value = failed;
		inner.variables = &variables[i];
	}
	return !run->stopped && ph_run_eval(run, node->body, &inner, place, result);
}

static bool
eval_merge(PhRun *run, const PhTemplate *node, const PhScope *scope, const PhPlace *place, PhValue *result)
{
	int			i;

	*result = ph_object_new(16);
	for (i = 0; i < node->n && !run->stopped; i++)
	{
		PhIterator	iterator;
		PhMember	member;
		PhValue		part;

		if (!ph_run_eval(run, node->members[i].value, scope, place, &part))
			continue;
		if (ph_value_kind(&part) != PH_KIND_OBJECT)
		{
			ph_run_fault(run, PH_CODE_INVALID_TYPE, psprintf("a part of \"$merge\" must be an object, not %s",
														  ph_kind_name(ph_value_kind(&part))),
					  node->members[i].value->pointer, scope, place);
			continue;
		}
		ph_iterate(&iterator, &part);
		while (ph_iterate_next(&iterator, &member))
		{
			run->evaluation.visits--;
			ph_object_append(result, member.key, member.length, &member.value);
		}
	}
	ph_object_finish(result);
	return !run->stopped;
}

/* The value of "$with"; null when there is none. */
static PhValue
eval_with(PhRun *run, const PhTemplate *node, const PhScope *scope, const PhPlace *place)
{
	PhValue		with;

	if (node->body == NULL)
		return scope->current;
	if (!ph_run_eval(run, node->body, scope, place, &with))
		return ph_value_null();
	return with;
}

static bool
eval_use(PhRun *run, const PhTemplate *node, const PhScope *scope, const PhPlace *place, PhValue *result)
{
	const PhTemplateUnit *unit = run->unit;
	const PhOrigin *root = run->root;
	PhValue		document = run->evaluation.root;
	int			faults = run->apply->nfaults;
	PhValue		with = eval_with(run, node, scope, place);
	PhScope		inner = {with, scope->origin, &run->env, NULL, NULL};
	PhOrigin		origin;
	bool		found;

	if (run->apply->nfaults > faults || run->stopped)
		return false;
	if (node->body != NULL && node->body->leaf != NULL)
	{
		const PhOrigin *base = scope->origin;
		bool		known = ph_run_origin(run, node->body->leaf->path, scope, &base);

		origin = ph_run_element_origin(base, known, false, node->body->leaf, 0);
		inner.origin = &origin;
	}
	run->unit = node->target;
	run->root = inner.origin;
	run->evaluation.root = with;
	found = ph_run_eval(run, run->unit->root, &inner, place, result);
	run->unit = unit;
	run->root = root;
	run->evaluation.root = document;
	return found;
}

static bool
eval_call(PhRun *run, const PhTemplate *node, const PhScope *scope, const PhPlace *place, PhValue *result)
{
	int			faults = run->apply->nfaults;
	PhValue		with = eval_with(run, node, scope, place);
	const char *message = NULL;

	if (run->apply->nfaults > faults || run->stopped)
		return false;
	if (!run->apply->call(run->apply->arg, node->target, &with, result, &message))
	{
		ph_run_fault(run, PH_CODE_CALL_FAILED, psprintf("function \"%s\": %s", node->name, message), node->pointer, scope, place);
		return false;
	}
	return !ph_run_null(result);
}

static void
eval_fail(PhRun *run, const PhTemplate *node, const PhScope *scope, const PhPlace *place)
{
	PhValue		value;
	PhValue		text;

	if (!ph_run_leaf(run, node->leaf, scope, place, &value))
		return;
	if (ph_convert(PH_TYPE_STRING, &value, &text) != NULL)
		text = ph_value_text("refused by the mapping");
	ph_run_leaf_fault(run, PH_CODE_BUSINESS, pnstrdup(text.u.string, text.length), node->leaf, scope, place);
}

/* ---- everything ---- */

/* False: the budget is spent, which is noted. */
static bool
pay(PhRun *run, const PhTemplate *node, const PhScope *scope, const PhPlace *place)
{
	run->evaluation.visits--;
	if (run->evaluation.visits < Max(0, run->next_memory_check))
	{
		run->next_memory_check = run->evaluation.visits - MEMORY_EVERY;
		CHECK_FOR_INTERRUPTS();
		if (run->evaluation.visits < 0 || MemoryContextMemAllocated(run->context, true) > run->memory_limit)
		{
			ph_run_fault(run, PH_CODE_BUDGET, run->evaluation.visits < 0 ? "the mapping takes too many steps" :
					  "the mapping needs too much memory", node->pointer, scope, place);
			return false;
		}
	}
	return true;
}

bool
ph_run_eval(PhRun *run, const PhTemplate *node, const PhScope *scope, const PhPlace *place, PhValue *result)
{
	PhValue		value;

	check_stack_depth();
	if (run->stopped || !pay(run, node, scope, place))
		return false;
	if (run->apply->visited != NULL)
		run->apply->visited[run->unit->first + node->number] = true;
	switch (node->kind)
	{
		case PH_TEMPLATE_LITERAL:
			*result = node->literal;
			return true;
		case PH_TEMPLATE_LEAF:
			if (!ph_run_leaf(run, node->leaf, scope, place, result))
				return false;
			return !ph_run_null(result) || resolve_null(run, node, PH_NULLS_UNSET, scope, place, result);
		case PH_TEMPLATE_ARRAY:
			return eval_array(run, node, scope, place, result);
		case PH_TEMPLATE_OBJECT:
			return eval_object(run, node, scope, place, result);
		case PH_TEMPLATE_VALUE:
			return eval_value(run, node, scope, place, result);
		case PH_TEMPLATE_EACH:
		case PH_TEMPLATE_MAP:
			return ph_run_loop(run, node, scope, place, result);
		case PH_TEMPLATE_IF:
			if (!ph_run_leaf(run, node->leaf, scope, place, &value))
				return false;
			node = ph_value_true(&value) ? node->body : node->other;
			return node != NULL && ph_run_eval(run, node, scope, place, result);
		case PH_TEMPLATE_SWITCH:
			return eval_switch(run, node, scope, place, result);
		case PH_TEMPLATE_LET:
			return eval_let(run, node, scope, place, result);
		case PH_TEMPLATE_MERGE:
			return eval_merge(run, node, scope, place, result);
		case PH_TEMPLATE_USE:
			return eval_use(run, node, scope, place, result);
		case PH_TEMPLATE_CALL:
			return eval_call(run, node, scope, place, result);
		case PH_TEMPLATE_FAIL:
			eval_fail(run, node, scope, place);
			return false;
	}
	return false;
}

bool
ph_apply(PhApply *apply)
{
	const PhOptions *options = &apply->unit->options;
	PhRun			run = {.apply = apply, .unit = apply->unit, .context = CurrentMemoryContext};
	PhScope		scope = {apply->document, NULL, &run.env, NULL, NULL};
	bool		found;

	apply->nfaults = 0;
	apply->faults = NULL;
	run.env = (PhVariable) {"env", 3, apply->env, NULL};
	run.evaluation.root = apply->document;
	run.evaluation.visits = options->budget;
	run.evaluation.xref = apply->xref;
	run.evaluation.unit = apply->unit_convert;
	run.evaluation.arg = apply->arg;
	run.memory_limit = Max(MEMORY_LEAST, MEMORY_FACTOR * (Size) options->max_output);
	run.next_memory_check = options->budget - MEMORY_EVERY;
	found = ph_run_eval(&run, apply->unit->root, &scope, NULL, &apply->output);
	if (!found && apply->nfaults == 0)
		ph_run_fault(&run, PH_CODE_EMPTY_OUTPUT, "the mapping gives nothing for this document", "", &scope, NULL);
	apply->visits = Max(0, run.evaluation.visits);
	return apply->nfaults == 0;
}
