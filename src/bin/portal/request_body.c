/*
 * request_body.c
 *		The body of a request: the fields of a form, as text that the database takes.
 */
#include <stdlib.h>
#include <string.h>

#include "request.h"
#include "route.h"

#define POST_BUFFER 65536

/* The longest value of each field, in bytes; what is too long is said beside the field */
static const struct
{
	const char *name;
	size_t most;
} field_rules[FIELDS] = {
	[FIELD_CSRF] = {"csrf", 100},		  [FIELD_REQUEST_KEY] = {"request_key", 100},
	[FIELD_SNAPSHOT] = {"snapshot", 100}, [FIELD_NAME] = {"name", 400},
	[FIELD_EMAIL] = {"email", 320},		  [FIELD_NOTE] = {"note", 20000},
	[FIELD_REASON] = {"reason", 20000},	  [FIELD_CONSENT] = {"consent", 10},
	[FIELD_CONFIRM] = {"confirm", 10},	  [FIELD_SIGNATURE] = {"signature", 1400000},
	[FIELD_CODE] = {"code", 20},
};

static enum MHD_Result
take_field(void *cls, enum MHD_ValueKind kind, const char *key, const char *file_name,
		   const char *content_type, const char *transfer_encoding, const char *data,
		   uint64_t offset, size_t length);
static bool is_utf8(const Buffer *text);
static void clean(Buffer *text);

void
request_begin_body(Request *request)
{
	const char *length = request_head(request, "Content-Length");
	bool has_body = (length != NULL && strcmp(length, "0") != 0) ||
					request_head(request, "Transfer-Encoding") != NULL;

	if (length != NULL && (strlen(length) > 9 || atol(length) > request->config->body_bytes))
	{
		if (request->status == 0)
			route_error(request, MHD_HTTP_CONTENT_TOO_LARGE);
		request->close = true;
		request->too_large = true;
		return;
	}
	if (request->status != 0)
		return;
	if (strcmp(request->method, "POST") == 0)
	{
		request->post =
			MHD_create_post_processor(request->connection, POST_BUFFER, take_field, request);
		if (request->post == NULL)
			route_error(request, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE);
	}
	else if (has_body)
		route_error(request, MHD_HTTP_BAD_REQUEST);
}

bool
request_receive(Request *request, const char *data, size_t length)
{
	request->received += length;
	if (request->received > (size_t) request->config->body_bytes)
		return false;
	if (request->post != NULL && !request->malformed &&
		MHD_post_process(request->post, data, length) != MHD_YES)
		request->malformed = true;
	return true;
}

const char *
request_field(const Request *request, Field field)
{
	const char *value = request->fields[field].value.data;

	return value == NULL ? "" : value;
}

bool
request_finish_body(Request *request)
{
	if (request->post != NULL)
	{
		if (MHD_destroy_post_processor(request->post) != MHD_YES)
			request->malformed = true;
		request->post = NULL;
	}
	for (int i = 0; i < FIELDS && !request->malformed; i++)
	{
		if (!is_utf8(&request->fields[i].value))
			request->malformed = true;
		else
			clean(&request->fields[i].value);
	}
	return !request->malformed;
}

static enum MHD_Result
take_field(void *cls, enum MHD_ValueKind kind, const char *key, const char *file_name,
		   const char *content_type, const char *transfer_encoding, const char *data,
		   uint64_t offset, size_t length)
{
	Request *request = cls;

	(void) kind;
	(void) content_type;
	(void) transfer_encoding;
	for (int i = 0; i < FIELDS && key != NULL && file_name == NULL; i++)
	{
		FieldValue *field = &request->fields[i];

		if (strcmp(key, field_rules[i].name) != 0)
			continue;
		field->sent = true;
		/* The first of several with the same name counts */
		if (offset != field->value.length)
			return MHD_YES;
		if (field->value.length + length > field_rules[i].most)
			field->too_long = true;
		else if (length > 0)
			buffer_bytes(&field->value, data, length);
		return MHD_YES;
	}
	return MHD_YES;
}

/* is_utf8: what the database would take as text: UTF-8 (RFC 3629) without NUL */
static bool
is_utf8(const Buffer *text)
{
	const unsigned char *next = (const unsigned char *) text->data;
	const unsigned char *end = next + text->length;

	while (next < end)
	{
		unsigned c = *next++;
		int more = c < 0x80				   ? 0
				   : c >= 0xc2 && c < 0xe0 ? 1
				   : (c & 0xf0) == 0xe0	   ? 2
				   : c >= 0xf0 && c < 0xf5 ? 3
										   : -1;

		if (c == 0 || more < 0 || end - next < more)
			return false;
		if ((c == 0xe0 && *next < 0xa0) || (c == 0xed && *next >= 0xa0) ||
			(c == 0xf0 && *next < 0x90) || (c == 0xf4 && *next >= 0x90))
			return false;
		for (; more > 0; more--)
		{
			if ((*next++ & 0xc0) != 0x80)
				return false;
		}
	}
	return true;
}

/* clean: line ends become line feeds, other control characters and the spaces around go */
static void
clean(Buffer *text)
{
	size_t length = 0;
	size_t first = 0;

	for (size_t i = 0; i < text->length; i++)
	{
		unsigned char c = (unsigned char) text->data[i];

		if (c == '\r')
			c = i + 1 < text->length && text->data[i + 1] == '\n' ? 0 : '\n';
		if ((c >= ' ' && c != 0x7f) || c == '\n' || c == '\t')
			text->data[length++] = (char) c;
	}
	while (length > 0 && strchr(" \n\t", text->data[length - 1]) != NULL)
		length--;
	while (first < length && strchr(" \n\t", text->data[first]) != NULL)
		first++;
	if (text->data == NULL)
		return;
	memmove(text->data, text->data + first, length - first);
	text->length = length - first;
	text->data[text->length] = '\0';
}
