/*
 * unit.h
 *	  Conversion of units of measure by exact ratios.  The table planthub.unit is remembered per backend.
 */
#ifndef PLANTHUB_UNIT_H
#define PLANTHUB_UNIT_H

#include "utils/numeric.h"

typedef enum PhUnitResult
{
	PH_UNIT_OK,
	PH_UNIT_UNKNOWN_FROM,
	PH_UNIT_UNKNOWN_TO,
	PH_UNIT_MISMATCH,			/* other dimension */
	PH_UNIT_NO_RATIO,			/* one of them depends on the item */
	PH_UNIT_OVERFLOW
} PhUnitResult;

/* Divides last, with as many decimals as a result that ends can have, or at least 16 digits. */
extern PhUnitResult ph_unit_convert(Numeric value, const char *from, const char *to, Numeric *result);

/* The code to use instead of an alias, else the code itself; NULL: unknown.  Valid until the next call. */
extern const char *ph_unit_code(const char *code);

#endif
