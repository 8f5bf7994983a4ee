/*
 * merge_patch.h
 *	  JSON Merge Patch, RFC 7396.
 */
#ifndef PLANTHUB_MERGE_PATCH_H
#define PLANTHUB_MERGE_PATCH_H

#include "json/value.h"

/* In the current memory context; points into both.  A target that is absent is null. */
extern PhValue ph_merge_patch(const PhValue *target, const PhValue *patch);

#endif
