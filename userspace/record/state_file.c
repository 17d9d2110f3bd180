/* SPDX-License-Identifier: GPL-2.0-only */
#include "record/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "datapath/place.h"
#include "record/directory.h"

#define NEXT_WRITE "see the space and the owner there, or name another with --state-dir"
#define BOOT_ID 37

/* A number of the kernel's own, made anew at each boot; empty where /proc is not mounted. */
static const char *read_boot_id(char id[BOOT_ID])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, id, BOOT_ID - 1);

	id[length > 0 ? length : 0] = '\0';
	if (fd >= 0)
		close(fd);
	return id;
}

bool state_file_is_of_this_boot(const json_t *root)
{
	const char *written = json_string_value(json_object_get(root, "boot_id"));
	char now[BOOT_ID];

	return written && *read_boot_id(now) && !strcmp(written, now);
}

/* Cookies start anew with each boot; 0 stands for a kernel without them. */
static bool is_of_another_netns(const json_t *root)
{
	json_int_t written = json_integer_value(json_object_get(root, "netns_cookie"));
	json_int_t now = (json_int_t)place_netns_cookie();

	return state_file_is_of_this_boot(root) && written && now && written != now;
}

static int set_aside(const char *path, const char *why, char **warning, struct failure *failure)
{
	char *aside = NULL;

	if (asprintf(&aside, "%s.damaged", path) < 0)
		return failure_set(failure, EXIT_SYSTEM, "free some", "out of memory");
	if (rename(path, aside))
		failure_errno(failure, errno, NEXT_WRITE, "%s is damaged and cannot be set aside",
			      path);
	else if (asprintf(warning,
			  "%s is damaged (%s) and was set aside as %s; going on without it", path,
			  why, aside) < 0)
		failure_set(failure, EXIT_SYSTEM, "free some", "out of memory");
	else
		why = NULL;
	free(aside);
	return why ? -1 : 0;
}

/* Reads all of it; NULL with `error` 0 if there is no file. */
static char *read_text(const char *path, size_t *length, int *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char *text = NULL;
	struct stat st;
	ssize_t count = 0;

	*error = fd < 0 && errno != ENOENT ? errno : 0;
	if (fd < 0)
		return NULL;
	if (fstat(fd, &st))
		*error = errno;
	else if (!S_ISREG(st.st_mode) || st.st_size > STATE_MAX_SIZE)
		*error = S_ISREG(st.st_mode) ? EFBIG : EINVAL;
	else if (!(text = malloc(st.st_size + 1)))
		*error = ENOMEM;
	for (*length = 0; text && *length < (size_t)st.st_size; *length += count) {
		count = read(fd, text + *length, st.st_size - *length);
		if (count < 0)
			*error = errno;
		if (count <= 0)
			break;
	}
	close(fd);
	if (*error) {
		free(text);
		return NULL;
	}
	return text;
}

static int check_format(const json_t *root, const char *path, struct failure *failure)
{
	json_int_t format = json_integer_value(json_object_get(root, "format"));

	if (format <= STATE_FORMAT)
		return 0;
	return failure_set(failure, EXIT_SYSTEM,
			   "use the bgswitch that wrote it, or move the file away",
			   "%s has format %lld, and this bgswitch reads up to %d", path,
			   (long long)format, STATE_FORMAT);
}

/* Why it cannot be used; NULL: it can. */
static const char *find_damage(const json_t *root, const json_error_t *error,
			       bool (*is_whole)(const json_t *root),
			       char why[JSON_ERROR_TEXT_LENGTH])
{
	if (!root) {
		snprintf(why, JSON_ERROR_TEXT_LENGTH, "line %d: %.100s", error->line, error->text);
		return why;
	}
	if (json_integer_value(json_object_get(root, "format")) < 1)
		return "no format number";
	return is_whole && !is_whole(root) ? "something in it has the wrong type" : NULL;
}

static int parse(json_t **root, const char *path, const char *text, size_t length,
		 bool (*is_whole)(const json_t *root), char **warning, struct failure *failure)
{
	char buffer[JSON_ERROR_TEXT_LENGTH];
	json_error_t error;
	const char *damage;

	*root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
	if (check_format(*root, path, failure))
		goto fail;
	damage = find_damage(*root, &error, is_whole, buffer);
	if (damage && set_aside(path, damage, warning, failure))
		goto fail;
	if (!damage && !is_of_another_netns(*root))
		return 0;
	json_decref(*root);
	*root = json_object();
	return 0;
fail:
	json_decref(*root);
	*root = NULL;
	return -1;
}

int state_file_load(json_t **root, const char *directory, const char *name,
		    bool (*is_whole)(const json_t *root), char **warning, struct failure *failure)
{
	char path[PATH_MAX], *text;
	size_t length;
	int error, err;

	*warning = NULL;
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	text = read_text(path, &length, &error);
	if (error)
		return failure_errno(failure, error, DIRECTORY_NEXT, "cannot read %s", path);
	if (!text) {
		*root = json_object();
		return 0;
	}
	err = parse(root, path, text, length, is_whole, warning, failure);
	free(text);
	return err;
}

static int write_all(int fd, const char *text, size_t length)
{
	while (length) {
		ssize_t written = write(fd, text, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -1;
		text += written;
		length -= written;
	}
	return 0;
}

/* The writer holds the lock, so the temporary file may have one name: a killed one leaves one. */
static int replace(int dir, const char *directory, const char *name, const char *text,
		   struct failure *failure)
{
	char new[NAME_MAX + 1];
	int fd, err = -1;

	snprintf(new, sizeof(new), "%s.new", name);
	fd = openat(dir, new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0 && !fchmod(fd, 0600) && !write_all(fd, text, strlen(text)) && !fsync(fd) &&
	    !renameat(dir, new, dir, name) && !fsync(dir))
		err = 0;
	if (err) {
		failure_errno(failure, errno, NEXT_WRITE, "cannot write %s/%s", directory, name);
		unlinkat(dir, new, 0);
	}
	if (fd >= 0)
		close(fd);
	return err;
}

static int stamp(json_t *root)
{
	char boot_id[BOOT_ID];

	return json_object_set_new(root, "format", json_integer(STATE_FORMAT)) |
	       json_object_set_new(root, "boot_id", json_string(read_boot_id(boot_id))) |
	       json_object_set_new(root, "netns_cookie",
				   json_integer((json_int_t)place_netns_cookie()));
}

int state_file_save(json_t *root, const char *directory, const char *name, struct failure *failure)
{
	char *text = stamp(root) ? NULL : json_dumps(root, JSON_INDENT(1));
	int dir, err = -1;

	if (!text)
		return failure_set(failure, EXIT_SYSTEM, "free some", "out of memory");
	dir = directory_open(directory, failure);
	if (dir >= 0) {
		err = replace(dir, directory, name, text, failure);
		close(dir);
	}
	free(text);
	return err;
}

int state_file_remove(const char *directory, const char *name, struct failure *failure)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	if (unlink(path) && errno != ENOENT && errno != ENOTDIR)
		return failure_errno(failure, errno, NEXT_WRITE, "cannot remove %s", path);
	return 0;
}
