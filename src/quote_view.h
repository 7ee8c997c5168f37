/*
 * quote_view.h
 *		What templates of quotes are filled with.
 */
#ifndef SCRM_QUOTE_VIEW_H
#define SCRM_QUOTE_VIEW_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "mustache.h"

/*
 * The tree of sales_crm.quote_view_data(), for the facts of a quote's snapshot; its texts point into
 * them. Errors: 22P02 for a number, a day or a boolean that is none, 22023 for lines or taxes that are
 * no array
 */
extern MustacheValue quote_view_tree(Jsonb *facts);

#endif /* SCRM_QUOTE_VIEW_H */
