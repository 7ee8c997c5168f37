/*
 * page.c
 *		The pages that customers see: all of it HTML that works without scripts; page.js adds the
 *		drawn signature, and page.css the look.
 *
 * One page has everything: the quote in a frame of its own, what may be answered, and what was
 * answered. A form that was not accepted comes back with what was typed and with what is wrong
 * beside each field.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "page.h"
#include "page_form.h"

static void write_head(Buffer *out, const PageFrame *frame, const PageData *data, Text title);
static void write_top(Buffer *out, const PageData *data);
static void write_languages(Buffer *out, const PageData *data);
static void write_summary(Buffer *out, const PageData *data);
static void write_status(Buffer *out, const PageData *data);
static void write_contact(Buffer *out, const PageData *data);
static void write_document(Buffer *out, const PageData *data);
static void write_bar(Buffer *out, const PageData *data);

void
page_write(Buffer *out, const PageData *data)
{
	write_head(out, &data->frame, data, TEXT_NONE);
	buffer_format(out, "<body class=\"%s%s\">\n", data->state == PAGE_OPEN ? "open" : "closed",
				  data->direct ? " direct" : "");
	if (data->state == PAGE_OPEN)
		buffer_format(out, "<a class=\"skip\" href=\"#answer\">%s</a>\n",
					  page_say(data, TEXT_SKIP));
	write_top(out, data);
	buffer_text(out, "<main>\n");
	if (data->state != PAGE_OPEN)
		write_status(out, data);
	write_summary(out, data);
	if (data->state != PAGE_WITHDRAWN)
		write_document(out, data);
	if (data->state == PAGE_OPEN)
	{
		write_bar(out, data);
		buffer_format(out, "<section id=\"answer\" aria-label=\"%s\">\n",
					  page_say(data, TEXT_ANSWER));
		page_write_forms(out, data);
		buffer_text(out, "</section>\n");
	}
	buffer_text(out, "</main>\n</body>\n</html>\n");
}

void
page_write_message(Buffer *out, const PageFrame *frame, PageMessage message, const char *path)
{
	static const struct
	{
		Text title;
		Text text;
		const char *refresh; /* seconds */
	} messages[] = {
		[MESSAGE_UNKNOWN] = {TEXT_UNKNOWN_TITLE, TEXT_UNKNOWN, NULL},
		[MESSAGE_NOT_FOUND] = {TEXT_NOT_FOUND_TITLE, TEXT_NOT_FOUND, NULL},
		[MESSAGE_METHOD] = {TEXT_BAD_REQUEST_TITLE, TEXT_BAD_REQUEST, NULL},
		[MESSAGE_BAD_REQUEST] = {TEXT_BAD_REQUEST_TITLE, TEXT_BAD_REQUEST, NULL},
		[MESSAGE_FORM_OLD] = {TEXT_FORM_OLD_TITLE, TEXT_FORM_OLD, NULL},
		[MESSAGE_TOO_MANY] = {TEXT_TOO_MANY_TITLE, TEXT_TOO_MANY, NULL},
		[MESSAGE_UNAVAILABLE] = {TEXT_UNAVAILABLE_TITLE, TEXT_UNAVAILABLE, NULL},
		[MESSAGE_ERROR] = {TEXT_ERROR_TITLE, TEXT_ERROR, NULL},
		[MESSAGE_PDF_WAIT] = {TEXT_PDF_WAIT_TITLE, TEXT_PDF_WAIT, "3"},
		[MESSAGE_HANDED_BACK] = {TEXT_HANDED_BACK_TITLE, TEXT_HANDED_BACK, NULL},
	};

	write_head(out, frame, NULL, messages[message].title);
	if (messages[message].refresh != NULL)
		buffer_format(out, "<meta http-equiv=\"refresh\" content=\"%s\">\n",
					  messages[message].refresh);
	buffer_text(out, "</head>\n");
	buffer_format(out, "<body class=\"message\">\n<main>\n<h1>%s</h1>\n<p>%s</p>\n",
				  text_of(frame->language, messages[message].title),
				  text_of(frame->language, messages[message].text));
	if (path != NULL)
		buffer_format(out, "<p><a class=\"button\" href=\"%s\">%s</a></p>\n", path,
					  text_of(frame->language, TEXT_BACK));
	buffer_text(out, "</main>\n</body>\n</html>\n");
}

void
page_consent(Buffer *out, const PageData *data)
{
	const char *values[] = {data->number, data->company, data->gross};
	const char *text = page_say(data, TEXT_CONSENT);

	for (int i = 0; *text != '\0'; i++)
	{
		size_t plain = strcspn(text, "%");

		buffer_bytes(out, text, plain);
		text += plain;
		if (*text == '\0')
			break;
		if (i < 3 && values[i] != NULL)
			buffer_text(out, values[i]);
		text += strlen("%s");
	}
}

void
page_brand_css(Buffer *out, const char *color)
{
	/* The luminance that has a contrast of 5 to white, and so the 4.5 that WCAG 2.2 asks for to the
	   light grey of the page */
	const double allowed = 1.05 / 5 - 0.05;
	const double weights[] = {0.2126, 0.7152, 0.0722};
	double linear[3];
	double luminance = 0;
	unsigned long rgb;
	char *end;

	if (color == NULL || color[0] != '#' || strspn(color + 1, "0123456789abcdefABCDEF") != 6 ||
		color[7] != '\0')
		return;
	rgb = strtoul(color + 1, &end, 16);
	for (int i = 0; i < 3; i++)
	{
		double channel = (double) ((rgb >> (16 - 8 * i)) & 255) / 255;

		linear[i] = channel <= 0.04045 ? channel / 12.92 : pow((channel + 0.055) / 1.055, 2.4);
		luminance += weights[i] * linear[i];
	}
	buffer_printf(out, ":root{--brand:%s;--ink:#", color);
	for (int i = 0; i < 3; i++)
	{
		double channel = luminance > allowed ? linear[i] * allowed / luminance : linear[i];

		channel = channel <= 0.0031308 ? channel * 12.92 : 1.055 * pow(channel, 1 / 2.4) - 0.055;
		/* Down, so that the contrast holds; what is dark enough comes out as it was */
		buffer_printf(out, "%02x", (unsigned) floor(255 * channel + 1e-6));
	}
	buffer_text(out, "}\n");
}

/* write_head opens the document; title is that of a page without a quote. */
static void
write_head(Buffer *out, const PageFrame *frame, const PageData *data, Text title)
{
	buffer_format(out,
				  "<!DOCTYPE html>\n<html lang=\"%s\">\n<head>\n<meta charset=\"utf-8\">\n"
				  "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
				  "<meta name=\"robots\" content=\"noindex\">\n<title>",
				  text_language_code(frame->language));
	if (data != NULL)
		buffer_format(out, "%s %s – %s", page_say(data, TEXT_QUOTE), data->number, data->company);
	else
		buffer_html(out, text_of(frame->language, title));
	buffer_format(out,
				  "</title>\n<link rel=\"icon\" href=\"data:,\">\n"
				  "<link rel=\"stylesheet\" href=\"%s\">\n",
				  frame->css);
	if (data != NULL && data->brand_css != NULL)
		buffer_format(out, "<link rel=\"stylesheet\" href=\"%s\">\n", data->brand_css);
	if (data != NULL)
		buffer_format(out, "<script src=\"%s\" defer></script>\n", frame->js);
	if (data != NULL)
		buffer_text(out, "</head>\n");
}

static void
write_top(Buffer *out, const PageData *data)
{
	buffer_text(out, "<header class=\"top\">\n");
	if (data->company_logo != NULL)
		buffer_format(out, "<img class=\"logo\" src=\"%s\" alt=\"%s\">\n", data->company_logo,
					  data->company);
	else
		buffer_format(out, "<p class=\"wordmark\">%s</p>\n", data->company);
	write_languages(out, data);
	buffer_text(out, "</header>\n");
}

static void
write_languages(Buffer *out, const PageData *data)
{
	buffer_format(out, "<nav class=\"languages\" aria-label=\"%s\">\n<ul>\n",
				  page_say(data, TEXT_LANGUAGE));
	for (int i = 0; i < LANGUAGES; i++)
	{
		const char *code = text_language_code((Language) i);

		buffer_format(out, "<li><a href=\"%s?lang=%s%s\" hreflang=\"%s\" lang=\"%s\"%s", data->path,
					  code, data->direct ? "&direct" : "", code, code,
					  i == (int) data->frame.language ? " aria-current=" : "");
		if (i == (int) data->frame.language)
			buffer_text(out, "\"true\"");
		buffer_format(out, " aria-label=\"%s, %s\">%s</a></li>\n", code,
					  text_language_name((Language) i), code);
	}
	buffer_text(out, "</ul>\n</nav>\n");
}

static void
write_summary(Buffer *out, const PageData *data)
{
	const char *title = data->state == PAGE_OPEN ? "h1" : "h2";

	buffer_format(out, "<section class=\"summary\">\n<%s>%s <span class=\"number\">%s</span>",
				  title, page_say(data, TEXT_QUOTE), data->number);
	if (data->version > 1)
		buffer_format(out, ", %s %d", page_say(data, TEXT_VERSION), data->version);
	buffer_format(out, "</%s>\n", title);
	if (data->title != NULL)
		buffer_format(out, "<p class=\"title\">%s</p>\n", data->title);
	buffer_format(out, "<dl>\n<div class=\"total\"><dt>%s</dt><dd>%s</dd></div>\n",
				  page_say(data, TEXT_TOTAL), data->gross);
	if (data->valid_until != NULL)
	{
		buffer_format(out, "<div><dt>%s</dt><dd>", page_say(data, TEXT_VALID_UNTIL));
		text_date(out, data->frame.language, data->valid_until);
		buffer_text(out, "</dd></div>\n");
	}
	if (data->seller != NULL)
	{
		buffer_format(out, "<div><dt>%s</dt><dd>", page_say(data, TEXT_CONTACT));
		write_contact(out, data);
		buffer_text(out, "</dd></div>\n");
	}
	buffer_text(out, "</dl>\n</section>\n");
}

/* write_contact: whom to ask. On the seller's tablet nothing leads away from the page. */
static void
write_contact(Buffer *out, const PageData *data)
{
	const char *email = data->seller_email != NULL ? data->seller_email : data->company_email;

	buffer_html(out, data->seller != NULL ? data->seller : data->company);
	if (email != NULL && !data->direct)
		buffer_format(out, "<br><a href=\"mailto:%s\">%s</a>", email, email);
	if (data->seller_phone != NULL && !data->direct)
		buffer_format(out, "<br><a href=\"tel:%s\">%s</a>", data->seller_phone, data->seller_phone);
}

/* write_status says what became of the quote. */
static void
write_status(Buffer *out, const PageData *data)
{
	static const struct
	{
		const char *class;
		Text title;
	} states[] = {
		[PAGE_OPEN] = {"", TEXT_NONE},
		[PAGE_SIGNED] = {"good", TEXT_SIGNED_TITLE},
		[PAGE_CHANGE_REQUESTED] = {"good", TEXT_CHANGE_REQUESTED_TITLE},
		[PAGE_DECLINED] = {"plain", TEXT_DECLINED_TITLE},
		[PAGE_EXPIRED] = {"late", TEXT_EXPIRED_TITLE},
		[PAGE_SUPERSEDED] = {"late", TEXT_SUPERSEDED_TITLE},
		[PAGE_WITHDRAWN] = {"late", TEXT_WITHDRAWN_TITLE},
	};

	buffer_format(out, "<section class=\"status %s\">\n<h1>%s</h1>\n", states[data->state].class,
				  page_say(data, states[data->state].title));
	switch (data->state)
	{
		case PAGE_OPEN:
			break;
		case PAGE_SIGNED:
			if (data->signer != NULL && data->answered_at != NULL)
			{
				Buffer moment = {0};

				text_date(&moment, data->frame.language, data->answered_at);
				buffer_text(out, "<p>");
				/* The moment holds nothing but digits and words of ours */
				buffer_format(out, page_say(data, TEXT_SIGNED), data->signer, moment.data);
				buffer_text(out, "</p>\n");
				buffer_free(&moment);
			}
			buffer_format(out, "<p>%s</p>\n", page_say(data, TEXT_SIGNED_NEXT));
			if (data->has_pdf && !data->direct)
				buffer_format(out,
							  "<p><a class=\"button primary\" href=\"%s/quote.pdf\">%s</a></p>\n",
							  data->path, page_say(data, TEXT_SIGNED_KEEP));
			break;
		case PAGE_CHANGE_REQUESTED:
			buffer_format(out, "<p>%s</p>\n", page_say(data, TEXT_CHANGE_REQUESTED));
			break;
		case PAGE_DECLINED:
			buffer_format(out, "<p>%s</p>\n<p>", page_say(data, TEXT_DECLINED));
			write_contact(out, data);
			buffer_text(out, "</p>\n");
			break;
		case PAGE_EXPIRED:
			if (data->valid_until != NULL)
			{
				Buffer day = {0};

				text_date(&day, data->frame.language, data->valid_until);
				buffer_text(out, "<p>");
				buffer_format(out, page_say(data, TEXT_EXPIRED), day.data);
				buffer_text(out, "</p>\n");
				buffer_free(&day);
			}
			buffer_format(out, "<p>%s<br>", page_say(data, TEXT_EXPIRED_NEXT));
			write_contact(out, data);
			buffer_text(out, "</p>\n");
			break;
		case PAGE_SUPERSEDED:
			buffer_format(out, "<p>%s</p>\n", page_say(data, TEXT_SUPERSEDED));
			if (data->has_successor)
			{
				buffer_format(out, "<form method=\"post\" action=\"%s/follow", data->path);
				page_write_query(out, data);
				buffer_text(out, "\">\n");
				page_write_hidden(out, "csrf", data->csrf);
				buffer_format(
					out,
					"<p><button class=\"button primary\" type=\"submit\">%s</button></p>\n</form>\n",
					page_say(data, TEXT_SUPERSEDED_LINK));
			}
			else
			{
				buffer_text(out, "<p>");
				write_contact(out, data);
				buffer_text(out, "</p>\n");
			}
			break;
		case PAGE_WITHDRAWN:
			buffer_format(out, "<p>%s<br>", page_say(data, TEXT_WITHDRAWN));
			write_contact(out, data);
			buffer_text(out, "</p>\n");
			break;
	}
	buffer_text(out, "</section>\n");
}

/* write_document: the quote as it was frozen, in a frame where no script runs. */
static void
write_document(Buffer *out, const PageData *data)
{
	buffer_format(out, "<section class=\"document\" aria-label=\"%s\">\n",
				  page_say(data, TEXT_DOCUMENT));
	buffer_format(
		out,
		"<iframe src=\"%s/document\" title=\"%s %s\" sandbox=\"allow-same-origin\"></iframe>\n",
		data->path, page_say(data, TEXT_QUOTE), data->number);
	if (data->has_pdf && !data->direct && data->state != PAGE_SIGNED)
		buffer_format(out, "<p class=\"download\"><a href=\"%s/quote.pdf\">%s</a></p>\n",
					  data->path, page_say(data, TEXT_PDF));
	buffer_text(out, "</section>\n");
}

static void
write_bar(Buffer *out, const PageData *data)
{
	buffer_format(out,
				  "<nav class=\"bar\" aria-label=\"%s\">\n<div>\n"
				  "<span class=\"bar-total\">%s</span>\n"
				  "<a class=\"button primary\" href=\"#sign\">%s</a>\n"
				  "<a class=\"button\" href=\"#change\">%s</a>\n"
				  "<a class=\"button\" href=\"#decline\">%s</a>\n",
				  page_say(data, TEXT_ANSWER), data->gross, page_say(data, TEXT_SIGN),
				  page_say(data, TEXT_CHANGE), page_say(data, TEXT_DECLINE));
	if (data->direct)
		buffer_format(out,
					  "<button class=\"button full-screen\" type=\"button\" hidden>%s</button>\n",
					  page_say(data, TEXT_FULL_SCREEN));
	buffer_text(out, "</div>\n</nav>\n");
}
