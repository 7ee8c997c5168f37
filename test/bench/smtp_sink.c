/*
 * smtp_sink.c
 *		A mail server for the bench: takes everything at once, and keeps nothing but when it came.
 *
 * Usage: smtp_sink PORT_FILE LOG MILLISECONDS	until it is killed. It waits that long before it
 * answers an e-mail, as one does that writes to a disk. LOG gets a line per e-mail, when DATA has
 * come: the time in seconds and the local part of the recipient.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static FILE *log_file;
static struct timespec answer_pause;

static void
say(FILE *to, const char *text)
{
	fputs(text, to);
	fflush(to);
}

static void
note(const char *recipient)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	fprintf(log_file, "%ld.%06ld %s\n", (long) now.tv_sec, now.tv_nsec / 1000, recipient);
}

static void
take_content(FILE *from, FILE *to, char **line, size_t *size)
{
	say(to, "354 go on\r\n");
	while (getline(line, size, from) > 0 && strcmp(*line, ".\r\n") != 0)
		continue;
	nanosleep(&answer_pause, NULL);
	say(to, "250 2.0.0 taken\r\n");
}

static void *
serve(void *context)
{
	int socket = (int) (long) context;
	FILE *from = fdopen(socket, "r");
	FILE *to = fdopen(dup(socket), "w");
	char recipient[100] = "";
	char *line = NULL;
	size_t size = 0;

	say(to, "220 sink ESMTP\r\n");
	while (getline(&line, &size, from) > 0 && strncasecmp(line, "QUIT", 4) != 0)
	{
		sscanf(line, "RCPT TO:<%99[^@]", recipient);
		if (strncasecmp(line, "DATA", 4) == 0)
		{
			note(recipient);
			take_content(from, to, &line, &size);
		}
		else
			say(to, "250 ok\r\n");
	}
	free(line);
	fclose(from);
	fclose(to);
	return NULL;
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
