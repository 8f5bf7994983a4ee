/*
 * breaker.h
 *	  Circuit breaker of one endpoint, with slow start after an outage.  Pure C.
 *
 * Closed: requests flow.  As many failures in a row as the threshold says open it: nothing flows until the open period
 * is over.  Then it is half-open: one request, the probe, goes out alone; its failure opens it for longer, its success
 * closes it, and from there the number of requests in flight may double per round trip, so that what has just come back
 * is not run over by the backlog.
 */
#ifndef PLANTHUB_BREAKER_H
#define PLANTHUB_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

typedef enum PhBreakerState
{
	PH_BREAKER_CLOSED,
	PH_BREAKER_OPEN,
	PH_BREAKER_HALF_OPEN
} PhBreakerState;

typedef struct PhBreaker
{
	PhBreakerState state;
	int			failures;			/* in a row */
	int			opened;				/* how often in a row without a full recovery in between */
	int			max;				/* requests in flight when nothing is wrong */
	int			limit;				/* slow start: requests in flight now; max or more: none */
	int64_t		retry_at_us;		/* end of the open period */
} PhBreaker;

extern void ph_breaker_init(PhBreaker *breaker, int max_in_flight);

/* How many more requests may start.  Ends the open period when it is over and nothing is in flight. */
extern int	ph_breaker_allow(PhBreaker *breaker, int64_t now_us, int in_flight);

/* The endpoint has answered, whatever it thinks of the message. */
extern void ph_breaker_success(PhBreaker *breaker);

/* It has not, or says that it cannot work; random in [0,1).  A threshold below 1 never opens it. */
extern void ph_breaker_failure(PhBreaker *breaker, int64_t now_us, int threshold, double random);

/* When to ask ph_breaker_allow() again; 0 when closed. */
extern int64_t ph_breaker_next_us(const PhBreaker *breaker);

/* Whether it is not closed. */
extern bool ph_breaker_is_open(const PhBreaker *breaker);

#endif
