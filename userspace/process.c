/* SPDX-License-Identifier: GPL-2.0-only */
#include "process.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

/* Namespaces looked into at the most; a host with more is not helped by a longer list. */
#define MAX_NAMESPACES 256

static pid_t next_process(DIR *proc)
{
	const struct dirent *entry;

	while ((entry = readdir(proc))) {
		if (isdigit((unsigned char)entry->d_name[0]))
			return (pid_t)atoi(entry->d_name);
	}
	return 0;
}

static void read_comm(pid_t pid, char *comm, size_t size)
{
	char path[64];
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	length = read(fd, comm, size - 1);
	close(fd);
	comm[length > 0 ? length : 0] = '\0';
	comm[strcspn(comm, "\n")] = '\0';
}

/* The inode in "socket:[123]", or 0. */
static unsigned long long socket_inode(int dir, const char *name)
{
	unsigned long long inode;
	char target[64];
	ssize_t length = readlinkat(dir, name, target, sizeof(target) - 1);

	if (length < 0)
		return 0;
	target[length] = '\0';
	return sscanf(target, "socket:[%llu]", &inode) == 1 ? inode : 0;
}

/* The owners that are looked for, sorted by inode; several may ask for the same one. */
struct wanted {
	struct socket_owner **owners;
	size_t count, missing;
};

static int by_inode(const void *left, const void *right)
{
	const struct socket_owner *const *a = left, *const *b = right;

	return ((*a)->inode > (*b)->inode) - ((*a)->inode < (*b)->inode);
}

/* The first owner whose inode is not smaller. */
static size_t lower_bound(const struct wanted *wanted, unsigned long long inode)
{
	size_t low = 0, high = wanted->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (wanted->owners[middle]->inode < inode)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* 1: all are found. */
static int found(pid_t pid, int fd, unsigned long long inode, void *data)
{
	struct wanted *wanted = data;

	(void)fd;
	for (size_t i = lower_bound(wanted, inode);
	     i < wanted->count && wanted->owners[i]->inode == inode; i++) {
		struct socket_owner *owner = wanted->owners[i];

		if (owner->pid)
			break; /* by a process that shares the socket */
		owner->pid = pid;
		read_comm(pid, owner->comm, sizeof(owner->comm));
		wanted->missing--;
	}
	return !wanted->missing;
}

static int each_socket_of(pid_t pid,
			  int (*visit)(pid_t pid, int fd, unsigned long long inode, void *data),
			  void *data)
{
	const struct dirent *entry;
	char path[64];
	int err = 0;
	DIR *fds;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	fds = opendir(path);
	if (!fds)
		return 0;
	while (!err && (entry = readdir(fds))) {
		unsigned long long inode = socket_inode(dirfd(fds), entry->d_name);

		if (inode)
			err = visit(pid, atoi(entry->d_name), inode, data);
	}
	closedir(fds);
	return err;
}

int process_each_socket(int (*visit)(pid_t pid, int fd, unsigned long long inode, void *data),
			void *data)
{
	DIR *proc = opendir("/proc");
	int err = 0;
	pid_t pid;

	if (!proc)
		return -errno;
	while (!err && (pid = next_process(proc)))
		err = each_socket_of(pid, visit, data);
	closedir(proc);
	return err;
}

bool process_may_trace(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	return !syscall(SYS_capget, &header, sets) && sets[0].effective & 1U << CAP_SYS_PTRACE;
}

pid_t process_parent(pid_t pid)
{
	char path[64], line[512];
	const char *end;
	ssize_t length;
	int parent, fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	length = read(fd, line, sizeof(line) - 1);
	close(fd);
	line[length > 0 ? length : 0] = '\0';
	end = strrchr(line, ')'); /* of the name, which may hold anything */
	return end && sscanf(end, ") %*c %d", &parent) == 1 ? parent : 0;
}

void process_find_owners(struct socket_owner *owners, size_t count)
{
	struct wanted wanted = { .owners = calloc(count + 1, sizeof(*wanted.owners)) };

	for (size_t i = 0; i < count && wanted.owners; i++) {
		if (owners[i].inode)
			wanted.owners[wanted.count++] = &owners[i];
	}
	wanted.missing = wanted.count;
	if (wanted.missing) {
		qsort(wanted.owners, wanted.count, sizeof(*wanted.owners), by_inode);
		process_each_socket(found, &wanted);
	}
	free(wanted.owners);
}

struct namespaces {
	ino_t seen[MAX_NAMESPACES];
	size_t count;
};

static bool is_new(struct namespaces *namespaces, ino_t inode)
{
	for (size_t i = 0; i < namespaces->count; i++) {
		if (namespaces->seen[i] == inode)
			return false;
	}
	if (namespaces->count == MAX_NAMESPACES)
		return false;
	namespaces->seen[namespaces->count++] = inode;
	return true;
}

/* Visits the namespace behind `path`, if it is one that was not seen yet. */
static int visit_new(struct namespaces *namespaces, const char *path,
		     int (*visit)(int netns_fd, void *data), void *data)
{
	struct stat st;
	int fd, err;

	if (stat(path, &st) || !is_new(namespaces, st.st_ino))
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	err = visit(fd, data);
	close(fd);
	return err;
}

/* Those with a name need no process in them: a listener may have been handed out. */
static int visit_named(struct namespaces *namespaces, int (*visit)(int netns_fd, void *data),
		       void *data)
{
	DIR *dir = opendir(PROCESS_NETNS_DIR);
	const struct dirent *entry;
	char path[PATH_MAX];
	int err = 0;

	if (!dir)
		return 0;
	while (!err && (entry = readdir(dir))) {
		if (*entry->d_name == '.')
			continue;
		snprintf(path, sizeof(path), PROCESS_NETNS_DIR "/%s", entry->d_name);
		err = visit_new(namespaces, path, visit, data);
	}
	closedir(dir);
	return err;
}

int process_each_netns(int (*visit)(int netns_fd, void *data), void *data)
{
	struct namespaces namespaces = {};
	DIR *proc = opendir("/proc");
	char path[64];
	struct stat st;
	int err = 0;
	pid_t pid;

	if (!proc)
		return -errno;
	if (!stat("/proc/self/ns/net", &st))
		is_new(&namespaces, st.st_ino);
	while (!err && (pid = next_process(proc))) {
		snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
		err = visit_new(&namespaces, path, visit, data);
	}
	closedir(proc);
	return err ? err : visit_named(&namespaces, visit, data);
}
