/*
 * invitation.h
 *		What an invitation in an e-mail says, read with libical.
 */
#ifndef SCRM_INVITATION_H
#define SCRM_INVITATION_H

#include <stdbool.h>

#include <glib.h>

typedef struct Invitation
{
	char *method; /* REQUEST, REPLY or CANCEL */
	char *uid;
	char *sequence;
	char *subject;
	char *location;
	char *details;
	char *starts_at; /* seconds since 1970, as text */
	char *ends_at;
	bool all_day;
	GPtrArray *attendees; /* addresses */
	GPtrArray *answers;	  /* of the attendees, as PARTSTAT has them */
} Invitation;

/* The first event of a calendar, or NULL when it is no invitation that can be read */
extern Invitation *invitation_parse(const char *calendar);
extern void invitation_free(Invitation *invitation);

#endif /* SCRM_INVITATION_H */
