/*
 * parser.h
 *	  From the text of an expression to its tree.  Pure C.
 */
#ifndef PLANTHUB_PARSER_H
#define PLANTHUB_PARSER_H

#include "json/node.h"

/* The tree points into the text.  ascii: see json_text.h.  NULL: see the fault. */
extern PhNode *ph_parser_parse(const char *text, size_t length, bool ascii, PhAllocate allocate, void *arg,
							   PhSyntax *syntax);

#endif
