/*
 * session.c
 *		Secrets: the cookie, what ties a form to it (CSRF), and keys that make answers repeatable.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <gnutls/crypto.h>

#include "log.h"
#include "session.h"

#define SECRET_BYTES 32
#define CSRF_SECONDS (12 * 3600)

static unsigned char secret[SECRET_BYTES];

static void to_hex(const unsigned char *bytes, size_t length, char *hex);
static void
mac(const char *kind, const char *first, const char *second, const char *third, char hex[65]);
static bool is_same(const char *one, const char *other);
static bool is_hex(const char *text, size_t length);

bool
session_start(const char *secret_file)
{
	int file;
	ssize_t got;

	gnutls_rnd(GNUTLS_RND_KEY, secret, SECRET_BYTES);
	if (secret_file == NULL)
		return true;
	file = open(secret_file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (file >= 0)
	{
		got = write(file, secret, SECRET_BYTES);
		if (fsync(file) != 0)
			got = -1;
		close(file);
		if (got == SECRET_BYTES)
			return true;
		unlink(secret_file);
	}
	else if (errno == EEXIST)
	{
		file = open(secret_file, O_RDONLY | O_CLOEXEC);
		got = file >= 0 ? read(file, secret, SECRET_BYTES) : -1;
		if (file >= 0)
			close(file);
		if (got == SECRET_BYTES)
			return true;
		if (got >= 0)
			errno = EINVAL;
	}
	log_error("secret_file %s: %s", secret_file, strerror(errno));
	return false;
}

void
session_random(char *hex, size_t bytes)
{
	unsigned char random[32];

	if (bytes > sizeof(random) || gnutls_rnd(GNUTLS_RND_KEY, random, bytes) != 0)
		abort();
	to_hex(random, bytes, hex);
}

bool
session_cookie_is_valid(const char *cookie)
{
	return cookie != NULL && is_hex(cookie, COOKIE_SIZE - 1) && cookie[COOKIE_SIZE - 1] == '\0';
}

void
session_csrf(const char *cookie, const char *token, char csrf[CSRF_SIZE])
{
	snprintf(csrf, 10, "%08llx.", (unsigned long long) time(NULL) & 0xffffffffULL);
	csrf[8] = '\0';
	mac("csrf", cookie, token, csrf, csrf + 9);
	csrf[8] = '.';
}

CsrfVerdict
session_csrf_check(const char *cookie, const char *token, const char *csrf)
{
	char at[9];
	char expected[65];
	uint32_t age;

	if (!session_cookie_is_valid(cookie) || csrf == NULL || !is_hex(csrf, 8) || csrf[8] != '.' ||
		!is_hex(csrf + 9, 64) || csrf[9 + 64] != '\0')
		return CSRF_BAD;
	memcpy(at, csrf, 8);
	at[8] = '\0';
	mac("csrf", cookie, token, at, expected);
	if (!is_same(expected, csrf + 9))
		return CSRF_BAD;
	age = (uint32_t) time(NULL) - (uint32_t) strtoul(at, NULL, 16);
	return age <= CSRF_SECONDS ? CSRF_GOOD : CSRF_OLD;
}

void
session_mark(const char *token, char mark[KEY_SIZE])
{
	char hex[65];

	mac("mark", token, "", "", hex);
	memcpy(mark, hex, KEY_SIZE - 1);
	mark[KEY_SIZE - 1] = '\0';
}

void
session_sha256(const void *bytes, size_t length, char hex[65])
{
	unsigned char digest[32];

	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, bytes, length, digest) != 0)
		abort();
	to_hex(digest, sizeof(digest), hex);
}

static void
to_hex(const unsigned char *bytes, size_t length, char *hex)
{
	for (size_t i = 0; i < length; i++)
	{
		hex[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
		hex[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
	}
	hex[2 * length] = '\0';
}

/* mac: HMAC-SHA256 of texts, each with its length, so that none can lend letters to the next */
static void
mac(const char *kind, const char *first, const char *second, const char *third, char hex[65])
{
	const char *texts[] = {kind, first, second, third};
	unsigned char digest[32];
	gnutls_hmac_hd_t state;

	if (gnutls_hmac_init(&state, GNUTLS_MAC_SHA256, secret, SECRET_BYTES) != 0)
		abort();
	for (int i = 0; i < 4; i++)
	{
		uint32_t length = (uint32_t) strlen(texts[i]);

		gnutls_hmac(state, &length, sizeof(length));
		gnutls_hmac(state, texts[i], length);
	}
	gnutls_hmac_deinit(state, digest);
	to_hex(digest, sizeof(digest), hex);
}

/* is_same: in a time that does not tell where they differ */
static bool
is_same(const char *one, const char *other)
{
	return strlen(one) == strlen(other) && gnutls_memcmp(one, other, strlen(one)) == 0;
}

/* is_hex: exactly so many lower-case hex digits, then the end or what follows */
static bool
is_hex(const char *text, size_t length)
{
	return strspn(text, "0123456789abcdef") == length;
}
