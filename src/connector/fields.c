/*
 * fields.c
 *	  Header fields of answers, and the cookies that they set.  Pure C.
 *
 * What a server sends is taken or left, never trusted: a cookie that could end the field it is sent in is left.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <curl/curl.h>

#include "connector/fields.h"

#ifdef POSTGRES_H
#error "pure C: must not see postgres.h"
#endif

/* One line of the header, without its end, and what follows it. */
static const char *
line_end(const char *line, const char *end, const char **next)
{
	const char *stop = memchr(line, '\n', end - line);

	*next = stop == NULL ? end : stop + 1;
	stop = stop == NULL ? end : stop;
	while (stop > line && (stop[-1] == '\r' || stop[-1] == ' ' || stop[-1] == '\t'))
		stop--;
	return stop;
}

/* The value when the line is of that field, else NULL. */
static const char *
value_in(const char *line, const char *stop, const char *name)
{
	size_t		len = strlen(name);

	if ((size_t) (stop - line) <= len || strncasecmp(line, name, len) != 0 || line[len] != ':')
		return NULL;
	for (line += len + 1; line < stop && (*line == ' ' || *line == '\t'); line++)
		;
	return line;
}

const char *
ph_field_find(const char *headers, size_t headers_len, const char *name, size_t *value_len)
{
	const char *end = headers + headers_len;
	const char *line;
	const char *next;

	for (line = headers; line < end; line = next)
	{
		const char *stop = line_end(line, end, &next);
		const char *value = value_in(line, stop, name);

		if (value == NULL)
			continue;
		*value_len = stop - value;
		return value;
	}
	return NULL;
}

/* ---- cookies ---- */

static bool
can_be_sent(const char *pair, size_t len)
{
	size_t		i;

	for (i = 0; i < len; i++)
	{
		if ((unsigned char) pair[i] <= ' ' || (unsigned char) pair[i] >= 0x7f)
			return false;
	}
	return true;
}

/* Whether the attributes behind the pair end its life at once, as servers say that a session is over. */
static bool
is_expired(const char *attributes, const char *stop)
{
	char		text[128];
	const char *p = attributes;
	bool		expired = false;

	while (p < stop)
	{
		const char *semicolon = memchr(p, ';', stop - p);
		size_t		len = (semicolon == NULL ? stop : semicolon) - p;

		for (; len > 0 && *p == ' '; len--)
			p++;
		if (len < sizeof(text))
		{
			memcpy(text, p, len);
			text[len] = '\0';
			if (strncasecmp(text, "max-age=", 8) == 0)
				return strtol(text + 8, NULL, 10) <= 0;		/* it wins over the date, RFC 6265 4.1.2.2 */
			if (strncasecmp(text, "expires=", 8) == 0)
			{
				time_t		when = curl_getdate(text + 8, NULL);

				expired = when != -1 && when <= time(NULL);
			}
		}
		p += len + 1;
	}
	return expired;
}

static void
drop(PhCookies *cookies, const char *pair, size_t name_len)
{
	int			i;

	for (i = 0; i < cookies->n; i++)
	{
		if (strncmp(cookies->pairs[i], pair, name_len + 1) != 0)
			continue;
		free(cookies->pairs[i]);
		cookies->pairs[i] = cookies->pairs[--cookies->n];
		return;
	}
}

static size_t
length_of(const PhCookies *cookies)
{
	size_t		length = 0;
	int			i;

	for (i = 0; i < cookies->n; i++)
		length += strlen(cookies->pairs[i]) + 2;
	return length;
}

static void
hear_cookie(PhCookies *cookies, const char *value, const char *stop)
{
	const char *semicolon = memchr(value, ';', stop - value);
	size_t		len = (semicolon == NULL ? stop : semicolon) - value;
	const char *equals;

	while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
		len--;
	equals = memchr(value, '=', len);
	if (equals == NULL || equals == value || !can_be_sent(value, len))
		return;
	drop(cookies, value, equals - value);
	if (cookies->n < PH_COOKIES_MAX && length_of(cookies) + len <= PH_COOKIE_BYTES && !(semicolon != NULL && is_expired(semicolon + 1, stop)))
	{
		char	   *pair = strndup(value, len);

		if (pair != NULL)
			cookies->pairs[cookies->n++] = pair;
	}
}

void
ph_cookies_hear(PhCookies *cookies, const char *headers, size_t headers_len)
{
	const char *end = headers + headers_len;
	const char *line;
	const char *next;

	for (line = headers; line < end; line = next)
	{
		const char *stop = line_end(line, end, &next);
		const char *value = value_in(line, stop, "Set-Cookie");

		if (value != NULL)
			hear_cookie(cookies, value, stop);
	}
}

bool
ph_cookies_write(const PhCookies *cookies, PhBuffer *out)
{
	int			i;

	for (i = 0; i < cookies->n; i++)
	{
		ph_buffer_append_string(out, i == 0 ? "Cookie: " : "; ");
		ph_buffer_append_string(out, cookies->pairs[i]);
	}
	if (cookies->n > 0)
		ph_buffer_append_char(out, '\0');
	return cookies->n > 0;
}

void
ph_cookies_forget(PhCookies *cookies)
{
	while (cookies->n > 0)
		free(cookies->pairs[--cookies->n]);
}
