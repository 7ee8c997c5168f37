/*
 * png.h
 *		Whether bytes are a PNG as a signature may be: complete, small, one still picture.
 *
 * Nothing of the server is in here, so that the same file stands in the extension and in a
 * fuzzer.
 */
#ifndef SCRM_PNG_H
#define SCRM_PNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PNG_MAX_BYTES (512 * 1024)
#define PNG_MAX_WIDTH 4000
#define PNG_MAX_HEIGHT 2000

typedef enum PngProblem
{
	PNG_FINE,
	PNG_EMPTY,
	PNG_TOO_MANY_BYTES,
	PNG_NOT_PNG,	/* does not begin as one */
	PNG_TRUNCATED,	/* ends within a chunk, or without IEND */
	PNG_CHECKSUM,	/* of a chunk */
	PNG_CHUNK,		/* one that is unknown, out of place or of a wrong length */
	PNG_HEADER,		/* values that the specification does not allow */
	PNG_DIMENSIONS, /* beyond the limits */
	PNG_MOVING,		/* several pictures (APNG) */
	PNG_TRAILING,	/* bytes after the end */
} PngProblem;

typedef struct Png
{
	uint32_t width;
	uint32_t height;
	uint8_t bit_depth;
	uint8_t color_type;
	bool interlaced;
	char chunk[5];	 /* the chunk that a problem is in, or empty */
	size_t position; /* of its first byte */
} Png;

/* Reads all of a PNG but the pixels */
extern PngProblem png_check(const uint8_t *bytes, size_t length, Png *png);

#endif /* SCRM_PNG_H */
