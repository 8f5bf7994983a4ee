/*
 * follow.h
 *	  Asking what becomes of what a target has taken: jobs that run on, details that come with a later answer.
 *
 * The response mapping of a route says where to ask and when (follow); planthub.follow_up keeps it until the mapping, which
 * reads the answer, says no more.  So nothing waits meanwhile, and what a crash interrupts is asked again.
 */
#ifndef PLANTHUB_FOLLOW_H
#define PLANTHUB_FOLLOW_H

#include "engine/work.h"

/* Takes what is due into the queues of the lanes, in transactions of its own. */
extern void ph_follow_run(TimestampTz now);

/* One of those has its answer, which was recorded like any other, or none: then it is asked again. */
extern void ph_follow_settle(const PhConfig *config, PhItem *item);

#endif
