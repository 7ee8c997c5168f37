/*
 * main.c
 *		sales_crm_portal: the page on which a customer reads a quote and answers it.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "asset.h"
#include "config.h"
#include "limit.h"
#include "log.h"
#include "pool.h"
#include "server.h"
#include "session.h"

static void usage(void);
static int check(const Config *config);
static int serve(const Config *config);

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{"help", no_argument, NULL, 'h'},		  {"version", no_argument, NULL, 'V'},
		{"config", required_argument, NULL, 'c'}, {"check", no_argument, NULL, 'k'},
		{"init-config", no_argument, NULL, 'i'},  {NULL, 0, NULL, 0},
	};
	Config config;
	bool only_check = false;
	int option;
	int status = EX_CONFIG;

	config_default(&config);
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
	{
		switch (option)
		{
			case 'h':
				usage();
				return EX_OK;
			case 'V':
				puts("sales_crm_portal 1.0");
				return EX_OK;
			case 'i':
				config_print_sample(stdout);
				return EX_OK;
			case 'c':
				if (!config_read(&config, optarg))
					return EX_CONFIG;
				break;
			case 'k':
				only_check = true;
				break;
			default:
				return EX_USAGE;
		}
	}
	if (optind < argc)
	{
		log_error("%s is no option (see --help)", argv[optind]);
		return EX_USAGE;
	}
	if (config_check(&config))
		status = only_check ? check(&config) : serve(&config);
	config_free(&config);
	return status;
}

static void
usage(void)
{
	puts(
		"sales_crm_portal serves the pages on which customers read, sign or decline quotes that a\n"
		"database with the extension sales_crm has sent.\n"
		"\n"
		"  --config FILE        read settings from FILE; without it all have their defaults\n"
		"  --init-config        print a file with every setting, its default and what it does\n"
		"  --check              check settings, database and rights, and end\n"
		"  --help, --version\n"
		"\n"
		"SIGTERM and SIGINT end it when requests under way are answered. The exit status is 0 then, 64\n"
		"for wrong options, 78 for wrong settings, 71 when it cannot listen, and for --check 69 when the\n"
		"database is away or the login's rights are wrong.");
}

static int
check(const Config *config)
{
	char *problem = pool_check(config);

	if (problem == NULL)
	{
		puts("sales_crm_portal: settings, database and rights are good");
		return EX_OK;
	}
	log_error("%s", problem);
	free(problem);
	return EX_UNAVAILABLE;
}

static int
serve(const Config *config)
{
	sigset_t signals;
	int signal_number;

	/* Before there are threads, so that all of them leave these to this one */
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);

	if (!session_start(config->secret_file))
		return EX_CONFIG;
	log_start(strcmp(config->log, "requests") == 0);
	asset_start();
	limit_start(config);
	pool_start(config);
	if (!server_start(config))
		return EX_OSERR;
	fprintf(stderr, "sales_crm_portal: serves %s\n", config->base_url);
	sigwait(&signals, &signal_number);
	server_stop();
	pool_stop();
	limit_stop();
	return EX_OK;
}
