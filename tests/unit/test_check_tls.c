/* SPDX-License-Identifier: GPL-2.0-only */
/* HTTPS checks against openssl's own server: whom they trust, and what they say of others. */
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/little_server.h"
#include "lib/probing.h"
#include "lib/scratch.h"
#include "lib/test.h"

#define PATIENT 10000

/* Certificates in the current directory; -days -1 is not to be had in every version. */
static const char make_certificates[] =
	"set -e; exec 2>openssl.log\n"
	"key='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'\n"
	"authority() { openssl req -x509 $key -keyout $1.key -out $1.pem -subj /CN=$1 -days 2; }\n"
	"sign() { openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial "
	"-extfile names \"$@\"; }\n"
	"authority ca; authority other; authority client\n"
	"openssl req -new $key -keyout server.key -out server.csr -subj /CN=web.test\n"
	"echo 'subjectAltName=DNS:web.test,IP:127.0.0.1' >names\n"
	"sign -days 2 -out good.pem\n"
	"sign -days -1 -out expired.pem || sign -not_before 20200101000000Z "
	"-not_after 20200102000000Z -out expired.pem\n";

struct tls_server {
	pid_t pid;
	int output;
	char address[64];
};

static int setup(void **state)
{
	if (scratch_make(state) || chdir(*state))
		return -1;
	return 0;
}

static int teardown(void **state)
{
	return chdir("/") || scratch_remove(state);
}

static bool have_openssl(void)
{
	if (system("command -v openssl >/dev/null"))
		return false;
	if (system(make_certificates))
		errx(99, "openssl makes no certificates");
	return true;
}

/* openssl says "ACCEPT 127.0.0.1:PORT" when it listens. */
static void read_address(struct tls_server *server)
{
	char text[1024] = "", *found;
	size_t length = 0;
	ssize_t got;

	while (!(found = strstr(text, "ACCEPT ")) || !strchr(found, '\n')) {
		got = read(server->output, text + length, sizeof(text) - 1 - length);
		if (got <= 0)
			errx(99, "openssl s_server does not listen: %s", text);
		length += (size_t)got;
	}
	sscanf(found, "ACCEPT %63s", server->address);
}

static struct tls_server serve(const char *certificate, bool ask_for_client)
{
	const char *words[] = { "openssl",    "s_server", "-accept",   "127.0.0.1:0",
				"-www",	      "-cert",	  certificate, "-key",
				"server.key", "-naccept", "10",	       NULL,
				NULL,	      NULL,	  NULL,	       NULL };
	struct tls_server server = {};
	pid_t parent = getpid();
	int ends[2];

	if (ask_for_client) {
		words[11] = "-Verify";
		words[12] = "1";
		words[13] = "-CAfile";
		words[14] = "client.pem";
	}
	if (pipe2(ends, O_CLOEXEC))
		err(99, "pipe");
	server.pid = fork();
	if (!server.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(99);
		dup2(ends[1], STDOUT_FILENO);
		dup2(open("openssl.log", O_WRONLY | O_CREAT | O_APPEND, 0600), STDERR_FILENO);
		execvp(words[0], (char *const *)words);
		_exit(127);
	}
	close(ends[1]);
	server.output = ends[0];
	read_address(&server);
	return server;
}

static void stop(const struct tls_server *server)
{
	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
	close(server->output);
}

struct expectation {
	const char *name, *certificate;
	const char *error; /* part of it; "" when the check is good */
	/* of the check */
	const char *ca, *host, *server_name, *client;
	bool insecure;
	bool asks; /* the server, for the client's certificate */
};

static const struct expectation rows[] = {
	{ "by address", "good.pem", "", "ca.pem" },
	{ "by host", "good.pem", "", "ca.pem", "web.test" },
	{ "by host with a port", "good.pem", "", "ca.pem", "web.test:443" },
	{ "by server name", "good.pem", "", "ca.pem", "other.test", "web.test" },
	{ "insecure", "expired.pem", "", NULL, "wrong.test", .insecure = true },
	{ "with a client's certificate", "good.pem", "", "ca.pem", .client = "client",
	  .asks = true },
	{ "expired", "expired.pem", "certificate has expired", "ca.pem" },
	{ "wrong name", "good.pem", "wrong.test", "ca.pem", "wrong.test" },
	{ "unknown authority", "good.pem", "unable to get local issuer certificate", "other.pem" },
	{ "the system's authorities", "good.pem", "certificate", NULL },
	{ "without a client's certificate", "good.pem", "certificate required", "ca.pem",
	  .asks = true },
	{ "no such file", "good.pem", "none.pem", "none.pem" },
};

static struct check https_check(void)
{
	struct check check;

	check_init(&check);
	check.kind = CHECK_HTTPS;
	check.timeout_ms = PATIENT;
	return check;
}

static void check_row(const struct expectation *row)
{
	struct tls_server server = serve(row->certificate, row->asks);
	struct check check = https_check();
	struct check_result result;

	check.host = (char *)row->host;
	check.tls.ca = (char *)row->ca;
	check.tls.server_name = (char *)row->server_name;
	check.tls.insecure = row->insecure;
	if (row->client) {
		check.tls.certificate = "client.pem";
		check.tls.key = "client.key";
	}
	result = probing_once(&check, server.address);
	stop(&server);
	if (!strstr(result.error, row->error) || result.ok != !*row->error)
		fail_msg("%s: '%s', not '%s'", row->name, result.error, row->error);
	assert_row(result.status == (result.ok ? 200 : 0), row->name);
	assert_contains(result.sent, server.address);
}

static void test_only_the_right_certificate_will_do(void **state)
{
	(void)state;
	if (!have_openssl()) {
		print_message("skipped: the command openssl is missing\n");
		skip();
	}
	for (size_t i = 0; i < ROWS(rows); i++)
		check_row(&rows[i]);
}

static void test_a_server_without_tls_is_found_out(void **state)
{
	static const char answer[] = "HTTP/1.1 400 no TLS\r\n\r\n";
	struct check check = https_check();
	struct little_server server;
	struct check_result result;

	(void)state;
	little_start(&server, "127.0.0.1", LITTLE_DEAF, answer, strlen(answer));
	check.timeout_ms = 300;
	result = probing_once(&check, server.address);
	little_stop(&server);
	assert_contains(result.error, "no TLS handshake within 300ms (connected)");
	assert_false(result.ok);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_only_the_right_certificate_will_do, setup,
						teardown),
		cmocka_unit_test(test_a_server_without_tls_is_found_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
