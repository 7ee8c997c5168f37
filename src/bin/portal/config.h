/*
 * config.h
 *		The configuration: a file, read once at the start.
 */
#ifndef PORTAL_CONFIG_H
#define PORTAL_CONFIG_H

#include <stdbool.h>
#include <stdio.h>

#include "network.h"

#define MAX_NETWORKS 32

typedef struct Config
{
	char *listen;		   /* ADDRESS:PORT, [ADDRESS]:PORT or /path of a UNIX socket */
	char *base_url;		   /* what customers' browsers see; checked, it has no slash at its end */
	char *database;		   /* connection string of libpq; NULL: what PG* variables say */
	char *tls_certificate; /* PEM files; NULL: no TLS here */
	char *tls_key;
	char *secret_file;	   /* keeps forms valid over a restart; NULL: they are not */
	char *trusted_proxies; /* as in the file; read by config_check() */
	char *log;			   /* errors, or requests for each request, too */
	int database_connections;
	int connections;
	int connections_per_address;
	int header_seconds;
	int request_seconds;
	int idle_seconds;
	int statement_seconds;
	int drain_seconds;
	int body_bytes;
	int requests_per_minute; /* per address; 0 is without limit, as for the next three */
	int answers_per_minute;
	int token_requests_per_minute;
	int token_answers_per_minute;
	Network trusted[MAX_NETWORKS];
	int trusted_count;
} Config;

/* The defaults */
extern void config_default(Config *config);

/* Reads a file over the defaults; false after lines in the log that say what is wrong where */
extern bool config_read(Config *config, const char *file);

/* Checks what stays now, and reads what has parts; false after lines in the log */
extern bool config_check(Config *config);

/* A file with every name, its default and what it does */
extern void config_print_sample(FILE *out);

/* The base URL begins with https, so that cookies and HSTS can be what they should */
extern bool config_is_secure(const Config *config);

extern void config_free(Config *config);

/* Whether an address lies in one of the trusted networks */
extern bool config_trusts(const Config *config, const struct in6_addr *address);

#endif /* PORTAL_CONFIG_H */
