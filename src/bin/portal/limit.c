/*
 * limit.c
 *		How much one address, or one link, may ask for.
 *
 * Rates are kept as the moment until which what was asked for is paid off (GCRA): a burst of a
 * minute's worth is let through, then as many as a minute allows. The table has a fixed size, so
 * that nobody fills the memory; where a set is full the one that is paid off first makes room.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/crypto.h>

#include "../common/clock.h"
#include "buffer.h"
#include "limit.h"

#define SETS 8192
#define WAYS 4
#define MINUTE 60000000LL /* microseconds */
/* Addresses with connections at the same time: never more than connections */
#define CONNECTION_SLOTS 16384

typedef struct Rate
{
	uint64_t key;
	long long paid_at;
} Rate;

typedef struct Connections
{
	uint64_t key;
	int count;
} Connections;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const Config *settings;
static uint64_t seed[2];
static Rate *rates;
static Connections *connections;
static LimitFigures figures;

static bool allow(Limit limit, uint64_t key);
static uint64_t hash(const void *bytes, size_t length, unsigned kind);
static bool is_counted(const struct in6_addr *address);
static bool is_mapped(const struct in6_addr *address);
static Connections *find_connections(uint64_t key);

void
limit_start(const Config *config)
{
	settings = config;
	gnutls_rnd(GNUTLS_RND_NONCE, seed, sizeof(seed));
	rates = must_allocate(SETS * WAYS * sizeof(Rate));
	connections = must_allocate(CONNECTION_SLOTS * sizeof(Connections));
}

void
limit_stop(void)
{
	free(rates);
	free(connections);
}

bool
limit_connection_allowed(const struct in6_addr *address)
{
	const Connections *mine;
	bool allowed;

	pthread_mutex_lock(&lock);
	allowed = figures.connections < settings->connections;
	if (allowed && is_counted(address))
	{
		mine = find_connections(hash(address, 16, 100));
		allowed = mine != NULL && mine->count < settings->connections_per_address;
	}
	figures.refused += !allowed;
	pthread_mutex_unlock(&lock);
	return allowed;
}

void
limit_connection_open(const struct in6_addr *address)
{
	Connections *mine;

	pthread_mutex_lock(&lock);
	figures.connections++;
	mine = is_counted(address) ? find_connections(hash(address, 16, 100)) : NULL;
	if (mine != NULL)
		mine->count++;
	pthread_mutex_unlock(&lock);
}

void
limit_connection_close(const struct in6_addr *address)
{
	Connections *mine;

	pthread_mutex_lock(&lock);
	figures.connections--;
	/* The slot stays: others may have been put behind it */
	mine = is_counted(address) ? find_connections(hash(address, 16, 100)) : NULL;
	if (mine != NULL && mine->count > 0)
		mine->count--;
	pthread_mutex_unlock(&lock);
}

bool
limit_address(Limit limit, const struct in6_addr *address)
{
	return allow(limit, hash(address, is_mapped(address) ? 16 : 8, (unsigned) limit));
}

bool
limit_token(Limit limit, const char *token)
{
	return allow(limit, hash(token, strlen(token), (unsigned) limit));
}

LimitFigures
limit_figures(void)
{
	LimitFigures now;

	pthread_mutex_lock(&lock);
	now = figures;
	pthread_mutex_unlock(&lock);
	return now;
}

static bool
allow(Limit limit, uint64_t key)
{
	const int per_minute[] = {settings->requests_per_minute, settings->answers_per_minute,
							  settings->token_requests_per_minute,
							  settings->token_answers_per_minute};
	Rate *set = rates + key % SETS * WAYS;
	Rate *mine = set;
	long long now = clock_microseconds();
	bool allowed;

	if (per_minute[limit] == 0)
		return true;
	pthread_mutex_lock(&lock);
	for (int i = 0; i < WAYS; i++)
	{
		if (set[i].key == key)
		{
			mine = &set[i];
			break;
		}
		if (set[i].paid_at < mine->paid_at)
			mine = &set[i];
	}
	if (mine->key != key)
		*mine = (Rate){key, 0};
	if (mine->paid_at < now)
		mine->paid_at = now;
	allowed = mine->paid_at - now + MINUTE / per_minute[limit] <= MINUTE;
	if (allowed)
		mine->paid_at += MINUTE / per_minute[limit];
	else
		figures.refused++;
	pthread_mutex_unlock(&lock);
	return allowed;
}

/* hash: of a key and its kind, seeded so that nobody can choose keys that fall together; never 0 */
static uint64_t
hash(const void *bytes, size_t length, unsigned kind)
{
	const unsigned char *next = bytes;
	uint64_t value = seed[0] ^ kind;

	for (size_t i = 0; i < length; i++)
	{
		value = (value ^ next[i]) * 0x9fb21c651e98df25ULL;
		value ^= value >> 29;
		value += seed[1];
	}
	value = (value ^ (value >> 32)) * 0xd6e8feb86659fd93ULL;
	value ^= value >> 32;
	return value == 0 ? 1 : value;
}

/* is_counted: a proxy has the connections of all its clients */
static bool
is_counted(const struct in6_addr *address)
{
	return address != NULL && settings->connections_per_address > 0 &&
		   !config_trusts(settings, address);
}

static bool
is_mapped(const struct in6_addr *address)
{
	return IN6_IS_ADDR_V4MAPPED(address);
}

/* find_connections: the slot of an address, made when it has none; NULL when the table is full */
static Connections *
find_connections(uint64_t key)
{
	Connections *empty = NULL;

	for (int i = 0; i < CONNECTION_SLOTS; i++)
	{
		Connections *slot = &connections[(key + (uint64_t) i) % CONNECTION_SLOTS];

		if (slot->key == key)
			return slot;
		if (slot->count == 0 && empty == NULL)
			empty = slot;
		if (slot->key == 0)
			break;
	}
	if (empty != NULL)
		*empty = (Connections){key, 0};
	return empty;
}
