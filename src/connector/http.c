/*
 * http.c
 *	  The http connector: life cycle and loop.  Pure C.
 *
 * One multi handle for the life of the worker, with its connections; easy handles are pooled.  libcurl says which
 * sockets it waits for (http_poll.c) and until when (set_timer); run() tells it what has happened.
 *
 * A request is in one of three lists: active (libcurl has it), done (its result waits for next_result), spare.
 *
 * libcurl starts threads that resolve names.  They must not take the process's signals, whose handlers expect its main
 * thread, so every call that can start one is made with signals blocked: threads inherit the mask.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "connector/http.h"

#ifdef POSTGRES_H
#error "pure C: must not see postgres.h"
#endif

#if LIBCURL_VERSION_NUM < 0x075700
#error "libcurl 7.87 or later is required: CURLOPT_QUICK_EXIT, CURLOPT_PREREQFUNCTION"
#endif

#define MAX_TURNS	8				/* of timer and sockets in one run() */

static CURLM *multi;
static int64_t deadline_us = -1;	/* monotonic; when libcurl wants to be called; -1: never */
static PhHttpRequest *active;
static PhHttpRequest *spare;
static PhHttpRequest *done_first;
static PhHttpRequest *done_last;
static int	nopen;				/* active and done */

/* ---- signals ---- */

static void
block_signals(sigset_t *old)
{
	static const int faults[] = {SIGILL, SIGABRT, SIGFPE, SIGSEGV, SIGBUS, SIGSYS, SIGTRAP};
	static sigset_t all;
	static bool ready = false;
	size_t		i;

	if (!ready)
	{
		sigfillset(&all);
		for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
			sigdelset(&all, faults[i]);
		ready = true;
	}
	pthread_sigmask(SIG_SETMASK, &all, old);
}

static void
restore_signals(const sigset_t *old)
{
	pthread_sigmask(SIG_SETMASK, old, NULL);
}

/* ---- lists ---- */

static void
activate(PhHttpRequest *request)
{
	request->prev = NULL;
	request->next = active;
	if (active != NULL)
		active->prev = request;
	active = request;
}

static void
deactivate(PhHttpRequest *request)
{
	if (request->prev != NULL)
		request->prev->next = request->next;
	else
		active = request->next;
	if (request->next != NULL)
		request->next->prev = request->prev;
}

static void
put_done(PhHttpRequest *request)
{
	request->next = NULL;
	if (done_last != NULL)
		done_last->next = request;
	else
		done_first = request;
	done_last = request;
}

static void
put_spare(PhHttpRequest *request)
{
	request->next = spare;
	spare = request;
}

static void
free_list(PhHttpRequest **list)
{
	while (*list != NULL)
	{
		PhHttpRequest *request = *list;

		*list = request->next;
		ph_http_request_free(request);
	}
}

/* ---- life cycle ---- */

/* CURLMOPT_TIMERFUNCTION */
static int
set_timer(CURLM *handle, long timeout_ms, void *arg)
{
	deadline_us = timeout_ms < 0 ? -1 : ph_http_now_us(CLOCK_MONOTONIC) + timeout_ms * 1000;
	return 0;
}

static bool
set_up_multi(int max_connections)
{
	multi = curl_multi_init();
	return multi != NULL &&
		curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, ph_http_poll_socket) == CURLM_OK &&
		curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, set_timer) == CURLM_OK &&
		curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long) max_connections) == CURLM_OK &&
		curl_multi_setopt(multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long) max_connections) == CURLM_OK &&
		curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long) max_connections) == CURLM_OK;
}

/*
 * As many requests as may be under way exist beforehand (without handle and buffers), so that one that fails for lack
 * of memory still has its result.
 */
static bool
make_spare(int n)
{
	while (n-- > 0)
	{
		PhHttpRequest *request = ph_http_request_create();

		if (request == NULL)
			return false;
		put_spare(request);
	}
	return true;
}

static void
abandon(void)
{
	sigset_t	old;

	block_signals(&old);
	while (active != NULL)
	{
		PhHttpRequest *request = active;

		curl_multi_remove_handle(multi, request->easy);
		deactivate(request);
		put_spare(request);
	}
	while (done_first != NULL)
	{
		PhHttpRequest *request = done_first;

		done_first = request->next;
		put_spare(request);
	}
	done_last = NULL;
	nopen = 0;
	restore_signals(&old);
}

static void
stop(void)
{
	sigset_t	old;

	abandon();
	block_signals(&old);
	free_list(&spare);
	if (multi != NULL)
		curl_multi_cleanup(multi);
	multi = NULL;
	deadline_us = -1;
	ph_http_poll_close();
	ph_http_digest_stop();
	restore_signals(&old);
}

static bool
start(int max_connections, char *error, size_t error_size)
{
	static bool global_ready = false;
	sigset_t	old;
	bool		good;

	if (multi != NULL)
		return true;
	block_signals(&old);
	if (!global_ready)
		global_ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
	if (!global_ready)
		snprintf(error, error_size, "libcurl could not be initialized");
	else if (!(curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_ASYNCHDNS))
	{
		/* It would stop the whole worker for as long as a name server takes. */
		snprintf(error, error_size, "libcurl %s resolves names synchronously",
				 curl_version_info(CURLVERSION_NOW)->version);
		global_ready = false;
	}
	good = global_ready;
	if (good && !(ph_http_poll_open() && set_up_multi(max_connections) && make_spare(max_connections) &&
				  ph_http_digest_start()))
	{
		snprintf(error, error_size, "out of memory or descriptors");
		good = false;
	}
	restore_signals(&old);
	if (!good)
		stop();
	return good;
}

/* ---- requests ---- */

/* Only hands over: libcurl starts no thread before it is run. */
static void
submit(void *owner, const PhTarget *target, const PhEvent *events, int nevents, const char *idempotency_key,
	   const char *traceparent)
{
	PhHttpRequest *request = spare;

	if (request != NULL)
		spare = request->next;
	else
		request = ph_http_request_create();
	if (request == NULL)
		return;						/* only when the caller goes beyond max_connections, see make_spare() */
	nopen++;
	if (!ph_http_request_prepare(request, owner, target, events, nevents, idempotency_key, traceparent))
		put_done(request);
	else if (curl_multi_add_handle(multi, request->easy) != CURLM_OK)
	{
		request->result.fault = PH_FAULT_LOCAL;
		snprintf(request->result.error, sizeof(request->result.error), "libcurl did not take the request");
		put_done(request);
	}
	else
		activate(request);
}

static void
act(curl_socket_t fd, int mask)
{
	int			running;

	curl_multi_socket_action(multi, fd, mask, &running);
}

static void
reap(void)
{
	CURLMsg    *message;
	int			left;

	while ((message = curl_multi_info_read(multi, &left)) != NULL)
	{
		PhHttpRequest *request = NULL;
		CURLcode	code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **) &request);
		ph_http_result_fill(request, code);
		curl_multi_remove_handle(multi, request->easy);
		deactivate(request);
		put_done(request);
	}
}

static void
run(void)
{
	sigset_t	old;
	int			turns;

	if (multi == NULL)
		return;
	block_signals(&old);
	for (turns = 0; turns < MAX_TURNS; turns++)
	{
		if (deadline_us >= 0 && deadline_us <= ph_http_now_us(CLOCK_MONOTONIC))
		{
			deadline_us = -1;		/* it is a one-shot timer: libcurl sets it again when it wants */
			act(CURL_SOCKET_TIMEOUT, 0);
		}
		ph_http_poll_run(act);
		reap();
		if (deadline_us < 0 || deadline_us > ph_http_now_us(CLOCK_MONOTONIC))
			break;
	}
	restore_signals(&old);
}

static bool
next_result(PhResult *result)
{
	PhHttpRequest *request = done_first;

	if (request == NULL)
		return false;
	done_first = request->next;
	if (done_first == NULL)
		done_last = NULL;
	*result = request->result;
	put_spare(request);
	nopen--;
	return true;
}

static long
timeout_ms(void)
{
	int64_t		left;

	if (done_first != NULL)
		return 0;
	if (deadline_us < 0)
		return -1;
	left = deadline_us - ph_http_now_us(CLOCK_MONOTONIC);
	return left <= 0 ? 0 : (long) ((left + 999) / 1000);
}

static int
in_flight(void)
{
	return nopen;
}

const PhConnector ph_http_connector = {
	.name = "http",
	.check_address = ph_http_check_address,
	.start = start,
	.stop = stop,
	.submit = submit,
	.abandon = abandon,
	.wait_fd = ph_http_poll_fd,
	.timeout_ms = timeout_ms,
	.run = run,
	.next_result = next_result,
	.in_flight = in_flight,
	.check_header = ph_http_check_header
};
