/*
 * number.h
 *	  Exact arithmetic that returns its errors.  Every number that is computed has at most PH_NUMBER_DIGITS digits on
 *	  either side of the point; operands from a document may have more and are refused here.
 */
#ifndef PLANTHUB_NUMBER_H
#define PLANTHUB_NUMBER_H

#include "utils/numeric.h"

#include "json/node.h"

typedef enum PhRounding
{
	PH_ROUND_HALF_UP,			/* away from zero, as people do */
	PH_ROUND_HALF_EVEN,
	PH_ROUND_DOWN,				/* towards zero */
	PH_ROUND_UP					/* away from zero */
} PhRounding;

/* NULL when good; else what is wrong. */
extern const char *ph_number_fault(Numeric number);
extern const char *ph_number_operate(PhOperator operator, Numeric a, Numeric b, Numeric *result);
extern const char *ph_number_round(Numeric number, int digits, PhRounding rounding, Numeric *result);

extern Numeric ph_number_negate(Numeric number);
extern int	ph_number_compare(Numeric a, Numeric b);
extern bool ph_number_to_int(Numeric number, int32 *result);	/* false: not whole, or too large */
extern char *ph_number_text(Numeric number);

/* Text of a JSON number; leading zeros and a sign "+" too.  False: it is none. */
extern bool ph_number_parse(const char *text, int length, Numeric *result);

#endif
