/* SPDX-License-Identifier: Apache-2.0 */
/* linux.resources.blockIO: v1's `blkio`, v2's `io`. BFQ has files of its own in both. */
#include <inttypes.h>
#include <stdio.h>

#include "oci/cgroup_limits.h"

uint64_t cgroup_io_weight_of(uint64_t weight)
{
    return 1 + (weight - 10) * 9999 / 990;
}

static int put_v1_weights(const struct limits *limits)
{
    const struct oci_block_io *io = &limits->resources->block_io;
    const struct oci_cgroup_tree *tree = cgroup_tree_of(limits->cgroup, "blkio");
    bool bfq = tree != NULL && cgroup_tree_has(tree, "blkio.bfq.weight");
    const char *weight = bfq ? "blkio.bfq.weight" : "blkio.weight";
    const char *device = bfq ? "blkio.bfq.weight_device" : "blkio.weight_device";
    int result = 0;
    if (io->weight.set)
        result = limit_put(limits, "blockIO.weight", "blkio", weight, "%" PRIu64, io->weight.value);
    if (result == 0 && io->leaf_weight.set)
        result = limit_put(limits, "blockIO.leafWeight", "blkio", "blkio.leaf_weight", "%" PRIu64,
                           io->leaf_weight.value);
    for (size_t i = 0; result == 0 && i < io->weight_device_count; i++) {
        const struct oci_weight_device *one = &io->weight_devices[i];
        if (one->weight.set)
            result = limit_put(limits, "blockIO.weightDevice", "blkio", device, "%u:%u %" PRIu64,
                               one->major, one->minor, one->weight.value);
        if (result == 0 && one->leaf_weight.set)
            result = limit_put(limits, "blockIO.weightDevice", "blkio", "blkio.leaf_weight_device",
                               "%u:%u %" PRIu64, one->major, one->minor, one->leaf_weight.value);
    }
    return result;
}

static int put_v2_weights(const struct limits *limits)
{
    const struct oci_block_io *io = &limits->resources->block_io;
    const struct oci_cgroup_tree *tree = cgroup_tree_of(limits->cgroup, "io");
    bool bfq = tree != NULL && cgroup_tree_has(tree, "io.bfq.weight");
    int result = 0;
    if (io->leaf_weight.set)
        return limit_unsupported(limits, "blockIO.leafWeight", "cgroup v2 has none");
    if (io->weight.set)
        result =
            limit_put(limits, "blockIO.weight", "io", bfq ? "io.bfq.weight" : "io.weight",
                      "%" PRIu64, bfq ? io->weight.value : cgroup_io_weight_of(io->weight.value));
    for (size_t i = 0; result == 0 && i < io->weight_device_count; i++) {
        const struct oci_weight_device *one = &io->weight_devices[i];
        if (one->leaf_weight.set)
            return limit_unsupported(limits, "blockIO.weightDevice.leafWeight",
                                     "cgroup v2 has none");
        result =
            limit_put(limits, "blockIO.weightDevice", "io", bfq ? "io.bfq.weight" : "io.weight",
                      "%u:%u %" PRIu64, one->major, one->minor,
                      bfq ? one->weight.value : cgroup_io_weight_of(one->weight.value));
    }
    return result;
}

static int put_throttles(const struct limits *limits, bool v2)
{
    static const struct {
        const char *property;
        const char *v1;
        const char *v2;
    } kinds[OCI_THROTTLES] = {
        {"blockIO.throttleReadBpsDevice", "blkio.throttle.read_bps_device", "rbps"},
        {"blockIO.throttleWriteBpsDevice", "blkio.throttle.write_bps_device", "wbps"},
        {"blockIO.throttleReadIOPSDevice", "blkio.throttle.read_iops_device", "riops"},
        {"blockIO.throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", "wiops"},
    };
    int result = 0;
    for (size_t kind = 0; kind < OCI_THROTTLES; kind++) {
        for (size_t i = 0; result == 0 && i < limits->resources->block_io.throttle[kind].count;
             i++) {
            const struct oci_throttle_device *one =
                &limits->resources->block_io.throttle[kind].items[i];
            if (!v2)
                result = limit_put(limits, kinds[kind].property, "blkio", kinds[kind].v1,
                                   "%u:%u %" PRIu64, one->major, one->minor, one->rate);
            else if (one->rate == 0) /* v1's word for no limit */
                result = limit_put(limits, kinds[kind].property, "io", "io.max", "%u:%u %s=max",
                                   one->major, one->minor, kinds[kind].v2);
            else
                result =
                    limit_put(limits, kinds[kind].property, "io", "io.max", "%u:%u %s=%" PRIu64,
                              one->major, one->minor, kinds[kind].v2, one->rate);
        }
    }
    return result;
}

int limit_block_io(const struct limits *limits)
{
    bool v2 = cgroup_tree_of(limits->cgroup, "blkio") == NULL;
    int result = v2 ? put_v2_weights(limits) : put_v1_weights(limits);
    return result == 0 ? put_throttles(limits, v2) : result;
}
