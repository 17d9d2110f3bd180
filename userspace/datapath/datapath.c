/* SPDX-License-Identifier: GPL-2.0-only */
#include "datapath/datapath.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "bgswitch/maps.h"
#include "datapath/layout.h"

#define NEXT_ANEW "start anew: 'bgswitch detach all', then attach"

void datapath_init(struct datapath *datapath, const struct place *place)
{
	datapath->place = place;
	for (enum pin pin = 0; pin < PIN_COUNT; pin++)
		datapath->fds[pin] = -1;
}

void datapath_close(struct datapath *datapath)
{
	for (enum pin pin = 0; pin < PIN_COUNT; pin++) {
		if (datapath->fds[pin] >= 0)
			close(datapath->fds[pin]);
		datapath->fds[pin] = -1;
	}
}

bool datapath_exists(const struct place *place)
{
	int fd = pin_open(place->pin_dir, PIN_SETTINGS);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* The number goes before everything else: maps of other layouts come, go and differ in size. */
static int check_layout(const char *dir, int fd, struct bgs_settings *settings,
			struct failure *failure)
{
	__u32 zero = 0;

	if (layout_check(dir, PIN_SETTINGS, fd, failure))
		return -1;
	if (bpf_map_lookup_elem(fd, &zero, settings))
		return failure_errno(failure, errno, "run it as root", "cannot read %s/settings",
				     dir);
	if (settings->layout == BGS_LAYOUT)
		return 0;
	return failure_set(failure, EXIT_SYSTEM,
			   "use the bgswitch that made them, or start anew: "
			   "'bgswitch detach all', then attach",
			   "maps in %s have layout %u; this bgswitch knows layout %u", dir,
			   settings->layout, BGS_LAYOUT);
}

static int open_settings(struct datapath *datapath, struct bgs_settings *settings,
			 struct failure *failure)
{
	const char *dir = datapath->place->pin_dir;
	int fd = pin_open(dir, PIN_SETTINGS);

	if (fd == -ENOENT)
		return failure_set(failure, EXIT_SYSTEM, "run 'bgswitch attach IF' first",
				   "not attached (nothing pinned in %s)", dir);
	if (fd < 0)
		return failure_errno(failure, -fd, NEXT_ANEW, "cannot open map %s/%s", dir,
				     pin_name(PIN_SETTINGS));
	datapath->fds[PIN_SETTINGS] = fd;
	return check_layout(dir, fd, settings, failure);
}

static int open_maps(struct datapath *datapath, struct failure *failure)
{
	const char *dir = datapath->place->pin_dir;

	for (enum pin pin = PIN_SETTINGS + 1; pin < PIN_MAPS; pin++) {
		int fd = pin_open(dir, pin);

		if (fd < 0)
			return failure_errno(failure, -fd, NEXT_ANEW, "cannot open map %s/%s", dir,
					     pin_name(pin));
		datapath->fds[pin] = fd;
		if (layout_check(dir, pin, fd, failure))
			return -1;
	}
	return 0;
}

/* Does the pinned link still steer a network namespace? Its inode is 0 once that is gone. */
static bool steers_somewhere(const char *dir)
{
	struct bpf_link_info info = {};
	__u32 size = sizeof(info);
	int fd = pin_open(dir, PIN_STEER);
	bool steers;

	if (fd < 0)
		return false;
	steers = !bpf_obj_get_info_by_fd(fd, &info, &size) && info.netns.netns_ino;
	close(fd);
	return steers;
}

static int refuse_other_netns(const char *dir, struct failure *failure)
{
	if (!steers_somewhere(dir))
		return failure_set(failure, EXIT_SYSTEM, "run 'bgswitch detach all' first",
				   "maps in %s belong to a network namespace that is gone", dir);
	return failure_set(failure, EXIT_SYSTEM,
			   "run it in that namespace, name one with --netns, "
			   "or keep them apart with --bpffs",
			   "maps in %s belong to another network namespace", dir);
}

int datapath_check_owner(const struct place *place, struct failure *failure)
{
	const char *dir = place->pin_dir;
	struct bgs_settings settings = {};
	struct failure unused;
	int fd = pin_open(dir, PIN_SETTINGS);
	bool foreign;

	if (fd < 0)
		return 0;
	foreign = !check_layout(dir, fd, &settings, &unused) &&
		  settings.netns_cookie != place_netns_cookie();
	close(fd);
	return foreign && steers_somewhere(dir) ? refuse_other_netns(dir, failure) : 0;
}

int datapath_open(struct datapath *datapath, struct failure *failure)
{
	const char *dir = datapath->place->pin_dir;
	struct bgs_settings settings;
	int err = open_settings(datapath, &settings, failure);

	if (!err)
		err = open_maps(datapath, failure);
	if (!err && settings.netns_cookie != place_netns_cookie())
		err = refuse_other_netns(dir, failure);
	if (err) {
		datapath_close(datapath);
		return -1;
	}
	for (enum pin pin = PIN_MAPS; pin < PIN_COUNT; pin++) {
		int fd = pin_open(dir, pin);

		datapath->fds[pin] = fd < 0 ? -1 : fd; /* each may be missing; see the users */
	}
	return 0;
}

bool datapath_is_steering(const struct datapath *datapath)
{
	return datapath->fds[PIN_STEER] >= 0;
}

int datapath_remove(const struct place *place, struct failure *failure)
{
	return pins_remove_all(place->pin_dir, failure);
}

const char *datapath_missing_registration(const struct datapath *datapath)
{
	return datapath->fds[PIN_REGISTER] >= 0
		       ? NULL
		       : "new listeners are not registered by themselves (needs a cgroup v2 mount "
			 "and Linux 5.15); run 'bgswitch attach' again after a server starts";
}

const char *datapath_missing_adoption(const struct datapath *datapath)
{
	return datapath->fds[PIN_ADOPT] >= 0
		       ? NULL
		       : "listeners that are open already cannot be adopted (needs a kernel with "
			 "BTF and iter/tcp); restart the servers after 'bgswitch attach'";
}
