/*
 * message.c
 *		Takes an e-mail apart with GMime.
 *
 * Messages come from anybody: every list, text and depth has a limit, and what is beyond it is
 * left out and said so.
 */
#include <stdbool.h>
#include <string.h>

#include <gmime/gmime.h>

#include "message.h"

#define MAX_PARTS 200
#define MAX_ADDRESSES 200
#define MAX_REFERENCES 100
#define MAX_SUBJECT 1000 /* characters */
#define MAX_ID 900		 /* bytes */
#define MAX_NAME 200	 /* characters */
#define MAX_BODY (2 * 1024 * 1024)
#define MAX_HEADERS (1024 * 1024)
#define MAX_BOUNDARIES 10000
#define MAX_DEPTH 50

typedef struct Walk
{
	Message *message;
	int parts;
} Walk;

static Message *message_new(void);
static void read_headers(Message *message, GMimeMessage *parsed);
static void read_object(Walk *walk, GMimeObject *object, int depth);
static void read_part(Walk *walk, GMimePart *part);
static void read_text(Message *message, GMimePart *part, GString **body);
static void
add_attachment(Message *message, const char *name, GMimeContentType *type, GByteArray *content);
static void add_addresses(Message *message, GPtrArray *list, InternetAddressList *addresses);
static GByteArray *content_of(GMimePart *part);
static char *clean(const char *text, gssize length, glong limit);
static char *media_type_of(GMimeContentType *type);

void
message_init(void)
{
	g_mime_init();
}

Message *
message_parse(const char *bytes, gsize length)
{
	Message *message;
	const char *problem;
	GMimeStream *stream;
	GMimeParser *parser;
	GMimeMessage *parsed;

	if (message_is_bomb(bytes, length, &problem))
		return message_unread(bytes, length, problem);
	stream = g_mime_stream_mem_new_with_buffer(bytes, length);
	parser = g_mime_parser_new_with_stream(stream);
	parsed = g_mime_parser_construct_message(parser, NULL);
	g_object_unref(parser);
	g_object_unref(stream);
	if (parsed == NULL)
		return message_unread(bytes, length, "The message could not be read.");

	message = message_new();
	read_headers(message, parsed);
	if (g_mime_message_get_mime_part(parsed) != NULL)
	{
		Walk walk = {.message = message};

		read_object(&walk, g_mime_message_get_mime_part(parsed), 0);
	}
	else
		message_complain(message, "The message has no body.");
	g_object_unref(parsed);
	if (message->message_id == NULL)
	{
		char *checksum =
			g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *) bytes, length);

		message->message_id = g_strdup_printf("%s@sales-crm.invalid", checksum);
		g_free(checksum);
	}
	if (message->from_address == NULL)
		message_complain(message, "The message does not say who sent it.");
	return message;
}

Message *
message_unread(const char *bytes, gsize length, const char *problem)
{
	Message *message = message_new();
	char *checksum = g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *) bytes, length);
	GByteArray *content = g_byte_array_new();

	message->message_id = g_strdup_printf("%s@sales-crm.invalid", checksum);
	g_free(checksum);
	message_complain(message, problem);
	g_byte_array_append(content, (const guint8 *) bytes, length);
	add_attachment(message, "message.eml", NULL, content);
	return message;
}

static void
attachment_free(void *pointer)
{
	Attachment *attachment = pointer;

	g_free(attachment->file_name);
	g_free(attachment->media_type);
	g_byte_array_unref(attachment->content);
	g_free(attachment);
}

void
message_free(Message *message)
{
	g_free(message->message_id);
	g_free(message->in_reply_to);
	g_ptr_array_unref(message->references);
	g_free(message->from_address);
	g_free(message->from_name);
	g_ptr_array_unref(message->to);
	g_ptr_array_unref(message->cc);
	g_free(message->subject);
	g_clear_pointer(&message->sent_at, g_date_time_unref);
	if (message->body_text != NULL)
		g_string_free(message->body_text, TRUE);
	if (message->body_html != NULL)
		g_string_free(message->body_html, TRUE);
	if (message->calendar != NULL)
		g_string_free(message->calendar, TRUE);
	g_ptr_array_unref(message->attachments);
	g_string_free(message->problem, TRUE);
	g_free(message);
}

void
message_complain(Message *message, const char *sentence)
{
	if (strstr(message->problem->str, sentence) != NULL)
		return;
	if (message->problem->len > 0)
		g_string_append_c(message->problem, ' ');
	g_string_append(message->problem, sentence);
}

static Message *
message_new(void)
{
	Message *message = g_new0(Message, 1);

	message->references = g_ptr_array_new_with_free_func(g_free);
	message->to = g_ptr_array_new_with_free_func(g_free);
	message->cc = g_ptr_array_new_with_free_func(g_free);
	message->attachments = g_ptr_array_new_with_free_func(attachment_free);
	message->problem = g_string_new(NULL);
	return message;
}

bool
message_is_bomb(const char *bytes, gsize length, const char **problem)
{
	const char *at = bytes;
	const char *end = bytes + length;
	const char *line = bytes;
	int boundaries = 0;
	bool in_headers = true;
	gsize headers = 0;

	for (; at < end; at = line)
	{
		const char *stop = memchr(at, '\n', end - at);

		line = stop == NULL ? end : stop + 1;
		if (line - at <= 2 && (*at == '\n' || *at == '\r'))
			in_headers = false;
		else if (at[0] == '-' && line - at > 2 && at[1] == '-')
		{
			boundaries++;
			in_headers = true;
			headers = 0;
		}
		else if (in_headers)
			headers += line - at;
		if (headers > MAX_HEADERS)
		{
			*problem = "The headers of the message are too long.";
			return true;
		}
		if (boundaries > MAX_BOUNDARIES)
		{
			*problem = "The message has too many parts.";
			return true;
		}
	}
	return false;
}

static void
read_headers(Message *message, GMimeMessage *parsed)
{
	InternetAddressList *from = g_mime_message_get_from(parsed);
	const char *header;
	GPtrArray *senders = g_ptr_array_new_with_free_func(g_free);

	add_addresses(message, senders, from);
	if (senders->len > 0)
	{
		InternetAddress *first = internet_address_list_get_address(from, 0);

		message->from_address = g_strdup(g_ptr_array_index(senders, 0));
		message->from_name = clean(internet_address_get_name(first), -1, MAX_NAME);
	}
	g_ptr_array_unref(senders);
	add_addresses(message, message->to, g_mime_message_get_to(parsed));
	add_addresses(message, message->cc, g_mime_message_get_cc(parsed));
	message->subject = clean(g_mime_message_get_subject(parsed), -1, MAX_SUBJECT);
	header = g_mime_message_get_message_id(parsed);
	if (header != NULL && *header != '\0' && strlen(header) <= MAX_ID)
		message->message_id = clean(header, -1, MAX_ID);
	if (g_mime_message_get_date(parsed) != NULL)
		message->sent_at = g_date_time_ref(g_mime_message_get_date(parsed));

	for (int i = 0; i < 2; i++)
	{
		header =
			g_mime_object_get_header(GMIME_OBJECT(parsed), i == 0 ? "In-Reply-To" : "References");
		if (header != NULL)
		{
			GMimeReferences *ids = g_mime_references_parse(NULL, header);
			int count = g_mime_references_length(ids);

			/* The last ones are the nearest */
			for (int n = MAX(0, count - MAX_REFERENCES); n < count; n++)
			{
				const char *id = g_mime_references_get_message_id(ids, n);

				if (id == NULL || *id == '\0' || strlen(id) > MAX_ID)
					continue;
				if (i == 0 && message->in_reply_to == NULL)
					message->in_reply_to = clean(id, -1, MAX_ID);
				else
					g_ptr_array_add(message->references, clean(id, -1, MAX_ID));
			}
			g_mime_references_free(ids);
		}
	}
}

/* read_object walks through the parts, messages within the message being attachments. */
static void
read_object(Walk *walk, GMimeObject *object, int depth)
{
	Message *message = walk->message;

	if (++walk->parts > MAX_PARTS)
	{
		message_complain(message, "The message has too many parts.");
		return;
	}
	if (depth > MAX_DEPTH)
	{
		message_complain(message, "The parts of the message are nested too deeply.");
		return;
	}
	if (GMIME_IS_MULTIPART(object))
	{
		GMimeMultipart *multipart = GMIME_MULTIPART(object);
		int count = g_mime_multipart_get_count(multipart);

		if (count == 0)
			message_complain(message, "A part of the message is empty or cut off.");
		for (int i = 0; i < count && walk->parts <= MAX_PARTS; i++)
			read_object(walk, g_mime_multipart_get_part(multipart, i), depth + 1);
	}
	else if (GMIME_IS_MESSAGE_PART(object))
	{
		char *text = g_mime_object_to_string(object, NULL);
		GByteArray *content = g_byte_array_new();

		g_byte_array_append(content, (const guint8 *) text, strlen(text));
		add_attachment(message, "message.eml", NULL, content);
		g_free(text);
	}
	else if (GMIME_IS_PART(object))
		read_part(walk, GMIME_PART(object));
	else
		message_complain(message, "A part of the message is of a kind that is not known.");
}

static void
read_part(Walk *walk, GMimePart *part)
{
	Message *message = walk->message;
	GMimeContentType *type = g_mime_object_get_content_type(GMIME_OBJECT(part));
	const char *name = g_mime_part_get_filename(part);
	bool attached = g_mime_part_is_attachment(part) || name != NULL;
	GByteArray *content;

	if (!attached && g_mime_content_type_is_type(type, "text", "plain"))
	{
		read_text(message, part, &message->body_text);
		return;
	}
	if (!attached && g_mime_content_type_is_type(type, "text", "html"))
	{
		read_text(message, part, &message->body_html);
		return;
	}
	if (message->calendar == NULL && g_mime_content_type_is_type(type, "text", "calendar"))
		read_text(message, part, &message->calendar);
	content = content_of(part);
	if (content != NULL && (content->len > 0 || name != NULL))
		add_attachment(message, name, type, content);
	else if (content != NULL)
		g_byte_array_unref(content);
}

/* read_text adds the text of a part to a body, converted from its charset. */
static void
read_text(Message *message, GMimePart *part, GString **body)
{
	GByteArray *content = content_of(part);
	const char *charset = g_mime_object_get_content_type_parameter(GMIME_OBJECT(part), "charset");
	char *converted = NULL;
	gsize length = 0;
	char *text;

	if (content == NULL)
		return;
	if (content->len == 0)
	{
		g_byte_array_unref(content);
		return;
	}
	if (charset != NULL && g_ascii_strcasecmp(charset, "utf-8") != 0 &&
		g_ascii_strcasecmp(charset, "us-ascii") != 0)
	{
		converted =
			g_convert_with_fallback((const char *) content->data, content->len, "UTF-8",
									g_mime_charset_iconv_name(charset), "?", NULL, &length, NULL);
		if (converted == NULL)
			message_complain(message, "The charset of a text is not known or not followed.");
	}
	text = converted != NULL ? clean(converted, length, MAX_BODY)
							 : clean((const char *) content->data, content->len, MAX_BODY);
	if (*body == NULL)
		*body = g_string_new(NULL);
	else if ((*body)->len > 0)
		g_string_append_c(*body, '\n');
	if ((*body)->len + strlen(text) > MAX_BODY)
		message_complain(message, "A text of the message was too long and is left out.");
	else
		g_string_append(*body, text);
	g_free(text);
	g_free(converted);
	g_byte_array_unref(content);
}

static void
add_attachment(Message *message, const char *name, GMimeContentType *type, GByteArray *content)
{
	Attachment *attachment = g_new0(Attachment, 1);

	attachment->file_name =
		clean(name != NULL && *name != '\0' ? name : "attachment", -1, MAX_NAME);
	attachment->media_type = type != NULL ? media_type_of(type) : NULL;
	attachment->content = content;
	g_ptr_array_add(message->attachments, attachment);
}

static void
add_addresses(Message *message, GPtrArray *list, InternetAddressList *addresses)
{
	int count = addresses == NULL ? 0 : internet_address_list_length(addresses);

	for (int i = 0; i < count; i++)
	{
		InternetAddress *address = internet_address_list_get_address(addresses, i);

		if (list->len >= MAX_ADDRESSES)
		{
			message_complain(message, "The message has too many recipients.");
			return;
		}
		if (INTERNET_ADDRESS_IS_GROUP(address))
			add_addresses(message, list, INTERNET_ADDRESS_GROUP(address)->members);
		else if (INTERNET_ADDRESS_MAILBOX(address)->addr != NULL &&
				 *INTERNET_ADDRESS_MAILBOX(address)->addr != '\0')
			g_ptr_array_add(list, clean(INTERNET_ADDRESS_MAILBOX(address)->addr, -1, MAX_NAME));
	}
}

/* content_of returns the decoded bytes of a part, or NULL when it has none. */
static GByteArray *
content_of(GMimePart *part)
{
	GMimeDataWrapper *wrapper = g_mime_part_get_content(part);
	GByteArray *bytes;
	GMimeStream *stream;

	if (wrapper == NULL)
		return NULL;
	bytes = g_byte_array_new();
	stream = g_mime_stream_mem_new_with_byte_array(bytes);
	g_mime_stream_mem_set_owner(GMIME_STREAM_MEM(stream), FALSE);
	g_mime_data_wrapper_write_to_stream(wrapper, stream);
	g_mime_stream_flush(stream);
	g_object_unref(stream);
	return bytes;
}

/* clean returns text as valid UTF-8 without zero bytes, of at most so many characters; NULL for NULL. */
static char *
clean(const char *text, gssize length, glong limit)
{
	char *copy;
	char *valid;
	char *cut;

	if (text == NULL)
		return NULL;
	if (length < 0)
		length = strlen(text);
	if (length > limit * 4)
		length = limit * 4;
	copy = g_malloc(length + 1);
	memcpy(copy, text, length);
	copy[length] = '\0';
	for (gssize i = 0; i < length; i++)
	{
		if (copy[i] == '\0')
			copy[i] = '?';
	}
	valid = g_utf8_make_valid(copy, length);
	g_free(copy);
	if (g_utf8_strlen(valid, -1) <= limit)
		return valid;
	cut = g_utf8_substring(valid, 0, limit);
	g_free(valid);
	return cut;
}

static char *
media_type_of(GMimeContentType *type)
{
	char *name = g_mime_content_type_get_mime_type(type);
	char *cleaned = clean(name, -1, MAX_NAME);

	g_free(name);
	return cleaned;
}
