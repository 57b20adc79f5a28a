// SPDX-License-Identifier: Apache-2.0
/*
 * EROFS as mkfs.erofs writes it without compression: a superblock at byte 1024, inodes of 32 or 64
 * bytes in slots of 32, data either as whole blocks in a row (plain) or with the last, partial
 * block behind the inode (inline). A directory's data is blocks, each with its own sorted table of
 * entries (Linux, fs/erofs/erofs_fs.h).
 */
#include "image.h"

#include "../mm/heap.h"
#include "../mm/page.h"

#define SUPER_AT       1024
#define SUPER_MAGIC    0xe0f5e1e2u
#define BLOCK          4096u
#define LAYOUT_PLAIN   0
#define LAYOUT_INLINE  2
#define INCOMPAT_KNOWN 0x1u /* zero padding of compressed blocks: of no matter without them */
#define ALIVE_BUCKETS  256

struct super {
    uint32_t magic, checksum, feature_compat;
    uint8_t block_bits, sb_slots;
    uint16_t root_nid;
    uint64_t inodes, build_time;
    uint32_t build_time_ns, blocks, meta_block, xattr_block;
    uint8_t uuid[16], name[16];
    uint32_t feature_incompat;
};

struct disk_inode {
    uint16_t format, xattr_count, mode, nlink_or_mode;
    uint64_t size; /* compact: 32 bits, then 4 reserved */
    uint32_t place;
    uint32_t ino;
    union {
        struct {
            uint16_t uid, gid;
            uint32_t reserved;
        } compact;
        struct {
            uint32_t uid, gid;
            uint64_t mtime;
            uint32_t mtime_ns, nlink;
        } extended;
    } u;
};

struct disk_dirent {
    uint64_t nid;
    uint16_t name_at;
    uint8_t type, reserved;
} __attribute__((packed));

_Static_assert(offsetof(struct super, feature_incompat) == 80, "EROFS superblock");
_Static_assert(offsetof(struct disk_inode, u) == 24, "EROFS inode");
_Static_assert(sizeof(struct disk_dirent) == 12, "EROFS directory entry");

/* What is needed of an inode to find its data. */
struct place {
    const uint8_t *plain; /* whole blocks */
    const uint8_t *tail;  /* inline rest; NULL when all is plain */
    uint64_t size, plain_size;
};

static struct {
    const uint8_t *at;
    paddr_t pa;
    uint64_t len;
    const struct super *super;
    struct list alive[ALIVE_BUCKETS]; /* inodes with several names must stay one */
} image;

struct alive {
    struct list link;
    struct inode *inode;
};

int image_open(const void *at, paddr_t pa, uint64_t len)
{
    const struct super *super = (const void *)((const uint8_t *)at + SUPER_AT);
    if (len < SUPER_AT + BLOCK || super->magic != SUPER_MAGIC || super->block_bits != 12)
        return -EINVAL;
    if (super->feature_incompat & ~INCOMPAT_KNOWN)
        return -EOPNOTSUPP;
    image.at = at;
    image.pa = pa;
    image.len = len;
    image.super = super;
    for (size_t i = 0; i < ALIVE_BUCKETS; i++)
        list_init(&image.alive[i]);
    return 0;
}

uint64_t image_root(void)
{
    return image.super ? image.super->root_nid : 0;
}

paddr_t image_pa(const void *at)
{
    return image.pa + (paddr_t)((const uint8_t *)at - image.at);
}

static const struct disk_inode *disk_inode(uint64_t nid, bool *out_extended)
{
    uint64_t at = (uint64_t)image.super->meta_block * BLOCK + nid * 32;
    if (nid > image.len / 32 || at > image.len - 64)
        return NULL;
    const struct disk_inode *inode = (const void *)(image.at + at);
    *out_extended = inode->format & 1;
    return inode;
}

static int place_of(uint64_t nid, struct place *out)
{
    bool extended;
    const struct disk_inode *inode = disk_inode(nid, &extended);
    if (!inode)
        return -EIO;
    unsigned layout = (inode->format >> 1) & 7;
    uint64_t size = extended ? inode->size : (uint32_t)inode->size;
    if (layout != LAYOUT_PLAIN && layout != LAYOUT_INLINE)
        return -EIO;
    uint64_t plain = layout == LAYOUT_INLINE ? size / BLOCK * BLOCK : size;
    uint64_t at = (uint64_t)inode->place * BLOCK;
    if (plain && (at > image.len || plain > image.len - at))
        return -EIO;
    out->size = size;
    out->plain = image.at + at;
    out->plain_size = plain;
    out->tail = NULL;
    if (layout == LAYOUT_INLINE && size > plain) {
        uint64_t head = extended ? 64 : 32;
        if (inode->xattr_count)
            head += 12 + 4UL * (inode->xattr_count - 1U);
        uint64_t tail = (uint64_t)((const uint8_t *)inode - image.at) + head;
        if (tail > image.len || size - plain > image.len - tail)
            return -EIO;
        out->tail = image.at + tail;
    }
    return 0;
}

int image_page(uint64_t nid, uint64_t index, const void **out, size_t *out_len)
{
    struct place place;
    int rc = place_of(nid, &place);
    if (rc < 0)
        return rc;
    uint64_t at = index * BLOCK;
    if (at >= place.size)
        return -ENXIO;
    if (place.tail && at >= place.plain_size) {
        *out = place.tail + (at - place.plain_size);
        *out_len = place.size - at;
        return 0;
    }
    *out = place.plain + at;
    *out_len = min_u64(BLOCK, place.size - at);
    return 0;
}

/* Entry i of a directory's block of len bytes: its name and length; -EIO if it is not sound. */
static int dirent_name(const uint8_t *block, size_t len, size_t i, size_t count, const char **out,
                       size_t *out_len)
{
    const struct disk_dirent *entries = (const void *)block;
    size_t from = entries[i].name_at;
    size_t to = i + 1 < count ? entries[i + 1].name_at : len;
    if (from > to || to > len)
        return -EIO;
    *out = (const char *)block + from;
    *out_len = i + 1 < count ? to - from : strnlen(*out, to - from);
    return 0;
}

static int dirent_count(const uint8_t *block, size_t len, size_t *out)
{
    const struct disk_dirent *entries = (const void *)block;
    if (len < sizeof(*entries) || entries[0].name_at % sizeof(*entries) ||
        entries[0].name_at > len || !entries[0].name_at)
        return -EIO;
    *out = entries[0].name_at / sizeof(*entries);
    return 0;
}

/* Names are ordered as byte strings; a shorter one that agrees comes first. */
static int compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    if (order)
        return order;
    return a_len < b_len ? -1 : a_len > b_len;
}

static int search_block(const uint8_t *block, size_t len, const char *name, size_t name_len,
                        uint64_t *out)
{
    size_t count;
    if (dirent_count(block, len, &count) < 0)
        return -EIO;
    for (size_t low = 0, high = count; low < high;) {
        size_t mid = (low + high) / 2, found_len;
        const char *found;
        if (dirent_name(block, len, mid, count, &found, &found_len) < 0)
            return -EIO;
        int order = compare(name, name_len, found, found_len);
        if (order == 0) {
            *out = ((const struct disk_dirent *)(const void *)block)[mid].nid;
            return 0;
        }
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return -ENOENT;
}

int image_lookup(uint64_t dir, const char *name, size_t name_len, uint64_t *out_nid)
{
    const void *block;
    size_t len;
    for (uint64_t i = 0; image_page(dir, i, &block, &len) == 0; i++) {
        int rc = search_block(block, len, name, name_len, out_nid);
        if (rc != -ENOENT)
            return rc;
    }
    return -ENOENT;
}

int image_each(uint64_t dir, int (*fn)(void *arg, const char *name, size_t len, uint64_t nid),
               void *arg)
{
    const void *block;
    size_t len, count;
    for (uint64_t i = 0; image_page(dir, i, &block, &len) == 0; i++) {
        if (dirent_count(block, len, &count) < 0)
            return -EIO;
        for (size_t k = 0; k < count; k++) {
            const char *name;
            size_t name_len;
            if (dirent_name(block, len, k, count, &name, &name_len) < 0)
                return -EIO;
            if (name_len <= 2 && !memcmp(name, "..", name_len))
                continue;
            int rc = fn(arg, name, name_len, ((const struct disk_dirent *)block)[k].nid);
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}

static struct inode *find_alive(uint64_t nid)
{
    struct list *bucket = &image.alive[nid % ALIVE_BUCKETS];
    for (struct list *at = bucket->next; at != bucket; at = at->next) {
        struct alive *alive = container_of(at, struct alive, link);
        if (alive->inode->nid == nid)
            return alive->inode;
    }
    return NULL;
}

static void fill_inode(struct inode *inode, const struct disk_inode *disk, bool extended,
                       uint64_t nid)
{
    inode->nid = nid;
    inode->ino = nid;
    inode->size = inode->image_size = extended ? disk->size : (uint32_t)disk->size;
    inode->uid = extended ? disk->u.extended.uid : disk->u.compact.uid;
    inode->gid = extended ? disk->u.extended.gid : disk->u.compact.gid;
    inode->nlink = extended ? disk->u.extended.nlink : disk->nlink_or_mode;
    inode->mtime.s = (int64_t)(extended ? disk->u.extended.mtime : image.super->build_time);
    inode->mtime.ns = extended ? disk->u.extended.mtime_ns : image.super->build_time_ns;
    inode->ctime = inode->atime = inode->mtime;
    if (S_IS(disk->mode, S_IFCHR) || S_IS(disk->mode, S_IFBLK))
        inode->rdev = disk->place;
}

int image_inode(uint64_t nid, struct inode **out)
{
    struct inode *known = find_alive(nid);
    if (known) {
        inode_get(known);
        *out = known;
        return 0;
    }
    bool extended;
    const struct disk_inode *disk = disk_inode(nid, &extended);
    if (!disk)
        return -EIO;
    struct alive *alive = heap_alloc(sizeof(*alive));
    struct inode *inode = alive ? inode_new(disk->mode, DEV_ROOT) : NULL;
    if (!inode) {
        heap_free(alive);
        return -ENOMEM;
    }
    fill_inode(inode, disk, extended, nid);
    alive->inode = inode;
    list_add(&image.alive[nid % ALIVE_BUCKETS], &alive->link);
    *out = inode;
    return 0;
}

void image_forget(struct inode *inode)
{
    struct list *bucket = &image.alive[inode->nid % ALIVE_BUCKETS];
    for (struct list *at = bucket->next; at != bucket; at = at->next) {
        struct alive *alive = container_of(at, struct alive, link);
        if (alive->inode == inode) {
            list_del(&alive->link);
            heap_free(alive);
            return;
        }
    }
}
