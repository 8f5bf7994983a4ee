/*
 * http_result.c
 *	  What became of a request, from what libcurl says.  Pure C.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "connector/http.h"

#ifdef POSTGRES_H
#error "pure C: must not see postgres.h"
#endif

/* How the time of a request was spent, in milliseconds; a phase that was not reached has 0. */
typedef struct Phases
{
	long		name;
	long		connect;
	long		tls;
	long		wait;
	bool		resolved;
	bool		connected;
} Phases;

static curl_off_t
time_of(PhHttpRequest *request, CURLINFO info)
{
	curl_off_t	us = 0;

	curl_easy_getinfo(request->easy, info, &us);
	return us;
}

static Phases
phases_of(PhHttpRequest *request)
{
	curl_off_t	total = request->result.duration_us;
	curl_off_t	name = time_of(request, CURLINFO_NAMELOOKUP_TIME_T);
	curl_off_t	connect = time_of(request, CURLINFO_CONNECT_TIME_T);
	curl_off_t	tls = time_of(request, CURLINFO_APPCONNECT_TIME_T);
	Phases		phases = {.resolved = name > 0 || request->result.sent,.connected = connect > 0 || request->result.sent};
	curl_off_t	ready = tls > connect ? tls : connect;

	phases.name = (phases.resolved ? name : total) / 1000;
	if (phases.resolved)
		phases.connect = ((phases.connected ? connect : total) - name) / 1000;
	if (tls > connect)
		phases.tls = (tls - connect) / 1000;
	else if (phases.connected && !request->result.sent)
		phases.tls = (total - connect) / 1000;
	if (request->result.sent)
		phases.wait = (total - ready) / 1000;
	return phases;
}

/* Text of libcurl, and what servers put into it, as one line of ASCII. */
static void
set_error(PhResult *result, const char *text)
{
	size_t		len = strnlen(text, sizeof(result->error) - 1);
	char	   *p;

	memcpy(result->error, text, len);
	result->error[len] = '\0';
	for (p = result->error; *p != '\0'; p++)
	{
		if (*p < ' ' || *p > '~')
			*p = *p == '\n' && p[1] == '\0' ? '\0' : '?';
	}
}

static void
fill_timeout(PhHttpRequest *request, Phases *phases)
{
	PhResult   *result = &request->result;
	const char *what;
	char		text[512];

	if (result->sent)
	{
		result->fault = PH_FAULT_TIMEOUT;
		what = "no complete answer";
	}
	else if (!phases->resolved)
	{
		result->fault = PH_FAULT_RESOLVE;
		what = "name not resolved";
	}
	else if (!phases->connected)
	{
		result->fault = PH_FAULT_CONNECT;
		what = "no connection";
	}
	else
	{
		result->fault = PH_FAULT_TLS;
		what = "TLS not established";
	}
	snprintf(text, sizeof(text), "%s within %ld ms (name %ld ms, connect %ld ms, TLS %ld ms, wait %ld ms): %s", what,
			 (long) (result->duration_us / 1000), phases->name, phases->connect, phases->tls, phases->wait,
			 request->error);
	set_error(result, text);
}

/* libcurl has one code for a lost connection and for broken chunks. */
static PhFault
receive_fault(PhHttpRequest *request)
{
	return strstr(request->error, "chunked-encoding") != NULL ? PH_FAULT_PROTOCOL : PH_FAULT_RESET;
}

static PhFault
fault_of(PhHttpRequest *request, CURLcode code)
{
	bool		sent = request->result.sent;

	switch (code)
	{
		case CURLE_COULDNT_RESOLVE_HOST:
		case CURLE_COULDNT_RESOLVE_PROXY:
			return PH_FAULT_RESOLVE;
		case CURLE_COULDNT_CONNECT:
		case CURLE_INTERFACE_FAILED:
			return PH_FAULT_CONNECT;
		case CURLE_SSL_CONNECT_ERROR:
		case CURLE_PEER_FAILED_VERIFICATION:
		case CURLE_SSL_CERTPROBLEM:
		case CURLE_SSL_CIPHER:
		case CURLE_SSL_CACERT_BADFILE:
		case CURLE_SSL_CRL_BADFILE:
		case CURLE_SSL_ISSUER_ERROR:
		case CURLE_SSL_ENGINE_INITFAILED:
		case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
		case CURLE_SSL_INVALIDCERTSTATUS:
		case CURLE_USE_SSL_FAILED:
			return sent ? PH_FAULT_RESET : PH_FAULT_TLS;
		case CURLE_SEND_ERROR:
		case CURLE_GOT_NOTHING:
		case CURLE_PARTIAL_FILE:
		case CURLE_ABORTED_BY_CALLBACK:
			return PH_FAULT_RESET;
		case CURLE_RECV_ERROR:
			return receive_fault(request);
		case CURLE_WEIRD_SERVER_REPLY:
		case CURLE_UNSUPPORTED_PROTOCOL:
		case CURLE_BAD_CONTENT_ENCODING:
		case CURLE_HTTP2:
		case CURLE_HTTP2_STREAM:
			return sent ? PH_FAULT_PROTOCOL : PH_FAULT_REQUEST;
		case CURLE_URL_MALFORMAT:
			return PH_FAULT_REQUEST;
		case CURLE_FILESIZE_EXCEEDED:
			return PH_FAULT_TOO_LARGE;
		case CURLE_WRITE_ERROR:
			return request->too_large ? PH_FAULT_TOO_LARGE : PH_FAULT_PROTOCOL;
		default:
			return sent ? PH_FAULT_PROTOCOL : PH_FAULT_LOCAL;
	}
}

/* Why the system refused, which the text of libcurl leaves out. */
static void
add_system_error(PhHttpRequest *request)
{
	PhResult   *result = &request->result;
	size_t		len = strlen(result->error);
	long		number = 0;

	curl_easy_getinfo(request->easy, CURLINFO_OS_ERRNO, &number);
	if (number != 0)
		snprintf(result->error + len, sizeof(result->error) - len, ": %s", strerror((int) number));
}

static const char *
text_of(PhHttpRequest *request, CURLcode code)
{
	if (request->repeated)
		return "the connection was closed before an answer came";
	if (request->result.fault == PH_FAULT_TOO_LARGE)
		return "the answer is larger than the limit";
	return request->error[0] != '\0' ? request->error : curl_easy_strerror(code);
}

/* Without memory for it there is no answer to look at; the status stays. */
static void
keep_answer(PhHttpRequest *request)
{
	PhResult   *result = &request->result;

	if (!request->keep || result->fault != PH_FAULT_NONE || request->answer_headers.failed ||
		request->answer_body.failed)
		return;
	result->headers = request->answer_headers.len == 0 ? "" : request->answer_headers.data;
	result->headers_len = request->answer_headers.len;
	result->body = request->answer_body.len == 0 ? "" : request->answer_body.data;
	result->body_len = request->answer_body.len;
}

void
ph_http_result_fill(PhHttpRequest *request, CURLcode code)
{
	PhResult   *result = &request->result;
	long		status = 0;

	result->duration_us = ph_http_now_us(CLOCK_MONOTONIC) - request->started_us;
	curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
	result->fault = PH_FAULT_NONE;
	if (code == CURLE_OPERATION_TIMEDOUT)
	{
		Phases		phases = phases_of(request);

		fill_timeout(request, &phases);
	}
	else if (code != CURLE_OK)
	{
		result->fault = fault_of(request, code);
		set_error(result, text_of(request, code));
		if (code == CURLE_COULDNT_CONNECT)
			add_system_error(request);
	}
	if (result->fault == PH_FAULT_NONE || (result->fault == PH_FAULT_TOO_LARGE && status >= 200))
		result->status = (int) status;
	else
		result->retry_after_s = -1;
	if (result->fault == PH_FAULT_NONE && (status < 100 || status > 999))
	{
		result->fault = PH_FAULT_PROTOCOL;
		result->status = 0;
		set_error(result, "the answer has no status");
	}
	result->response[result->response_len] = '\0';
	keep_answer(request);
}
