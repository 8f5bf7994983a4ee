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
} PhReads;

/* In the current memory context. */
extern void ph_reads_find(const PhMapping *mapping, PhReads *reads);

/* Pointers of what is in the document and not read, an array of strings; "*" for any element, outermost ones only. */
extern PhValue ph_reads_unread(const PhMapping *mapping, const PhValue *document);

#endif
