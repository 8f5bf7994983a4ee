/*
 * run_fault.c
 *	  Faults of a template at work, and where they are in the output and in the input.
 */
#include "postgres.h"

#include "json/run.h"

static char *
place_text(const PhPlace *place)
{
	char	   *outer;

	if (place == NULL)
		return pstrdup("");
	outer = place_text(place->outer);
	if (place->key == NULL)
		return ph_pointer_index(outer, place->index);
	return ph_pointer_append(outer, place->key, place->length);
}

static char *
origin_text(const PhOrigin *origin)
{
	char	   *text;
	const PhStep *step;

	if (origin == NULL)
		return pstrdup("");
	text = origin_text(origin->outer);
	for (step = origin->steps; step != NULL; step = step->next)
		text = step->key == NULL ? ph_pointer_index(text, step->index) :
			ph_pointer_append(text, step->key, step->length);
	return origin->element < 0 ? text : ph_pointer_index(text, origin->element);
}

PhFault *
ph_run_fault(PhRun *run, const char *code, const char *message, const char *pointer, const PhScope *scope, const PhPlace *place)
{
	PhApply    *apply = run->apply;
	int			limit = apply->unit->options.max_errors;
	PhFault    *fault;

	if (apply->faults == NULL)
		apply->faults = palloc(limit * sizeof(PhFault));
	if (apply->nfaults == limit)
		apply->nfaults--;		/* the budget is spent: that must be told */
	fault = &apply->faults[apply->nfaults++];
	memset(fault, 0, sizeof(PhFault));
	fault->code = code;
	fault->message = message;
	fault->at = place_text(place);
	fault->input = origin_text(scope->origin);
	fault->template = pointer;
	fault->unit = run->unit;
	if (apply->nfaults == limit || strcmp(code, PH_CODE_BUDGET) == 0)
		run->stopped = true;
	return fault;
}

void
ph_run_leaf_fault(PhRun *run, const char *code, const char *message, const PhLeaf *leaf, const PhScope *scope, const PhPlace *place)
{
	PhFault    *fault = ph_run_fault(run, code, message, leaf->pointer, scope, place);

	fault->expression = leaf->text;
}

void
ph_run_expression_fault(PhRun *run, const PhLeaf *leaf, const PhScope *scope, const PhPlace *place)
{
	const PhError *error = &run->evaluation.error;
	PhFault    *fault = ph_run_fault(run, error->code, error->message, leaf->pointer, scope, place);

	fault->expression = leaf->text;
	fault->hint = error->hint;
	fault->column = error->column;
	fault->set = error->set;
	fault->key = error->key;
}

bool
ph_run_origin(const PhRun *run, const PhPath *path, const PhScope *scope, const PhOrigin **origin)
{
	const PhScope *at;

	if (path == NULL)
		return false;
	*origin = path->base == '$' ? run->root : scope->origin;
	if (path->base != 'v')
		return true;
	for (at = scope; at != NULL; at = at->outer)
	{
		if (at->name == NULL)
			return false;
		if (strcmp(path->variable, "parent") == 0)
		{
			*origin = at->outer->origin;
			return true;
		}
		if (strcmp(path->variable, at->name) == 0)
		{
			*origin = at->origin;
			return true;
		}
	}
	return false;
}

PhOrigin
ph_run_element_origin(const PhOrigin *array, bool known, bool is_array, const PhLeaf *leaf, int element)
{
	PhOrigin		origin = {array, NULL, -1};

	if (known)
	{
		origin.steps = leaf->path->steps;
		origin.element = is_array ? element : -1;
	}
	return origin;
}
