/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading lines, and following them over rotation. Readers take no lock, which
 * they may not even open; what they rely on: a file that has been renamed is
 * never written again, and a file that is held open keeps its inode number.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "record/directory.h"
#include "record/records.h"

#define NEXT_READ "run it as root or as a member of the file's group"
#define OPEN_TRIES 100 /* rotations between two open(), which never comes twice in a row */

struct reader {
	char current[PATH_MAX], before[PATH_MAX]; /* NAME, NAME.1 */
	int fd; /* the file that is read, -1: none yet */
	char line[RECORDS_MAX_LINE]; /* begun */
	size_t length;
	bool overlong; /* the line that is being read is skipped to its end */
	records_visit *visit;
	void *data;
	struct failure *failure;
};

static struct reader *reader_new(const char *directory, const char *name, records_visit *visit,
				 void *data, struct failure *failure)
{
	struct reader *reader = calloc(1, sizeof(*reader));

	if (!reader) {
		failure_set(failure, EXIT_SYSTEM, "free some", "out of memory");
		return NULL;
	}
	snprintf(reader->current, sizeof(reader->current), "%s/%s", directory, name);
	snprintf(reader->before, sizeof(reader->before), "%s/%s.1", directory, name);
	reader->fd = -1;
	reader->visit = visit;
	reader->data = data;
	reader->failure = failure;
	return reader;
}

static void reader_free(struct reader *reader)
{
	if (reader->fd >= 0)
		close(reader->fd);
	free(reader);
}

/* The end of a line, or of a file: a line that a crash tore is no JSON and not visited. */
static int end_line(struct reader *reader)
{
	json_t *line = reader->overlong
			       ? NULL
			       : json_loadb(reader->line, reader->length, JSON_DECODE_ANY, NULL);
	int err = json_is_object(line) ? reader->visit(line, reader->data) : 0;

	json_decref(line);
	reader->length = 0;
	reader->overlong = false;
	return err;
}

static int take_bytes(struct reader *reader, const char *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (bytes[i] == '\n') {
			int err = end_line(reader);

			if (err)
				return err;
		} else if (reader->length < sizeof(reader->line)) {
			reader->line[reader->length++] = bytes[i];
		} else {
			reader->overlong = true;
		}
	}
	return 0;
}

/* Up to where the file ends now. */
static int read_on(struct reader *reader)
{
	char bytes[16384];
	ssize_t count;

	while (reader->fd >= 0) {
		int err;

		count = read(reader->fd, bytes, sizeof(bytes));
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return failure_errno(reader->failure, errno, NEXT_READ, "cannot read %s",
					     reader->current);
		if (!count)
			return 0;
		err = take_bytes(reader, bytes, count);
		if (err)
			return err;
	}
	return 0;
}

/* A descriptor, -1 where there is no file, or -2 with `failure` set. */
static int open_one(const struct reader *reader, const char *path, struct stat *st)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int err = fd < 0 || fstat(fd, st) ? errno : 0;

	if (!err && !S_ISREG(st->st_mode))
		err = EINVAL;
	if (!err)
		return fd;
	if (fd >= 0)
		close(fd);
	if (err == ENOENT)
		return -1;
	failure_errno(reader->failure, err, NEXT_READ, "cannot read %s", path);
	return -2;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

/* Both files as they stand between two rotations; 0 or -1. */
static int open_both(const struct reader *reader, int fds[2], struct stat stats[2])
{
	for (int i = 0; i < OPEN_TRIES; i++) {
		struct stat again;

		fds[1] = open_one(reader, reader->current, &stats[1]);
		if (fds[1] == -2)
			return -1;
		fds[0] = open_one(reader, reader->before, &stats[0]);
		if (fds[0] != -2 &&
		    (fds[1] < 0 ? access(reader->current, F_OK)
				: !stat(reader->current, &again) && same_file(&again, &stats[1])))
			return 0;
		for (int k = 0; k < 2; k++) {
			if (fds[k] >= 0)
				close(fds[k]);
		}
		if (fds[0] == -2)
			return -1;
	}
	return failure_set(reader->failure, EXIT_SYSTEM, "try again",
			   "%s is replaced faster than it can be read", reader->current);
}

/* Goes over to `fd`; what is left of a line in the file before it ends there. */
static int change_to(struct reader *reader, int fd)
{
	int err = end_line(reader);

	if (reader->fd >= 0)
		close(reader->fd);
	reader->fd = fd;
	return err ? err : read_on(reader);
}

/*
 * Reads what came since, in whichever files it is. A file that was rotated away
 * is read to its end first: it may have grown until then.
 */
static int catch_up(struct reader *reader)
{
	struct stat stats[2], mine = {};
	bool have = reader->fd >= 0;
	int fds[2], err;

	if (have && fstat(reader->fd, &mine))
		return failure_errno(reader->failure, errno, NEXT_READ, "cannot stat %s",
				     reader->current);
	if (open_both(reader, fds, stats))
		return -1;
	err = read_on(reader);
	if (fds[0] >= 0 && have &&
	    (same_file(&mine, &stats[0]) || (fds[1] >= 0 && same_file(&mine, &stats[1])))) {
		close(fds[0]); /* read already */
		fds[0] = -1;
	}
	if (fds[1] >= 0 && have && same_file(&mine, &stats[1])) {
		close(fds[1]);
		fds[1] = -1;
	}
	for (int i = 0; i < 2; i++) {
		if (fds[i] < 0)
			continue;
		if (err)
			close(fds[i]);
		else
			err = change_to(reader, fds[i]);
	}
	return err;
}

int records_read(const char *directory, const char *name, records_visit *visit, void *data,
		 struct failure *failure)
{
	struct reader *reader = reader_new(directory, name, visit, data, failure);
	int err;

	if (!reader)
		return -1;
	err = catch_up(reader);
	if (!err)
		err = end_line(reader);
	reader_free(reader);
	return err;
}

static int watch(const char *directory, struct failure *failure)
{
	int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (fd < 0)
		return failure_errno(failure, errno, "raise fs.inotify.max_user_instances",
				     "cannot watch %s", directory);
	/* The directory: it sees writing, renaming and new files alike. */
	if (inotify_add_watch(fd, directory,
			      IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_ONLYDIR) <
	    0) {
		failure_errno(failure, errno,
			      errno == ENOENT ? "start the agent, or see --state-dir"
					      : DIRECTORY_NEXT,
			      "cannot watch %s", directory);
		close(fd);
		return -1;
	}
	return fd;
}

/* Waits for a change; 1: to be stopped, -1: there is nothing to follow any more. */
static int wait_for_change(int inotify, int stop_fd, const char *directory, struct failure *failure)
{
	_Alignas(struct inotify_event) char events[4096];
	struct pollfd fds[] = { { .fd = inotify, .events = POLLIN },
				{ .fd = stop_fd, .events = POLLIN } };
	ssize_t length;

	while (poll(fds, 2, -1) < 0) {
		if (errno != EINTR)
			return failure_errno(failure, errno, "try again", "cannot wait");
	}
	if (fds[1].revents)
		return 1;
	while ((length = read(inotify, events, sizeof(events))) > 0) {
		for (ssize_t at = 0; at < length;) {
			const struct inotify_event *event = (const void *)(events + at);

			if (event->mask & IN_IGNORED)
				return failure_set(failure, EXIT_SYSTEM,
						   "start the agent and try again",
						   "%s was removed", directory);
			at += (ssize_t)(sizeof(*event) + event->len);
		}
	}
	return 0;
}

int records_follow(const char *directory, const char *name, int stop_fd, records_visit *visit,
		   void *data, struct failure *failure)
{
	struct reader *reader = reader_new(directory, name, visit, data, failure);
	int inotify = reader ? watch(directory, failure) : -1, err = inotify < 0 ? -1 : 0;

	if (!err)
		err = catch_up(reader);
	if (!err)
		err = visit(NULL, data);
	while (!err) {
		int stop = wait_for_change(inotify, stop_fd, directory, failure);

		if (stop > 0)
			break;
		err = stop < 0 ? -1 : catch_up(reader);
	}
	if (inotify >= 0)
		close(inotify);
	if (reader)
		reader_free(reader);
	return err;
}
