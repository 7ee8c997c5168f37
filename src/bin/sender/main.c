/*
 * main.c
 *		sales_crm_sender: the way of messages between the database and the world.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "inbound.h"
#include "message.h"

/* No message takes that long; what does, is to come again */
#define SECONDS_PER_RUN 300

static void usage(void);
static void give_up(int signal);

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{"inbound", no_argument, NULL, 'i'},
		{"maildir", required_argument, NULL, 'm'},
		{NULL, 0, NULL, 0},
	};
	const char *maildir = NULL;
	int inbound = 0;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
	{
		switch (option)
		{
			case 'h':
				usage();
				return EX_OK;
			case 'V':
				puts("sales_crm_sender 1.0");
				return EX_OK;
			case 'i':
				inbound = 1;
				break;
			case 'm':
				maildir = optarg;
				break;
			default:
				return EX_USAGE;
		}
	}
	if (!inbound || optind < argc)
	{
		fputs("sales_crm_sender: say what to do: --inbound (see --help)\n", stderr);
		return EX_USAGE;
	}
	message_init();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGALRM, give_up);
	if (maildir != NULL)
		return inbound_maildir(maildir);
	alarm(SECONDS_PER_RUN);
	return inbound_stream();
}

static void
usage(void)
{
	puts(
		"sales_crm_sender files incoming e-mails in a database with the extension sales_crm.\n"
		"\n"
		"  --inbound            file the message from standard input, as an alias of an MTA gives it\n"
		"  --inbound --maildir DIR\n"
		"                       file the messages in DIR/new and move them to DIR/cur\n"
		"  --help, --version\n"
		"\n"
		"The database is the one that PGHOST, PGPORT, PGDATABASE, PGUSER and the other variables of\n"
		"libpq name. The exit status is 0 when the message is filed, 64 for wrong options, 66 for no\n"
		"message, and 75 (try again later) when the database is away or refuses.");
}

static void
give_up(int signal)
{
	(void) signal;
	_exit(EX_TEMPFAIL);
}
