/* SPDX-License-Identifier: GPL-2.0-only */
/* Stop commands, run for real: how they end, and what they leave behind. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/scratch.h"
#include "lib/test.h"
#include "switch/stop.h"

#define PATIENT 20000
#define SOON 1000
#define WAIT 30000 /* for what has to come: a test that hangs says so */

static struct stop *begin(char *const argv[], unsigned int timeout_ms)
{
	struct failure failure = {};
	struct stop *stop = stop_new("web", BGS_GREEN, argv, timeout_ms, &failure);

	assert_string_equal(failure.what, "");
	assert_non_null(stop);
	return stop;
}

static struct stop *begin_script(const char *script, unsigned int timeout_ms)
{
	char *argv[] = { "sh", "-c", (char *)script, NULL };

	return begin(argv, timeout_ms);
}

/* As an event loop does: only when the descriptor is readable. */
static void run_once(struct stop *stop)
{
	struct pollfd ready = { .fd = stop_fd(stop), .events = POLLIN };

	assert_int_equal(poll(&ready, 1, WAIT), 1);
	stop_run(stop);
}

static struct stop_outcome end_of(struct stop *stop)
{
	struct pollfd ready = { .fd = stop_fd(stop), .events = POLLIN };
	struct stop_outcome outcome;

	while (!stop_is_over(stop)) {
		assert_null(stop_outcome(stop));
		run_once(stop);
	}
	assert_int_equal(poll(&ready, 1, 0), 0);
	outcome = *stop_outcome(stop);
	stop_run(stop); /* changes nothing any more */
	assert_memory_equal(&outcome, stop_outcome(stop), sizeof(outcome));
	stop_free(stop);
	return outcome;
}

/* Nothing of ours is left, neither running nor as a zombie. */
static void assert_no_child(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static const struct {
	const char *script;
	unsigned int timeout_ms;
	enum stop_end end;
	int number;
	const char *text;
} ends[] = {
	{ "exit 0", PATIENT, STOP_DONE, 0, "done" },
	{ "echo a; echo b >&2", PATIENT, STOP_DONE, 0, "done" },
	{ "exit 5", PATIENT, STOP_EXITED, 5, "exit status 5" },
	{ "echo one; echo two >&2; echo '  '; exit 1", PATIENT, STOP_EXITED, 1,
	  "exit status 1: two" },
	{ "printf 'no line end'; exit 1", PATIENT, STOP_EXITED, 1, "exit status 1: no line end" },
	{ "printf '\\033[2J\\000\\377x'; exit 1", PATIENT, STOP_EXITED, 1,
	  "exit status 1: ?[2J??x" },
	{ "no-such-program-here", PATIENT, STOP_EXITED, 127,
	  "exit status 127: sh: 1: no-such-program-here: not found" },
	{ "kill -9 $$", PATIENT, STOP_KILLED, 9, "killed by signal 9" },
	{ "echo oh; kill -TERM $$", PATIENT, STOP_KILLED, 15, "killed by signal 15: oh" },
	{ "echo wait; exec sleep 600", SOON, STOP_TIMED_OUT, 0,
	  "no end within 1s, terminated: wait" },
	{ "sleep 600; echo never", SOON, STOP_TIMED_OUT, 0, "no end within 1s, terminated" },
	{ "trap 'echo bye; exit 0' TERM; sleep 600 & wait", SOON, STOP_TIMED_OUT, 0,
	  "no end within 1s, terminated: bye" },
	/* The group is told; only what ignores it waits for the SIGKILL. */
	{ "trap '' TERM; while :; do sleep 600; done", SOON, STOP_TIMED_OUT, 0,
	  "no end within 1s, killed" },
	{ "head -c 10000000 /dev/zero | tr '\\0' a; echo; echo last; exit 2", PATIENT, STOP_EXITED,
	  2, "exit status 2: last" },
	{ "while :; do echo flood; done", SOON, STOP_TIMED_OUT, 0, NULL },
	{ "exec >&- 2>&-; sleep 0.1; exit 4", PATIENT, STOP_EXITED, 4, "exit status 4" },
	{ "read line; exit $?", PATIENT, STOP_EXITED, 1, "exit status 1" }, /* stdin is empty */
};

static void test_each_end_has_its_outcome(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(ends); i++) {
		const struct stop_outcome outcome =
			end_of(begin_script(ends[i].script, ends[i].timeout_ms));

		assert_row(outcome.end == ends[i].end, ends[i].script);
		assert_row(outcome.number == ends[i].number, ends[i].script);
		if (ends[i].text && strcmp(outcome.text, ends[i].text))
			fail_msg("%s: '%s'", ends[i].script, outcome.text);
		if (outcome.end == STOP_TIMED_OUT)
			assert_row(outcome.duration_ms >= SOON, ends[i].script);
		assert_no_child();
	}
}

static void test_a_long_line_is_cut(void **state)
{
	const struct stop_outcome outcome = end_of(
		begin_script("for i in $(seq 200); do printf '\303\251'; done; exit 1", PATIENT));

	(void)state;
	assert_int_equal(outcome.end, STOP_EXITED);
	assert_true(strlen(outcome.text) < STOP_TEXT && strlen(outcome.text) > STOP_TEXT - 5);
	assert_contains(outcome.text, "exit status 1: \303\251\303\251");
	assert_contains(outcome.text, "\303\251...");
}

/* What it leaves in its group may hold our pipe: neither do we wait for it, nor does it stay. */
static void test_what_is_left_in_the_group_is_killed(void **scratch)
{
	char script[PATH_MAX + 128], path[PATH_MAX], byte;
	struct stop_outcome outcome;
	int fifo;

	assert_int_equal(mkfifo(scratch_path(path, *scratch, "fifo"), 0600), 0);
	fifo = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fifo >= 0);
	/* The grandchild ignores SIGTERM, and holds the FIFO open for as long as it lives. */
	snprintf(script, sizeof(script), "exec 9>%s; (trap '' TERM; exec sleep 600) & echo left",
		 path);
	outcome = end_of(begin_script(script, PATIENT));
	assert_int_equal(outcome.end, STOP_DONE);
	assert_true(outcome.duration_ms < PATIENT);
	assert_int_equal(poll(&(struct pollfd){ .fd = fifo, .events = POLLIN }, 1, WAIT), 1);
	assert_int_equal(read(fifo, &byte, 1), 0); /* its end: nobody has it open any more */
	close(fifo);
	assert_no_child();
}

static void test_freeing_kills_what_runs(void **scratch)
{
	char script[PATH_MAX + 128], path[PATH_MAX], byte;
	struct stop *stop;
	int fifo;

	assert_int_equal(mkfifo(scratch_path(path, *scratch, "fifo"), 0600), 0);
	snprintf(script, sizeof(script), "trap '' TERM; exec 9>%s; echo up; sleep 600 & wait",
		 path);
	fifo = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	stop = begin_script(script, PATIENT);
	run_once(stop); /* "up" has come: it has the FIFO */
	assert_false(stop_is_over(stop));
	stop_free(stop);
	assert_no_child();
	assert_int_equal(poll(&(struct pollfd){ .fd = fifo, .events = POLLIN }, 1, WAIT), 1);
	assert_int_equal(read(fifo, &byte, 1), 0);
	close(fifo);
}

static void test_what_cannot_be_started_is_named(void **scratch)
{
	char path[PATH_MAX], expected[PATH_MAX + 64];
	static char *const missing[] = { "/none/such", "x", NULL };
	static char *const unknown[] = { "bgswitch-no-such-program", NULL };
	char *const forbidden[] = { path, NULL };
	struct stop_outcome outcome;
	int fd;

	outcome = end_of(begin(missing, PATIENT));
	assert_int_equal(outcome.end, STOP_NOT_STARTED);
	assert_int_equal(outcome.number, ENOENT);
	assert_string_equal(outcome.text, "cannot run /none/such: No such file or directory");
	outcome = end_of(begin(unknown, PATIENT));
	assert_string_equal(outcome.text,
			    "cannot run bgswitch-no-such-program: No such file or directory");
	fd = open(scratch_path(path, *scratch, "program"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	close(fd);
	outcome = end_of(begin(forbidden, PATIENT));
	assert_int_equal(outcome.number, EACCES);
	snprintf(expected, sizeof(expected), "cannot run %s: Permission denied", path);
	assert_string_equal(outcome.text, expected);
	assert_no_child();
}

/* Words are handed over as they are: no shell looks at them. */
static void test_words_arrive_as_they_are(void **state)
{
	static char *const argv[] = { "/bin/sh",    "-c",  "echo \"$#:$1:$2:$3\"; exit 1",
				      "sh",	    "a b", "",
				      "$HOME;*'\"", NULL };
	const struct stop_outcome outcome = end_of(begin(argv, PATIENT));

	(void)state;
	assert_string_equal(outcome.text, "exit status 1: 3:a b::$HOME;*'\"");
}

static void test_the_environment_is_clean(void **state)
{
	struct stop_outcome outcome;

	(void)state;
	setenv("NOTIFY_SOCKET", "@test", 1);
	setenv("CREDENTIALS_DIRECTORY", "/run/secret", 1);
	setenv("HOOK_TOKEN", "secret", 1);
	setenv("PATHS", "x", 1);
	setenv("BGSWITCH_COLOR", "red", 1);
	setenv("HOME", "/here", 1);
	setenv("LANG", "C", 1);
	outcome = end_of(begin_script("/usr/bin/env | grep -v '^PWD=' | grep -v '^_=' | "
				      "sed 's/^PATH=.*/PATH/' | sort | tr '\\n' ' '; exit 1",
				      PATIENT));
	assert_string_equal(outcome.text,
			    "exit status 1: BGSWITCH_COLOR=green BGSWITCH_SERVICE=web "
			    "HOME=/here LANG=C PATH");
}

/* Blocked and ignored signals, and descriptors, stay ours. */
static void test_the_child_inherits_nothing(void **state)
{
	int fd = open("/dev/null", O_RDONLY); /* deliberately without O_CLOEXEC */
	struct stop_outcome outcome;
	sigset_t all, before;

	(void)state;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	signal(SIGPIPE, SIG_IGN);
	outcome = end_of(begin_script(
		"echo $(ls /proc/self/fd | wc -l) "
		"$(grep -c -E 'Sig(Blk|Ign):.0000000(00|18)0000000' /proc/self/status) "
		"$(test $$ = $(cut -d' ' -f5 /proc/$$/stat) && echo leads); exit 1",
		PATIENT));
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(fd);
	/* 0, 1, 2 and the directory that ls reads; no mask but libc's own signals 32 and 33 */
	assert_string_equal(outcome.text, "exit status 1: 4 2 leads");
}

static unsigned int count_fds(void)
{
	unsigned int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void test_no_descriptor_is_left(void **state)
{
	static char *const missing[] = { "/none/such", NULL };
	unsigned int before = count_fds();
	struct stop *stop;

	(void)state;
	for (int i = 0; i < 3; i++) {
		end_of(begin_script("exit 0", PATIENT));
		end_of(begin(missing, PATIENT));
		stop_free(begin(missing, PATIENT));
		stop = begin_script("sleep 600", PATIENT);
		stop_free(stop);
	}
	stop_free(NULL);
	assert_int_equal(count_fds(), before);
	assert_no_child();
}

#define scratch_test(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_end_has_its_outcome),
		cmocka_unit_test(test_a_long_line_is_cut),
		scratch_test(test_what_is_left_in_the_group_is_killed),
		scratch_test(test_freeing_kills_what_runs),
		scratch_test(test_what_cannot_be_started_is_named),
		cmocka_unit_test(test_words_arrive_as_they_are),
		cmocka_unit_test(test_the_environment_is_clean),
		cmocka_unit_test(test_the_child_inherits_nothing),
		cmocka_unit_test(test_no_descriptor_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
