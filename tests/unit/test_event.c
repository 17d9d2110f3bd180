/* SPDX-License-Identifier: GPL-2.0-only */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <systemd/sd-id128.h>

#include "lib/scratch.h"
#include "lib/test.h"
#include "record/event.h"
#include "record/moment.h"
#include "record/records.h"

#define NAME EVENTS_NAME EVENTS_ENDING

static void test_each_kind_has_a_name_and_an_id_of_its_own(void **state)
{
	(void)state;
	for (enum event_kind kind = 0; kind < EVENT_KINDS; kind++) {
		sd_id128_t id;

		assert_non_null(event_name(kind));
		assert_row(strspn(event_name(kind), "abcdefghijklmnopqrstuvwxyz-") ==
				   strlen(event_name(kind)),
			   event_name(kind));
		assert_row(!sd_id128_from_string(event_message_id(kind), &id), event_name(kind));
		assert_in_range(event_priority(kind), EVENT_PRIORITY_ERROR, EVENT_PRIORITY_INFO);
		for (enum event_kind other = 0; other < kind; other++) {
			assert_string_not_equal(event_name(kind), event_name(other));
			assert_string_not_equal(event_message_id(kind), event_message_id(other));
		}
	}
	assert_string_equal(event_name(EVENT_ROLLED_BACK), "rolled-back");
}

static void test_line_has_the_documented_form(void **state)
{
	struct event event = { .kind = EVENT_SWITCHING,
			       .at_ms = 1771406900123,
			       .service = "web",
			       .color = BGS_GREEN,
			       .message = "switching traffic blue -> green" };
	char line[EVENT_LINE];

	(void)state;
	assert_int_equal(setenv("TZ", "UTC-1", 1), 0); /* an hour east of Greenwich */
	tzset();
	assert_string_equal(event_format(line, &event),
			    "[2026-02-18 10:28:20] web: switching traffic blue -> green");
	*event.service = '\0';
	assert_string_equal(event_format(line, &event),
			    "[2026-02-18 10:28:20] bgswitch: switching traffic blue -> green");
	unsetenv("TZ");
	tzset();
}

static const struct event examples[] = {
	{ EVENT_SWITCHING, 1771406900123, "web", BGS_GREEN, "switching traffic blue -> green" },
	{ EVENT_AGENT_STARTED, 0, "", EVENT_NO_COLOR, "started" },
	{ EVENT_ALARM, 253402300799999, "web", EVENT_NO_COLOR, "\"quoted\" \\ ü" },
};

static void test_json_says_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(examples); i++) {
		json_t *object = event_json(&examples[i]);
		struct event event;

		assert_non_null(object);
		assert_true(event_from_json(&event, object));
		assert_memory_equal(&event, &examples[i], sizeof(event));
		json_decref(object);
	}
}

static const char *const no_events[] = {
	"{}",
	"{\"time\": \"yesterday\", \"event\": \"alarm\", \"message\": \"\"}",
	"{\"time\": \"2026-02-18T09:28:20Z\", \"event\": \"alarm\", \"message\": \"\"}",
	"{\"time\": \"2026-02-18T09:28:20.1Z\", \"event\": \"alarm\", \"message\": \"\"}",
	"{\"time\": \"2026-02-18T09:28:20.123Zx\", \"event\": \"alarm\", \"message\": \"\"}",
	"{\"time\": \"2026-02-18T09:28:20.123Z\", \"event\": 1, \"message\": \"\"}",
	"{\"time\": \"2026-02-18T09:28:20.123Z\", \"event\": \"alarm\"}",
};

static void test_other_json_is_no_event(void **state)
{
	struct event event;
	json_t *object = json_loads("{\"time\": \"2026-02-18T09:28:20.123Z\", \"event\": \"newer\","
				    " \"message\": \"a\\u001b[2Jb\"}",
				    0, NULL);

	(void)state;
	for (size_t i = 0; i < ROWS(no_events); i++) {
		json_t *other = json_loads(no_events[i], 0, NULL);

		assert_row(!event_from_json(&event, other), no_events[i]);
		json_decref(other);
	}
	assert_true(event_from_json(&event, object));
	assert_int_equal(event.kind, EVENT_KINDS);
	assert_string_equal(event.message, "a?[2Jb"); /* a terminal must not obey */
	json_decref(object);
}

static struct event_log *open_log(const struct event_sinks *sinks)
{
	struct failure failure = {};
	struct event_log *log = event_log_open(sinks, &failure);

	assert_string_equal(failure.what, "");
	assert_non_null(log);
	return log;
}

static char *read_text(const char *dir, const char *name)
{
	static char text[4096];
	char path[PATH_MAX];
	FILE *file = fopen(scratch_path(path, dir, name), "re");

	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	return text;
}

static void remember(const struct event *event, void *data)
{
	*(struct event *)data = *event;
}

static int keep_last(json_t *line, void *data)
{
	return !event_from_json(data, line);
}

static void test_an_event_goes_into_every_sink(void **state)
{
	char path[PATH_MAX];
	struct event also = {}, recorded = {};
	struct event_sinks sinks = { .directory = *state,
				     .name = NAME,
				     .file = scratch_path(path, *state, "log"),
				     .to_stderr = true,
				     .also = remember,
				     .data = &also };
	struct event_log *log = open_log(&sinks);
	char line[EVENT_LINE];
	struct failure failure;

	stderr_catch();
	event_emit(log, EVENT_COLOR_UNHEALTHY, "web", BGS_BLUE, "blue is %s:\n%s\x7f", "ill",
		   "\x1b[0m");
	assert_string_equal(also.message, "blue is ill: ?[0m?");
	event_format(line, &also);
	strcat(line, "\n");
	assert_string_equal(stderr_end(), line); /* no terminal: no colors */
	assert_string_equal(read_text(*state, "log"), line);
	assert_int_equal(records_read(*state, NAME, keep_last, &recorded, &failure), 0);
	assert_memory_equal(&recorded, &also, sizeof(also));
	assert_int_equal(also.color, BGS_BLUE);
	assert_in_range(also.at_ms, moment_now() - 60000, moment_now());
	event_log_close(log);
}

static void test_long_text_is_cut_visibly(void **state)
{
	struct event also;
	struct event_sinks sinks = { .also = remember, .data = &also };
	struct event_log *log = open_log(&sinks);

	(void)state;
	event_emit(log, EVENT_ALARM, NULL, EVENT_NO_COLOR, "%02000d", 0);
	assert_int_equal(strlen(also.message), EVENT_TEXT - 1);
	assert_string_equal(also.message + EVENT_TEXT - 5, "0...");
	event_log_close(log);
}

static void test_sinks_that_cannot_be_opened_are_named(void **state)
{
	char path[PATH_MAX];
	struct event_sinks file = { .file = scratch_path(path, *state, "no/log") };
	struct event_sinks records = { .directory = path, .name = NAME };
	struct failure failure;

	assert_null(event_log_open(&file, &failure));
	assert_failure(failure, EXIT_SYSTEM, path);
	assert_null(event_log_open(&records, &failure));
	assert_failure(failure, EXIT_SYSTEM, path);
}

static void test_file_is_reopened_after_rotation_by_others(void **state)
{
	char path[PATH_MAX], moved[PATH_MAX];
	struct event_sinks sinks = { .file = scratch_path(path, *state, "log") };
	struct event_log *log = open_log(&sinks);
	struct failure failure;

	event_emit(log, EVENT_ALARM, NULL, EVENT_NO_COLOR, "one");
	assert_int_equal(rename(path, scratch_path(moved, *state, "log.1")), 0);
	event_emit(log, EVENT_ALARM, NULL, EVENT_NO_COLOR, "two");
	assert_int_equal(event_log_reopen(log, &failure), 0);
	event_emit(log, EVENT_ALARM, NULL, EVENT_NO_COLOR, "three");
	assert_contains(read_text(*state, "log.1"), "bgswitch: two\n");
	assert_contains(read_text(*state, "log"), "bgswitch: three\n");
	assert_null(strstr(read_text(*state, "log"), "two"));
	event_log_close(log);
}

static void test_lost_lines_are_said_once(void **state)
{
	struct event_sinks sinks = { .file = "/dev/full" };
	struct event_log *log = open_log(&sinks);
	const char *said;

	(void)state;
	stderr_catch();
	event_emit(log, EVENT_ALARM, NULL, EVENT_NO_COLOR, "one");
	event_emit(log, EVENT_ALARM, NULL, EVENT_NO_COLOR, "two");
	said = stderr_end();
	assert_contains(said, "/dev/full");
	assert_contains(said, strerror(ENOSPC));
	assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
	event_log_close(log);
}

/* Standard error is a terminal in here; returns what it got. */
static const char *emit_on_terminal(enum event_kind kind)
{
	static char text[512];
	int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), other, before;
	struct event_sinks sinks = { .to_stderr = true };
	struct event_log *log;
	ssize_t length;

	assert_true(terminal >= 0 && !grantpt(terminal) && !unlockpt(terminal));
	other = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(other >= 0);
	before = dup(STDERR_FILENO);
	dup2(other, STDERR_FILENO);
	log = open_log(&sinks);
	event_emit(log, kind, NULL, EVENT_NO_COLOR, "text");
	event_log_close(log);
	dup2(before, STDERR_FILENO);
	close(before);
	length = read(terminal, text, sizeof(text) - 1);
	text[length > 0 ? length : 0] = '\0';
	close(other);
	close(terminal);
	return text;
}

static void test_colors_only_on_a_terminal_that_wants_them(void **state)
{
	(void)state;
	unsetenv("NO_COLOR");
	assert_contains(emit_on_terminal(EVENT_ALARM), "\033[31m[");
	assert_contains(emit_on_terminal(EVENT_ABORTED), "\033[33m[");
	assert_contains(emit_on_terminal(EVENT_SWITCHING), "bgswitch: text");
	assert_null(strchr(emit_on_terminal(EVENT_SWITCHING), '\033'));
	assert_int_equal(setenv("NO_COLOR", "1", 1), 0);
	assert_null(strchr(emit_on_terminal(EVENT_ALARM), '\033'));
	unsetenv("NO_COLOR");
}

/* A journal of our own, at the place where libsystemd writes to. */
static int make_journal(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX,
				       .sun_path = "/run/systemd/journal/socket" };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", "/run", "tmpfs", 0, NULL) || mkdir("/run/systemd", 0755) ||
	    mkdir("/run/systemd/journal", 0755) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)))
		err(1, "cannot make a journal");
	return fd;
}

/* In a child: what reaches the journal goes to `out`, what reaches standard error to `said`. */
static void emit_into_journal(bool with_journal, bool stderr_is_journal, int out, int said)
{
	int journal = make_journal();
	struct event_sinks sinks = { .to_stderr = true, .journal = true };
	struct failure failure;
	struct event_log *log;
	char text[4096], stream[64];
	ssize_t length;
	struct stat st;

	dup2(said, STDERR_FILENO);
	fstat(STDERR_FILENO, &st);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino + !stderr_is_journal);
	setenv("JOURNAL_STREAM", stream, 1);
	if (!with_journal)
		unlink("/run/systemd/journal/socket");
	log = event_log_open(&sinks, &failure);
	if (!log)
		_exit(1);
	event_emit(log, EVENT_FAILOVER, "web", BGS_GREEN, "blue has no listener");
	event_log_close(log);
	length = recv(journal, text, sizeof(text), 0);
	if (length > 0 && write(out, text, length) != length)
		_exit(1);
	_exit(0);
}

struct heard {
	char journal[4096], said[4096];
};

static void read_pipe(int fd, char text[4096])
{
	ssize_t length = read(fd, text, 4095);

	text[length > 0 ? length : 0] = '\0';
	close(fd);
}

static void run_with_journal(bool with_journal, bool stderr_is_journal, struct heard *heard)
{
	int out[2], said[2], status;
	pid_t pid;

	assert_int_equal(pipe2(out, O_CLOEXEC) | pipe2(said, O_CLOEXEC), 0);
	pid = fork();
	if (!pid)
		emit_into_journal(with_journal, stderr_is_journal, out[1], said[1]);
	close(out[1]);
	close(said[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	read_pipe(out[0], heard->journal);
	read_pipe(said[0], heard->said);
	assert_string_equal(status ? heard->said : "", "");
}

static void test_journal_gets_fields(void **state)
{
	static const char *const fields[] = {
		"MESSAGE=web: blue has no listener\n",
		"PRIORITY=4\n",
		"SYSLOG_IDENTIFIER=bgswitch\n",
		"BGSWITCH_EVENT=failover\n",
		"BGSWITCH_SERVICE=web\n",
		"BGSWITCH_COLOR=green\n",
	};
	struct heard heard;
	char id[64];

	(void)state;
	if (geteuid())
		skip(); /* a mount namespace needs root */
	run_with_journal(true, false, &heard);
	for (size_t i = 0; i < ROWS(fields); i++)
		assert_contains(heard.journal, fields[i]);
	snprintf(id, sizeof(id), "MESSAGE_ID=%s\n", event_message_id(EVENT_FAILOVER));
	assert_contains(heard.journal, id);
	assert_contains(heard.said, "] web: blue has no listener\n");
}

static void test_stderr_that_is_the_journal_gets_nothing_twice(void **state)
{
	struct heard heard;

	(void)state;
	if (geteuid())
		skip();
	run_with_journal(true, true, &heard);
	assert_contains(heard.journal, "MESSAGE=web: ");
	assert_string_equal(heard.said, "");
}

static void test_without_a_journal_there_is_none(void **state)
{
	struct heard heard;

	(void)state;
	if (geteuid())
		skip();
	run_with_journal(false, true, &heard);
	assert_string_equal(heard.journal, "");
	assert_contains(heard.said, "] web: blue has no listener\n");
	assert_ptr_equal(strchr(heard.said, '\n'), heard.said + strlen(heard.said) - 1);
}

#define scratch_test(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_kind_has_a_name_and_an_id_of_its_own),
		cmocka_unit_test(test_line_has_the_documented_form),
		cmocka_unit_test(test_json_says_the_same),
		cmocka_unit_test(test_other_json_is_no_event),
		scratch_test(test_an_event_goes_into_every_sink),
		cmocka_unit_test(test_long_text_is_cut_visibly),
		scratch_test(test_sinks_that_cannot_be_opened_are_named),
		scratch_test(test_file_is_reopened_after_rotation_by_others),
		cmocka_unit_test(test_lost_lines_are_said_once),
		cmocka_unit_test(test_colors_only_on_a_terminal_that_wants_them),
		cmocka_unit_test(test_journal_gets_fields),
		cmocka_unit_test(test_stderr_that_is_the_journal_gets_nothing_twice),
		cmocka_unit_test(test_without_a_journal_there_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
