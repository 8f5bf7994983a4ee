/*
 * http.h
 *	  The http connector, and what its files share: http.c (life cycle and loop), http_request.c (building a request and
 *	  hearing its answer), http_result.c (what became of it), http_poll.c (sockets).
 */
#ifndef PLANTHUB_HTTP_H
#define PLANTHUB_HTTP_H

#include <curl/curl.h>

#include "connector/buffer.h"
#include "connector/connector.h"

/* A pooled easy handle with what belongs to the request it is used for. */
typedef struct PhHttpOptions
{
	enum
	{
		METHOD_POST, METHOD_PUT, METHOD_PATCH, METHOD_GET
	}			method;
	long		version;
	long		connect_timeout_ms;
	long		low_speed_timeout_s;
	long		total_timeout_ms;
	size_t		response_limit;
} PhHttpOptions;

typedef struct PhHttpRequest
{
	struct PhHttpRequest *prev;		/* in the list of active ones */
	struct PhHttpRequest *next;		/* in whatever list it is */
	CURL	   *easy;
	char	   *address;			/* that the handle is set to */
	PhBuffer	body;
	PhBuffer	headers;			/* fields, each ended by a NUL */
	struct curl_slist *list;		/* array of nodes into headers: libcurl only reads them */
	int			list_size;
	PhHttpOptions options;			/* that the handle is set to */
	size_t		response_left;		/* bytes that the answer may still have */
	size_t		header_bytes;
	bool		keep;				/* the answer is wanted as a whole: */
	PhBuffer	answer_headers;
	PhBuffer	answer_body;
	int64_t		started_us;			/* monotonic */
	bool		too_large;			/* the answer was cut off */
	bool		repeated;			/* libcurl wanted to send it a second time */
	PhResult	result;
	char		error[CURL_ERROR_SIZE];
} PhHttpRequest;

extern const PhConnector ph_http_connector;

/* http_request.c */
extern PhHttpRequest *ph_http_request_create(void);
extern void ph_http_request_free(PhHttpRequest *request);

/* Fills the handle; false when it cannot be built: the result then says why. */
extern bool ph_http_request_prepare(PhHttpRequest *request, void *owner, const PhTarget *target, const PhEvent *events,
									int nevents, const char *idempotency_key, const char *traceparent);
extern bool ph_http_check_address(const char *address, char *error, size_t error_size);
extern bool ph_http_check_header(const char *header, char *error, size_t error_size);
extern bool ph_http_digest_start(void);
extern void ph_http_digest_stop(void);
extern int64_t ph_http_now_us(clockid_t clock);

/* http_result.c: fills the rest of request->result from what libcurl says. */
extern void ph_http_result_fill(PhHttpRequest *request, CURLcode code);

/* http_poll.c: the epoll descriptor; handlers for libcurl; events are handed to act. */
extern bool ph_http_poll_open(void);
extern void ph_http_poll_close(void);
extern int	ph_http_poll_fd(void);
extern int	ph_http_poll_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg);
extern curl_socket_t ph_http_poll_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address);
extern int	ph_http_poll_close_socket(void *arg, curl_socket_t fd);
extern void ph_http_poll_run(void (*act) (curl_socket_t fd, int mask));

#endif
