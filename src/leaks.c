// SPDX-License-Identifier: GPL-2.0
/*
 * Leaks: live objects of a heap that nothing points to
 *
 *   echo HEAP > /sys/module/pcslab/parameters/scan
 *   cat /sys/kernel/debug/pcslab/heaps/HEAP/leaks
 *
 * All memory of the kernel is read (scan.c), and each word that is an address
 * in a live object of the heap reaches that object. What a reached object
 * contains is read, too; what the others contain is not. So a ring of objects
 * that only point to each other is not reached, nor is a list_head that points
 * to itself. The heap and its fixed-size caches are one here.
 *
 * A pointer may be missed because it moves while memory is read, and the
 * address of a new object may be stored where memory was read already. So there
 * are two passes. Objects that the first does not reach become suspects, which
 * is a state of their own (PCSLAB_OBJ_SUSPECT). If one is freed its state
 * changes, so a suspect that is still one after the second pass was not freed
 * meanwhile, nor handed out again. Those of them that the second pass has not
 * reached either are leaks. A large object cannot be marked that way. There
 * heap->large_old tells which objects were there before the first pass.
 *
 * pcslab itself stores addresses of objects. Each such word is told by its
 * neighbour:
 *
 *   struct pcslab_round	the object, then its state byte; a round stays
 *				in its magazine when the object is handed out
 *   struct pcslab_slab		the first object, then the reciprocal of a
 *				stride; also of a slab that is gone
 *   struct pcslab_area		where it is
 *
 * So are words that the kernel stores for a page or an area as such:
 *
 *   vm_struct, vmap_area	start and length, or start and end, of an area
 *				that is in use, free, or gone
 *   mm_struct			the page tables, behind the size of user space:
 *				a process that is gone had them in that page
 *   slab_sheaf			an array of objects of a kmem_cache, which is in
 *				front of it; words past the last object are old
 *
 * The heap is shrunk first, so no magazine has rounds of slabs that are gone.
 *
 * The snapshot of slabs and large objects is made before the first pass.
 * Objects in later slabs are not looked at and count as reached.
 *
 * Locks: scan_lock, one scan at a time; report_lock, for the last results.
 * Context: process, may sleep.
 */
#include <linux/delay.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/sort.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "internal.h"
#include "page.h"
#include "scan.h"

#define NR_ROWS		64	/* sites shown; the rest are summed in others */
#define PASSES		2
#define PAUSE_MS	100	/* between the passes */
#define BATCH		64	/* objects between two pauses */

/* Objects of one site, size and cache. */
struct row {
	char cache[PCSLAB_NAME_LEN];
	const struct pcslab_site *site;
	u64 objects, bytes;
	u32 size;		/* 0: large objects */
	u32 age;		/* of the oldest, in seconds; 0: unknown */
};

/* What a scan has found, and what it took. */
struct pcslab_leaks {
	unsigned int nr;
	struct row row[NR_ROWS];
	struct row others;
	u64 pages, ms;
	u64 objects;		/* live when the first pass began */
	u64 suspects;		/* not reached by it */
};

/*
 * A slab or a large object. @at is the number of its first page (scan.h),
 * @owner the slab, or NULL, and @class its class; @first numbers its first
 * object.
 */
struct span {
	unsigned long at, pages;
	struct pcslab_slab *owner;
	struct pcslab_class *class;
	struct page *page;
	unsigned long first;
	unsigned int nr;
};

/* An object that was reached and is not read yet. */
struct reached {
	u32 span, index;
};

struct search {
	struct pcslab_scan scan;
	struct pcslab_heap *heap;
	struct pcslab_leaks *leaks;
	struct span *spans;
	unsigned int nr_spans, max_spans;
	unsigned long nr_objects;
	unsigned long *marks;		/* reached in this pass */
	unsigned long *missed;		/* not reached by the first pass */
	struct reached *stack;		/* has room for all objects */
	unsigned long depth;
	unsigned int paused;
	bool old;			/* see add_large() */
};

static DEFINE_MUTEX(scan_lock);
static DEFINE_MUTEX(report_lock);

static struct span *spans_end(const struct search *search)
{
	return search->spans + search->nr_spans;
}

static struct search *search_of(struct pcslab_scan *scan)
{
	return container_of(scan, struct search, scan);
}

/* Call @fn for the heap and each of its fixed-size caches. */
static void for_family(struct search *search,
		       void (*fn)(struct search *search, struct pcslab_heap *heap))
{
	struct pcslab_heap *heap = pcslab_heap_after(NULL, 0);

	for (; heap; heap = pcslab_heap_after(heap, heap->id)) {
		if (pcslab_is_of(heap, search->heap))
			fn(search, heap);
	}
}

/*
 * Preemption must be off while the result is used. A slab that is gone may have
 * left its place to another one of the same class and size, which will do: then
 * its objects are at the same addresses, and new.
 */
static bool is_same(const struct span *s)
{
	struct pcslab_slab *slab;

	if (s->owner)
		return slab_of_page(s->page, &slab) && slab == s->owner &&
		       slab->class == s->class && slab->nr == s->nr;
	return page_is_large(s->page) || page_has_tag(s->page, &pcslab_vmalloc_tag);
}

/* For callers that do not use what the span leads to. */
static bool was_same(const struct span *s)
{
	bool same;

	preempt_disable();
	same = is_same(s);
	preempt_enable();
	return same;
}

static const char *start_of(const struct span *s)
{
	return (const char *)(s->at << PAGE_SHIFT);
}

static bool is_area(const struct span *s)
{
	return is_vmalloc_addr(start_of(s));
}

static struct span *span_at(struct search *search, unsigned long page_nr)
{
	unsigned int low = 0, high = search->nr_spans, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (search->spans[mid].at + search->spans[mid].pages <= page_nr)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == search->nr_spans || search->spans[low].at > page_nr)
		return NULL;
	return &search->spans[low];
}

/* The snapshot */

static void add_span(struct search *search, struct span s)
{
	if (search->nr_spans < search->max_spans)
		search->spans[search->nr_spans] = s;
	search->nr_spans++;
}

static void add_slab(struct search *search, struct pcslab_slab *slab)
{
	add_span(search, (struct span){
		.at = (unsigned long)slab->base >> PAGE_SHIFT, .pages = 1UL << slab->order,
		.owner = slab, .class = slab->class, .page = virt_to_page(slab->base),
		.nr = slab->nr
	});
}

static void add_large_span(struct page *page, void *arg)
{
	struct pcslab_area *area;
	const void *start;
	void *owner;

	if (!large_owner(page, &owner))
		return;		/* it is being freed */
	area = large_area(owner);
	start = area ? area->addr : page_address(page);
	add_span(arg, (struct span){
		.at = (unsigned long)start >> PAGE_SHIFT, .pages = large_pages(page, owner),
		.page = page, .nr = 1
	});
}

static void add_spans(struct search *search, struct pcslab_heap *heap)
{
	struct pcslab_class *class;
	struct pcslab_slab *slab;
	int node;

	rcu_read_lock();
	pcslab_for_each_size_class(class, heap) {
		for_each_node_state(node, N_MEMORY) {
			list_for_each_entry_rcu(slab, &class->depot[node].all, all)
				add_slab(search, slab);
		}
	}
	rcu_read_unlock();
	pcslab_large_walk(heap, add_large_span, search);
}

static int by_place(const void *a, const void *b)
{
	unsigned long x = ((const struct span *)a)->at, y = ((const struct span *)b)->at;

	return x < y ? -1 : x > y;
}

static void number_objects(struct search *search)
{
	struct span *s;

	search->scan.area_from = ULONG_MAX;
	for (s = search->spans; s < spans_end(search); s++) {
		s->first = search->nr_objects;
		search->nr_objects += s->nr;
		if (!is_area(s))
			continue;
		search->scan.area_from = min(search->scan.area_from, s->at);
		search->scan.area_to = max(search->scan.area_to, s->at + s->pages);
	}
}

/*
 * While spans are noted one by one, a slab may go and its pages be used again
 * by what is noted later. Only one span per place is left.
 */
static void drop_stale(struct search *search)
{
	unsigned int i, kept = 0;
	struct span *s, *before;

	for (i = 0; i < search->nr_spans; i++) {
		s = &search->spans[i];
		before = kept ? &search->spans[kept - 1] : NULL;
		if (!was_same(s))
			continue;
		if (before && before->at + before->pages > s->at)
			*before = *s;
		else
			search->spans[kept++] = *s;
	}
	search->nr_spans = kept;
}

/* Counts first. What comes between counting and noting is left out. */
static int take_snapshot(struct search *search)
{
	for_family(search, add_spans);
	search->max_spans = search->nr_spans + search->nr_spans / 8 + 64;
	search->spans = kvcalloc(search->max_spans, sizeof(*search->spans),
				 GFP_KERNEL | __GFP_NOWARN);
	if (!search->spans)
		return -ENOMEM;
	search->nr_spans = 0;
	for_family(search, add_spans);
	search->nr_spans = min(search->nr_spans, search->max_spans);
	sort(search->spans, search->nr_spans, sizeof(*search->spans), by_place, NULL);
	drop_stale(search);
	number_objects(search);
	return 0;
}

static unsigned long *bits_create(unsigned long nr)
{
	return kvcalloc(BITS_TO_LONGS(nr) + 1, sizeof(long), GFP_KERNEL | __GFP_NOWARN);
}

static int make_room(struct search *search)
{
	search->marks = bits_create(search->nr_objects);
	search->missed = bits_create(search->nr_objects);
	search->stack = kvcalloc(search->nr_objects + 1, sizeof(*search->stack),
				 GFP_KERNEL | __GFP_NOWARN);
	search->scan.nr_pages = pcslab_scan_size();
	search->scan.ours = bits_create(search->scan.nr_pages);
	search->scan.stacks = bits_create(search->scan.nr_pages);
	search->leaks = kvzalloc(sizeof(*search->leaks), GFP_KERNEL);
	if (search->marks && search->missed && search->stack && search->scan.ours &&
	    search->scan.stacks && search->leaks)
		return 0;
	return -ENOMEM;
}

static void search_free(struct search *search)
{
	kvfree(search->spans);
	kvfree(search->marks);
	kvfree(search->missed);
	kvfree(search->stack);
	kvfree(search->scan.ours);
	kvfree(search->scan.stacks);
	kvfree(search->leaks);
	kvfree(search);
}

/* Words that pcslab and vmalloc store themselves */

/* 2^BITS_PER_LONG / stride, rounded up, of any stride? See stride_recip(). */
static bool is_recip(unsigned long word)
{
	unsigned long stride;

	if (word < 2)
		return false;
	stride = ULONG_MAX / (word - 1);
	return stride <= PAGE_SIZE << PCSLAB_SLAB_MAX_ORDER && stride_recip(stride) == word;
}

static bool is_round(const struct span *s, unsigned int index, const char *obj,
		     const unsigned long *at)
{
	return obj == start_of(s) + index * s->owner->class->stride &&
	       load_nofault(at + 1) == (unsigned long)&s->owner->state[index];
}

static bool is_pgd(const void *at)
{
	const struct mm_struct *mm = container_of(at, struct mm_struct, pgd);

	return load_nofault(&mm->task_size) == TASK_SIZE_MAX;
}

/* The address of a page, as the page was used before. */
static bool is_old_page(unsigned long word, const unsigned long *at)
{
	return !(word & ~PAGE_MASK) && (is_recip(load_nofault(at + 1)) || is_pgd(at));
}

/* Can the list_head of a struct vmap_area be here? Their slabs are pages. */
static bool is_place_of_list(unsigned long addr)
{
	unsigned long start = addr - offsetof(struct vmap_area, list);

	return addr >= PAGE_OFFSET && (start & ~PAGE_MASK) % sizeof(struct vmap_area) == 0;
}

/*
 * Is this a struct vmap_area, used or freed? One that ends where an area begins
 * has its address, too. A caller may store addresses of vmalloc in a row, so it
 * must also be in such a slab, and in a list, alone or with another one.
 */
static bool is_vmap_area(const struct vmap_area *va)
{
	unsigned long start = load_nofault(&va->va_start), end = load_nofault(&va->va_end);
	unsigned long next = load_nofault(&va->list.next), prev = load_nofault(&va->list.prev);

	return start < end && !((start | end) & ~PAGE_MASK) && is_vmalloc_addr((void *)start) &&
	       is_place_of_list((unsigned long)&va->list) && next && prev &&
	       (next == prev || is_place_of_list(next) || is_place_of_list(prev));
}

/* Is this a struct vm_struct, used or freed? It has a guard page. */
static bool is_vm_struct(const struct vm_struct *vm)
{
	unsigned long pages = load_nofault(&vm->nr_pages) & UINT_MAX;

	return pages && load_nofault(&vm->size) == (pages + 1) << PAGE_SHIFT;
}

static bool is_book_of_area(const struct span *s, const char *obj, const void *at)
{
	void *owner;

	if (obj != start_of(s))
		return false;
	if (is_vm_struct(container_of(at, struct vm_struct, addr)) ||
	    is_vmap_area(container_of(at, struct vmap_area, va_start)) ||
	    is_vmap_area(container_of(at, struct vmap_area, va_end)))
		return true;
	return large_owner(s->page, &owner) && large_area(owner) &&
	       at == &large_area(owner)->addr;
}

/* struct slab_sheaf of mm/slub.c: what it begins with. */
struct sheaf {
	void *unused[2];
	void *cache;
	unsigned int size;
	int node;
	void *objects[];
};

/* The kmem_cache of the slab at @addr, which is any word, if there is one. */
static const void *kmem_cache_at(const struct pcslab_scan *scan, const void *addr)
{
	struct page *page;

	if (scan_page_nr(addr) >= scan->nr_pages || !virt_addr_valid(addr))
		return NULL;
	page = scan_head_of(direct_map_page((unsigned long)addr));
	return (const void *)load_nofault(&page->lru.next);
}

/* The kmem_cache of all kmem_caches is one of its own objects. */
static bool is_kmem_cache(const struct pcslab_scan *scan, const void *cache)
{
	const void *caches = kmem_cache_at(scan, cache);

	return caches && kmem_cache_at(scan, caches) == caches;
}

/*
 * Is the word left over in a sheaf that is an object of @bytes? The objects in
 * a sheaf are of its kmem_cache. An empty sheaf cannot be told from a caller's
 * structure in memory of SLUB that has a kmem_cache and a small number in front
 * of a pointer.
 */
static bool is_left_in(const struct pcslab_scan *scan, const void *at, unsigned long bytes)
{
	const struct sheaf *sheaf = PTR_ALIGN_DOWN(at, bytes);
	unsigned long size = load_nofault(&sheaf->size) & UINT_MAX;
	const void *cache = (const void *)load_nofault(&sheaf->cache);

	if (at < (const void *)&sheaf->objects[size] || !is_kmem_cache(scan, cache) ||
	    !is_kmem_cache(scan, kmem_cache_at(scan, sheaf)))
		return false;
	return !size ||
	       kmem_cache_at(scan, (const void *)load_nofault(&sheaf->objects[0])) == cache;
}

static bool is_in_sheaf(const struct pcslab_scan *scan, const void *at)
{
	unsigned long bytes;

	for (bytes = 64; COMPAT_HAS_SHEAVES && bytes <= PAGE_SIZE; bytes *= 2) {
		if (is_left_in(scan, at, bytes))
			return true;
	}
	return false;
}

/* Reaching */

static void reach(struct search *search, struct span *s, unsigned int index)
{
	if (!__test_and_set_bit(s->first + index, search->marks))
		search->stack[search->depth++] = (struct reached){ s - search->spans, index };
}

static void found_in_slab(struct search *search, struct span *s, unsigned long word,
			  const void *at)
{
	unsigned int index = (word - (s->at << PAGE_SHIFT)) / s->owner->class->stride;

	if (index < s->nr && !is_round(s, index, (const char *)word, at))
		reach(search, s, index);
}

static void found(struct pcslab_scan *scan, unsigned long word, const void *at)
{
	struct search *search = search_of(scan);
	struct span *s = span_at(search, word >> PAGE_SHIFT);

	if (!s || is_old_page(word, at) || is_in_sheaf(scan, at))
		return;
	preempt_disable();	/* keeps what the span leads to */
	if (!is_same(s))
		;
	else if (s->owner)
		found_in_slab(search, s, word, at);
	else if (!is_area(s) || !is_book_of_area(s, (const char *)word, at))
		reach(search, s, 0);
	preempt_enable();
}

/* A page of an area has no span, and only the first one has a mark. */
static bool owns(struct pcslab_scan *scan, const void *addr)
{
	struct span *s = span_at(search_of(scan), (unsigned long)addr >> PAGE_SHIFT);

	return !s || was_same(s);
}

static int pause(struct pcslab_scan *scan)
{
	cond_resched();
	if (fatal_signal_pending(current))
		return -EINTR;
	return READ_ONCE(search_of(scan)->heap->dying) ? -ENOENT : 0;
}

/* The state of an object, and its size; PCSLAB_OBJ_NONE if its slab is gone. */
static u8 state_of(const struct span *s, unsigned int index, size_t *size, size_t *offset)
{
	u8 state = PCSLAB_OBJ_NONE;

	*offset = 0;
	*size = s->pages << PAGE_SHIFT;
	preempt_disable();
	if (is_same(s)) {
		state = page_has_tag(s->page, &pcslab_rcu_tag) ? PCSLAB_OBJ_RCU : PCSLAB_OBJ_LIVE;
		if (s->owner) {
			state = READ_ONCE(s->owner->state[index]);
			*size = s->owner->class->size;
			*offset = index * s->owner->class->stride;
		}
	}
	preempt_enable();
	return state;
}

/* Objects from vmalloc may be of any size. */
static int read_words(struct search *search, const char *from, size_t size)
{
	const char *end = from + size, *to;
	int err = 0;

	for (; from < end && !err; from = to) {
		to = from + min_t(size_t, end - from, SZ_1M);
		pcslab_scan_words(&search->scan, from, to);
		if (to < end)
			err = pause(&search->scan);
	}
	return err;
}

static int read_object(struct search *search, struct reached r)
{
	const struct span *s = &search->spans[r.span];
	size_t size, offset;

	if (pcslab_counts_as_live(state_of(s, r.index, &size, &offset)))
		return read_words(search, start_of(s) + offset, size);
	return 0;
}

static int read_reached(struct search *search)
{
	int err = 0;

	while (search->depth && !err) {
		err = read_object(search, search->stack[--search->depth]);
		if (++search->paused % BATCH == 0 && !err)
			err = pause(&search->scan);
	}
	return err;
}

/* Passes */

/* Call @fn for each object and its state. */
static int visit_objects(struct search *search,
			 void (*fn)(struct search *search, struct span *s,
				    unsigned int index, u8 state))
{
	size_t size, offset;
	unsigned int i;
	struct span *s;
	int err = 0;

	for (s = search->spans; s < spans_end(search); s++) {
		for (i = 0; i < s->nr; i++)
			fn(search, s, i, state_of(s, i, &size, &offset));
		if (++search->paused % BATCH == 0)
			err = pause(&search->scan) ?: err;
	}
	return err;
}

/* Readers may still use what waits for a grace period. */
static void reach_waiting(struct search *search, struct span *s, unsigned int index, u8 state)
{
	search->leaks->objects += pcslab_counts_as_live(state);
	if (state == PCSLAB_OBJ_RCU)
		reach(search, s, index);
}

static void note_page(struct search *search, const struct page *page)
{
	unsigned long nr = page ? scan_page_nr(page_address(page)) : ULONG_MAX;

	if (nr < search->scan.nr_pages)
		__set_bit(nr, search->scan.ours);
}

/* The pages of an area are where the kernel's page tables say. */
static void note_pages(struct search *search)
{
	unsigned long i;
	struct span *s;
	bool same;

	bitmap_zero(search->scan.ours, search->scan.nr_pages);
	for (s = search->spans; s < spans_end(search); s++) {
		same = was_same(s);
		for (i = 0; same && i < s->pages; i++)
			note_page(search, is_area(s) ?
				  vmalloc_to_page(start_of(s) + (i << PAGE_SHIFT)) : s->page + i);
	}
}

static int make_pass(struct search *search)
{
	bitmap_zero(search->marks, search->nr_objects);
	search->depth = 0;
	search->leaks->objects = 0;
	note_pages(search);
	return visit_objects(search, reach_waiting) ?:
	       pcslab_scan_memory(&search->scan) ?: read_reached(search);
}

/*
 * No address of an object is computed here: it would be on a stack in the next
 * pass.
 */
static void suspect(struct search *search, struct span *s, unsigned int index, u8 state)
{
	unsigned long nr = s->first + index;
	bool same;

	if (state != PCSLAB_OBJ_LIVE || test_bit(nr, search->marks))
		return;
	preempt_disable();
	same = is_same(s) && (!s->owner || cmpxchg(&s->owner->state[index], PCSLAB_OBJ_LIVE,
						   PCSLAB_OBJ_SUSPECT) == PCSLAB_OBJ_LIVE);
	preempt_enable();
	if (!same)
		return;
	__set_bit(nr, search->missed);
	search->leaks->suspects++;
}

static bool is_leak(struct search *search, struct span *s, unsigned int index)
{
	unsigned long nr = s->first + index;

	return test_bit(nr, search->missed) && !test_bit(nr, search->marks);
}

/* The report */

static bool is_row(const struct row *a, const struct row *b)
{
	return a->site == b->site && a->size == b->size && !strcmp(a->cache, b->cache);
}

static void leaks_add(struct pcslab_leaks *leaks, const struct row *leak)
{
	struct row *row = &leaks->others;
	unsigned int i;

	for (i = 0; i < leaks->nr && !is_row(&leaks->row[i], leak); i++)
		;
	if (i < NR_ROWS)
		row = &leaks->row[i];
	if (i == leaks->nr && i < NR_ROWS) {
		leaks->nr++;
		*row = (struct row){ .site = leak->site, .size = leak->size };
		strscpy(row->cache, leak->cache, sizeof(row->cache));
	}
	row->objects++;
	row->bytes += leak->bytes;
	row->age = max(row->age, leak->age);
}

/* At least 1, because 0 is unknown. */
static u32 age_of(u32 time)
{
	return max(pcslab_now() - time, 1U);
}

static void set_cache(struct row *row, struct pcslab_heap *heap)
{
	strscpy(row->cache, heap->parent ? kbasename(heap->name) : "-", sizeof(row->cache));
}

static void add_object(struct search *search, struct span *s, unsigned int index, u8 state)
{
	struct row leak = {};

	if (state != PCSLAB_OBJ_SUSPECT || !is_leak(search, s, index))
		return;
	preempt_disable();	/* keeps the slab; a free may have emptied it */
	if (is_same(s)) {
		set_cache(&leak, s->owner->class->heap);
		leak.bytes = s->owner->class->size;
		leak.size = leak.bytes;
		if (s->owner->class->flags & PCSLAB_SITED) {
			leak.site = READ_ONCE(pcslab_sites(s->owner)[index]);
			leak.age = age_of(READ_ONCE(*pcslab_time(s->owner, index)));
		}
		leaks_add(search->leaks, &leak);
	}
	preempt_enable();
}

/* Large objects that came after the mark are before it in the list. */
static void add_large(struct page *page, void *arg)
{
	struct search *search = arg;
	struct row leak = {};
	struct pcslab_note *note;
	struct pcslab_heap *heap;
	struct span *s;
	void *owner;

	if (!large_owner(page, &owner))
		return;
	heap = large_class_by(owner)->heap;
	search->old |= page == heap->large_old;
	s = span_at(search, (unsigned long)(large_area(owner) ? large_area(owner)->addr :
					    page_address(page)) >> PAGE_SHIFT);
	if (!search->old || !s || s->page != page || !is_leak(search, s, 0))
		return;
	note = large_note(owner);
	set_cache(&leak, heap);
	leak.bytes = large_pages(page, owner) << PAGE_SHIFT;
	if (note && note->site) {
		leak.site = READ_ONCE(note->site);
		leak.age = age_of(note->time);
	}
	leaks_add(search->leaks, &leak);
}

static void add_large_of(struct search *search, struct pcslab_heap *heap)
{
	search->old = false;
	pcslab_large_walk(heap, add_large, search);
}

static void mark_large(struct search *search, struct pcslab_heap *heap)
{
	pcslab_large_set_old(heap, true);
}

static void unmark_large(struct search *search, struct pcslab_heap *heap)
{
	pcslab_large_set_old(heap, false);
}

static void clear_suspect(struct search *search, struct span *s, unsigned int index, u8 state)
{
	if (state != PCSLAB_OBJ_SUSPECT)
		return;
	preempt_disable();
	if (is_same(s))
		cmpxchg(&s->owner->state[index], PCSLAB_OBJ_SUSPECT, PCSLAB_OBJ_LIVE);
	preempt_enable();
}

static int by_bytes(const void *a, const void *b)
{
	u64 x = ((const struct row *)a)->bytes, y = ((const struct row *)b)->bytes;

	return x < y ? 1 : -(x > y);
}

static int make_passes(struct search *search)
{
	int err = make_pass(search) ?: visit_objects(search, suspect);

	if (err)
		return err;
	pcslab_grace_period();
	msleep(PAUSE_MS);
	err = make_pass(search) ?: visit_objects(search, add_object);
	if (err)
		return err;
	for_family(search, add_large_of);
	sort(search->leaks->row, search->leaks->nr, sizeof(search->leaks->row[0]), by_bytes, NULL);
	return 0;
}

static void publish(struct search *search)
{
	mutex_lock(&report_lock);
	swap(search->leaks, search->heap->leaks);
	mutex_unlock(&report_lock);
}

static int search_run(struct search *search)
{
	ktime_t start = ktime_get();
	int err;

	pcslab_heap_shrink(search->heap);
	for_family(search, mark_large);
	err = take_snapshot(search) ?: make_room(search);
	if (!err) {
		err = make_passes(search);
		visit_objects(search, clear_suspect);
	}
	for_family(search, unmark_large);
	if (err)
		return err;
	search->leaks->pages = search->scan.pages;
	search->leaks->ms = ktime_ms_delta(ktime_get(), start);
	publish(search);
	return 0;
}

/* @frame: see struct pcslab_scan. */
static int scan_heap(struct pcslab_heap *heap, const void *frame)
{
	struct search *search = kvzalloc(sizeof(*search), GFP_KERNEL);
	int err;

	if (!search)
		return -ENOMEM;
	search->heap = heap;
	search->scan.frame = frame;
	search->scan.owns = owns;
	search->scan.found = found;
	search->scan.pause = pause;
	err = search_run(search);
	search_free(search);
	return err;
}

/* The live heap of this name, referenced, or NULL. */
static struct pcslab_heap *heap_named(const char *name)
{
	struct pcslab_heap *heap = pcslab_heap_after(NULL, 0);

	for (; heap; heap = pcslab_heap_after(heap, heap->id)) {
		if (!heap->parent && !READ_ONCE(heap->dying) && !strcmp(heap->name, name))
			return heap;
	}
	return NULL;
}

static void show_file(struct pcslab_heap *heap)
{
	mutex_lock(&pcslab_heaps_lock);
	if (!READ_ONCE(heap->dying))
		pcslab_debugfs_add_leaks(heap);
	mutex_unlock(&pcslab_heaps_lock);
}

static int scan_named(const char *name, const void *frame)
{
	struct pcslab_heap *heap;
	int err;

	/* Not all memory is in the direct map, or pointers have tags. */
	if (IS_ENABLED(CONFIG_HIGHMEM) || IS_ENABLED(CONFIG_KASAN_SW_TAGS) ||
	    IS_ENABLED(CONFIG_KASAN_HW_TAGS))
		return -EOPNOTSUPP;
	heap = heap_named(name);
	if (!heap) {
		pr_err("there is no heap %s to scan\n", name);
		return -ENOENT;
	}
	show_file(heap);
	if (mutex_trylock(&scan_lock)) {
		err = scan_heap(heap, frame);
		mutex_unlock(&scan_lock);
	} else {
		err = -EBUSY;
	}
	pcslab_heap_put(heap);
	return err;
}

/*
 * Other parameters can be written during the scan, this one too: a second scan
 * is refused and does not wait.
 */
static int set_scan(const char *value, const struct kernel_param *unused)
{
	char name[PCSLAB_NAME_LEN + 1];
	int err;

	if (strscpy(name, value, sizeof(name)) < 0)
		return -EINVAL;
	/* The heap's reference must be dropped before pcslab goes. */
	if (!try_module_get(THIS_MODULE))
		return -EBUSY;
	kernel_param_unlock(THIS_MODULE);
	err = scan_named(strim(name), __builtin_frame_address(0));
	kernel_param_lock(THIS_MODULE);
	module_put(THIS_MODULE);
	return err;
}

static const struct kernel_param_ops scan_ops = { .set = set_scan };
module_param_cb(scan, &scan_ops, NULL, 0200);
__MODULE_PARM_TYPE(scan, "name");
MODULE_PARM_DESC(scan, "name of a heap to search for leaks; its file leaks in debugfs then has the result");

static void show_row(struct seq_file *m, const struct row *row, const char *name)
{
	char size[12] = "-", age[12] = "-";

	/* The others are of any size and cache. */
	if (row->cache[0])
		snprintf(size, sizeof(size), row->size ? "%u" : "large", row->size);
	if (row->age)
		snprintf(age, sizeof(age), "%u", row->age);
	seq_printf(m, "%8llu %12llu %5s %7s %-12s ", row->objects, row->bytes, size, age,
		   row->cache[0] ? row->cache : "-");
	pcslab_site_show(m, name);
}

static void show_sums(struct seq_file *m, const struct pcslab_leaks *leaks)
{
	seq_printf(m, "# %u passes, %llu pages, %llu ms\n", PASSES, leaks->pages, leaks->ms);
	seq_printf(m, "# %llu live objects, %llu not reached by the first pass\n",
		   leaks->objects, leaks->suspects);
	if (IS_ENABLED(CONFIG_DEBUG_KMEMLEAK))
		seq_puts(m, "# kmemleak has the address of every object; turn it off\n");
}

/**
 * pcslab_leaks_show() - print what the last scan found as lines of a file
 * @m: the file
 * @heap: the heap
 *
 * Context: process. May sleep.
 */
void pcslab_leaks_show(struct seq_file *m, struct pcslab_heap *heap)
{
	struct pcslab_leaks *leaks;
	unsigned int i;

	mutex_lock(&report_lock);
	leaks = heap->leaks;
	for (i = 0; leaks && i < leaks->nr; i++)
		show_row(m, &leaks->row[i], pcslab_site_name(leaks->row[i].site));
	if (leaks && leaks->others.objects)
		show_row(m, &leaks->others, "others");
	if (leaks)
		show_sums(m, leaks);
	else
		seq_puts(m, "# no scan has ended yet\n");
	mutex_unlock(&report_lock);
}

/**
 * pcslab_leaks_free() - free what the last scan found
 * @heap: the heap, which goes
 */
void pcslab_leaks_free(struct pcslab_heap *heap)
{
	kvfree(heap->leaks);
}
