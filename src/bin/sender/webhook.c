/*
 * webhook.c
 *		Delivers webhooks as the Standard Webhooks specification says.
 *
 * URLs come from people who may not reach what this machine reaches. So a connection is opened only
 * to an address of the public internet, which is looked at after the name was resolved and once more
 * when the connection is there, new or kept; nothing but https is spoken; no redirect is followed; no
 * proxy of the environment is used. The operator's list webhook_allow names the exceptions.
 *
 * The status decides, as soon as it is there: whatever the receiver says behind a 2xx, slowly or
 * without end, is not worth a second delivery.
 */
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "address.h"
#include "standard_webhook.h"
#include "webhook.h"

#define USER_AGENT "sales_crm_sender/1.0"
#define SECONDS_TO_CONNECT 10.0
#define MAX_HEADERS (64 * 1024)
#define MAX_ANSWER (64 * 1024)
#define MAX_QUOTED 300 /* bytes of an answer that people get to read */
#define MAX_RETRY_AFTER 86400
#define MAX_SECRETS 2

typedef struct Webhook
{
	const Config *config;
	char *scheme;
	char *host; /* without brackets */
	char *port;
	bool is_allowed; /* by the operator, whatever its scheme and address */
	char refused[INET6_ADDRSTRLEN];
	struct curl_slist *headers;
	struct curl_slist *resolve;
	char problem[CURL_ERROR_SIZE];
	size_t header_bytes;
	size_t answer_bytes;
	GString *answer; /* its beginning */
} Webhook;

static bool webhook_able(const Config *config);
static const char *webhook_host(Delivery *delivery);
static void webhook_start(Delivery *delivery);
static void webhook_release(Delivery *delivery);
static Webhook *webhook_new(const Config *config);
static void webhook_free(Webhook *webhook);
static char *refuse(Webhook *webhook, const char *url);
static bool read_url(Webhook *webhook, const char *url);
static bool is_listed(const char *list, const char *host, const char *port);
static char *
sign(Delivery *delivery, const char *id, gint64 timestamp, const char *body, const char **problem);
static CURL *make_request(Webhook *webhook, const char *url, const char *body);
static void add_header(Webhook *webhook, const char *name, const char *value);
static curl_socket_t
open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address);
static int check_connection(void *context, char *address, char *local, int port, int local_port);
static size_t take_header(char *bytes, size_t size, size_t count, void *context);
static size_t take_answer(char *bytes, size_t size, size_t count, void *context);
static void webhook_transferred(Delivery *delivery, CURL *easy, CURLcode code);
static char *failure_of(Webhook *webhook, CURLcode code);
static void end_with_status(Delivery *delivery, CURL *easy, long status);
static char *quotable(GString *answer);

const DeliveryKind webhook_kind = {
	.name = "webhook",
	.able = webhook_able,
	.host = webhook_host,
	.start = webhook_start,
	.release = webhook_release,
};

static bool
webhook_able(const Config *config)
{
	return config->webhooks;
}

static const char *
webhook_host(Delivery *delivery)
{
	Webhook webhook = {0};
	const char *host = NULL;

	if (read_url(&webhook, delivery_text(delivery, "url")))
		host = delivery_keep(delivery, "%s:%s", webhook.host, webhook.port);
	g_free(webhook.scheme);
	g_free(webhook.host);
	g_free(webhook.port);
	return host;
}

static void
webhook_start(Delivery *delivery)
{
	Webhook *webhook = webhook_new(delivery->config);
	const char *url = delivery_text(delivery, "url");
	const char *body = delivery->fields[FIELD_BODY];
	const char *id = delivery_text(delivery, "event_id");
	gint64 timestamp = (gint64) time(NULL);
	const char *problem = "there is nothing to say";
	char *refusal = refuse(webhook, url);
	char *signature = NULL;
	char *seconds;

	delivery->state = webhook;
	if (refusal == NULL && body != NULL && id != NULL)
		signature = sign(delivery, id, timestamp, body, &problem);
	if (signature == NULL)
	{
		delivery_end(delivery, VERDICT_FINAL, 0, "%s", refusal != NULL ? refusal : problem);
		g_free(refusal);
		return;
	}
	seconds = g_strdup_printf("%" G_GINT64_FORMAT, timestamp);
	add_header(webhook, "webhook-id", id);
	add_header(webhook, "webhook-timestamp", seconds);
	add_header(webhook, "webhook-signature", signature);
	g_free(seconds);
	g_free(signature);
	delivery_transfer(delivery, make_request(webhook, url, body), webhook_transferred);
}

static void
webhook_release(Delivery *delivery)
{
	webhook_free(delivery->state);
}

char *
webhook_check(const Config *config, const char *url)
{
	Webhook *webhook = webhook_new(config);
	char *problem = refuse(webhook, url);

	if (problem == NULL)
	{
		CURL *easy = make_request(webhook, url, "");
		CURLcode code;

		curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
		code = curl_easy_perform(easy);
		if (code != CURLE_OK)
			problem = failure_of(webhook, code);
		curl_easy_cleanup(easy);
	}
	webhook_free(webhook);
	return problem;
}

static Webhook *
webhook_new(const Config *config)
{
	Webhook *webhook = g_new0(Webhook, 1);

	webhook->config = config;
	webhook->answer = g_string_new(NULL);
	return webhook;
}

static void
webhook_free(Webhook *webhook)
{
	curl_slist_free_all(webhook->headers);
	curl_slist_free_all(webhook->resolve);
	g_string_free(webhook->answer, TRUE);
	g_free(webhook->scheme);
	g_free(webhook->host);
	g_free(webhook->port);
	g_free(webhook);
}

/* refuse takes the URL in, and returns why it is not to be asked for, whatever its name resolves to. */
static char *
refuse(Webhook *webhook, const char *url)
{
	if (!read_url(webhook, url))
		return g_strdup("the URL of the webhook is not one that can be used");
	webhook->is_allowed = is_listed(webhook->config->webhook_allow, webhook->host, webhook->port);
	if (webhook->is_allowed)
		return NULL;
	if (strcmp(webhook->scheme, "https") != 0)
		return g_strdup_printf(
			"the URL does not begin with https://, and webhook_allow does not list %s",
			webhook->host);
	/* A proxy resolves names itself, so that nothing but a plain address can be looked at here */
	if (address_is_literal(webhook->host) && !address_text_is_public(webhook->host))
		return g_strdup_printf(
			"%s is not an address of the public internet, and webhook_allow does not list it",
			webhook->host);
	return NULL;
}

/* read_url takes a URL apart as the transfer will: no other parser is asked. */
static bool
read_url(Webhook *webhook, const char *url)
{
	CURLU *parts = curl_url();
	char *scheme = NULL;
	char *host = NULL;
	char *port = NULL;
	bool good;

	good = parts != NULL && url != NULL &&
		   curl_url_set(parts, CURLUPART_URL, url, CURLU_DISALLOW_USER) == CURLUE_OK &&
		   curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
		   curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
		   curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
		   (strcmp(scheme, "https") == 0 || strcmp(scheme, "http") == 0);
	if (good)
	{
		size_t length = strlen(host);

		webhook->scheme = g_strdup(scheme);
		webhook->host = host[0] == '[' ? g_strndup(host + 1, length - 2) : g_strdup(host);
		webhook->port = g_strdup(port);
	}
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(parts);
	return good;
}

/* is_listed: a list has hosts, each with or without :port, an IPv6 address in brackets. */
static bool
is_listed(const char *list, const char *host, const char *port)
{
	char **entries = g_strsplit_set(list == NULL ? "" : list, " ,\t", 0);
	char *name = g_strdup_printf(strchr(host, ':') == NULL ? "%s" : "[%s]", host);
	char *with_port = g_strdup_printf("%s:%s", name, port);
	bool listed = false;

	for (int i = 0; entries[i] != NULL && !listed; i++)
		listed = g_ascii_strcasecmp(entries[i], name) == 0 ||
				 g_ascii_strcasecmp(entries[i], with_port) == 0;
	g_free(with_port);
	g_free(name);
	g_strfreev(entries);
	return listed;
}

static char *
sign(Delivery *delivery, const char *id, gint64 timestamp, const char *body, const char **problem)
{
	const json_t *given = json_object_get(delivery->payload, "secrets");
	const char *secrets[MAX_SECRETS + 1] = {NULL};

	for (size_t i = 0; i < json_array_size(given) && i < MAX_SECRETS; i++)
		secrets[i] = json_string_value(json_array_get(given, i));
	return standard_webhook_sign(secrets, id, timestamp, body, strlen(body), problem);
}

static CURL *
make_request(Webhook *webhook, const char *url, const char *body)
{
	const Config *config = webhook->config;
	CURL *easy = curl_easy_init();
	double to_connect = MIN(SECONDS_TO_CONNECT, config->webhook_timeout);

	if (easy == NULL)
		g_error("libcurl has no memory");
	add_header(webhook, "Content-Type", "application/json");
	webhook->headers = curl_slist_append(webhook->headers, "Expect:");
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, webhook->is_allowed ? "http,https" : "https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, USER_AGENT);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, webhook->headers);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) strlen(body));
	curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, body);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
	if (config->webhook_ca_file != NULL)
		curl_easy_setopt(easy, CURLOPT_CAINFO, config->webhook_ca_file);
	/* An empty text also keeps the environment's proxies out */
	curl_easy_setopt(easy, CURLOPT_PROXY,
					 config->webhook_proxy == NULL ? "" : config->webhook_proxy);
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long) (config->webhook_timeout * 1000));
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long) (to_connect * 1000));
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, webhook->problem);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, webhook);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, check_connection);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, webhook);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, webhook);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_answer);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, webhook);
	if (config->webhook_resolve != NULL)
	{
		char **entries = g_strsplit_set(config->webhook_resolve, " \t", 0);

		for (int i = 0; entries[i] != NULL; i++)
		{
			if (entries[i][0] != '\0')
				webhook->resolve = curl_slist_append(webhook->resolve, entries[i]);
		}
		g_strfreev(entries);
		curl_easy_setopt(easy, CURLOPT_RESOLVE, webhook->resolve);
	}
	return easy;
}

static void
add_header(Webhook *webhook, const char *name, const char *value)
{
	char *line = g_strdup_printf("%s: %s", name, value);

	webhook->headers = curl_slist_append(webhook->headers, line);
	g_free(line);
}

/* may_reach: with a proxy, the connection is the one to it, and the proxy decides what it reaches. */
static bool
may_reach(Webhook *webhook, bool is_public, const char *address)
{
	if (is_public || webhook->is_allowed || webhook->config->webhook_proxy != NULL)
		return true;
	g_strlcpy(webhook->refused, address, sizeof(webhook->refused));
	return false;
}

static curl_socket_t
open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	char text[INET6_ADDRSTRLEN] = "another family";

	(void) purpose;
	if (address->family == AF_INET)
		inet_ntop(AF_INET, &((struct sockaddr_in *) &address->addr)->sin_addr, text, sizeof(text));
	else if (address->family == AF_INET6)
		inet_ntop(AF_INET6, &((struct sockaddr_in6 *) &address->addr)->sin6_addr, text,
				  sizeof(text));
	if (!may_reach(context, address_is_public(&address->addr), text))
		return CURL_SOCKET_BAD;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static int
check_connection(void *context, char *address, char *local, int port, int local_port)
{
	(void) local, (void) port, (void) local_port;
	return may_reach(context, address_text_is_public(address), address) ? CURL_PREREQFUNC_OK
																		: CURL_PREREQFUNC_ABORT;
}

static size_t
take_header(char *bytes, size_t size, size_t count, void *context)
{
	Webhook *webhook = context;

	(void) bytes;
	webhook->header_bytes += size * count;
	return webhook->header_bytes > MAX_HEADERS ? 0 : size * count;
}

static size_t
take_answer(char *bytes, size_t size, size_t count, void *context)
{
	Webhook *webhook = context;
	size_t length = size * count;

	if (webhook->answer->len < MAX_QUOTED)
		g_string_append_len(webhook->answer, bytes,
							(gssize) MIN(length, MAX_QUOTED - webhook->answer->len));
	webhook->answer_bytes += length;
	return webhook->answer_bytes > MAX_ANSWER ? 0 : length;
}

static void
webhook_transferred(Delivery *delivery, CURL *easy, CURLcode code)
{
	Webhook *webhook = delivery->state;
	long status = 0;

	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 200)
		end_with_status(delivery, easy, status);
	else
	{
		char *failure = failure_of(webhook, code);

		delivery_end(delivery, VERDICT_RETRY, 0, "%s", failure);
		g_free(failure);
	}
}

static char *
failure_of(Webhook *webhook, CURLcode code)
{
	if (webhook->refused[0] != '\0')
		return g_strdup_printf("the address %s of %s is not one of the public internet, and "
							   "webhook_allow does not list the host",
							   webhook->refused, webhook->host);
	return g_strdup(webhook->problem[0] != '\0' ? webhook->problem : curl_easy_strerror(code));
}

static void
end_with_status(Delivery *delivery, CURL *easy, long status)
{
	Webhook *webhook = delivery->state;
	curl_off_t retry_after = 0;
	char *said = quotable(webhook->answer);

	curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after);
	if (status < 300)
		delivery_end(delivery, VERDICT_DELIVERED, 0, "HTTP %ld", status);
	else if (status < 400)
		delivery_end(delivery, VERDICT_RETRY, 0,
					 "HTTP %ld: redirects are not followed: change the URL of the webhook", status);
	else if (status == 410)
		delivery_end(delivery, VERDICT_GONE, 0, "HTTP 410: the receiver wants no more of these");
	else
		delivery_end(delivery, VERDICT_RETRY, (double) MIN(retry_after, MAX_RETRY_AFTER),
					 "HTTP %ld%s%s", status, said[0] == '\0' ? "" : ": ", said);
	g_free(said);
}

/* quotable returns the beginning of an answer as one line of valid text. */
static char *
quotable(GString *answer)
{
	char *text = g_utf8_make_valid(answer->str, (gssize) answer->len);

	for (char *at = text; *at != '\0'; at++)
	{
		if (g_ascii_iscntrl(*at))
			*at = ' ';
	}
	return g_strstrip(text);
}
