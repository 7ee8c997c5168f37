/*
 * address.h
 *		Tells addresses of the public internet from those that a webhook must not reach.
 */
#ifndef SCRM_ADDRESS_H
#define SCRM_ADDRESS_H

#include <stdbool.h>

#include <sys/socket.h>

/*
 * Says whether an address is one of a host on the public internet. Families other than IPv4 and
 * IPv6 are not. An IPv6 address that carries an IPv4 address is as public as that one.
 */
extern bool address_is_public(const struct sockaddr *address);

/* The same of an address as text, without brackets or zone; what is no address is not public */
extern bool address_text_is_public(const char *text);

/* Whether the text is an address at all, of either family; brackets around IPv6 are allowed */
extern bool address_is_literal(const char *host);

#endif /* SCRM_ADDRESS_H */
