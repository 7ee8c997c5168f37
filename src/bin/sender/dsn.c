/*
 * dsn.c
 *		Reads a delivery status notification with GMime.
 *
 * Anybody may send one, so every list and text has a limit, and what it says is believed only
 * where the database finds the e-mail's own secret part in it.
 */
#include <stdbool.h>
#include <string.h>

#include <gmime/gmime.h>

#include "dsn.h"
#include "message.h"

#define MAX_REFERENCES 50
#define MAX_FAILURES 100
#define MAX_PARTS 20
#define MAX_PART (256 * 1024)
#define MAX_TEXT 900 /* bytes */

static GMimeMessage *parse(const char *bytes, gsize length);
static bool is_report(GMimeMessage *message);
static void read_references(Dsn *dsn, GMimeObject *headers);
static void read_part(Dsn *dsn, GMimeObject *part);
static void read_failures(Dsn *dsn, const char *fields, gsize length);
static void read_failure(Dsn *dsn, GMimeObject *fields);
static GByteArray *content_of(GMimeObject *part);
static char *field_text(GMimeObject *fields, const char *name, bool typed);
static char *status_of(GMimeObject *fields);
static char *clean(const char *text);

static void
failure_free(void *pointer)
{
	DsnFailure *failure = pointer;

	g_free(failure->address);
	g_free(failure->status);
	g_free(failure->diagnostic);
	g_free(failure);
}

Dsn *
dsn_parse(const char *bytes, gsize length, const char **problem)
{
	GMimeMessage *message;
	GMimeMultipart *report;
	Dsn *dsn;
	int count;

	if (message_is_bomb(bytes, length, problem))
		return NULL;
	message = parse(bytes, length);
	if (message == NULL || !is_report(message))
	{
		*problem = "The message is no delivery status notification.";
		g_clear_object(&message);
		return NULL;
	}
	dsn = g_new0(Dsn, 1);
	dsn->references = g_ptr_array_new_with_free_func(g_free);
	dsn->failures = g_ptr_array_new_with_free_func(failure_free);
	read_references(dsn, GMIME_OBJECT(message));
	report = GMIME_MULTIPART(g_mime_message_get_mime_part(message));
	count = g_mime_multipart_get_count(report);
	for (int i = 0; i < count && i < MAX_PARTS; i++)
		read_part(dsn, g_mime_multipart_get_part(report, i));
	g_object_unref(message);
	return dsn;
}

void
dsn_free(Dsn *dsn)
{
	g_ptr_array_unref(dsn->references);
	g_ptr_array_unref(dsn->failures);
	g_free(dsn);
}

static GMimeMessage *
parse(const char *bytes, gsize length)
{
	GMimeStream *stream = g_mime_stream_mem_new_with_buffer(bytes, length);
	GMimeParser *parser = g_mime_parser_new_with_stream(stream);
	GMimeMessage *message = g_mime_parser_construct_message(parser, NULL);

	g_object_unref(parser);
	g_object_unref(stream);
	return message;
}

static bool
is_report(GMimeMessage *message)
{
	GMimeObject *part = g_mime_message_get_mime_part(message);
	const char *type;

	if (part == NULL || !GMIME_IS_MULTIPART(part) ||
		!g_mime_content_type_is_type(g_mime_object_get_content_type(part), "multipart", "report"))
		return false;
	type = g_mime_object_get_content_type_parameter(part, "report-type");
	return type != NULL && g_ascii_strcasecmp(type, "delivery-status") == 0;
}

static void
add_reference(Dsn *dsn, const char *text)
{
	if (text != NULL && text[0] != '\0' && dsn->references->len < MAX_REFERENCES)
		g_ptr_array_add(dsn->references, clean(text));
}

/* read_references takes what MTAs note of the address that it came to, which carries the e-mail's mark. */
static void
read_references(Dsn *dsn, GMimeObject *headers)
{
	static const char *const names[] = {"X-Original-To", "Delivered-To", "Envelope-To", "To"};

	for (guint i = 0; i < G_N_ELEMENTS(names); i++)
		add_reference(dsn, g_mime_object_get_header(headers, names[i]));
}

static void
read_part(Dsn *dsn, GMimeObject *part)
{
	GMimeContentType *type = g_mime_object_get_content_type(part);
	GMimeMessage *original = NULL;
	GByteArray *content;

	if (GMIME_IS_MESSAGE_PART(part))
	{
		original = g_mime_message_part_get_message(GMIME_MESSAGE_PART(part));
		if (original != NULL)
			add_reference(dsn, g_mime_message_get_message_id(original));
		return;
	}
	content = content_of(part);
	if (content == NULL)
		return;
	if (g_mime_content_type_is_type(type, "message", "delivery-status") ||
		g_mime_content_type_is_type(type, "message", "global-delivery-status"))
		read_failures(dsn, (const char *) content->data, content->len);
	else if (g_mime_content_type_is_type(type, "text", "rfc822-headers") ||
			 g_mime_content_type_is_type(type, "message", "global-headers") ||
			 g_mime_content_type_is_type(type, "message", "global"))
	{
		original = parse((const char *) content->data, content->len);
		if (original != NULL)
			add_reference(dsn, g_mime_message_get_message_id(original));
		g_clear_object(&original);
	}
	g_byte_array_unref(content);
}

/* read_failures: groups of fields with empty lines between; the first is about the whole message. */
static void
read_failures(Dsn *dsn, const char *fields, gsize length)
{
	char *text = g_strndup(fields, length);
	char **lines = g_strsplit(text, "\n", 0);
	GString *group = g_string_new(NULL);

	for (int i = 0;; i++)
	{
		bool ends = lines[i] == NULL || lines[i][strspn(lines[i], "\r")] == '\0';

		if (!ends)
			g_string_append_printf(group, "%s\n", lines[i]);
		else if (group->len > 0 && dsn->failures->len < MAX_FAILURES)
		{
			GMimeMessage *parsed;

			g_string_append_c(group, '\n');
			parsed = parse(group->str, group->len);
			if (parsed != NULL)
				read_failure(dsn, GMIME_OBJECT(parsed));
			g_clear_object(&parsed);
			g_string_truncate(group, 0);
		}
		if (lines[i] == NULL)
			break;
	}
	g_string_free(group, TRUE);
	g_strfreev(lines);
	g_free(text);
}

static void
read_failure(Dsn *dsn, GMimeObject *fields)
{
	char *action = field_text(fields, "Action", false);

	/* Delays, and what was delivered, relayed or expanded, are no failures */
	if (action != NULL && g_ascii_strcasecmp(action, "failed") == 0)
	{
		DsnFailure *failure = g_new0(DsnFailure, 1);

		failure->address = field_text(fields, "Original-Recipient", true);
		if (failure->address == NULL)
			failure->address = field_text(fields, "Final-Recipient", true);
		failure->status = status_of(fields);
		failure->diagnostic = field_text(fields, "Diagnostic-Code", true);
		g_ptr_array_add(dsn->failures, failure);
	}
	g_free(action);
}

static GByteArray *
content_of(GMimeObject *part)
{
	GMimeDataWrapper *wrapper =
		GMIME_IS_PART(part) ? g_mime_part_get_content(GMIME_PART(part)) : NULL;
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
	if (bytes->len > 0 && bytes->len <= MAX_PART)
		return bytes;
	g_byte_array_unref(bytes);
	return NULL;
}

/* field_text returns a field, without the type that some have before a semicolon. */
static char *
field_text(GMimeObject *fields, const char *name, bool typed)
{
	const char *value = g_mime_object_get_header(fields, name);
	const char *rest = typed && value != NULL ? strchr(value, ';') : NULL;
	char *text;

	if (value == NULL)
		return NULL;
	text = clean(rest == NULL ? value : rest + 1);
	if (text[0] == '\0')
		g_clear_pointer(&text, g_free);
	return text;
}

/* status_of: some servers write a comment behind the three numbers. */
static char *
status_of(GMimeObject *fields)
{
	char *status = field_text(fields, "Status", false);

	if (status == NULL)
		return NULL;
	status[strspn(status, "0123456789.")] = '\0';
	if (status[0] < '2' || status[0] > '5' || status[1] != '.' || strlen(status) > 12)
		g_clear_pointer(&status, g_free);
	return status;
}

/* clean returns one line of valid UTF-8, cut where it is long. */
static char *
clean(const char *text)
{
	char *valid = g_utf8_make_valid(text, (gssize) strnlen(text, MAX_TEXT));

	for (char *at = valid; *at != '\0'; at++)
	{
		if (g_ascii_iscntrl(*at))
			*at = ' ';
	}
	return g_strstrip(valid);
}
