/*
 * loop.h
 *		Takes messages from the database, has them delivered, and reports what became of them.
 */
#ifndef SCRM_LOOP_H
#define SCRM_LOOP_H

#include <stdbool.h>

#include "config.h"

/* Reads the configuration again; NULL where it is wrong */
typedef Config *(*LoopReload)(void);

/*
 * Runs until SIGTERM or SIGINT, or, once, until no message is ready. Takes the configuration over.
 * Returns an exit status of sysexits.h.
 */
extern int loop_run(Config *config, bool once, LoopReload reload);

#endif /* SCRM_LOOP_H */
