/*
 * server.h
 *		Listening, connections and their deadlines.
 */
#ifndef PORTAL_SERVER_H
#define PORTAL_SERVER_H

#include <stdbool.h>

#include "config.h"

/* Listens, or takes the socket that systemd hands over; false after a line on standard error */
extern bool server_start(const Config *config);

/* Takes no more connections, waits for what is under way, and closes what is left */
extern void server_stop(void);

#endif /* PORTAL_SERVER_H */
