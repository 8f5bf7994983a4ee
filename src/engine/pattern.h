/*
 * pattern.h
 *	  Topic patterns.  Pure C.
 */
#ifndef PLANTHUB_PATTERN_H
#define PLANTHUB_PATTERN_H

#include <stdbool.h>

/* Words are separated by dots; in a pattern "*" stands for one word and "#" for any number of words, also none. */
extern bool ph_pattern_matches(const char *pattern, const char *topic);

#endif
