/*
 * config.h
 *		How the sender is configured: a table of keys, read from a file, the environment and flags.
 */
#ifndef SCRM_CONFIG_H
#define SCRM_CONFIG_H

#include <stdbool.h>
#include <stdio.h>

#include "../common/config_key.h"

typedef struct Config Config;

struct Config
{
	Config *previous; /* which deliveries that began before a reload still read */

	char *database;
	char *worker;
	int parallel;
	int parallel_per_host;
	double lease;
	double drain;
	double poll;
	bool housekeeping;
	bool log_json;
	char *log_level;

	char *smtp_url;
	char *smtp_user;
	char *smtp_password;
	char *smtp_tls;
	char *smtp_ca_file;
	char *smtp_helo;
	double smtp_timeout;
	char *sendmail;

	bool webhooks;
	char *webhook_allow;
	char *webhook_proxy;
	char *webhook_ca_file;
	char *webhook_resolve;
	double webhook_timeout;

	bool pdf;
	char *pdf_python;
	double pdf_timeout;
	int pdf_memory;
	char *seal_database;
	char *seal_nickname;
	char *seal_reason;
};

/* In the file; --with-dashes as flags; SALES_CRM_SENDER_NAME in the environment */
extern const ConfigKey config_keys[];

/*
 * Reads the configuration: the file (NULL: the one of SALES_CRM_SENDER_CONFIG, else the usual one
 * where it exists), then the environment, then flags, "key=value" each, up to NULL. Returns NULL
 * after lines that say what is wrong.
 */
extern Config *config_read(const char *file, const char *const *flags);

extern void config_free(Config *config);

/* Prints a configuration file with every key, its meaning and its initial value */
extern void config_print_initial(FILE *stream);

#endif /* SCRM_CONFIG_H */
