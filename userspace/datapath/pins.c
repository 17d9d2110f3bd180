/* SPDX-License-Identifier: GPL-2.0-only */
#include "datapath/pins.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

/* What pin_put() writes before it renames. bpffs allows no dots in names. */
#define NEW_SUFFIX "~new"

static const char *const names[PIN_COUNT] = {
	[PIN_SETTINGS] = "settings",
	[PIN_INTERFACES] = "interfaces",
	[PIN_LISTEN] = "listen",
	[PIN_PORTS] = "ports",
	[PIN_SIBLINGS] = "siblings",
	[PIN_SERVICES] = "services",
	[PIN_INSTANCES] = "instances",
	[PIN_BACKENDS] = "backends",
	[PIN_SOCKETS] = "sockets",
	[PIN_ROTATION] = "rotation",
	[PIN_COUNTERS] = "counters",
	[PIN_PREVIEW] = "preview",
	[PIN_PREFIXES] = "prefixes",
	[PIN_TAGS] = "tags",
	[PIN_CONNECTIONS] = "connections",
	[PIN_PROBES] = "probes",
	[PIN_COOKIES] = "cookies",
	/* what runs or is attached */
	[PIN_FLIP] = "flip",
	[PIN_QUEUE] = "queue",
	[PIN_ADOPT] = "adopt",
	[PIN_WALK] = "walk",
	[PIN_REGISTER] = "register_link",
	[PIN_STEER] = "steer_link",
};

const char *pin_name(enum pin pin)
{
	return names[pin];
}

static void pin_path(char path[PATH_MAX], const char *dir, enum pin pin, const char *suffix)
{
	snprintf(path, PATH_MAX, "%s/%s%s", dir, names[pin], suffix);
}

int pin_open(const char *dir, enum pin pin)
{
	char path[PATH_MAX];
	int fd;

	pin_path(path, dir, pin, "");
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

int pin_put(const char *dir, enum pin pin, int fd)
{
	char path[PATH_MAX], fresh[PATH_MAX];

	pin_path(path, dir, pin, "");
	pin_path(fresh, dir, pin, NEW_SUFFIX);
	unlink(fresh); /* of a command that was killed here */
	if (bpf_obj_pin(fd, fresh))
		return -errno;
	return rename(fresh, path) ? -errno : 0;
}

static int remove_path(const char *dir, enum pin pin, const char *suffix)
{
	char path[PATH_MAX];

	pin_path(path, dir, pin, suffix);
	return unlink(path) && errno != ENOENT ? -errno : 0;
}

int pin_remove(const char *dir, enum pin pin)
{
	int err = remove_path(dir, pin, NEW_SUFFIX);

	return err ? err : remove_path(dir, pin, "");
}

int pins_remove_all(const char *dir, struct failure *failure)
{
	/* Links from the last one down, then the program, then the maps from the first one up. */
	enum pin order[PIN_COUNT];
	size_t next = 0;

	for (enum pin pin = PIN_COUNT; pin-- > PIN_MAPS;)
		order[next++] = pin;
	for (enum pin pin = 0; pin < PIN_MAPS; pin++)
		order[next++] = pin;
	for (size_t i = 0; i < PIN_COUNT; i++) {
		int err = pin_remove(dir, order[i]);

		if (err)
			return failure_errno(failure, -err, "remount it writable and try again",
					     "cannot remove %s/%s", dir, names[order[i]]);
	}
	if (rmdir(dir) && errno != ENOENT && errno != ENOTEMPTY)
		return failure_errno(failure, errno, "remove it by hand", "cannot remove %s", dir);
	return 0;
}

static bool is_ours(const char *name)
{
	size_t length = strcspn(name, "~");

	if (name[length] && strcmp(name + length, NEW_SUFFIX))
		return false;
	for (enum pin pin = 0; pin < PIN_COUNT; pin++) {
		if (strlen(names[pin]) == length && !strncmp(names[pin], name, length))
			return true;
	}
	return false;
}

int pins_check_foreign(const char *path, struct failure *failure)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	int err = 0;

	if (!dir)
		return errno == ENOENT ? 0
				       : failure_errno(failure, errno, "run it as root",
						       "cannot read %s", path);
	while (!err && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || is_ours(entry->d_name))
			continue;
		err = failure_set(failure, EXIT_SYSTEM,
				  "move it away, or keep bgswitch elsewhere with --bpffs",
				  "%s/%s is not a pin of bgswitch", path, entry->d_name);
	}
	closedir(dir);
	return err;
}
