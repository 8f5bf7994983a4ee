/*
 * buffer.c
 *	  A growing malloc'd buffer.  Pure C.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "connector/buffer.h"

#ifdef POSTGRES_H
#error "pure C: must not see postgres.h"
#endif

#define FIRST_SIZE	1024
#define KEEP_SIZE	(64 * 1024)		/* one large message must not cost memory for ever */

void
ph_buffer_reset(PhBuffer *buffer)
{
	if (buffer->size > KEEP_SIZE)
		ph_buffer_free(buffer);
	buffer->len = 0;
	buffer->failed = false;
}

void
ph_buffer_free(PhBuffer *buffer)
{
	free(buffer->data);
	memset(buffer, 0, sizeof(*buffer));
}

static bool
make_room(PhBuffer *buffer, size_t len)
{
	size_t		size = buffer->size == 0 ? FIRST_SIZE : buffer->size;
	char	   *data;

	if (buffer->failed || len > SIZE_MAX / 4 || buffer->len > SIZE_MAX / 4)
	{
		buffer->failed = true;
		return false;
	}
	while (size - buffer->len < len)
		size *= 2;
	data = realloc(buffer->data, size);
	if (data == NULL)
	{
		buffer->failed = true;
		return false;
	}
	buffer->data = data;
	buffer->size = size;
	return true;
}

void
ph_buffer_append(PhBuffer *buffer, const char *data, size_t len)
{
	if (len == 0 || (buffer->size - buffer->len < len && !make_room(buffer, len)))
		return;
	memcpy(buffer->data + buffer->len, data, len);
	buffer->len += len;
}

void
ph_buffer_append_string(PhBuffer *buffer, const char *string)
{
	ph_buffer_append(buffer, string, strlen(string));
}

void
ph_buffer_append_char(PhBuffer *buffer, char c)
{
	if (buffer->size == buffer->len && !make_room(buffer, 1))
		return;
	buffer->data[buffer->len++] = c;
}
