/*
 * uri.c
 *	  URI references against a base.  Pure C: RFC 3986, section 5.2, over the parts of appendix B.
 */
#include "json/uri.h"

#include <string.h>

/* A part of a URI; text NULL: absent, which is not the same as empty. */
typedef struct Part
{
	const char *text;
	size_t		length;
} Part;

typedef struct Uri
{
	Part		scheme;
	Part		authority;
	Part		path;				/* never absent */
	Part		query;
	Part		fragment;
} Uri;

static Part
part(const char *from, const char *to)
{
	Part		result = {from, (size_t) (to - from)};

	return result;
}

static bool
is_scheme(const char *text, size_t length)
{
	size_t		i;

	for (i = 0; i < length; i++)
	{
		char		c = text[i];
		bool		letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.')))
			return false;
	}
	return length > 0;
}

static Uri
split(const char *text)
{
	Uri			uri = {{0}};
	size_t		n = strcspn(text, ":/?#");

	if (text[n] == ':' && is_scheme(text, n))
	{
		uri.scheme = part(text, text + n);
		text += n + 1;
	}
	if (text[0] == '/' && text[1] == '/')
	{
		n = strcspn(text + 2, "/?#");
		uri.authority = part(text + 2, text + 2 + n);
		text += 2 + n;
	}
	n = strcspn(text, "?#");
	uri.path = part(text, text + n);
	text += n;
	if (*text == '?')
	{
		n = strcspn(++text, "#");
		uri.query = part(text, text + n);
		text += n;
	}
	if (*text == '#')
		uri.fragment = part(text + 1, text + strlen(text));
	return uri;
}

/* RFC 3986, 5.2.4, in place; path is absolute. */
static void
remove_dots(char *path)
{
	char	   *in = path;
	char	   *out = path;

	while (*in != '\0')
	{
		size_t		n = 1 + strcspn(in + 1, "/");
		bool		last = in[n] == '\0';

		if (n == 2 && in[1] == '.')
		{
			if (last)
				*out++ = '/';
		}
		else if (n == 3 && in[1] == '.' && in[2] == '.')
		{
			while (out > path && *--out != '/')
				;
			if (last)
				*out++ = '/';
		}
		else
		{
			memmove(out, in, n);
			out += n;
		}
		in += n;
	}
	*out = '\0';
}

static bool
append(char *result, const char *before, Part what)
{
	size_t		used = strlen(result);
	size_t		n = strlen(before);

	if (what.text == NULL)
		return true;
	if (used + n + what.length + 1 > PH_URI_SIZE)
		return false;
	memcpy(result + used, before, n);
	memcpy(result + used + n, what.text, what.length);
	result[used + n + what.length] = '\0';
	return true;
}

/* RFC 3986, 5.2.3: the reference's path in the folder of the base's. */
static bool
merge(const Uri *base, Part path, char merged[PH_URI_SIZE])
{
	Part		folder = base->path;

	merged[0] = '\0';
	if (path.length > 0 && path.text[0] == '/')
		return append(merged, "", path);
	if (base->authority.text != NULL && folder.length == 0)
		return append(merged, "/", path);
	while (folder.length > 0 && folder.text[folder.length - 1] != '/')
		folder.length--;
	return append(merged, "", folder) && append(merged, "", path);
}

bool
ph_uri_resolve(const char *base_text, const char *reference, char result[PH_URI_SIZE])
{
	Uri			base = split(base_text);
	Uri			uri = split(reference);
	char		path[PH_URI_SIZE];

	result[0] = '\0';
	path[0] = '\0';
	if (uri.scheme.text == NULL)
	{
		uri.scheme = base.scheme;
		if (uri.authority.text == NULL)
		{
			uri.authority = base.authority;
			if (uri.path.length == 0)
			{
				uri.path = base.path;
				if (uri.query.text == NULL)
					uri.query = base.query;
			}
			else
			{
				if (!merge(&base, uri.path, path))
					return false;
				uri.path = part(path, path + strlen(path));
			}
		}
	}
	if (path[0] == '\0' && !append(path, "", uri.path))
		return false;
	if (path[0] == '/')
		remove_dots(path);
	uri.path = part(path, path + strlen(path));
	return append(result, "", uri.scheme) &&
		append(result, uri.scheme.text == NULL ? "" : ":", part("", "")) &&
		append(result, "//", uri.authority) && append(result, "", uri.path) &&
		append(result, "?", uri.query) && append(result, "#", uri.fragment);
}

static int
hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' :
		c >= 'a' && c <= 'f' ? c - 'a' + 10 :
		c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool
ph_uri_decode(char *text)
{
	char	   *out = text;

	for (; *text != '\0'; text++)
	{
		if (*text == '%')
		{
			int			high = hex(text[1]);
			int			low = high < 0 ? -1 : hex(text[2]);

			if (low < 0 || high * 16 + low == 0)
				return false;
			*out++ = (char) (high * 16 + low);
			text += 2;
		}
		else
			*out++ = *text;
	}
	*out = '\0';
	return true;
}
