/*
 * base64.h
 *	  Base64 of RFC 4648, section 4, with padding and without line breaks.  Pure C.
 */
#ifndef PLANTHUB_BASE64_H
#define PLANTHUB_BASE64_H

#include <stddef.h>

extern size_t ph_base64_encoded_length(size_t length);
extern size_t ph_base64_encode(const char *from, size_t length, char *to);	/* the length; not terminated */
extern long ph_base64_decode(const char *from, size_t length, char *to);	/* never longer than from; -1: not base64 */

#endif
