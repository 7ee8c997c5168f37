/*
 * child.h
 *		Processes that are run beside the loop, with limits.
 */
#ifndef SCRM_CHILD_H
#define SCRM_CHILD_H

#include <curl/curl.h>

#include "delivery.h"

typedef struct Child Child;

/* Runs a command; what it takes is copied */
extern Child *child_start(const Command *command);

/* Up to three descriptors to wait for; returns how many */
#define CHILD_DESCRIPTORS 3
extern int child_wait_for(const Child *child, struct curl_waitfd *descriptors);

/* The time of clock_now() at which it has to be looked at again, whatever happens */
extern double child_deadline(const Child *child);

/* Does what can be done without waiting; true once it is over, and *result is filled */
extern bool child_work(Child *child, CommandResult *result);

/* Ends it where it runs */
extern void child_free(Child *child);

#endif /* SCRM_CHILD_H */
