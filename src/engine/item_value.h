/*
 * item_value.h
 *	  A delivery as expressions and mappings see it: {"delivery", "message"}.
 */
#ifndef PLANTHUB_ITEM_VALUE_H
#define PLANTHUB_ITEM_VALUE_H

#include "engine/item.h"
#include "json/value.h"

/* Appends both members to an object; they refer to the item.  In the current memory context. */
extern void ph_item_append_values(PhValue *object, const PhItem *item, const char *route, const PhEndpoint *endpoint);

#endif
