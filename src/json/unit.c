/*
 * unit.c
 *	  Conversion of units of measure by exact ratios.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "json/unit.h"
#include "pg/lookup.h"

#define CODE_BYTES	8
/* A ratio of whole numbers ends after at most so many decimals per decimal digit of the denominator: log2(10) < 4. */
#define DECIMALS_PER_DIGIT	4

typedef struct Unit
{
	char		code[CODE_BYTES];	/* hash key */
	char		alias_of[CODE_BYTES];	/* "": none */
	const char *dimension;
	Numeric		numerator;		/* NULL: no ratio */
	Numeric		denominator;
	Numeric		shift;			/* NULL: zero */
} Unit;

static PhWatch watch = {.table = "unit"};
static uint64 read_at = 0;
static MemoryContext context = NULL;
static HTAB *units = NULL;

static bool
is_zero(Numeric number)
{
	return DatumGetBool(DirectFunctionCall2(numeric_eq, NumericGetDatum(number), NumericGetDatum(int64_to_numeric(0))));
}

static void
read_units(uint64 changes)
{
	HASHCTL		control = {.keysize = CODE_BYTES, .entrysize = sizeof(Unit)};
	PhLookup   *lookup;
	MemoryContext caller;

	if (context == NULL)
		context = AllocSetContextCreate(TopMemoryContext, "planthub units", ALLOCSET_SMALL_SIZES);
	MemoryContextReset(context);
	units = NULL;
	control.hcxt = context;
	caller = MemoryContextSwitchTo(context);
	units = hash_create("planthub units", 64, &control, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	lookup = ph_lookup_open("unit", NULL, 0, NULL, NULL);
	while (ph_lookup_next(lookup))
	{
		char	   *alias_of = ph_lookup_text(lookup, "alias_of");
		bool		found;
		Unit	   *unit = hash_search(units, ph_lookup_text(lookup, "code"), HASH_ENTER, &found);

		strlcpy(unit->alias_of, alias_of != NULL ? alias_of : "", CODE_BYTES);
		unit->dimension = ph_lookup_text(lookup, "dimension");
		unit->numerator = (Numeric) ph_lookup_varlena(lookup, "numerator");
		unit->denominator = (Numeric) ph_lookup_varlena(lookup, "denominator");
		unit->shift = (Numeric) ph_lookup_varlena(lookup, "shift");
		if (is_zero(unit->shift))
			unit->shift = NULL;
	}
	ph_lookup_close(lookup);
	MemoryContextSwitchTo(caller);
	read_at = changes;
}

static Unit *
find(const char *code)
{
	uint64		changes = ph_watch(&watch);

	if (units == NULL || read_at != changes)
		read_units(changes);
	if (strlen(code) >= CODE_BYTES)
		return NULL;
	return hash_search(units, code, HASH_FIND, NULL);
}

const char *
ph_unit_code(const char *code)
{
	Unit	   *unit = find(code);

	return unit == NULL ? NULL : unit->alias_of[0] != '\0' ? unit->alias_of : unit->code;
}

/* Digits before the point of a whole number. */
static int
count_digits(Numeric number)
{
	return strlen(DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number))));
}

/* value / denominator, exact when it ends. */
static Numeric
divide(Numeric value, Numeric denominator)
{
	int			scale = DatumGetInt32(DirectFunctionCall1(numeric_scale, NumericGetDatum(value)));
	Datum		padded = DirectFunctionCall2(numeric_round, NumericGetDatum(value),
											 Int32GetDatum(scale + DECIMALS_PER_DIGIT * count_digits(denominator)));

	return DatumGetNumeric(DirectFunctionCall1(numeric_trim_scale,
											   DirectFunctionCall2(numeric_div, padded, NumericGetDatum(denominator))));
}

PhUnitResult
ph_unit_convert(Numeric value, const char *from_code, const char *to_code, Numeric *result)
{
	Unit	   *from = find(from_code);
	Unit	   *to = find(to_code);
	Numeric		denominator;
	bool		error = false;

	if (from == NULL)
		return PH_UNIT_UNKNOWN_FROM;
	if (to == NULL)
		return PH_UNIT_UNKNOWN_TO;
	if (from == to || strcmp(ph_unit_code(from_code), ph_unit_code(to_code)) == 0)
	{
		*result = value;
		return PH_UNIT_OK;
	}
	if (strcmp(from->dimension, to->dimension) != 0)
		return PH_UNIT_MISMATCH;
	if (from->numerator == NULL || to->numerator == NULL)
		return PH_UNIT_NO_RATIO;

	if (from->shift != NULL)
		value = numeric_add_opt_error(value, from->shift, &error);
	if (!error)
		value = numeric_mul_opt_error(value, from->numerator, &error);
	if (!error)
		value = numeric_mul_opt_error(value, to->denominator, &error);
	if (error)
		return PH_UNIT_OVERFLOW;
	denominator = numeric_mul_opt_error(from->denominator, to->numerator, &error);
	if (!is_zero(numeric_sub_opt_error(denominator, int64_to_numeric(1), &error)))
		value = divide(value, denominator);
	if (to->shift != NULL)
		value = numeric_sub_opt_error(value, to->shift, &error);
	*result = value;
	return PH_UNIT_OK;
}
