/*
 * signed_document.h
 *		The document of a signed quote with the evidence of its signature.
 */
#ifndef SCRM_SIGNED_DOCUMENT_H
#define SCRM_SIGNED_DOCUMENT_H

#include "postgres.h"

/* One HTML file that needs nothing else; NULL when the quote was not signed */
extern text *signed_document_make(int64 quote_id);

#endif /* SCRM_SIGNED_DOCUMENT_H */
