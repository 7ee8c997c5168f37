/*
 * quote_template.h
 *		Templates of quotes, kept parsed.
 */
#ifndef SCRM_QUOTE_TEMPLATE_H
#define SCRM_QUOTE_TEMPLATE_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "kept_row.h"
#include "mustache.h"

typedef struct QuoteTemplate
{
	KeptRow kept;
	text *name;
	char *sha256; /* of body and partials, in hexadecimal */
	NullableDatum code_above;
	text *body;
	Jsonb *partials;
	MustacheTemplate *prepared; /* of the body, once it was rendered; with partial_tree */
	MustacheValue partial_tree;
} QuoteTemplate;

/*
 * The template with a key, as a new statement would see it; valid until the next call. Errors: P0002
 * when there is none
 */
extern const QuoteTemplate *quote_template_get(int64 quote_template_id);

/* The document that it makes of a snapshot. Errors: P0002, SC110, 54000 */
extern text *quote_template_render(int64 quote_template_id, Jsonb *facts);

#endif /* SCRM_QUOTE_TEMPLATE_H */
