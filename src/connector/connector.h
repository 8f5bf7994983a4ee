/*
 * connector.h
 *	  What a connector is: the border between the engine, which knows what to send and when, and a protocol.
 *
 * Pure C: nothing here or behind it may call the server, throw or palloc.  All memory that crosses is malloc'd by the
 * side that creates it and freed by the functions named here.  A connector lives in one worker process and is driven
 * by its loop: the loop waits until wait_fd() is readable or timeout_ms() has passed, calls run(), and takes what has
 * finished with next_result().
 */
#ifndef PLANTHUB_CONNECTOR_H
#define PLANTHUB_CONNECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One message as the outside sees it: CloudEvents 1.0 attributes and data; absent attributes are NULL. */
typedef struct PhEvent
{
	const char *id;
	const char *source;
	const char *type;
	const char *subject;
	const char *time;				/* RFC 3339 with offset */
	const char *dataschema;
	const char *attributes;			/* extension attributes: a JSON object of scalars in text form, or NULL */
	const char *traceparent;		/* the event's own (distributed tracing extension) */
	const char *data;				/* JSON text, or what data_type says */
	size_t		data_len;
	const char *data_type;			/* media type of data in plain mode; NULL: application/json */
} PhEvent;

typedef enum PhContentMode
{
	PH_CONTENT_STRUCTURED,
	PH_CONTENT_BINARY,
	PH_CONTENT_BATCH,
	PH_CONTENT_PLAIN,				/* the data alone, for a service that knows no CloudEvents */
	PH_CONTENT_NONE					/* no body: the address says everything */
} PhContentMode;

/* How to reach a service; owned by the caller. */
typedef struct PhTarget
{
	const char *address;
	const char *method;
	const char *const *headers;		/* "Name: value", NULL-terminated; may be NULL */
	const char *const *more_headers;	/* the same, of this request alone; secrets: they are never told */
	PhContentMode content_mode;
	bool		http2;
	int			max_in_flight;		/* also the cap on connections to it */
	long		connect_timeout_ms;
	long		low_speed_timeout_s;
	long		total_timeout_ms;
	size_t		response_limit;
	bool		keep_answer;		/* header fields and whole body are wanted, see PhResult */
} PhTarget;

/* Why there is no answer. */
typedef enum PhFault
{
	PH_FAULT_NONE,					/* there is an answer: see status */
	PH_FAULT_RESOLVE,				/* name not resolved */
	PH_FAULT_CONNECT,				/* refused, unreachable, or connect timeout */
	PH_FAULT_TLS,
	PH_FAULT_TIMEOUT,				/* total or low-speed timeout after connecting */
	PH_FAULT_RESET,					/* connection lost or closed early */
	PH_FAULT_PROTOCOL,				/* answer malformed */
	PH_FAULT_TOO_LARGE,				/* answer above response_limit */
	PH_FAULT_REQUEST,				/* the request cannot be built: bad address, bad header, bad attribute */
	PH_FAULT_LOCAL					/* nothing wrong with it, but this process is out of memory or the like; not sent */
} PhFault;

typedef struct PhResult
{
	void	   *owner;				/* as given to submit() */
	PhFault		fault;
	bool		sent;				/* whether any byte of the request may have reached the target */
	int			status;				/* protocol status code; 0 without an answer; with PH_FAULT_TOO_LARGE that of the answer */
	long		retry_after_s;		/* from Retry-After, seconds or date; -1 without */
	int64_t		started_us;			/* wall clock, microseconds since 1970 */
	int64_t		duration_us;
	char		error[256];			/* one line, split into resolve, connect and wait time for timeouts; "" if none */
	size_t		response_len;
	char		response[1025];		/* beginning of the body, NUL-terminated; bytes as received, see response_len */
	unsigned char request_digest[32];	/* SHA-256 of the body, if the connector was asked for it; else zeros */

	/* The answer when the target keeps it, else NULL; the connector's, valid until the next call of any of its functions. */
	const char *headers;			/* fields of the final answer as received, each with its line end */
	size_t		headers_len;
	const char *body;				/* all of it, bytes as received */
	size_t		body_len;
} PhResult;

typedef struct PhConnector
{
	const char *name;

	/* Checks an address when an endpoint is created; on false, error says why in one line. */
	bool		(*check_address) (const char *address, char *error, size_t error_size);

	/* Starts and stops it in this process; start returns false and error if it cannot work here. */
	bool		(*start) (int max_connections, char *error, size_t error_size);
	void		(*stop) (void);

	/*
	 * Starts one request that carries nevents events (1, or more in batch mode; none with method GET).  idempotency_key and traceparent are
	 * sent as headers when not NULL; the key is given bare, quoting is the connector's.  Everything needed is copied.
	 * Ends in exactly one result, also when it cannot be started; and the request reaches the target at most
	 * once: no connector repeats it by itself.
	 */
	void		(*submit) (void *owner, const PhTarget *target, const PhEvent *events, int nevents,
						   const char *idempotency_key, const char *traceparent);

	/* Ends every request of this process without a result, such as at shutdown. */
	void		(*abandon) (void);

	int			(*wait_fd) (void);
	long		(*timeout_ms) (void);	/* until run() must be called at the latest; -1: no limit */
	void		(*run) (void);		/* moves everything on; never blocks */
	bool		(*next_result) (PhResult *result);
	int			(*in_flight) (void);	/* submitted, and the result not taken yet; stay within max_connections */

	/* Checks a "Name: value" of PhTarget.headers, as check_address does. */
	bool		(*check_header) (const char *header, char *error, size_t error_size);
} PhConnector;

/* The connector of that name, or NULL. */
extern const PhConnector *ph_connector_find(const char *name);

/* False when the name is taken or the table is full. */
extern bool ph_connector_register(const PhConnector *connector);

#endif
