/*
 * signature_png.c
 *		sales_crm.check_signature_png(): the picture of a signature. png.c looks at the bytes.
 */
#include "postgres.h"

#include "fmgr.h"

#include "compat.h"
#include "record.h"
#include "signature_png.h"

PG_FUNCTION_INFO_V1(scrm_check_signature_png);

pg_noreturn static void report_problem(PngProblem problem, const Png *png, size_t length);

/* image bytea: its width and height */
Datum
scrm_check_signature_png(PG_FUNCTION_ARGS)
{
	Png png = signature_png_check(PG_GETARG_BYTEA_PP(0));
	Datum values[] = {Int32GetDatum((int32) png.width), Int32GetDatum((int32) png.height)};
	bool nulls[] = {false, false};

	PG_RETURN_DATUM(record_return(fcinfo, values, nulls));
}

Png
signature_png_check(const bytea *image)
{
	size_t length = VARSIZE_ANY_EXHDR(image);
	Png png;
	PngProblem problem = png_check((const uint8_t *) VARDATA_ANY(image), length, &png);

	if (problem != PNG_FINE)
		report_problem(problem, &png, length);
	return png;
}

static void
report_problem(PngProblem problem, const Png *png, size_t length)
{
	const char *detail = NULL;
	const char *hint = "Draw the signature again; the page makes a picture that fits.";

	switch (problem)
	{
		case PNG_FINE:
			elog(ERROR, "picture fails without a problem");
			break;
		case PNG_EMPTY:
			detail = "It is empty.";
			break;
		case PNG_TOO_MANY_BYTES:
			detail = psprintf("It has %zu bytes; at most %d are accepted.", length, PNG_MAX_BYTES);
			break;
		case PNG_NOT_PNG:
			detail = "It does not begin as a PNG does.";
			break;
		case PNG_TRUNCATED:
			detail = psprintf("It ends within its chunk at byte %zu.", png->position);
			break;
		case PNG_CHECKSUM:
			detail = psprintf("The checksum of its chunk %s at byte %zu is wrong.", png->chunk,
							  png->position);
			break;
		case PNG_CHUNK:
			detail = psprintf("Its chunk %s at byte %zu is unknown, out of place or of a wrong "
							  "length.",
							  png->chunk, png->position);
			break;
		case PNG_HEADER:
			detail = "Its header has values that PNG does not know.";
			break;
		case PNG_DIMENSIONS:
			detail = psprintf("It has %u × %u pixels; at most %d × %d are accepted.", png->width,
							  png->height, PNG_MAX_WIDTH, PNG_MAX_HEIGHT);
			break;
		case PNG_MOVING:
			detail = "It has several pictures.";
			break;
		case PNG_TRAILING:
			detail = psprintf("It goes on after its end at byte %zu.", png->position);
			break;
	}
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("picture of the signature is not accepted"), errdetail("%s", detail),
					errhint("%s", hint)));
}
