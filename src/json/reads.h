/*
 * reads.h
 *	  What a mapping reads and relies on, found by looking at its templates, and what in them is probably not meant.
 */
#ifndef PLANTHUB_READS_H
#define PLANTHUB_READS_H

#include "json/mapping.h"

typedef struct PhNames
{
	int			n;
	int			allocated;
	const char **list;			/* each once */
} PhNames;

typedef struct PhReads
{
	PhNames		fields;			/* of the input: "$.order.components[].MATNR" */
	PhNames		sets;			/* of the cross-reference */
	PhNames		functions;		/* of $call */
	PhProblems	warnings;		/* pointers are mapping#pointer */
	PhValue		places;			/* array of {path, place, column}: each time that a field is read */
	PhValue		assumptions;			/* array of {kind, path, other or literal, place, column}: see PhAssumption, and kind "case" */
} PhReads;

/* In the current memory context. */
extern void ph_reads_find(const PhMapping *mapping, PhReads *reads);

/* The same for an expression over a document that is both @ and $; places are empty. */
extern void ph_reads_of_expression(const PhExpression *expression, PhReads *reads);

/* Pointers of what is in the document and not read, an array of strings; "*" for any element, outermost ones only. */
extern PhValue ph_reads_unread(const PhMapping *mapping, const PhValue *document);

#endif
