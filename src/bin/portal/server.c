/*
 * server.c
 *		Listening, connections and their deadlines.
 *
 * libmicrohttpd gives every connection a thread, so that one customer's slow request is no other's;
 * how many there may be is limited. Its own timeout starts anew with every byte, so each connection
 * has deadlines, too, for the head of a request and for all of it; a thread cuts those that pass.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <microhttpd.h>
#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "../common/clock.h"
#include "limit.h"
#include "log.h"
#include "request.h"
#include "route.h"
#include "server.h"

#define BACKLOG 511
/* Of the head of a request, with room for its answer's */
#define CONNECTION_BYTES 32768
#define STACK_BYTES (512 * 1024)
#define WATCH_MILLISECONDS 200
#define TLS_PRIORITIES "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

typedef struct Connection
{
	struct Connection *next;
	struct Connection *previous;
	int socket;
	long long deadline; /* milliseconds */
	struct in6_addr address;
	bool has_address;
} Connection;

static const Config *settings;
static struct MHD_Daemon *daemon_handle;
static char *unix_path;
static char *certificate;
static char *key;
static pthread_t watcher;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Connection *connections;
static int requests_under_way;
static bool watching;
static bool draining;
static bool is_inherited;

static int open_socket(void);
static int inherited_socket(void);
static int listen_unix(const char *path);
static int listen_tcp(const char *where);
static void notify(const char *state);
static char *read_file(const char *name);
static enum MHD_Result on_accept(void *cls, const struct sockaddr *address, socklen_t length);
static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
						  enum MHD_ConnectionNotificationCode code);
static void *on_uri(void *cls, const char *uri, struct MHD_Connection *connection);
static enum MHD_Result
on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
		   const char *version, const char *data, size_t *size, void **context);
static void on_completed(void *cls, struct MHD_Connection *connection, void **context,
						 enum MHD_RequestTerminationCode code);
static void set_deadline(struct MHD_Connection *connection, int seconds);
static void *watch(void *arg);

bool
server_start(const Config *config)
{
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION |
					 MHD_USE_POLL | MHD_USE_ITC;
	struct MHD_OptionItem tls[] = {{MHD_OPTION_END, 0, NULL},
								   {MHD_OPTION_HTTPS_MEM_KEY, 0, NULL},
								   {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *) TLS_PRIORITIES},
								   {MHD_OPTION_END, 0, NULL}};
	int listening;

	settings = config;
	listening = open_socket();
	if (listening < 0)
		return false;
	if (config->tls_certificate != NULL)
	{
		certificate = read_file(config->tls_certificate);
		key = read_file(config->tls_key);
		if (certificate == NULL || key == NULL)
			return false;
		flags |= MHD_USE_TLS;
		tls[0] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, certificate};
		tls[1].ptr_value = key;
	}
	watching = true;
	daemon_handle = MHD_start_daemon(
		flags, 0, on_accept, NULL, on_request, NULL, MHD_OPTION_LISTEN_SOCKET, listening,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned) config->connections + 1,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t) CONNECTION_BYTES,
		MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned) (config->idle_seconds > config->request_seconds ? config->idle_seconds
																   : config->request_seconds),
		MHD_OPTION_THREAD_STACK_SIZE, (size_t) STACK_BYTES, MHD_OPTION_URI_LOG_CALLBACK, on_uri,
		NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_NOTIFY_CONNECTION,
		on_connection, NULL, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, tls,
		MHD_OPTION_END);
	if (daemon_handle == NULL)
	{
		log_error("cannot serve: the certificate or its key may be wrong");
		return false;
	}
	if (pthread_create(&watcher, NULL, watch, NULL) != 0)
		abort();
	notify("READY=1");
	return true;
}

void
server_stop(void)
{
	long long until = clock_milliseconds() + settings->drain_seconds * 1000LL;
	int socket;
	bool busy = true;

	notify("STOPPING=1");
	pthread_mutex_lock(&lock);
	draining = true;
	pthread_mutex_unlock(&lock);
	socket = MHD_quiesce_daemon(daemon_handle);
	/* Who comes now is to try another one; a socket of systemd's goes on, for the next of us */
	if (!is_inherited)
		shutdown(socket, SHUT_RDWR);
	while (busy && clock_milliseconds() < until)
	{
		const struct timespec pause = {0, 20000000};

		pthread_mutex_lock(&lock);
		busy = requests_under_way > 0;
		pthread_mutex_unlock(&lock);
		if (busy)
			nanosleep(&pause, NULL);
	}
	MHD_stop_daemon(daemon_handle);
	pthread_mutex_lock(&lock);
	watching = false;
	pthread_mutex_unlock(&lock);
	pthread_join(watcher, NULL);
	if (socket != MHD_INVALID_SOCKET)
		close(socket);
	if (unix_path != NULL)
		unlink(unix_path);
	free(unix_path);
	free(certificate);
	free(key);
}

static int
open_socket(void)
{
	int inherited = inherited_socket();

	is_inherited = inherited >= 0;
	if (inherited != -1)
		return inherited;
	return *settings->listen == '/' ? listen_unix(settings->listen) : listen_tcp(settings->listen);
}

/* inherited_socket: what systemd hands over; -1: nothing; -2: not what is expected */
static int
inherited_socket(void)
{
#ifdef HAVE_SYSTEMD
	int count = sd_listen_fds(1);

	if (count == 0)
		return -1;
	if (count == 1 && sd_is_socket(SD_LISTEN_FDS_START, AF_UNSPEC, SOCK_STREAM, 1) > 0)
		return SD_LISTEN_FDS_START;
	log_error("systemd hands over %d sockets, not one that listens", count);
	return -2;
#else
	return -1;
#endif
}

/* listen_unix: for the owner and the group, such as the proxy's; a socket left over is replaced */
static int
listen_unix(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	mode_t mask;

	if (strlen(path) >= sizeof(address.sun_path))
	{
		log_error("listen: %s is too long", path);
		close(listening);
		return -2;
	}
	strcpy(address.sun_path, path);
	if (connect(listening, (struct sockaddr *) &address, sizeof(address)) != 0 &&
		errno == ECONNREFUSED)
		unlink(path);
	close(listening);
	listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	mask = umask(0117);
	if (bind(listening, (struct sockaddr *) &address, sizeof(address)) == 0 &&
		listen(listening, BACKLOG) == 0)
	{
		umask(mask);
		unix_path = must_copy(path);
		return listening;
	}
	umask(mask);
	log_error("cannot listen on %s: %s", path, strerror(errno));
	close(listening);
	return -2;
}

static int
listen_tcp(const char *where)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
							 .ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	char *host = must_copy(*where == '[' ? where + 1 : where);
	char *port = strrchr(host, ':');
	int listening = -2;
	int error;

	*port++ = '\0';
	if (*where == '[' && *host != '\0' && host[strlen(host) - 1] == ']')
		host[strlen(host) - 1] = '\0';
	error = getaddrinfo(host, port, &hints, &found);
	if (error != 0)
		log_error("listen: %s: %s", where, gai_strerror(error));
	else
	{
		const int on = 1;

		listening = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		if (bind(listening, found->ai_addr, found->ai_addrlen) != 0 ||
			listen(listening, BACKLOG) != 0)
		{
			log_error("cannot listen on %s: %s", where, strerror(errno));
			close(listening);
			listening = -2;
		}
		freeaddrinfo(found);
	}
	free(host);
	return listening;
}

static void
notify(const char *state)
{
#ifdef HAVE_SYSTEMD
	sd_notify(0, state);
#else
	(void) state;
#endif
}

static char *
read_file(const char *name)
{
	FILE *in = fopen(name, "r");
	Buffer text = {0};
	char part[4096];
	size_t got;

	if (in == NULL)
	{
		log_error("%s: %s", name, strerror(errno));
		return NULL;
	}
	while ((got = fread(part, 1, sizeof(part), in)) > 0)
		buffer_bytes(&text, part, got);
	fclose(in);
	return text.data == NULL ? must_copy("") : text.data;
}

/* on_accept: an address that has too many connections gets no more; on_connection counts those */
static enum MHD_Result
on_accept(void *cls, const struct sockaddr *address, socklen_t length)
{
	struct in6_addr peer;

	(void) cls;
	(void) length;
	return limit_connection_allowed(network_of_peer(address, &peer) ? &peer : NULL) ? MHD_YES
																					: MHD_NO;
}

static void
on_connection(void *cls, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	Connection *mine;

	(void) cls;
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
	{
		mine = must_allocate(sizeof(Connection));
		mine->socket =
			MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
		mine->has_address = network_of_peer(
			MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr,
			&mine->address);
		mine->deadline = clock_milliseconds() + settings->header_seconds * 1000LL;
		limit_connection_open(mine->has_address ? &mine->address : NULL);
		pthread_mutex_lock(&lock);
		mine->next = connections;
		if (connections != NULL)
			connections->previous = mine;
		connections = mine;
		pthread_mutex_unlock(&lock);
		*context = mine;
		return;
	}
	mine = *context;
	if (mine == NULL)
		return;
	pthread_mutex_lock(&lock);
	if (mine->previous != NULL)
		mine->previous->next = mine->next;
	else
		connections = mine->next;
	if (mine->next != NULL)
		mine->next->previous = mine->previous;
	pthread_mutex_unlock(&lock);
	limit_connection_close(mine->has_address ? &mine->address : NULL);
	free(mine);
	*context = NULL;
}

/* on_uri: the first line of a request has come */
static void *
on_uri(void *cls, const char *uri, struct MHD_Connection *connection)
{
	(void) cls;
	set_deadline(connection, settings->header_seconds);
	pthread_mutex_lock(&lock);
	requests_under_way++;
	pthread_mutex_unlock(&lock);
	return request_create(settings, uri);
}

static enum MHD_Result
on_request(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
		   const char *version, const char *data, size_t *size, void **context)
{
	Request *request = *context;

	(void) cls;
	(void) url;
	(void) version;
	if (!request->begun)
	{
		set_deadline(connection, settings->request_seconds);
		request_begin(request, connection, method);
		pthread_mutex_lock(&lock);
		request->close |= draining;
		pthread_mutex_unlock(&lock);
		/* A body that is too large is not waited for */
		return request->too_large ? request_send(request) : MHD_YES;
	}
	if (*size > 0)
	{
		bool good = request_receive(request, data, *size);

		*size = 0;
		return good ? MHD_YES : MHD_NO;
	}
	if (request->status == 0)
		request->route->handle(request);
	return request_send(request);
}

static void
on_completed(void *cls, struct MHD_Connection *connection, void **context,
			 enum MHD_RequestTerminationCode code)
{
	Request *request = *context;

	(void) cls;
	(void) code;
	set_deadline(connection, settings->idle_seconds);
	pthread_mutex_lock(&lock);
	requests_under_way--;
	pthread_mutex_unlock(&lock);
	if (request == NULL)
		return;
	if (request->status != 0)
	{
		char tail[8] = "";

		if (request->route != NULL && request->route->has_secret)
			snprintf(tail, sizeof(tail), " %.4s", request->token);
		log_request(request->method, request->route == NULL ? "other" : request->route->path, tail,
					request->status, clock_microseconds() - request->started,
					request->address_text);
	}
	request_free(request);
	*context = NULL;
}

static void
set_deadline(struct MHD_Connection *connection, int seconds)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	Connection *mine = info == NULL ? NULL : info->socket_context;

	if (mine == NULL)
		return;
	pthread_mutex_lock(&lock);
	mine->deadline = clock_milliseconds() + seconds * 1000LL;
	pthread_mutex_unlock(&lock);
}

/* watch: cuts connections whose deadline has passed; their threads notice and close them */
static void *
watch(void *arg)
{
	const struct timespec pause = {0, WATCH_MILLISECONDS * 1000000L};
	bool on = true;

	(void) arg;
	while (on)
	{
		long long now = clock_milliseconds();

		pthread_mutex_lock(&lock);
		for (Connection *each = connections; each != NULL; each = each->next)
		{
			if (each->deadline < now)
				shutdown(each->socket, SHUT_RDWR);
		}
		on = watching;
		pthread_mutex_unlock(&lock);
		nanosleep(&pause, NULL);
	}
	return NULL;
}
