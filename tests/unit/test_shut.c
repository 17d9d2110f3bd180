/* SPDX-License-Identifier: GPL-2.0-only */
/* Connections between this process and itself, looked at as another one's. */
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/tcp.h>

#include "drain/shut.h"
#include "lib/sockets.h"
#include "lib/test.h"

#define PATIENCE_MS 10000 /* for what takes microseconds */

struct connection {
	int client, server, pidfd;
	struct shut_target target;
};

static void look(struct connection *connection)
{
	struct tcp_info info = {};
	socklen_t size = sizeof(info);

	assert_int_equal(getsockopt(connection->server, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
	connection->target = (struct shut_target){ .cookie = cookie_of(connection->server),
						   .received = info.tcpi_bytes_received,
						   .acked = info.tcpi_bytes_acked };
}

static void say(int from, int to, const char *text)
{
	char heard[64];

	assert_int_equal(send(from, text, strlen(text), 0), strlen(text));
	assert_int_equal(recv(to, heard, sizeof(heard), 0), strlen(text));
}

/* A question and its answer are over. */
static struct connection open_connection(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct connection connection = { .client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
					 .pidfd = pidfd_open(getpid(), 0) };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(address);

	assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(connect(connection.client, (struct sockaddr *)&address, size), 0);
	connection.server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(connection.server >= 0 && connection.pidfd >= 0);
	close(listener);
	say(connection.client, connection.server, "question");
	say(connection.server, connection.client, "answer");
	say(connection.client, connection.server, "thanks"); /* acknowledges the answer, too */
	look(&connection);
	return connection;
}

static void close_connection(const struct connection *connection)
{
	close(connection->client);
	close(connection->server);
	close(connection->pidfd);
}

static int shut(const struct connection *connection)
{
	return shut_remote(connection->pidfd, connection->server, &connection->target);
}

/* Has `fd` the end of the file to be read, and nothing else? */
static bool has_ended(int fd, int wait_ms)
{
	struct pollfd event = { .fd = fd, .events = POLLIN };
	char byte;

	return poll(&event, 1, wait_ms) == 1 && !recv(fd, &byte, 1, MSG_PEEK);
}

static void test_both_ends_see_the_end(void **state)
{
	struct connection connection = open_connection();

	(void)state;
	assert_int_equal(shut(&connection), 1);
	assert_true(has_ended(connection.server, 0));
	assert_true(has_ended(connection.client, PATIENCE_MS));
	assert_int_equal(shut(&connection), 0);
	close_connection(&connection);
}

static void request_comes(struct connection *connection)
{
	struct pollfd event = { .fd = connection->server, .events = POLLIN };

	assert_int_equal(send(connection->client, "request", 7, 0), 7);
	assert_int_equal(poll(&event, 1, PATIENCE_MS), 1);
}

static void request_is_read(struct connection *connection)
{
	say(connection->client, connection->server, "request");
}

static void answer_is_sent(struct connection *connection)
{
	say(connection->server, connection->client, "answer");
}

static void client_leaves(struct connection *connection)
{
	assert_int_equal(shutdown(connection->client, SHUT_WR), 0);
	assert_true(has_ended(connection->server, PATIENCE_MS));
}

static void descriptor_becomes_another_socket(struct connection *connection)
{
	const struct connection other = open_connection();

	assert_true(dup3(other.server, connection->server, O_CLOEXEC) >= 0);
	close_connection(&other);
}

static void descriptor_becomes_a_file(struct connection *connection)
{
	assert_true(dup3(connection->pidfd, connection->server, O_CLOEXEC) >= 0);
}

static void descriptor_is_closed(struct connection *connection)
{
	close(connection->server);
}

static void process_ends(struct connection *connection)
{
	pid_t child = fork();

	if (!child)
		_exit(0);
	close(connection->pidfd);
	connection->pidfd = pidfd_open(child, 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static const struct {
	const char *name;
	void (*happens)(struct connection *connection);
} changes[] = {
	{ "a request comes", request_comes },
	{ "a request comes and is read", request_is_read },
	{ "an answer is sent", answer_is_sent },
	{ "the client leaves", client_leaves },
	{ "the descriptor becomes another socket", descriptor_becomes_another_socket },
	{ "the descriptor becomes a file", descriptor_becomes_a_file },
	{ "the descriptor is closed", descriptor_is_closed },
	{ "the process ends", process_ends },
};

static void test_what_has_changed_is_left_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(changes); i++) {
		struct connection connection = open_connection();

		changes[i].happens(&connection);
		assert_row(shut(&connection) == 0, changes[i].name);
		assert_row(changes[i].happens == descriptor_is_closed ||
				   changes[i].happens == descriptor_becomes_another_socket ||
				   changes[i].happens == descriptor_becomes_a_file ||
				   !has_ended(connection.client, 0),
			   changes[i].name);
		close_connection(&connection);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ends_see_the_end),
		cmocka_unit_test(test_what_has_changed_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
