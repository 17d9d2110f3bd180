/* SPDX-License-Identifier: GPL-2.0-only */
/* Calls and their answers, over real connections. */
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/interface.h"
#include "lib/rig.h"
#include "lib/scratch.h"
#include "lib/test.h"
#include "version.h"

#define CALL(method) "{\"method\":\"org.bgswitch." method "\"}"
#define PING CALL("Ping")
#define SERVICE_ERROR(name, parameters)                                                            \
	"{\"error\":\"org.varlink.service." name "\",\"parameters\":{" parameters "}}"

static const struct {
	const char *call, *answer;
	bool ends;
} answers[] = {
	{ "{\"method\":\"org.bgswitch.Check\",\"parameters\":{\"a\":[1,null,\"\xc3\xa4\"]}}",
	  "{\"parameters\":{\"a\":[1,null,\"\xc3\xa4\"]}}" },
	{ CALL("Check"), "{\"parameters\":{}}" },
	{ "{\"method\":\"org.bgswitch.Check\",\"parameters\":null,\"more\":null}",
	  "{\"parameters\":{}}" },
	{ "{\"method\":\"org.bgswitch.Check\",\"new\":{\"a\":1}}", "{\"parameters\":{}}" },
	{ "{\"method\":\"org.bgswitch.Check\",\"more\":true}", "{\"parameters\":{}}" },
	{ CALL("History"), "{\"error\":\"org.bgswitch.Failed\",\"parameters\":"
			   "{\"code\":3,\"what\":\"green is not ? healthy\",\"next\":\"wait\"}}" },
	{ CALL("Reload"), SERVICE_ERROR("InvalidParameter", "\"parameter\":\"color\"") },
	{ CALL("Promote"), SERVICE_ERROR("ExpectedMore", "") },
	{ CALL("Split"),
	  SERVICE_ERROR("MethodNotImplemented", "\"method\":\"org.bgswitch.Split\"") },
	{ CALL("Pin"), SERVICE_ERROR("MethodNotFound", "\"method\":\"org.bgswitch.Pin\"") },
	{ CALL("Pings"), SERVICE_ERROR("MethodNotFound", "\"method\":\"org.bgswitch.Pings\"") },
	{ "{\"method\":\"org.bgswitc.Ping\"}",
	  SERVICE_ERROR("InterfaceNotFound", "\"interface\":\"org.bgswitc\"") },
	{ "{\"method\":\"org.bgswitch.more.Ping\"}",
	  SERVICE_ERROR("InterfaceNotFound", "\"interface\":\"org.bgswitch.more\"") },
	{ "{\"method\":\"org.varlink.service.Ping\"}",
	  SERVICE_ERROR("MethodNotFound", "\"method\":\"org.varlink.service.Ping\"") },
	{ "{\"method\":\"org.varlink.service.GetInfo\"}",
	  "{\"parameters\":{\"vendor\":\"bgswitch\",\"product\":\"bgswitch\",\"version\":"
	  "\"" BGSWITCH_VERSION "\",\"url\":\"\",\"interfaces\":"
	  "[\"org.varlink.service\",\"org.bgswitch\"]}}" },
	{ "{\"method\":\"org.varlink.service.GetInterfaceDescription\"}",
	  SERVICE_ERROR("InvalidParameter", "\"parameter\":\"interface\"") },
	{ "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
	  "\"parameters\":{\"interface\":\"org.example.none\"}}",
	  SERVICE_ERROR("InterfaceNotFound", "\"interface\":\"org.example.none\"") },
	/* No call at all: said, and the end. */
	{ "{}", SERVICE_ERROR("InvalidParameter", "\"parameter\":\"method\""), true },
	{ "{\"method\":\"Ping\"}", SERVICE_ERROR("InvalidParameter", "\"parameter\":\"method\""),
	  true },
	{ "{\"method\":\"org.bgswitch.Ping\",\"parameters\":[]}",
	  SERVICE_ERROR("InvalidParameter", "\"parameter\":\"parameters\""), true },
	{ "{\"method\":\"org.bgswitch.Ping\",\"upgrade\":true}",
	  SERVICE_ERROR("InvalidParameter", "\"parameter\":\"upgrade\""), true },
};

static struct rig rig;

static int open_rig(void **state)
{
	struct failure failure = {};

	return scratch_make(state) || rig_open(&rig, *state, NULL, &failure);
}

static int close_rig(void **state)
{
	rig_close(&rig);
	return scratch_remove(state);
}

static void test_each_call_has_its_answer(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(answers); i++) {
		int fd = rig_connect(&rig);
		const char *answer = rig_call(&rig, fd, answers[i].call);

		assert_row(answer, answers[i].call);
		assert_string_equal(answer, answers[i].answer);
		if (answers[i].ends) {
			rig_expect_end(&rig, fd);
			continue;
		}
		assert_row(strstr(rig_call(&rig, fd, PING), "pid"), answers[i].call);
		close(fd);
	}
}

static void test_interfaces_describe_themselves(void **state)
{
	static const char *const names[] = { "org.bgswitch", "org.varlink.service" };
	int fd = rig_connect(&rig);

	(void)state;
	for (size_t i = 0; i < ROWS(names); i++) {
		char text[256], words[64];

		snprintf(text, sizeof(text),
			 "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
			 "\"parameters\":{\"interface\":\"%s\"}}",
			 names[i]);
		snprintf(words, sizeof(words), "interface %s\\n", names[i]);
		assert_contains(rig_call(&rig, fd, text), words);
	}
	close(fd);
}

static void test_calls_in_a_row_are_answered_in_order(void **state)
{
	int fd = rig_connect(&rig);
	char text[128];

	(void)state;
	rig_send(fd, CALL("Set"));
	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text),
			 "{\"method\":\"org.bgswitch.Check\",\"parameters\":{\"n\":%d}}", i);
		rig_send(fd, text);
	}
	rig_settle(&rig);
	assert_int_equal(rig.calls, 1); /* the first is under way, and nothing overtakes it */
	call_reply(rig.held, json_pack("{s:s}", "n", "first"));
	assert_string_equal(rig_read(&rig, fd), "{\"parameters\":{\"n\":\"first\"}}");
	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "{\"parameters\":{\"n\":%d}}", i);
		assert_string_equal(rig_read(&rig, fd), text);
	}
	close(fd);
}

static void test_a_call_of_many_pieces_is_one(void **state)
{
	static const char text[] = PING;
	int fd = rig_connect(&rig);

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++) {
		rig_send_bytes(fd, text + i, 1);
		rig_settle(&rig);
		assert_int_equal(rig.calls, i == sizeof(text) - 1);
	}
	assert_contains(rig_read(&rig, fd), "pid");
	close(fd);
}

static void test_more_gets_replies_that_continue(void **state)
{
	int fd = rig_connect(&rig);

	(void)state;
	rig_send(fd, "{\"method\":\"org.bgswitch.Promote\",\"more\":true}");
	assert_string_equal(rig_read(&rig, fd), "{\"parameters\":{},\"continues\":true}");
	assert_string_equal(rig_read(&rig, fd), "{\"parameters\":{\"n\":1},\"continues\":true}");
	assert_string_equal(rig_read(&rig, fd), "{\"parameters\":{\"n\":2}}");
	close(fd);
}

static void test_oneway_is_run_without_an_answer(void **state)
{
	int fd = rig_connect(&rig);

	(void)state;
	rig_send(fd, "{\"method\":\"org.bgswitch.Ping\",\"oneway\":true}");
	rig_send(fd, "{\"method\":\"org.bgswitch.History\",\"oneway\":true}");
	rig_send(fd, "{\"method\":\"org.example.None\",\"oneway\":true}");
	assert_string_equal(rig_call(&rig, fd, CALL("Check")), "{\"parameters\":{}}");
	assert_int_equal(rig.calls, 2);
	close(fd);
}

/* What was called without wanting an answer is done, even if the caller does not stay. */
static void test_oneway_calls_outlive_their_client(void **state)
{
	int fd = rig_connect(&rig);

	(void)state;
	rig_send(fd, "{\"method\":\"org.bgswitch.Set\",\"oneway\":true}");
	rig_send(fd, "{\"method\":\"org.bgswitch.Abort\",\"oneway\":true}");
	rig_send(fd, CALL("Set"));
	rig_settle(&rig); /* the first is under way when it goes */
	close(fd);
	rig_settle(&rig);
	assert_int_equal(rig.calls, 1);
	call_reply(rig.held, NULL);
	rig.held = NULL;
	rig_settle(&rig);
	assert_int_equal(rig.calls, 2);
	call_reply(rig.held, NULL);
	rig.held = NULL;
	rig_settle(&rig);
	assert_int_equal(rig.calls, 2); /* the last one's answer reaches nobody */
	assert_int_equal(rig.gone, 0);
}

/* It is read in several steps, and no event announces the later ones. */
static void test_a_long_oneway_call_outlives_its_client(void **state)
{
	static char text[50000];
	int fd = rig_connect(&rig);

	(void)state;
	memset(text, ' ', sizeof(text) - 1);
	memcpy(text, "{\"method\":\"org.bgswitch.Ping\",\"oneway\":true", 43);
	text[sizeof(text) - 2] = '}';
	rig_send(fd, text);
	close(fd);
	rig_settle(&rig);
	assert_int_equal(rig.calls, 1);
}

static void test_a_client_that_goes_is_noticed_during_its_call(void **state)
{
	int fd = rig_connect(&rig);

	(void)state;
	rig_send(fd, CALL("Set"));
	rig_send(fd, PING); /* not read yet; hides nothing */
	rig_settle(&rig);
	assert_non_null(rig.held);
	close(fd);
	rig_settle(&rig);
	assert_null(rig.held);
	assert_int_equal(rig.gone, 1);
	assert_int_equal(rig.calls, 1);
}

static void test_a_half_closed_client_gets_its_answers(void **state)
{
	int fd = rig_connect(&rig);

	(void)state;
	rig_send(fd, CALL("Set"));
	rig_send(fd, CALL("Check"));
	shutdown(fd, SHUT_WR);
	rig_settle(&rig);
	assert_int_equal(rig.gone, 0);
	call_reply(rig.held, json_pack("{s:b}", "late", 1));
	assert_string_equal(rig_read(&rig, fd), "{\"parameters\":{\"late\":true}}");
	assert_string_equal(rig_read(&rig, fd), "{\"parameters\":{}}");
	rig_expect_end(&rig, fd);
}

static void test_the_end_of_the_server_ends_calls(void **state)
{
	int fd = rig_connect(&rig), other = rig_connect(&rig);
	struct stat st;
	char path[PATH_MAX];
	char byte;

	(void)state;
	strcpy(path, rig.path);
	rig_send(fd, CALL("Set"));
	rig_settle(&rig);
	control_free(rig.control);
	rig.control = NULL;
	assert_int_equal(rig.gone, 1);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	assert_int_equal(recv(other, &byte, 1, 0), 0);
	assert_int_equal(stat(path, &st), -1);
	close(fd);
	close(other);
}

static void test_the_last_answer_leaves_with_the_server(void **state)
{
	int fd = rig_connect(&rig);

	(void)state;
	rig_send(fd, CALL("Set"));
	rig_settle(&rig);
	call_reply(rig.held, NULL);
	control_free(rig.control);
	rig.control = NULL;
	assert_string_equal(rig_read(&rig, fd), "{\"parameters\":{}}");
	rig_expect_end(&rig, fd);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)
	const struct CMUnitTest tests[] = {
		TEST(test_each_call_has_its_answer),
		TEST(test_interfaces_describe_themselves),
		TEST(test_calls_in_a_row_are_answered_in_order),
		TEST(test_a_call_of_many_pieces_is_one),
		TEST(test_more_gets_replies_that_continue),
		TEST(test_oneway_is_run_without_an_answer),
		TEST(test_oneway_calls_outlive_their_client),
		TEST(test_a_long_oneway_call_outlives_its_client),
		TEST(test_a_client_that_goes_is_noticed_during_its_call),
		TEST(test_a_half_closed_client_gets_its_answers),
		TEST(test_the_end_of_the_server_ends_calls),
		TEST(test_the_last_answer_leaves_with_the_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
