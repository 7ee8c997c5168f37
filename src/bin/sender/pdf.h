/*
 * pdf.h
 *		Makes documents with WeasyPrint: the kind of delivery, and --render.
 */
#ifndef SCRM_PDF_H
#define SCRM_PDF_H

#include "delivery.h"

extern const DeliveryKind pdf_kind;

/* Writes the document of a quote to standard output; returns an exit status of sysexits.h */
extern int pdf_render_quote(const Config *config, const char *quote_id);

/* Makes a document of one word, and seals it where a key is configured: what is wrong, to be freed, or NULL */
extern char *pdf_check(const Config *config);

#endif /* SCRM_PDF_H */
