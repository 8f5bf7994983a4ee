/*
 * sender.c
 *	  The limit to compare with: a bare libcurl-multi program that POSTs the same bodies and does nothing else.
 *
 *	  sender URL REQUESTS IN_FLIGHT BODY_BYTES		prints: seconds, CPU seconds, failed requests
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <curl/curl.h>

static size_t
discard(char *data, size_t size, size_t count, void *arg)
{
	return size * count;
}

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
	long		requests,
				in_flight,
				bytes,
				started = 0,
				done = 0,
				failed = 0;
	int			running;
	char	   *body;
	CURLM	   *multi;
	struct curl_slist *headers = NULL;
	double		began,
				used;

	if (argc != 5)
		return 2;
	requests = atol(argv[2]);
	in_flight = atol(argv[3]);
	bytes = atol(argv[4]);
	body = malloc(bytes + 1);
	memset(body, 'x', bytes);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	multi = curl_multi_init();
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, in_flight);
	headers = curl_slist_append(headers, "Content-Type: application/cloudevents+json");
	headers = curl_slist_append(headers, "Expect:");

	began = now();
	used = cpu();
	for (; started < in_flight && started < requests; started++)
	{
		CURL	   *easy = curl_easy_init();

		curl_easy_setopt(easy, CURLOPT_URL, argv[1]);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, bytes);
		curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
		curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, discard);
		curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
		curl_multi_add_handle(multi, easy);
	}
	while (done < requests)
	{
		CURLMsg    *message;
		int			left;

		curl_multi_perform(multi, &running);
		while ((message = curl_multi_info_read(multi, &left)) != NULL)
		{
			CURL	   *easy = message->easy_handle;
			long		status = 0;

			curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
			if (message->data.result != CURLE_OK || status / 100 != 2)
				failed++;
			done++;
			curl_multi_remove_handle(multi, easy);
			if (started < requests)
			{
				curl_multi_add_handle(multi, easy);
				started++;
			}
			else
				curl_easy_cleanup(easy);
		}
		if (done < requests)
			curl_multi_poll(multi, NULL, 0, 1000, NULL);
	}
	printf("%f %f %ld\n", now() - began, cpu() - used, failed);
	return 0;
}
