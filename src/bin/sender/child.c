/*
 * child.c
 *		Processes that are run beside the loop, with limits.
 *
 * A child leads a process group of its own, so that whatever it starts ends with it. The signal
 * SIGCHLD wakes the loop up; between fork and exec only functions are called that may be there.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib.h>

#include "../common/clock.h"
#include "child.h"

#define COMPLAINT_LIMIT 4096

extern char **environ;

struct Child
{
	pid_t pid; /* 0 once it has been waited for */
	int input; /* -1 once closed; so are the others */
	int output;
	int complaint_from;
	char *given;
	size_t given_length;
	size_t given_done;
	GString *printed;
	GString *complaint;
	size_t output_limit;
	double deadline;
	int status;
	const char *reason; /* why it was not run to its end */
};

static void become(const Command *command, const char *path, const int *ends);
static void feed(Child *child);
static void collect(Child *child, int *from, GString *into, size_t limit);
static void shut(int *descriptor);
static bool make_pipe(int *near, int *far, bool near_reads);

Child *
child_start(const Command *command)
{
	Child *child = g_new0(Child, 1);
	char *path = g_find_program_in_path(command->arguments[0]);
	int ends[3] = {-1, -1, -1};

	child->input = child->output = child->complaint_from = -1;
	child->printed = g_string_new(NULL);
	child->complaint = g_string_new(NULL);
	child->output_limit = command->output_limit;
	child->deadline = clock_now() + command->seconds;
	child->status = -1;
	child->given = g_memdup2(command->input, command->input_length);
	child->given_length = command->input_length;
	if (path == NULL)
		child->reason = "there is no such program";
	else if (!make_pipe(&child->input, &ends[0], false) ||
			 !make_pipe(&child->output, &ends[1], true) ||
			 !make_pipe(&child->complaint_from, &ends[2], true) || (child->pid = fork()) < 0)
	{
		child->pid = 0;
		child->reason = "the system has no room for another process";
	}
	else if (child->pid == 0)
		become(command, path, ends);
	else
		setpgid(child->pid, child->pid);
	for (int i = 0; i < 3; i++)
		shut(&ends[i]);
	g_free(path);
	return child;
}

int
child_wait_for(const Child *child, struct curl_waitfd *descriptors)
{
	int count = 0;

	if (child->input >= 0)
		descriptors[count++] = (struct curl_waitfd){child->input, CURL_WAIT_POLLOUT, 0};
	if (child->output >= 0)
		descriptors[count++] = (struct curl_waitfd){child->output, CURL_WAIT_POLLIN, 0};
	if (child->complaint_from >= 0)
		descriptors[count++] = (struct curl_waitfd){child->complaint_from, CURL_WAIT_POLLIN, 0};
	return count;
}

double
child_deadline(const Child *child)
{
	return child->pid == 0 ? 0 : child->deadline;
}

bool
child_work(Child *child, CommandResult *result)
{
	int status;

	if (child->pid != 0)
		feed(child);
	/* Whether it is gone before what it printed is read: all of it is there then */
	if (child->pid != 0 && waitpid(child->pid, &status, WNOHANG) == child->pid)
	{
		kill(-child->pid, SIGKILL);
		child->pid = 0;
		child->status = status;
	}
	collect(child, &child->output, child->printed, child->output_limit);
	collect(child, &child->complaint_from, child->complaint, COMPLAINT_LIMIT);
	if (child->printed->len > child->output_limit)
		child->reason = "it printed too much";
	else if (child->pid != 0 && clock_now() >= child->deadline)
		child->reason = "it took too long";
	if (child->pid != 0 && child->reason == NULL)
		return false;
	*result = (CommandResult){
		.status = child->reason == NULL ? child->status : -1,
		.reason = child->reason,
		.output = child->printed->str,
		.output_length = child->printed->len,
		.complaint = child->complaint->str,
	};
	return true;
}

void
child_free(Child *child)
{
	if (child->pid != 0)
	{
		kill(-child->pid, SIGKILL);
		kill(child->pid, SIGKILL);
		waitpid(child->pid, NULL, 0);
	}
	shut(&child->input);
	shut(&child->output);
	shut(&child->complaint_from);
	g_string_free(child->printed, TRUE);
	g_string_free(child->complaint, TRUE);
	g_free(child->given);
	g_free(child);
}

/* become is what the child does: it never returns. */
static void
become(const Command *command, const char *path, const int *ends)
{
	struct rlimit memory = {command->memory_limit, command->memory_limit};
	struct rlimit cpu = {command->cpu_limit, command->cpu_limit};
	struct rlimit core = {0, 0};
	sigset_t none;

	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	for (int i = 0; i < 3; i++)
	{
		if (dup2(ends[i], i) < 0)
			_exit(126);
	}
	if (setrlimit(RLIMIT_CORE, &core) != 0 ||
		(command->memory_limit != 0 && setrlimit(RLIMIT_AS, &memory) != 0) ||
		(command->cpu_limit != 0 && setrlimit(RLIMIT_CPU, &cpu) != 0))
		_exit(126);
	if (command->no_network && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
		_exit(125);
	execve(path, (char *const *) command->arguments,
		   command->environment == NULL ? environ : (char *const *) command->environment);
	_exit(127);
}

static void
feed(Child *child)
{
	while (child->input >= 0 && child->given_done < child->given_length)
	{
		ssize_t wrote = write(child->input, child->given + child->given_done,
							  child->given_length - child->given_done);

		if (wrote < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (wrote < 0)
			break; /* it reads no more: its status will tell */
		child->given_done += (size_t) wrote;
	}
	shut(&child->input);
}

/* collect reads what is there, keeping one byte more than the limit at most. */
static void
collect(Child *child, int *from, GString *into, size_t limit)
{
	char buffer[65536];
	ssize_t got = -1;

	while (*from >= 0 && (got = read(*from, buffer, sizeof(buffer))) != 0)
	{
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			break;
		if (into->len <= limit)
			g_string_append_len(into, buffer, MIN(got, (ssize_t) (limit + 1 - into->len)));
		if (into == child->printed && into->len > limit)
			return;
	}
	if (*from >= 0 && got == 0)
		shut(from);
}

static void
shut(int *descriptor)
{
	if (*descriptor >= 0)
		close(*descriptor);
	*descriptor = -1;
}

static bool
make_pipe(int *near, int *far, bool near_reads)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return false;
	*near = ends[near_reads ? 0 : 1];
	*far = ends[near_reads ? 1 : 0];
	return fcntl(*near, F_SETFL, O_NONBLOCK) == 0;
}
