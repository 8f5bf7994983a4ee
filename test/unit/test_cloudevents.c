/*
 * test_cloudevents.c
 *	  CloudEvents as bodies and header fields; nothing in an event can add a field.
 */
#include <string.h>

#include "connector/cloudevents.h"
#include "tap.h"

static PhBuffer body;
static PhBuffer headers;
static char error[256];

static bool
encode(PhContentMode mode, const PhEvent *events, int n)
{
	ph_buffer_reset(&body);
	ph_buffer_reset(&headers);
	error[0] = '\0';
	if (!ph_cloudevents_encode(mode, events, n, &body, &headers, error, sizeof(error)))
		return false;
	ph_buffer_append_char(&body, '\0');
	return true;
}

static bool
has_header(const char *field)
{
	size_t		at;

	for (at = 0; at < headers.len; at += strlen(headers.data + at) + 1)
	{
		if (strcmp(headers.data + at, field) == 0)
			return true;
	}
	return false;
}

static int
count_headers(void)
{
	size_t		at;
	int			n = 0;

	for (at = 0; at < headers.len; at += strlen(headers.data + at) + 1)
		n++;
	return n;
}

static void
test_json(const PhEvent *event, const char *expected)
{
	bool		good = encode(PH_CONTENT_STRUCTURED, event, 1) && strcmp(body.data, expected) == 0;

	check(good, "structured: %s", expected);
	if (!good)
		printf("# got %s%s\n", error, body.data);
}

static void
test_bad_attributes(const char *attributes)
{
	PhEvent		event = {.id = "1",.source = "s",.type = "t",.attributes = attributes,.data = "1",.data_len = 1};

	check(!encode(PH_CONTENT_STRUCTURED, &event, 1) && error[0] != '\0', "refused: %s", attributes);
	check(!encode(PH_CONTENT_BINARY, &event, 1) && error[0] != '\0', "refused in binary mode: %s", attributes);
}

static void
test_structured(void)
{
	PhEvent		event = {.id = "1",.source = "s",.type = "t",.data = "{\"a\": 1}",.data_len = 8};
	PhEvent		two[2];

	test_json(&event, "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"t\","
			  "\"datacontenttype\":\"application/json\",\"data\":{\"a\": 1}}");
	check(has_header("Content-Type: application/cloudevents+json") && count_headers() == 1, "with its media type");
	event.subject = "a\"\\\n\001\xc3\xa4";
	event.attributes = "{\"partitionkey\": \"mo:1\", \"n\": -1, \"x\": null, \"b\": true, \"id\": \"other\", \"u\": \"\\u00e4\\\"}\"}";
	test_json(&event, "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"t\","
			  "\"subject\":\"a\\\"\\\\\\u000a\\u0001\xc3\xa4\",\"partitionkey\":\"mo:1\",\"n\":-1,\"b\":true,"
			  "\"u\":\"\\u00e4\\\"}\",\"datacontenttype\":\"application/json\",\"data\":{\"a\": 1}}");
	event.subject = NULL;
	event.traceparent = "00-1";
	event.attributes = "{\"traceparent\": \"00-2\"}";
	test_json(&event, "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"t\",\"traceparent\":\"00-1\","
			  "\"datacontenttype\":\"application/json\",\"data\":{\"a\": 1}}");
	event.traceparent = NULL;
	event.attributes = " { } ";
	event.data = NULL;
	test_json(&event, "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"t\"}");

	two[0] = two[1] = event;
	two[1].id = "2";
	check(encode(PH_CONTENT_BATCH, two, 2) &&
		  strcmp(body.data, "[{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\"type\":\"t\"},"
				 "{\"specversion\":\"1.0\",\"id\":\"2\",\"source\":\"s\",\"type\":\"t\"}]") == 0 &&
		  has_header("Content-Type: application/cloudevents-batch+json"), "batch of two");
	check(encode(PH_CONTENT_BATCH, two, 1) && body.data[0] == '[', "batch of one is a batch");
	check(!encode(PH_CONTENT_STRUCTURED, two, 2), "two in structured mode are refused");
	check(!encode(PH_CONTENT_BATCH, two, 0), "none is refused");
	two[1].type = NULL;
	check(!encode(PH_CONTENT_BATCH, two, 2), "an event without type is refused");
}

static void
test_binary(void)
{
	PhEvent		event = {.id = "a b\r\nX-Evil: 1",.source = "urn:x%20\"",.type = "t",.subject = "Gr\xc3\xb6\xc3\x9f" "e",
		.traceparent = "00-1",.data = "{}",.data_len = 2,
		.attributes = "{\"partitionkey\": \"\\r\\nEvil: 1\", \"n\": 12, \"e\": \"\\u20ac\\ud83d\\ude00\\/\\u007f\", \"empty\": \"\"}"};

	check(encode(PH_CONTENT_BINARY, &event, 1) && strcmp(body.data, "{}") == 0, "binary: body is the data");
	check(count_headers() == 11, "binary: 11 fields");
	check(has_header("Content-Type: application/json") && has_header("ce-specversion: 1.0"), "binary: fixed fields");
	check(has_header("ce-id: a%20b%0D%0AX-Evil:%201"), "binary: line ends and spaces are encoded");
	check(has_header("ce-source: urn:x%2520%22"), "binary: percent and quote are encoded");
	check(has_header("ce-subject: Gr%C3%B6%C3%9Fe"), "binary: UTF-8 is encoded");
	check(has_header("ce-traceparent: 00-1"), "binary: traceparent");
	check(has_header("ce-partitionkey: %0D%0AEvil:%201"), "binary: escaped line ends are encoded");
	check(has_header("ce-n: 12") && has_header("ce-empty: "), "binary: numbers and empty strings");
	check(has_header("ce-e: %E2%82%AC%F0%9F%98%80/%7F"), "binary: escapes become UTF-8");
	event.attributes = "{\"x\": \"\\u0000\"}";
	check(!encode(PH_CONTENT_BINARY, &event, 1), "binary: a NUL is refused");
	event.attributes = "{\"x\": \"\\ud83d\"}";
	check(!encode(PH_CONTENT_BINARY, &event, 1), "binary: half a character is refused");
}

static void
test_plain(void)
{
	PhEvent		event = {.id = "1",.source = "s",.type = "t",.subject = "x",.attributes = "{\"a\": 1}",.data = "{\"b\": 2}",.data_len = 8};

	check(encode(PH_CONTENT_PLAIN, &event, 1) && strcmp(body.data, "{\"b\": 2}") == 0, "plain: body is the data");
	check(count_headers() == 1 && has_header("Content-Type: application/json"), "plain: no attributes");
	event.data_type = "application/xml";
	check(encode(PH_CONTENT_PLAIN, &event, 1) && has_header("Content-Type: application/xml"), "plain: another media type");
	event.data = NULL;
	check(encode(PH_CONTENT_PLAIN, &event, 1) && strcmp(body.data, "") == 0, "plain: without data");
}

int
main(void)
{
	test_structured();
	test_binary();
	test_plain();
	test_bad_attributes("[]");
	test_bad_attributes("");
	test_bad_attributes("{");
	test_bad_attributes("{\"a\"}");
	test_bad_attributes("{\"a\": \"x}");
	test_bad_attributes("{\"a\": {}}");
	test_bad_attributes("{\"a\": [1]}");
	test_bad_attributes("{\"a\": 1,}");
	test_bad_attributes("{\"a\": 1} x");
	test_bad_attributes("{\"a\\r\\nb\": 1}");
	test_bad_attributes("{\"A\": 1}");
	test_bad_attributes("{\"\": 1}");
	test_bad_attributes("{\"a:\": 1}");
	ph_buffer_free(&body);
	ph_buffer_free(&headers);
	return done();
}
