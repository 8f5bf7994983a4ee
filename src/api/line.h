/*
 * line.h
 *	  The composite types of events that are evaluated, as C sees them.
 */
#ifndef PLANTHUB_LINE_H
#define PLANTHUB_LINE_H

#include "access/htup.h"
#include "fmgr.h"
#include "utils/array.h"

#include "api/inbound.h"

/* Attributes of the type planthub.line, in order. */
enum
{
	LINE_N, LINE_POINTER, LINE_KIND, LINE_ITEM, LINE_LOT, LINE_SERIALS, LINE_QTY, LINE_UOM, LINE_BASE_QTY,
	LINE_BASE_UOM, LINE_FROM, LINE_FROM_STATUS, LINE_TO, LINE_TO_STATUS, LINE_COMPONENT, LINE_ACCOUNT,
	LINE_ACCOUNT_TOTAL, LINE_LOT_CONTROLLED, LINE_SERIAL_CONTROLLED, LINE_LOT_KNOWN, LINE_EXPIRY, LINE_FROM_KNOWN,
	LINE_TO_KNOWN,
	LINE_ATTRIBUTES
};

typedef struct PhLine
{
	Datum		values[LINE_ATTRIBUTES];
	bool		nulls[LINE_ATTRIBUTES];
} PhLine;

typedef struct PhInbound
{
	Datum		values[EVENT_ATTRIBUTES];
	bool		nulls[EVENT_ATTRIBUTES];
} PhInbound;

/* Texts that are not null, by their bytes. */
extern int	ph_text_compare(Datum left, Datum right);
extern bool ph_text_equal(Datum left, Datum right);

/* A member of an object in jsonb as ->> gives it; false for null, when it is absent, and when there is no object. */
extern bool ph_member_text(JsonbContainer *object, const char *name, Datum *result);

/* A value of a composite type, and what a function of several results returns. */
extern Datum ph_composite(Oid type, int attributes, Datum *values, bool *nulls);

/*
 * Arguments of a function; an array that is null has no element.  An event has number, topic, site, time and data; it and
 * arguments that are required raise 22004 when they are null.
 */
extern void ph_require_arguments(FunctionCallInfo fcinfo, int first, int last);
extern void ph_inbound_argument(FunctionCallInfo fcinfo, int number, PhInbound *event);
extern PhLine *ph_lines_argument(FunctionCallInfo fcinfo, int number, int *n);

/*
 * Arrays of composite values, as structs of a size that begin with Datum values[attributes] and bool nulls[attributes].
 * What the values point to stays in the array.
 */
extern void *ph_composites_argument(FunctionCallInfo fcinfo, int number, int attributes, Size size, int *n);
extern Datum ph_composite_array(Oid array_type, int n, int attributes, void *structs, Size size);

/* Of the row that a function of several results returns. */
extern TupleDesc ph_result_descriptor(FunctionCallInfo fcinfo);

#endif
