/* SPDX-License-Identifier: GPL-2.0-only */
#include "fixture.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <mntent.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "datapath/interfaces.h"
#include "endpoint.h"

#define CHECK(condition, ...)                                                                      \
	do {                                                                                       \
		if (!(condition))                                                                  \
			err(99, __VA_ARGS__);                                                      \
	} while (0)

#define CHECK_FAILURE(result, failure)                                                             \
	do {                                                                                       \
		if (result)                                                                        \
			errx(99, "%s; %s", (failure).what, (failure).next);                        \
	} while (0)

/* What is mounted from here on stays here. */
static void make_mounts_private(void)
{
	const struct mntent *entry;
	FILE *mounts;

	if (!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return;
	/* In a chroot / may be no mount point: then each mount that can be seen there. */
	mounts = setmntent("/proc/self/mounts", "re");
	CHECK(mounts, "/proc/self/mounts");
	while ((entry = getmntent(mounts)))
		CHECK(!mount(NULL, entry->mnt_dir, NULL, MS_PRIVATE, NULL), "private mounts");
	endmntent(mounts);
}

static void raise_loopback(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0 && !ioctl(fd, SIOCSIFFLAGS, &request), "loopback");
	close(fd);
}

static int steer_program(const struct fixture *fixture)
{
	struct bpf_link_info info = {};
	__u32 size = sizeof(info);

	CHECK(!bpf_obj_get_info_by_fd(fixture->datapath.fds[PIN_STEER], &info, &size),
	      "steer link");
	return bpf_prog_get_fd_by_id(info.prog_id);
}

void fixture_start(struct fixture *fixture)
{
	const struct interface interface = { .name = "all" };
	struct failure failure;

	strcpy(fixture->bpffs, "/tmp/bgswitch-test-XXXXXX");
	CHECK(!unshare(CLONE_NEWNET | CLONE_NEWNS), "unshare (needs root)");
	make_mounts_private();
	CHECK(mkdtemp(fixture->bpffs), "mkdtemp");
	CHECK(!mount("bpf", fixture->bpffs, "bpf", 0, NULL), "bpffs");
	raise_loopback();
	CHECK_FAILURE(place_find(&fixture->place, NULL, fixture->bpffs, NULL, &failure), failure);
	datapath_init(&fixture->datapath, &fixture->place);
	CHECK_FAILURE(datapath_create(&fixture->datapath, &failure), failure);
	CHECK_FAILURE(interfaces_add(&fixture->datapath, &interface, &failure), failure);
	CHECK_FAILURE(datapath_load(&fixture->datapath, true, &failure), failure);
	fixture->steer = steer_program(fixture);
}

void fixture_stop(struct fixture *fixture)
{
	struct failure failure;

	close(fixture->steer);
	datapath_close(&fixture->datapath);
	CHECK_FAILURE(datapath_remove(&fixture->place, &failure), failure);
	CHECK(!umount(fixture->bpffs) && !rmdir(fixture->bpffs), "umount");
}

static struct endpoint parse(const char *text)
{
	struct endpoint endpoint;
	struct failure failure;

	CHECK_FAILURE(endpoint_parse(&endpoint, text, "test", &failure), failure);
	return endpoint;
}

static void parse_instances(struct color_spec *color, const char *list)
{
	char *copy = strdup(list), *rest = copy;
	const char *text;

	while ((text = strsep(&rest, ",")))
		color->instances[color->count++] = parse(text);
	free(copy);
}

__u32 fixture_service(struct fixture *fixture, const char *name, const char *listen,
		      const char *blue, const char *green, struct bgs_flags flags)
{
	struct service_spec *spec = calloc(1, sizeof(*spec));
	char *copy = strdup(listen), *rest = copy;
	struct bgs_service service;
	struct failure failure;
	const char *text;
	__u32 slot;

	strcpy(spec->name, name);
	spec->flags = flags;
	while ((text = strsep(&rest, ",")))
		spec->listen[spec->listen_count++] = parse(text).key;
	parse_instances(&spec->colors[BGS_BLUE], blue);
	parse_instances(&spec->colors[BGS_GREEN], green);
	CHECK_FAILURE(service_add(&fixture->datapath, spec, &failure), failure);
	CHECK_FAILURE(service_find(&fixture->datapath, name, &slot, &service, &failure), failure);
	free(copy);
	free(spec);
	return slot;
}

static struct lookup_result run_lookup(int program, __u32 protocol, const char *client,
				       const char *local, unsigned int repeat)
{
	const struct endpoint remote = parse(client), target = parse(local);
	struct bpf_sk_lookup context = {
		.protocol = protocol,
		.remote_port = remote.key.port,
		.local_port = ntohs(target.key.port),
	};
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &context, .ctx_size_in = sizeof(context),
		    .ctx_out = &context, .ctx_size_out = sizeof(context), .repeat = repeat);

	if (endpoint_is_v4(&target.key)) {
		context.family = AF_INET;
		context.remote_ip4 = remote.key.address[3];
		context.local_ip4 = target.key.address[3];
	} else {
		context.family = AF_INET6;
		memcpy(context.remote_ip6, remote.key.address, sizeof(context.remote_ip6));
		memcpy(context.local_ip6, target.key.address, sizeof(context.local_ip6));
	}
	CHECK(!bpf_prog_test_run_opts(program, &run), "BPF_PROG_TEST_RUN");
	return (struct lookup_result){ .verdict = (int)run.retval,
				       .cookie = context.cookie,
				       .nanoseconds = run.duration };
}

struct lookup_result fixture_lookup(int program, const char *client, const char *local,
				    unsigned int repeat)
{
	return run_lookup(program, IPPROTO_TCP, client, local, repeat);
}

struct lookup_result fixture_lookup_udp(int program, const char *client, const char *local)
{
	return run_lookup(program, IPPROTO_UDP, client, local, 1);
}

int fixture_empty_program(void)
{
	static const struct bpf_insn program[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_SK_LOOKUP);
	int fd = bpf_prog_load(BPF_PROG_TYPE_SK_LOOKUP, "empty", "GPL", program, 2, &options);

	CHECK(fd >= 0, "empty program");
	return fd;
}
