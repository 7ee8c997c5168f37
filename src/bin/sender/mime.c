/*
 * mime.c
 *		Makes the bytes of an e-mail (RFC 5322, MIME) of the payload of its message.
 *
 * GMime encodes what stands in it, and not libcurl, whose boundaries are random: an attempt that is
 * repeated has to be byte for byte the same, so that signatures (DKIM) and receivers that compare see
 * one e-mail. What would be chance is derived from the Message-ID. Text is quoted-printable and files
 * are base64, so that every server takes it (7 bit). The parts are written one behind the other here:
 * GMime's tree of objects takes five times as long.
 */
#include <string.h>

#include <gmime/gmime.h>
#include <idn2.h>

#include "mime.h"

/* Of a line of the header, unless a word is longer */
#define MOST_COLUMNS 76

static const char *text_of(const json_t *object, const char *key);
static bool is_line(const char *text);
static bool is_address(const char *address);
static void add_headers(GString *out, const json_t *payload);
static void add_header(GString *out, const char *name, const char *value);
static void add_mailbox(GString *out, const char *header, const char *name, const char *address);
static void add_ids(GString *out, const char *header, const json_t *ids);
static void add_body(GString *out, const json_t *payload);
static void add_text(GString *out, const char *subtype, const char *text);
static void add_attachment(GString *out, const json_t *attachment, GBytes *content);
static void
add_encoded(GString *out, GMimeContentEncoding encoding, const char *content, size_t length);
static char *add_multipart(GString *out, const json_t *payload, const char *subtype);

const char *
mime_refusal(const json_t *payload)
{
	static const char *const lines[] = {"from",		  "from_name",	   "to",		 "to_name",
										"reply_to",	  "subject",	   "message_id", "in_reply_to",
										"references", "envelope_from", "date"};
	const json_t *attachment;
	size_t i;

	for (i = 0; i < G_N_ELEMENTS(lines); i++)
	{
		if (!is_line(text_of(payload, lines[i])))
			return "a header would hold a line break or another control character";
	}
	json_array_foreach(json_object_get(payload, "attachments"), i, attachment)
	{
		if (!is_line(text_of(attachment, "file_name")) ||
			!is_line(text_of(attachment, "media_type")))
			return "the name of a file holds a control character";
	}
	if (!is_address(text_of(payload, "to")))
		return "the recipient is not an address";
	if (!is_address(text_of(payload, "from")))
		return "the sender is not an address";
	if (text_of(payload, "reply_to") != NULL && !is_address(text_of(payload, "reply_to")))
		return "the address for answers is not one";
	if (text_of(payload, "envelope_from") != NULL && !is_address(text_of(payload, "envelope_from")))
		return "the address for bounces is not one";
	if (text_of(payload, "message_id") == NULL)
		return "there is no Message-ID";
	return NULL;
}

GString *
mime_compose(const json_t *payload, const GPtrArray *contents)
{
	GString *out = g_string_sized_new(8192);

	add_headers(out, payload);
	if (contents->len == 0)
		add_body(out, payload);
	else
	{
		char *boundary = add_multipart(out, payload, "mixed");

		g_string_append_printf(out, "\n--%s\n", boundary);
		add_body(out, payload);
		for (guint i = 0; i < contents->len; i++)
		{
			g_string_append_printf(out, "\n--%s\n", boundary);
			add_attachment(out, json_array_get(json_object_get(payload, "attachments"), i),
						   g_ptr_array_index(contents, i));
		}
		g_string_append_printf(out, "\n--%s--\n", boundary);
		g_free(boundary);
	}
	return out;
}

GString *
mime_data(const GString *lines)
{
	GString *out = g_string_sized_new(lines->len + lines->len / 20);
	const char *end = lines->str + lines->len;
	const char *stop;

	/* What the text has of CR was encoded */
	for (const char *at = lines->str; at < end; at = stop + 1)
	{
		stop = memchr(at, '\n', (size_t) (end - at));
		if (stop == NULL)
			stop = end;
		if (*at == '.')
			g_string_append_c(out, '.');
		g_string_append_len(out, at, stop - at);
		g_string_append_len(out, "\r\n", 2);
	}
	return g_string_append(out, ".\r\n");
}

char *
mime_address(const char *address)
{
	const char *at = strrchr(address, '@');
	char *domain = NULL;
	char *whole;

	if (at == NULL || g_str_is_ascii(at) ||
		idn2_to_ascii_8z(at + 1, &domain, IDN2_NONTRANSITIONAL) != IDN2_OK)
		return g_strdup(address);
	whole = g_strdup_printf("%.*s@%s", (int) (at - address), address, domain);
	idn2_free(domain);
	return whole;
}

static const char *
text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* is_line tells whether a text, or none, can stand in a header. */
static bool
is_line(const char *text)
{
	for (; text != NULL && *text != '\0'; text++)
	{
		if (((unsigned char) *text < 0x20 && *text != '\t') || *text == 0x7f)
			return false;
	}
	return true;
}

/* is_address is no proof that there is such an address: it keeps out what would be more than one. */
static bool
is_address(const char *address)
{
	const char *at = address == NULL ? NULL : strrchr(address, '@');

	return at != NULL && at != address && at[1] != '\0' && strlen(address) <= 320 &&
		   strpbrk(address, " \t<>,;\\\"()[]:") == NULL && strchr(address, '@') == at;
}

static void
add_headers(GString *out, const json_t *payload)
{
	char *subject = g_mime_utils_header_encode_text(NULL, text_of(payload, "subject"), "utf-8");
	const char *when = text_of(payload, "date");
	GTimeZone *utc = g_time_zone_new_utc();
	GDateTime *date = when == NULL ? NULL : g_date_time_new_from_iso8601(when, utc);

	add_mailbox(out, "From", text_of(payload, "from_name"), text_of(payload, "from"));
	add_mailbox(out, "To", text_of(payload, "to_name"), text_of(payload, "to"));
	if (text_of(payload, "reply_to") != NULL)
		add_mailbox(out, "Reply-To", text_of(payload, "reply_to_name"),
					text_of(payload, "reply_to"));
	if (subject != NULL)
		add_header(out, "Subject", subject);
	g_free(subject);
	if (date != NULL)
	{
		char *text = g_mime_utils_header_format_date(date);

		add_header(out, "Date", text);
		g_free(text);
		g_date_time_unref(date);
	}
	g_time_zone_unref(utc);
	add_ids(out, "Message-Id", json_object_get(payload, "message_id"));
	add_ids(out, "In-Reply-To", json_object_get(payload, "in_reply_to"));
	add_ids(out, "References", json_object_get(payload, "references"));
	if (json_is_true(json_object_get(payload, "auto_submitted")))
		add_header(out, "Auto-Submitted", "auto-generated");
	add_header(out, "MIME-Version", "1.0");
}

/* add_header folds before blanks where a line would be too long. */
static void
add_header(GString *out, const char *name, const char *value)
{
	size_t column = strlen(name) + 1;
	const char *word = value;

	g_string_append_printf(out, "%s:", name);
	while (*word != '\0')
	{
		size_t blanks = word == value ? 0 : strspn(word, " \t");
		size_t length = blanks + strcspn(word + blanks, " \t");

		if (column + length > MOST_COLUMNS && word != value && word[blanks] != '\0')
		{
			g_string_append_c(out, '\n');
			column = 0;
		}
		if (word == value)
			g_string_append_c(out, ' ');
		g_string_append_len(out, word, (gssize) length);
		column += length + (word == value);
		word += length;
	}
	g_string_append_c(out, '\n');
}

static void
add_mailbox(GString *out, const char *header, const char *name, const char *address)
{
	char *ascii = mime_address(address);

	if (name == NULL || *name == '\0')
		add_header(out, header, ascii);
	else
	{
		char *phrase = g_mime_utils_header_encode_phrase(NULL, name, "utf-8");
		char *value = g_strdup_printf("%s <%s>", phrase, ascii);

		add_header(out, header, value);
		g_free(value);
		g_free(phrase);
	}
	g_free(ascii);
}

/* add_ids writes Message-IDs, of a text that is separated by blanks or of an array, each in <>. */
static void
add_ids(GString *out, const char *header, const json_t *ids)
{
	GString *given = g_string_new(json_string_value(ids));
	GString *value = g_string_new(NULL);
	const json_t *id;
	size_t i;
	char **words;

	json_array_foreach(ids, i, id)
	{
		if (json_is_string(id) && is_line(json_string_value(id)))
			g_string_append_printf(given, "%s ", json_string_value(id));
	}
	words = g_strsplit_set(given->str, " \t", 0);
	for (int w = 0; words[w] != NULL; w++)
	{
		bool bare = words[w][0] != '<';

		if (words[w][0] != '\0')
			g_string_append_printf(value, "%s%s%s%s", value->len == 0 ? "" : " ", bare ? "<" : "",
								   words[w], bare ? ">" : "");
	}
	if (value->len > 0)
		add_header(out, header, value->str);
	g_strfreev(words);
	g_string_free(value, TRUE);
	g_string_free(given, TRUE);
}

/* add_body writes the headers and the content of the text, or of text and HTML. */
static void
add_body(GString *out, const json_t *payload)
{
	const char *text = text_of(payload, "text");
	const char *html = text_of(payload, "html");
	char *boundary;

	if (html == NULL)
		add_text(out, "plain", text == NULL ? "" : text);
	else if (text == NULL)
		add_text(out, "html", html);
	else
	{
		boundary = add_multipart(out, payload, "alternative");
		g_string_append_printf(out, "\n--%s\n", boundary);
		add_text(out, "plain", text);
		g_string_append_printf(out, "\n--%s\n", boundary);
		add_text(out, "html", html);
		g_string_append_printf(out, "\n--%s--\n", boundary);
		g_free(boundary);
	}
}

static void
add_text(GString *out, const char *subtype, const char *text)
{
	g_string_append_printf(out,
						   "Content-Type: text/%s; charset=utf-8\n"
						   "Content-Transfer-Encoding: quoted-printable\n\n",
						   subtype);
	add_encoded(out, GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE, text, strlen(text));
}

static void
add_attachment(GString *out, const json_t *attachment, GBytes *content)
{
	const char *media_type = text_of(attachment, "media_type");
	const char *slash = media_type == NULL ? NULL : strchr(media_type, '/');
	const char *file_name = text_of(attachment, "file_name");
	char *type = slash == NULL ? g_strdup("application")
							   : g_strndup(media_type, (gsize) (slash - media_type));
	GMimePart *part = g_mime_part_new_with_type(type, slash == NULL ? "octet-stream" : slash + 1);
	char *headers;
	gsize length;
	const char *data = g_bytes_get_data(content, &length);

	g_mime_part_set_content_encoding(part, GMIME_CONTENT_ENCODING_BASE64);
	if (file_name != NULL)
		g_mime_part_set_filename(part, file_name);
	headers = g_mime_object_get_headers(GMIME_OBJECT(part), NULL);
	g_string_append(out, headers);
	g_string_append_c(out, '\n');
	add_encoded(out, GMIME_CONTENT_ENCODING_BASE64, data, length);
	g_free(headers);
	g_free(type);
	g_object_unref(part);
}

static void
add_encoded(GString *out, GMimeContentEncoding encoding, const char *content, size_t length)
{
	GMimeEncoding state;
	gsize before = out->len;

	g_mime_encoding_init_encode(&state, encoding);
	g_string_set_size(out, before + g_mime_encoding_outlen(&state, length));
	g_string_set_size(out,
					  before + g_mime_encoding_flush(&state, content, length, out->str + before));
}

/*
 * add_multipart writes the headers of one and returns its boundary, to be freed. "=_" is in no part
 * that is quoted-printable or base64.
 */
static char *
add_multipart(GString *out, const json_t *payload, const char *subtype)
{
	char *digest =
		g_compute_checksum_for_string(G_CHECKSUM_SHA256, text_of(payload, "message_id"), -1);
	char *boundary = g_strdup_printf("=_%s_%.24s", subtype, digest);

	g_string_append_printf(out, "Content-Type: multipart/%s; boundary=\"%s\"\n", subtype, boundary);
	g_free(digest);
	return boundary;
}
