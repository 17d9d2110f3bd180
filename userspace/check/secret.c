/* SPDX-License-Identifier: GPL-2.0-only */
#include "check/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_SIZE 8192 /* of a file, and so of a value */

static int check_file(int fd, const char *path, mode_t forbidden, struct failure *failure)
{
	struct stat st;

	if (fstat(fd, &st))
		return failure_errno(failure, errno, "see the file", "stat %s", path);
	if (!S_ISREG(st.st_mode))
		return failure_set(failure, EXIT_USAGE, "name a file that holds the value",
				   "%s is no regular file", path);
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return failure_set(failure, EXIT_USAGE, "make it root's with chown",
				   "%s belongs to user %u", path, st.st_uid);
	if (st.st_mode & forbidden)
		return failure_set(failure, EXIT_USAGE, "chmod 600 it",
				   "%s can be read or changed by others than its owner (mode %04o)",
				   path, st.st_mode & 07777);
	return 0;
}

/* The whole file, at most MAX_SIZE bytes, into `value` (with its NUL). */
static int read_all(int fd, const char *path, char value[MAX_SIZE + 2], struct failure *failure)
{
	size_t length = 0;
	ssize_t got;

	while ((got = read(fd, value + length, MAX_SIZE + 1 - length)) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return failure_errno(failure, errno, "see the file", "cannot read %s",
					     path);
		length += (size_t)got;
	}
	if (length > MAX_SIZE)
		return failure_set(failure, EXIT_USAGE, "shorten it", "%s is longer than %d bytes",
				   path, MAX_SIZE);
	if (memchr(value, '\0', length))
		return failure_set(failure, EXIT_USAGE, "remove them",
				   "%s has control characters in its value", path);
	if (length && value[length - 1] == '\n')
		length--;
	value[length] = '\0';
	return 0;
}

/* O_NONBLOCK: a pipe in its place must not hold us up. */
static int read_file(const char *path, mode_t forbidden, char **value, struct failure *failure)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int err;

	if (fd < 0 && errno == ELOOP)
		return failure_set(failure, EXIT_USAGE, "name the file itself",
				   "%s is a symbolic link", path);
	if (fd < 0)
		return failure_errno(failure, errno, "see the file", "cannot open %s", path);
	err = check_file(fd, path, forbidden, failure);
	*value = err ? NULL : calloc(1, MAX_SIZE + 2);
	if (!err && !*value)
		err = failure_errno(failure, ENOMEM, "free some memory", "cannot read %s", path);
	if (!err)
		err = read_all(fd, path, *value, failure);
	close(fd);
	return err;
}

/* Who may read credentials is decided by systemd: 0440 is its usual mode. */
static int read_credential(const char *name, char **value, struct failure *failure)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	char path[PATH_MAX];

	if (!*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return failure_set(failure, EXIT_USAGE, "write the name after LoadCredential=",
				   "credential '%s': not a name", name);
	if (!dir)
		return failure_set(failure, EXIT_USAGE,
				   "add LoadCredential= to the unit and start it by systemd",
				   "credential %s: $CREDENTIALS_DIRECTORY is not set", name);
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path))
		return failure_set(failure, EXIT_USAGE, "choose a shorter name",
				   "credential %s: its path is too long", name);
	return read_file(path, S_IWGRP | S_IRWXO, value, failure);
}

static int copy(const char *text, char **value, struct failure *failure)
{
	*value = strdup(text);
	return *value ? 0
		      : failure_errno(failure, ENOMEM, "free some memory", "cannot keep a value");
}

static int read_environment(const char *name, char **value, struct failure *failure)
{
	const char *text = getenv(name);

	if (!text)
		return failure_set(failure, EXIT_USAGE, "set it where bgswitch is started",
				   "environment variable %s is not set", name);
	return copy(text, value, failure);
}

static int read_source(const struct secret *secret, char **value, struct failure *failure)
{
	switch (secret->source) {
	case SECRET_FILE:
		return read_file(secret->text, S_IRWXG | S_IRWXO, value, failure);
	case SECRET_ENVIRONMENT:
		return read_environment(secret->text, value, failure);
	case SECRET_CREDENTIAL:
		return read_credential(secret->text, value, failure);
	case SECRET_LITERAL:
		break;
	}
	return copy(secret->text, value, failure);
}

/* How messages name it: a literal value may be shown no more than a secret one. */
static const char *place(const struct secret *secret)
{
	return secret->source == SECRET_LITERAL ? "the value" : secret->text;
}

static int check_value(const struct secret *secret, const char *value, struct failure *failure)
{
	for (const unsigned char *byte = (const unsigned char *)value; *byte; byte++) {
		if ((*byte < ' ' && *byte != '\t') || *byte == 127)
			return failure_set(failure, EXIT_USAGE, "remove them",
					   "%s has control characters in its value", place(secret));
	}
	return 0;
}

int secret_read(const struct secret *secret, char **value, struct failure *failure)
{
	char *found = NULL;

	*value = NULL;
	if (read_source(secret, &found, failure) || check_value(secret, found, failure)) {
		secret_wipe(found);
		return -1;
	}
	*value = found;
	return 0;
}

void secret_wipe(char *value)
{
	if (value)
		explicit_bzero(value, strlen(value));
	free(value);
}

void secret_free(struct secret *secret)
{
	secret_wipe(secret->text);
	secret->text = NULL;
}
