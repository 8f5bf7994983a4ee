/*
 * inbound.h
 *	  What the SQL functions of receive() share.
 */
#ifndef PLANTHUB_INBOUND_H
#define PLANTHUB_INBOUND_H

#include "utils/array.h"

/* The function planthub.lock_things(): until the end of the transaction, always in one order. */
extern void ph_lock_things(text *kind, ArrayType *keys);

#endif
