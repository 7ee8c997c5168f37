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

#include <glib.h>

#include "bounce.h"
#include "check.h"
#include "config.h"
#include "inbound.h"
#include "log.h"
#include "loop.h"
#include "message.h"
#include "pdf.h"

/* No incoming message takes that long; what does, is to come again */
#define SECONDS_PER_RUN 300

/* What to do; the values of other options begin behind these */
typedef enum Action
{
	ACTION_RUN,
	ACTION_ONCE,
	ACTION_CHECK,
	ACTION_INIT_CONFIG,
	ACTION_INBOUND,
	ACTION_BOUNCE,
	ACTION_RENDER,
	ACTION_HELP,
	ACTION_VERSION,
	OPTION_CONFIG,
	OPTION_MAILDIR,
	OPTION_KEY,
	OPTION_SECRET_FILE,
} Action;

static const struct option fixed_options[] = {
	{"once", no_argument, NULL, ACTION_ONCE},
	{"check", no_argument, NULL, ACTION_CHECK},
	{"init-config", no_argument, NULL, ACTION_INIT_CONFIG},
	{"inbound", no_argument, NULL, ACTION_INBOUND},
	{"bounce", no_argument, NULL, ACTION_BOUNCE},
	{"render", required_argument, NULL, ACTION_RENDER},
	{"help", no_argument, NULL, ACTION_HELP},
	{"version", no_argument, NULL, ACTION_VERSION},
	{"config", required_argument, NULL, OPTION_CONFIG},
	{"maildir", required_argument, NULL, OPTION_MAILDIR},
};

static const char *config_file = NULL;
static const char *maildir = NULL;
static const char *quote_id = NULL;
static GPtrArray *flags; /* of "key=value" */

static GArray *make_options(void);
static bool read_options(int argc, char **argv, Action *action);
static bool gives_secret(int argc, char **argv);
static Config *reload(void);
static int run(Action action);
static int render(Config *config);
static int take_incoming(InboundTaker take);
static void usage(void);
static void give_up(int signal);

int
main(int argc, char **argv)
{
	Action action = ACTION_RUN;
	int status = EX_OK;

	flags = g_ptr_array_new_with_free_func(g_free);
	if (!read_options(argc, argv, &action))
		status = EX_USAGE;
	else if (action == ACTION_HELP)
		usage();
	else if (action == ACTION_VERSION)
		puts("sales_crm_sender 1.0");
	else if (action == ACTION_INIT_CONFIG)
		config_print_initial(stdout);
	else if (action == ACTION_INBOUND)
		status = take_incoming(inbound_take_email);
	else if (action == ACTION_BOUNCE)
		status = take_incoming(bounce_take);
	else
		status = run(action);
	g_ptr_array_unref(flags);
	return status;
}

static bool
read_options(int argc, char **argv, Action *action)
{
	GArray *options = make_options();
	const struct option *all = (const struct option *) (void *) options->data;
	bool good = true;
	int option;
	int at = 0;

	if (gives_secret(argc, argv))
		good = false;
	while (good && (option = getopt_long(argc, argv, "", all, &at)) != -1)
	{
		switch (option)
		{
			case '?':
				good = false;
				break;
			case OPTION_CONFIG:
				config_file = optarg;
				break;
			case OPTION_MAILDIR:
				maildir = optarg;
				break;
			case OPTION_KEY:
			case OPTION_SECRET_FILE:
				g_ptr_array_add(flags, g_strdup_printf("%s=%s", all[at].name, optarg));
				break;
			default:
				if (*action != ACTION_RUN && *action != (Action) option)
				{
					fputs("sales_crm_sender: one thing at a time, please (see --help)\n", stderr);
					good = false;
				}
				*action = (Action) option;
				if (*action == ACTION_RENDER)
					quote_id = optarg;
		}
	}
	g_ptr_array_add(flags, NULL);
	if (good && optind < argc)
	{
		fprintf(stderr, "sales_crm_sender: \"%s\" is not an option (see --help)\n", argv[optind]);
		good = false;
	}
	for (guint i = G_N_ELEMENTS(fixed_options); i < options->len; i++)
		g_free((char *) all[i].name);
	g_array_unref(options);
	return good;
}

/* make_options adds one per key of the configuration. */
static GArray *
make_options(void)
{
	GArray *options = g_array_new(TRUE, TRUE, sizeof(struct option));

	g_array_append_vals(options, fixed_options, G_N_ELEMENTS(fixed_options));
	for (const ConfigKey *key = config_keys; key->name != NULL; key++)
	{
		struct option option = {g_strdelimit(g_strdup(key->name), "_", '-'), required_argument,
								NULL, OPTION_KEY};

		/* Everybody may see the arguments of a process: a secret is none of them */
		if (key->type == CONFIG_SECRET)
		{
			char *of_file = g_strconcat(option.name, "-file", NULL);

			g_free((char *) option.name);
			option.name = of_file;
			option.val = OPTION_SECRET_FILE;
		}
		g_array_append_val(options, option);
	}
	return options;
}

/* gives_secret: getopt_long() would take the name of a secret for that of its file, cut short. */
static bool
gives_secret(int argc, char **argv)
{
	for (const ConfigKey *key = config_keys; key->name != NULL; key++)
	{
		char *flag = g_strdelimit(g_strconcat("--", key->name, NULL), "_", '-');
		bool given = false;

		for (int i = 1; i < argc && key->type == CONFIG_SECRET; i++)
			given = given || (g_str_has_prefix(argv[i], flag) &&
							  (argv[i][strlen(flag)] == '\0' || argv[i][strlen(flag)] == '='));
		if (given)
			fprintf(stderr, "sales_crm_sender: everybody can read arguments: use %s-file\n", flag);
		g_free(flag);
		if (given)
			return true;
	}
	return false;
}

static Config *
reload(void)
{
	return config_read(config_file, (const char *const *) flags->pdata);
}

static int
run(Action action)
{
	Config *config = reload();

	if (config == NULL)
		return EX_CONFIG;
	log_configure(config->log_json, log_level_named(config->log_level));
	message_init();
	if (action == ACTION_CHECK)
		return check_all(config);
	if (action == ACTION_RENDER)
		return render(config);
	return loop_run(config, action == ACTION_ONCE, reload);
}

static int
render(Config *config)
{
	int status = pdf_render_quote(config, quote_id);

	config_free(config);
	return status;
}

static int
take_incoming(InboundTaker take)
{
	message_init();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGALRM, give_up);
	if (maildir != NULL)
		return inbound_maildir(take, maildir);
	alarm(SECONDS_PER_RUN);
	return inbound_stream(take);
}

static void
usage(void)
{
	puts(
		"sales_crm_sender delivers the messages of a database with the extension sales_crm, and\n"
		"files incoming e-mails in it.\n"
		"\n"
		"  (nothing)            deliver messages until SIGTERM; SIGHUP reads the configuration again\n"
		"  --once               deliver what is ready, and end\n"
		"  --check              try all that delivering needs, say what is wrong, deliver nothing\n"
		"  --init-config        print a configuration file with every key and its meaning\n"
		"  --inbound            file the message from standard input, as an alias of an MTA gives it\n"
		"  --inbound --maildir DIR\n"
		"                       file the messages in DIR/new and move them to DIR/cur\n"
		"  --bounce             note what a delivery status notification from standard input says\n"
		"  --bounce --maildir DIR\n"
		"                       the same with those in DIR/new\n"
		"  --render QUOTE       write the document of a quote, by its quote_id, to standard output\n"
		"  --help, --version\n"
		"\n"
		"  --config FILE        the configuration; else that of SALES_CRM_SENDER_CONFIG, else\n"
		"                       /etc/sales_crm/sender.conf\n"
		"  --KEY VALUE          a key of the configuration, such as --smtp-url smtp://localhost:25\n"
		"\n"
		"The database is the one of the key database; what that leaves open, PGHOST, PGPORT,\n"
		"PGDATABASE, PGUSER and the other variables of libpq say. The exit status is 0 when all went\n"
		"well, 64 for wrong options, 66 for no message, 69 when --check found something, 78 for a\n"
		"wrong configuration, and 75 (try again later) when the database is away or refuses.");
}

static void
give_up(int signal)
{
	(void) signal;
	_exit(EX_TEMPFAIL);
}
