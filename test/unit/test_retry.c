/*
 * test_retry.c
 *	  Back-off and Retry-After.
 */
#include <limits.h>

#include "connector/retry_after.h"
#include "engine/outcome.h"
#include "tap.h"

#define NOW INT64_C(1764028800)		/* Tue, 25 Nov 2025 00:00:00 GMT */

static void
test_delay(int attempts, int64_t base, int64_t cap, long after, double random, int64_t expected)
{
	int64_t		delay = ph_retry_delay_ms(attempts, base, cap, after, random);

	check(delay == expected, "attempt %d, Retry-After %ld, random %.2f: %lld ms, got %lld", attempts, after, random,
		  (long long) expected, (long long) delay);
}

static void
test_after(const char *value, long expected)
{
	long		seconds = ph_retry_after_parse(value, NOW);

	check(seconds == expected, "Retry-After \"%s\" is %ld, got %ld", value, expected, seconds);
}

int
main(void)
{
	test_delay(1, 1000, 600000, -1, 0.0, 0);
	test_delay(1, 1000, 600000, -1, 0.5, 500);
	test_delay(2, 1000, 600000, -1, 0.5, 1000);
	test_delay(5, 1000, 600000, -1, 0.5, 8000);
	test_delay(100, 1000, 600000, -1, 0.5, 300000);
	test_delay(INT_MAX, 1000, INT64_MAX / 4, -1, 0.0, 0);
	test_delay(1, 1000, 10, -1, 0.5, 5);
	test_delay(1, 1000, 600000, 5, 0.0, 5000);
	test_delay(1, 1000, 600000, 5, 0.5, 5500);
	test_delay(10, 1000, 600000, 5, 0.5, 256000);
	test_delay(0, 1000, 600000, 0, 0.5, 500);

	test_after("0", 0);
	test_after("120", 120);
	test_after("  7 \r\n", 7);
	test_after("99999999999999999999999999", 86400);
	test_after("Tue, 25 Nov 2025 00:00:10 GMT", 10);
	test_after("Tuesday, 25-Nov-25 00:01:00 GMT", 60);
	test_after("Tue Nov 25 00:00:02 2025", 2);
	test_after("Sat Dec  6 00:00:02 2025", 86400);
	test_after("Sun, 06 Nov 1994 08:49:37 GMT", 0);
	test_after("Sunday, 06-Nov-94 08:49:37 GMT", 0);
	test_after("Fri, 31 Dec 9999 23:59:59 GMT", 86400);
	test_after("Thu, 01 Jan 1970 00:00:00 GMT", 0);
	test_after("", -1);
	test_after(" ", -1);
	test_after("-1", -1);
	test_after("1.5", -1);
	test_after("12 13", -1);
	test_after("soon", -1);
	test_after("Tue, 25 Nov 2025 00:00:10", -1);
	test_after("Tue, 25 Nov 2025 00:00:10 CET", -1);
	test_after("Tue, 25 Nov 2025 25:00:10 GMT", -1);
	test_after("Tue, 00 Nov 2025 05:00:10 GMT", -1);
	test_after("Tue, 25 Nov 2025 00:00:10 GMT and then some text that never ends for a long while", -1);
	return done();
}
