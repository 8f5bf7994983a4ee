/*
 * test_http.c
 *	  The http connector against a peer that behaves in every way a target can.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "connector/connector.h"
#include "engine/outcome.h"
#include "tap.h"

#define PEER "../peers/peer"

typedef struct Case
{
	const char *name;
	const char *order;				/* for the control port */
	PhFault		fault;
	bool		sent;
	int			status;
	long		retry_after_s;		/* -1: none */
	const char *error;				/* part of the text, or NULL */
} Case;

static const PhConnector *http;
static pid_t children[8];
static int	nchildren;
static int	control_port;
static PhEvent event = {.id = "1",.source = "urn:test",.type = "planthub.test.v1",
	.attributes = "{\"partitionkey\": \"mo:1\"}",.data = "{\"n\": 1}",.data_len = 8};

/* ---- peers ---- */

/* Starts a peer and reads as many ports as it prints. */
static void
start_peer(const char *option, int *ports, int nports)
{
	int			pipes[2];
	FILE	   *out;
	int			i;
	pid_t		pid;

	if (pipe(pipes) != 0 || (pid = fork()) < 0)
		exit(1);
	if (pid == 0)
	{
		dup2(pipes[1], 1);
		close(pipes[0]);
		execl(PEER, PEER, option, nports > 1 ? "0" : NULL, NULL);
		_exit(127);
	}
	children[nchildren++] = pid;
	close(pipes[1]);
	out = fdopen(pipes[0], "r");
	for (i = 0; i < nports; i++)
	{
		if (fscanf(out, "%d", &ports[i]) != 1)
		{
			printf("Bail out! the peer does not start\n");
			exit(1);
		}
	}
	fclose(out);
}

static void
stop_peers(void)
{
	while (nchildren > 0)
	{
		kill(children[--nchildren], SIGTERM);
		waitpid(children[nchildren], NULL, 0);
	}
}

static int
connect_to(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,.sin_port = htons(port),.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int			fd = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(fd, (struct sockaddr *) &address, sizeof(address)) != 0)
	{
		printf("Bail out! cannot connect to the peer\n");
		exit(1);
	}
	return fd;
}

static void
order(const char *json)
{
	char		buffer[4096];
	int			fd = connect_to(control_port);
	int			len = snprintf(buffer, sizeof(buffer), "POST /_control HTTP/1.1\r\nContent-Length: %zu\r\n\r\n%s",
							   strlen(json), json);
	ssize_t		got = -1;

	if (write(fd, buffer, len) == len)
		got = read(fd, buffer, sizeof(buffer) - 1);
	close(fd);
	if (got <= 0 || strstr(buffer, "\"error\"") != NULL)
	{
		printf("Bail out! the peer refuses %s\n", json);
		exit(1);
	}
}

/* A port where nobody listens. */
static int
closed_port(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t	len = sizeof(address);
	int			fd = socket(AF_INET, SOCK_STREAM, 0);

	bind(fd, (struct sockaddr *) &address, sizeof(address));
	getsockname(fd, (struct sockaddr *) &address, &len);
	close(fd);
	return ntohs(address.sin_port);
}

/* ---- requests ---- */

static PhTarget
target_at(const char *address)
{
	return (PhTarget) {
		.address = address,.method = "POST",.max_in_flight = 8,.connect_timeout_ms = 300,.low_speed_timeout_s = 5,
		.total_timeout_ms = 600,.response_limit = 10000
	};
}

/* The worker's loop in small; false when no result comes in time. */
static bool
wait_result(PhResult *result, int limit_ms)
{
	struct timespec start;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (;;)
	{
		struct pollfd wait = {.fd = http->wait_fd(),.events = POLLIN};
		long		ms;
		int			spent;

		http->run();
		if (http->next_result(result))
			return true;
		clock_gettime(CLOCK_MONOTONIC, &now);
		spent = (int) ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000);
		if (spent > limit_ms)
			return false;
		ms = http->timeout_ms();
		poll(&wait, 1, ms < 0 || ms > limit_ms - spent ? limit_ms - spent : (int) ms);
	}
}

static PhResult
request(const PhTarget *target)
{
	PhResult	result = {.fault = -1};

	http->submit(&event, target, &event, 1, "key-1", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
	if (!wait_result(&result, 20000))
		snprintf(result.error, sizeof(result.error), "no result came");
	return result;
}

static void
check_result(const Case *c, const char *how, const PhResult *result)
{
	bool		good = result->owner == &event && result->fault == c->fault && result->sent == c->sent &&
		result->status == c->status && (c->retry_after_s == result->retry_after_s ||
										(c->retry_after_s > 1 && result->retry_after_s == c->retry_after_s - 1)) &&
		(c->error == NULL ? c->fault != PH_FAULT_NONE || result->error[0] == '\0' : strstr(result->error, c->error) != NULL);

	check(good, "%s%s: %s", c->name, how, result->error);
	if (!good)
		printf("# fault %d, sent %d, status %d, retry after %ld, %lld us, error \"%s\"\n", result->fault, result->sent,
			   result->status, result->retry_after_s, (long long) result->duration_us, result->error);
}

static const Case cases[] = {
	{"ok", "{\"behaviour\": \"ok\"}", PH_FAULT_NONE, true, 200, -1, NULL},
	{"204", "{\"behaviour\": \"ok\", \"status\": 204}", PH_FAULT_NONE, true, 204, -1, NULL},
	{"503", "{\"behaviour\": \"status\", \"status\": 503, \"body\": \"down\"}", PH_FAULT_NONE, true, 503, -1, NULL},
	{"429 with seconds", "{\"behaviour\": \"status\", \"status\": 429, \"retry_after\": 7}", PH_FAULT_NONE, true, 429, 7, NULL},
	{"429 with a date", "{\"behaviour\": \"status\", \"status\": 429, \"retry_after_date\": 60}", PH_FAULT_NONE, true, 429, 60, NULL},
	{"429 with nonsense", "{\"behaviour\": \"status\", \"status\": 429, \"retry_after\": \"later\"}", PH_FAULT_NONE, true, 429, -1, NULL},
	{"late answer", "{\"behaviour\": \"delay\", \"ms\": 200}", PH_FAULT_NONE, true, 200, -1, NULL},
	{"redirect", "{\"behaviour\": \"redirect\"}", PH_FAULT_NONE, true, 302, -1, NULL},
	{"interim answers", "{\"behaviour\": \"interim\", \"bytes\": 5000}", PH_FAULT_NONE, true, 200, -1, NULL},
	{"no answer", "{\"behaviour\": \"hang\"}", PH_FAULT_TIMEOUT, true, 0, -1, "wait "},
	{"slow drip", "{\"behaviour\": \"drip\", \"ms\": 50}", PH_FAULT_TIMEOUT, true, 0, -1, "no complete answer"},
	{"slow drip of the head", "{\"behaviour\": \"drip\", \"ms\": 50, \"head\": true}", PH_FAULT_TIMEOUT, true, 0, -1, "no complete answer"},
	{"reset", "{\"behaviour\": \"reset\"}", PH_FAULT_RESET, true, 0, -1, ""},
	{"close", "{\"behaviour\": \"close\"}", PH_FAULT_RESET, true, 0, -1, ""},
	{"oversized", "{\"behaviour\": \"oversized\"}", PH_FAULT_TOO_LARGE, true, 200, -1, "larger than the limit"},
	{"oversized in chunks", "{\"behaviour\": \"oversized\", \"chunked\": true}", PH_FAULT_TOO_LARGE, true, 200, -1, "larger than the limit"},
	{"oversized failure", "{\"behaviour\": \"oversized\", \"status\": 500}", PH_FAULT_TOO_LARGE, true, 500, -1, "larger than the limit"},
	{"many header fields", "{\"behaviour\": \"huge_headers\"}", PH_FAULT_TOO_LARGE, true, 200, -1, "larger than the limit"},
	{"endless interim answers", "{\"behaviour\": \"interim\"}", PH_FAULT_TOO_LARGE, true, 0, -1, "larger than the limit"},
	{"garbage", "{\"behaviour\": \"malformed\"}", PH_FAULT_PROTOCOL, true, 0, -1, ""},
	{"no HTTP", "{\"behaviour\": \"malformed\", \"kind\": \"http09\"}", PH_FAULT_PROTOCOL, true, 0, -1, ""},
	{"bad chunks", "{\"behaviour\": \"malformed\", \"kind\": \"chunk\"}", PH_FAULT_PROTOCOL, true, 0, -1, "chunked"},
	{"NUL in a header", "{\"behaviour\": \"malformed\", \"kind\": \"header\"}", PH_FAULT_PROTOCOL, true, 0, -1, ""},
	{"negative length", "{\"behaviour\": \"malformed\", \"kind\": \"length\"}", PH_FAULT_PROTOCOL, true, 0, -1, ""},
	{"status not a number", "{\"behaviour\": \"malformed\", \"kind\": \"no_status\"}", PH_FAULT_PROTOCOL, true, 0, -1, ""},
	{"body too short", "{\"behaviour\": \"malformed\", \"kind\": \"short\"}", PH_FAULT_RESET, true, 0, -1, ""},
	{"reset within the body", "{\"behaviour\": \"malformed\", \"kind\": \"cut\"}", PH_FAULT_RESET, true, 0, -1, ""}
};

static void
test_cases(const PhTarget *target)
{
	size_t		i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		PhResult	result;

		http->abandon();
		order(cases[i].order);
		result = request(target);
		check_result(&cases[i], "", &result);

		/* The same on a connection that has served a request before. */
		order("{\"behaviour\": \"ok\"}");
		result = request(target);
		check(result.status == 200, "next request after \"%s\" is fine: %s", cases[i].name, result.error);
		order(cases[i].order);
		result = request(target);
		check_result(&cases[i], " on a reused connection", &result);
	}
}

static bool
holds(const char *text, size_t length, const char *part)
{
	return text != NULL && memmem(text, length, part, strlen(part)) != NULL;
}

/* The whole answer, for those who want it. */
static void
test_answers(const PhTarget *target)
{
	PhTarget	keeper = *target;
	PhResult	result;

	order("{\"behaviour\": \"interim\", \"bytes\": 500, \"status\": 201, \"body\": \"x\\u0000y\", \"headers\": {\"X-Number\": \"1\"}}");
	result = request(&keeper);
	check(result.body == NULL && result.headers == NULL, "an answer is not kept when nobody asks");
	keeper.keep_answer = true;
	result = request(&keeper);
	check(result.body_len == 3 && memcmp(result.body, "x\0y", 3) == 0, "the body is kept byte by byte");
	check(holds(result.headers, result.headers_len, "X-Number: 1\r\n"), "so are the header fields");
	check(!holds(result.headers, result.headers_len, "Early Hints") && !holds(result.headers, result.headers_len, "Link:"),
		  "those of interim answers are not");
	order("{\"behaviour\": \"oversized\", \"bytes\": 9999}");
	result = request(&keeper);
	check(result.fault == PH_FAULT_NONE && result.body_len == 9999 && result.body[9998] == 'x', "up to the limit");
	check(result.response_len == 1024, "beside the excerpt");
	order("{\"behaviour\": \"oversized\", \"bytes\": 10001}");
	result = request(&keeper);
	check(result.fault == PH_FAULT_TOO_LARGE && result.body == NULL, "above it there is none");
	order("{\"behaviour\": \"ok\", \"status\": 204}");
	result = request(&keeper);
	check(result.body != NULL && result.body_len == 0 && result.headers_len > 0, "an empty body is one, too");
	order("{\"behaviour\": \"reset\"}");
	result = request(&keeper);
	check(result.body == NULL, "without an answer there is none");
	order("{\"behaviour\": \"ok\"}");
	keeper.keep_answer = false;
	result = request(&keeper);
	check(result.status == 200 && result.body == NULL, "the next request on the handle keeps nothing");
}

/* What happens to a connection before a request can be read, and where there is none. */
static void
test_no_connection(const char *address)
{
	static const Case never_read = {"never read", "", PH_FAULT_TIMEOUT, true, 0, -1, "wait "};
	static const Case reset_early = {"reset before reading", "", PH_FAULT_RESET, true, 0, -1, ""};
	static const Case refused = {"refused", "", PH_FAULT_CONNECT, false, 0, -1, "onnect"};
	static const Case black_hole = {"black hole", "", PH_FAULT_CONNECT, false, 0, -1, "no connection within"};
	static const Case no_name = {"unknown name", "", PH_FAULT_RESOLVE, false, 0, -1, ""};
	Case		no_tls = {"no TLS", "", PH_FAULT_CONNECT, false, 0, -1, " within "};
	PhTarget	target = target_at(address);
	PhResult	result;
	char		other[100];
	int			port;

	order("{\"behaviour\": \"ok\"}");
	http->stop();					/* so that new connections are made */
	http->start(16, other, sizeof(other));
	order("{\"behaviour\": \"never_read\"}");
	result = request(&target);
	check_result(&never_read, "", &result);
	order("{\"behaviour\": \"reset_early\"}");
	result = request(&target);
	check_result(&reset_early, "", &result);
	order("{\"behaviour\": \"ok\"}");

	target.address = other;
	snprintf(other, sizeof(other), "http://127.0.0.1:%d/", closed_port());
	result = request(&target);
	check_result(&refused, "", &result);
	start_peer("--black-hole", &port, 1);
	snprintf(other, sizeof(other), "http://127.0.0.1:%d/", port);
	result = request(&target);
	check_result(&black_hole, "", &result);
	check(result.duration_us < 1000000, "connect timeout is kept");
	target.address = "http://no-such-host.invalid/";
	target.connect_timeout_ms = target.total_timeout_ms = 5000;
	result = request(&target);
	check_result(&no_name, "", &result);
	target.connect_timeout_ms = 300;
	snprintf(other, sizeof(other), "https%s", address + strlen("http"));
	target.address = other;
	result = request(&target);
	if (result.fault == PH_FAULT_TLS)
		no_tls.fault = PH_FAULT_TLS;	/* libcurl before 8 does not say that the socket was connected */
	check_result(&no_tls, "", &result);
}

/* What cannot be sent ends in a result too. */
static void
test_bad_requests(const char *address)
{
	static const char *const bad_headers[] = {"X: a\r\nEvil: 1", "No colon", ": x", "Content-Length: 1",
	"transfer-encoding: chunked", "Ce-Id: 1", "Idempotency-Key: x", "X Y: 1"};
	static const char *const bad_addresses[] = {"", "example.com", "ftp://example.com/", "file:///etc/passwd",
		"http://", "http://user:secret@example.com/", "http://example.com/#x", "http://example.com/a b",
	"http://example.com/\r\nX: 1", "http://example.com:99999/"};
	static const char *const good_addresses[] = {"http://localhost", "https://example.com:8443/a?b=c%20d", "http://[::1]:80/"};
	static const char *one_header[] = {"X-Name: \tvalue", "X-Empty:", NULL};
	PhTarget	target = target_at(address);
	PhEvent		good = event;
	PhResult	result;
	char		error[256];
	size_t		i;

	for (i = 0; i < sizeof(bad_headers) / sizeof(bad_headers[0]); i++)
	{
		const char *headers[] = {bad_headers[i], NULL};

		target.headers = headers;
		result = request(&target);
		check(result.fault == PH_FAULT_REQUEST && !result.sent && !http->check_header(bad_headers[i], error, sizeof(error)),
			  "bad header: %s", result.error);
	}
	target.headers = one_header;
	result = request(&target);
	check(result.status == 200, "good headers: %s", result.error);
	target.method = "POST /x HTTP/1.1\r\nX: 1\r\n\r\nGET";
	result = request(&target);
	check(result.fault == PH_FAULT_REQUEST, "bad method: %s", result.error);
	target.method = "PUT";
	event.attributes = "{\"A\": 1}";
	result = request(&target);
	check(result.fault == PH_FAULT_REQUEST, "bad attribute: %s", result.error);
	event = good;
	result = request(&target);
	check(result.status == 200, "the same handle can be used afterwards: %s", result.error);
	http->submit(&event, &target, &event, 1, "bad\r\nkey", NULL);
	check(wait_result(&result, 1000) && result.fault == PH_FAULT_REQUEST, "bad key: %s", result.error);

	for (i = 0; i < sizeof(bad_addresses) / sizeof(bad_addresses[0]); i++)
	{
		bool		refused = !http->check_address(bad_addresses[i], error, sizeof(error));

		check(refused, "bad address %zu: %s", i + 1, refused ? error : "taken");
	}
	for (i = 0; i < sizeof(good_addresses) / sizeof(good_addresses[0]); i++)
		check(http->check_address(good_addresses[i], error, sizeof(error)), "address %s", good_addresses[i]);
}

static void
test_many(const PhTarget *target)
{
	PhResult	result;
	int			good = 0;
	int			i;

	for (i = 0; i < 500; i++)
	{
		while (http->in_flight() == 16 && wait_result(&result, 5000))
			good += result.status == 200;
		http->submit(&event, target, &event, 1, NULL, NULL);
	}
	while (http->in_flight() > 0 && wait_result(&result, 5000))
		good += result.status == 200;
	check(good == 500, "500 requests, 16 at a time: %d answers", good);

	order("{\"behaviour\": \"hang\"}");
	for (i = 0; i < 10; i++)
		http->submit(&event, target, &event, 1, NULL, NULL);
	http->run();
	http->abandon();
	check(http->in_flight() == 0 && !http->next_result(&result), "abandoned requests have no result");
	order("{\"behaviour\": \"ok\"}");
	result = request(target);
	check(result.status == 200, "and the next one is fine: %s", result.error);
	event.data_len = 3000000;
	event.data = malloc(event.data_len);
	memset((char *) event.data, '1', event.data_len);
	result = request(target);
	check(result.status == 200, "3 MB: %s", result.error);
	free((char *) event.data);
}

int
main(void)
{
	int			ports[2];
	char		address[64];
	char		error[256] = "";
	PhTarget	target;

	signal(SIGPIPE, SIG_IGN);		/* as in every server process */
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	atexit(stop_peers);
	start_peer("--control", ports, 2);
	control_port = ports[1];
	snprintf(address, sizeof(address), "http://127.0.0.1:%d/events", ports[0]);
	target = target_at(address);

	http = ph_connector_find("http");
	check(http != NULL && ph_connector_find("smoke") == NULL, "connectors are found by name");
	check(!ph_connector_register(http), "a name is taken once");
	check(http->start(16, error, sizeof(error)), "starts: %s", error);
	check(http->timeout_ms() == -1 && http->in_flight() == 0, "nothing to wait for when idle");
	test_cases(&target);
	test_answers(&target);
	test_no_connection(address);
	test_bad_requests(address);
	test_many(&target);
	http->stop();
	check(http->start(4, error, sizeof(error)), "starts again: %s", error);
	http->stop();
	return done();
}
