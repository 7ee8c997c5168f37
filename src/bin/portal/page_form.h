/*
 * page_form.h
 *		The forms of a page, for page.c alone.
 */
#ifndef PORTAL_PAGE_FORM_H
#define PORTAL_PAGE_FORM_H

#include "page.h"

/* All that an open quote may be answered by */
extern void page_write_forms(Buffer *out, const PageData *data);

/* A field that is not seen */
extern void page_write_hidden(Buffer *out, const char *name, const char *value);

/* The query that keeps the language and the mode over an answer */
extern void page_write_query(Buffer *out, const PageData *data);

/* A text in the page's language */
static inline const char *
page_say(const PageData *data, Text text)
{
	return text_of(data->frame.language, text);
}

#endif /* PORTAL_PAGE_FORM_H */
