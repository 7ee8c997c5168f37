/*
 * evidence.h
 *		The frozen document of a quote with a page that proves its signature.
 */
#ifndef SCRM_EVIDENCE_H
#define SCRM_EVIDENCE_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "utils/jsonb.h"

#include "format.h"
#include "mustache.h"
#include "quote_words.h"

/* What the page is made with; filled in by evidence_open(), points into the snapshot */
typedef struct Evidence
{
	JsonbContainer *snapshot;
	const QuoteWords *words;
	const Language *language;
	text *time_zone;
} Evidence;

extern void evidence_open(Evidence *evidence, Jsonb *snapshot);

/* A row of the history: the hash is in hex; all but the evidence may be missing */
extern MustacheValue evidence_event(const Evidence *evidence, const char *kind,
									const TimestampTz *at, MustacheValue who, MustacheValue sha256);

/* The time of a signature in words, NULL without one */
extern MustacheValue evidence_signed_at(const Evidence *evidence, const TimestampTz *at);

/*
 * The document. signature is an object with what the page shows (sales_crm.add_evidence()), events a
 * list of evidence_event(), snapshot_text what the hash is of
 */
extern text *evidence_add(const Evidence *evidence, const text *html, MustacheValue snapshot_text,
						  MustacheValue signature, MustacheValue events);

#endif /* SCRM_EVIDENCE_H */
