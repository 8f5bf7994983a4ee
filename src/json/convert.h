/*
 * convert.h
 *	  Strict conversion of values to the types of "$type".
 */
#ifndef PLANTHUB_CONVERT_H
#define PLANTHUB_CONVERT_H

#include "json/template.h"

/*
 * NULL when good, else what is wrong.  Strings become numbers when they are JSON numbers, and booleans when they are
 * "true" or "false"; scalars become strings.  A date is YYYY-MM-DD, a timestamp has date, time and offset (ISO 8601);
 * both stay as they are written.
 */
extern const char *ph_convert(PhType type, const PhValue *value, PhValue *result);

#endif
