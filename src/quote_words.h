/*
 * quote_words.h
 *		The words that documents of quotes consist of, and the page that proves a signature.
 */
#ifndef SCRM_QUOTE_WORDS_H
#define SCRM_QUOTE_WORDS_H

#include "postgres.h"

#include "utils/jsonb.h"

#include "mustache.h"

typedef struct QuoteWords
{
	Jsonb *words;		/* of quote_words() */
	MustacheValue tree; /* the same, points into it */
} QuoteWords;

/* The words of a locale. Both are valid until the end of the transaction */
extern const QuoteWords *quote_words_get(const char *locale);

/* evidence_body(), parsed */
extern const MustacheTemplate *quote_words_evidence_page(void);

#endif /* SCRM_QUOTE_WORDS_H */
