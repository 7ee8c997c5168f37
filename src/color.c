/*
 * color.c
 *		Colours of companies, made fit to be read.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/formatting.h"

#include "color.h"
#include "compat.h"

PG_FUNCTION_INFO_V1(scrm_readable_color);

#define CHANNELS 3

/*
 * Relative luminance with a contrast of 5 to white (1.05 / 5 - 0.05), and so the 4.5 that WCAG 2.2
 * asks for to a light grey
 */
#define READABLE_LUMINANCE 0.16

static bool parse_color(const char *color, double *linear);
static int hex_value(char digit);

/* color text: text, the colour or a darker one */
Datum
scrm_readable_color(PG_FUNCTION_ARGS)
{
	char *color = text_to_cstring(PG_GETARG_TEXT_PP(0));

	if (!color_is_valid(color))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("color \"%s\" is not valid", color), errhint("Write it as #rrggbb.")));
	PG_RETURN_TEXT_P(cstring_to_text(color_readable(color)));
}

bool
color_is_valid(const char *color)
{
	double linear[CHANNELS];

	return parse_color(color, linear);
}

char *
color_readable(const char *color)
{
	double linear[CHANNELS] = {0};
	double luminance;
	int bytes[CHANNELS];

	(void) parse_color(color, linear);
	luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
	if (luminance <= READABLE_LUMINANCE)
		return asc_tolower(color, strlen(color));
	for (int i = 0; i < CHANNELS; i++)
	{
		double c = linear[i] * READABLE_LUMINANCE / luminance;

		bytes[i] =
			(int) floor(255 * (c <= 0.0031308 ? c * 12.92 : 1.055 * pow(c, 1 / 2.4) - 0.055));
	}
	return psprintf("#%02x%02x%02x", bytes[0], bytes[1], bytes[2]);
}

/* parse_color reads #rrggbb into linear sRGB, false for anything else. */
static bool
parse_color(const char *color, double *linear)
{
	if (strlen(color) != 1 + 2 * CHANNELS || color[0] != '#')
		return false;
	for (int i = 0; i < CHANNELS; i++)
	{
		int high = hex_value(color[1 + 2 * i]);
		int low = hex_value(color[2 + 2 * i]);
		double c = (high * 16 + low) / 255.0;

		if (high < 0 || low < 0)
			return false;
		linear[i] = c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
	}
	return true;
}

static int
hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	digit = (char) pg_ascii_tolower((unsigned char) digit);
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}
