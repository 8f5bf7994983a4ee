/*
 * outage.h
 *	  What the answers of an endpoint say about it: circuit breaker, throttle, and what is told about an outage.
 */
#ifndef PLANTHUB_OUTAGE_H
#define PLANTHUB_OUTAGE_H

#include "engine/work.h"

/* The answer to a request, seen by breaker and throttle; item is its first. */
extern void ph_outage_note_answer(PhEndpointState *endpoint, const PhItem *item);

/* Writes the state of the breaker for operators; needs SPI. */
extern void ph_outage_write(PhEndpointState *endpoint);

#endif
