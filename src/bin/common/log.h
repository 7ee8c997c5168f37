/*
 * log.h
 *		What the logs of the programs outside the server have in common.
 */
#ifndef SCRM_COMMON_LOG_H
#define SCRM_COMMON_LOG_H

/* A line on standard error that says what went wrong; each program has its own way to write it */
extern void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Makes one line of a text: control characters become spaces, and its end has none */
extern void log_make_line(char *text);

#endif /* SCRM_COMMON_LOG_H */
