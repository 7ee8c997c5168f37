/*
 * signature_png.h
 *		The picture of a signature.
 */
#ifndef SCRM_SIGNATURE_PNG_H
#define SCRM_SIGNATURE_PNG_H

#include "postgres.h"

#include "png.h"

/* Checks the picture and returns what it is. Errors: 22023 */
extern Png signature_png_check(const bytea *image);

#endif /* SCRM_SIGNATURE_PNG_H */
