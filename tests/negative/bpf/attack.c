/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attack: bpf(2): makes maps, loads programs, walks the ids of loaded programs and maps.
 * Stopped by: the filter (bpf is not on the list).
 * Lives in: src/jail/filter.c.
 *
 * Control: root
 */
#include "../harness/attack.h"

#include <linux/bpf.h>

void attack(void)
{
    union bpf_attr map = {
        .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1};
    attempt("an array map", syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof(map)));
    union bpf_attr hash = map;
    hash.map_type = BPF_MAP_TYPE_HASH;
    attempt("a hash map", syscall(SYS_bpf, BPF_MAP_CREATE, &hash, sizeof(hash)));
    struct bpf_insn code[2] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K}, {.code = BPF_JMP | BPF_EXIT}};
    static const uint32_t types[] = {BPF_PROG_TYPE_SOCKET_FILTER, BPF_PROG_TYPE_CGROUP_SKB,
                                     BPF_PROG_TYPE_KPROBE};
    for (size_t i = 0; i < COUNT(types); i++) {
        union bpf_attr program = {.prog_type = types[i],
                                  .insn_cnt = 2,
                                  .insns = (uint64_t)(uintptr_t)code,
                                  .license = (uint64_t)(uintptr_t) "GPL"};
        attempt("a program", syscall(SYS_bpf, BPF_PROG_LOAD, &program, sizeof(program)));
    }
    union bpf_attr next = {.start_id = 0};
    attempt_past("walking program ids", syscall(SYS_bpf, BPF_PROG_GET_NEXT_ID, &next, sizeof(next)),
                 ENOENT);
}
