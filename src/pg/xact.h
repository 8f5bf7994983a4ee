/*
 * xact.h
 *	  Wakes the workers when the present transaction commits.
 */
#ifndef PLANTHUB_XACT_H
#define PLANTHUB_XACT_H

#include "datatype/timestamp.h"

/* This transaction put something into the lane: tell its worker at commit. */
extern void ph_xact_mark_lane(int lane);

/* This transaction brought an entry of the cross-reference, set/code: tell who waits for it at commit. */
extern void ph_xact_mark_entry(const char *thing);

/* This transaction changed the configuration: tell every worker at commit. */
extern void ph_xact_mark_config(void);

/* Because of this transaction a job other than a collector may have to run at this time: tell at commit.  0: at once. */
extern void ph_xact_mark_jobs(TimestampTz at);

#endif
