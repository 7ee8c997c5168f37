/*
 * calendar.c
 *		The parts of iCalendar (RFC 5545) that SQL cannot write well: escaped text, quoted
 *		parameters, folded lines, the rules of a time zone.
 *
 * sql/code/calendar.sql puts the components together.
 */
#include "postgres.h"

#include <ctype.h>

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "compat.h"

PG_FUNCTION_INFO_V1(scrm_calendar_text);
PG_FUNCTION_INFO_V1(scrm_calendar_parameter);
PG_FUNCTION_INFO_V1(scrm_calendar_fold);
PG_FUNCTION_INFO_V1(scrm_calendar_time_zone);
PG_FUNCTION_INFO_V1(scrm_calendar_knows_zone);

/* RFC 5545, 3.1: lines SHOULD NOT be longer than 75 octets without the line break */
#define FOLD_OCTETS 75

/* A zone with more changes in the time asked for is cut there */
#define MAX_OBSERVANCES 1000

static void add_observance(StringInfo out, pg_time_t at, long from, long to, int isdst);
static void add_offset(StringInfo out, const char *name, long seconds);

/* A value of type TEXT (3.3.11): backslash, semicolon, comma and line break escaped */
Datum
scrm_calendar_text(PG_FUNCTION_ARGS)
{
	text *value = PG_GETARG_TEXT_PP(0);
	const char *bytes = VARDATA_ANY(value);
	int length = VARSIZE_ANY_EXHDR(value);
	StringInfoData out;

	initStringInfo(&out);
	for (int i = 0; i < length; i++)
	{
		unsigned char c = bytes[i];

		if (c == '\n')
			appendStringInfoString(&out, "\\n");
		else if (c == '\\' || c == ';' || c == ',')
		{
			appendStringInfoChar(&out, '\\');
			appendStringInfoChar(&out, c);
		}
		else if ((c >= 0x20 && c != 0x7f) || c == '\t')
			appendStringInfoChar(&out, c);
	}
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}

/* A quoted parameter value; what may not stand in quotes is encoded as RFC 6868 says */
Datum
scrm_calendar_parameter(PG_FUNCTION_ARGS)
{
	text *value = PG_GETARG_TEXT_PP(0);
	const char *bytes = VARDATA_ANY(value);
	int length = VARSIZE_ANY_EXHDR(value);
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoChar(&out, '"');
	for (int i = 0; i < length; i++)
	{
		unsigned char c = bytes[i];

		if (c == '\n')
			appendStringInfoString(&out, "^n");
		else if (c == '^')
			appendStringInfoString(&out, "^^");
		else if (c == '"')
			appendStringInfoString(&out, "^'");
		else if (c >= 0x20 && c != 0x7f)
			appendStringInfoChar(&out, c);
	}
	appendStringInfoChar(&out, '"');
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}

/* Lines that end with a line feed, as lines that end with CRLF and are folded between characters */
Datum
scrm_calendar_fold(PG_FUNCTION_ARGS)
{
	text *value = PG_GETARG_TEXT_PP(0);
	const char *bytes = VARDATA_ANY(value);
	const char *end = bytes + VARSIZE_ANY_EXHDR(value);
	int octets = 0;
	StringInfoData out;

	initStringInfo(&out);
	while (bytes < end)
	{
		int length = pg_mblen(bytes);

		if (*bytes == '\n')
		{
			appendStringInfoString(&out, "\r\n");
			octets = 0;
			bytes++;
			continue;
		}
		if (octets + length > FOLD_OCTETS)
		{
			appendStringInfoString(&out, "\r\n ");
			octets = 1;
		}
		appendBinaryStringInfo(&out, bytes, length);
		octets += length;
		bytes += length;
	}
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}

/*
 * A VTIMEZONE that holds from one moment to another: the offset at its beginning and each change
 * until its end, one observance each. So it needs no rule, which a zone may not follow.
 */
Datum
scrm_calendar_time_zone(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	pg_time_t at = timestamptz_to_time_t(PG_GETARG_TIMESTAMPTZ(1));
	pg_time_t until = timestamptz_to_time_t(PG_GETARG_TIMESTAMPTZ(2));
	pg_tz *zone = pg_tzset(name);
	StringInfoData out;
	long before;
	long after;
	int before_isdst;
	int after_isdst;
	pg_time_t boundary;
	int found;

	if (zone == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("time zone \"%s\" is not known", name)));
	initStringInfo(&out);
	appendStringInfo(&out, "BEGIN:VTIMEZONE\nTZID:%s\n", pg_get_timezone_name(zone));
	found =
		pg_next_dst_boundary(&at, &before, &before_isdst, &boundary, &after, &after_isdst, zone);
	add_observance(&out, at, before, before, before_isdst);
	for (int i = 0; found == 1 && boundary <= until && i < MAX_OBSERVANCES; i++)
	{
		add_observance(&out, boundary, before, after, after_isdst);
		at = boundary;
		found = pg_next_dst_boundary(&at, &before, &before_isdst, &boundary, &after, &after_isdst,
									 zone);
	}
	appendStringInfoString(&out, "END:VTIMEZONE\n");
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out.data, out.len));
}

/*
 * Abbreviations and POSIX rules, which PostgreSQL takes, too, mean nothing to a calendar: a name is
 * UTC, or an area and a place. Only those of the area Etc end with an offset.
 */
Datum
scrm_calendar_knows_zone(PG_FUNCTION_ARGS)
{
	char *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
	size_t length = strlen(name);

	if (length > TZ_STRLEN_MAX || strchr(name, ',') != NULL)
		PG_RETURN_BOOL(false);
	if (strcmp(name, "UTC") != 0 &&
		(strchr(name, '/') == NULL ||
		 (strncmp(name, "Etc/", 4) != 0 && isdigit((unsigned char) name[length - 1]))))
		PG_RETURN_BOOL(false);
	PG_RETURN_BOOL(pg_tzset(name) != NULL);
}

/* add_observance adds the offset that holds from a moment on; its DTSTART is told in the one before. */
static void
add_observance(StringInfo out, pg_time_t at, long from, long to, int isdst)
{
	const char *kind = isdst ? "DAYLIGHT" : "STANDARD";
	pg_time_t local = at + from;
	struct pg_tm *tm = pg_gmtime(&local);

	appendStringInfo(out, "BEGIN:%s\nDTSTART:%04d%02d%02dT%02d%02d%02d\n", kind, tm->tm_year + 1900,
					 tm->tm_mon + 1, tm->tm_mday, tm->tm_hour, tm->tm_min, tm->tm_sec);
	add_offset(out, "TZOFFSETFROM", from);
	add_offset(out, "TZOFFSETTO", to);
	appendStringInfo(out, "END:%s\n", kind);
}

static void
add_offset(StringInfo out, const char *name, long seconds)
{
	long size = labs(seconds);

	appendStringInfo(out, "%s:%c%02ld%02ld", name, seconds < 0 ? '-' : '+', size / 3600,
					 size / 60 % 60);
	if (size % 60 != 0)
		appendStringInfo(out, "%02ld", size % 60);
	appendStringInfoChar(out, '\n');
}
