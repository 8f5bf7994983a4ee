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

int
ph_text_compare(Datum left, Datum right)
{
	text	   *a = DatumGetTextPP(left);
	text	   *b = DatumGetTextPP(right);
	int			length = Min(VARSIZE_ANY_EXHDR(a), VARSIZE_ANY_EXHDR(b));
	int			order = memcmp(VARDATA_ANY(a), VARDATA_ANY(b), length);

	return order != 0 ? order : (int) VARSIZE_ANY_EXHDR(a) - (int) VARSIZE_ANY_EXHDR(b);
}

bool
ph_text_equal(Datum left, Datum right)
{
	return ph_text_compare(left, right) == 0;
}

bool
ph_member_text(JsonbContainer *object, const char *name, Datum *result)
{
	JsonbValue	value;
	Jsonb	   *part;

	if (!JsonContainerIsObject(object) ||
		getKeyJsonValueFromContainer(object, name, (int) strlen(name), &value) == NULL || value.type == jbvNull)
		return false;
	if (value.type == jbvString)
		*result = PointerGetDatum(cstring_to_text_with_len(value.val.string.val, value.val.string.len));
	else
	{
		part = JsonbValueToJsonb(&value);
		*result = CStringGetTextDatum(JsonbToCString(NULL, &part->root, VARSIZE(part)));
	}
	return true;
}

/* Takes a composite value apart that must have so many attributes. */
static void
read_composite(HeapTupleHeader composite, int attributes, Datum *values, bool *nulls)
{
	TupleDesc	descriptor = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(composite),
													HeapTupleHeaderGetTypMod(composite));
	HeapTupleData tuple = {.t_len = HeapTupleHeaderGetDatumLength(composite), .t_data = composite};

	if (descriptor->natts != attributes)
		elog(ERROR, "type %s has %d attributes", format_type_be(descriptor->tdtypeid), descriptor->natts);
	heap_deform_tuple(&tuple, descriptor, values, nulls);
	ReleaseTupleDesc(descriptor);
}

static void
refuse_null(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("%s must not be null", what)));
}

void
ph_require_arguments(FunctionCallInfo fcinfo, int first, int last)
{
	int			i;

	for (i = first; i <= last; i++)
	{
		if (PG_ARGISNULL(i))
			refuse_null(psprintf("argument %d", i + 1));
	}
}

void
ph_inbound_argument(FunctionCallInfo fcinfo, int number, PhInbound *event)
{
	ph_require_arguments(fcinfo, number, number);
	read_composite(PG_GETARG_HEAPTUPLEHEADER(number), EVENT_ATTRIBUTES, event->values, event->nulls);
	if (event->nulls[EVENT_ID] || event->nulls[EVENT_TOPIC] || event->nulls[EVENT_SITE] || event->nulls[EVENT_TIME] ||
		event->nulls[EVENT_DATA])
		refuse_null("number, topic, site, time or data of an event");
}

PhLine *
ph_lines_argument(FunctionCallInfo fcinfo, int number, int *n)
{
	return ph_composites_argument(fcinfo, number, LINE_ATTRIBUTES, sizeof(PhLine), n);
}

void *
ph_composites_argument(FunctionCallInfo fcinfo, int number, int attributes, Size size, int *n)
{
	ArrayType  *array;
	Datum	   *elements;
	char	   *structs;
	int			i;

	*n = 0;
	if (PG_ARGISNULL(number))
		return NULL;
	array = PG_GETARG_ARRAYTYPE_P(number);
	deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_DOUBLE, &elements, NULL, n);
	structs = MemoryContextAllocHuge(CurrentMemoryContext, Max(*n, 1) * size);
	for (i = 0; i < *n; i++)
	{
		Datum	   *values = (Datum *) (structs + i * size);

		read_composite(DatumGetHeapTupleHeader(elements[i]), attributes, values, (bool *) (values + attributes));
	}
	return structs;
}

Datum
ph_composite(Oid type, int attributes, Datum *values, bool *nulls)
{
	TupleDesc	descriptor = lookup_rowtype_tupdesc(type, -1);
	Datum		result;

	if (descriptor->natts != attributes)
		elog(ERROR, "type %s has %d attributes", format_type_be(type), descriptor->natts);
	result = HeapTupleGetDatum(heap_form_tuple(descriptor, values, nulls));
	ReleaseTupleDesc(descriptor);
	return result;
}

Datum
ph_composite_array(Oid array_type, int n, int attributes, void *structs, Size size)
{
	Oid			type = get_element_type(array_type);
	Datum	   *elements = palloc(Max(n, 1) * sizeof(Datum));
	int			i;

	for (i = 0; i < n; i++)
	{
		Datum	   *values = (Datum *) ((char *) structs + i * size);

		elements[i] = ph_composite(type, attributes, values, (bool *) (values + attributes));
	}
	return PointerGetDatum(construct_array(elements, n, type, -1, false, TYPALIGN_DOUBLE));
}

TupleDesc
ph_result_descriptor(FunctionCallInfo fcinfo)
{
	TupleDesc	descriptor;

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "a function of several results must return a row");
	return BlessTupleDesc(descriptor);
}
