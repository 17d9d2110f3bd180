/* SPDX-License-Identifier: GPL-2.0-only */
/* Checks by a command: how it ends, what it leaves behind. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/probing.h"
#include "lib/scratch.h"
#include "lib/test.h"

#define TIMEOUT 300
#define PATIENT 5000

static struct check shell_check(const char *script, unsigned int timeout_ms)
{
	static char *words[] = { "/bin/sh", "-c", NULL, NULL };
	struct check check;

	words[2] = (char *)script;
	check_init(&check);
	check.kind = CHECK_COMMAND;
	check.timeout_ms = timeout_ms;
	check.command = words;
	return check;
}

/* Nothing of a check is left: neither running nor as a zombie. */
static void assert_no_child(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void test_each_end_has_its_result(void **state)
{
	static const struct {
		const char *script;
		unsigned int timeout_ms;
		const char *error, *body;
		unsigned int status;
	} rows[] = {
		{ "echo fine", PATIENT, "", "fine", 0 },
		{ "echo bad >&2; exit 3", PATIENT, "exit status 3", "bad", 3 },
		{ "kill -9 $$", PATIENT, "killed by signal 9", "", 0 },
		{ "echo wait; exec sleep 600", 2000, "no end within 2s, killed", "wait", 0 },
		{ "sleep 600", TIMEOUT, "no end within 300ms, killed", "", 0 },
		{ "trap '' TERM INT HUP; while :; do sleep 600; done", TIMEOUT,
		  "no end within 300ms, killed", "", 0 },
		{ "sleep 600 & echo left one", PATIENT, "", "left one", 0 },
		{ "head -c 10000000 /dev/zero | tr '\\0' a", PATIENT, "", NULL, 0 },
		{ "while :; do echo flood; done", TIMEOUT, "no end within 300ms, killed", NULL, 0 },
		{ "exec >&- 2>&-; sleep 0.1; exit 4", PATIENT, "exit status 4", "", 4 },
		{ "read line", PATIENT, "exit status 1", "", 1 }, /* stdin is empty */
		{ "echo $BGSWITCH_ADDRESS $BGSWITCH_HOST $BGSWITCH_PORT", PATIENT, "",
		  "127.0.0.1:81 127.0.0.1 81", 0 },
		{ "kill -TERM $$; echo survived", PATIENT, "killed by signal 15", "", 0 },
		{ "echo ${NOTIFY_SOCKET-none}", PATIENT, "", "none", 0 },
	};

	(void)state;
	setenv("NOTIFY_SOCKET", "@test", 1);
	for (size_t i = 0; i < ROWS(rows); i++) {
		const struct check check = shell_check(rows[i].script, rows[i].timeout_ms);
		const struct check_result result = probing_once(&check, "127.0.0.1:81");

		if (strcmp(result.error, rows[i].error))
			fail_msg("%s: '%s'", rows[i].script, result.error);
		assert_row(result.ok == !*rows[i].error, rows[i].script);
		assert_row(result.status == rows[i].status, rows[i].script);
		if (rows[i].body && strcmp(result.body, rows[i].body))
			fail_msg("%s: body '%s'", rows[i].script, result.body);
		assert_string_equal(result.sent, "/bin/sh for 127.0.0.1:81");
		assert_no_child();
	}
}

static void test_what_cannot_be_run_is_named(void **state)
{
	char *words[] = { "/none/such", NULL };
	struct check check = shell_check("", PATIENT);
	struct check_result result;

	(void)state;
	check.command = words;
	result = probing_once(&check, "127.0.0.1:81");
	assert_string_equal(result.error, "cannot run /none/such: No such file or directory");
	assert_no_child();
}

/* Blocked and ignored signals, and descriptors, stay ours. */
static void test_the_child_inherits_nothing(void **state)
{
	const struct check check = shell_check("ls /proc/self/fd | wc -l; "
					       "grep -c -E 'Sig(Blk|Ign):.0000000(00|18)0000000' "
					       "/proc/self/status",
					       PATIENT);
	int fd = open("/dev/null", O_RDONLY); /* deliberately without O_CLOEXEC */
	sigset_t all, before;
	struct check_result result;

	(void)state;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	signal(SIGPIPE, SIG_IGN);
	result = probing_once(&check, "127.0.0.1:81");
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(fd);
	/* 0, 1, 2 and the directory that ls reads; no mask but libc's own signals 32 and 33 */
	assert_string_equal(result.body, "4?2");
}

static void test_a_removed_one_is_killed(void **state)
{
	const struct check check = shell_check("sleep 600", 60000);
	struct prober *prober = probing_start();
	struct tally tally;
	struct probe *probe = probing_add(prober, &check, "127.0.0.1:81", &tally);

	(void)state;
	prober_run(prober);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), 0); /* it runs */
	probe_remove(probe);
	prober_free(prober);
	assert_int_equal(tally.ended, 0);
	assert_no_child();
}

static void test_a_hanging_one_never_runs_twice(void **state)
{
	static char script[PATH_MAX + 64], path[PATH_MAX];
	struct check check;
	struct prober *prober = probing_start();
	struct tally tally;

	snprintf(script, sizeof(script), "mkdir %s || echo overlap; sleep 600",
		 scratch_path(path, *state, "lock"));
	check = shell_check(script, 50);
	check.interval_ms = 10;
	probing_add(prober, &check, "127.0.0.1:81", &tally);
	for (unsigned int i = 1; i < 5; i++) {
		probing_await(prober, &tally, i);
		assert_int_equal(tally.good, 0);
		assert_null(strstr(tally.last.body, "overlap"));
		rmdir(path);
	}
	prober_free(prober);
	assert_no_child();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_end_has_its_result),
		cmocka_unit_test(test_what_cannot_be_run_is_named),
		cmocka_unit_test(test_the_child_inherits_nothing),
		cmocka_unit_test(test_a_removed_one_is_killed),
		cmocka_unit_test_setup_teardown(test_a_hanging_one_never_runs_twice, scratch_make,
						scratch_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
