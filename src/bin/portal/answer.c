/*
 * answer.c
 *		What a customer does: every one of these needs a form that this server gave to this browser.
 *
 * What was sent is looked at here for the customer's sake only, so that problems stand beside their
 * fields; the database decides. After an answer the browser is sent on, so that reloading the page
 * does not send it again; if it does, the key of the form makes it the same answer.
 */
#include <stdio.h>
#include <string.h>

#include <gnutls/gnutls.h>

#include "answer.h"
#include "quote.h"
#include "route.h"

#define CONFIRMED "yes"
#define DATA_URI "data:image/png;base64,"
#define NAME_CHARACTERS 200
#define NOTE_CHARACTERS 10000

static bool take_form(Request *request, Quote *quote, PageForm form);
static bool check_csrf(Request *request, CsrfVerdict *verdict);
static void keep_typed(const Request *request, PageData *page, PageForm form);
static bool check_person(PageData *page, bool email_needed);
static bool has_problem(const PageData *page);
static Text check_length(const char *text, size_t most, Text missing, Text too_long);
static size_t characters(const char *text);
static bool is_email(const char *text);
static bool decode(const char *base64, gnutls_datum_t *png);
static void finish(Request *request, Quote *quote, Reply reply);
static void show_again(Request *request, Quote *quote, const char *sqlstate, const char *column);
static void go_on(Request *request);
static void make_path(const Request *request, const char *token, char path[MAX_PATH * 2]);
static const char *or_null(const char *text);

/* answer_viewed: a person looks at the page; page.js says so */
void
answer_viewed(Request *request)
{
	const char *values[] = {request->token, request->address_sql, request->user_agent};
	CsrfVerdict verdict;
	Reply reply;

	if (!check_csrf(request, &verdict))
		return;
	if (verdict != CSRF_GOOD)
	{
		route_error(request, MHD_HTTP_FORBIDDEN);
		return;
	}
	reply = pool_call(RECORD_VIEW, values, NULL);
	if (reply.outcome == DONE)
		request_answer(request, MHD_HTTP_NO_CONTENT, NULL);
	else
		quote_refused(request, &reply);
	PQclear(reply.result);
}

void
answer_sign(Request *request)
{
	Quote quote;
	PageData *page = &quote.page;
	gnutls_datum_t png = {NULL, 0};
	Buffer consent = {0};
	Reply reply = {0};

	if (!take_form(request, &quote, PAGE_SIGN))
		return;
	check_person(page, true);
	if (strcmp(page->consent.value, CONFIRMED) != 0)
		page->consent.problem = TEXT_CONSENT_MISSING;
	if (request->fields[FIELD_SIGNATURE].too_long ||
		(*page->signature.value != '\0' && !decode(page->signature.value, &png)))
	{
		page->signature = (PageField){"", TEXT_SIGNATURE_WRONG};
	}
	if (page->needs_code && page->state == PAGE_OPEN && !has_problem(page))
	{
		const char *values[] = {request->token, page->code.value};

		page->code_sent = true;
		/* The attempt is spent, in a transaction of its own, before the code is looked at */
		reply = pool_call(PRESENT_SIGNING_CODE, values, NULL);
		PQclear(reply.result);
		if (reply.outcome == REFUSED && strcmp(reply.sqlstate, "SC108") == 0)
			page->code = (PageField){"", TEXT_CODE_SPENT};
	}
	if (has_problem(page))
		quote_render(request, &quote, MHD_HTTP_UNPROCESSABLE_CONTENT);
	else
	{
		const char *values[] = {request->token,
								request_field(request, FIELD_SNAPSHOT),
								page->name.value,
								page->email.value,
								(const char *) png.data,
								request->address_sql,
								request->user_agent,
								or_null(request_field(request, FIELD_REQUEST_KEY)),
								NULL,
								or_null(page->code.value)};
		const int lengths[] = {-1, -1, -1, -1, png.data == NULL ? -1 : (int) png.size,
							   -1, -1, -1, -1, -1};

		page_consent(&consent, page);
		values[8] = consent.data;
		finish(request, &quote, pool_call(SIGN_QUOTE, values, lengths));
	}
	buffer_free(&consent);
	gnutls_free(png.data);
	quote_close(&quote);
}

void
answer_change(Request *request)
{
	Quote quote;
	PageData *page = &quote.page;

	if (!take_form(request, &quote, PAGE_CHANGE))
		return;
	check_person(page, true);
	page->note.problem =
		request->fields[FIELD_NOTE].too_long
			? TEXT_NOTE_LONG
			: check_length(page->note.value, NOTE_CHARACTERS, TEXT_NOTE_MISSING, TEXT_NOTE_LONG);
	if (has_problem(page))
		quote_render(request, &quote, MHD_HTTP_UNPROCESSABLE_CONTENT);
	else
	{
		const char *values[] = {request->token,
								page->note.value,
								page->name.value,
								page->email.value,
								request->address_sql,
								request->user_agent,
								or_null(request_field(request, FIELD_REQUEST_KEY))};

		finish(request, &quote, pool_call(REQUEST_CHANGE, values, NULL));
	}
	quote_close(&quote);
}

void
answer_decline(Request *request)
{
	Quote quote;
	PageData *page = &quote.page;

	if (!take_form(request, &quote, PAGE_DECLINE))
		return;
	if (strcmp(page->confirm.value, CONFIRMED) != 0)
		page->confirm.problem = TEXT_CONFIRM_MISSING;
	page->reason.problem =
		request->fields[FIELD_REASON].too_long
			? TEXT_NOTE_LONG
			: check_length(page->reason.value, NOTE_CHARACTERS, TEXT_NONE, TEXT_NOTE_LONG);
	if (has_problem(page))
		quote_render(request, &quote, MHD_HTTP_UNPROCESSABLE_CONTENT);
	else
	{
		/* The form does not ask who: whoever has the link */
		const char *values[] = {request->token,
								or_null(page->reason.value),
								NULL,
								NULL,
								request->address_sql,
								request->user_agent,
								or_null(request_field(request, FIELD_REQUEST_KEY))};

		finish(request, &quote, pool_call(DECLINE_QUOTE, values, NULL));
	}
	quote_close(&quote);
}

/* answer_code: mails the code that signing needs; what was typed stays */
void
answer_code(Request *request)
{
	const char *values[] = {request->token};
	Quote quote;
	Reply reply;

	if (!take_form(request, &quote, PAGE_SIGN))
		return;
	reply = pool_call(REQUEST_SIGNING_CODE, values, NULL);
	PQclear(reply.result);
	if (reply.outcome == DONE)
	{
		quote.page.code_sent = true;
		quote.page.code = (PageField){"", TEXT_NONE};
		quote_render(request, &quote, MHD_HTTP_OK);
	}
	else if (reply.outcome == REFUSED && strcmp(reply.sqlstate, "SC108") == 0)
	{
		quote.page.alert = TEXT_CODE_SPENT;
		quote_render(request, &quote, MHD_HTTP_CONFLICT);
	}
	else if (reply.outcome == REFUSED && strncmp(reply.sqlstate, "SC10", 4) == 0 &&
			 strcmp(reply.sqlstate, "SC103") != 0)
		quote_render(request, &quote, MHD_HTTP_CONFLICT);
	else
		quote_refused(request, &reply);
	quote_close(&quote);
}

/* answer_follow: to the version that has replaced this one */
void
answer_follow(Request *request)
{
	const char *values[] = {request->token};
	Quote quote;
	Reply reply;
	char path[MAX_PATH * 2];

	if (!take_form(request, &quote, PAGE_NO_FORM))
		return;
	reply = pool_call(FOLLOW_QUOTE, values, NULL);
	if (reply.outcome == DONE && !PQgetisnull(reply.result, 0, 0) &&
		PQgetlength(reply.result, 0, 0) < MAX_PATH)
	{
		make_path(request, PQgetvalue(reply.result, 0, 0), path);
		request_redirect(request, path);
	}
	else if (reply.outcome == DONE ||
			 (reply.outcome == REFUSED && strcmp(reply.sqlstate, "SC103") != 0))
		quote_render(request, &quote, MHD_HTTP_CONFLICT);
	else
		quote_refused(request, &reply);
	PQclear(reply.result);
	quote_close(&quote);
}

/*
 * take_form: the body, the token of the form, and the quote that it is about, with what was typed.
 * False when an answer is set.
 */
static bool
take_form(Request *request, Quote *quote, PageForm form)
{
	CsrfVerdict verdict;

	if (!check_csrf(request, &verdict) || !quote_open(request, quote))
		return false;
	keep_typed(request, &quote->page, form);
	if (verdict == CSRF_GOOD)
		return true;
	/* The form was ours, but has been open for too long */
	quote->page.alert = TEXT_FORM_OLD;
	quote_render(request, quote, MHD_HTTP_FORBIDDEN);
	quote_close(quote);
	return false;
}

static bool
check_csrf(Request *request, CsrfVerdict *verdict)
{
	char path[MAX_PATH + 4];

	if (!request_finish_body(request))
	{
		route_error(request, MHD_HTTP_BAD_REQUEST);
		return false;
	}
	*verdict =
		session_csrf_check(request->cookie, request->token, request_field(request, FIELD_CSRF));
	if (*verdict != CSRF_BAD)
		return true;
	snprintf(path, sizeof(path), "/q/%s", request->token);
	route_message(request, MHD_HTTP_FORBIDDEN, MESSAGE_FORM_OLD, path);
	return false;
}

static void
keep_typed(const Request *request, PageData *page, PageForm form)
{
	PageField *const fields[] = {&page->name,	 &page->email,	 &page->note,	   &page->reason,
								 &page->consent, &page->confirm, &page->signature, &page->code};
	const Field names[] = {FIELD_NAME,	  FIELD_EMAIL,	 FIELD_NOTE,	  FIELD_REASON,
						   FIELD_CONSENT, FIELD_CONFIRM, FIELD_SIGNATURE, FIELD_CODE};
	const char *key = request_field(request, FIELD_REQUEST_KEY);

	page->form = form;
	for (int i = 0; i < 8; i++)
		*fields[i] = (PageField){request_field(request, names[i]), TEXT_NONE};
	if (strncmp(page->signature.value, DATA_URI, strlen(DATA_URI)) == 0)
		page->signature.value += strlen(DATA_URI);
	if (*key != '\0')
		page->request_key = key;
	page->code_sent = page->needs_code && request->fields[FIELD_CODE].sent;
}

static bool
check_person(PageData *page, bool email_needed)
{
	page->name.problem =
		check_length(page->name.value, NAME_CHARACTERS, TEXT_NAME_MISSING, TEXT_NAME_LONG);
	if (email_needed && *page->email.value == '\0')
		page->email.problem = TEXT_EMAIL_MISSING;
	else if (*page->email.value != '\0' && !is_email(page->email.value))
		page->email.problem = TEXT_EMAIL_WRONG;
	return page->name.problem == TEXT_NONE && page->email.problem == TEXT_NONE;
}

static bool
has_problem(const PageData *page)
{
	return page->name.problem != TEXT_NONE || page->email.problem != TEXT_NONE ||
		   page->note.problem != TEXT_NONE || page->reason.problem != TEXT_NONE ||
		   page->consent.problem != TEXT_NONE || page->confirm.problem != TEXT_NONE ||
		   page->signature.problem != TEXT_NONE || page->code.problem != TEXT_NONE;
}

static Text
check_length(const char *text, size_t most, Text missing, Text too_long)
{
	if (*text == '\0')
		return missing;
	return characters(text) > most ? too_long : TEXT_NONE;
}

static size_t
characters(const char *text)
{
	size_t count = 0;

	for (; *text != '\0'; text++)
		count += ((unsigned char) *text & 0xc0) != 0x80;
	return count;
}

/* is_email: one that could be: the database and the mail server know better */
static bool
is_email(const char *text)
{
	const char *at = strchr(text, '@');

	return at != NULL && at > text && at[1] != '\0' && strchr(at + 1, '@') == NULL &&
		   strpbrk(text, " \t\n<>,;\"()") == NULL && strlen(text) <= 320;
}

static bool
decode(const char *base64, gnutls_datum_t *png)
{
	gnutls_datum_t in = {(unsigned char *) base64, (unsigned) strlen(base64)};

	return gnutls_base64_decode2(&in, png) == 0;
}

/* finish: what the database made of an answer */
static void
finish(Request *request, Quote *quote, Reply reply)
{
	switch (reply.outcome)
	{
		case DONE:
			go_on(request);
			break;
		case REFUSED:
			if (strcmp(reply.sqlstate, "SC103") == 0)
				route_error(request, MHD_HTTP_NOT_FOUND);
			else
				show_again(request, quote, reply.sqlstate, reply.column);
			break;
		default:
			quote_refused(request, &reply);
	}
	PQclear(reply.result);
}

/* show_again: the page as it is now, with what was wrong. The answer may have come too late. */
static void
show_again(Request *request, Quote *quote, const char *sqlstate, const char *column)
{
	PageForm form = quote->page.form;
	bool code_sent = quote->page.code_sent;
	PageData *page = &quote->page;

	quote_close(quote);
	if (!quote_open(request, quote))
		return;
	keep_typed(request, page, form);
	page->code_sent = code_sent;
	if (strcmp(sqlstate, "SC108") == 0)
		page->code = (PageField){"", TEXT_CODE_WRONG};
	else if (strcmp(sqlstate, "SC105") == 0)
		page->alert = TEXT_QUOTE_CHANGED;
	else if (strcmp(sqlstate, "SC107") == 0)
		page->request_key = NULL;
	else if (strcmp(column, "signature_png") == 0 ||
			 (strcmp(sqlstate, "22023") == 0 && *page->signature.value != '\0'))
		page->signature = (PageField){"", TEXT_SIGNATURE_WRONG};
	else if (strncmp(sqlstate, "2", 1) == 0)
		page->email.problem = TEXT_EMAIL_WRONG;
	quote_render(request, quote,
				 strncmp(sqlstate, "SC10", 4) == 0 && strcmp(sqlstate, "SC108") != 0
					 ? MHD_HTTP_CONFLICT
					 : MHD_HTTP_UNPROCESSABLE_CONTENT);
}

/* go_on: to the page, which shows the answer; on the seller's tablet to one that shows nothing */
static void
go_on(Request *request)
{
	char path[MAX_PATH * 2];
	char header[200];
	char mark[KEY_SIZE];
	bool secure = config_is_secure(request->config);

	if (request->direct)
	{
		session_mark(request->token, mark);
		snprintf(header, sizeof(header), "%s=%s; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax%s",
				 secure ? "__Host-sales_crm_done" : "sales_crm_done", mark,
				 secure ? "; Secure" : "");
		request_header(request, "Set-Cookie", header);
		snprintf(path, sizeof(path), "/thanks%s%s", request->locale != NULL ? "?lang=" : "",
				 request->locale != NULL ? request->locale : "");
	}
	else
		make_path(request, request->token, path);
	request_redirect(request, path);
}

/* make_path: to the page of a link, in the same language and mode */
static void
make_path(const Request *request, const char *token, char path[MAX_PATH * 2])
{
	snprintf(path, MAX_PATH * 2, "/q/%s%s%s%s", token, request->locale != NULL ? "?lang=" : "",
			 request->locale != NULL ? request->locale : "",
			 !request->direct		   ? ""
			 : request->locale != NULL ? "&direct"
									   : "?direct");
}

static const char *
or_null(const char *text)
{
	return *text == '\0' ? NULL : text;
}
