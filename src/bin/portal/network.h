/*
 * network.h
 *		Addresses of clients and networks of proxies. IPv4 addresses are mapped into IPv6.
 */
#ifndef PORTAL_NETWORK_H
#define PORTAL_NETWORK_H

#include <netinet/in.h>
#include <stdbool.h>

typedef struct Network
{
	struct in6_addr address;
	int bits;
} Network;

/* Reads ADDRESS or ADDRESS/BITS */
extern bool network_parse(const char *text, Network *network);

extern bool network_has(const Network *network, const struct in6_addr *address);

/* The address of a connection's other end; false, and zeros, where it has none: a UNIX socket */
extern bool network_of_peer(const struct sockaddr *peer, struct in6_addr *address);

#endif /* PORTAL_NETWORK_H */
