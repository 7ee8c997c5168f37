/*
 * mime.c
 *		Makes the bytes of an e-mail (RFC 5322, MIME) of the payload of its message.
 *
 * GMime writes it, and not libcurl, whose boundaries are random: an attempt that is repeated has to
 * be byte for byte the same, so that signatures (DKIM) and receivers that compare see one e-mail.
 * What would be chance is derived from the Message-ID. Text is quoted-printable and files are
 * base64, so that every server takes it (7 bit).
 */
#include <string.h>

#include <gmime/gmime.h>
#include <idn2.h>

#include "mime.h"

static const char *text_of(const json_t *object, const char *key);
static bool is_line(const char *text);
static bool is_address(const char *address);
static void add_headers(GMimeMessage *message, const json_t *payload);
static void
add_mailbox(GMimeMessage *message, GMimeAddressType type, const char *name, const char *address);
static void add_ids(GMimeMessage *message, const char *header, const json_t *ids);
static GMimeObject *make_body(const json_t *payload);
static GMimeObject *make_text(const char *subtype, const char *text);
static GMimeObject *make_attachment(const json_t *attachment, GBytes *content);
static GMimeMultipart *make_multipart(const json_t *payload, const char *subtype);

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

GByteArray *
mime_compose(const json_t *payload, const GPtrArray *contents)
{
	GMimeMessage *message = g_mime_message_new(FALSE);
	GMimeFormatOptions *options = g_mime_format_options_new();
	GByteArray *bytes = g_byte_array_new();
	GMimeStream *stream = g_mime_stream_mem_new_with_byte_array(bytes);
	GMimeObject *body = make_body(payload);

	g_mime_stream_mem_set_owner(GMIME_STREAM_MEM(stream), FALSE);
	add_headers(message, payload);
	if (contents->len > 0)
	{
		GMimeMultipart *mixed = make_multipart(payload, "mixed");

		g_mime_multipart_add(mixed, body);
		g_object_unref(body);
		for (guint i = 0; i < contents->len; i++)
		{
			GMimeObject *part =
				make_attachment(json_array_get(json_object_get(payload, "attachments"), i),
								g_ptr_array_index(contents, i));

			g_mime_multipart_add(mixed, part);
			g_object_unref(part);
		}
		body = GMIME_OBJECT(mixed);
	}
	g_mime_message_set_mime_part(message, body);
	g_object_unref(body);
	g_mime_format_options_set_newline_format(options, GMIME_NEWLINE_FORMAT_DOS);
	g_mime_object_write_to_stream(GMIME_OBJECT(message), options, stream);
	g_object_unref(stream);
	g_mime_format_options_free(options);
	g_object_unref(message);
	return bytes;
}

char *
mime_address(const char *address)
{
	const char *at = strrchr(address, '@');
	char *domain = NULL;
	char *whole;

	if (at == NULL || idn2_to_ascii_8z(at + 1, &domain, IDN2_NONTRANSITIONAL) != IDN2_OK)
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
add_headers(GMimeMessage *message, const json_t *payload)
{
	const char *when = text_of(payload, "date");
	GTimeZone *utc = g_time_zone_new_utc();
	GDateTime *date = when == NULL ? NULL : g_date_time_new_from_iso8601(when, utc);
	char *id = g_strdup(text_of(payload, "message_id"));
	size_t length = strlen(id);

	add_mailbox(message, GMIME_ADDRESS_TYPE_FROM, text_of(payload, "from_name"),
				text_of(payload, "from"));
	add_mailbox(message, GMIME_ADDRESS_TYPE_TO, text_of(payload, "to_name"),
				text_of(payload, "to"));
	if (text_of(payload, "reply_to") != NULL)
		add_mailbox(message, GMIME_ADDRESS_TYPE_REPLY_TO, text_of(payload, "reply_to_name"),
					text_of(payload, "reply_to"));
	if (text_of(payload, "subject") != NULL)
		g_mime_message_set_subject(message, text_of(payload, "subject"), "utf-8");
	if (date != NULL)
	{
		g_mime_message_set_date(message, date);
		g_date_time_unref(date);
	}
	g_time_zone_unref(utc);
	if (id[0] == '<' && id[length - 1] == '>')
		id[length - 1] = '\0';
	g_mime_message_set_message_id(message, id[0] == '<' ? id + 1 : id);
	g_free(id);
	add_ids(message, "In-Reply-To", json_object_get(payload, "in_reply_to"));
	add_ids(message, "References", json_object_get(payload, "references"));
	if (json_is_true(json_object_get(payload, "auto_submitted")))
		g_mime_object_set_header(GMIME_OBJECT(message), "Auto-Submitted", "auto-generated", NULL);
}

static void
add_mailbox(GMimeMessage *message, GMimeAddressType type, const char *name, const char *address)
{
	char *ascii = mime_address(address);

	g_mime_message_add_mailbox(message, type, name, ascii);
	g_free(ascii);
}

/* add_ids writes Message-IDs, of a text that is separated by blanks or of an array, each in <>. */
static void
add_ids(GMimeMessage *message, const char *header, const json_t *ids)
{
	GString *value = g_string_new(NULL);
	const json_t *id;
	size_t i;

	json_array_foreach(ids, i, id)
	{
		if (json_is_string(id) && is_line(json_string_value(id)))
			g_string_append_printf(value, "%s ", json_string_value(id));
	}
	if (json_is_string(ids))
		g_string_append(value, json_string_value(ids));
	if (value->len > 0)
	{
		char **words = g_strsplit_set(value->str, " \t", 0);

		g_string_truncate(value, 0);
		for (int w = 0; words[w] != NULL; w++)
		{
			bool bare = words[w][0] != '<';

			if (words[w][0] != '\0')
				g_string_append_printf(value, "%s%s%s%s", value->len == 0 ? "" : " ",
									   bare ? "<" : "", words[w], bare ? ">" : "");
		}
		g_strfreev(words);
		g_mime_object_set_header(GMIME_OBJECT(message), header, value->str, NULL);
	}
	g_string_free(value, TRUE);
}

static GMimeObject *
make_body(const json_t *payload)
{
	const char *text = text_of(payload, "text");
	const char *html = text_of(payload, "html");
	GMimeMultipart *both;
	GMimeObject *part;

	if (html == NULL)
		return make_text("plain", text == NULL ? "" : text);
	if (text == NULL)
		return make_text("html", html);
	both = make_multipart(payload, "alternative");
	part = make_text("plain", text);
	g_mime_multipart_add(both, part);
	g_object_unref(part);
	part = make_text("html", html);
	g_mime_multipart_add(both, part);
	g_object_unref(part);
	return GMIME_OBJECT(both);
}

static GMimeObject *
make_text(const char *subtype, const char *text)
{
	GMimeTextPart *part = g_mime_text_part_new_with_subtype(subtype);

	g_mime_text_part_set_charset(part, "utf-8");
	g_mime_text_part_set_text(part, text);
	g_mime_object_set_content_type_parameter(GMIME_OBJECT(part), "charset", "utf-8");
	g_mime_part_set_content_encoding(GMIME_PART(part), GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
	return GMIME_OBJECT(part);
}

static GMimeObject *
make_attachment(const json_t *attachment, GBytes *content)
{
	const char *media_type = text_of(attachment, "media_type");
	const char *slash = media_type == NULL ? NULL : strchr(media_type, '/');
	char *type = slash == NULL ? g_strdup("application")
							   : g_strndup(media_type, (gsize) (slash - media_type));
	GMimePart *part = g_mime_part_new_with_type(type, slash == NULL ? "octet-stream" : slash + 1);
	gsize length;
	const char *data = g_bytes_get_data(content, &length);
	GMimeStream *stream = g_mime_stream_mem_new_with_buffer(data, length);
	GMimeDataWrapper *wrapper =
		g_mime_data_wrapper_new_with_stream(stream, GMIME_CONTENT_ENCODING_DEFAULT);

	g_mime_part_set_content(part, wrapper);
	g_mime_part_set_content_encoding(part, GMIME_CONTENT_ENCODING_BASE64);
	if (text_of(attachment, "file_name") != NULL)
		g_mime_part_set_filename(part, text_of(attachment, "file_name"));
	g_object_unref(wrapper);
	g_object_unref(stream);
	g_free(type);
	return GMIME_OBJECT(part);
}

/* make_multipart: "=_" is in no part that is quoted-printable or base64. */
static GMimeMultipart *
make_multipart(const json_t *payload, const char *subtype)
{
	GMimeMultipart *multipart = g_mime_multipart_new_with_subtype(subtype);
	char *digest =
		g_compute_checksum_for_string(G_CHECKSUM_SHA256, text_of(payload, "message_id"), -1);
	char *boundary = g_strdup_printf("=_%s_%.24s", subtype, digest);

	g_mime_multipart_set_boundary(multipart, boundary);
	g_free(boundary);
	g_free(digest);
	return multipart;
}
