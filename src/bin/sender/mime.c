/*
 * mime.c
 *		Makes the bytes of an e-mail (RFC 5322, MIME) of the fields of its message.
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
static void add_headers(GString *out, const char *const *fields);
static void add_date(GString *out, const char *when);
static void add_header(GString *out, const char *name, const char *value);
static void add_mailbox(GString *out, const char *header, const char *name, const char *address);
static void add_ids(GString *out, const char *header, const char *ids);
static void add_references(GString *out, const char *references);
static void add_body(GString *out, const char *const *fields);
static void add_text(GString *out, const char *subtype, const char *text);
static void add_attachment(GString *out, const json_t *attachment, GBytes *content);
static void
add_encoded(GString *out, GMimeContentEncoding encoding, const char *content, size_t length);
static char *add_multipart(GString *out, const char *const *fields, const char *subtype);
static void add_boundary(GString *out, const char *boundary, const char *end);

const char *
mime_refusal(const char *const *fields, const json_t *attachments)
{
	static const Field lines[] = {FIELD_FROM,		FIELD_FROM_NAME,	 FIELD_TO,
								  FIELD_TO_NAME,	FIELD_REPLY_TO,		 FIELD_REPLY_TO_NAME,
								  FIELD_SUBJECT,	FIELD_MESSAGE_ID,	 FIELD_IN_REPLY_TO,
								  FIELD_REFERENCES, FIELD_ENVELOPE_FROM, FIELD_DATE};
	const json_t *attachment;
	size_t i;

	for (i = 0; i < G_N_ELEMENTS(lines); i++)
	{
		if (!is_line(fields[lines[i]]))
			return "a header would hold a line break or another control character";
	}
	json_array_foreach(attachments, i, attachment)
	{
		if (!is_line(text_of(attachment, "file_name")) ||
			!is_line(text_of(attachment, "media_type")))
			return "the name of a file holds a control character";
	}
	if (!is_address(fields[FIELD_TO]))
		return "the recipient is not an address";
	if (!is_address(fields[FIELD_FROM]))
		return "the sender is not an address";
	if (fields[FIELD_REPLY_TO] != NULL && !is_address(fields[FIELD_REPLY_TO]))
		return "the address for answers is not one";
	if (fields[FIELD_ENVELOPE_FROM] != NULL && !is_address(fields[FIELD_ENVELOPE_FROM]))
		return "the address for bounces is not one";
	if (fields[FIELD_MESSAGE_ID] == NULL)
		return "there is no Message-ID";
	return NULL;
}

GString *
mime_compose(const char *const *fields, const json_t *attachments, const GPtrArray *contents)
{
	GString *out = g_string_sized_new(8192);

	add_headers(out, fields);
	if (contents->len == 0)
		add_body(out, fields);
	else
	{
		char *boundary = add_multipart(out, fields, "mixed");

		add_boundary(out, boundary, "\n");
		add_body(out, fields);
		for (guint i = 0; i < contents->len; i++)
		{
			add_boundary(out, boundary, "\n");
			add_attachment(out, json_array_get(attachments, i), g_ptr_array_index(contents, i));
		}
		add_boundary(out, boundary, "--\n");
		g_free(boundary);
	}
	if (out->str[out->len - 1] != '\n')
		g_string_append_c(out, '\n');
	return out;
}

void
mime_append_lines(GString *out, const GString *lines, bool double_dots)
{
	const char *end = lines->str + lines->len;
	const char *stop;

	/* What the text has of CR was encoded */
	for (const char *at = lines->str; at < end; at = stop + 1)
	{
		stop = memchr(at, '\n', (size_t) (end - at));
		if (*at == '.' && double_dots)
			g_string_append_c(out, '.');
		g_string_append_len(out, at, stop - at);
		g_string_append_len(out, "\r\n", 2);
	}
}

size_t
mime_size(const GString *lines)
{
	size_t size = lines->len;

	for (const char *at = lines->str; (at = strchr(at, '\n')) != NULL; at++)
		size++;
	return size;
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
add_headers(GString *out, const char *const *fields)
{
	char *subject = g_mime_utils_header_encode_text(NULL, fields[FIELD_SUBJECT], "utf-8");

	add_mailbox(out, "From", fields[FIELD_FROM_NAME], fields[FIELD_FROM]);
	add_mailbox(out, "To", fields[FIELD_TO_NAME], fields[FIELD_TO]);
	if (fields[FIELD_REPLY_TO] != NULL)
		add_mailbox(out, "Reply-To", fields[FIELD_REPLY_TO_NAME], fields[FIELD_REPLY_TO]);
	if (subject != NULL)
		add_header(out, "Subject", subject);
	g_free(subject);
	add_date(out, fields[FIELD_DATE]);
	add_ids(out, "Message-Id", fields[FIELD_MESSAGE_ID]);
	add_ids(out, "In-Reply-To", fields[FIELD_IN_REPLY_TO]);
	add_references(out, fields[FIELD_REFERENCES]);
	if (g_strcmp0(fields[FIELD_AUTO_SUBMITTED], "true") == 0)
		add_header(out, "Auto-Submitted", "auto-generated");
	add_header(out, "MIME-Version", "1.0");
}

static void
add_date(GString *out, const char *when)
{
	GTimeZone *utc = g_time_zone_new_utc();
	GDateTime *date = when == NULL ? NULL : g_date_time_new_from_iso8601(when, utc);

	if (date != NULL)
	{
		char *text = g_mime_utils_header_format_date(date);

		add_header(out, "Date", text);
		g_free(text);
		g_date_time_unref(date);
	}
	g_time_zone_unref(utc);
}

/* add_header folds before blanks where a line would be too long. */
static void
add_header(GString *out, const char *name, const char *value)
{
	size_t column = strlen(name) + 1;
	const char *word = value;

	g_string_append(out, name);
	g_string_append_c(out, ':');
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
		char *value = g_strconcat(phrase, " <", ascii, ">", NULL);

		add_header(out, header, value);
		g_free(value);
		g_free(phrase);
	}
	g_free(ascii);
}

/* add_ids writes Message-IDs, which are separated by blanks, each in <>. */
static void
add_ids(GString *out, const char *header, const char *ids)
{
	GString *value = g_string_sized_new(200);

	while (ids != NULL && *ids != '\0')
	{
		size_t length = strcspn(ids, " \t");
		bool bare = *ids != '<';

		if (length > 0)
		{
			g_string_append(value, value->len == 0 ? "" : " ");
			g_string_append(value, bare ? "<" : "");
			g_string_append_len(value, ids, (gssize) length);
			g_string_append(value, bare ? ">" : "");
		}
		ids += length + strspn(ids + length, " \t");
	}
	if (value->len > 0)
		add_header(out, header, value->str);
	g_string_free(value, TRUE);
}

static void
add_references(GString *out, const char *references)
{
	json_t *ids;
	GString *list;
	const json_t *id;
	size_t i;

	if (references == NULL || strcmp(references, "[]") == 0)
		return;
	ids = json_loads(references, 0, NULL);
	list = g_string_new(NULL);
	json_array_foreach(ids, i, id)
	{
		if (json_is_string(id) && is_line(json_string_value(id)))
			g_string_append_printf(list, "%s ", json_string_value(id));
	}
	add_ids(out, "References", list->str);
	g_string_free(list, TRUE);
	json_decref(ids);
}

/* add_body writes the headers and the content of the text, or of text and HTML. */
static void
add_body(GString *out, const char *const *fields)
{
	const char *text = fields[FIELD_TEXT];
	const char *html = fields[FIELD_HTML];
	char *boundary;

	if (html == NULL)
		add_text(out, "plain", text == NULL ? "" : text);
	else if (text == NULL)
		add_text(out, "html", html);
	else
	{
		boundary = add_multipart(out, fields, "alternative");
		add_boundary(out, boundary, "\n");
		add_text(out, "plain", text);
		add_boundary(out, boundary, "\n");
		add_text(out, "html", html);
		add_boundary(out, boundary, "--\n");
		g_free(boundary);
	}
}

static void
add_text(GString *out, const char *subtype, const char *text)
{
	g_string_append(out, "Content-Type: text/");
	g_string_append(out, subtype);
	g_string_append(out, "; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n");
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
add_multipart(GString *out, const char *const *fields, const char *subtype)
{
	char *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, fields[FIELD_MESSAGE_ID], -1);
	char *boundary;

	digest[24] = '\0';
	boundary = g_strconcat("=_", subtype, "_", digest, NULL);
	g_string_append(out, "Content-Type: multipart/");
	g_string_append(out, subtype);
	g_string_append(out, "; boundary=\"");
	g_string_append(out, boundary);
	g_string_append(out, "\"\n");
	g_free(digest);
	return boundary;
}

static void
add_boundary(GString *out, const char *boundary, const char *end)
{
	g_string_append(out, "\n--");
	g_string_append(out, boundary);
	g_string_append(out, end);
}
