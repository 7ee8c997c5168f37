/*
 * queue_pdf.h
 *		Has PDFs of quotes made.
 */
#ifndef SCRM_QUEUE_PDF_H
#define SCRM_QUEUE_PDF_H

#include "postgres.h"

#include "quote_rule.h"
#include "row.h"

#define PDF_OF_QUOTE "quote"
#define PDF_OF_SIGNED "signed"

/*
 * Queues the message that has a PDF made, unless it is there, and returns it, also where it is queued or
 * dead already; NULL where the PDF is there. Errors: 55000 before the quote is sent or signed
 */
extern NullableDatum queue_pdf(const Row *quote, const char *purpose);

/* The PDF that belongs to a quote in a status: none once withdrawn, one with evidence once signed */
typedef struct PdfState
{
	NullableDatum attachment_id;
	bool expected; /* it is being made */
} PdfState;

/* As the calling query sees it */
extern PdfState pdf_state(NullableDatum quote_id, QuoteStatus status);

/* What an e-mail is to carry, or to wait for; both NULL where that changed again and again */
typedef struct AwaitedPdf
{
	NullableDatum attachment_id;
	NullableDatum waits_for;
} AwaitedPdf;

/* Queues the same; its message cannot be finished until the end of the transaction. Errors: 55000 */
extern AwaitedPdf await_pdf(const Row *quote, const char *purpose);

#endif /* SCRM_QUEUE_PDF_H */
