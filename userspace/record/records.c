/* SPDX-License-Identifier: GPL-2.0-only */
/* Writing: see records_read.c for the other side. */
#include "record/records.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "record/directory.h"

#define NEXT "see the space and the owner there, or name another with --state-dir"

struct target_file {
	const char *directory, *name;
	int fd; /* of the directory */
	struct failure *failure;
};

static int fail(const struct target_file *at, const char *verb)
{
	return failure_errno(at->failure, errno, NEXT, "cannot %s %s/%s", verb, at->directory,
			     at->name);
}

/* A file of its own: whoever may read the records could keep writers out by locking those. */
static int take_lock(const struct target_file *at)
{
	char name[NAME_MAX + 1];
	int fd;

	snprintf(name, sizeof(name), "%s.lock", at->name);
	fd = openat(at->fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return fail(at, "open the lock of");
	while (flock(fd, LOCK_EX)) {
		if (errno == EINTR)
			continue;
		fail(at, "lock");
		close(fd);
		return -1;
	}
	return fd;
}

/* `like`: the file before it, if there was one. */
static int make_file(const struct target_file *at, const struct stat *like)
{
	int fd = openat(at->fd, at->name,
			O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return fail(at, "make");
	if ((like && fchown(fd, (uid_t)-1, like->st_gid) && errno != EPERM) ||
	    fchmod(fd, like ? like->st_mode & 0777 : 0640)) {
		fail(at, "set the mode of");
		close(fd);
		return -1;
	}
	return fd;
}

static int rotate(const struct target_file *at, const struct stat *st)
{
	char before[NAME_MAX + 1];

	snprintf(before, sizeof(before), "%s.1", at->name);
	if (renameat(at->fd, at->name, at->fd, before))
		return fail(at, "rename");
	return make_file(at, st);
}

/* The file to append to, with room for `length` bytes more; `st` tells its size. */
static int open_file(const struct target_file *at, size_t length, struct stat *st)
{
	int fd = openat(at->fd, at->name, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);

	*st = (struct stat){};
	if (fd < 0)
		return errno == ENOENT ? make_file(at, NULL) : fail(at, "open");
	if (fstat(fd, st)) {
		fail(at, "stat");
		close(fd);
		return -1;
	}
	if (!st->st_size || (size_t)st->st_size + length <= RECORDS_MAX_SIZE)
		return fd;
	close(fd);
	fd = rotate(at, st);
	st->st_size = 0;
	return fd;
}

/* Does the file end in the middle of a line, which a crash or a full disk tore? */
static bool is_torn(int fd, const struct stat *st)
{
	char last;

	return st->st_size && pread(fd, &last, 1, st->st_size - 1) == 1 && last != '\n';
}

/* `text` begins with a line break, for the case that one is missing before it. */
static int write_line(const struct target_file *at, const char *text, size_t length)
{
	struct stat st;
	int fd = open_file(at, length, &st);
	ssize_t written;

	if (fd < 0)
		return -1;
	if (!is_torn(fd, &st)) {
		text++;
		length--;
	}
	do {
		written = write(fd, text, length);
	} while (written < 0 && errno == EINTR);
	if (written >= 0 && (size_t)written < length)
		errno = ENOSPC; /* the next writer starts a new line */
	if (written < 0 || (size_t)written < length)
		fail(at, "write");
	close(fd);
	return written < 0 || (size_t)written < length ? -1 : 0;
}

static int append_text(const struct target_file *at, const char *text, size_t length)
{
	int lock = take_lock(at), err;

	if (lock < 0)
		return -1;
	err = write_line(at, text, length);
	close(lock);
	return err;
}

int records_append(const char *directory, const char *name, const json_t *line,
		   struct failure *failure)
{
	struct target_file at = { .directory = directory, .name = name, .failure = failure };
	char *dump = json_dumps(line, JSON_COMPACT), *text = NULL;
	int length = dump ? asprintf(&text, "\n%s\n", dump) : -1, err = -1;

	free(dump);
	if (length < 0)
		return failure_set(failure, EXIT_SYSTEM, "free some", "out of memory");
	at.fd = directory_open(directory, failure);
	if (length - 1 > RECORDS_MAX_LINE)
		failure_set(failure, EXIT_SYSTEM, "say it in fewer words",
			    "%s/%s: a line of %d bytes is too long", directory, name, length - 1);
	else if (at.fd >= 0)
		err = append_text(&at, text, length);
	if (at.fd >= 0)
		close(at.fd);
	free(text);
	return err;
}

/* The file to append to, made if it is missing; at->fd is to be closed in any case. */
static int open_current(struct target_file *at)
{
	int lock = -1, fd = -1;
	struct stat st;

	at->fd = directory_open(at->directory, at->failure);
	if (at->fd >= 0)
		lock = take_lock(at);
	if (lock >= 0) {
		fd = open_file(at, 0, &st);
		close(lock);
	}
	return fd;
}

int records_check(const char *directory, const char *name, struct failure *failure)
{
	struct target_file at = { .directory = directory, .name = name, .failure = failure };
	int fd = open_current(&at);

	if (fd >= 0)
		close(fd);
	if (at.fd >= 0)
		close(at.fd);
	return fd < 0 ? -1 : 0;
}

int records_share(const char *directory, const char *name, gid_t group, struct failure *failure)
{
	struct target_file at = { .directory = directory, .name = name, .failure = failure };
	int fd = open_current(&at), err = fd < 0 ? -1 : 0;
	char before[NAME_MAX + 1];

	snprintf(before, sizeof(before), "%s.1", name);
	if (fd >= 0 &&
	    (fchown(fd, (uid_t)-1, group) ||
	     (fchownat(at.fd, before, (uid_t)-1, group, AT_SYMLINK_NOFOLLOW) && errno != ENOENT)))
		err = fail(&at, "set the group of");
	if (fd >= 0)
		close(fd);
	if (at.fd >= 0)
		close(at.fd);
	return err;
}
