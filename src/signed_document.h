/*
 * signed_document.h
 *		The document of a signed quote with the evidence of its signature.
 */
#ifndef SCRM_SIGNED_DOCUMENT_H
#define SCRM_SIGNED_DOCUMENT_H

#include "postgres.h"

#include "row.h"

/* One HTML file that needs nothing else; NULL when the quote was not sent */
extern text *signed_document_make(const Row *quote, const Row *signature);

#endif /* SCRM_SIGNED_DOCUMENT_H */
