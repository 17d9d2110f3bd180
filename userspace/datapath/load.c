/* SPDX-License-Identifier: GPL-2.0-only */
/* Creating maps, loading programs and attaching them: the only user of the skeleton. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bgswitch/maps.h"
#include "bpf/bgswitch.skel.h"
#include "datapath/connections.h"
#include "datapath/datapath.h"
#include "datapath/features.h"
#include "datapath/layout.h"
#include "datapath/listeners.h"

#define NEXT_LOAD "see 'bgswitch -v attach' for the kernel's own words"

static struct bpf_map *skeleton_map(const struct bgswitch_bpf *skeleton, enum pin pin)
{
	return bpf_object__find_map_by_name(skeleton->obj, pin_name(pin));
}

/* Before 5.11 maps are charged to RLIMIT_MEMLOCK. */
static void raise_memlock(void)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_MEMLOCK, &unlimited);
}

static struct bgswitch_bpf *open_skeleton(struct failure *failure)
{
	struct bgswitch_bpf *skeleton;

	raise_memlock();
	skeleton = bgswitch_bpf__open();
	if (!skeleton)
		failure_errno(failure, errno, NEXT_LOAD, "cannot open the BPF object");
	return skeleton;
}

static void autoload(struct bpf_program *program, bool wanted)
{
	bpf_program__set_autoload(program, wanted);
}

static int check_kernel(bool all, struct failure *failure)
{
	if (!feature_sk_lookup())
		return failure_set(failure, EXIT_SYSTEM,
				   "run it as root, outside containers, on Linux 5.9 or newer",
				   "this kernel does not load sk_lookup programs for us");
	if (!all && !feature_ingress_ifindex())
		return failure_set(failure, EXIT_SYSTEM, "use 'bgswitch attach all'",
				   "this kernel cannot filter by interface (needs Linux 5.17)");
	return 0;
}

/* What an interrupted attach or detach left behind: ours by name and by layout. */
static int remove_leftovers(const struct place *place, struct failure *failure)
{
	for (enum pin pin = 0; pin < PIN_MAPS; pin++) {
		int fd = pin_open(place->pin_dir, pin);
		int err;

		if (fd == -ENOENT)
			continue;
		if (fd < 0)
			return failure_errno(failure, -fd, "move it away", "cannot open %s/%s",
					     place->pin_dir, pin_name(pin));
		err = layout_check(place->pin_dir, pin, fd, failure);
		close(fd);
		if (err)
			return -1;
	}
	return pins_remove_all(place->pin_dir, failure);
}

static int pin_maps(struct datapath *datapath, const struct bgswitch_bpf *skeleton,
		    struct failure *failure)
{
	const char *dir = datapath->place->pin_dir;

	for (enum pin pin = PIN_MAPS; pin-- > 0;) { /* `settings` last */
		int fd = bpf_map__fd(skeleton_map(skeleton, pin));
		int err = pin_put(dir, pin, fd);

		if (err)
			return failure_errno(failure, -err, "remount it writable",
					     "cannot pin map %s/%s", dir, pin_name(pin));
		datapath->fds[pin] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	}
	return 0;
}

static int init_settings(const struct bgswitch_bpf *skeleton, struct failure *failure)
{
	const struct bgs_settings settings = {
		.layout = BGS_LAYOUT,
		.netns_cookie = place_netns_cookie(),
		.next_serial = 1,
	};
	__u32 zero = 0;

	if (bpf_map_update_elem(bpf_map__fd(skeleton_map(skeleton, PIN_SETTINGS)), &zero, &settings,
				BPF_ANY))
		return failure_errno(failure, errno, NEXT_LOAD, "cannot write the settings map");
	return 0;
}

int datapath_create(struct datapath *datapath, struct failure *failure)
{
	const struct place *place = datapath->place;
	struct bgswitch_bpf *skeleton;
	struct bpf_program *program;
	int err = -1;

	if (pins_check_foreign(place->pin_dir, failure))
		return -1;
	if (datapath_exists(place))
		return datapath_open(datapath, failure);
	if (check_kernel(true, failure) || remove_leftovers(place, failure))
		return -1;
	skeleton = open_skeleton(failure);
	if (!skeleton)
		return -1;
	bpf_object__for_each_program (program, skeleton->obj)
		autoload(program, false); /* maps only */
	err = bgswitch_bpf__load(skeleton);
	if (err) {
		err = failure_errno(failure, -err, NEXT_LOAD, "cannot create the maps");
		goto out;
	}
	if (mkdir(place->pin_dir, 0700) && errno != EEXIST) {
		err = failure_errno(failure, errno,
				    "remount it writable, or name another with --bpffs",
				    "cannot make %s", place->pin_dir);
		goto out;
	}
	err = init_settings(skeleton, failure);
	if (!err)
		err = pin_maps(datapath, skeleton, failure);
out:
	bgswitch_bpf__destroy(skeleton);
	return err;
}

/* Puts `program` where link `pin` points, or makes that link. */
static int attach(struct datapath *datapath, enum pin pin, const struct bpf_program *program,
		  int target, enum bpf_attach_type type, struct failure *failure)
{
	const char *dir = datapath->place->pin_dir;
	int link = datapath->fds[pin];
	int err;

	if (link >= 0) {
		if (!bpf_link_update(link, bpf_program__fd(program), NULL))
			return 0;
		/* Its namespace or cgroup is gone: the link attaches nothing any more. */
		if (errno != ENOLINK)
			return failure_errno(failure, errno, NEXT_LOAD,
					     "cannot replace the program of %s/%s", dir,
					     pin_name(pin));
		close(link);
	}
	link = bpf_link_create(bpf_program__fd(program), target, type, NULL);
	datapath->fds[pin] = link;
	if (link < 0)
		return failure_errno(failure, errno, NEXT_LOAD, "cannot attach %s",
				     bpf_program__name(program));
	err = pin_put(dir, pin, link);
	return err ? failure_errno(failure, -err, "remount it writable", "cannot pin %s/%s", dir,
				   pin_name(pin))
		   : 0;
}

/* Replaces a pin that nothing is attached through, in one step. */
static int replace(struct datapath *datapath, enum pin pin, int fd, struct failure *failure)
{
	int err = fd < 0 ? -errno : pin_put(datapath->place->pin_dir, pin, fd);

	if (err) {
		if (fd >= 0)
			close(fd);
		return failure_errno(failure, -err, NEXT_LOAD, "cannot pin %s/%s",
				     datapath->place->pin_dir, pin_name(pin));
	}
	if (datapath->fds[pin] >= 0)
		close(datapath->fds[pin]);
	datapath->fds[pin] = fd;
	return 0;
}

/* The id by which a link names its cgroup: the inode, behind its file handle. */
static __u64 cgroup_id(const char *path)
{
	struct {
		struct file_handle handle;
		__u64 id;
	} found = { .handle.handle_bytes = sizeof(found.id) };
	int mount;

	return name_to_handle_at(AT_FDCWD, path, &found.handle, &mount, 0) ? 0 : found.id;
}

/* Another cgroup was asked for than the link is on: it is left, and a new one made. */
static void leave_other_cgroup(struct datapath *datapath)
{
	struct bpf_link_info info = {};
	__u32 size = sizeof(info);
	int link = datapath->fds[PIN_REGISTER];

	if (link < 0 || !datapath->place->cgroup_given ||
	    bpf_obj_get_info_by_fd(link, &info, &size) ||
	    info.cgroup.cgroup_id == cgroup_id(datapath->place->cgroup))
		return;
	close(link);
	datapath->fds[PIN_REGISTER] = -1;
}

static int attach_register(struct datapath *datapath, const struct bpf_program *program,
			   struct failure *failure)
{
	int cgroup = open(datapath->place->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err;

	if (cgroup < 0)
		return failure_errno(failure, errno, "name a cgroup v2 directory with --cgroup",
				     "cannot open cgroup %s", datapath->place->cgroup);
	leave_other_cgroup(datapath);
	err = attach(datapath, PIN_REGISTER, program, cgroup, BPF_CGROUP_SOCK_OPS, failure);
	close(cgroup);
	return err;
}

static int attach_steer(struct datapath *datapath, const struct bpf_program *program,
			struct failure *failure)
{
	int netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int err;

	if (netns < 0)
		return failure_errno(failure, errno, "mount /proc", "cannot open our own netns");
	err = attach(datapath, PIN_STEER, program, netns, BPF_SK_LOOKUP, failure);
	close(netns);
	return err;
}

static int make_iterator(struct datapath *datapath, enum pin pin, const struct bpf_program *program,
			 struct failure *failure)
{
	if (!bpf_program__autoload(program))
		return 0;
	return replace(datapath, pin,
		       bpf_link_create(bpf_program__fd(program), 0, BPF_TRACE_ITER, NULL), failure);
}

/* A program that is run by userspace. */
static int keep_program(struct datapath *datapath, enum pin pin, const struct bpf_program *program,
			struct failure *failure)
{
	if (!bpf_program__autoload(program))
		return 0;
	return replace(datapath, pin, fcntl(bpf_program__fd(program), F_DUPFD_CLOEXEC, 3), failure);
}

/* Listeners first, steering last: the first steered connection finds them. */
static int attach_all(struct datapath *datapath, const struct bgswitch_bpf *skeleton,
		      struct failure *failure)
{
	const struct bpf_program *program;
	int err;

	if (keep_program(datapath, PIN_FLIP, skeleton->progs.flip, failure) ||
	    keep_program(datapath, PIN_QUEUE, skeleton->progs.queue, failure) ||
	    make_iterator(datapath, PIN_ADOPT, skeleton->progs.adopt, failure) ||
	    make_iterator(datapath, PIN_WALK, skeleton->progs.walk, failure))
		return -1;
	program = skeleton->progs.register_listeners;
	if (bpf_program__autoload(program) && attach_register(datapath, program, failure))
		return -1;
	err = listeners_adopt(datapath);
	if (err)
		return failure_errno(failure, -err, NEXT_LOAD, "cannot look for listeners");
	return attach_steer(datapath, skeleton->progs.steer, failure);
}

int datapath_load(struct datapath *datapath, bool all, struct failure *failure)
{
	struct bgswitch_bpf *skeleton;
	int err = -1;

	if (check_kernel(all, failure))
		return -1;
	skeleton = open_skeleton(failure);
	if (!skeleton)
		return -1;
	for (enum pin pin = 0; pin < PIN_MAPS; pin++) {
		err = bpf_map__reuse_fd(skeleton_map(skeleton, pin), datapath->fds[pin]);
		if (err) {
			err = failure_errno(failure, -err, NEXT_LOAD, "cannot use map %s/%s",
					    datapath->place->pin_dir, pin_name(pin));
			goto out;
		}
	}
	skeleton->rodata->filter_interfaces = feature_ingress_ifindex();
	skeleton->rodata->jiffy_us = connections_jiffy_us();
	skeleton->rodata->follow_cookies = feature_socket_fields();
	autoload(skeleton->progs.flip, feature_syscall_program());
	autoload(skeleton->progs.queue, feature_socket_fields());
	autoload(skeleton->progs.adopt, feature_tcp_iterator());
	autoload(skeleton->progs.walk, feature_tcp_iterator());
	autoload(skeleton->progs.register_listeners,
		 *datapath->place->cgroup && feature_sockops_netns());
	err = bgswitch_bpf__load(skeleton);
	err = err ? failure_errno(failure, -err, NEXT_LOAD, "the kernel refused the programs")
		  : attach_all(datapath, skeleton, failure);
out:
	bgswitch_bpf__destroy(skeleton);
	return err;
}
