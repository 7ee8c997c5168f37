/*
 * dsn.h
 *		Reads a delivery status notification (RFC 3464, 6533): which e-mail did not arrive, and why.
 */
#ifndef SCRM_DSN_H
#define SCRM_DSN_H

#include <glib.h>

/* A recipient that the e-mail has failed to reach for good, as the reporting server says */
typedef struct DsnFailure
{
	char *address;	  /* NULL where it is not said */
	char *status;	  /* as RFC 3463, such as 5.1.1; NULL where it is not said */
	char *diagnostic; /* what the server said; NULL where it is not said */
} DsnFailure;

typedef struct Dsn
{
	GPtrArray
		*references; /* of char *: whom it was for, and the Message-ID it is about; may be forged */
	GPtrArray *failures; /* of DsnFailure */
} Dsn;

/* NULL where it is no notification, with why in *problem. All text is UTF-8 without control characters. */
extern Dsn *dsn_parse(const char *bytes, gsize length, const char **problem);
extern void dsn_free(Dsn *dsn);

#endif /* SCRM_DSN_H */
