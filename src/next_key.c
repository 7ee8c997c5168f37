/*
 * next_key.c
 *		Takes the key of a row before the row is there.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/dependency.h"
#include "commands/sequence.h"
#include "utils/rel.h"

#include "compat.h"
#include "next_key.h"

int64
next_key(KeySource *source)
{
	Relation relation = row_map_open(source->map, AccessShareLock);

	if (source->version != source->map->version)
	{
		source->sequence = IDENTITY_SEQUENCE(relation, source->map->attnums[source->column]);
		source->version = source->map->version;
	}
	table_close(relation, NoLock);
	return nextval_internal(source->sequence, false);
}
