/*
 * session.h
 *		Secrets: the cookie, what ties a form to it (CSRF), and keys that make answers repeatable.
 */
#ifndef PORTAL_SESSION_H
#define PORTAL_SESSION_H

#include <stdbool.h>
#include <stddef.h>

/* 16 or 32 bytes in hex, and the NUL */
#define KEY_SIZE 33
#define COOKIE_SIZE 65
/* Time in hex, a dot and a MAC in hex */
#define CSRF_SIZE (8 + 1 + 64 + 1)

typedef enum CsrfVerdict
{
	CSRF_GOOD,
	CSRF_OLD, /* was good */
	CSRF_BAD
} CsrfVerdict;

/* Reads the secret, or makes it; without a name it is one for this run. False after a line in the log */
extern bool session_start(const char *secret_file);

/* So many random bytes in hex */
extern void session_random(char *hex, size_t bytes);

extern bool session_cookie_is_valid(const char *cookie);

/* What the forms of a link carry for the browser that has a cookie, from now on */
extern void session_csrf(const char *cookie, const char *token, char csrf[CSRF_SIZE]);
extern CsrfVerdict session_csrf_check(const char *cookie, const char *token, const char *csrf);

/* The mark of a link that was answered on the seller's tablet: a cookie that opens nothing */
extern void session_mark(const char *token, char mark[KEY_SIZE]);

/* SHA-256 in hex */
extern void session_sha256(const void *bytes, size_t length, char hex[65]);

#endif /* PORTAL_SESSION_H */
