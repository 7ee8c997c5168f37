/*
 * config.c
 *		How the sender is configured: a table of keys, read from a file, the environment and flags.
 *
 * A file has lines "key = value", and comments that begin with #. A secret may stand in a file of
 * its own, which the key with _file behind it names: systemd's LoadCredential= makes such files.
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

#define KEY(name, type, initial, least, most, choices, comment)                     \
	{                                                                               \
#name, type, offsetof(Config, name), initial, least, most, choices, comment \
	}

const ConfigKey config_keys[] = {
	KEY(database, CONFIG_TEXT, "", 0, 0, NULL,
		"Where the database is: a connection string or URI of libpq, such as service=crm. What it\n"
		"does not say, PGHOST, PGDATABASE and the other variables do"),
	KEY(worker, CONFIG_TEXT, "", 0, 0, NULL,
		"The name that the database notes with what it hands out; empty: host and process"),
	KEY(parallel, CONFIG_NUMBER, "20", 1, 1000, NULL, "Deliveries at the same time"),
	KEY(parallel_per_host, CONFIG_NUMBER, "10", 1, 1000, NULL, "Of these, to the same host"),
	KEY(lease, CONFIG_SECONDS, "120", 1, 3600, NULL,
		"Seconds after which the database gives a message to another sender when nothing has been\n"
		"heard of this one; it is renewed in time for what takes longer"),
	KEY(drain, CONFIG_SECONDS, "30", 0, 3600, NULL,
		"Seconds that deliveries have to end after SIGTERM"),
	KEY(poll, CONFIG_SECONDS, "1", 0.05, 60, NULL,
		"Seconds after which an idle sender looks for messages without being told"),
	KEY(housekeeping, CONFIG_SWITCH, "on", 0, 0, NULL,
		"Whether housekeeping() is called each minute; off where pg_cron does it"),
	KEY(log_json, CONFIG_SWITCH, "off", 0, 0, NULL, "Log lines as JSON objects"),
	KEY(log_level, CONFIG_TEXT, "info", 0, 0, "error|warning|info|debug", "What is logged at most"),
	KEY(smtp_url, CONFIG_TEXT, "", 0, 0, NULL,
		"The mail server that takes e-mails: smtp://host:587, or smtps://host:465 for TLS from the\n"
		"beginning; empty: this sender leaves e-mails to others"),
	KEY(smtp_user, CONFIG_TEXT, "", 0, 0, NULL, "The name to log in with; empty: without"),
	KEY(smtp_password, CONFIG_SECRET, "", 0, 0, NULL, "The password to log in with"),
	KEY(smtp_tls, CONFIG_TEXT, "required", 0, 0, "required|when_offered|off",
		"Whether smtp:// goes on without STARTTLS. A password is sent without it only when off"),
	KEY(smtp_ca_file, CONFIG_TEXT, "", 0, 0, NULL,
		"The issuers of certificates to trust; empty: those of the system"),
	KEY(smtp_helo, CONFIG_TEXT, "", 0, 0, NULL, "The name to greet with; empty: the host's"),
	KEY(smtp_timeout, CONFIG_SECONDS, "60", 1, 3600, NULL,
		"Seconds that the mail server may take for each answer"),
	KEY(sendmail, CONFIG_TEXT, "", 0, 0, NULL,
		"A program such as /usr/sbin/sendmail that takes e-mails instead of a mail server"),
	KEY(webhooks, CONFIG_SWITCH, "on", 0, 0, NULL, "Whether this sender delivers webhooks"),
	KEY(webhook_allow, CONFIG_TEXT, "", 0, 0, NULL,
		"Hosts, with or without :port, with spaces between, that webhooks may reach by http:// too,\n"
		"and at addresses that are not of the public internet"),
	KEY(webhook_proxy, CONFIG_TEXT, "", 0, 0, NULL,
		"A proxy for all webhooks, such as http://proxy:3128; it resolves names itself, so that it\n"
		"has to keep them from addresses that they must not reach. The environment's are not used"),
	KEY(webhook_ca_file, CONFIG_TEXT, "", 0, 0, NULL,
		"The issuers of certificates to trust; empty: those of the system"),
	KEY(webhook_resolve, CONFIG_TEXT, "", 0, 0, NULL,
		"Addresses of hosts that are not asked for elsewhere: host:port:address, with spaces between"),
	KEY(webhook_timeout, CONFIG_SECONDS, "20", 1, 300, NULL,
		"Seconds that a receiver may take until it has answered"),
	KEY(pdf, CONFIG_SWITCH, "on", 0, 0, NULL,
		"Whether this sender makes documents, for which it needs WeasyPrint"),
	KEY(pdf_python, CONFIG_TEXT, "/usr/bin/python3", 0, 0, NULL, "The Python that has WeasyPrint"),
	KEY(pdf_timeout, CONFIG_SECONDS, "60", 1, 3600, NULL, "Seconds that a document may take"),
	KEY(pdf_memory, CONFIG_NUMBER, "1024", 64, 65536, NULL, "Megabytes that a document may take"),
	KEY(seal_database, CONFIG_TEXT, "", 0, 0, NULL,
		"The NSS database with the key that seals signed documents, such as sql:/etc/sales_crm/seal,\n"
		"without a password and for nobody else to read; empty: they are not sealed"),
	KEY(seal_nickname, CONFIG_TEXT, "", 0, 0, NULL, "The name of the seal's certificate in it"),
	KEY(seal_reason, CONFIG_TEXT, "", 0, 0, NULL, "What the seal gives as its reason"),
	{NULL, CONFIG_TEXT, 0, NULL, 0, 0, NULL, NULL},
};

static bool read_file(Config *config, const char *path);
static bool read_line(Config *config, const char *path, int number, char *line);
static bool read_environment(Config *config);
static bool read_flags(Config *config, const char *const *flags);
static bool is_consistent(const Config *config);
static bool assign_named(Config *config, const char *where, const char *name, const char *value);
static bool assign(Config *config, const char *where, const ConfigKey *key, const char *value);
static bool
assign_secret_file(Config *config, const char *where, const ConfigKey *key, const char *path);
static void *field(Config *config, const ConfigKey *key);

Config *
config_read(const char *file, const char *const *flags)
{
	Config *config = g_new0(Config, 1);
	const char *named = file != NULL ? file : getenv(VARIABLE_PREFIX "CONFIG");
	bool good = true;

	for (const ConfigKey *key = config_keys; key->name != NULL; key++)
		assign(config, "initial value", key, key->initial);
	if (named != NULL)
		good = read_file(config, named);
	else if (g_file_test(USUAL_FILE, G_FILE_TEST_EXISTS))
		good = read_file(config, USUAL_FILE);
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

		for (const ConfigKey *key = config_keys; key->name != NULL; key++)
		{
			if (key->type == CONFIG_TEXT || key->type == CONFIG_SECRET)
				g_free(*(char **) field(config, key));
		}
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
	for (const ConfigKey *key = config_keys; key->name != NULL; key++)
	{
		char **lines = g_strsplit(key->comment, "\n", 0);

		fputc('\n', stream);
		for (int i = 0; lines[i] != NULL; i++)
			fprintf(stream, "# %s%s\n", lines[i], lines[i + 1] == NULL ? "." : "");
		if (key->choices != NULL)
			fprintf(stream, "# One of: %s.\n", key->choices);
		if (key->type == CONFIG_SECRET)
			fprintf(stream, "# Better: a file that nobody else can read.\n#%s_file =\n", key->name);
		fprintf(stream, "#%s = %s\n", key->name, key->initial);
		g_strfreev(lines);
	}
}

static bool
read_file(Config *config, const char *path)
{
	char *content = NULL;
	GError *error = NULL;
	char **lines;
	bool good = true;

	if (!g_file_get_contents(path, &content, NULL, &error))
	{
		log_error("cannot read the configuration: %s", error->message);
		g_error_free(error);
		return false;
	}
	lines = g_strsplit(content, "\n", 0);
	for (int i = 0; lines[i] != NULL; i++)
		good = read_line(config, path, i + 1, lines[i]) && good;
	g_strfreev(lines);
	g_free(content);
	return good;
}

static bool
read_line(Config *config, const char *path, int number, char *line)
{
	char *where = g_strdup_printf("%s, line %d", path, number);
	char *sign;
	bool good = true;

	g_strstrip(line);
	if (line[0] != '\0' && line[0] != '#')
	{
		sign = strchr(line, '=');
		if (sign == NULL)
		{
			log_error("%s: expected key = value", where);
			good = false;
		}
		else
		{
			*sign = '\0';
			good = assign_named(config, where, g_strchomp(line), g_strchug(sign + 1));
		}
	}
	g_free(where);
	return good;
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

		if (getenv(variable) != NULL)
			good = assign(config, variable, key, getenv(variable)) && good;
		if (key->type == CONFIG_SECRET && getenv(of_file) != NULL)
			good = assign_secret_file(config, of_file, key, getenv(of_file)) && good;
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
		good = assign_named(config, "flag", pair[0], pair[1]) && good;
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

static bool
assign_named(Config *config, const char *where, const char *name, const char *value)
{
	for (const ConfigKey *key = config_keys; key->name != NULL; key++)
	{
		size_t length = strlen(key->name);

		if (strcmp(name, key->name) == 0)
			return assign(config, where, key, value);
		if (key->type == CONFIG_SECRET && strncmp(name, key->name, length) == 0 &&
			strcmp(name + length, "_file") == 0)
			return assign_secret_file(config, where, key, value);
	}
	log_error("%s: no key is named \"%s\": see --init-config", where, name);
	return false;
}

static bool
assign(Config *config, const char *where, const ConfigKey *key, const char *value)
{
	void *target = field(config, key);
	double number = 0;
	char *end = NULL;

	if (key->type == CONFIG_NUMBER || key->type == CONFIG_SECONDS)
	{
		errno = 0;
		number = g_ascii_strtod(value, &end);
		if (value[0] == '\0' || *end != '\0' || errno != 0 || !(number >= key->least) ||
			!(number <= key->most) ||
			(key->type == CONFIG_NUMBER && number != (double) (int) number))
		{
			log_error("%s: %s is to be a number from %g to %g", where, key->name, key->least,
					  key->most);
			return false;
		}
		if (key->type == CONFIG_NUMBER)
			*(int *) target = (int) number;
		else
			*(double *) target = number;
		return true;
	}
	if (key->type == CONFIG_SWITCH)
	{
		*(bool *) target = strcmp(value, "on") == 0;
		if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
			log_error("%s: %s is to be on or off", where, key->name);
		return strcmp(value, "on") == 0 || strcmp(value, "off") == 0;
	}
	if (key->choices != NULL)
	{
		char **choices = g_strsplit(key->choices, "|", 0);
		bool known = g_strv_contains((const char *const *) choices, value);

		g_strfreev(choices);
		if (!known)
		{
			log_error("%s: %s is to be one of %s", where, key->name, key->choices);
			return false;
		}
	}
	g_free(*(char **) target);
	*(char **) target = value[0] == '\0' ? NULL : g_strdup(value);
	return true;
}

static bool
assign_secret_file(Config *config, const char *where, const ConfigKey *key, const char *path)
{
	char *content = NULL;
	GError *error = NULL;
	bool good;

	if (!g_file_get_contents(path, &content, NULL, &error))
	{
		log_error("%s: %s_file: %s", where, key->name, error->message);
		g_error_free(error);
		return false;
	}
	content[strcspn(content, "\r\n")] = '\0';
	good = assign(config, where, key, content);
	g_free(content);
	return good;
}

static void *
field(Config *config, const ConfigKey *key)
{
	return (char *) config + key->offset;
}
