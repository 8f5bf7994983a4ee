/*
 * test_fuzz.c
 *	  Random text for what reads text from outside.  A plain program by default (fixed seed, rounds as argument); with
 *	  -DLIBFUZZER and clang -fsanitize=fuzzer an entry for libFuzzer.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "connector/cloudevents.h"
#include "connector/http.h"
#include "connector/retry_after.h"
#include "tap.h"

static bool broken;

/* Every byte of a header field must be harmless, and fields must be well formed. */
static void
check_fields(const PhBuffer *headers)
{
	size_t		i;

	for (i = 0; i < headers->len; i++)
	{
		unsigned char c = headers->data[i];

		if (c != '\0' && (c < ' ' || c > '~'))
			broken = true;
	}
	if (headers->len == 0 || headers->data[headers->len - 1] != '\0')
		broken = true;
}

static void
feed(const char *text)
{
	PhBuffer	body = {0};
	PhBuffer	headers = {0};
	PhEvent		event = {.id = text,.source = text,.type = text,.attributes = text,.data = text,.data_len = strlen(text)};
	char		error[256];
	long		seconds = ph_retry_after_parse(text, 1764028800);

	if (seconds < -1 || seconds > 86400)
		broken = true;
	if (ph_cloudevents_encode(PH_CONTENT_BINARY, &event, 1, &body, &headers, error, sizeof(error)))
		check_fields(&headers);
	ph_buffer_reset(&body);
	ph_cloudevents_encode(PH_CONTENT_STRUCTURED, &event, 1, &body, &headers, error, sizeof(error));
	ph_http_check_header(text, error, sizeof(error));
	ph_http_check_address(text, error, sizeof(error));
	ph_buffer_free(&body);
	ph_buffer_free(&headers);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *text = malloc(size + 1);

	memcpy(text, data, size);
	text[size] = '\0';
	feed(text);
	free(text);
	if (broken)
		abort();
	return 0;
}

#ifndef LIBFUZZER
static void
mutate(char *text, size_t size)
{
	static const char *const pieces[] = {"\"", "\\", "\\u", "d83d", "{", "}", ":", ",", "\r\n", "GMT", "Nov", "00", "\xc3", " "};
	int			n = rand() % 4;

	while (n-- > 0)
	{
		size_t		len = strlen(text);
		size_t		at = len == 0 ? 0 : rand() % len;

		if (rand() % 3 == 0 && len > 0)
			memmove(text + at, text + at + 1, len - at);
		else if (rand() % 2 == 0 && len > 0)
			text[at] = (char) (rand() % 255 + 1);
		else
		{
			const char *piece = pieces[rand() % (sizeof(pieces) / sizeof(pieces[0]))];

			if (len + strlen(piece) < size)
			{
				memmove(text + at + strlen(piece), text + at, len - at + 1);
				memcpy(text + at, piece, strlen(piece));
			}
		}
	}
}

int
main(int argc, char **argv)
{
	static const char *const seeds[] = {"{\"a\": \"\\u00e4\\ud83d\\ude00\", \"b\": -1.5e3, \"c\": null, \"d\": true}",
		"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "120",
	"X-Name: value", "https://example.com:8443/path?query=1", ""};
	long		rounds = argc > 1 ? atol(argv[1]) : 20000;
	char		text[256];
	long		i;

	srand(1);
	for (i = 0; i < rounds && !broken; i++)
	{
		strcpy(text, seeds[i % (sizeof(seeds) / sizeof(seeds[0]))]);
		mutate(text, sizeof(text));
		LLVMFuzzerTestOneInput((const uint8_t *) text, strlen(text));
	}
	check(i == rounds, "%ld random texts", rounds);
	return done();
}
#endif
