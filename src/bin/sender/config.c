/*
 * config.c
 *		How the sender is configured: a table of keys, read from a file, the environment and flags.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <glib.h>

#include "config.h"
#include "log.h"

#define USUAL_FILE "/etc/sales_crm/sender.conf"
#define VARIABLE_PREFIX "SALES_CRM_SENDER_"

const ConfigKey config_keys[] = {
	CONFIG_KEY(
		database, CONFIG_TEXT, "", 0, 0, NULL,
		"Where the database is: a connection string or URI of libpq, such as service=crm. What it\n"
		"does not say, PGHOST, PGDATABASE and the other variables do"),
	CONFIG_KEY(worker, CONFIG_TEXT, "", 0, 0, NULL,
			   "The name that the database notes with what it hands out; empty: host and process"),
	CONFIG_KEY(parallel, CONFIG_NUMBER, "20", 1, 1000, NULL, "Deliveries at the same time"),
	CONFIG_KEY(parallel_per_host, CONFIG_NUMBER, "10", 1, 1000, NULL, "Of these, to the same host"),
	CONFIG_KEY(
		lease, CONFIG_SECONDS, "120", 1, 3600, NULL,
		"Seconds after which the database gives a message to another sender when nothing has been\n"
		"heard of this one; it is renewed in time for what takes longer"),
	CONFIG_KEY(drain, CONFIG_SECONDS, "30", 0, 3600, NULL,
			   "Seconds that deliveries have to end after SIGTERM"),
	CONFIG_KEY(poll, CONFIG_SECONDS, "1", 0.05, 60, NULL,
			   "Seconds after which an idle sender looks for messages without being told"),
	CONFIG_KEY(housekeeping, CONFIG_SWITCH, "on", 0, 0, NULL,
			   "Whether housekeeping() is called each minute; off where pg_cron does it"),
	CONFIG_KEY(log_json, CONFIG_SWITCH, "off", 0, 0, NULL, "Log lines as JSON objects"),
	CONFIG_KEY(log_level, CONFIG_TEXT, "info", 0, 0, "error|warning|info|debug",
			   "What is logged at most"),
	CONFIG_KEY(
		smtp_url, CONFIG_TEXT, "", 0, 0, NULL,
		"The mail server that takes e-mails: smtp://host:587, or smtps://host:465 for TLS from the\n"
		"beginning; empty: this sender leaves e-mails to others"),
	CONFIG_KEY(smtp_user, CONFIG_TEXT, "", 0, 0, NULL, "The name to log in with; empty: without"),
	CONFIG_KEY(smtp_password, CONFIG_SECRET, "", 0, 0, NULL, "The password to log in with"),
	CONFIG_KEY(
		smtp_tls, CONFIG_TEXT, "required", 0, 0, "required|when_offered|off",
		"Whether smtp:// goes on without STARTTLS. A password is sent without it only when off"),
	CONFIG_KEY(smtp_ca_file, CONFIG_TEXT, "", 0, 0, NULL,
			   "The issuers of certificates to trust; empty: those of the system"),
	CONFIG_KEY(smtp_helo, CONFIG_TEXT, "", 0, 0, NULL, "The name to greet with; empty: the host's"),
	CONFIG_KEY(smtp_timeout, CONFIG_SECONDS, "60", 1, 3600, NULL,
			   "Seconds that the mail server may take for each answer"),
	CONFIG_KEY(sendmail, CONFIG_TEXT, "", 0, 0, NULL,
			   "A program such as /usr/sbin/sendmail that takes e-mails instead of a mail server"),
	CONFIG_KEY(webhooks, CONFIG_SWITCH, "on", 0, 0, NULL, "Whether this sender delivers webhooks"),
	CONFIG_KEY(
		webhook_allow, CONFIG_TEXT, "", 0, 0, NULL,
		"Hosts, with or without :port, with spaces between, that webhooks may reach by http:// too,\n"
		"and at addresses that are not of the public internet"),
	CONFIG_KEY(
		webhook_proxy, CONFIG_TEXT, "", 0, 0, NULL,
		"A proxy for all webhooks, such as http://proxy:3128; it resolves names itself, so that it\n"
		"has to keep them from addresses that they must not reach. The environment's are not used"),
	CONFIG_KEY(webhook_ca_file, CONFIG_TEXT, "", 0, 0, NULL,
			   "The issuers of certificates to trust; empty: those of the system"),
	CONFIG_KEY(
		webhook_resolve, CONFIG_TEXT, "", 0, 0, NULL,
		"Addresses of hosts that are not asked for elsewhere: host:port:address, with spaces between"),
	CONFIG_KEY(webhook_timeout, CONFIG_SECONDS, "20", 1, 300, NULL,
			   "Seconds that a receiver may take until it has answered"),
	CONFIG_KEY(pdf, CONFIG_SWITCH, "on", 0, 0, NULL,
			   "Whether this sender makes documents, for which it needs WeasyPrint"),
	CONFIG_KEY(pdf_python, CONFIG_TEXT, "/usr/bin/python3", 0, 0, NULL,
			   "The Python that has WeasyPrint"),
	CONFIG_KEY(pdf_timeout, CONFIG_SECONDS, "60", 1, 3600, NULL,
			   "Seconds that a document may take"),
	CONFIG_KEY(pdf_memory, CONFIG_NUMBER, "1024", 64, 65536, NULL,
			   "Megabytes that a document may take"),
	CONFIG_KEY(
		seal_database, CONFIG_TEXT, "", 0, 0, NULL,
		"The NSS database with the key that seals signed documents, such as sql:/etc/sales_crm/seal,\n"
		"without a password and for nobody else to read; empty: they are not sealed"),
	CONFIG_KEY(seal_nickname, CONFIG_TEXT, "", 0, 0, NULL,
			   "The name of the seal's certificate in it"),
	CONFIG_KEY(seal_reason, CONFIG_TEXT, "", 0, 0, NULL, "What the seal gives as its reason"),
	CONFIG_KEY_END,
};

static bool read_environment(Config *config);
static bool read_flags(Config *config, const char *const *flags);
static bool is_consistent(const Config *config);

Config *
config_read(const char *file, const char *const *flags)
{
	Config *config = g_new0(Config, 1);
	const char *named = file != NULL ? file : getenv(VARIABLE_PREFIX "CONFIG");
	bool good = true;

	config_keys_initialize(config_keys, config);
	if (named != NULL)
		good = config_keys_read_file(config_keys, config, named);
	else if (g_file_test(USUAL_FILE, G_FILE_TEST_EXISTS))
		good = config_keys_read_file(config_keys, config, USUAL_FILE);
	good = read_environment(config) && good;
	good = read_flags(config, flags) && good;
	good = good && is_consistent(config);
	if (config->worker == NULL)
		config->worker = g_strdup_printf("%s-%d", g_get_host_name(), (int) getpid());
	if (good)
		return config;
	config_free(config);
	return NULL;
}

void
config_free(Config *config)
{
	while (config != NULL)
	{
		Config *previous = config->previous;

		config_keys_free(config_keys, config);
		g_free(config);
		config = previous;
	}
}

void
config_print_initial(FILE *stream)
{
	fputs(
		"# sales_crm_sender reads this file at its start and at SIGHUP. Each key may also be given\n"
		"# in the environment (" VARIABLE_PREFIX "KEY) or as a flag (--key=value), which wins.\n",
		stream);
	config_keys_print(config_keys, stream);
}

static bool
read_environment(Config *config)
{
	bool good = true;

	for (const ConfigKey *key = config_keys; key->name != NULL; key++)
	{
		char *upper = g_ascii_strup(key->name, -1);
		char *variable = g_strconcat(VARIABLE_PREFIX, upper, NULL);
		char *of_file = g_strconcat(variable, "_FILE", NULL);
		char *name_of_file = g_strconcat(key->name, "_file", NULL);

		if (getenv(variable) != NULL)
			good = config_keys_assign(config_keys, config, variable, key->name, getenv(variable)) &&
				   good;
		if (key->type == CONFIG_SECRET && getenv(of_file) != NULL)
			good =
				config_keys_assign(config_keys, config, of_file, name_of_file, getenv(of_file)) &&
				good;
		g_free(name_of_file);
		g_free(of_file);
		g_free(variable);
		g_free(upper);
	}
	return good;
}

static bool
read_flags(Config *config, const char *const *flags)
{
	bool good = true;

	for (; *flags != NULL; flags++)
	{
		char **pair = g_strsplit(*flags, "=", 2);

		for (char *at = pair[0]; *at != '\0'; at++)
			*at = *at == '-' ? '_' : *at;
		good = config_keys_assign(config_keys, config, "flag", pair[0], pair[1]) && good;
		g_strfreev(pair);
	}
	return good;
}

static bool
is_consistent(const Config *config)
{
	if (config->smtp_url != NULL && config->sendmail != NULL)
		log_error("smtp_url and sendmail exclude each other");
	else if (config->smtp_url != NULL && !g_str_has_prefix(config->smtp_url, "smtp://") &&
			 !g_str_has_prefix(config->smtp_url, "smtps://"))
		log_error("smtp_url is to begin with smtp:// or smtps://");
	else if (config->smtp_url != NULL && strchr(config->smtp_url, '@') != NULL)
		log_error(
			"smtp_url has no room for a name and a password: use smtp_user, smtp_password_file");
	else if (config->smtp_password != NULL && config->smtp_user == NULL)
		log_error("smtp_password needs smtp_user");
	else if ((config->seal_database == NULL) != (config->seal_nickname == NULL))
		log_error("seal_database and seal_nickname need each other");
	else if (config->pdf && config->pdf_python == NULL)
		log_error("pdf needs pdf_python");
	else
		return true;
	return false;
}
