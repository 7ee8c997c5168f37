/*
 * route.c
 *		What may be asked for: one table.
 */
#include <stdio.h>
#include <string.h>

#include "answer.h"
#include "asset.h"
#include "log.h"
#include "pool.h"
#include "quote.h"
#include "route.h"

#define YEAR "public, max-age=31536000, immutable"

static void serve_asset(Request *request);
static void serve_brand(Request *request);
static void serve_robots(Request *request);
static void serve_thanks(Request *request);
static void serve_health(Request *request);
static void serve_metrics(Request *request);
static bool match(const char *pattern, const char *path, char *token);

static const Route routes[] = {
	{"/q/TOKEN", "GET, HEAD", quote_page, true},
	{"/q/TOKEN/document", "GET, HEAD", quote_document, true},
	{"/q/TOKEN/quote.pdf", "GET, HEAD", quote_pdf, true},
	{"/q/TOKEN/viewed", "POST", answer_viewed, true},
	{"/q/TOKEN/sign", "POST", answer_sign, true},
	{"/q/TOKEN/change", "POST", answer_change, true},
	{"/q/TOKEN/decline", "POST", answer_decline, true},
	{"/q/TOKEN/code", "POST", answer_code, true},
	{"/q/TOKEN/follow", "POST", answer_follow, true},
	{"/calendar/TOKEN.ics", "GET, HEAD", quote_calendar, true},
	{"/thanks", "GET, HEAD", serve_thanks, false},
	{"/asset/page.css", "GET, HEAD", serve_asset, false},
	{"/asset/page.js", "GET, HEAD", serve_asset, false},
	{"/asset/brand-TOKEN.css", "GET, HEAD", serve_brand, false},
	{"/robots.txt", "GET, HEAD", serve_robots, false},
	{"/healthz", "GET, HEAD", serve_health, false},
	{"/metrics", "GET, HEAD", serve_metrics, false},
};

#define ROUTES ((int) (sizeof(routes) / sizeof(routes[0])))

const Route *
route_find(Request *request)
{
	for (int i = 0; i < ROUTES && request->path_is_good; i++)
	{
		if (match(routes[i].path, request->path, request->token))
			return &routes[i];
	}
	*request->token = '\0';
	return NULL;
}

bool
route_allows(const Route *route, const char *method)
{
	size_t length = strlen(method);
	const char *found = strstr(route->methods, method);

	return length > 0 && found != NULL && (found == route->methods || found[-1] == ' ') &&
		   (found[length] == ',' || found[length] == '\0');
}

void
route_error(Request *request, int status)
{
	PageMessage message = MESSAGE_BAD_REQUEST;

	switch (status)
	{
		case MHD_HTTP_NOT_FOUND:
			/* Whatever stands where a link's token does gets the same answer */
			message = request->is_link ? MESSAGE_UNKNOWN : MESSAGE_NOT_FOUND;
			break;
		case MHD_HTTP_FORBIDDEN:
			message = MESSAGE_FORM_OLD;
			break;
		case MHD_HTTP_METHOD_NOT_ALLOWED:
			message = MESSAGE_METHOD;
			request_header(request, "Allow", request->route->methods);
			break;
		case MHD_HTTP_TOO_MANY_REQUESTS:
			message = MESSAGE_TOO_MANY;
			request_header(request, "Retry-After", "30");
			break;
		case MHD_HTTP_SERVICE_UNAVAILABLE:
			message = MESSAGE_UNAVAILABLE;
			request_header(request, "Retry-After", "5");
			break;
		case MHD_HTTP_INTERNAL_SERVER_ERROR:
			message = MESSAGE_ERROR;
			break;
		default:
			break;
	}
	route_message(request, status, message, NULL);
}

void
route_message(Request *request, int status, PageMessage message, const char *path)
{
	PageFrame frame = route_frame(request, NULL);

	buffer_free(&request->body);
	page_write_message(&request->body, &frame, message, path);
	request->policy = POLICY_PAGE;
	request->cache_control = "no-store";
	request_answer(request, status, "text/html; charset=utf-8");
}

PageFrame
route_frame(const Request *request, const char *locale)
{
	static char css[60];
	static char js[60];
	const char *accepted =
		MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, "Accept-Language");

	if (*css == '\0')
	{
		/* The same from every thread */
		snprintf(js, sizeof(js), "/asset/page.js?v=%s", asset_find("/asset/page.js")->version);
		snprintf(css, sizeof(css), "/asset/page.css?v=%s", asset_find("/asset/page.css")->version);
	}
	if (request->locale != NULL)
		locale = request->locale;
	while (locale == NULL && accepted != NULL && *accepted != '\0')
	{
		accepted += strspn(accepted, ", ");
		locale = locale_of(accepted, strcspn(accepted, ","));
		accepted += strcspn(accepted, ",");
	}
	return (PageFrame){text_language(locale), css, js};
}

/* match: a path, and what stands where the pattern says TOKEN, which is no slash */
static bool
match(const char *pattern, const char *path, char *token)
{
	const char *place = strstr(pattern, "TOKEN");
	size_t before = place == NULL ? 0 : (size_t) (place - pattern);
	size_t length;

	if (place == NULL)
		return strcmp(pattern, path) == 0;
	place += strlen("TOKEN");
	if (strncmp(pattern, path, before) != 0)
		return false;
	length = strcspn(path + before, "/");
	/* What follows it in the same part, such as .ics */
	if (*place != '/' && *place != '\0')
	{
		if (length <= strlen(place))
			return false;
		length -= strlen(place);
	}
	if (length == 0 || strcmp(path + before + length, place) != 0)
		return false;
	memcpy(token, path + before, length);
	token[length] = '\0';
	return true;
}

static void
serve_asset(Request *request)
{
	const Asset *asset = asset_find(request->path);
	char versioned[40];

	snprintf(versioned, sizeof(versioned), "v=%s", asset->version);
	request->cache_control = strcmp(request->query, versioned) == 0 ? YEAR : "public, max-age=300";
	request->fixed = asset->bytes;
	request->fixed_length = asset->length;
	request_answer(request, MHD_HTTP_OK, asset->media_type);
}

/* serve_brand: the company's colour. It stands in the address, so that no secret does */
static void
serve_brand(Request *request)
{
	char color[MAX_PATH + 1];

	if (strlen(request->token) != 6 || strspn(request->token, "0123456789abcdef") != 6)
	{
		route_error(request, MHD_HTTP_NOT_FOUND);
		return;
	}
	snprintf(color, sizeof(color), "#%s", request->token);
	page_brand_css(&request->body, color);
	request->cache_control = YEAR;
	request_answer(request, MHD_HTTP_OK, "text/css; charset=utf-8");
}

static void
serve_robots(Request *request)
{
	buffer_text(&request->body, "User-agent: *\nDisallow: /\n");
	request->cache_control = "public, max-age=86400";
	request_answer(request, MHD_HTTP_OK, "text/plain; charset=utf-8");
}

/* serve_thanks: where the seller's tablet ends up: it leads nowhere */
static void
serve_thanks(Request *request)
{
	route_message(request, MHD_HTTP_OK, MESSAGE_HANDED_BACK, NULL);
}

static void
serve_health(Request *request)
{
	Reply reply = pool_call(ALIVE, NULL, NULL);

	PQclear(reply.result);
	if (reply.outcome != DONE)
		request_header(request, "Retry-After", "5");
	buffer_text(&request->body, reply.outcome == DONE ? "ok\n" : "no database\n");
	request_answer(request, reply.outcome == DONE ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
				   "text/plain; charset=utf-8");
}

static void
serve_metrics(Request *request)
{
	if (!request->is_local)
	{
		route_error(request, MHD_HTTP_NOT_FOUND);
		return;
	}
	log_metrics(&request->body);
	request_answer(request, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8");
}
