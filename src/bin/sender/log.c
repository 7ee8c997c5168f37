/*
 * log.c
 *		What the sender says, on standard error: plain lines, or one JSON object per line.
 *
 * What it says is made of texts of its own, names, numbers and answers of other programs; it is
 * never given a secret, so that there is none to leave out.
 */
#include <stdarg.h>
#include <stdio.h>

#include <glib.h>
#include <jansson.h>

#include "log.h"

static const char *const level_names[] = {"error", "warning", "info", "debug"};

static bool as_json = false;
static LogLevel most_level = LOG_LEVEL_INFO;

static void write_line(LogLevel level, long long message_id, const char *format, va_list arguments)
	__attribute__((format(printf, 3, 0)));

LogLevel
log_level_named(const char *name)
{
	for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++)
	{
		if (g_strcmp0(name, level_names[level]) == 0)
			return level;
	}
	return LOG_LEVEL_INFO;
}

void
log_configure(bool json, LogLevel most)
{
	as_json = json;
	most_level = most;
}

void
log_error(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	write_line(LOG_LEVEL_ERROR, 0, format, arguments);
	va_end(arguments);
}

void
log_write(LogLevel level, long long message_id, const char *format, ...)
{
	va_list arguments;

	if (level > most_level)
		return;
	va_start(arguments, format);
	write_line(level, message_id, format, arguments);
	va_end(arguments);
}

static void
write_line(LogLevel level, long long message_id, const char *format, va_list arguments)
{
	char *given = g_strdup_vprintf(format, arguments);
	char *text = g_utf8_make_valid(given, -1);

	g_free(given);
	log_make_line(text);
	if (as_json)
	{
		GDateTime *now = g_date_time_new_now_utc();
		char *at = g_date_time_format(now, "%Y-%m-%dT%H:%M:%S.%fZ");
		json_t *line = json_pack("{ss ss ss}", "at", at, "level", level_names[level], "text", text);

		if (message_id != 0)
			json_object_set_new(line, "message_id", json_integer(message_id));
		json_dumpf(line, stderr, JSON_COMPACT);
		fputc('\n', stderr);
		json_decref(line);
		g_free(at);
		g_date_time_unref(now);
	}
	else if (message_id != 0)
		fprintf(stderr, "%s: message %lld: %s\n", level_names[level], message_id, text);
	else
		fprintf(stderr, "%s: %s\n", level_names[level], text);
	g_free(text);
}
