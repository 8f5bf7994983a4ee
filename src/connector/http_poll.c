/*
 * http_poll.c
 *	  The sockets of libcurl in one epoll descriptor, so that the worker's loop has a single one to wait for.  Pure C.
 *
 * libcurl takes a socket out of the set after every request and puts it back for the next one on that connection.  Both
 * are system calls, so taking out is put off: a socket that nobody wants stays registered until it has an event.  That is
 * safe only while the number means the same socket, so it is done only for those that are opened and closed through
 * the functions below; the others (those of the resolver) are taken out at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "connector/http.h"

#ifdef POSTGRES_H
#error "pure C: must not see postgres.h"
#endif

#define MAX_EVENTS	64
#define MAX_ROUNDS	16				/* then the caller has its turn, even if events keep coming */

typedef struct Entry
{
	unsigned char wanted;			/* CURL_POLL_*; 0: libcurl does not wait for it */
	unsigned char registered;		/* what epoll knows; 0: nothing */
	bool		ours;				/* opened by open_socket, and not closed since */
} Entry;

static int	epoll_fd = -1;
static Entry *entries;				/* by descriptor */
static int	nentries;

bool
ph_http_poll_open(void)
{
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return epoll_fd >= 0;
}

void
ph_http_poll_close(void)
{
	if (epoll_fd >= 0)
		close(epoll_fd);
	epoll_fd = -1;
	free(entries);
	entries = NULL;
	nentries = 0;
}

int
ph_http_poll_fd(void)
{
	return epoll_fd;
}

/* NULL when there is no memory. */
static Entry *
entry_of(curl_socket_t fd)
{
	if (fd >= nentries)
	{
		int			n = nentries == 0 ? 64 : nentries;
		Entry	   *grown;

		while (n <= fd)
			n *= 2;
		grown = realloc(entries, sizeof(Entry) * n);
		if (grown == NULL)
			return NULL;
		memset(grown + nentries, 0, sizeof(Entry) * (n - nentries));
		entries = grown;
		nentries = n;
	}
	return &entries[fd];
}

/* Makes epoll know what is wanted. */
static bool
update(curl_socket_t fd, Entry *entry)
{
	struct epoll_event event = {.data.fd = fd};
	int			operation = entry->registered == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

	if (entry->wanted == 0)
	{
		/* It may be closed already, which has taken it out. */
		epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, &event);
		entry->registered = 0;
		return true;
	}
	event.events = ((entry->wanted & CURL_POLL_IN) ? EPOLLIN : 0) | ((entry->wanted & CURL_POLL_OUT) ? EPOLLOUT : 0);
	if (epoll_ctl(epoll_fd, operation, fd, &event) != 0)
	{
		operation = errno == ENOENT ? EPOLL_CTL_ADD : errno == EEXIST ? EPOLL_CTL_MOD : 0;
		if (operation == 0 || epoll_ctl(epoll_fd, operation, fd, &event) != 0)
			return false;
	}
	entry->registered = entry->wanted;
	return true;
}

/* CURLMOPT_SOCKETFUNCTION; -1 makes libcurl fail what it is doing. */
int
ph_http_poll_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	Entry	   *entry = entry_of(fd);

	if (entry == NULL)
		return what == CURL_POLL_REMOVE ? 0 : -1;
	entry->wanted = what & CURL_POLL_INOUT;
	if (what == CURL_POLL_REMOVE)
	{
		entry->wanted = 0;
		if (entry->registered == 0 || entry->ours)
			return 0;
	}
	else if (entry->registered == entry->wanted)
		return 0;
	return update(fd, entry) ? 0 : -1;
}

curl_socket_t
ph_http_poll_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	curl_socket_t fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	Entry	   *entry;

	if (fd < 0)
		return CURL_SOCKET_BAD;
	entry = entry_of(fd);
	if (entry == NULL)
	{
		close(fd);
		return CURL_SOCKET_BAD;
	}
	*entry = (Entry) {.ours = true};
	return fd;
}

int
ph_http_poll_close_socket(void *arg, curl_socket_t fd)
{
	if (fd < nentries)
		entries[fd] = (Entry) {0};
	return close(fd);
}

static int
curl_mask(uint32_t events)
{
	int			mask = 0;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		mask |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		mask |= CURL_CSELECT_OUT;
	if (events & EPOLLERR)
		mask |= CURL_CSELECT_ERR;
	return mask;
}

void
ph_http_poll_run(void (*act) (curl_socket_t fd, int mask))
{
	struct epoll_event events[MAX_EVENTS];
	int			rounds;
	int			n;
	int			i;

	for (rounds = 0; rounds < MAX_ROUNDS; rounds++)
	{
		n = epoll_wait(epoll_fd, events, MAX_EVENTS, 0);
		for (i = 0; i < n; i++)
		{
			curl_socket_t fd = events[i].data.fd;
			Entry	   *entry = entry_of(fd);

			if (entry == NULL)
				continue;
			if (entry->wanted != 0)
				act(fd, curl_mask(events[i].events));
			else
				update(fd, entry);
		}
		if (n < MAX_EVENTS)
			return;
	}
}
