/*
 * outcome.h
 *	  What the result of one attempt means, and when to try again.  Pure C.
 */
#ifndef PLANTHUB_OUTCOME_H
#define PLANTHUB_OUTCOME_H

#include "connector/connector.h"

typedef enum PhOutcome
{
	PH_OUTCOME_SUCCESS,
	PH_OUTCOME_DUPLICATE,			/* the target knew it already: as good as success */
	PH_OUTCOME_TRANSIENT,			/* try again */
	PH_OUTCOME_THROTTLED,			/* try again later; the endpoint is asked to slow down */
	PH_OUTCOME_AUTH,
	PH_OUTCOME_BUSINESS,			/* the target understood and refused: park */
	PH_OUTCOME_PERMANENT,			/* will never work: dead */
	PH_OUTCOME_UNKNOWN				/* sent, and no answer: it may have had its effect */
} PhOutcome;

/* The class of a result of the http connector (DESIGN.md 4; RFC 9110 for the codes). */
extern PhOutcome ph_outcome_classify(const PhResult *result);

/* Its name in the attempt table, and the other way round; false: there is no such outcome. */
extern const char *ph_outcome_name(PhOutcome outcome);
extern bool ph_outcome_parse(const char *name, PhOutcome *outcome);

/* Whether the request may have reached the target; only then an attempt counts against max_attempts. */
extern bool ph_outcome_counts(const PhResult *result);

/*
 * Milliseconds until the next try: full jitter, uniform in [0, min(cap, base * 2^(attempts-1))], with random in [0,1);
 * but never before retry_after_s when the target gave one.  attempts counts from 1.
 */
extern int64_t ph_retry_delay_ms(int attempts, int64_t base_ms, int64_t cap_ms, long retry_after_s, double random);

#endif
