/*
 * uri.h
 *	  URI references against a base, as JSON Schema needs them.  Pure C.
 */
#ifndef PLANTHUB_URI_H
#define PLANTHUB_URI_H

#include <stdbool.h>
#include <stddef.h>

#define PH_URI_SIZE		2048	/* longest URI, with the terminating zero */

/*
 * RFC 3986, 5.2: what the reference means where the base is in force.  The base may be empty, then a relative
 * reference stays as it is.  Returns false when the result would be longer than PH_URI_SIZE.
 */
extern bool ph_uri_resolve(const char *base, const char *reference, char result[PH_URI_SIZE]);

/* Decodes %XX in place; returns false when an escape is broken or stands for NUL. */
extern bool ph_uri_decode(char *text);

#endif
