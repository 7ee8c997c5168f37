/*
 * asset.h
 *		Files that are compiled in.
 */
#ifndef PORTAL_ASSET_H
#define PORTAL_ASSET_H

#include <stddef.h>

typedef struct Asset
{
	const char *path; /* without the version */
	const char *media_type;
	const char *bytes;
	size_t length;
	char version[17]; /* of its content: what /asset/NAME?v= says */
} Asset;

extern void asset_start(void);

/* NULL when there is none */
extern const Asset *asset_find(const char *path);

#endif /* PORTAL_ASSET_H */
