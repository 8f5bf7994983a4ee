/*
 * breaker.c
 *	  Circuit breaker of one endpoint.  Pure C.
 */
#include <limits.h>

#include "engine/breaker.h"

#ifdef POSTGRES_H
#error "pure C: must not see postgres.h"
#endif

#define BASE_US		INT64_C(1000000)
#define CAP_US		INT64_C(30000000)	/* so that a recovery is noticed */

void
ph_breaker_init(PhBreaker *breaker, int max_in_flight)
{
	*breaker = (PhBreaker) {.state = PH_BREAKER_CLOSED,.max = max_in_flight,.limit = max_in_flight};
}

int
ph_breaker_allow(PhBreaker *breaker, int64_t now_us, int in_flight)
{
	switch (breaker->state)
	{
		case PH_BREAKER_CLOSED:
			if (breaker->limit >= breaker->max)
				return INT_MAX;
			return breaker->limit > in_flight ? breaker->limit - in_flight : 0;
		case PH_BREAKER_OPEN:
			if (now_us < breaker->retry_at_us || in_flight > 0)
				return 0;
			breaker->state = PH_BREAKER_HALF_OPEN;
			return 1;
		case PH_BREAKER_HALF_OPEN:
			return in_flight == 0 ? 1 : 0;
	}
	return 0;
}

void
ph_breaker_success(PhBreaker *breaker)
{
	breaker->failures = 0;
	if (breaker->state != PH_BREAKER_CLOSED)
	{
		/* Also when it is a late answer to a request from before: the endpoint works. */
		breaker->state = PH_BREAKER_CLOSED;
		breaker->retry_at_us = 0;
		breaker->limit = 1;
	}
	if (breaker->limit < breaker->max)
		breaker->limit++;			/* one more per answer is twice as many per round trip */
	if (breaker->limit >= breaker->max)
		breaker->opened = 0;
}

/* Half of the period is certain, half is random: a fleet of hubs must not probe in step. */
static int64_t
open_period_us(int opened, double random)
{
	int64_t		period = BASE_US;
	int			i;

	for (i = 1; i < opened && period < CAP_US; i++)
		period *= 2;
	if (period > CAP_US)
		period = CAP_US;
	return period / 2 + (int64_t) (random * (double) (period / 2));
}

void
ph_breaker_failure(PhBreaker *breaker, int64_t now_us, int threshold, double random)
{
	if (breaker->failures < INT_MAX)
		breaker->failures++;
	if (breaker->state == PH_BREAKER_OPEN)
		return;						/* a request from before it opened; says nothing about the end of the outage */
	if (breaker->state == PH_BREAKER_CLOSED && (threshold < 1 || breaker->failures < threshold))
	{
		if (breaker->limit < breaker->max && breaker->limit > 1)
			breaker->limit /= 2;
		return;
	}
	if (breaker->opened < INT_MAX)
		breaker->opened++;
	breaker->state = PH_BREAKER_OPEN;
	breaker->retry_at_us = now_us + open_period_us(breaker->opened, random);
}

int64_t
ph_breaker_next_us(const PhBreaker *breaker)
{
	return breaker->retry_at_us;
}

bool
ph_breaker_is_open(const PhBreaker *breaker)
{
	return breaker->state != PH_BREAKER_CLOSED;
}
