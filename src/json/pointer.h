/*
 * pointer.h
 *	  JSON Pointers, RFC 6901, as text.
 */
#ifndef PLANTHUB_POINTER_H
#define PLANTHUB_POINTER_H

/* pointer, "/" and the name with "~" and "/" escaped, or the number; in the current memory context. */
extern char *ph_pointer_append(const char *pointer, const char *name, int length);
extern char *ph_pointer_index(const char *pointer, int64 index);

#endif
