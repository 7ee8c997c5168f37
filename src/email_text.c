/*
 * email_text.c
 *		The texts of e-mails in their other forms: as HTML, for templates of plain text, without tokens.
 *
 * Memory: the caller's context.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"

#include "compat.h"
#include "email_text.h"
#include "render.h"

PG_FUNCTION_INFO_V1(scrm_render_text);

#define BEFORE_TOKEN "/q/"
#define TOKEN_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
#define TOKEN_HIDDEN 39
#define TOKEN_SHOWN 4

static text *replace_pattern(text *in, const char *pattern, const char *with);
static char *escape(const char *body);
static char *add_links(char *html, const char *color);
static void add_paragraphs(StringInfo to, const char *html);
static size_t line_break(const char *at);

/* template text, data jsonb: text */
Datum
scrm_render_text(PG_FUNCTION_ARGS)
{
	MustacheValue none = {.kind = MUSTACHE_OBJECT};
	MustacheValue data = render_tree(&PG_GETARG_JSONB_P(1)->root);
	size_t length;
	char *output = render_data(email_text_template(PG_GETARG_TEXT_PP(0)), &data, &none, &length);

	PG_RETURN_TEXT_P(cstring_to_text_with_len(output, length));
}

text *
email_text_template(text *template)
{
	return replace_pattern(template, "\\{\\{(?![{&#^/!>=])\\s*([^{}]*?)\\s*\\}\\}", "{{&\\1}}");
}

static text *
replace_pattern(text *in, const char *pattern, const char *with)
{
	return DatumGetTextPP(DirectFunctionCall4Coll(
		textregexreplace, DEFAULT_COLLATION_OID, PointerGetDatum(in), CStringGetTextDatum(pattern),
		CStringGetTextDatum(with), CStringGetTextDatum("g")));
}

char *
email_text_html(const char *body, const char *locale, const char *color)
{
	StringInfoData html;

	initStringInfo(&html);
	appendStringInfo(
		&html,
		"<!DOCTYPE html>\n"
		"<html lang=\"%.*s\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
		"content=\"width=device-width\"></head>\n"
		"<body style=\"margin: 0; padding: 24px; background: #f4f6f8; color: #1d2530; font: "
		"16px/1.5 system-ui, sans-serif\">\n"
		"<div style=\"max-width: 36rem; margin: 0 auto; padding: 24px; background: #ffffff; "
		"border-top: 4px solid %s; overflow-wrap: anywhere\">\n"
		"<p>",
		pg_mbcharcliplen(locale, (int) strlen(locale), 2), locale, color);
	add_paragraphs(&html, add_links(escape(body), color));
	appendStringInfoString(&html, "</p>\n</div>\n</body></html>\n");
	return html.data;
}

static char *
escape(const char *body)
{
	StringInfoData html;

	initStringInfo(&html);
	while (*body != '\0')
	{
		size_t plain = strcspn(body, "&<>\"");

		appendBinaryStringInfo(&html, body, (int) plain);
		body += plain;
		switch (*body)
		{
			case '\0':
				continue;
			case '&':
				appendStringInfoString(&html, "&amp;");
				break;
			case '<':
				appendStringInfoString(&html, "&lt;");
				break;
			case '>':
				appendStringInfoString(&html, "&gt;");
				break;
			case '"':
				appendStringInfoString(&html, "&quot;");
				break;
		}
		body++;
	}
	return html.data;
}

/* add_links makes links of addresses; what ends a sentence does not belong to them. */
static char *
add_links(char *html, const char *color)
{
	/* Most e-mails have none, and the pattern has to be tried at each character */
	if (strstr(html, "http://") == NULL && strstr(html, "https://") == NULL)
		return html;
	return text_to_cstring(
		replace_pattern(cstring_to_text(html), "(https?://[^\\s<>]*[^\\s<>.,;:!?)])",
						psprintf("<a href=\"\\1\" style=\"color: %s\">\\1</a>", color)));
}

/* add_paragraphs writes HTML with its lines and paragraphs marked, without white space around it. */
static void
add_paragraphs(StringInfo to, const char *html)
{
	const char *end = html + strlen(html);

	html += strspn(html, " \r\n\t");
	while (end > html && strchr(" \r\n\t", end[-1]) != NULL)
		end--;
	while (html < end)
	{
		size_t first = line_break(html);
		const char *next = html + first + strspn(html + first, " \t");

		if (first == 0)
		{
			size_t plain = Min(Max(strcspn(html, "\r\n"), 1), (size_t) (end - html));

			appendBinaryStringInfo(to, html, (int) plain);
			html += plain;
			continue;
		}
		if (line_break(next) == 0)
		{
			appendStringInfoString(to, "<br>\n");
			html += first;
			continue;
		}
		appendStringInfoString(to, "</p>\n<p>");
		while (line_break(next) > 0)
		{
			next += line_break(next);
			next += strspn(next, " \t");
		}
		html = next;
	}
}

/* line_break returns how long the line break at a place is; 0: there is none. */
static size_t
line_break(const char *at)
{
	if (at[0] == '\r' && at[1] == '\n')
		return 2;
	return at[0] == '\n' ? 1 : 0;
}

char *
email_text_without_tokens(char *body)
{
	StringInfoData hidden;
	const char *at = body;
	const char *found = strstr(at, BEFORE_TOKEN);

	if (found == NULL)
		return body;
	initStringInfo(&hidden);
	for (; found != NULL; found = strstr(found, BEFORE_TOKEN))
	{
		const char *token = found + strlen(BEFORE_TOKEN);

		found = token - 1;
		if (strspn(token, TOKEN_CHARACTERS) < TOKEN_HIDDEN + TOKEN_SHOWN)
			continue;
		appendBinaryStringInfo(&hidden, at, (int) (token - at));
		appendStringInfoString(&hidden, pg_any_to_server("…", (int) strlen("…"), PG_UTF8));
		at = found = token + TOKEN_HIDDEN;
	}
	appendStringInfoString(&hidden, at);
	return hidden.data;
}
