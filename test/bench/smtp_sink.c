/*
 * smtp_sink.c
 *		A mail server for the bench: takes everything at once, and keeps nothing but when it came.
 *
 * Usage: smtp_sink PORT_FILE LOG MILLISECONDS	until it is killed. It waits that long before it
 * answers an e-mail, as one does that writes to a disk. LOG gets a line per e-mail, when DATA has
 * come: the time in seconds and the local part of the recipient.
 *
 * It takes commands in one go (PIPELINING), and the e-mail with them (CHUNKING), as most servers do, and
 * then answers in one go, too. One that is called smtp_sink_alone does not say so.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static FILE *log_file;
static struct timespec answer_pause;
static bool takes_pipelining;

/* Who sends e-mails: what has come of them, and what they are to hear */
typedef struct Peer
{
	int socket;
	char come[65536];
	size_t begin;
	size_t end;
	char answer[1024];
	size_t length;
} Peer;

static void
say(Peer *peer, const char *text)
{
	size_t length = strlen(text);

	memcpy(peer->answer + peer->length, text, length);
	peer->length += length;
}

/* receive says what is to be said, and waits for more; false at the end, and for a line without end. */
static bool
receive(Peer *peer)
{
	ssize_t length;

	memmove(peer->come, peer->come + peer->begin, peer->end - peer->begin);
	peer->end -= peer->begin;
	peer->begin = 0;
	if (peer->length > 0 && write(peer->socket, peer->answer, peer->length) < 0)
		return false;
	peer->length = 0;
	length = read(peer->socket, peer->come + peer->end, sizeof(peer->come) - 1 - peer->end);
	peer->end += length > 0 ? (size_t) length : 0;
	return length > 0;
}

/* next_line returns a line that ends with LF, valid until the next call; NULL at the end. */
static const char *
next_line(Peer *peer)
{
	const char *line;
	char *stop;

	while ((stop = memchr(peer->come + peer->begin, '\n', peer->end - peer->begin)) == NULL ||
		   peer->length > sizeof(peer->answer) / 2)
	{
		if (!receive(peer))
			return NULL;
	}
	line = peer->come + peer->begin;
	peer->begin = (size_t) (stop + 1 - peer->come);
	return line;
}

static void
note(const char *recipient)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	fprintf(log_file, "%ld.%06ld %s\n", (long) now.tv_sec, now.tv_nsec / 1000, recipient);
}

static void
take_content(Peer *peer)
{
	const char *line;

	say(peer, "354 go on\r\n");
	while ((line = next_line(peer)) != NULL && strncmp(line, ".\r\n", 3) != 0)
		continue;
	if (answer_pause.tv_nsec > 0)
		nanosleep(&answer_pause, NULL);
	say(peer, "250 2.0.0 taken\r\n");
}

/* take_chunk takes as many bytes as BDAT tells. */
static void
take_chunk(Peer *peer, size_t left)
{
	bool is_there = true;

	while (left > 0 && is_there)
	{
		size_t length = peer->end - peer->begin < left ? peer->end - peer->begin : left;

		peer->begin += length;
		left -= length;
		is_there = left == 0 || receive(peer);
	}
	if (answer_pause.tv_nsec > 0)
		nanosleep(&answer_pause, NULL);
	say(peer, "250 2.0.0 taken\r\n");
}

static void *
serve(void *context)
{
	Peer *peer = calloc(1, sizeof(Peer));
	char recipient[100] = "";
	const char *line;

	peer->socket = (int) (long) context;
	say(peer, "220 sink ESMTP\r\n");
	while ((line = next_line(peer)) != NULL && strncasecmp(line, "QUIT", 4) != 0)
	{
		sscanf(line, "RCPT TO:<%99[^@]", recipient);
		if (strncasecmp(line, "EHLO", 4) == 0)
			say(peer, takes_pipelining ? "250-sink\r\n250-PIPELINING\r\n250 CHUNKING\r\n" : "250 sink\r\n");
		else if (strncasecmp(line, "DATA", 4) == 0)
		{
			note(recipient);
			take_content(peer);
		}
		else if (strncasecmp(line, "BDAT ", 5) == 0)
		{
			note(recipient);
			take_chunk(peer, strtoul(line + 5, NULL, 10));
		}
		else
			say(peer, "250 ok\r\n");
	}
	close(peer->socket);
	free(peer);
	return NULL;
}

/* ended: quietly, where a signal would have the shell tell of it. */
static void
ended(int number)
{
	(void) number;
	_exit(0);
}

int
main(int argc, char **argv)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	int one = 1;
	FILE *port_file;

	if (argc != 4 || bind(listener, (struct sockaddr *) &address, length) != 0 ||
		listen(listener, 100) != 0 || (log_file = fopen(argv[2], "w")) == NULL ||
		(port_file = fopen(argv[1], "w")) == NULL)
		return 1;
	signal(SIGTERM, ended);
	takes_pipelining = strstr(argv[0], "alone") == NULL;
	answer_pause.tv_nsec = atol(argv[3]) * 1000000;
	setvbuf(log_file, NULL, _IOLBF, 0);
	getsockname(listener, (struct sockaddr *) &address, &length);
	fprintf(port_file, "%d\n", ntohs(address.sin_port));
	fclose(port_file);
	for (;;)
	{
		pthread_t thread;
		int socket = accept(listener, NULL, NULL);

		if (socket < 0)
			continue;
		setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (pthread_create(&thread, NULL, serve, (void *) (long) socket) == 0)
			pthread_detach(thread);
	}
}
