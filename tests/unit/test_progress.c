/* SPDX-License-Identifier: GPL-2.0-only */
/* What is shown of a drain while somebody waits, on a terminal and elsewhere. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/test.h"
#include "progress.h"

#define ERASE "\r\033[K"

struct screen {
	struct progress progress;
	char *text;
	size_t size;
};

static void start(struct screen *screen, bool is_terminal)
{
	*screen = (struct screen){};
	screen->progress.out = open_memstream(&screen->text, &screen->size);
	assert_non_null(screen->progress.out);
	screen->progress.is_terminal = is_terminal;
}

static void show(struct screen *screen, const char *object, unsigned long long now)
{
	json_t *value = json_loads(object, JSON_DECODE_ANY, NULL);

	assert_non_null(value);
	progress_show(&screen->progress, value, now);
	json_decref(value);
}

static void stop(struct screen *screen)
{
	fclose(screen->progress.out);
	free(screen->text);
}

static const char *shown(struct screen *screen)
{
	fflush(screen->progress.out);
	return screen->text;
}

#define NUMBERS(established)                                                                       \
	"\"service\": \"web\", \"color\": \"blue\", \"handshaking\": 3, \"accept_queue\": 2, "     \
	"\"established\": " #established ", \"untagged\": 0"

static const struct {
	const char *object, *line;
} lines[] = {
	{ "{" NUMBERS(118) ", \"oldest_ms\": null, \"left_ms\": 21999}",
	  "draining blue: 3 handshaking, 2 queued, 118 established, 21s left" },
	{ "{" NUMBERS(118) ", \"oldest_ms\": 180500, \"left_ms\": null}",
	  "draining blue: 3 handshaking, 2 queued, 118 established, oldest 3m" },
	{ "{\"color\": \"green\", \"left_ms\": 300000, \"oldest_ms\": 90000}",
	  "draining green: nothing, oldest 90s, 5m left" },
	{ "{\"color\": \"green\", \"untagged\": 1, \"syn_cookies\": true, \"left_ms\": 0}",
	  "draining green: SYN cookies out, 1 untagged, 0 left" },
	/* It comes from a socket. */
	{ "{\"color\": \"\\u001b[31m\", \"left_ms\": -5, \"oldest_ms\": 99999999999}",
	  "draining ?[31m: nothing" },
	{ "{\"color\": \"a color with a name that is long\", \"left_ms\": \"1\"}",
	  "draining a color with a n: nothing" },
};

static void test_a_terminal_has_one_line(void **state)
{
	struct screen screen;

	(void)state;
	for (size_t i = 0; i < ROWS(lines); i++) {
		char expected[512];

		start(&screen, true);
		show(&screen, lines[i].object, 1000);
		show(&screen, lines[i].object, 1050); /* the same again is not written again */
		snprintf(expected, sizeof(expected), ERASE "%s", lines[i].line);
		assert_string_equal(shown(&screen), expected);
		progress_clear(&screen.progress);
		progress_clear(&screen.progress);
		strcat(expected, ERASE);
		assert_string_equal(shown(&screen), expected);
		/* After another one's line it stands there anew. */
		show(&screen, lines[i].object, 1100);
		snprintf(expected + strlen(expected), sizeof(expected) - strlen(expected),
			 ERASE "%s", lines[i].line);
		assert_string_equal(shown(&screen), expected);
		stop(&screen);
	}
}

/* Events tell the beginning; what comes then is told when it differs, and not too often. */
static const struct {
	const char *object;
	unsigned long long now;
	unsigned int lines; /* so far */
} told[] = {
	{ "{" NUMBERS(5) ", \"left_ms\": 30000}", 5000, 0 },
	{ "{" NUMBERS(4) ", \"left_ms\": 29500}", 5500, 0 },
	{ "{" NUMBERS(4) ", \"left_ms\": 29000}", 6000, 1 },
	{ "{" NUMBERS(4) ", \"left_ms\": 28000}", 7000, 1 },
	{ "{" NUMBERS(4) ", \"left_ms\": 27000}", 8000, 1 },
	{ "{" NUMBERS(3) ", \"left_ms\": 26950}", 8050, 2 },
	{ "{" NUMBERS(2) ", \"left_ms\": 26900}", 8100, 2 },
	{ "{" NUMBERS(1) ", \"left_ms\": 26000}", 9049, 2 },
	{ "{" NUMBERS(1) ", \"left_ms\": 25900}", 9050, 3 },
};

static void test_elsewhere_there_are_lines_with_the_time(void **state)
{
	struct screen screen;

	(void)state;
	start(&screen, false);
	screen.progress.is_told = true;
	for (size_t i = 0; i < ROWS(told); i++) {
		unsigned int count = 0;

		show(&screen, told[i].object, told[i].now);
		for (const char *at = shown(&screen); (at = strchr(at, '\n')); at++)
			count++;
		assert_int_equal(count, told[i].lines);
	}
	progress_clear(&screen.progress);
	assert_true(*shown(&screen) == '[' && !strchr(shown(&screen), '\033'));
	assert_contains(shown(&screen),
			"] web: draining blue: 3 handshaking, 2 queued, 4 established, 29s left\n");
	stop(&screen);
}

/* Who begins to wait later has heard no event. */
static void test_the_first_numbers_are_told_once(void **state)
{
	static const char object[] = "{" NUMBERS(5) ", \"left_ms\": 30000}";
	struct screen screen;

	(void)state;
	start(&screen, false);
	show(&screen, object, 5000);
	show(&screen, object, 9000);
	assert_contains(shown(&screen), "] web: draining blue: 3 handshaking, 2 queued, 5 establ");
	assert_null(strchr(strchr(shown(&screen), '\n') + 1, '\n'));
	stop(&screen);
}

static void test_what_is_no_progress_shows_nothing(void **state)
{
	static const char *const others[] = { "{}", "null", "[]", "7", "{\"color\": 5}" };
	struct screen screen;

	(void)state;
	for (size_t i = 0; i < ROWS(others); i++) {
		start(&screen, true);
		show(&screen, others[i], 1000);
		progress_show(&screen.progress, NULL, 1000);
		progress_clear(&screen.progress);
		assert_string_equal(shown(&screen), "");
		stop(&screen);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_terminal_has_one_line),
		cmocka_unit_test(test_elsewhere_there_are_lines_with_the_time),
		cmocka_unit_test(test_the_first_numbers_are_told_once),
		cmocka_unit_test(test_what_is_no_progress_shows_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
