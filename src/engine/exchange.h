/*
 * exchange.h
 *	  Deliveries that take more than one request: tokens, sessions, reading before and looking up after.
 *
 * The steps of an endpoint (engine/steps.h) are requests of their own in the loop of the dispatcher: nothing blocks, no
 * transaction is open while one is under way.  What several deliveries need alike, a token and a session, is fetched by one
 * of them and waited for by the others.  An exchange ends in one attempt, in which its requests are listed.  It keeps
 * nothing that a crash could lose: after one the delivery begins anew, like any other.
 */
#ifndef PLANTHUB_EXCHANGE_H
#define PLANTHUB_EXCHANGE_H

#include "engine/outcome_rule.h"
#include "engine/request.h"

/* Records the end of a request: judgement says what the result means; NULL: what rules and status say. */
typedef void (*PhFinish) (PhRequest *request, const PhResult *result, const PhJudgement *judgement);

extern void ph_exchange_start(const PhConnector *connector, PhFinish finish);
extern void ph_exchange_stop(void);		/* before the endpoints are gone */

/* Begins the exchange for the items of a request whose endpoint has steps. */
extern void ph_exchange_begin(PhRequest *request);

/* The result of a request that belongs to an exchange: goes on, or finishes. */
extern void ph_exchange_hear(PhRequest *request, const PhResult *result);

/* Requests that wait for a step of another one: each will want a connection. */
extern int	ph_exchange_waiting(void);

/* The configuration of an endpoint may have changed: then token, session and credential are asked for anew. */
extern void ph_exchange_refresh(PhEndpointState *endpoint);

/* Whether the item, made by another configuration of the endpoint, cannot be sent by this one. */
extern bool ph_exchange_is_outdated(const PhEndpoint *endpoint, const PhItem *item);

#endif
