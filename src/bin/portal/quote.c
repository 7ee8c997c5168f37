/*
 * quote.c
 *		What is read: the page of a quote, its document, its PDF; a calendar.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quote.h"
#include "route.h"

/* Columns of OPEN_QUOTE, as pool.c asks for them */
enum
{
	STATUS,
	SNAPSHOT,
	NUMBER,
	VERSION,
	TITLE,
	LOCALE,
	GROSS,
	VALID_UNTIL,
	COMPANY,
	COMPANY_LOGO,
	COMPANY_COLOR,
	COMPANY_EMAIL,
	SELLER,
	SELLER_EMAIL,
	SELLER_PHONE,
	RECIPIENT_EMAIL,
	SIGNER,
	ANSWERED_AT,
	CODE_REQUIRED,
	HAS_SUCCESSOR,
	CHANNEL,
	HAS_PDF
};

static PageState state_of(const char *status);
static const char *text_at(const PGresult *result, int column);
static bool true_at(const PGresult *result, int column);
static void name_file(Request *request, const char *name);

bool
quote_open(Request *request, Quote *quote)
{
	const char *values[] = {request->token, request->address_sql, request->user_agent};
	PageData *page = &quote->page;
	const PGresult *row;
	const char *color;

	memset(quote, 0, sizeof(*quote));
	quote->reply = pool_call(OPEN_QUOTE, values, NULL);
	if (quote->reply.outcome != DONE)
	{
		quote_refused(request, &quote->reply);
		return false;
	}
	row = quote->reply.result;
	page->frame = route_frame(request, text_at(row, LOCALE));
	snprintf(quote->path, sizeof(quote->path), "/q/%s", request->token);
	page->path = quote->path;
	page->direct = request->direct;
	page->state = state_of(text_at(row, STATUS));
	page->number = text_at(row, NUMBER);
	page->version = text_at(row, VERSION) == NULL ? 1 : atoi(text_at(row, VERSION));
	page->title = text_at(row, TITLE);
	page->gross = text_at(row, GROSS);
	page->valid_until = text_at(row, VALID_UNTIL);
	page->company = text_at(row, COMPANY);
	page->company_logo = text_at(row, COMPANY_LOGO);
	page->company_email = text_at(row, COMPANY_EMAIL);
	page->seller = text_at(row, SELLER);
	page->seller_email = text_at(row, SELLER_EMAIL);
	page->seller_phone = text_at(row, SELLER_PHONE);
	page->recipient_email = text_at(row, RECIPIENT_EMAIL);
	page->signer = text_at(row, SIGNER);
	page->answered_at = text_at(row, ANSWERED_AT);
	page->has_successor = true_at(row, HAS_SUCCESSOR);
	page->has_pdf = true_at(row, HAS_PDF);
	page->needs_code = true_at(row, CODE_REQUIRED);
	page->snapshot = text_at(row, SNAPSHOT);
	color = text_at(row, COMPANY_COLOR);
	if (color != NULL && *color == '#' && strlen(color) == 7 &&
		strspn(color + 1, "0123456789abcdefABCDEF") == 6)
	{
		snprintf(quote->brand_css, sizeof(quote->brand_css), "/asset/brand-%06lx.css",
				 strtoul(color + 1, NULL, 16));
		page->brand_css = quote->brand_css;
	}
	return true;
}

void
quote_close(Quote *quote)
{
	PQclear(quote->reply.result);
	quote->reply.result = NULL;
}

void
quote_render(Request *request, Quote *quote, int status)
{
	bool secure = config_is_secure(request->config);
	char header[200];

	if (request->cookie == NULL)
	{
		session_random(quote->cookie, (COOKIE_SIZE - 1) / 2);
		request->cookie = quote->cookie;
		/* Lax, so that the link in a mail brings the cookie of a page that is open already */
		snprintf(header, sizeof(header), "%s=%s; Path=/; HttpOnly; SameSite=Lax%s",
				 secure ? "__Host-sales_crm" : "sales_crm", quote->cookie,
				 secure ? "; Secure" : "");
		request_header(request, "Set-Cookie", header);
	}
	session_csrf(request->cookie, request->token, quote->csrf);
	quote->page.csrf = quote->csrf;
	/* A form that comes back keeps its key, so that it remains the same answer */
	if (quote->page.request_key == NULL)
	{
		session_random(quote->request_key, (KEY_SIZE - 1) / 2);
		quote->page.request_key = quote->request_key;
	}
	page_write(&request->body, &quote->page);
	request->cookie = NULL;
	request->policy = POLICY_PAGE;
	request_answer(request, status, "text/html; charset=utf-8");
}

void
quote_refused(Request *request, const Reply *reply)
{
	if (reply->outcome == UNAVAILABLE)
		route_error(request, MHD_HTTP_SERVICE_UNAVAILABLE);
	/* Texts that are no tokens at all are unknown links, too; and what a link has not is not there */
	else if (strcmp(reply->sqlstate, "SC103") == 0 || strcmp(reply->sqlstate, "SC102") == 0 ||
			 strncmp(reply->sqlstate, "22", 2) == 0)
		route_error(request, MHD_HTTP_NOT_FOUND);
	else
		route_error(request, MHD_HTTP_INTERNAL_SERVER_ERROR);
}

bool
quote_is_handed_back(Request *request)
{
	const char *cookie = MHD_lookup_connection_value(
		request->connection, MHD_COOKIE_KIND,
		config_is_secure(request->config) ? "__Host-sales_crm_done" : "sales_crm_done");
	char mark[KEY_SIZE];

	if (cookie == NULL)
		return false;
	session_mark(request->token, mark);
	return strcmp(cookie, mark) == 0;
}

void
quote_page(Request *request)
{
	Quote quote;

	if (quote_is_handed_back(request))
	{
		request_redirect(request, "/thanks");
		return;
	}
	if (!quote_open(request, &quote))
		return;
	quote_render(request, &quote, MHD_HTTP_OK);
	quote_close(&quote);
}

void
quote_document(Request *request)
{
	const char *values[] = {request->token, request->address_sql, request->user_agent};
	Reply reply;

	if (quote_is_handed_back(request))
	{
		request_redirect(request, "/thanks");
		return;
	}
	reply = pool_call(QUOTE_DOCUMENT, values, NULL);
	if (reply.outcome != DONE)
	{
		quote_refused(request, &reply);
		return;
	}
	/* A quote that was withdrawn has none */
	if (PQgetisnull(reply.result, 0, 0))
		buffer_text(&request->body, "<!DOCTYPE html>\n<title>-</title>\n");
	else
		buffer_bytes(&request->body, PQgetvalue(reply.result, 0, 0),
					 (size_t) PQgetlength(reply.result, 0, 0));
	PQclear(reply.result);
	request->policy = POLICY_DOCUMENT;
	request_answer(request, MHD_HTTP_OK, "text/html; charset=utf-8");
}

void
quote_pdf(Request *request)
{
	const char *values[] = {request->token};
	Reply reply;

	if (quote_is_handed_back(request))
	{
		request_redirect(request, "/thanks");
		return;
	}
	reply = pool_call(QUOTE_PDF, values, NULL);
	if (reply.outcome != DONE)
	{
		quote_refused(request, &reply);
		return;
	}
	if (true_at(reply.result, 2))
	{
		buffer_bytes(&request->body, PQgetvalue(reply.result, 0, 1),
					 (size_t) PQgetlength(reply.result, 0, 1));
		name_file(request, PQgetvalue(reply.result, 0, 0));
		request_answer(request, MHD_HTTP_OK, "application/pdf");
	}
	else
	{
		route_message(request, MHD_HTTP_ACCEPTED, MESSAGE_PDF_WAIT, NULL);
		request_header(request, "Retry-After", "3");
	}
	PQclear(reply.result);
}

void
quote_calendar(Request *request)
{
	const char *values[] = {request->token};
	Reply reply = pool_call(CALENDAR, values, NULL);

	if (reply.outcome != DONE)
	{
		quote_refused(request, &reply);
		return;
	}
	buffer_bytes(&request->body, PQgetvalue(reply.result, 0, 0),
				 (size_t) PQgetlength(reply.result, 0, 0));
	PQclear(reply.result);
	request_answer(request, MHD_HTTP_OK, "text/calendar; charset=utf-8");
}

/* state_of: what is not known is not open for an answer */
static PageState
state_of(const char *status)
{
	static const struct
	{
		const char *status;
		PageState state;
	} states[] = {
		{"sent", PAGE_OPEN},
		{"viewed", PAGE_OPEN},
		{"signed", PAGE_SIGNED},
		{"change_requested", PAGE_CHANGE_REQUESTED},
		{"declined", PAGE_DECLINED},
		{"expired", PAGE_EXPIRED},
		{"superseded", PAGE_SUPERSEDED},
	};

	for (size_t i = 0; status != NULL && i < sizeof(states) / sizeof(states[0]); i++)
	{
		if (strcmp(status, states[i].status) == 0)
			return states[i].state;
	}
	return PAGE_WITHDRAWN;
}

static const char *
text_at(const PGresult *result, int column)
{
	return PQgetisnull(result, 0, column) || PQgetlength(result, 0, column) == 0
			   ? NULL
			   : PQgetvalue(result, 0, column);
}

static bool
true_at(const PGresult *result, int column)
{
	return strcmp(PQgetvalue(result, 0, column), "true") == 0;
}

/* name_file: Content-Disposition with the name for all clients (RFC 6266) */
static void
name_file(Request *request, const char *name)
{
	Buffer header = {0};

	buffer_text(&header, "inline; filename=\"quote.pdf\"; filename*=UTF-8''");
	for (const unsigned char *c = (const unsigned char *) name; *c != '\0'; c++)
	{
		if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.", *c) != NULL)
			buffer_bytes(&header, c, 1);
		else
			buffer_printf(&header, "%%%02X", *c);
	}
	request_header(request, "Content-Disposition", header.data);
	buffer_free(&header);
}
