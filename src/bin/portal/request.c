/*
 * request.c
 *		One request and the answer to it.
 *
 * The path is taken from the first line as it was sent: a route has no escaped characters, so that
 * one with any is none. The Host header is never looked at.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../common/clock.h"
#include "limit.h"
#include "log.h"
#include "request.h"
#include "route.h"

#define HTML "text/html; charset=utf-8"

static const char *const policies[] = {
	[POLICY_NOTHING] =
		"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	[POLICY_PAGE] =
		"default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
		"frame-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
	[POLICY_DOCUMENT] =
		"default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; base-uri 'none'; "
		"form-action 'none'; frame-ancestors 'self'; sandbox allow-same-origin",
};

static void read_address(Request *request);
static void walk_forwarded(Request *request);
static enum MHD_Result
join_forwarded(void *cls, enum MHD_ValueKind kind, const char *name, const char *value);
static bool parse_address(const char *text, struct in6_addr *address);
static bool has_odd_framing(Request *request);
static enum MHD_Result
count_framing(void *cls, enum MHD_ValueKind kind, const char *name, const char *value);
static void read_query(Request *request);
static bool is_foreign(const Request *request);

Request *
request_create(const Config *config, const char *uri)
{
	Request *request = must_allocate(sizeof(Request));
	size_t length = strcspn(uri, "?");

	request->config = config;
	request->started = clock_microseconds();
	request->media_type = HTML;
	request->cache_control = "no-store";
	request->path_is_good =
		length < MAX_PATH &&
		strspn(uri, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./") == length;
	request->is_link = strncmp(uri, "/q/", 3) == 0;
	if (request->path_is_good)
		memcpy(request->path, uri, length);
	if (uri[length] == '?' && strlen(uri + length + 1) < MAX_PATH)
		strcpy(request->query, uri + length + 1);
	return request;
}

void
request_free(Request *request)
{
	if (request->post != NULL)
		MHD_destroy_post_processor(request->post);
	for (int i = 0; i < FIELDS; i++)
		buffer_free(&request->fields[i].value);
	for (int i = 0; i < request->header_count; i++)
		free(request->headers[i].value);
	buffer_free(&request->body);
	free(request);
}

void
request_begin(Request *request, struct MHD_Connection *connection, const char *method)
{
	request->begun = true;
	request->connection = connection;
	snprintf(request->method, sizeof(request->method), "%s", method);
	request->user_agent = request_head(request, "User-Agent");
	read_address(request);
	read_query(request);
	request->route = route_find(request);
	request->cookie = MHD_lookup_connection_value(
		connection, MHD_COOKIE_KIND,
		config_is_secure(request->config) ? "__Host-sales_crm" : "sales_crm");
	if (!session_cookie_is_valid(request->cookie))
		request->cookie = NULL;
	if (has_odd_framing(request))
	{
		request->close = true;
		route_error(request, MHD_HTTP_BAD_REQUEST);
	}
	else if (!limit_address(REQUESTS_OF_ADDRESS, &request->address))
		route_error(request, MHD_HTTP_TOO_MANY_REQUESTS);
	else if (request->route == NULL)
		route_error(request, MHD_HTTP_NOT_FOUND);
	else if (!route_allows(request->route, request->method))
		route_error(request, MHD_HTTP_METHOD_NOT_ALLOWED);
	else if (request->route->has_secret && !limit_token(REQUESTS_OF_TOKEN, request->token))
		route_error(request, MHD_HTTP_TOO_MANY_REQUESTS);
	else if (strcmp(request->method, "POST") == 0)
	{
		if (is_foreign(request))
			route_error(request, MHD_HTTP_FORBIDDEN);
		else if (!limit_address(ANSWERS_OF_ADDRESS, &request->address) ||
				 !limit_token(ANSWERS_OF_TOKEN, request->token))
			route_error(request, MHD_HTTP_TOO_MANY_REQUESTS);
	}
	request_begin_body(request);
}

const char *
request_head(const Request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

void
request_answer(Request *request, int status, const char *media_type)
{
	request->status = status;
	if (media_type != NULL)
		request->media_type = media_type;
}

void
request_header(Request *request, const char *name, const char *value)
{
	if (request->header_count == MAX_HEADERS)
		abort();
	request->headers[request->header_count++] = (Header){name, must_copy(value)};
}

void
request_redirect(Request *request, const char *path)
{
	request_answer(request, MHD_HTTP_SEE_OTHER, "text/plain; charset=utf-8");
	request_header(request, "Location", path);
}

enum MHD_Result
request_send(Request *request)
{
	static const char *const fixed[][2] = {
		{"X-Content-Type-Options", "nosniff"},
		{"Referrer-Policy", "no-referrer"},
		{"X-Robots-Tag", "noindex, nofollow, noarchive"},
		{"Cross-Origin-Opener-Policy", "same-origin"},
		{"Cross-Origin-Resource-Policy", "same-origin"},
		{"Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()"},
	};
	struct MHD_Response *response;
	enum MHD_Result result;

	if (request->fixed != NULL)
		response = MHD_create_response_from_buffer(request->fixed_length, (void *) request->fixed,
												   MHD_RESPMEM_PERSISTENT);
	else
	{
		/* The response takes the memory over */
		response = MHD_create_response_from_buffer(
			request->body.length, request->body.data,
			request->body.data == NULL ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_FREE);
		request->body = (Buffer){0};
	}
	if (response == NULL)
		return MHD_NO;
	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		MHD_add_response_header(response, fixed[i][0], fixed[i][1]);
	MHD_add_response_header(response, "Content-Security-Policy", policies[request->policy]);
	MHD_add_response_header(response, "X-Frame-Options",
							request->policy == POLICY_DOCUMENT ? "SAMEORIGIN" : "DENY");
	MHD_add_response_header(response, "Cache-Control", request->cache_control);
	if (request->status != MHD_HTTP_NO_CONTENT)
		MHD_add_response_header(response, "Content-Type", request->media_type);
	if (config_is_secure(request->config))
		MHD_add_response_header(response, "Strict-Transport-Security", "max-age=31536000");
	for (int i = 0; i < request->header_count; i++)
		MHD_add_response_header(response, request->headers[i].name, request->headers[i].value);
	if (request->close)
		MHD_add_response_header(response, "Connection", "close");
	result = MHD_queue_response(request->connection, (unsigned) request->status, response);
	MHD_destroy_response(response);
	return result;
}

const char *
locale_of(const char *text, size_t length)
{
	static const char *const locales[] = {"en", "fr", "nl", "de"};

	for (int i = 0; i < 4 && length >= 2; i++)
	{
		if (strncasecmp(text, locales[i], 2) == 0 &&
			(length == 2 || strchr("-_;,", text[2]) != NULL))
			return locales[i];
	}
	return NULL;
}

/* read_address: the client's, as far as proxies that are trusted tell it */
static void
read_address(Request *request)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *peer = info == NULL ? NULL : info->client_addr;

	strcpy(request->address_text, "unix");
	if (!network_of_peer(peer, &request->address) ||
		config_trusts(request->config, &request->address))
	{
		request->is_local = request_head(request, "X-Forwarded-For") == NULL;
		walk_forwarded(request);
	}
	if (memcmp(&request->address, &in6addr_any, sizeof(in6addr_any)) == 0)
		return;
	if (IN6_IS_ADDR_V4MAPPED(&request->address))
		inet_ntop(AF_INET, request->address.s6_addr + 12, request->address_text, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, &request->address, request->address_text, INET6_ADDRSTRLEN);
	request->address_sql = request->address_text;
}

/* walk_forwarded: from the nearest proxy on, to the first address that is no trusted proxy */
static void
walk_forwarded(Request *request)
{
	Buffer list = {0};

	MHD_get_connection_values(request->connection, MHD_HEADER_KIND, join_forwarded, &list);
	while (list.data != NULL && list.length > 0)
	{
		struct in6_addr address;
		char *last = strrchr(list.data, ',');
		char *text = last == NULL ? list.data : last + 1;

		text += strspn(text, " \t");
		text[strcspn(text, " \t")] = '\0';
		if (!parse_address(text, &address))
			break;
		request->address = address;
		if (last == NULL || !config_trusts(request->config, &address))
			break;
		*last = '\0';
	}
	buffer_free(&list);
}

static enum MHD_Result
join_forwarded(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
	Buffer *list = cls;

	(void) kind;
	if (strcasecmp(name, "X-Forwarded-For") == 0 && value != NULL)
	{
		if (list->length > 0)
			buffer_text(list, ",");
		buffer_text(list, value);
	}
	return MHD_YES;
}

static bool
parse_address(const char *text, struct in6_addr *address)
{
	Network network;

	if (strchr(text, '/') != NULL || !network_parse(text, &network))
		return false;
	*address = network.address;
	return true;
}

/* has_odd_framing: a length that two readers could understand differently (RFC 9112, 6.3) */
static bool
has_odd_framing(Request *request)
{
	int counts[3] = {0};

	MHD_get_connection_values(request->connection, MHD_HEADER_KIND, count_framing, counts);
	/* RFC 9112, 6.1 to 6.3 */
	return counts[0] > 1 || counts[1] > 1 || counts[2] > 0 || (counts[0] > 0 && counts[1] > 0);
}

static enum MHD_Result
count_framing(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
	int *counts = cls;

	(void) kind;
	if (strcasecmp(name, "Content-Length") == 0)
	{
		counts[0]++;
		counts[2] +=
			value == NULL || *value == '\0' || strspn(value, "0123456789") != strlen(value);
	}
	else if (strcasecmp(name, "Transfer-Encoding") == 0)
	{
		counts[1]++;
		counts[2] += value == NULL || strcasecmp(value, "chunked") != 0;
	}
	/* A name that only a lenient reader takes for one of these */
	else if (strpbrk(name, " \t") != NULL)
		counts[2]++;
	return MHD_YES;
}

static void
read_query(Request *request)
{
	char copy[MAX_PATH];
	char *state = NULL;

	strcpy(copy, request->query);
	for (char *word = strtok_r(copy, "&", &state); word != NULL; word = strtok_r(NULL, "&", &state))
	{
		if (strcmp(word, "direct") == 0 || strcmp(word, "direct=1") == 0)
			request->direct = true;
		else if (strncmp(word, "lang=", 5) == 0)
			request->locale = locale_of(word + 5, strlen(word + 5));
	}
}

/*
 * is_foreign: whether a browser says that another site has sent this. Origin is "null" from a page
 * with no-referrer, as ours is; then the cookie and its token decide.
 */
static bool
is_foreign(const Request *request)
{
	const char *site = request_head(request, "Sec-Fetch-Site");
	const char *origin = request_head(request, "Origin");

	if (site != NULL && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
		return true;
	return origin != NULL && strcmp(origin, "null") != 0 &&
		   strcmp(origin, request->config->base_url) != 0;
}
