/*
 * test_breaker.c
 *	  Circuit breaker: opening, probing, back-off, slow start.
 */
#include <limits.h>

#include "engine/breaker.h"
#include "tap.h"

#define SECOND INT64_C(1000000)

static void
test_opening(void)
{
	PhBreaker	b;
	int			i;

	ph_breaker_init(&b, 32);
	check(ph_breaker_allow(&b, 0, 31) > 0 && !ph_breaker_is_open(&b), "starts closed and does not limit");
	for (i = 0; i < 4; i++)
		ph_breaker_failure(&b, 0, 5, 0.5);
	ph_breaker_success(&b);
	for (i = 0; i < 4; i++)
		ph_breaker_failure(&b, 0, 5, 0.5);
	check(!ph_breaker_is_open(&b), "a success in between starts the count again");
	ph_breaker_failure(&b, 0, 5, 0.5);
	check(ph_breaker_is_open(&b) && ph_breaker_allow(&b, 0, 0) == 0, "opens with the fifth failure in a row");
	check(ph_breaker_next_us(&b) == SECOND * 3 / 4, "first open period is 1 s, half of it random");
	check(ph_breaker_allow(&b, SECOND * 3 / 4 - 1, 0) == 0, "nothing before its end");
	check(ph_breaker_allow(&b, SECOND, 3) == 0, "no probe while earlier requests are in flight");
	check(ph_breaker_allow(&b, SECOND, 0) == 1 && ph_breaker_is_open(&b), "one probe afterwards");
	check(ph_breaker_allow(&b, SECOND, 1) == 0, "and no second one beside it");
	check(ph_breaker_allow(&b, SECOND, 0) == 1, "a probe that was not started can still be");

	ph_breaker_init(&b, 32);
	for (i = 0; i < 1000; i++)
		ph_breaker_failure(&b, 0, 0, 0.5);
	check(!ph_breaker_is_open(&b), "threshold 0 never opens");
}

static void
test_back_off(void)
{
	PhBreaker	b;
	int64_t		now = 0;
	int64_t		longest = 0;
	bool		grows = true;
	int64_t		last = 0;
	int			i;

	ph_breaker_init(&b, 8);
	ph_breaker_failure(&b, now, 1, 0.0);
	for (i = 0; i < 100; i++)
	{
		int64_t		period = ph_breaker_next_us(&b) - now;

		grows = grows && period >= last;
		last = period;
		longest = period > longest ? period : longest;
		ph_breaker_failure(&b, now, 1, 0.99);	/* late failure of an earlier request */
		grows = grows && ph_breaker_next_us(&b) - now == period;
		now = ph_breaker_next_us(&b);
		if (ph_breaker_allow(&b, now, 0) != 1)
			break;
		ph_breaker_failure(&b, now, 1, 0.0);
	}
	check(i == 100 && grows, "each failed probe makes the period longer, late failures do not");
	check(longest == 15 * SECOND, "up to 30 s, half of it random");
}

static void
test_slow_start(void)
{
	PhBreaker	b;
	int			rounds;
	int			total = 0;
	int			allowed;
	int			i;

	ph_breaker_init(&b, 32);
	ph_breaker_failure(&b, 0, 1, 0.5);
	ph_breaker_allow(&b, SECOND, 0);
	ph_breaker_success(&b);
	check(!ph_breaker_is_open(&b) && ph_breaker_next_us(&b) == 0, "a good probe closes it");
	for (rounds = 0; rounds < 20 && (allowed = ph_breaker_allow(&b, SECOND, 0)) != INT_MAX; rounds++)
	{
		check(allowed == 2 << rounds, "round %d of the slow start: %d requests", rounds + 1, allowed);
		for (i = 0; i < allowed; i++)
			ph_breaker_success(&b);
		total += allowed;
	}
	check(rounds == 4 && total == 30, "no limit any more after 30 answers");

	ph_breaker_failure(&b, 0, 1, 0.0);
	check(ph_breaker_next_us(&b) == SECOND / 2, "after a full recovery periods start short again");
	ph_breaker_allow(&b, SECOND, 0);
	ph_breaker_success(&b);
	ph_breaker_success(&b);
	ph_breaker_success(&b);
	ph_breaker_failure(&b, 0, 5, 0.0);
	check(ph_breaker_allow(&b, SECOND, 0) == 2, "a failure during slow start halves it");
	for (i = 0; i < 4; i++)
		ph_breaker_failure(&b, 0, 5, 0.0);
	check(ph_breaker_next_us(&b) == SECOND, "a relapse during slow start opens for longer");

	ph_breaker_init(&b, 1);
	ph_breaker_failure(&b, 0, 1, 0.5);
	ph_breaker_allow(&b, SECOND, 0);
	ph_breaker_success(&b);
	check(ph_breaker_allow(&b, SECOND, 0) == INT_MAX, "one in flight needs no slow start");
}

int
main(void)
{
	test_opening();
	test_back_off();
	test_slow_start();
	return done();
}
