/*
 * digest.h
 *		SHA-256 of texts in UTF-8, as sha256(convert_to(…, 'UTF8')) gives it, and of bytes.
 */
#ifndef SCRM_DIGEST_H
#define SCRM_DIGEST_H

#include "postgres.h"

#include "fmgr.h"
#include "utils/jsonb.h"

extern bytea *digest_of_string(const char *string, size_t length);

/* Bytes in hexadecimal */
extern char *digest_hex(const bytea *bytes);

/* These remember the last one that they were asked for */
extern bytea *digest_of_text(text *given);
extern bytea *digest_of_jsonb(Jsonb *given);
extern bytea *digest_of_bytes(const bytea *given);

/* sha256() by the same memory, in its place in expressions */
extern Datum digest_sha256(PG_FUNCTION_ARGS);

#endif /* SCRM_DIGEST_H */
