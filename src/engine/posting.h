/*
 * posting.h
 *	  Delivered is not posted: what the targets of delivered items say about their documents.
 */
#ifndef PLANTHUB_POSTING_H
#define PLANTHUB_POSTING_H

#include "engine/item.h"

/*
 * For items that are delivered now and whose routes want it: applies the response mapping to the answer and records what
 * it says in planthub.posting and the cross-reference, in the present transaction, between SPI_connect and SPI_finish of
 * the caller.  A mapping that fails is recorded as such; the delivery stays delivered.
 */
extern void ph_posting_record(const PhConfig *config, PhItem **items, int n);

#endif
