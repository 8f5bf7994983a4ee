/*
 * writes.h
 *	  What a mapping can write, found by looking at its templates: the outline of its output.
 */
#ifndef PLANTHUB_WRITES_H
#define PLANTHUB_WRITES_H

#include "json/mapping.h"

/*
 * The outline, in the current memory context.  Each part is an object with "place" (mapping#pointer) and at most one of
 *	"value": this literal
 *	"type": something of this type
 *	"members": an object with these, each a part; "open" is true when others may be there, too
 *	"items": an array with elements like these
 *	"any": one of these; none of them: nothing
 * A part with none of them can be anything.
 */
extern PhValue ph_writes_find(const PhMapping *mapping);

#endif
