/*
 * delivery.h
 *		One attempt to deliver one message, and what a kind of delivery has to implement.
 *
 * The database hands out a message with a lease and a fence; the loop makes a Delivery of it and
 * calls the kind's start(). From then on the kind asks for one step at a time (a statement, a
 * transfer, a child process); the loop runs it beside all the others and calls the function that
 * was given when it is over. The last step calls delivery_end(), once, and the loop reports the
 * outcome under the fence. Nothing here waits, and no transaction is open between two steps.
 *
 * Where the lease is lost or the program has to go, the loop drops the step under way, calls none
 * of the functions any more, and release(), as it does after delivery_end().
 */
#ifndef SCRM_DELIVERY_H
#define SCRM_DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <curl/curl.h>
#include <glib.h>
#include <jansson.h>
#include <libpq-fe.h>

#include "config.h"
#include "field.h"

struct Session;
struct Step;

typedef struct Delivery Delivery;
typedef struct DeliveryKind DeliveryKind;

typedef enum Verdict
{
	VERDICT_DELIVERED,
	VERDICT_RETRY,	/* later it may work: the database says when */
	VERDICT_FINAL,	/* this message will never be taken */
	VERDICT_GONE,	/* nor any other there: the endpoint of a webhook is gone */
	VERDICT_STORED, /* a statement of the kind itself has completed the message */
} Verdict;

/* A message, as it was claimed */
typedef struct Claimed
{
	long long message_id;
	long long fence;
	int attempt;					 /* 1 for the first */
	const char *payload;			 /* NULL where the fields are all */
	const char *fields[FIELD_COUNT]; /* NULL where there is none */
} Claimed;

struct DeliveryKind
{
	const char *name; /* message.kind */

	/* Whether this program can deliver messages of the kind, as it is configured */
	bool (*able)(const Config *config);

	/*
	 * The place that the delivery keeps busy, such as "host:port", in memory of delivery_keep();
	 * NULL where no limit per host is needed. May be NULL itself.
	 */
	const char *(*host)(Delivery *delivery);

	/* Asks for the first step, or ends the delivery */
	void (*start)(Delivery *delivery);

	/* Frees delivery->state; not called where that is NULL */
	void (*release)(Delivery *delivery);
};

struct Delivery
{
	const DeliveryKind *kind;
	long long message_id;
	long long fence;
	int attempt;	 /* 1 for the first */
	json_t *payload; /* from its start on; NULL where the fields are all */
	const char *fields[FIELD_COUNT];
	const Config *config; /* as it was when the delivery began */
	void *state;		  /* the kind's own */

	/* The rest is the loop's */
	char *payload_text;	  /* NULL once it was parsed */
	struct Step *step;	  /* what is under way */
	GPtrArray *kept;	  /* memory to free with the delivery */
	const char *host;	  /* NULL: no limit */
	struct Host *at_host; /* what is under way there */
	double renew_at;	  /* when its lease is to be renewed, of clock_now() */
	double lease_until;	  /* not later than the database has it */
	double asked_until;	  /* what that becomes where it is renewed */
	bool is_held;		  /* by held.c */
	bool is_late;		  /* its lease ended before it could begin */
	bool has_begun;
	bool ended;
	Verdict verdict;
	double retry_after;
	bool is_kind_failing;
	void (*lost)(Delivery *delivery);
	char *reason;
};

/* A string of the payload; NULL where it is a field, absent, null or no string. Lives as long as the delivery. */
extern const char *delivery_text(Delivery *delivery, const char *key);

/* printf into memory that lives as long as the delivery */
extern const char *
delivery_keep(Delivery *delivery, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Step: a statement, whose parameters are text, or binary where lengths is not NULL and says how
 * long (else -1). The function gets its result, which the loop clears; a result of another status
 * than PGRES_TUPLES_OK and PGRES_COMMAND_OK has been logged; NULL where the connection is lost.
 * Parameters are copied. Values of the result are binary where binary is true.
 */
typedef void (*DeliveryResult)(Delivery *delivery, const PGresult *result);
extern void
delivery_query(Delivery *delivery, const char *sql, int count, const char *const *values,
			   const int *lengths, bool binary, DeliveryResult then);

/*
 * Step: a transfer by the loop's curl multi handle. The loop cleans the handle up after the
 * function has looked at it. CURLOPT_PRIVATE is the loop's.
 */
typedef void (*DeliveryTransferred)(Delivery *delivery, CURL *easy, CURLcode code);
extern void delivery_transfer(Delivery *delivery, CURL *easy, DeliveryTransferred then);

/*
 * Step: a connection, made by the loop's curl multi handle with CURLOPT_CONNECT_ONLY. The handle is
 * and stays the caller's, and CURLOPT_PRIVATE the loop's.
 */
extern void delivery_connect(Delivery *delivery, CURL *easy, DeliveryTransferred then);

/*
 * Step: waits for a socket, for what events has of CURL_WAIT_POLLIN and CURL_WAIT_POLLOUT, until a
 * time of clock_now(); ready is false where nothing of that has come.
 */
typedef void (*DeliveryReady)(Delivery *delivery, bool ready);
extern void delivery_await(Delivery *delivery, curl_socket_t socket, int events, double until,
						   DeliveryReady then);

/* Whether the lease has ended, so that nothing may begin; then the loop drops the delivery. */
extern bool delivery_is_late(Delivery *delivery);

/* What a child process is given */
typedef struct Command
{
	const char *const *arguments;	/* ends with NULL; the first is looked up in PATH */
	const char *const *environment; /* ends with NULL; NULL: the program's own */
	const char *input;				/* copied */
	size_t input_length;
	size_t output_limit;		/* what it may print; more ends it */
	double seconds;				/* what it may take; more ends it */
	unsigned long memory_limit; /* bytes of address space; 0: no limit */
	unsigned long cpu_limit;	/* seconds; 0: no limit */
	bool no_network; /* in a network namespace of its own; fails where that is forbidden */
} Command;

/* How it went: status as waitpid says, or -1 with a reason why it was not run to its end */
typedef struct CommandResult
{
	int status;
	const char *reason;
	const char *output;
	size_t output_length;
	const char *complaint; /* what it wrote to standard error, cut at 4 kB */
} CommandResult;

/* Step: a child process, in a process group of its own, that is killed with the delivery */
typedef void (*DeliveryExited)(Delivery *delivery, const CommandResult *result);
extern void delivery_command(Delivery *delivery, const Command *command, DeliveryExited then);

/*
 * The outcome. The reason is for people to read, and what the other side said where it is delivered;
 * it may be NULL there. retry_after is in seconds, 0 where the database's own backoff will do.
 */
extern void delivery_end(Delivery *delivery, Verdict verdict, double retry_after,
						 const char *reason, ...) __attribute__((format(printf, 4, 5)));

/*
 * Before delivery_end(): not this message failed but what all of the kind need (no connection to the
 * mail server, no login), so that the loop rests the kind for a while, and tries it with one message.
 */
extern void delivery_blame_kind(Delivery *delivery);

/* For the loop: makes one; starts it; looks whether its child process or socket has gone on */
extern void delivery_init(struct Session *session, CURLM *multi);
extern Delivery *delivery_create(const DeliveryKind *kind, const Claimed *claimed);
extern void delivery_start(Delivery *delivery, const Config *config);
extern void delivery_work(Delivery *delivery, double now);

/* For the loop: ends the step under way, and the delivery, to be tried again */
extern void delivery_give_up(Delivery *delivery, const char *reason);
extern void delivery_free(Delivery *delivery);

/* For the loop: transfers that are over */
extern void delivery_transfers(void);

/*
 * For the loop: what to wait for, at most DELIVERY_DESCRIPTORS, and until when. The descriptors are
 * read again by delivery_work().
 */
#define DELIVERY_DESCRIPTORS 3
extern int delivery_wait_for(Delivery *delivery, struct curl_waitfd *descriptors, double *deadline);

extern const DeliveryKind email_kind;

#endif /* SCRM_DELIVERY_H */
