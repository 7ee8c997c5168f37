/*
 * fuzz_png.c
 *		Promise: png.c reads nothing beyond its bytes, ends, and accepts nothing beyond its limits.
 *
 * Each input is checked as it is, and once more with all checksums made right, so that what lies
 * behind them is met as well.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/png.h"

/* A macro, so that the line shows */
#define require(condition) ((condition) ? (void) 0 : (fprintf(stderr, "line %d\n", __LINE__), abort()))

static uint32_t
crc(const uint8_t *bytes, size_t length)
{
	uint32_t sum = 0xffffffff;

	for (size_t i = 0; i < length; i++)
	{
		sum ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			sum = (sum >> 1) ^ (0xedb88320 & (0 - (sum & 1)));
	}
	return sum ^ 0xffffffff;
}

static void
mend(uint8_t *bytes, size_t size)
{
	size_t at = 8;

	while (at + 12 <= size)
	{
		uint8_t *chunk = bytes + at;
		size_t length = ((size_t) chunk[0] << 24) | ((size_t) chunk[1] << 16) |
						((size_t) chunk[2] << 8) | chunk[3];
		uint32_t sum;

		if (length > size - at - 12)
			return;
		sum = crc(chunk + 4, length + 4);
		for (int i = 0; i < 4; i++)
			chunk[8 + length + i] = (uint8_t) (sum >> (24 - 8 * i));
		at += 12 + length;
	}
}

static void
check(const uint8_t *bytes, size_t size)
{
	Png png;
	PngProblem problem = png_check(bytes, size, &png);

	require(png.position <= size && memchr(png.chunk, 0, sizeof(png.chunk)) != NULL);
	if (problem == PNG_FINE)
	{
		require(size <= PNG_MAX_BYTES && png.position == size);
		require(png.width >= 1 && png.width <= PNG_MAX_WIDTH);
		require(png.height >= 1 && png.height <= PNG_MAX_HEIGHT);
		require(memcmp(bytes + size - 8, "IEND", 4) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size > 0 ? size : 1);

	if (copy == NULL)
		abort();
	check(bytes, size);
	if (size > 0)
		memcpy(copy, bytes, size);
	mend(copy, size);
	check(copy, size);
	free(copy);
	return 0;
}
