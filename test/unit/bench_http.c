/*
 * bench_http.c
 *	  Speed of the http connector alone: posts the same event again and again.  Measures, asserts nothing.
 *
 *	  bench_http URL REQUESTS IN_FLIGHT BODY_BYTES		prints: seconds, CPU seconds, failed requests
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "connector/connector.h"

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static double
cpu(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

int
main(int argc, char **argv)
{
	const PhConnector *http = ph_connector_find("http");
	PhTarget	target = {.method = "POST",.connect_timeout_ms = 5000,.low_speed_timeout_s = 15,
	.total_timeout_ms = 30000,.response_limit = 1 << 20};
	PhEvent		event = {.id = "1",.source = "urn:planthub:bench",.type = "planthub.bench.v1",
	.time = "2026-01-15T06:00:00+01:00",.attributes = "{\"partitionkey\": \"mo:1\"}"};
	long		requests;
	long		started = 0;
	long		done = 0;
	long		failed = 0;
	int			in_flight;
	size_t		bytes;
	char	   *body;
	char		error[256];
	double		began;
	double		used;

	if (argc != 5)
		return 2;
	target.address = argv[1];
	requests = atol(argv[2]);
	in_flight = atoi(argv[3]);
	bytes = (size_t) atol(argv[4]);
	body = malloc(bytes + 3);
	memset(body, 'x', bytes + 2);
	body[0] = body[bytes + 1] = '"';
	event.data = body;
	event.data_len = bytes + 2;
	if (!http->start(in_flight, error, sizeof(error)))
	{
		fprintf(stderr, "%s\n", error);
		return 1;
	}
	began = now();
	used = cpu();
	while (done < requests)
	{
		struct pollfd wait = {.fd = http->wait_fd(),.events = POLLIN};
		PhResult	result;

		while (started < requests && http->in_flight() < in_flight)
		{
			http->submit(NULL, &target, &event, 1, "key", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
			started++;
		}
		http->run();
		while (http->next_result(&result))
		{
			done++;
			if (result.fault != PH_FAULT_NONE || result.status / 100 != 2)
			{
				if (failed++ == 0)
					fprintf(stderr, "fault %d status %d %s\n", result.fault, result.status, result.error);
			}
		}
		if (done < requests && (started == requests || http->in_flight() == in_flight))
			poll(&wait, 1, (int) http->timeout_ms());
	}
	printf("%f %f %ld\n", now() - began, cpu() - used, failed);
	http->stop();
	free(body);
	return 0;
}
