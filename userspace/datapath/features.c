/* SPDX-License-Identifier: GPL-2.0-only */
#include "datapath/features.h"

#include <stddef.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define MOV_IMM(reg, value)                                                                        \
	{                                                                                          \
		.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = (reg), .imm = (value)              \
	}
#define LOAD_CTX(reg, offset)                                                                      \
	{                                                                                          \
		.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = (reg), .src_reg = BPF_REG_1,         \
		.off = (offset)                                                                    \
	}
#define LOAD_CTX_POINTER(reg, offset)                                                              \
	{                                                                                          \
		.code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = (reg), .src_reg = BPF_REG_1,        \
		.off = (offset)                                                                    \
	}
#define SKIP_IF_ZERO(reg, instructions)                                                            \
	{                                                                                          \
		.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = (reg), .off = (instructions)         \
	}
#define CALL(helper)                                                                               \
	{                                                                                          \
		.code = BPF_JMP | BPF_CALL, .imm = (helper)                                        \
	}
#define EXIT                                                                                       \
	{                                                                                          \
		.code = BPF_JMP | BPF_EXIT                                                         \
	}

static bool loads(enum bpf_prog_type type, enum bpf_attach_type attach, __u32 flags,
		  const struct bpf_insn *program, size_t length)
{
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = attach,
		    .prog_flags = flags);
	int fd = bpf_prog_load(type, "bgs_probe", "GPL", program, length, &options);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

bool feature_sk_lookup(void)
{
	static const struct bpf_insn program[] = { MOV_IMM(BPF_REG_0, 1), EXIT };

	return loads(BPF_PROG_TYPE_SK_LOOKUP, BPF_SK_LOOKUP, 0, program, ARRAY_SIZE(program));
}

bool feature_ingress_ifindex(void)
{
	static const struct bpf_insn program[] = {
		LOAD_CTX(BPF_REG_0, offsetof(struct bpf_sk_lookup, ingress_ifindex)),
		MOV_IMM(BPF_REG_0, 1), EXIT
	};

	return loads(BPF_PROG_TYPE_SK_LOOKUP, BPF_SK_LOOKUP, 0, program, ARRAY_SIZE(program));
}

bool feature_socket_fields(void)
{
	static const struct bpf_insn program[] = {
		LOAD_CTX_POINTER(BPF_REG_1, offsetof(struct bpf_sk_lookup, sk)),
		SKIP_IF_ZERO(BPF_REG_1, 1), CALL(BPF_FUNC_skc_to_tcp_sock), MOV_IMM(BPF_REG_0, 1),
		EXIT
	};

	return loads(BPF_PROG_TYPE_SK_LOOKUP, BPF_SK_LOOKUP, 0, program, ARRAY_SIZE(program));
}

bool feature_sockops_netns(void)
{
	static const struct bpf_insn program[] = { CALL(BPF_FUNC_get_netns_cookie),
						   MOV_IMM(BPF_REG_0, 1), EXIT };

	return loads(BPF_PROG_TYPE_SOCK_OPS, BPF_CGROUP_SOCK_OPS, 0, program, ARRAY_SIZE(program));
}

bool feature_syscall_program(void)
{
	static const struct bpf_insn program[] = { MOV_IMM(BPF_REG_0, 0), EXIT };

	return loads(BPF_PROG_TYPE_SYSCALL, 0, BPF_F_SLEEPABLE, program, ARRAY_SIZE(program));
}

bool feature_tcp_iterator(void)
{
	return libbpf_find_vmlinux_btf_id("tcp", BPF_TRACE_ITER) > 0;
}
