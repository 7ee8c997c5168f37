/*
 * render.h
 *		Mustache over jsonb and over trees made by hand.
 */
#ifndef SCRM_RENDER_H
#define SCRM_RENDER_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "mustache.h"

/* The tree of a container or of any value; its texts point into it */
extern MustacheValue render_value(const JsonbValue *from);
extern MustacheValue render_tree(JsonbContainer *container);

/* The jsonb of a list or an object, which render_tree() would make the same tree of */
extern Jsonb *render_jsonb(const MustacheValue *tree);

/* A member for render_object(); members come in the order of mustache.h: shorter keys first */
#define RENDER_MEMBER(name, what)                                      \
	{                                                                  \
		.key = (name), .key_length = sizeof(name) - 1, .value = (what) \
	}

/* Trees made by hand: an object with copies of members, a text or null for NULL, a boolean */
extern MustacheValue render_object(const MustacheMember *members, size_t count);
extern MustacheValue render_text(const char *text);
extern MustacheValue render_boolean(bool boolean);

/* What a template makes of data, not terminated. Errors: SC110 and 54000, as render_template() */
extern char *render_data(const text *template, const MustacheValue *data,
						 const MustacheValue *partials, size_t *length);

/* The same in two steps: what is parsed is in the current memory context, and points into the template */
extern MustacheTemplate *render_prepare(const text *template);
extern char *render_prepared(const MustacheTemplate *template, const MustacheValue *data,
							 const MustacheValue *partials, size_t *length);

#endif /* SCRM_RENDER_H */
