/*
 * media_type.c
 *		What the first bytes of a file say it is, and whether that is what its media type promises.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "compat.h"
#include "media_type.h"

PG_FUNCTION_INFO_V1(scrm_media_type_of);
PG_FUNCTION_INFO_V1(scrm_media_type_fits);

#define ZIP_TYPE "application/zip"
#define OLE_TYPE "application/x-ole-storage"

/* How contents of a type begin; types with two beginnings have two rows */
typedef struct Beginning
{
	const char *media_type;
	const char *bytes;
	size_t length;
} Beginning;

#define BEGINNING(media_type, bytes)               \
	{                                              \
		(media_type), (bytes), sizeof((bytes)) - 1 \
	}

static const Beginning beginnings[] = {
	BEGINNING("application/pdf", "%PDF-"),
	BEGINNING("image/png", "\x89PNG\r\n\x1a\n"),
	BEGINNING("image/jpeg", "\xff\xd8\xff"),
	BEGINNING("image/gif", "GIF87a"),
	BEGINNING("image/gif", "GIF89a"),
	BEGINNING("image/tiff", "II*\0"),
	BEGINNING("image/tiff", "MM\0*"),
	BEGINNING(ZIP_TYPE, "PK\3\4"),
	BEGINNING(ZIP_TYPE, "PK\5\6"),
	BEGINNING("application/gzip", "\x1f\x8b\x08"),
	BEGINNING(OLE_TYPE, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
	BEGINNING("text/calendar", "BEGIN:VCALENDAR"),
};

/* WebP is told by the bytes after the length of the file */
#define RIFF_BEGINNING "RIFF"
#define RIFF_FORM_PLACE 8
#define WEBP_FORM "WEBP"

/* Which beginning a type promises; one that ends with a dot stands for all that begin with it */
typedef struct Promise
{
	const char *media_type;
	const char *promised;
} Promise;

static const Promise promises[] = {
	{"application/pdf", "application/pdf"},
	{"image/png", "image/png"},
	{"image/jpeg", "image/jpeg"},
	{"image/gif", "image/gif"},
	{"image/webp", "image/webp"},
	{"image/tiff", "image/tiff"},
	{ZIP_TYPE, ZIP_TYPE},
	{"application/gzip", "application/gzip"},
	{"application/vnd.openxmlformats-officedocument.", ZIP_TYPE},
	{"application/vnd.oasis.opendocument.", ZIP_TYPE},
	{"application/msword", OLE_TYPE},
	{"application/vnd.ms-excel", OLE_TYPE},
	{"application/vnd.ms-powerpoint", OLE_TYPE},
};

static bool has_at(const bytea *content, size_t place, const char *bytes, size_t length);
static bool is_meant(const Promise *promise, const char *media_type);

/* content bytea: text */
Datum
scrm_media_type_of(PG_FUNCTION_ARGS)
{
	const char *media_type = media_type_of(PG_GETARG_BYTEA_PP(0));

	if (media_type == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(media_type));
}

/* media_type text, content bytea: boolean */
Datum
scrm_media_type_fits(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(media_type_fits(text_to_cstring(PG_GETARG_TEXT_PP(0)), PG_GETARG_BYTEA_PP(1)));
}

const char *
media_type_of(const bytea *content)
{
	for (size_t i = 0; i < lengthof(beginnings); i++)
	{
		if (has_at(content, 0, beginnings[i].bytes, beginnings[i].length))
			return beginnings[i].media_type;
	}
	if (has_at(content, 0, RIFF_BEGINNING, strlen(RIFF_BEGINNING)) &&
		has_at(content, RIFF_FORM_PLACE, WEBP_FORM, strlen(WEBP_FORM)))
		return "image/webp";
	return NULL;
}

bool
media_type_fits(const char *media_type, const bytea *content)
{
	for (size_t i = 0; i < lengthof(promises); i++)
	{
		if (is_meant(&promises[i], media_type))
		{
			const char *found = media_type_of(content);

			return found != NULL && strcmp(found, promises[i].promised) == 0;
		}
	}
	return true;
}

static bool
has_at(const bytea *content, size_t place, const char *bytes, size_t length)
{
	return VARSIZE_ANY_EXHDR(content) >= place + length &&
		   memcmp(VARDATA_ANY(content) + place, bytes, length) == 0;
}

static bool
is_meant(const Promise *promise, const char *media_type)
{
	size_t length = strlen(promise->media_type);

	if (promise->media_type[length - 1] == '.')
		return strncmp(media_type, promise->media_type, length) == 0;
	return strcmp(media_type, promise->media_type) == 0;
}
