/*
 * http_request.c
 *	  Building a request, and hearing its answer.  Pure C.
 *
 * A handle keeps its constant options between requests; only what differs is set again.  Body and header fields live in
 * buffers of the request, which libcurl reads without copying.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <openssl/evp.h>

#include "connector/cloudevents.h"
#include "connector/http.h"
#include "connector/retry_after.h"

#ifdef POSTGRES_H
#error "pure C: must not see postgres.h"
#endif

#define MAX_HEADER_BYTES	(64 * 1024)	/* of an answer, interim ones included */
#define MAX_ADDRESS			2048
#define MAX_FIELD			8192	/* of a request: one header field */
#define LOW_SPEED_LIMIT		16L		/* bytes per second; slower counts as standing still */
#define KEEPALIVE_IDLE_S	30L
#define MAX_IDLE_S			60L		/* a connection unused for longer is not used again */

#define TOKEN_CHARS \
	"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

static EVP_MD_CTX *digest_context;
static const EVP_MD *digest_type;

/* ---- answers ---- */

static size_t
hear_body(char *data, size_t size, size_t n, void *arg)
{
	PhHttpRequest *request = arg;
	PhResult   *result = &request->result;
	size_t		len = size * n;
	size_t		room = sizeof(result->response) - 1 - result->response_len;

	if (len > request->response_left)
	{
		request->too_large = true;
		return 0;
	}
	request->response_left -= len;
	if (request->keep)
		ph_buffer_append(&request->answer_body, data, len);
	if (room > len)
		room = len;
	memcpy(result->response + result->response_len, data, room);
	result->response_len += room;
	return len;
}

static size_t
hear_header(char *data, size_t size, size_t n, void *arg)
{
	static const char retry_after[] = "Retry-After:";
	PhHttpRequest *request = arg;
	size_t		len = size * n;
	char		value[80];

	request->header_bytes += len;
	if (request->header_bytes > MAX_HEADER_BYTES)
	{
		request->too_large = true;
		return 0;
	}
	if (len > 5 && memcmp(data, "HTTP/", 5) == 0)
	{
		request->result.retry_after_s = -1; /* what an interim answer said does not count */
		ph_buffer_reset(&request->answer_headers);
		return len;
	}
	if (request->keep)
		ph_buffer_append(&request->answer_headers, data, len);
	if (len > sizeof(retry_after) - 1 && len < sizeof(retry_after) + sizeof(value) - 1 &&
			 strncasecmp(data, retry_after, sizeof(retry_after) - 1) == 0)
	{
		len -= sizeof(retry_after) - 1;
		memcpy(value, data + sizeof(retry_after) - 1, len);
		value[len] = '\0';
		request->result.retry_after_s = ph_retry_after_parse(value, (int64_t) time(NULL));
	}
	return size * n;
}

/*
 * Called when the request is about to be written.  From here on the target may have seen some of it.  A second call means
 * that libcurl found a reused connection closed and wants to send it again by itself; but the first copy may have had
 * its effect, and repeating is not for a connector to decide.
 */
static int
hear_start(void *arg, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
	PhHttpRequest *request = arg;

	if (request->result.sent)
	{
		request->repeated = true;
		return CURL_PREREQFUNC_ABORT;
	}
	request->result.sent = true;
	return CURL_PREREQFUNC_OK;
}

/* ---- handles ---- */

/* What is the same for every request. */
static bool
set_constants(PhHttpRequest *request)
{
	CURL	   *easy = request->easy;
	CURLcode	bad = CURLE_OK;

#define SET(option, value) (bad = bad == CURLE_OK ? curl_easy_setopt(easy, option, value) : bad)
	SET(CURLOPT_PRIVATE, request);
	SET(CURLOPT_ERRORBUFFER, request->error);
	SET(CURLOPT_WRITEFUNCTION, hear_body);
	SET(CURLOPT_WRITEDATA, request);
	SET(CURLOPT_HEADERFUNCTION, hear_header);
	SET(CURLOPT_HEADERDATA, request);
	SET(CURLOPT_PREREQFUNCTION, hear_start);
	SET(CURLOPT_PREREQDATA, request);
	SET(CURLOPT_OPENSOCKETFUNCTION, ph_http_poll_open_socket);
	SET(CURLOPT_CLOSESOCKETFUNCTION, ph_http_poll_close_socket);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_QUICK_EXIT, 1L);	/* never wait for a resolver thread */
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_HTTP09_ALLOWED, 0L);
	SET(CURLOPT_PROXY, "");			/* none from the environment either */
	SET(CURLOPT_NETRC, (long) CURL_NETRC_IGNORED);
	SET(CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	SET(CURLOPT_TCP_KEEPINTVL, KEEPALIVE_IDLE_S);
	SET(CURLOPT_MAXAGE_CONN, MAX_IDLE_S);
	SET(CURLOPT_LOW_SPEED_LIMIT, LOW_SPEED_LIMIT);
	SET(CURLOPT_USERAGENT, "PlantHub/" PLANTHUB_VERSION);
	SET(CURLOPT_POST, 1L);
#undef SET
	return bad == CURLE_OK;
}

/* The handle is made when the request is first used. */
static bool
have_easy(PhHttpRequest *request)
{
	if (request->easy != NULL)
		return true;
	request->easy = curl_easy_init();
	if (request->easy != NULL && set_constants(request))
		return true;
	if (request->easy != NULL)
		curl_easy_cleanup(request->easy);
	request->easy = NULL;
	return false;
}

PhHttpRequest *
ph_http_request_create(void)
{
	return calloc(1, sizeof(PhHttpRequest));
}

void
ph_http_request_free(PhHttpRequest *request)
{
	if (request->easy != NULL)
		curl_easy_cleanup(request->easy);
	ph_buffer_free(&request->body);
	ph_buffer_free(&request->headers);
	ph_buffer_free(&request->answer_headers);
	ph_buffer_free(&request->answer_body);
	free(request->list);
	free(request->address);
	free(request);
}

int64_t
ph_http_now_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- checks ---- */

bool
ph_http_check_header(const char *header, char *error, size_t error_size)
{
	/* What frames the message, and what tells one message from another, is not for configuration. */
	static const char *const refused[] = {"Connection", "Content-Encoding", "Content-Length", "Expect",
		"Idempotency-Key", "Keep-Alive", "Proxy-Connection", "TE", "Traceparent", "Trailer", "Transfer-Encoding",
	"Upgrade"};
	size_t		name_len = strspn(header, TOKEN_CHARS);
	size_t		i;

	if (name_len == 0 || header[name_len] != ':')
	{
		snprintf(error, error_size, "header is not of the form \"Name: value\"");
		return false;
	}
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
	{
		if (strlen(refused[i]) == name_len && strncasecmp(header, refused[i], name_len) == 0)
			break;
	}
	if (i < sizeof(refused) / sizeof(refused[0]) || strncasecmp(header, "ce-", 3) == 0)
	{
		snprintf(error, error_size, "header \"%.*s\" is set by the connector itself", (int) name_len, header);
		return false;
	}
	for (i = name_len + 1; header[i] != '\0'; i++)
	{
		if (((unsigned char) header[i] < ' ' && header[i] != '\t') || header[i] == 0x7f)
		{
			snprintf(error, error_size, "header \"%.*s\" has a control character", (int) name_len, header);
			return false;
		}
	}
	if (i > MAX_FIELD)
	{
		snprintf(error, error_size, "header \"%.*s\" is longer than %d bytes", (int) (name_len > 64 ? 64 : name_len),
				 header, MAX_FIELD);
		return false;
	}
	return true;
}

static bool
has_part(CURLU *url, CURLUPart part)
{
	char	   *text = NULL;
	bool		found = curl_url_get(url, part, &text, 0) == CURLUE_OK;

	curl_free(text);
	return found;
}

static bool
scheme_allowed(CURLU *url)
{
	char	   *scheme = NULL;
	bool		allowed = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
		(strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);

	curl_free(scheme);
	return allowed;
}

/* Text of what is wrong with the address; NULL when nothing is. */
static const char *
address_fault(const char *address, CURLU *url)
{
	const char *p;
	CURLUcode	code;

	for (p = address; *p != '\0'; p++)
	{
		if ((unsigned char) *p <= ' ' || (unsigned char) *p >= 0x7f)
			return "it has a space, a control or a non-ASCII character, which must be percent-encoded";
	}
	if (p - address > MAX_ADDRESS)
		return "it is too long";
	code = curl_url_set(url, CURLUPART_URL, address, CURLU_NON_SUPPORT_SCHEME);
	if (code != CURLUE_OK)
		return curl_url_strerror(code);
	if (!scheme_allowed(url))
		return "its scheme is neither http nor https";
	if (!has_part(url, CURLUPART_HOST))
		return "it has no host";
	if (has_part(url, CURLUPART_USER) || has_part(url, CURLUPART_PASSWORD))
		return "it has a user name or password, which everybody could read there";
	if (has_part(url, CURLUPART_FRAGMENT))
		return "it has a fragment, which is never sent";
	return NULL;
}

bool
ph_http_check_address(const char *address, char *error, size_t error_size)
{
	CURLU	   *url = curl_url();
	const char *fault = url == NULL ? "out of memory" : address_fault(address, url);

	if (fault != NULL)
		snprintf(error, error_size, "%s", fault);
	curl_url_cleanup(url);
	return fault == NULL;
}

/* ---- header fields ---- */

/* name is a literal; the value is refused when it could end the field. */
static bool
append_field(PhBuffer *out, const char *name, const char *value, bool quoted)
{
	size_t		i;

	for (i = 0; value[i] != '\0'; i++)
	{
		if ((unsigned char) value[i] < ' ' || (unsigned char) value[i] >= 0x7f || i > MAX_FIELD)
			return false;
	}
	ph_buffer_append_string(out, name);
	ph_buffer_append_string(out, quoted ? ": \"" : ": ");
	for (; *value != '\0'; value++)
	{
		if (quoted && (*value == '"' || *value == '\\'))
			ph_buffer_append_char(out, '\\');
		ph_buffer_append_char(out, *value);
	}
	if (quoted)
		ph_buffer_append_char(out, '"');
	ph_buffer_append_char(out, '\0');
	return true;
}

/* libcurl takes "Name:" for an order to leave the field out; "Name;" is its way to say empty. */
static void
append_configured(PhBuffer *out, const char *header)
{
	size_t		name_len = strcspn(header, ":");

	if (header[name_len + 1 + strspn(header + name_len + 1, " \t")] != '\0')
		ph_buffer_append(out, header, strlen(header) + 1);
	else
	{
		ph_buffer_append(out, header, name_len);
		ph_buffer_append(out, ";", sizeof(";"));
	}
}

static bool
is_content_type(const char *header)
{
	return strncasecmp(header, "Content-Type:", strlen("Content-Type:")) == 0;
}

/* cloudevents.c puts it first. */
static bool
has_content_type(const PhBuffer *headers)
{
	return headers->len > 0 && is_content_type(headers->data);
}

static bool
append_all_configured(PhHttpRequest *request, const char *const *header, bool has_body)
{
	PhBuffer   *out = &request->headers;

	for (; header != NULL && *header != NULL; header++)
	{
		if (!ph_http_check_header(*header, request->result.error, sizeof(request->result.error)))
			return false;
		if (is_content_type(*header) && !has_body)
			continue;
		/* A target that knows no CloudEvents may want its media type called by another name: that one replaces ours. */
		if (is_content_type(*header) && has_content_type(out))
		{
			size_t		len = strlen(out->data) + 1;

			memmove(out->data, out->data + len, out->len - len);
			out->len -= len;
		}
		append_configured(out, *header);
	}
	return true;
}

/* Makes libcurl's list of the fields in the buffer. */
static bool
link_fields(PhHttpRequest *request)
{
	const PhBuffer *headers = &request->headers;
	size_t		at;
	int			n = 0;

	for (at = 0; at < headers->len; at += strlen(headers->data + at) + 1)
	{
		if (n == request->list_size)
		{
			int			size = n == 0 ? 16 : n * 2;
			struct curl_slist *list = realloc(request->list, sizeof(*list) * size);

			if (list == NULL)
				return false;
			request->list = list;
			request->list_size = size;
		}
		request->list[n].data = headers->data + at;
		request->list[n].next = NULL;
		n++;
	}
	while (--n > 0)
		request->list[n - 1].next = &request->list[n];
	return true;
}

/* ---- digest ---- */

bool
ph_http_digest_start(void)
{
	digest_context = EVP_MD_CTX_new();
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
	digest_type = EVP_MD_fetch(NULL, "SHA256", NULL);	/* once: looking it up costs more than digesting 1 KB */
#else
	digest_type = EVP_sha256();
#endif
	return digest_context != NULL && digest_type != NULL;
}

void
ph_http_digest_stop(void)
{
	EVP_MD_CTX_free(digest_context);
#if OPENSSL_VERSION_NUMBER >= 0x30000000L
	EVP_MD_free((EVP_MD *) digest_type);
#endif
	digest_context = NULL;
	digest_type = NULL;
}

static bool
digest_body(PhHttpRequest *request)
{
	return EVP_DigestInit_ex(digest_context, digest_type, NULL) == 1 &&
		EVP_DigestUpdate(digest_context, request->body.data, request->body.len) == 1 &&
		EVP_DigestFinal_ex(digest_context, request->result.request_digest, NULL) == 1;
}

/* ---- the request ---- */

static void
reset(PhHttpRequest *request, void *owner)
{
	PhResult   *result = &request->result;

	ph_buffer_reset(&request->body);
	ph_buffer_reset(&request->headers);
	ph_buffer_reset(&request->answer_headers);
	ph_buffer_reset(&request->answer_body);
	request->header_bytes = 0;
	request->too_large = false;
	request->repeated = false;
	request->error[0] = '\0';
	request->started_us = ph_http_now_us(CLOCK_MONOTONIC);

	result->owner = owner;
	result->fault = PH_FAULT_NONE;
	result->sent = false;
	result->status = 0;
	result->retry_after_s = -1;
	result->started_us = ph_http_now_us(CLOCK_REALTIME);
	result->duration_us = 0;
	result->error[0] = '\0';
	result->response_len = 0;
	result->response[0] = '\0';
	memset(result->request_digest, 0, sizeof(result->request_digest));
	result->headers = result->body = NULL;
	result->headers_len = result->body_len = 0;
}

static bool
set_address(PhHttpRequest *request, const char *address)
{
	char	   *copy;

	if (request->address != NULL && strcmp(request->address, address) == 0)
		return true;
	copy = strdup(address);
	if (copy == NULL || curl_easy_setopt(request->easy, CURLOPT_URL, address) != CURLE_OK)
	{
		free(copy);
		return false;
	}
	free(request->address);
	request->address = copy;
	return true;
}

static PhHttpOptions
options_of(const PhTarget *target)
{
	PhHttpOptions options;
	bool		tls = strncasecmp(target->address, "https:", strlen("https:")) == 0;

	memset(&options, 0, sizeof(options));	/* they are compared as bytes */
	options.method = target->method == NULL || strcmp(target->method, "POST") == 0 ? METHOD_POST :
		strcmp(target->method, "PUT") == 0 ? METHOD_PUT : strcmp(target->method, "GET") == 0 ? METHOD_GET : METHOD_PATCH;
	options.version = CURL_HTTP_VERSION_1_1;
	if (target->http2)
		options.version = tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
	options.connect_timeout_ms = target->connect_timeout_ms;
	options.low_speed_timeout_s = target->low_speed_timeout_s;
	options.total_timeout_ms = target->total_timeout_ms;
	options.response_limit = target->response_limit;
	return options;
}

/* What is the same as for the request before on this handle, mostly all of it, stays set. */
static bool
set_options(PhHttpRequest *request, const PhTarget *target)
{
	static const char *const methods[] = {NULL, "PUT", "PATCH", NULL};
	CURL	   *easy = request->easy;
	CURLcode	bad = CURLE_OK;
	PhHttpOptions options = options_of(target);

#define SET(option, value) (bad = bad == CURLE_OK ? curl_easy_setopt(easy, option, value) : bad)
	if (options.method == METHOD_GET)
		SET(CURLOPT_HTTPGET, 1L);
	else
	{
		SET(CURLOPT_POSTFIELDS, request->body.len == 0 ? "" : request->body.data);	/* makes it a POST again */
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) request->body.len);
	}
	SET(CURLOPT_HTTPHEADER, request->list);
	if (memcmp(&options, &request->options, sizeof(options)) != 0)
	{
		request->options.version = 0;	/* no request has it: set all again should one fail */
		SET(CURLOPT_CUSTOMREQUEST, methods[options.method]);
		SET(CURLOPT_HTTP_VERSION, options.version);
		SET(CURLOPT_PIPEWAIT, target->http2 ? 1L : 0L);
		SET(CURLOPT_CONNECTTIMEOUT_MS, options.connect_timeout_ms);
		SET(CURLOPT_LOW_SPEED_TIME, options.low_speed_timeout_s);
		SET(CURLOPT_TIMEOUT_MS, options.total_timeout_ms);
		SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t) options.response_limit);
	}
#undef SET
	if (bad != CURLE_OK || !set_address(request, target->address))
		return false;
	request->options = options;
	request->response_left = options.response_limit;
	return true;
}

/* Whether the method may have a body (GET: has none) and is a word that cannot end the request line. */
static bool
method_valid(const char *method, int nevents)
{
	return method == NULL || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
		strcmp(method, "PATCH") == 0 || (strcmp(method, "GET") == 0 && nevents == 0);
}

/* Fills body and headers; false with the fault and the error in the result. */
static bool
build(PhHttpRequest *request, const PhTarget *target, const PhEvent *events, int nevents, const char *idempotency_key,
	  const char *traceparent)
{
	PhResult   *result = &request->result;
	PhBuffer   *headers = &request->headers;
	bool		get = target->method != NULL && strcmp(target->method, "GET") == 0;

	result->fault = PH_FAULT_REQUEST;
	if (!method_valid(target->method, nevents))
	{
		snprintf(result->error, sizeof(result->error), "method is not POST, PUT or PATCH");
		return false;
	}
	if (!get && !ph_cloudevents_encode(target->content_mode, events, nevents, &request->body, headers, result->error,
									   sizeof(result->error)))
		return false;
	if (!has_content_type(headers))
	{
		/* Nothing to describe; without this libcurl would call it a form. */
		ph_buffer_append(headers, "Content-Type:", sizeof("Content-Type:"));
	}
	if (!append_all_configured(request, target->headers, !get) ||
		!append_all_configured(request, target->more_headers, !get))
		return false;
	if (idempotency_key != NULL && !append_field(headers, "Idempotency-Key", idempotency_key, true))
		snprintf(result->error, sizeof(result->error), "idempotency key is not printable ASCII");
	else if (traceparent != NULL && !append_field(headers, "traceparent", traceparent, false))
		snprintf(result->error, sizeof(result->error), "traceparent is not printable ASCII");
	else
	{
		ph_buffer_append(headers, "Expect:", sizeof("Expect:"));	/* no waiting for "100 Continue" */
		result->fault = PH_FAULT_NONE;
	}
	return result->fault == PH_FAULT_NONE;
}

bool
ph_http_request_prepare(PhHttpRequest *request, void *owner, const PhTarget *target, const PhEvent *events,
						int nevents, const char *idempotency_key, const char *traceparent)
{
	PhResult   *result = &request->result;

	reset(request, owner);
	request->keep = target->keep_answer;
	if (!build(request, target, events, nevents, idempotency_key, traceparent))
		return false;
	if (!have_easy(request) || request->body.failed || request->headers.failed || !link_fields(request) ||
		!digest_body(request) || !set_options(request, target))
	{
		result->fault = PH_FAULT_LOCAL;
		snprintf(result->error, sizeof(result->error), "out of memory");
		return false;
	}
	return true;
}
