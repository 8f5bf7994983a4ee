/*
 * retry_after.h
 *	  The header field Retry-After.
 */
#ifndef PLANTHUB_RETRY_AFTER_H
#define PLANTHUB_RETRY_AFTER_H

#include <stdint.h>

/*
 * Seconds to wait from now (seconds since 1970) as RFC 9110 10.2.3 says; -1 when the value is neither a number nor a
 * date.  A day at most: a slip of the target, or malice, must not silence it for years.
 */
extern long ph_retry_after_parse(const char *value, int64_t now);

#endif
