/*
 * base64.c
 *	  Base64 of RFC 4648, strictly: one text for any bytes.
 *
 * Pure C: this file cannot throw or allocate.
 */
#include "json/base64.h"

#include <stdint.h>
#include <string.h>

#ifdef POSTGRES_H
#error "base64.c must not include postgres.h"
#endif

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t
ph_base64_encoded_length(size_t length)
{
	return (length + 2) / 3 * 4;
}

size_t
ph_base64_encode(const char *from, size_t length, char *to)
{
	const unsigned char *bytes = (const unsigned char *) from;
	char	   *out = to;
	size_t		i;

	for (i = 0; i < length; i += 3)
	{
		size_t		rest = length - i;
		uint32_t	group = (uint32_t) bytes[i] << 16 | (rest > 1 ? bytes[i + 1] : 0) << 8 | (rest > 2 ? bytes[i + 2] : 0);

		*out++ = digits[group >> 18];
		*out++ = digits[group >> 12 & 63];
		*out++ = rest > 1 ? digits[group >> 6 & 63] : '=';
		*out++ = rest > 2 ? digits[group & 63] : '=';
	}
	return out - to;
}

/* Padding only at the end, and no bits behind the last byte. */
long
ph_base64_decode(const char *from, size_t length, char *to)
{
	char	   *out = to;
	size_t		padding = 0;
	uint32_t	group = 0;
	size_t		i;

	if (length % 4 != 0)
		return -1;
	while (padding < 2 && padding < length && from[length - 1 - padding] == '=')
		padding++;
	for (i = 0; i < length; i++)
	{
		const char *digit = i < length - padding ? memchr(digits, from[i], 64) : digits;

		if (digit == NULL)
			return -1;
		group = group << 6 | (uint32_t) (digit - digits);
		if (i % 4 != 3)
			continue;
		*out++ = (char) (group >> 16 & 255);
		*out++ = (char) (group >> 8 & 255);
		*out++ = (char) (group & 255);
		group = 0;
	}
	for (i = 0; i < padding; i++)
	{
		if (*--out != '\0')
			return -1;
	}
	return out - to;
}
