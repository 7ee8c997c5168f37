/*
 * cell_set.c
 *		Sets of keys of cells, in which the view forecast finds quickly whether the ledger touches a cell.
 *
 * A set is a bytea of 64-bit words: the first says whether it has key 0, the others are slots, a power
 * of two of them and at most half of them taken, where 0 is a free one. A key stands in the first free
 * slot from its place on. Sets live within a query; what else comes as one is searched without harm.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "port/pg_bitutils.h"
#include "utils/array.h"

PG_FUNCTION_INFO_V1(scrm_forecast_cell_set);
PG_FUNCTION_INFO_V1(scrm_forecast_cell_in);

static void add_key(char *words, uint64 nslots, uint64 key);
static uint64 place_of(uint64 key, uint64 nslots);
static uint64 word_at(const char *words, uint64 index);

Datum
scrm_forecast_cell_set(PG_FUNCTION_ARGS)
{
	ArrayType *array = PG_GETARG_ARRAYTYPE_P(0);
	Datum *keys;
	bool *nulls;
	int nkeys;
	uint64 nslots = 0;
	Size size;
	bytea *set;

	deconstruct_array(array, INT8OID, sizeof(int64), true, TYPALIGN_DOUBLE, &keys, &nulls, &nkeys);
	if (nkeys > 0)
		nslots = pg_nextpower2_64(2 * (uint64) nkeys);
	size = VARHDRSZ + (1 + nslots) * sizeof(uint64);
	set = palloc0(size);
	SET_VARSIZE(set, size);
	for (int i = 0; i < nkeys; i++)
	{
		if (!nulls[i])
			add_key(VARDATA(set), nslots, (uint64) DatumGetInt64(keys[i]));
	}
	PG_RETURN_BYTEA_P(set);
}

Datum
scrm_forecast_cell_in(PG_FUNCTION_ARGS)
{
	uint64 key = (uint64) PG_GETARG_INT64(0);
	const struct varlena *set = PG_GETARG_BYTEA_PP(1);
	uint64 nwords = VARSIZE_ANY_EXHDR(set) / sizeof(uint64);
	const char *words = VARDATA_ANY(set);
	uint64 nslots;
	uint64 slot;

	if (nwords <= 1)
		PG_RETURN_BOOL(false);
	if (key == 0)
		PG_RETURN_BOOL(word_at(words, 0) != 0);
	nslots = pg_prevpower2_64(nwords - 1);
	slot = place_of(key, nslots);
	for (uint64 tries = 0; tries < nslots; tries++)
	{
		uint64 found = word_at(words, 1 + slot);

		if (found == key)
			PG_RETURN_BOOL(true);
		if (found == 0)
			break;
		slot = (slot + 1) & (nslots - 1);
	}
	PG_RETURN_BOOL(false);
}

static void
add_key(char *words, uint64 nslots, uint64 key)
{
	uint64 slot = place_of(key, nslots);
	uint64 found;

	if (key == 0)
	{
		words[0] = 1;
		return;
	}
	while ((found = word_at(words, 1 + slot)) != 0 && found != key)
		slot = (slot + 1) & (nslots - 1);
	memcpy(words + (1 + slot) * sizeof(uint64), &key, sizeof(uint64));
}

/* place_of spreads keys over a power of two of slots. */
static uint64
place_of(uint64 key, uint64 nslots)
{
	return ((key * UINT64CONST(0x9E3779B97F4A7C15)) >> 32) & (nslots - 1);
}

/* word_at reads a word that need not be aligned. */
static uint64
word_at(const char *words, uint64 index)
{
	uint64 word;

	memcpy(&word, words + index * sizeof(uint64), sizeof(uint64));
	return word;
}
