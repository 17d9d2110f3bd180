/* SPDX-License-Identifier: GPL-2.0-only */
/* Messages as bytes: framing, reading, building. */
#include <stdlib.h>

#include "control/varlink.h"
#include "lib/test.h"

/* ---- framing */

/* As recv() does: as much as there is, and as there is room for. */
static bool feed(struct varlink_inbox *inbox, const char **bytes, size_t *length, size_t most)
{
	size_t room;
	char *into = varlink_inbox_room(inbox, &room);

	if (!into)
		return false;
	assert_true(room > 0);
	if (room > most)
		room = most;
	if (room > *length)
		room = *length;
	memcpy(into, *bytes, room);
	varlink_inbox_added(inbox, room);
	*bytes += room;
	*length -= room;
	return true;
}

/* The messages that are whole, with '|' between them. */
static void collect(struct varlink_inbox *inbox, char *seen)
{
	ssize_t length;

	while ((length = varlink_inbox_message(inbox)) >= 0) {
		const char *message = buffer_front(&inbox->bytes);

		assert_int_equal(strlen(message), length);
		strcat(strcat(seen, message), "|");
		varlink_inbox_drop(inbox);
	}
}

static void test_messages_are_found_in_pieces_of_any_size(void **state)
{
	static const char sent[] = "one\0\0three\0a longer one, in the end\0rest";

	(void)state;
	for (size_t piece = 1; piece <= sizeof(sent); piece++) {
		struct varlink_inbox inbox = { .limit = 100 };
		const char *bytes = sent;
		size_t length = sizeof(sent) - 1;
		char seen[64] = "";

		while (length) {
			assert_true(feed(&inbox, &bytes, &length, piece));
			collect(&inbox, seen);
		}
		assert_string_equal(seen, "one||three|a longer one, in the end|");
		assert_int_equal(buffer_length(&inbox.bytes), 4);
		varlink_inbox_free(&inbox);
	}
}

static void test_a_message_up_to_the_limit_fits(void **state)
{
	enum { LIMIT = 10000 };
	char *sent = malloc(LIMIT + 2);

	(void)state;
	for (size_t extra = 0; extra < 2; extra++) {
		struct varlink_inbox inbox = { .limit = LIMIT };
		const char *bytes = sent;
		size_t length = LIMIT + extra + 1;

		memset(sent, 'a', LIMIT + 1);
		sent[LIMIT + extra] = '\0';
		while (length && feed(&inbox, &bytes, &length, length))
			assert_true(length || extra || varlink_inbox_message(&inbox) == LIMIT);
		assert_int_equal(length, extra);
		assert_true(buffer_length(&inbox.bytes) <= LIMIT + 1);
		varlink_inbox_free(&inbox);
	}
	free(sent);
}

/* ---- reading */

#define TEN(text) text text text text text text text text text text
#define DEEP(open, inner, close)                                                                   \
	TEN(open) TEN(open) TEN(open) open open inner TEN(close) TEN(close) TEN(close) close close

static const struct {
	const char *text;
	bool ok;
} texts[] = {
	{ "{}", true },
	{ " {\"a\": 1.5e3}\n", true },
	{ DEEP("[", "", "]"), true },
	{ DEEP("[", "\"[[[[{{\\\"[[\"", "]"), true },
	{ "[\"]]]]\"," DEEP("[", "", "]") "]", false },
	{ DEEP("[", "{}", "]"), false },
	{ "[\"\\\\\"," DEEP("[", "", "]") "]", false },
	{ TEN(TEN(TEN("["))), false },
	{ TEN(TEN(TEN("{\"a\":"))), false },
	{ "", false },
	{ "{", false },
	{ "{} {}", false },
	{ "{'a':1}", false },
	{ "{\"a\":1,}", false },
	{ "{\"a\":1,\"a\":2}", false },
	{ "{\"a\":\"\xff\"}", false },
	{ "{\"a\":\"\xc0\x80\"}", false },
	{ "{\"a\":\"\xed\xa0\x80\"}", false },
	{ "{\"a\":\"\\u0000\"}", false },
	{ "{\"a\":\"\x01\"}", false },
	{ "{\"a\":99999999999999999999}", false },
	{ "{\"a\":1e999}", false },
	{ "{\"a\":-}", false },
	{ "{\"a\":NaN}", false },
	{ "]]]]", false },
};

static void test_only_strict_and_flat_json_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(texts); i++) {
		json_t *json = varlink_parse(texts[i].text, strlen(texts[i].text));

		assert_row(!!json == texts[i].ok, texts[i].text);
		json_decref(json);
	}
}

static const struct {
	const char *text, *wrong; /* NULL: nothing */
} calls[] = {
	{ "{\"method\":\"a.b.C\"}", NULL },
	{ "{\"method\":\"org.bgswitch.Ping\",\"parameters\":{},\"more\":true}", NULL },
	{ "{\"method\":\"xn--lgbbat1ad8j.example.algeria.A1\",\"oneway\":true}", NULL },
	{ "{\"method\":\"a.b2.c-d.E\",\"more\":false,\"oneway\":false,\"upgrade\":false}", NULL },
	{ "{\"method\":\"a.b.C\",\"parameters\":null,\"more\":null,\"x\":[]}", NULL },
	{ "{}", "method" },
	{ "[]", "method" },
	{ "{\"method\":null}", "method" },
	{ "{\"method\":1}", "method" },
	{ "{\"method\":\"\"}", "method" },
	{ "{\"method\":\"Ping\"}", "method" },
	{ "{\"method\":\"a.B\"}", "method" },
	{ "{\"method\":\".Ping\"}", "method" },
	{ "{\"method\":\"a.b.\"}", "method" },
	{ "{\"method\":\"a.b.ping\"}", "method" },
	{ "{\"method\":\"a.b.Pi_ng\"}", "method" },
	{ "{\"method\":\"a..b.Ping\"}", "method" },
	{ "{\"method\":\"a.b-.Ping\"}", "method" },
	{ "{\"method\":\"a.-b.Ping\"}", "method" },
	{ "{\"method\":\"1a.b.Ping\"}", "method" },
	{ "{\"method\":\"a.b/c.Ping\"}", "method" },
	{ "{\"method\":\"a.b.P\xc3\xa4ng\"}", "method" },
	{ "{\"method\":\"a." TEN(TEN("bcd")) ".C\"}", "method" },
	{ "{\"method\":\"a.b.C\",\"parameters\":[]}", "parameters" },
	{ "{\"method\":\"a.b.C\",\"parameters\":\"x\"}", "parameters" },
	{ "{\"method\":\"a.b.C\",\"more\":1}", "more" },
	{ "{\"method\":\"a.b.C\",\"oneway\":\"true\"}", "oneway" },
	{ "{\"method\":\"a.b.C\",\"oneway\":true,\"more\":true}", "oneway" },
	{ "{\"method\":\"a.b.C\",\"upgrade\":true}", "upgrade" },
	{ "{\"method\":\"a.b.C\",\"upgrade\":{}}", "upgrade" },
};

static void test_what_is_wrong_with_a_call_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(calls); i++) {
		json_t *message = json_loads(calls[i].text, 0, NULL);
		struct varlink_call call;
		const char *wrong = varlink_read_call(&call, message);

		assert_row(message, calls[i].text);
		assert_row(!wrong == !calls[i].wrong, calls[i].text);
		if (wrong)
			assert_string_equal(wrong, calls[i].wrong);
		json_decref(message);
	}
}

static void test_a_call_is_taken_apart(void **state)
{
	json_t *message = json_pack("{s:s, s:{s:i}, s:b}", "method", "org.bgswitch.Set",
				    "parameters", "n", 7, "more", 1);
	struct varlink_call call;

	(void)state;
	assert_null(varlink_read_call(&call, message));
	assert_int_equal(call.interface, strlen("org.bgswitch"));
	assert_string_equal(call.method + call.interface, ".Set");
	assert_int_equal(json_integer_value(json_object_get(call.parameters, "n")), 7);
	assert_true(call.more && !call.oneway);
	json_decref(message);
}

/* ---- building */

static void test_messages_are_appended_with_their_nul(void **state)
{
	static const char expected[] =
		"{\"method\":\"a.B\",\"parameters\":{}}\0"
		"{\"method\":\"a.B\",\"parameters\":{\"n\":1},\"more\":true}\0"
		"{\"parameters\":{\"n\":1},\"continues\":true}\0"
		"{\"parameters\":{}}\0"
		"{\"error\":\"a.B\",\"parameters\":{}}";
	struct buffer buffer = {};

	(void)state;
	assert_int_equal(varlink_append(&buffer, varlink_call("a.B", NULL, false)), 0);
	assert_int_equal(
		varlink_append(&buffer, varlink_call("a.B", json_pack("{s:i}", "n", 1), true)), 0);
	assert_int_equal(varlink_append(&buffer, varlink_reply(json_pack("{s:i}", "n", 1), true)),
			 0);
	assert_true(varlink_append(&buffer, NULL) < 0); /* leaves nothing behind */
	assert_int_equal(varlink_append(&buffer, varlink_reply(NULL, false)), 0);
	assert_int_equal(varlink_append(&buffer, varlink_error("a.B", NULL)), 0);
	assert_int_equal(buffer_length(&buffer), sizeof(expected));
	assert_memory_equal(buffer_front(&buffer), expected, sizeof(expected));
	buffer_free(&buffer);
}

static void test_a_buffer_keeps_bytes_in_order_while_it_moves(void **state)
{
	struct buffer buffer = {};
	unsigned char in = 0, out = 0;

	(void)state;
	for (int round = 0; round < 1000; round++) {
		unsigned char *room = (unsigned char *)buffer_room(&buffer, 50);

		for (int i = 0; i < 50; i++)
			room[i] = in++;
		buffer_added(&buffer, 50);
		for (int i = 0; i < 49; i++)
			assert_int_equal((unsigned char)buffer_front(&buffer)[i], out++);
		buffer_take(&buffer, 49);
	}
	assert_int_equal(buffer_length(&buffer), 1000);
	assert_true(buffer.capacity <= 4096); /* what was taken is used again */
	buffer_take(&buffer, 1000);
	assert_null(buffer.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages_are_found_in_pieces_of_any_size),
		cmocka_unit_test(test_a_message_up_to_the_limit_fits),
		cmocka_unit_test(test_only_strict_and_flat_json_is_read),
		cmocka_unit_test(test_what_is_wrong_with_a_call_is_named),
		cmocka_unit_test(test_a_call_is_taken_apart),
		cmocka_unit_test(test_messages_are_appended_with_their_nul),
		cmocka_unit_test(test_a_buffer_keeps_bytes_in_order_while_it_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
