/*
 * fuzz_portal.c
 *		Promise: the portal takes links, cookies, forms' secrets and texts of any bytes: it reads and
 *		writes where it may, makes no token out of anything but one part of a path, believes no
 *		secret that it did not make, and lets no text of users become markup.
 *
 * Input: texts that end with a byte 0: what stands in the request's first line, a cookie, a form's
 * secret, and a text for all that pages show.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/bin/portal/config.h"
#include "../../src/bin/portal/page.h"
#include "../../src/bin/portal/request.h"
#include "../../src/bin/portal/route.h"
#include "../../src/bin/portal/session.h"

/* A macro, so that the line shows */
#define require(condition) ((condition) ? (void) 0 : (fprintf(stderr, "line %d\n", __LINE__), abort()))

/* next_text copies the next text, so that each has its own bounds. */
static char *
next_text(const uint8_t **at, const uint8_t *end)
{
	const uint8_t *zero = memchr(*at, 0, (size_t) (end - *at));
	size_t length = (size_t) ((zero != NULL ? zero : end) - *at);
	char *text = malloc(length + 1);

	require(text != NULL);
	memcpy(text, *at, length);
	text[length] = '\0';
	*at += length + (zero != NULL);
	return text;
}

static size_t
count(const Buffer *page, const char *bytes)
{
	size_t found = 0;

	for (size_t i = 0; i < page->length; i++)
		found += strchr(bytes, page->data[i]) != NULL;
	return found;
}

/* write_page: one with a form that came back, so that all texts are in it */
static void
write_page(Buffer *page, int state, const char *text, const char *date)
{
	PageData data = {
		.frame = {LANGUAGE_FR, "/a.css", "/a.js"}, .path = "/q/T", .state = (PageState) (state % 7),
		.number = text, .version = 2, .title = text, .gross = text, .valid_until = date,
		.company = text, .company_logo = state & 8 ? text : NULL, .company_email = text, .seller = text,
		.seller_email = text, .seller_phone = text, .recipient_email = text, .signer = text,
		.answered_at = date, .has_pdf = true, .has_successor = true, .csrf = text, .request_key = text,
		.snapshot = text, .form = (PageForm) (state % 4), .name = {text, TEXT_NAME_LONG},
		.email = {text, TEXT_EMAIL_WRONG}, .note = {text, TEXT_NOTE_LONG}, .reason = {text, TEXT_NOTE_LONG},
		.consent = {"", TEXT_CONSENT_MISSING}, .confirm = {"", TEXT_CONFIRM_MISSING},
		.signature = {text, TEXT_SIGNATURE_WRONG}, .needs_code = true, .code_sent = true,
		.code = {text, TEXT_CODE_WRONG},
	};

	page_write(page, &data);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static Config config;
	static bool ready;
	const uint8_t *at = bytes;
	const uint8_t *end = bytes + size;
	char *uri = next_text(&at, end);
	char *cookie = next_text(&at, end);
	char *secret = next_text(&at, end);
	char *text = next_text(&at, end);
	int state = at < end ? *at : 0;
	Request *request;
	const Route *route;
	char made[CSRF_SIZE];
	Buffer page = {0};
	Buffer plain = {0};
	Network network;

	if (!ready)
	{
		config_default(&config);
		require(session_start(NULL));
		ready = true;
	}

	/* The link */
	request = request_create(&config, uri);
	route = route_find(request);
	require(strlen(request->path) < MAX_PATH && strlen(request->token) < MAX_PATH);
	if (route == NULL)
		require(request->token[0] == '\0');
	else if (strstr(route->path, "TOKEN") != NULL)
	{
		size_t before = (size_t) (strstr(route->path, "TOKEN") - route->path);

		require(request->token[0] != '\0' && strchr(request->token, '/') == NULL);
		require(strncmp(uri, route->path, before) == 0 &&
				strncmp(uri + before, request->token, strlen(request->token)) == 0);
	}

	/* The secrets */
	require(strlen(cookie) == COOKIE_SIZE - 1 || !session_cookie_is_valid(cookie));
	require(session_csrf_check(cookie, request->token, secret) != CSRF_GOOD);
	if (session_cookie_is_valid(cookie))
	{
		session_csrf(cookie, request->token, made);
		require(session_csrf_check(cookie, request->token, made) == CSRF_GOOD);
		require(session_csrf_check(cookie, "another", made) == CSRF_BAD ||
				strcmp(request->token, "another") == 0);
	}
	network_parse(uri, &network);
	locale_of(text, strlen(text));
	request_free(request);

	/* The texts: as much markup as with harmless ones */
	write_page(&page, state, text, "2026-01-02 03:04");
	write_page(&plain, state, *text != '\0' ? "x" : "", "2026-01-02 03:04");
	require(count(&page, "<>\"'") == count(&plain, "<>\"'"));
	buffer_free(&page);
	buffer_free(&plain);
	write_page(&page, state, "x", text);
	buffer_free(&page);
	page_brand_css(&page, text);
	require(page.length == 0 || (count(&page, "{}") == 2 && strlen(text) == 7));
	buffer_free(&page);

	free(uri);
	free(cookie);
	free(secret);
	free(text);
	return 0;
}
