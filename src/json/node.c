/*
 * node.c
 *	  The tree of an expression, and how it is built.
 *
 * Depth is bounded while the tree grows, so that nobody who walks it later has to fear for the stack.
 * Pure C: this file cannot throw.
 */
#include "json/node.h"

#include <string.h>

#include "json/json_text.h"

#ifdef POSTGRES_H
#error "node.c must not include postgres.h"
#endif

PhNode *
ph_node_fault(PhTree *tree, size_t offset, const char *fault, const char *hint)
{
	if (tree->syntax->fault == NULL)
	{
		tree->syntax->fault = fault;
		tree->syntax->offset = offset;
		tree->syntax->hint = hint;
	}
	return NULL;
}

PhNode *
ph_node_new(PhTree *tree, PhNodeType type, size_t offset)
{
	PhNode	   *node = tree->allocate(tree->arg, sizeof(PhNode));

	memset(node, 0, sizeof(PhNode));
	node->type = type;
	node->offset = offset;
	node->depth = 1;
	return node;
}

PhNode *
ph_node_text(PhTree *tree, PhNodeType type, const PhToken *token)
{
	PhNode	   *node = ph_node_new(tree, type, token->start);

	node->text = token->text;
	node->length = token->length;
	node->quoted = token->type == PH_TOKEN_QUOTED;
	return node;
}

bool
ph_node_adopt(PhTree *tree, PhNode *node, const PhNode *child)
{
	if (child == NULL)
		return false;
	if (child->depth >= node->depth)
		node->depth = child->depth + 1;
	if (node->depth <= PH_EXPRESSION_DEPTH)
		return true;
	(void) ph_node_fault(tree, node->offset, "expression is nested too deeply", NULL);
	return false;
}

PhNode *
ph_node_over(PhTree *tree, PhNodeType type, size_t offset, PhNode *left)
{
	PhNode	   *node = ph_node_new(tree, type, offset);

	node->left = left;
	return ph_node_adopt(tree, node, left) ? node : NULL;
}

PhNode *
ph_node_pair(PhTree *tree, PhNodeType type, size_t offset, PhNode *left, PhNode *right)
{
	PhNode	   *node = ph_node_over(tree, type, offset, left);

	if (node == NULL || !ph_node_adopt(tree, node, right))
		return NULL;
	node->right = right;
	return node;
}

bool
ph_node_append(PhTree *tree, PhNode *node, PhNode ***tail, PhNode *item)
{
	if (!ph_node_adopt(tree, node, item))
		return false;
	**tail = item;
	*tail = &item->next;
	node->n++;
	return true;
}

void
ph_node_unescape(PhTree *tree, PhNode *node, char first, char second)
{
	char	   *copy;
	int			length = 0;
	int			i;

	if (node->length == 0 || memchr(node->text, '\\', node->length) == NULL)
		return;
	copy = tree->allocate(tree->arg, node->length);
	for (i = 0; i < node->length; i++)
	{
		if (node->text[i] == '\\' && i + 1 < node->length)
		{
			i++;
			if (node->text[i] != first && node->text[i] != second)
				copy[length++] = '\\';
		}
		copy[length++] = node->text[i];
	}
	node->text = copy;
	node->length = length;
}

/* The place is exact unless a back-tick was escaped before it. */
bool
ph_node_check_json(PhTree *tree, const char *text, size_t length, size_t start, const char *hint)
{
	size_t		offset;
	const char *fault = ph_json_text_fault(text, length, tree->ascii, &offset);

	if (fault != NULL)
		(void) ph_node_fault(tree, start + offset, fault, hint);
	return fault == NULL;
}
