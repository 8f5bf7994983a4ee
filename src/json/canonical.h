/*
 * canonical.h
 *	  One text for all ways to write the same JSON document.
 */
#ifndef PLANTHUB_CANONICAL_H
#define PLANTHUB_CANONICAL_H

#include "lib/stringinfo.h"
#include "utils/jsonb.h"

/*
 * Appends the canonical form: no white space, members in the order of jsonb (by length, then by bytes), every member
 * once, numbers without exponent and trailing zeros; the "value" of a quantity, an object with "uom" and a decimal text
 * as "value", without trailing zeros too.
 */
extern void ph_canonical_append(StringInfo out, Jsonb *document);

#endif
