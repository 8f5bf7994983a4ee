/*
 * buffer.h
 *	  A growing malloc'd buffer.  Running out of memory is remembered, not thrown: check failed once at the end.
 */
#ifndef PLANTHUB_BUFFER_H
#define PLANTHUB_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct PhBuffer
{
	char	   *data;
	size_t		len;
	size_t		size;
	bool		failed;				/* something did not fit into memory; contents are incomplete */
} PhBuffer;

/* Empties it; keeps the memory for the next use unless it is large. */
extern void ph_buffer_reset(PhBuffer *buffer);
extern void ph_buffer_free(PhBuffer *buffer);
extern void ph_buffer_append(PhBuffer *buffer, const char *data, size_t len);
extern void ph_buffer_append_string(PhBuffer *buffer, const char *string);
extern void ph_buffer_append_char(PhBuffer *buffer, char c);

#endif
