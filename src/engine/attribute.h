/*
 * attribute.h
 *	  What CloudEvents and the W3C trace context allow as attributes of a message.  Pure C.
 */
#ifndef PLANTHUB_ATTRIBUTE_H
#define PLANTHUB_ATTRIBUTE_H

#include <stdbool.h>
#include <stddef.h>

#define PH_ATTRIBUTE_NAME_MAX	20

/* 1 to 20 lower-case letters and digits. */
extern bool ph_attribute_name_valid(const char *name, size_t length);

/* Names that CloudEvents defines or that the hub fills in itself. */
extern bool ph_attribute_name_reserved(const char *name, size_t length);

/* version-traceid-parentid-flags in lower-case hexadecimal (W3C Trace Context, level 1). */
extern bool ph_traceparent_valid(const char *value, size_t length);

/* Position of the first control character in UTF-8 or single-byte text; length when there is none. */
extern size_t ph_text_control(const char *text, size_t length);

#endif
