/* SPDX-License-Identifier: Apache-2.0 */
/* Model-specific registers that a guest starts with. */
#ifndef SKERRY_VM_X86_64_MSR_H
#define SKERRY_VM_X86_64_MSR_H

#include <stdint.h>

#include "skerry/abi/vm.h"

#define MSR_TSC       0x10u
#define MSR_STAR      0xc0000081u
#define MSR_LSTAR     0xc0000082u
#define MSR_CSTAR     0xc0000083u
#define MSR_FMASK     0xc0000084u
#define MSR_KERNEL_GS 0xc0000102u
#define MSR_DIRECT    0x4b564d10u /* a page-table hypervisor's switch to direct execution */

#define CODE_SELECTOR 0x10u
#define DATA_SELECTOR 0x18u
#define TASK_SELECTOR 0x38u

#define MSR_STAR_VALUE  ((uint64_t)CODE_SELECTOR << 32 | (uint64_t)(CODE_SELECTOR | 3) << 48)
#define MSR_FMASK_VALUE 0x47700u /* TF IF DF NT AC */

#define DIRECT_ON        UINT64_C(1)
#define DIRECT_CR2       UINT64_C(0x10) /* the fault address is stored at page + 8 */
#define MSR_DIRECT_VALUE (VM_PVM_GPA | DIRECT_ON | DIRECT_CR2)

#endif
