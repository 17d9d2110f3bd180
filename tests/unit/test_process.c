/* SPDX-License-Identifier: GPL-2.0-only */
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/test.h"
#include "process.h"

static unsigned long long inode(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

static void test_holders_of_sockets_are_found_by_inode(void **state)
{
	struct socket_owner owners[4] = {};
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	owners[1].inode = inode(pair[0]);
	owners[2].inode = inode(pair[1]);
	owners[3].inode = owners[2].inode;
	process_find_owners(owners, ROWS(owners));
	assert_int_equal(owners[0].pid, 0);
	for (size_t i = 1; i < ROWS(owners); i++) {
		assert_int_equal(owners[i].pid, getpid());
		assert_string_equal(owners[i].comm, "test_process");
	}
	close(pair[0]);
	close(pair[1]);
}

static void test_socket_that_is_gone_has_no_holder(void **state)
{
	struct socket_owner owner = {};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	owner.inode = inode(fd);
	close(fd);
	process_find_owners(&owner, 1);
	assert_int_equal(owner.pid, 0);
	assert_string_equal(owner.comm, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_holders_of_sockets_are_found_by_inode),
		cmocka_unit_test(test_socket_that_is_gone_has_no_holder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
