/*
 * network.c
 *		Addresses of clients and networks of proxies. IPv4 addresses are mapped into IPv6.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "network.h"

static void map(const struct in_addr *four, struct in6_addr *address);

bool
network_parse(const char *text, Network *network)
{
	char address[INET6_ADDRSTRLEN];
	size_t length = strcspn(text, "/");
	struct in_addr four;
	int most = 128;
	long bits;
	char *end;

	if (length >= sizeof(address))
		return false;
	memcpy(address, text, length);
	address[length] = '\0';
	if (inet_pton(AF_INET, address, &four) == 1)
	{
		map(&four, &network->address);
		most = 32;
	}
	else if (inet_pton(AF_INET6, address, &network->address) != 1)
		return false;
	bits = most;
	if (text[length] == '/')
	{
		if (!isdigit((unsigned char) text[length + 1]))
			return false;
		bits = strtol(text + length + 1, &end, 10);
		if (*end != '\0' || bits > most)
			return false;
	}
	network->bits = (int) bits + 128 - most;
	return true;
}

bool
network_has(const Network *network, const struct in6_addr *address)
{
	int whole = network->bits / 8;
	int rest = network->bits % 8;

	return memcmp(address, &network->address, (size_t) whole) == 0 &&
		   (rest == 0 ||
			(address->s6_addr[whole] ^ network->address.s6_addr[whole]) >> (8 - rest) == 0);
}

bool
network_of_peer(const struct sockaddr *peer, struct in6_addr *address)
{
	*address = in6addr_any;
	if (peer == NULL || (peer->sa_family != AF_INET && peer->sa_family != AF_INET6))
		return false;
	if (peer->sa_family == AF_INET6)
		*address = ((const struct sockaddr_in6 *) peer)->sin6_addr;
	else
		map(&((const struct sockaddr_in *) peer)->sin_addr, address);
	return true;
}

static void
map(const struct in_addr *four, struct in6_addr *address)
{
	*address = in6addr_any;
	memset(address->s6_addr + 10, 0xff, 2);
	memcpy(address->s6_addr + 12, four, 4);
}
