/*
 * signature.h
 *		A row of sales_crm.signature, and its columns.
 */
#ifndef SCRM_SIGNATURE_H
#define SCRM_SIGNATURE_H

#include "postgres.h"

#include "insert.h"
#include "lookup.h"
#include "row.h"

typedef enum SignatureColumn
{
	SIGNATURE_QUOTE_ID,
	SIGNATURE_SIGNER_NAME,
	SIGNATURE_SIGNER_EMAIL,
	SIGNATURE_IMAGE,
	SIGNATURE_PAPER,
	SIGNATURE_CONSENT_TEXT,
	SIGNATURE_IP,
	SIGNATURE_USER_AGENT,
	SIGNATURE_SIGNED_AT,
	SIGNATURE_SNAPSHOT_SHA256,
	SIGNATURE_ATTACHMENT_ID,
	SIGNATURE_QUOTE_LINK_ID,
} SignatureColumn;

#define SIGNATURE_COLUMNS (SIGNATURE_QUOTE_LINK_ID + 1)

/* The signature of a quote. Returns whether there is one */
extern bool signature_find(int64 quote_id, LookupTime time, Row *signature);

/* The key that the document of a signature is to have */
extern int64 signature_next_document(void);

/*
 * What follows from the signature of a quote, which is there: see apply_signature(). open is the insert
 * of the signature with the key of its document, which is ended; NULL for a row that is complete, or
 * lacks the key
 */
extern void signature_apply(int64 quote_id, OpenInsert *open);

#endif /* SCRM_SIGNATURE_H */
