/*
 * load.c
 *		Sends requests of a file over kept connections, as fast as they are answered or at a rate.
 *
 *	load PORT CONNECTIONS SECONDS RATE FILE [REQUESTS]
 *
 * FILE: each request after a line with its length, sent again and again, REQUESTS of them at most. RATE
 * is requests a second, 0 for no limit; a request that is late because others are counts from when it
 * was to be sent. Prints: requests a second, median and 99th percentile in milliseconds, answers that
 * were neither 2xx nor 303.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MOST 4000000

typedef struct Connection
{
	int socket;
	char answer[65536];
	size_t length;	/* of what has come of the answer, up to the size of answer */
	size_t wanted;	/* of it with its head; 0 until that is known */
	size_t got;		/* all of it that has come */
	double due;		/* when the request was to be sent; 0: no request is under way */
} Connection;

static char **requests;
static size_t *lengths;
static int request_count;
static long sent;
static float *times;
static int answered;
static int failed;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static void
read_requests(const char *name)
{
	FILE *in = fopen(name, "r");
	char line[40];

	if (in == NULL)
		exit(1);
	while (fgets(line, sizeof(line), in) != NULL)
	{
		size_t length = strtoul(line, NULL, 10);

		requests = realloc(requests, sizeof(char *) * (size_t) (request_count + 1));
		lengths = realloc(lengths, sizeof(size_t) * (size_t) (request_count + 1));
		requests[request_count] = malloc(length);
		lengths[request_count] = length;
		if (fread(requests[request_count++], 1, length, in) != length)
			exit(1);
	}
	fclose(in);
}

static void
reconnect(Connection *c, int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t) port)};
	int on = 1;

	inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
	if (c->socket > 0)
		close(c->socket);
	c->socket = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(c->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(c->socket, (struct sockaddr *) &address, sizeof(address)) != 0)
		exit(1);
}

static void
send_next(Connection *c, double due)
{
	long which = sent++ % request_count;

	c->due = due;
	c->length = c->wanted = c->got = 0;
	if (write(c->socket, requests[which], lengths[which]) != (ssize_t) lengths[which])
		failed++;
}

/* receive: whether the answer is whole */
static int
receive(Connection *c)
{
	char rest[65536];
	char *place = c->wanted == 0 ? c->answer + c->length : rest;
	size_t room = c->wanted == 0 ? sizeof(c->answer) - 1 - c->length : sizeof(rest);
	ssize_t got = read(c->socket, place, room);
	char *end;

	if (got <= 0)
		return -1;
	c->got += (size_t) got;
	if (c->wanted == 0)
	{
		c->length += (size_t) got;
		c->answer[c->length] = '\0';
		end = strstr(c->answer, "\r\n\r\n");
		if (end != NULL)
		{
			char *size = strcasestr(c->answer, "\r\nContent-Length:");

			c->wanted = (size_t) (end + 4 - c->answer) + (size != NULL ? strtoul(size + 17, NULL, 10) : 0);
		}
	}
	return c->wanted > 0 && c->got >= c->wanted;
}

static int
compare(const void *a, const void *b)
{
	return *(const float *) a < *(const float *) b ? -1 : 1;
}

int
main(int argc, char **argv)
{
	int port = atoi(argv[1]);
	int count = atoi(argv[2]);
	double seconds = atof(argv[3]);
	double rate = atof(argv[4]);
	long most = argc > 6 ? atol(argv[6]) : LONG_MAX;
	Connection *connections = calloc((size_t) count, sizeof(Connection));
	struct pollfd *polls = calloc((size_t) count, sizeof(struct pollfd));
	double start;
	double until;
	int scheduled = 0;
	int busy = 0;

	read_requests(argv[5]);
	times = malloc(sizeof(float) * MOST);
	for (int i = 0; i < count; i++)
		reconnect(&connections[i], port);
	start = now();
	until = start + seconds;
	for (;;)
	{
		double t = now();
		int open = t < until && sent < most;

		if (!open && busy == 0)
			break;
		if (t > until + 20)
			break;
		for (int i = 0; i < count; i++)
		{
			Connection *c = &connections[i];

			if (c->due == 0 && open && sent < most)
			{
				double due = rate > 0 ? start + scheduled / rate : t;

				if (due <= t)
				{
					scheduled++;
					send_next(c, due);
					busy++;
				}
			}
			polls[i] = (struct pollfd){.fd = c->socket, .events = c->due > 0 ? POLLIN : 0};
		}
		if (poll(polls, (nfds_t) count, rate > 0 ? 1 : 100) < 0)
			exit(1);
		for (int i = 0; i < count; i++)
		{
			Connection *c = &connections[i];
			int whole;

			if (c->due == 0 || polls[i].revents == 0)
				continue;
			whole = receive(c);
			if (whole == 0)
				continue;
			if (whole < 0 || (strncmp(c->answer + 9, "20", 2) != 0 && strncmp(c->answer + 9, "303", 3) != 0))
				failed++;
			if (answered < MOST)
				times[answered++] = (float) ((now() - c->due) * 1000);
			c->due = 0;
			busy--;
			if (whole < 0)
				reconnect(c, port);
		}
	}
	seconds = now() - start;
	qsort(times, (size_t) answered, sizeof(float), compare);
	if (answered > 0)
		printf("%.1f %.2f %.2f %d\n", answered / seconds, (double) times[answered / 2],
			   (double) times[answered * 99L / 100], failed);
	return 0;
}
