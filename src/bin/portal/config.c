/*
 * config.c
 *		The configuration: a table of keys tells initial values, bounds and what each is for.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "../common/config_key.h"
#include "buffer.h"
#include "config.h"
#include "log.h"

static const ConfigKey keys[] = {
	CONFIG_KEY(
		listen, CONFIG_TEXT, "127.0.0.1:8080", 0, 0, NULL,
		"Where to listen: ADDRESS:PORT, [ADDRESS]:PORT, or the /path of a UNIX socket. Sockets that\n"
		"systemd hands over go before"),
	CONFIG_KEY(
		base_url, CONFIG_TEXT, "http://127.0.0.1:8080", 0, 0, NULL,
		"What customers' browsers see; the same as portal_url of sales_crm.company. With https\n"
		"cookies are __Host- ones and HSTS is sent"),
	CONFIG_KEY(
		database, CONFIG_TEXT, "dbname=crm user=portal", 0, 0, NULL,
		"Connection string of libpq for a login that is a member of sales_crm_portal and of nothing else"),
	CONFIG_KEY(database_connections, CONFIG_NUMBER, "8", 1, 200, NULL,
			   "Connections to the database, opened when needed"),
	CONFIG_KEY(statement_seconds, CONFIG_NUMBER, "10", 1, 300, NULL,
			   "What takes the database longer is given up, with a page that says so"),
	CONFIG_KEY(
		trusted_proxies, CONFIG_TEXT, "127.0.0.1 ::1", 0, 0, NULL,
		"Proxies whose X-Forwarded-For is believed: addresses or networks. A UNIX socket is trusted"),
	CONFIG_KEY(tls_certificate, CONFIG_TEXT, "", 0, 0, NULL, "PEM files, where no proxy does TLS"),
	CONFIG_KEY(tls_key, CONFIG_TEXT, "", 0, 0, NULL, NULL),
	CONFIG_KEY(secret_file, CONFIG_TEXT, "", 0, 0, NULL,
			   "Keeps open forms valid when the portal restarts; made where it does not exist"),
	CONFIG_KEY(
		connections, CONFIG_NUMBER, "500", 1, 10000, NULL,
		"Connections at a time, in all and from one address that is no trusted proxy (0: no limit)"),
	CONFIG_KEY(connections_per_address, CONFIG_NUMBER, "20", 0, 10000, NULL, NULL),
	CONFIG_KEY(
		header_seconds, CONFIG_NUMBER, "10", 1, 300, NULL,
		"Seconds that a client has for the head of a request, for all of it with its answer, and to\n"
		"keep a connection without a request"),
	CONFIG_KEY(request_seconds, CONFIG_NUMBER, "60", 1, 3600, NULL, NULL),
	CONFIG_KEY(idle_seconds, CONFIG_NUMBER, "65", 1, 3600, NULL, NULL),
	CONFIG_KEY(drain_seconds, CONFIG_NUMBER, "30", 0, 3600, NULL,
			   "How long SIGTERM waits for requests under way"),
	CONFIG_KEY(body_bytes, CONFIG_NUMBER, "1500000", 10000, 20000000, NULL,
			   "The largest body of a request: a drawn signature is in it"),
	CONFIG_KEY(
		requests_per_minute, CONFIG_NUMBER, "240", 0, 1000000, NULL,
		"Requests and answers a minute from one address (IPv6: one /64), then for one link; 0: no limit"),
	CONFIG_KEY(answers_per_minute, CONFIG_NUMBER, "20", 0, 1000000, NULL, NULL),
	CONFIG_KEY(token_requests_per_minute, CONFIG_NUMBER, "240", 0, 1000000, NULL, NULL),
	CONFIG_KEY(token_answers_per_minute, CONFIG_NUMBER, "20", 0, 1000000, NULL, NULL),
	CONFIG_KEY(log, CONFIG_TEXT, "errors", 0, 0, "errors|requests",
			   "What goes to standard error: errors, or requests for a line per request, too"),
	CONFIG_KEY_END,
};

static void drop_slash(char *url);
static bool read_networks(Config *config);

void
config_default(Config *config)
{
	*config = (Config){0};
	config_keys_initialize(keys, config);
}

bool
config_read(Config *config, const char *file)
{
	return config_keys_read_file(keys, config, file);
}

bool
config_check(Config *config)
{
	const char *host;
	bool good = true;

	drop_slash(config->base_url);
	host = config->base_url == NULL ? NULL : strstr(config->base_url, "://");
	if (host == NULL || host[3] == '\0' || strpbrk(host + 3, "/?#@ ") != NULL ||
		(strncmp(config->base_url, "http://", 7) != 0 && !config_is_secure(config)))
	{
		log_error("base_url is to be http(s)://HOST[:PORT] without a path");
		good = false;
	}
	if ((config->tls_certificate == NULL) != (config->tls_key == NULL))
	{
		log_error("tls_certificate and tls_key need each other");
		good = false;
	}
	if (config->listen == NULL || (*config->listen != '/' && strrchr(config->listen, ':') == NULL))
	{
		log_error("listen is to be ADDRESS:PORT or the /path of a UNIX socket");
		good = false;
	}
	if (!read_networks(config))
	{
		log_error("trusted_proxies is to be a list of at most %d addresses or networks",
				  MAX_NETWORKS);
		good = false;
	}
	return good;
}

void
config_print_sample(FILE *out)
{
	fputs("# sales_crm_portal reads this file at its start\n", out);
	config_keys_print(keys, out);
}

bool
config_is_secure(const Config *config)
{
	return strncmp(config->base_url, "https://", 8) == 0;
}

void
config_free(Config *config)
{
	config_keys_free(keys, config);
}

bool
config_trusts(const Config *config, const struct in6_addr *address)
{
	for (int i = 0; i < config->trusted_count; i++)
	{
		if (network_has(&config->trusted[i], address))
			return true;
	}
	return false;
}

/* drop_slash: a slash at the end of the base URL would double those of paths */
static void
drop_slash(char *url)
{
	size_t length = url == NULL ? 0 : strlen(url);

	if (length > 0 && url[length - 1] == '/')
		url[length - 1] = '\0';
}

static bool
read_networks(Config *config)
{
	char *copy = must_copy(config->trusted_proxies == NULL ? "" : config->trusted_proxies);
	char *state = NULL;
	bool good = true;

	config->trusted_count = 0;
	for (char *word = strtok_r(copy, " ,\t", &state); word != NULL && good;
		 word = strtok_r(NULL, " ,\t", &state))
	{
		good = config->trusted_count < MAX_NETWORKS &&
			   network_parse(word, &config->trusted[config->trusted_count]);
		config->trusted_count += good;
	}
	free(copy);
	return good;
}
