/*
 * address.c
 *		Tells addresses of the public internet from those that a webhook must not reach.
 *
 * The tables are IANA's registries of special-purpose addresses (RFC 6890 and its successors): of
 * IPv4 all is public that they do not list, of IPv6 only global unicast (2000::/3) that they do
 * not list. Some listed blocks are reachable (AS112, anycast of protocols), but nobody's webhook
 * lives there.
 */
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "address.h"

typedef struct Block4
{
	uint32_t prefix;
	int bits;
} Block4;

typedef struct Block6
{
	uint8_t prefix[16];
	int bits;
} Block6;

static const Block4 not_public_4[] = {
	{0x00000000, 8},  /* 0.0.0.0/8: this network, unspecified */
	{0x0a000000, 8},  /* 10.0.0.0/8: private */
	{0x64400000, 10}, /* 100.64.0.0/10: shared by a carrier's customers */
	{0x7f000000, 8},  /* 127.0.0.0/8: loopback */
	{0xa9fe0000, 16}, /* 169.254.0.0/16: link-local, and metadata of clouds */
	{0xac100000, 12}, /* 172.16.0.0/12: private */
	{0xc0000000, 24}, /* 192.0.0.0/24: protocols */
	{0xc0000200, 24}, /* 192.0.2.0/24: documentation */
	{0xc01fc400, 24}, /* 192.31.196.0/24: AS112 */
	{0xc034c100, 24}, /* 192.52.193.0/24: AMT */
	{0xc0586300, 24}, /* 192.88.99.0/24: relays of 6to4 */
	{0xc0a80000, 16}, /* 192.168.0.0/16: private */
	{0xc0af3000, 24}, /* 192.175.48.0/24: AS112 */
	{0xc6120000, 15}, /* 198.18.0.0/15: benchmarks */
	{0xc6336400, 24}, /* 198.51.100.0/24: documentation */
	{0xcb007100, 24}, /* 203.0.113.0/24: documentation */
	{0xe0000000, 4},  /* 224.0.0.0/4: multicast */
	{0xf0000000, 4},  /* 240.0.0.0/4: reserved, broadcast */
};

/* Within 2000::/3 */
static const Block6 not_public_6[] = {
	{{0x20, 0x01, 0x00}, 23},					/* 2001::/23: protocols, Teredo, ORCHID */
	{{0x20, 0x01, 0x0d, 0xb8}, 32},				/* 2001:db8::/32: documentation */
	{{0x20, 0x02}, 16},							/* 2002::/16: 6to4 */
	{{0x26, 0x20, 0x00, 0x4f, 0x80, 0x00}, 48}, /* 2620:4f:8000::/48: AS112 */
	{{0x3f, 0xff, 0x00}, 20},					/* 3fff::/20: documentation */
};

static const Block6 global_unicast = {{0x20}, 3};
static const Block6 mapped = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96}; /* ::ffff:0:0/96 */
static const Block6 translated = {{0x00, 0x64, 0xff, 0x9b}, 96};			   /* 64:ff9b::/96 */

static bool is_public_4(uint32_t address);
static bool is_public_6(const uint8_t *address);
static bool is_within(const uint8_t *address, const Block6 *block);
static uint32_t last_four(const uint8_t *address);

bool
address_is_public(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET)
	{
		struct sockaddr_in in;

		memcpy(&in, address, sizeof(in));
		return is_public_4(ntohl(in.sin_addr.s_addr));
	}
	if (address->sa_family == AF_INET6)
	{
		struct sockaddr_in6 in6;

		memcpy(&in6, address, sizeof(in6));
		return is_public_6(in6.sin6_addr.s6_addr);
	}
	return false;
}

bool
address_text_is_public(const char *text)
{
	struct in_addr in;
	struct in6_addr in6;

	if (inet_pton(AF_INET, text, &in) == 1)
		return is_public_4(ntohl(in.s_addr));
	return inet_pton(AF_INET6, text, &in6) == 1 && is_public_6(in6.s6_addr);
}

bool
address_is_literal(const char *host)
{
	struct in_addr in;

	return host[0] == '[' || strchr(host, ':') != NULL || inet_pton(AF_INET, host, &in) == 1;
}

static bool
is_public_4(uint32_t address)
{
	for (size_t i = 0; i < sizeof(not_public_4) / sizeof(*not_public_4); i++)
	{
		if (((address ^ not_public_4[i].prefix) >> (32 - not_public_4[i].bits)) == 0)
			return false;
	}
	return true;
}

static bool
is_public_6(const uint8_t *address)
{
	/* The system talks IPv4 with a mapped address; a translator does with one of its own */
	if (is_within(address, &mapped) || is_within(address, &translated))
		return is_public_4(last_four(address));
	if (!is_within(address, &global_unicast))
		return false;
	for (size_t i = 0; i < sizeof(not_public_6) / sizeof(*not_public_6); i++)
	{
		if (is_within(address, &not_public_6[i]))
			return false;
	}
	/* ISATAP (RFC 5214): a tunnel to the IPv4 address at the end */
	if ((address[8] & 0xfd) == 0 && address[9] == 0 && address[10] == 0x5e && address[11] == 0xfe)
		return is_public_4(last_four(address));
	return true;
}

static bool
is_within(const uint8_t *address, const Block6 *block)
{
	int bytes = block->bits / 8;
	int rest = block->bits % 8;

	return memcmp(address, block->prefix, bytes) == 0 &&
		   (rest == 0 || ((address[bytes] ^ block->prefix[bytes]) >> (8 - rest)) == 0);
}

static uint32_t
last_four(const uint8_t *address)
{
	return (uint32_t) address[12] << 24 | (uint32_t) address[13] << 16 |
		   (uint32_t) address[14] << 8 | address[15];
}
