/*
 * fuzz_dsn.c
 *		Promise: dsn.c neither reads nor writes where it must not, ends, frees all it took, and gives
 *		texts that are valid, short and of one line, whatever the notification.
 *
 * Each input is read as it is, and once more as the delivery-status part of a report, so that what
 * lies behind the MIME structure is met as well.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <gmime/gmime.h>

#include "../../src/bin/sender/dsn.h"

#define MAX_LENGTH 3000 /* of a text whose bytes were all replaced */

static const char head[] =
	"To: bounce+1.0123456789abcdef@example.com\n"
	"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"
	"--b\nContent-Type: message/delivery-status\n\n";
static const char tail[] = "\n--b--\n";

static void
check_text(const char *text)
{
	if (text == NULL)
		return;
	if (!g_utf8_validate(text, -1, NULL) || strlen(text) > MAX_LENGTH)
		abort();
	for (; *text != '\0'; text++)
	{
		if (g_ascii_iscntrl(*text))
			abort();
	}
}

static void
check(const char *bytes, size_t length)
{
	const char *problem = NULL;
	Dsn *dsn = dsn_parse(bytes, length, &problem);

	if (dsn == NULL)
	{
		if (problem == NULL)
			abort();
		return;
	}
	for (guint i = 0; i < dsn->references->len; i++)
		check_text(g_ptr_array_index(dsn->references, i));
	for (guint i = 0; i < dsn->failures->len; i++)
	{
		DsnFailure *failure = g_ptr_array_index(dsn->failures, i);

		check_text(failure->address);
		check_text(failure->status);
		check_text(failure->diagnostic);
	}
	dsn_free(dsn);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void) argc;
	(void) argv;
	g_mime_init();
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	GString *wrapped = g_string_new(head);

	check((const char *) data, size);
	g_string_append_len(wrapped, (const char *) data, (gssize) size);
	g_string_append(wrapped, tail);
	check(wrapped->str, wrapped->len);
	g_string_free(wrapped, TRUE);
	return 0;
}
