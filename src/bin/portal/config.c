/*
 * config.c
 *		The configuration: one table of names tells defaults, bounds and what each is for.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "buffer.h"
#include "config.h"

typedef enum Kind
{
	TEXT,
	NUMBER,
	NETWORKS
} Kind;

typedef struct Setting
{
	const char *name;
	Kind kind;
	size_t offset;
	const char *preset;
	int least;
	int most;
	const char *comment;
} Setting;

static const Setting settings[] = {
	{"listen", TEXT, offsetof(Config, listen), "127.0.0.1:8080", 0, 0,
	 "Where to listen: ADDRESS:PORT, [ADDRESS]:PORT, or the /path of a UNIX socket. Sockets that\n"
	 "# systemd hands over go before."},
	{"base_url", TEXT, offsetof(Config, base_url), "http://127.0.0.1:8080", 0, 0,
	 "What customers' browsers see; the same as portal_url of sales_crm.company. With https\n"
	 "# cookies are __Host- ones and HSTS is sent."},
	{"database", TEXT, offsetof(Config, database), "dbname=crm user=portal", 0, 0,
	 "Connection string of libpq for a login that is a member of sales_crm_portal and of nothing else"},
	{"database_connections", NUMBER, offsetof(Config, database_connections), "8", 1, 200,
	 "Connections to the database, opened when needed"},
	{"statement_seconds", NUMBER, offsetof(Config, statement_seconds), "10", 1, 300,
	 "What takes the database longer is given up, with a page that says so"},
	{"trusted_proxies", NETWORKS, 0, "127.0.0.1 ::1", 0, 0,
	 "Proxies whose X-Forwarded-For is believed: addresses or networks. A UNIX socket is trusted."},
	{"tls_certificate", TEXT, offsetof(Config, tls_certificate), "", 0, 0,
	 "PEM files, where no proxy does TLS"},
	{"tls_key", TEXT, offsetof(Config, tls_key), "", 0, 0, NULL},
	{"secret_file", TEXT, offsetof(Config, secret_file), "", 0, 0,
	 "Keeps open forms valid when the portal restarts; made where it does not exist"},
	{"connections", NUMBER, offsetof(Config, connections), "500", 1, 10000,
	 "Connections at a time, in all and from one address that is no trusted proxy (0: no limit)"},
	{"connections_per_address", NUMBER, offsetof(Config, connections_per_address), "20", 0, 10000,
	 NULL},
	{"header_seconds", NUMBER, offsetof(Config, header_seconds), "10", 1, 300,
	 "Seconds that a client has for the head of a request, for all of it with its answer, and to\n"
	 "# keep a connection without a request"},
	{"request_seconds", NUMBER, offsetof(Config, request_seconds), "60", 1, 3600, NULL},
	{"idle_seconds", NUMBER, offsetof(Config, idle_seconds), "65", 1, 3600, NULL},
	{"drain_seconds", NUMBER, offsetof(Config, drain_seconds), "30", 0, 3600,
	 "How long SIGTERM waits for requests under way"},
	{"body_bytes", NUMBER, offsetof(Config, body_bytes), "1500000", 10000, 20000000,
	 "The largest body of a request: a drawn signature is in it"},
	{"requests_per_minute", NUMBER, offsetof(Config, requests_per_minute), "240", 0, 1000000,
	 "Requests and answers a minute from one address (IPv6: one /64), then for one link; 0: no limit"},
	{"answers_per_minute", NUMBER, offsetof(Config, answers_per_minute), "20", 0, 1000000, NULL},
	{"token_requests_per_minute", NUMBER, offsetof(Config, token_requests_per_minute), "240", 0,
	 1000000, NULL},
	{"token_answers_per_minute", NUMBER, offsetof(Config, token_answers_per_minute), "20", 0,
	 1000000, NULL},
	{"log", TEXT, offsetof(Config, log), "errors", 0, 0,
	 "What goes to standard error: errors, or requests for a line per request, too"},
};

#define SETTINGS ((int) (sizeof(settings) / sizeof(settings[0])))

static bool
assign(Config *config, const Setting *setting, const char *value, char *problem, size_t size);
static bool assign_networks(Config *config, const char *value);
static char *trim(char *text);

void
config_default(Config *config)
{
	char problem[200];

	*config = (Config){0};
	for (int i = 0; i < SETTINGS; i++)
	{
		if (!assign(config, &settings[i], settings[i].preset, problem, sizeof(problem)))
			abort();
	}
}

bool
config_read(Config *config, const char *file)
{
	FILE *in = fopen(file, "r");
	char line[4096];
	int number = 0;
	bool good = true;

	if (in == NULL)
	{
		fprintf(stderr, "sales_crm_portal: %s: %s\n", file, strerror(errno));
		return false;
	}
	while (fgets(line, sizeof(line), in) != NULL)
	{
		char *name = trim(line);
		char *value = strchr(name, '=');
		char problem[200] = "no such setting";
		bool known = false;

		number++;
		if (*name == '\0' || *name == '#')
			continue;
		if (value != NULL)
		{
			*value++ = '\0';
			name = trim(name);
			for (int i = 0; i < SETTINGS && !known; i++)
				known = strcmp(name, settings[i].name) == 0 &&
						assign(config, &settings[i], trim(value), problem, sizeof(problem));
		}
		if (!known)
		{
			fprintf(stderr, "sales_crm_portal: %s, line %d: %s: %s\n", file, number, name,
					value == NULL ? "there is no = in it" : problem);
			good = false;
		}
	}
	fclose(in);
	return good;
}

bool
config_check(const Config *config)
{
	const char *host = strstr(config->base_url, "://");
	bool good = true;

	if (host == NULL || host[3] == '\0' || strpbrk(host + 3, "/?#@ ") != NULL ||
		(strncmp(config->base_url, "http://", 7) != 0 &&
		 strncmp(config->base_url, "https://", 8) != 0))
	{
		fprintf(stderr,
				"sales_crm_portal: base_url: \"%s\" is not http(s)://HOST[:PORT] without a path\n",
				config->base_url);
		good = false;
	}
	if ((*config->tls_certificate == '\0') != (*config->tls_key == '\0'))
	{
		fputs("sales_crm_portal: tls_certificate and tls_key go together\n", stderr);
		good = false;
	}
	if (strcmp(config->log, "errors") != 0 && strcmp(config->log, "requests") != 0)
	{
		fprintf(stderr, "sales_crm_portal: log: \"%s\" is neither errors nor requests\n",
				config->log);
		good = false;
	}
	if (*config->listen != '/' && strrchr(config->listen, ':') == NULL)
	{
		fprintf(stderr, "sales_crm_portal: listen: \"%s\" is neither ADDRESS:PORT nor a /path\n",
				config->listen);
		good = false;
	}
	return good;
}

void
config_print_sample(FILE *out)
{
	fputs("# sales_crm_portal: every setting with its default\n", out);
	for (int i = 0; i < SETTINGS; i++)
	{
		if (settings[i].comment != NULL)
			fprintf(out, "\n# %s\n", settings[i].comment);
		fprintf(out, "#%s = %s\n", settings[i].name, settings[i].preset);
	}
}

bool
config_is_secure(const Config *config)
{
	return strncmp(config->base_url, "https://", 8) == 0;
}

void
config_free(Config *config)
{
	for (int i = 0; i < SETTINGS; i++)
	{
		if (settings[i].kind == TEXT)
			free(*(char **) ((char *) config + settings[i].offset));
	}
	*config = (Config){0};
}

bool
network_parse(const char *text, Network *network)
{
	char address[INET6_ADDRSTRLEN];
	size_t length = strcspn(text, "/");
	struct in_addr four;
	int most = 128;
	long bits;
	char *end;

	if (length >= sizeof(address))
		return false;
	memcpy(address, text, length);
	address[length] = '\0';
	if (inet_pton(AF_INET, address, &four) == 1)
	{
		memset(&network->address, 0, 10);
		memset(network->address.s6_addr + 10, 0xff, 2);
		memcpy(network->address.s6_addr + 12, &four, 4);
		most = 32;
	}
	else if (inet_pton(AF_INET6, address, &network->address) != 1)
		return false;
	bits = most;
	if (text[length] == '/')
	{
		if (!isdigit((unsigned char) text[length + 1]))
			return false;
		bits = strtol(text + length + 1, &end, 10);
		if (*end != '\0' || bits > most)
			return false;
	}
	network->bits = (int) bits + 128 - most;
	return true;
}

bool
config_trusts(const Config *config, const struct in6_addr *address)
{
	for (int i = 0; i < config->trusted_count; i++)
	{
		const Network *network = &config->trusted[i];
		int whole = network->bits / 8;
		int rest = network->bits % 8;

		if (memcmp(address, &network->address, (size_t) whole) == 0 &&
			(rest == 0 ||
			 (address->s6_addr[whole] ^ network->address.s6_addr[whole]) >> (8 - rest) == 0))
			return true;
	}
	return false;
}

static bool
assign(Config *config, const Setting *setting, const char *value, char *problem, size_t size)
{
	char *place = (char *) config + setting->offset;
	char *end;
	long number;

	switch (setting->kind)
	{
		case TEXT:
			free(*(char **) place);
			*(char **) place = must_copy(value);
			/* A slash at its end would double those of paths */
			if (strcmp(setting->name, "base_url") == 0 && *value != '\0' &&
				value[strlen(value) - 1] == '/')
				(*(char **) place)[strlen(value) - 1] = '\0';
			return true;
		case NUMBER:
			number = strtol(value, &end, 10);
			if (end == value || *end != '\0' || number < setting->least || number > setting->most)
			{
				snprintf(problem, size, "\"%.50s\" is not a whole number from %d to %d", value,
						 setting->least, setting->most);
				return false;
			}
			*(int *) place = (int) number;
			return true;
		default:
			if (assign_networks(config, value))
				return true;
			snprintf(problem, size, "\"%.50s\" is not a list of at most %d addresses or networks",
					 value, MAX_NETWORKS);
			return false;
	}
}

static bool
assign_networks(Config *config, const char *value)
{
	char *copy = must_copy(value);
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

static char *
trim(char *text)
{
	char *end;

	while (isspace((unsigned char) *text))
		text++;
	end = text + strlen(text);
	while (end > text && isspace((unsigned char) end[-1]))
		*--end = '\0';
	return text;
}
