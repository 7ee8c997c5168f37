/*
 * png.c
 *		Whether bytes are a PNG as a signature may be: complete, small, one still picture.
 *
 * After "Portable Network Graphics (PNG) Specification (Third Edition)", sections 5 and 11. What
 * a browser's canvas makes passes, and so does what ordinary programs save. Files with a second
 * content, whether appended or as further frames, do not: what was signed is to look the same to everybody.
 */
#include "png.h"

#include <string.h>

#define SIGNATURE_BYTES 8
/* Length, type and checksum of a chunk */
#define CHUNK_BYTES 12
#define HEADER_BYTES 13

#define COLOR_GREY 0
#define COLOR_RGB 2
#define COLOR_PALETTE 3
#define COLOR_GREY_ALPHA 4
#define COLOR_RGB_ALPHA 6

static const uint8_t signature[SIGNATURE_BYTES] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};

/* What came before a chunk */
typedef enum Stage
{
	STAGE_BEGIN,
	STAGE_HEADER,
	STAGE_PALETTE,
	STAGE_PIXELS,
	STAGE_AFTER_PIXELS,
	STAGE_END,
} Stage;

typedef struct Chunk
{
	const uint8_t *type; /* four letters */
	const uint8_t *data;
	uint32_t length;
} Chunk;

static PngProblem take_chunk(const Chunk *chunk, Stage *stage, Png *png);
static PngProblem take_header(const Chunk *chunk, Png *png);
static PngProblem take_palette(const Chunk *chunk, const Png *png);
static uint32_t read_uint32(const uint8_t *bytes);
static uint32_t checksum(const uint8_t *bytes, size_t length);

static inline bool
is_type(const Chunk *chunk, const char *type)
{
	return memcmp(chunk->type, type, 4) == 0;
}

PngProblem
png_check(const uint8_t *bytes, size_t length, Png *png)
{
	Stage stage = STAGE_BEGIN;
	size_t at = SIGNATURE_BYTES;

	*png = (Png){0};
	if (length == 0)
		return PNG_EMPTY;
	if (length > PNG_MAX_BYTES)
		return PNG_TOO_MANY_BYTES;
	if (length < SIGNATURE_BYTES || memcmp(bytes, signature, SIGNATURE_BYTES) != 0)
		return PNG_NOT_PNG;
	while (stage != STAGE_END)
	{
		Chunk chunk;
		PngProblem problem;

		png->position = at;
		png->chunk[0] = '\0';
		if (length - at < CHUNK_BYTES)
			return PNG_TRUNCATED;
		chunk.length = read_uint32(bytes + at);
		chunk.type = bytes + at + 4;
		chunk.data = bytes + at + 8;
		for (int i = 0; i < 4; i++)
		{
			uint8_t letter = chunk.type[i] | 0x20;

			if (letter < 'a' || letter > 'z')
				return PNG_CHUNK;
		}
		memcpy(png->chunk, chunk.type, 4);
		if (chunk.length > length - at - CHUNK_BYTES)
			return PNG_TRUNCATED;
		if (checksum(chunk.type, chunk.length + 4) != read_uint32(chunk.data + chunk.length))
			return PNG_CHECKSUM;
		problem = take_chunk(&chunk, &stage, png);
		if (problem != PNG_FINE)
			return problem;
		at += CHUNK_BYTES + chunk.length;
	}
	png->position = at;
	png->chunk[0] = '\0';
	return at == length ? PNG_FINE : PNG_TRAILING;
}

/* take_chunk checks that a chunk may stand where it stands. */
static PngProblem
take_chunk(const Chunk *chunk, Stage *stage, Png *png)
{
	if (is_type(chunk, "IHDR"))
	{
		if (*stage != STAGE_BEGIN)
			return PNG_CHUNK;
		*stage = STAGE_HEADER;
		return take_header(chunk, png);
	}
	if (*stage == STAGE_BEGIN)
		return PNG_CHUNK;
	if (is_type(chunk, "PLTE"))
	{
		if (*stage != STAGE_HEADER)
			return PNG_CHUNK;
		*stage = STAGE_PALETTE;
		return take_palette(chunk, png);
	}
	if (is_type(chunk, "IDAT"))
	{
		if (*stage > STAGE_PIXELS || (*stage == STAGE_HEADER && png->color_type == COLOR_PALETTE))
			return PNG_CHUNK;
		*stage = STAGE_PIXELS;
		return PNG_FINE;
	}
	if (*stage == STAGE_PIXELS)
		*stage = STAGE_AFTER_PIXELS;
	if (is_type(chunk, "IEND"))
	{
		if (*stage != STAGE_AFTER_PIXELS || chunk->length != 0)
			return PNG_CHUNK;
		*stage = STAGE_END;
		return PNG_FINE;
	}
	if (is_type(chunk, "acTL") || is_type(chunk, "fcTL") || is_type(chunk, "fdAT"))
		return PNG_MOVING;
	/* A first letter in lower case: a reader may pass over what it does not know */
	return (chunk->type[0] & 0x20) != 0 ? PNG_FINE : PNG_CHUNK;
}

static PngProblem
take_header(const Chunk *chunk, Png *png)
{
	uint8_t depth;
	bool fine;

	if (chunk->length != HEADER_BYTES)
		return PNG_CHUNK;
	png->width = read_uint32(chunk->data);
	png->height = read_uint32(chunk->data + 4);
	depth = png->bit_depth = chunk->data[8];
	png->color_type = chunk->data[9];
	png->interlaced = chunk->data[12] == 1;
	switch (png->color_type)
	{
		case COLOR_GREY:
			fine = depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16;
			break;
		case COLOR_PALETTE:
			fine = depth == 1 || depth == 2 || depth == 4 || depth == 8;
			break;
		case COLOR_RGB:
		case COLOR_GREY_ALPHA:
		case COLOR_RGB_ALPHA:
			fine = depth == 8 || depth == 16;
			break;
		default:
			fine = false;
	}
	/* Compression and filter have one method each, interlacing two */
	if (!fine || chunk->data[10] != 0 || chunk->data[11] != 0 || chunk->data[12] > 1)
		return PNG_HEADER;
	if (png->width == 0 || png->height == 0 || png->width > PNG_MAX_WIDTH ||
		png->height > PNG_MAX_HEIGHT)
		return PNG_DIMENSIONS;
	return PNG_FINE;
}

static PngProblem
take_palette(const Chunk *chunk, const Png *png)
{
	uint32_t colors = chunk->length / 3;

	if (chunk->length % 3 != 0 || colors == 0 || colors > 256)
		return PNG_CHUNK;
	if (png->color_type == COLOR_GREY || png->color_type == COLOR_GREY_ALPHA)
		return PNG_CHUNK;
	if (png->color_type == COLOR_PALETTE && colors > (1u << png->bit_depth))
		return PNG_CHUNK;
	return PNG_FINE;
}

static uint32_t
read_uint32(const uint8_t *bytes)
{
	return ((uint32_t) bytes[0] << 24) | ((uint32_t) bytes[1] << 16) | ((uint32_t) bytes[2] << 8) |
		   bytes[3];
}

/* checksum returns the CRC-32 of the specification's annex D, four bits at a time. */
static uint32_t
checksum(const uint8_t *bytes, size_t length)
{
	static const uint32_t table[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
		0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < length; i++)
	{
		crc ^= bytes[i];
		crc = (crc >> 4) ^ table[crc & 15];
		crc = (crc >> 4) ^ table[crc & 15];
	}
	return crc ^ 0xffffffff;
}
