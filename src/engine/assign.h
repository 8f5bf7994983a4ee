/*
 * assign.h
 *	  Which endpoints and lanes this worker serves.
 */
#ifndef PLANTHUB_ASSIGN_H
#define PLANTHUB_ASSIGN_H

#include "engine/config.h"

/*
 * Takes over a new configuration.  Endpoints of this worker are those whose number says so; one that is gone has
 * nothing left to deliver, its requests under way end with their results.
 */
extern void ph_assign_config(const PhConfig *config);

/* Tries, outside a transaction, for every lane that is not ours yet. */
extern void ph_assign_take_lanes(void);

#endif
