/*
 * test_outcome.c
 *	  Outcome classes of statuses and faults.
 */
#include <string.h>

#include "engine/outcome.h"
#include "tap.h"

static const char *
class_of(PhFault fault, bool sent, int status, long retry_after_s)
{
	PhResult	result = {.fault = fault,.sent = sent,.status = status,.retry_after_s = retry_after_s};

	return ph_outcome_name(ph_outcome_classify(&result));
}

static void
test_status(int status, long retry_after_s, const char *expected)
{
	const char *class = class_of(PH_FAULT_NONE, true, status, retry_after_s);

	check(strcmp(class, expected) == 0, "status %d%s is %s, got %s", status,
		  retry_after_s >= 0 ? " with Retry-After" : "", expected, class);
}

static void
test_fault(PhFault fault, bool sent, int status, const char *expected)
{
	const char *class = class_of(fault, sent, status, -1);

	check(strcmp(class, expected) == 0, "fault %d, %s, status %d is %s, got %s", fault, sent ? "sent" : "not sent",
		  status, expected, class);
}

/* Names of rules are those of attempts. */
static void
test_names(void)
{
	PhOutcome	outcome;
	PhOutcome	found;

	for (outcome = PH_OUTCOME_SUCCESS; outcome <= PH_OUTCOME_UNKNOWN; outcome++)
		check(ph_outcome_parse(ph_outcome_name(outcome), &found) && found == outcome, "%s is found by its name",
			  ph_outcome_name(outcome));
	check(!ph_outcome_parse("fine", &found) && !ph_outcome_parse("", &found), "other names are not");
}

int
main(void)
{
	static const int success[] = {200, 201, 202, 204, 206, 208, 299};
	static const int transient[] = {408, 409, 421, 423, 425, 500, 502, 503, 504, 507, 520, 599};
	static const int permanent[] = {101, 300, 301, 302, 303, 304, 307, 308, 404, 405, 410, 413, 414, 415, 431, 501, 505, 600, 999};
	static const int business[] = {400, 402, 412, 422, 418, 499};
	static const int auth[] = {401, 403, 407, 511};
	PhResult	result = {.sent = false};
	size_t		i;

#define EACH(list) for (i = 0; i < sizeof(list) / sizeof(list[0]); i++) test_status(list[i], -1, #list)
	EACH(success);
	EACH(transient);
	EACH(permanent);
	EACH(business);
	EACH(auth);
	test_status(429, -1, "throttled");
	test_status(429, 0, "throttled");
	test_status(503, 5, "throttled");
	test_status(200, 5, "success");

	test_fault(PH_FAULT_RESOLVE, false, 0, "transient");
	test_fault(PH_FAULT_CONNECT, false, 0, "transient");
	test_fault(PH_FAULT_TLS, false, 0, "transient");
	test_fault(PH_FAULT_LOCAL, false, 0, "transient");
	test_fault(PH_FAULT_RESET, false, 0, "transient");
	test_fault(PH_FAULT_RESET, true, 0, "unknown");
	test_fault(PH_FAULT_TIMEOUT, true, 0, "unknown");
	test_fault(PH_FAULT_PROTOCOL, true, 0, "unknown");
	test_fault(PH_FAULT_TOO_LARGE, true, 0, "unknown");
	test_fault(PH_FAULT_TOO_LARGE, true, 200, "success");
	test_fault(PH_FAULT_TOO_LARGE, true, 500, "transient");
	test_fault(PH_FAULT_REQUEST, false, 0, "permanent");

	test_names();
	check(!ph_outcome_counts(&result), "what was not sent does not count");
	result.sent = true;
	check(ph_outcome_counts(&result), "what was sent counts");
	return done();
}
