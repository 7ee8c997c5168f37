/*
 * buffer.c
 *		Text that grows, and the one function that escapes what users wrote.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"

static void reserve(Buffer *buffer, size_t more);

void
buffer_bytes(Buffer *buffer, const void *bytes, size_t length)
{
	reserve(buffer, length);
	memcpy(buffer->data + buffer->length, bytes, length);
	buffer->length += length;
	buffer->data[buffer->length] = '\0';
}

void
buffer_text(Buffer *buffer, const char *text)
{
	buffer_bytes(buffer, text, strlen(text));
}

void
buffer_html(Buffer *buffer, const char *text)
{
	while (text != NULL && *text != '\0')
	{
		size_t plain = strcspn(text, "&<>\"'");

		if (plain > 0)
			buffer_bytes(buffer, text, plain);
		text += plain;
		switch (*text)
		{
			case '&':
				buffer_text(buffer, "&amp;");
				break;
			case '<':
				buffer_text(buffer, "&lt;");
				break;
			case '>':
				buffer_text(buffer, "&gt;");
				break;
			case '"':
				buffer_text(buffer, "&quot;");
				break;
			case '\'':
				buffer_text(buffer, "&#39;");
				break;
			default:
				return;
		}
		text++;
	}
}

void
buffer_format(Buffer *buffer, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	for (;;)
	{
		size_t plain = strcspn(format, "%");

		buffer_bytes(buffer, format, plain);
		format += plain;
		if (*format == '\0')
			break;
		switch (format[1])
		{
			case 's':
				buffer_html(buffer, va_arg(values, const char *));
				break;
			case 'd':
				buffer_printf(buffer, "%d", va_arg(values, int));
				break;
			case 'u':
				buffer_printf(buffer, "%u", va_arg(values, unsigned));
				break;
			case '%':
				buffer_bytes(buffer, "%", 1);
				break;
			default:
				abort();
		}
		format += 2;
	}
	va_end(values);
}

void
buffer_printf(Buffer *buffer, const char *format, ...)
{
	va_list values;
	va_list again;
	int length;

	va_start(values, format);
	va_copy(again, values);
	length = vsnprintf(NULL, 0, format, values);
	va_end(values);
	if (length > 0)
	{
		reserve(buffer, (size_t) length);
		vsnprintf(buffer->data + buffer->length, (size_t) length + 1, format, again);
		buffer->length += (size_t) length;
	}
	va_end(again);
}

void
buffer_free(Buffer *buffer)
{
	free(buffer->data);
	*buffer = (Buffer){0};
}

void *
must_allocate(size_t size)
{
	void *memory = calloc(1, size);

	if (memory == NULL)
	{
		fputs("sales_crm_portal: out of memory\n", stderr);
		abort();
	}
	return memory;
}

char *
must_copy(const char *text)
{
	size_t size = strlen(text) + 1;

	return memcpy(must_allocate(size), text, size);
}

/* reserve: room for so many more bytes and the NUL */
static void
reserve(Buffer *buffer, size_t more)
{
	size_t size = buffer->size > 0 ? buffer->size : 1024;
	char *data;

	if (buffer->data != NULL && buffer->size - buffer->length > more)
		return;
	while (size - buffer->length <= more)
		size *= 2;
	data = realloc(buffer->data, size);
	if (data == NULL)
	{
		fputs("sales_crm_portal: out of memory\n", stderr);
		abort();
	}
	buffer->data = data;
	buffer->size = size;
}
