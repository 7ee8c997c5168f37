/*
 * quote.h
 *		What is read: the page of a quote, its document, its PDF; a calendar.
 */
#ifndef PORTAL_QUOTE_H
#define PORTAL_QUOTE_H

#include "page.h"
#include "pool.h"
#include "request.h"

/* What a link opens; its texts live as long as the reply and the request */
typedef struct Quote
{
	PageData page;
	Reply reply;
	char path[MAX_PATH + 4];
	char brand_css[40];
	char csrf[CSRF_SIZE];
	char request_key[KEY_SIZE];
	char cookie[COOKIE_SIZE];
} Quote;

/* Opens the quote of the request's token; false when an answer that says why not is set */
extern bool quote_open(Request *request, Quote *quote);
extern void quote_close(Quote *quote);

/* Answers with the page, and with a cookie for who has none */
extern void quote_render(Request *request, Quote *quote, int status);

/* Answers for what the database did not do, as every route does: 404, 503 or 500 */
extern void quote_refused(Request *request, const Reply *reply);

/* The link was answered on the seller's tablet, and is closed there */
extern bool quote_is_handed_back(Request *request);

extern void quote_page(Request *request);
extern void quote_document(Request *request);
extern void quote_pdf(Request *request);
extern void quote_calendar(Request *request);

#endif /* PORTAL_QUOTE_H */
