/*
 * log.h
 *		What the sender says, on standard error: plain lines, or one JSON object per line.
 */
#ifndef SCRM_LOG_H
#define SCRM_LOG_H

#include <stdbool.h>

#include "../common/log.h"

typedef enum LogLevel
{
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
} LogLevel;

/* The level of that name; info where there is none */
extern LogLevel log_level_named(const char *name);

extern void log_configure(bool json, LogLevel most);

/* A line; message_id is 0 where it is of none. Control characters become spaces. */
extern void log_write(LogLevel level, long long message_id, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define log_warning(...) log_write(LOG_LEVEL_WARNING, 0, __VA_ARGS__)
#define log_info(...) log_write(LOG_LEVEL_INFO, 0, __VA_ARGS__)
#define log_debug(...) log_write(LOG_LEVEL_DEBUG, 0, __VA_ARGS__)

#endif /* SCRM_LOG_H */
