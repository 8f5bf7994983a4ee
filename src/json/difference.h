/*
 * difference.h
 *	  Where two JSON documents differ.
 */
#ifndef PLANTHUB_DIFFERENCE_H
#define PLANTHUB_DIFFERENCE_H

#include "json/value.h"

/* NULL: only the other document has it. */
typedef void (*PhDifference) (void *arg, const char *pointer, const PhValue *expected, const PhValue *actual);

/* Calls it for each difference, the deepest pointers that tell it. */
extern void ph_differences(const PhValue *expected, const PhValue *actual, PhDifference found, void *arg);

#endif
