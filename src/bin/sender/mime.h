/*
 * mime.h
 *		Makes the bytes of an e-mail (RFC 5322, MIME) of the fields of its message.
 */
#ifndef SCRM_MIME_H
#define SCRM_MIME_H

#include <stdbool.h>

#include <glib.h>
#include <jansson.h>

#include "field.h"

/*
 * Why an e-mail of these fields (field.h) and attachments is not one to be sent, NULL where it is: an
 * address is missing or no address, or CR, LF or another control character is in what becomes a header.
 */
extern const char *mime_refusal(const char *const *fields, const json_t *attachments);

/*
 * The e-mail in lines that end with LF; contents are of the attachments, of GBytes, in their order. The
 * same fields give the same bytes, at each attempt, whoever makes it.
 */
extern GString *
mime_compose(const char *const *fields, const json_t *attachments, const GPtrArray *contents);

/* Appends lines as they go over the wire, with CRLF; after DATA with dots doubled (RFC 5321, 4.5.2) */
extern void mime_append_lines(GString *out, const GString *lines, bool double_dots);

/* How many bytes that are, without dots doubled */
extern size_t mime_size(const GString *lines);

/* The address as it goes over the wire: its domain in ASCII where that is possible. To be freed. */
extern char *mime_address(const char *address);

#endif /* SCRM_MIME_H */
