/*
 * media_type.h
 *		What the first bytes of a file say it is.
 */
#ifndef SCRM_MEDIA_TYPE_H
#define SCRM_MEDIA_TYPE_H

#include "postgres.h"

/* NULL when they say nothing */
extern const char *media_type_of(const bytea *content);

/* Whether a content is what its type promises; true for types that promise nothing */
extern bool media_type_fits(const char *media_type, const bytea *content);

#endif /* SCRM_MEDIA_TYPE_H */
