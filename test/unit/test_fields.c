/*
 * test_fields.c
 *	  Header fields of answers, and the cookies that they set.
 */
#include <stdlib.h>
#include <string.h>

#include "connector/fields.h"
#include "tap.h"

static bool
finds(const char *headers, const char *name, const char *expected)
{
	size_t		length = 0;
	const char *value = ph_field_find(headers, strlen(headers), name, &length);

	if (value == NULL || expected == NULL)
		return value == NULL && expected == NULL;
	return length == strlen(expected) && memcmp(value, expected, length) == 0;
}

/* What is sent after these answers, each of them a header. */
static bool
sends(const char *const *answers, const char *expected)
{
	PhCookies	cookies = {0};
	PhBuffer	out = {0};
	bool		good;

	for (; *answers != NULL; answers++)
		ph_cookies_hear(&cookies, *answers, strlen(*answers));
	good = ph_cookies_write(&cookies, &out) ? expected != NULL && strcmp(out.data, expected) == 0 : expected == NULL;
	if (!good)
		printf("# %s\n", out.len == 0 ? "none" : out.data);
	ph_cookies_forget(&cookies);
	ph_buffer_free(&out);
	return good;
}

static void
test_fields(void)
{
	check(finds("X-CSRF-Token:  abc \r\nETag: W/\"1\"\r\n", "x-csrf-token", "abc"), "a value without the space around it");
	check(finds("X-CSRF-Token: abc\r\nETag: W/\"1\"", "ETag", "W/\"1\""), "of the last line, which has no end");
	check(finds("ETags: 1\r\nETa: 2\r\nETag\r\n", "ETag", NULL), "no other name will do");
	check(finds("ETag:\r\n", "ETag", ""), "a value may be empty");
	check(finds("ETag: 1\nETag: 2\n", "ETag", "1"), "of several the first");
	check(finds("", "ETag", NULL), "nothing in nothing");
}

static void
test_cookies(void)
{
	char		large[3 * 4000];
	int			n = 0;

	check(sends((const char *const[]) {"Set-Cookie: a=1; path=/; HttpOnly\r\nset-cookie: b=x=y\r\n", NULL}, "Cookie: a=1; b=x=y"),
	   "all cookies, without their attributes");
	check(sends((const char *const[]) {"Set-Cookie: a=1\r\n", "Set-Cookie: a=2\r\n", NULL}, "Cookie: a=2"), "a later one replaces an earlier one");
	check(sends((const char *const[]) {"Set-Cookie: aa=1\r\n", "Set-Cookie: a=2\r\n", NULL}, "Cookie: aa=1; a=2"), "of that name only");
	check(sends((const char *const[]) {"Set-Cookie: a=1\r\n", "Set-Cookie: a=; Max-Age=0\r\n", NULL}, NULL), "one that ends is dropped");
	check(sends((const char *const[]) {"Set-Cookie: a=1\r\n", "Set-Cookie: a=; expires=Thu, 01 Jan 1970 00:00:00 GMT\r\n", NULL}, NULL),
	   "also by its date");
	check(sends((const char *const[]) {"Set-Cookie: a=1; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=100\r\n", NULL}, "Cookie: a=1"),
	   "but its age wins");
	check(sends((const char *const[]) {"Set-Cookie: a=1; expires=never\r\n", NULL}, "Cookie: a=1"), "a date that is none says nothing");
	check(sends((const char *const[]) {"Set-Cookie: =1\r\nSet-Cookie: a\r\nSet-Cookie:\r\nSet-Cookie: a=\x01\r\nSet-Cookie: a=\xc3\xbc\r\n", NULL}, NULL),
	   "what is no cookie, or could not be sent, is left");

	for (n = 0; n < 3; n++)
	{
		memcpy(large + n * 4000, "Set-Cookie: ?=", 14);
		large[n * 4000 + 12] = (char) ('a' + n);
		memset(large + n * 4000 + 14, 'x', 3986);
		large[n * 4000 + 3999] = '\n';
	}
	large[sizeof(large) - 1] = '\0';
	{
		PhCookies	cookies = {0};
		PhBuffer	out = {0};

		ph_cookies_hear(&cookies, large, strlen(large));
		check(cookies.n == 1 && ph_cookies_write(&cookies, &out) && out.len < 8192, "as many as a field may hold");
		ph_cookies_forget(&cookies);
		ph_buffer_free(&out);
	}
	{
		PhCookies	cookies = {0};
		char		line[32];

		for (n = 0; n < 100; n++)
		{
			snprintf(line, sizeof(line), "Set-Cookie: c%d=1\r\n", n);
			ph_cookies_hear(&cookies, line, strlen(line));
		}
		check(cookies.n == PH_COOKIES_MAX, "and no more than there is room for");
		ph_cookies_forget(&cookies);
	}
}

/* Nothing that a server sends is read beyond its end; the sanitizers look on. */
static void
test_garbage(void)
{
	static const char pieces[] = "Set-Cookie: a=1; Max-Age=0;expires=\r\n ;=:\tE";
	unsigned	seed = 1;
	int			i;

	for (i = 0; i < 20000; i++)
	{
		PhCookies	cookies = {0};
		size_t		length = rand_r(&seed) % 80;
		char	   *text = malloc(length == 0 ? 1 : length);
		size_t		found;
		size_t		j;

		for (j = 0; j < length; j++)
			text[j] = rand_r(&seed) % 3 == 0 ? (char) rand_r(&seed) : pieces[(j + rand_r(&seed) % 2) % (sizeof(pieces) - 1)];
		ph_cookies_hear(&cookies, text, length);
		(void) ph_field_find(text, length, "Set-Cookie", &found);
		ph_cookies_forget(&cookies);
		free(text);
	}
	check(true, "garbage is left alone");
}

int
main(void)
{
	test_fields();
	test_cookies();
	test_garbage();
	return done();
}
