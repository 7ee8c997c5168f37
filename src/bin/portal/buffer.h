/*
 * buffer.h
 *		Text that grows, and the one function that escapes what users wrote.
 *
 * A buffer starts as {0}. When memory runs out the program ends: a page cut off would be worse.
 */
#ifndef PORTAL_BUFFER_H
#define PORTAL_BUFFER_H

#include <stdarg.h>
#include <stddef.h>

typedef struct Buffer
{
	char *data; /* ends with a NUL that length does not count; NULL while empty */
	size_t length;
	size_t size;
} Buffer;

extern void buffer_bytes(Buffer *buffer, const void *bytes, size_t length);

/* Markup, as it is: only for what the program itself says */
extern void buffer_text(Buffer *buffer, const char *text);

/* Text of users or of the database, escaped for content and for attributes in double quotes; NULL
 * is nothing */
extern void buffer_html(Buffer *buffer, const char *text);

/*
 * Markup with values: %s is escaped as by buffer_html, %d and %u are numbers, %% is a percent sign.
 * There is no way to insert a string unescaped.
 */
extern void buffer_format(Buffer *buffer, const char *format, ...);

/* Formatted as by printf: for what is not markup */
extern void
buffer_printf(Buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

extern void buffer_free(Buffer *buffer);

/* Memory or the end of the program */
extern void *must_allocate(size_t size);
extern char *must_copy(const char *text);

#endif /* PORTAL_BUFFER_H */
