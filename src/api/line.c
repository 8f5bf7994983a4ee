/*
 * line.c
 *	  The composite types of events that are evaluated, as C sees them: taken apart and put together.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "api/line.h"

bool
ph_text_equal(Datum left, Datum right)
{
	text	   *a = DatumGetTextPP(left);
	text	   *b = DatumGetTextPP(right);

	return VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
		memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
}

void
ph_composite_read(HeapTupleHeader composite, int attributes, Datum *values, bool *nulls)
{
	TupleDesc	descriptor = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(composite),
													HeapTupleHeaderGetTypMod(composite));
	HeapTupleData tuple = {.t_len = HeapTupleHeaderGetDatumLength(composite), .t_data = composite};

	if (descriptor->natts != attributes)
		elog(ERROR, "type %s has %d attributes", format_type_be(descriptor->tdtypeid), descriptor->natts);
	heap_deform_tuple(&tuple, descriptor, values, nulls);
	ReleaseTupleDesc(descriptor);
}

void
ph_inbound_argument(FunctionCallInfo fcinfo, int number, PhInbound *event)
{
	ph_composite_read(PG_GETARG_HEAPTUPLEHEADER(number), EVENT_ATTRIBUTES, event->values, event->nulls);
}

PhLine *
ph_lines_argument(FunctionCallInfo fcinfo, int number, int *n)
{
	PhLine	   *lines;
	Datum	   *elements;
	int			i;

	*n = 0;
	if (PG_ARGISNULL(number))
		return NULL;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(number), ARR_ELEMTYPE(PG_GETARG_ARRAYTYPE_P(number)), -1, false,
					  TYPALIGN_DOUBLE, &elements, NULL, n);
	lines = palloc(Max(*n, 1) * sizeof(PhLine));
	for (i = 0; i < *n; i++)
		ph_composite_read(DatumGetHeapTupleHeader(elements[i]), LINE_ATTRIBUTES, lines[i].values, lines[i].nulls);
	return lines;
}

TupleDesc
ph_result_descriptor(FunctionCallInfo fcinfo)
{
	TupleDesc	descriptor;

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "a function of several results must return a row");
	return BlessTupleDesc(descriptor);
}

Datum
ph_composite_array(TupleDesc result, int column, int n, int attributes, Datum *values, bool *nulls)
{
	Oid			type = get_element_type(TupleDescAttr(result, column)->atttypid);
	TupleDesc	descriptor = lookup_rowtype_tupdesc(type, -1);
	Datum	   *elements = palloc(Max(n, 1) * sizeof(Datum));
	int			i;

	if (descriptor->natts != attributes)
		elog(ERROR, "type %s has %d attributes", format_type_be(type), descriptor->natts);
	for (i = 0; i < n; i++)
		elements[i] = HeapTupleGetDatum(heap_form_tuple(descriptor, values + i * attributes, nulls + i * attributes));
	ReleaseTupleDesc(descriptor);
	return PointerGetDatum(construct_array(elements, n, type, -1, false, TYPALIGN_DOUBLE));
}
