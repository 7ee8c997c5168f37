/*
 * held.h
 *		The deliveries that this sender has claimed and not ended: which of them begin, and when.
 *
 * At most config->parallel are under way, at most config->parallel_per_host to one host; the others
 * wait in the order in which they were claimed. A kind that fails as a whole rests; then one
 * delivery tries it.
 */
#ifndef SCRM_HELD_H
#define SCRM_HELD_H

#include <stdbool.h>

#include <curl/curl.h>
#include <glib.h>

#include "config.h"
#include "delivery.h"
#include "session.h"

/* once: kinds do not rest, but go on one by one, so that the program comes to an end */
extern void held_init(bool once);

/* Frees what is held: the leases of these messages will end */
extern void held_finish(void);

/* The configuration from now on; kinds do not rest any more */
extern void held_configure(const Config *config);

/* The kinds that can be delivered now, as an array of the database, to be freed */
extern char *held_claimable_kinds(double now);

/* How many messages to claim now, a little ahead of what can be delivered at once; 0 for none */
extern int held_room(double now);

/* Takes a message that was claimed at that time, of clock_now(), of the kind with that name */
extern void held_add(const char *kind, const Claimed *claimed, double claimed_at);

extern guint held_length(void);

/* Does what can be done without waiting, and hands what has ended to report_add() */
extern void held_work(double now);

/* Begins what there is room for */
extern void held_begin(double now);

/* Renews the leases whose half is over */
extern void held_renew(Session *session, double now);

/* Gives all up; held_work() then hands them to report_add() */
extern void held_give_up(const char *reason);

/* What to wait for, at most held_descriptors(), and until when */
extern guint held_descriptors(void);
extern guint held_wait_for(struct curl_waitfd *descriptors, double now, double *until);

#endif /* SCRM_HELD_H */
