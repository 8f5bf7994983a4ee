/*
 * test_schema.c
 *	  URI references as RFC 3986 explains them, and the values of "format".  With -DLIBFUZZER and clang -fsanitize=fuzzer
 *	  an entry for libFuzzer.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "json/schema_format.h"
#include "json/uri.h"
#include "tap.h"

#define BASE	"http://a/b/c/d;p?q"

/* RFC 3986, 5.4 */
static const char *const references[][2] = {
	{"g:h", "g:h"}, {"g", "http://a/b/c/g"}, {"./g", "http://a/b/c/g"}, {"g/", "http://a/b/c/g/"}, {"/g", "http://a/g"},
	{"//g", "http://g"}, {"?y", "http://a/b/c/d;p?y"}, {"g?y", "http://a/b/c/g?y"}, {"#s", "http://a/b/c/d;p?q#s"},
	{"g#s", "http://a/b/c/g#s"}, {"g?y#s", "http://a/b/c/g?y#s"}, {";x", "http://a/b/c/;x"}, {"g;x", "http://a/b/c/g;x"},
	{"g;x?y#s", "http://a/b/c/g;x?y#s"}, {"", "http://a/b/c/d;p?q"}, {".", "http://a/b/c/"}, {"./", "http://a/b/c/"},
	{"..", "http://a/b/"}, {"../", "http://a/b/"}, {"../g", "http://a/b/g"}, {"../..", "http://a/"}, {"../../", "http://a/"},
	{"../../g", "http://a/g"}, {"../../../g", "http://a/g"}, {"../../../../g", "http://a/g"}, {"/./g", "http://a/g"},
	{"/../g", "http://a/g"}, {"g.", "http://a/b/c/g."}, {".g", "http://a/b/c/.g"}, {"g..", "http://a/b/c/g.."},
	{"..g", "http://a/b/c/..g"}, {"./../g", "http://a/b/g"}, {"./g/.", "http://a/b/c/g/"}, {"g/./h", "http://a/b/c/g/h"},
	{"g/../h", "http://a/b/c/h"}, {"g;x=1/./y", "http://a/b/c/g;x=1/y"}, {"g;x=1/../y", "http://a/b/c/y"},
	{"g?y/./x", "http://a/b/c/g?y/./x"}, {"g#s/../x", "http://a/b/c/g#s/../x"}, {"http:g", "http:g"}
};

static void
test_uri(void)
{
	char		result[PH_URI_SIZE];
	char		text[PH_URI_SIZE + 10];
	size_t		i;

	for (i = 0; i < sizeof(references) / sizeof(references[0]); i++)
	{
		bool		good = ph_uri_resolve(BASE, references[i][0], result) && strcmp(result, references[i][1]) == 0;

		check(good, "\"%s\" is \"%s\"", references[i][0], references[i][1]);
		if (!good)
			printf("# got: %s\n", result);
	}
	check(ph_uri_resolve("urn:planthub:schema:a:1", "#/$defs/x", result) &&
		  strcmp(result, "urn:planthub:schema:a:1#/$defs/x") == 0, "a fragment of a URN");
	check(ph_uri_resolve("", "a/b#c", result) && strcmp(result, "a/b#c") == 0, "without a base");
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	check(!ph_uri_resolve(BASE, text, result), "too long");
	text[PH_URI_SIZE - 5] = '\0';
	check(!ph_uri_resolve(BASE, text, result), "too long with the base");
	strcpy(text, "a%20b%7E%c3%A4");
	check(ph_uri_decode(text) && strcmp(text, "a b~\xc3\xa4") == 0, "escapes");
	strcpy(text, "%0");
	check(!ph_uri_decode(text), "a broken escape");
	strcpy(text, "%00");
	check(!ph_uri_decode(text), "NUL");
}

static void
test_formats(void)
{
	static const struct
	{
		const char *format;
		const char *good;
		const char *bad;
	}			pairs[] = {
		{"date", "2024-02-29", "2023-02-29"}, {"date", "2026-12-31", "2026-1-31"}, {"date", "2000-02-29", "1900-02-29"},
		{"time", "23:59:60+00:00", "23:59:60+01:00"}, {"time", "08:00:00.123456-05:30", "08:00Z"}, {"time", "01:29:60+01:30", "12:00:60Z"},
		{"date-time", "2026-01-15t06:00:00z", "2026-01-15"}, {"duration", "P4DT12H30M5S", "PT12H5S"}, {"duration", "P2W", "P"},
		{"uuid", "2EB8AA08-aa98-11ea-b4aa-73b441d16380", "2eb8aa08-aa98-11eab4aa-73b441d163800"}, {"uri", "tel:+1-816-555-1212", "\\\\WINDOWS\\x"},
		{"uri-reference", "?a=b", "%zz"}, {"email", "te~st@example.com", "te.@example.com"}, {"hostname", "xn--4gbwdl.com", "a..b"},
		{"ipv4", "192.168.0.1", "0x7f.0.0.1"}, {"ipv6", "::abcd:1.2.3.4", "::1.2.3"}, {"ipv6", "2001:db8::", "1:2:3:4:5:6:7:8:9"},
		{"ipv6", "::", ":::"}, {"json-pointer", "/~0~1/0", "/~2"}
	};
	size_t		i;

	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
	{
		PhFormat	format = ph_format_find(pairs[i].format, strlen(pairs[i].format));

		check(ph_format_valid(format, pairs[i].good, strlen(pairs[i].good)), "%s: %s", pairs[i].format, pairs[i].good);
		check(!ph_format_valid(format, pairs[i].bad, strlen(pairs[i].bad)), "%s: not %s", pairs[i].format, pairs[i].bad);
	}
	check(ph_format_find("dat", 3) == PH_FORMAT_NONE && ph_format_find("dates", 5) == PH_FORMAT_NONE, "an unknown format");
}

/* In texts of exactly their size, so that the sanitizer sees every byte beyond. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char		result[PH_URI_SIZE];
	char	   *text = malloc(size + 1);
	char	   *exact = malloc(size > 0 ? size : 1);
	int			format;

	memcpy(text, data, size);
	memcpy(exact, data, size);
	text[size] = '\0';
	(void) ph_uri_resolve(BASE, text, result);
	if (ph_uri_resolve(text, text + size / 2, result))
		(void) ph_uri_decode(result);
	for (format = 0; format <= PH_FORMAT_REGEX; format++)
		(void) ph_format_valid(format, exact, size);
	free(exact);
	free(text);
	return 0;
}

#ifndef LIBFUZZER
static void
test_random(void)
{
	static const char letters[] = "0129:.-+TZPYMDHSWaf%/#[]@\"\\~xn";
	uint8_t		text[24];
	int			round;
	int			i;

	srand(1);
	for (round = 0; round < 200000; round++)
	{
		int			length = rand() % sizeof(text);

		for (i = 0; i < length; i++)
			text[i] = letters[rand() % (sizeof(letters) - 1)];
		LLVMFuzzerTestOneInput(text, length);
	}
	check(true, "200,000 random texts are harmless");
}

int
main(void)
{
	test_uri();
	test_formats();
	test_random();
	return done();
}
#endif
