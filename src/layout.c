// SPDX-License-Identifier: GPL-2.0
/*
 * What a debugger must know of pcslab's structures
 *
 * scripts/pcslabcore.py reads heaps from the memory of a kernel, which runs or
 * has crashed. It knows how the structures hang together, and takes what
 * depends on the build of the module from here: offsets and sizes of members,
 * addresses of variables, values of constants. They are in the module itself,
 * because installed modules have no debugging information.
 *
 * The debugger looks for the magic bytes in the memory of all modules. A copy
 * of them elsewhere, such as the file of the module in the page cache, is not
 * at the address in @self.
 *
 * A fact is found by its name. Facts may be added at any time. One whose
 * meaning changes gets another name; other changes make another version.
 *
 * The memory map must be an array, for large objects are found by their pages.
 * So a kernel without CONFIG_SPARSEMEM_VMEMMAP has no layout.
 */
#include <linux/init.h>
#include <linux/mm.h>
#include <linux/nodemask.h>

#include "compat.h"
#include "internal.h"
#include "page.h"

#define VERSION		1
#define NAME_LEN	24

/* @bytes is 0 if @value is not the place of something. */
struct fact {
	char name[NAME_LEN];
	u64 value;
	u64 bytes;
};

#define MEMBER_OF(type, label, member) \
	{ label, offsetof(type, member), sizeof_field(type, member) }
#define MEMBER(name, member) \
	MEMBER_OF(struct pcslab_##name, #name "." #member, member)
#define VARIABLE(name) \
	{ #name, (unsigned long)&pcslab_##name, sizeof(pcslab_##name) }
#define VALUE(name, value) \
	{ name, value, 0 }

static const struct fact facts[] = {
	VALUE("pointer", sizeof(void *)),
	VALUE("page_shift", PAGE_SHIFT),
	VALUE("classes", PCSLAB_NR_CLASSES),
	VALUE("tracked", PCSLAB_SITED),

	VALUE("state.free", PCSLAB_OBJ_FREE),
	VALUE("state.cached", PCSLAB_OBJ_CACHED),
	VALUE("state.live", PCSLAB_OBJ_LIVE),
	VALUE("state.suspect", PCSLAB_OBJ_SUSPECT),
	VALUE("state.pending", PCSLAB_OBJ_PENDING),
	VALUE("state.deferred", PCSLAB_OBJ_DEFERRED),
	VALUE("state.rcu", PCSLAB_OBJ_RCU),

	VARIABLE(heaps),
	VARIABLE(large_tag),
	VARIABLE(vmalloc_tag),
	VARIABLE(rcu_tag),

	MEMBER(heap, node),
	MEMBER(heap, name),
	MEMBER(heap, id),
	MEMBER(heap, owner_name),
	MEMBER(heap, dying),
	MEMBER(heap, zombie),
	MEMBER(heap, class),
	MEMBER(heap, large),

	VALUE("depot", sizeof(struct pcslab_depot)),
	MEMBER(depot, all),
	MEMBER(class, size),
	MEMBER(class, stride),
	MEMBER(class, flags),
	VALUE("class.depot", offsetof(struct pcslab_class, depot)),

	MEMBER(slab, all),
	MEMBER(slab, base),
	MEMBER(slab, nr),
	MEMBER(slab, order),
	MEMBER(slab, sites_at),
	VALUE("slab.state", offsetof(struct pcslab_slab, state)),
	VALUE("site.name", offsetof(struct pcslab_site, name)),

	VALUE("page", sizeof(struct page)),
	MEMBER_OF(struct page, "page.flags", flags),
	VALUE("page.head", PG_head),
	MEMBER_OF(struct page, "page.mark", lru.next),
	MEMBER_OF(struct page, "page.owner", private),
	MEMBER_OF(struct page, "page.next", COMPAT_PAGE_WORD),
	{ "page.order", offsetof(struct folio, COMPAT_FOLIO_ORDER), 1 },
	VALUE("has_note", PAGE_HAS_NOTE),
	VALUE("has_area", PAGE_HAS_AREA),
	MEMBER(note, site),
	MEMBER(area, addr),
	MEMBER(area, pages),
};

/*
 * The magic bytes, and where all else is. @memory_map is the first struct page,
 * @direct_map the address of its page; both differ from boot to boot.
 */
static struct {
	char magic[16];
	u32 version;
	u32 fact_bytes;
	u32 name_bytes;
	u32 nr_facts;
	u64 facts;
	u64 self;
	u64 memory_map;
	u64 direct_map;
	u64 nodes;
} layout __ro_after_init __aligned(64) = {
	.magic = "pcslab layout",
	.version = VERSION,
	.fact_bytes = sizeof(struct fact),
	.name_bytes = NAME_LEN,
	.nr_facts = ARRAY_SIZE(facts),
	.facts = (unsigned long)facts,
	.self = (unsigned long)&layout,
};

void __init pcslab_layout_init(void)
{
	layout.memory_map = (unsigned long)pfn_to_page(0);
	layout.direct_map = (unsigned long)__va(0);
	layout.nodes = nr_node_ids;
}
