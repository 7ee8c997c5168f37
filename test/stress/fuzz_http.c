/*
 * fuzz_http.c
 *		Sends requests of a file that were changed at random, many connections at a time.
 *
 *	fuzz_http PORT CONNECTIONS SECONDS REQUESTS SEED FILE
 *
 * FILE: each good request after a line with its length. A connection carries up to four changed
 * requests at once and says that no more come, so that whoever waits for the rest is not waited for.
 * A request counts that was answered or that the server cut the connection at; what comes behind
 * such a one nobody has read.
 *
 * Prints "sent N", "connections N", "cut N", "hung N" (connections without an end after 15 s),
 * "refused N" (the server is gone, which ends it), "status NNN N" for each status, and "bytes NNN HEX" with what a connection with such a status had sent: for the first
 * few of 5xx.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST_REQUESTS 100
#define MOST_BYTES 200000
#define PIPELINED 4
#define HUNG_SECONDS 15
#define MOST_SHOWN 10

typedef struct Text
{
	char *data;
	size_t length;
} Text;

typedef struct Connection
{
	int socket; /* 0: none */
	Text sent;
	size_t written;
	int requests;
	char *answer;
	size_t length;
	double since;
} Connection;

static const char *const bits[] = {"\r\n", "\n", "%", "%00", "\xff", "../", "=", "&", ";", ":", " ", "\t",
	"chunked", "Content-Length: 99999999999", "Transfer-Encoding: chunked", "-1", "boundary=", "\"",
	"\r\n\r\n", "?", "#", "--bound\r\n", "<script>", "\xc0\x80", "\xed\xa0\x80", "HTTP/1.0", "HEAD "};

static Text good[MOST_REQUESTS];
static int good_count;
static uint64_t random_state;
static unsigned long counted, cut, hung, refused, by_status[1000], shown[1000];

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

/* pick: a number below most (xorshift64*) */
static size_t
pick(size_t most)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (size_t) ((random_state * 0x2545F4914F6CDD1DULL) >> 33) % (most > 0 ? most : 1);
}

static void
read_requests(const char *name)
{
	FILE *in = fopen(name, "r");
	char line[40];

	while (in != NULL && good_count < MOST_REQUESTS && fgets(line, sizeof(line), in) != NULL)
	{
		Text *text = &good[good_count++];

		text->length = strtoul(line, NULL, 10);
		text->data = malloc(text->length);
		if (fread(text->data, 1, text->length, in) != text->length)
			exit(1);
	}
	if (good_count == 0)
		exit(1);
	fclose(in);
}

/* replace: bytes from at on, taken bytes of them, become others, which may be part of the text */
static void
replace(Text *text, size_t at, size_t taken, const char *bytes, size_t length)
{
	char *copy = memcpy(malloc(length + 1), bytes, length);

	if (at + taken > text->length)
		taken = text->length - at;
	if (text->length - taken + length <= MOST_BYTES)
	{
		memmove(text->data + at + length, text->data + at + taken, text->length - at - taken);
		memcpy(text->data + at, copy, length);
		text->length += length - taken;
	}
	free(copy);
}

/* change one thing of the request that begins at start */
static void
change(Text *text, size_t start)
{
	size_t at = start + pick(text->length - start + 1);
	const char *bit = bits[pick(sizeof(bits) / sizeof(bits[0]))];
	char filler[5000];
	char byte = (char) pick(256);
	const char *length;

	switch (pick(8))
	{
		case 0:
			replace(text, at, 1, &byte, 1);
			break;
		case 1:
			replace(text, at, pick(20), "", 0);
			break;
		case 2:
			replace(text, at, 0, bit, strlen(bit));
			break;
		case 3:
			/* What is there already, once more */
			{
				size_t from = start + pick(text->length - start + 1);
				size_t most = text->length - from;

				replace(text, at, 0, text->data + from, pick(most < 60 ? most + 1 : 60));
			}
			break;
		case 4:
			if (pick(3) == 0)
				text->length = at;
			break;
		case 5:
			length = memmem(text->data + start, text->length - start, "Content-Length: ", 16);
			if (length != NULL)
			{
				char number[20];
				size_t digits = strspn(length + 16, "0123456789");

				snprintf(number, sizeof(number), "%zu", pick(3000));
				replace(text, (size_t) (length + 16 - text->data), digits, number, strlen(number));
			}
			break;
		case 6:
			memset(filler, pick(2) ? '0' : 'A', sizeof(filler));
			replace(text, at, 0, filler, pick(4) ? 300 : sizeof(filler));
			break;
		default:
			replace(text, at, 0, "\0", 1);
			break;
	}
}

static void
start(Connection *c, int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t) port)};

	c->sent.length = c->written = c->length = 0;
	c->requests = 1 + (int) pick(PIPELINED);
	for (int i = 0; i < c->requests; i++)
	{
		const Text *model = &good[pick((size_t) good_count)];
		size_t start = c->sent.length;

		replace(&c->sent, start, 0, model->data, model->length);
		for (size_t changes = pick(5); changes > 0; changes--)
			change(&c->sent, start);
	}
	inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
	c->socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	c->since = now();
	connect(c->socket, (struct sockaddr *) &address, sizeof(address));
}

/* finish: counts the answers */
static void
finish(Connection *c)
{
	const char *at = c->answer;
	const char *end = c->answer + c->length;
	int answers = 0;

	while ((at = memmem(at, (size_t) (end - at), "HTTP/1.1 ", 9)) != NULL && end - at > 12)
	{
		unsigned long status = strtoul(at + 9, NULL, 10) % 1000;
		const char *body = memmem(at, (size_t) (end - at), "\r\n\r\n", 4);
		const char *length;

		answers += status >= 200;
		by_status[status]++;
		if (status >= 500 && shown[status]++ < MOST_SHOWN)
		{
			printf("bytes %lu ", status);
			for (size_t i = 0; i < c->sent.length; i++)
				printf("%02x", (unsigned char) c->sent.data[i]);
			putchar('\n');
		}
		if (body == NULL)
			break;
		length = memmem(at, (size_t) (body - at), "Content-Length: ", 16);
		at = body + 4;
		if (length != NULL && strtoul(length + 16, NULL, 10) <= (size_t) (end - at))
			at += strtoul(length + 16, NULL, 10);
	}
	if (answers < c->requests)
		cut++;
	counted += (unsigned long) (answers < c->requests ? answers + 1 : c->requests);
	close(c->socket);
	c->socket = 0;
}

/* proceed: writes and reads what can be; true when the connection has ended */
static int
proceed(Connection *c, short events)
{
	if (events & (POLLOUT | POLLERR) && c->written < c->sent.length)
	{
		ssize_t sent = send(c->socket, c->sent.data + c->written, c->sent.length - c->written, MSG_NOSIGNAL);

		/* Nobody listens to the rest, but there may be an answer */
		c->written = sent < 0 ? c->sent.length : c->written + (size_t) sent;
		if (c->written == c->sent.length)
			shutdown(c->socket, SHUT_WR);
	}
	if (events & (POLLIN | POLLHUP | POLLERR))
	{
		ssize_t got = recv(c->socket, c->answer + c->length, MOST_BYTES - c->length, 0);

		if (got < 0 && errno == ECONNREFUSED)
			refused++;
		if (got <= 0)
			return 1;
		c->length += (size_t) got;
		/* More than anybody looks at */
		if (c->length == MOST_BYTES)
			c->length = MOST_BYTES / 2;
	}
	return 0;
}

int
main(int argc, char **argv)
{
	int port;
	int count;
	double until;
	unsigned long most;
	unsigned long started = 0;
	int open = 0;
	Connection *connections;
	struct pollfd *polls;

	if (argc != 7)
		return 64;
	port = atoi(argv[1]);
	count = atoi(argv[2]);
	until = now() + atof(argv[3]);
	most = strtoul(argv[4], NULL, 10);
	random_state = strtoull(argv[5], NULL, 10) * 2654435769ULL + 1;
	read_requests(argv[6]);
	connections = calloc((size_t) count, sizeof(Connection));
	polls = calloc((size_t) count, sizeof(struct pollfd));
	for (int i = 0; i < count; i++)
	{
		connections[i].sent.data = malloc(MOST_BYTES);
		connections[i].answer = malloc(MOST_BYTES);
	}
	for (;;)
	{
		double t = now();
		int go_on = t < until && counted < most && refused == 0;

		if (!go_on && open == 0)
			break;
		for (int i = 0; i < count; i++)
		{
			Connection *c = &connections[i];

			if (c->socket == 0 && go_on)
			{
				start(c, port);
				started++;
				open++;
			}
			polls[i] = (struct pollfd){.fd = c->socket > 0 ? c->socket : -1,
									   .events = c->written < c->sent.length ? POLLIN | POLLOUT : POLLIN};
		}
		poll(polls, (nfds_t) count, 100);
		for (int i = 0; i < count; i++)
		{
			Connection *c = &connections[i];
			int late = c->socket > 0 && t > c->since + HUNG_SECONDS;

			if (c->socket == 0 || (polls[i].revents == 0 && !late))
				continue;
			if (late || proceed(c, polls[i].revents))
			{
				hung += (unsigned long) late;
				finish(c);
				open--;
			}
		}
	}
	printf("sent %lu\nconnections %lu\ncut %lu\nhung %lu\nrefused %lu\n", counted, started, cut, hung, refused);
	for (int status = 0; status < 1000; status++)
	{
		if (by_status[status] > 0)
			printf("status %d %lu\n", status, by_status[status]);
	}
	return 0;
}
