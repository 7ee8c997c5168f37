/*
 * asset.c
 *		Files that are compiled in.
 */
#include <string.h>

#include "asset.h"
#include "session.h"

/* The assembler reads the file, from the folder that the Makefile names */
#define INCLUDE(name, file)                                       \
	__asm__(".section .rodata\n"                                  \
			".global asset_" #name "\n"                           \
			"asset_" #name ":\n.incbin \"" ASSETS "/" file "\"\n" \
			".global asset_" #name "_end\n"                       \
			"asset_" #name "_end:\n.byte 0\n.previous\n");        \
	extern const char asset_##name[];                             \
	extern const char asset_##name##_end[];

INCLUDE(css, "page.css")
INCLUDE(js, "page.js")

static Asset assets[] = {
	{"/asset/page.css", "text/css; charset=utf-8", asset_css, 0, ""},
	{"/asset/page.js", "text/javascript; charset=utf-8", asset_js, 0, ""},
};

#define ASSET_COUNT ((int) (sizeof(assets) / sizeof(assets[0])))

void
asset_start(void)
{
	const char *const ends[] = {asset_css_end, asset_js_end};

	for (int i = 0; i < ASSET_COUNT; i++)
	{
		char hex[65];

		assets[i].length = (size_t) (ends[i] - assets[i].bytes);
		session_sha256(assets[i].bytes, assets[i].length, hex);
		memcpy(assets[i].version, hex, 16);
	}
}

const Asset *
asset_find(const char *path)
{
	for (int i = 0; i < ASSET_COUNT; i++)
	{
		if (strcmp(assets[i].path, path) == 0)
			return &assets[i];
	}
	return NULL;
}
