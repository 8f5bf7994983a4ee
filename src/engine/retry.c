/*
 * retry.c
 *	  When to try again.  Pure C; declared in outcome.h.
 */
#include "engine/outcome.h"

#ifdef POSTGRES_H
#error "pure C: must not see postgres.h"
#endif

int64_t
ph_retry_delay_ms(int attempts, int64_t base_ms, int64_t cap_ms, long retry_after_s, double random)
{
	int64_t		limit = base_ms;
	int64_t		delay;
	int			i;

	for (i = 1; i < attempts && limit < cap_ms; i++)
		limit = limit > INT64_MAX / 2 ? INT64_MAX : limit * 2;
	if (limit > cap_ms)
		limit = cap_ms;
	delay = (int64_t) (random * (double) limit);
	if (retry_after_s > 0 && delay < (int64_t) retry_after_s * 1000)
	{
		/* Those that were told the same moment must not all come at it. */
		delay = (int64_t) retry_after_s * 1000 + (int64_t) (random * (double) (limit < base_ms ? limit : base_ms));
	}
	return delay;
}
