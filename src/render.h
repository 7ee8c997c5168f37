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

/* What a template makes of data, not terminated. Errors: SC110 and 54000, as render_template() */
extern char *render_data(const text *template, const MustacheValue *data,
						 const MustacheValue *partials, size_t *length);

/* The same in two steps: what is parsed is in the current memory context, and points into the template */
extern MustacheTemplate *render_prepare(const text *template);
extern char *render_prepared(const MustacheTemplate *template, const MustacheValue *data,
							 const MustacheValue *partials, size_t *length);

#endif /* SCRM_RENDER_H */
