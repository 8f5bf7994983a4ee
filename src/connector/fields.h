/*
 * fields.h
 *	  Header fields of answers, as PhResult has them, and the cookies that they set.  Pure C.
 */
#ifndef PLANTHUB_FIELDS_H
#define PLANTHUB_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "connector/buffer.h"

#define PH_COOKIES_MAX		64		/* of one service; further ones are not kept, */
#define PH_COOKIE_BYTES		7168	/* nor those that would make the field longer than a request may have */

/*
 * The cookies of one service (RFC 6265).  All of them go with every request to it, whatever path they name: a service is
 * one address of one server, and never shares them with another.
 */
typedef struct PhCookies
{
	int			n;
	char	   *pairs[PH_COOKIES_MAX];	/* "name=value" */
} PhCookies;

/* The value of the first field with that name, without the space around it; NULL when there is none. */
extern const char *ph_field_find(const char *headers, size_t headers_len, const char *name, size_t *value_len);

/* Keeps what an answer sets, and drops what it lets expire. */
extern void ph_cookies_hear(PhCookies *cookies, const char *headers, size_t headers_len);

/* Appends the request's field, "Cookie: a=1; b=2" and a NUL; false when there are none. */
extern bool ph_cookies_write(const PhCookies *cookies, PhBuffer *out);

extern void ph_cookies_forget(PhCookies *cookies);

#endif
