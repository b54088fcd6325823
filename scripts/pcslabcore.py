# SPDX-License-Identifier: GPL-2.0
"""Reads the heaps of pcslab from the memory of a kernel, which runs or has crashed.

This is what the scripts for drgn and for gdb share. Each of them gives a function
read(address, size), which raises Unreadable where there is no memory. Nothing else is needed:
offsets, addresses and constants are in the module (src/layout.c)."""

import argparse
from collections import Counter, namedtuple

from pcslabstat import Trouble

MAGIC = b"pcslab layout\0\0\0"
VERSION = 1
# Of the head of the layout: its words after the magic bytes, as in src/layout.c.
HEAD = (("version", 4), ("fact_bytes", 4), ("name_bytes", 4), ("nr_facts", 4), ("facts", 8),
        ("self", 8), ("memory_map", 8), ("direct_map", 8), ("nodes", 8))
# Where x86-64 has its modules, with and without CONFIG_RANDOMIZE_BASE.
MODULES = ((0xffffffffc0000000, 0xffffffffff000000), (0xffffffffa0000000, 0xffffffffc0000000))
SMALLEST_PAGE = 4096

# What pcslab_describe() says; no state at all is past the last object.
STATES = {"free": "free", "cached": "free, in a magazine", "live": "live", "suspect": "live",
          "pending": "being freed", "deferred": "being freed",
          "rcu": "freed, waits for a grace period", None: "none"}
# Those that the statistics and the audit count as live.
LIVE = ("live", "suspect", "rcu")

Heap = namedtuple("Heap", "address name id state owner")
Class = namedtuple("Class", "address size stride tracked")
Slab = namedtuple("Slab", "base bytes states size stride sites")
Object = namedtuple("Object", "address size state site")


class Damaged(Exception):
    """What should be a structure of pcslab is none; the text says what is wrong."""


class Unreadable(Damaged):
    """There is no memory at an address, or the dump lacks it; the text is the address."""

    def __str__(self):
        return "no memory at %s" % self.args


def number(data):
    return int.from_bytes(data, "little")


def find_layout(read):
    """The address of the layout, by its magic bytes."""
    for begin, end in MODULES:
        for page in range(begin, end, SMALLEST_PAGE):
            try:
                at = read(page, SMALLEST_PAGE).find(MAGIC)
            except Unreadable:
                continue
            if at >= 0 and read_head(read, page + at)["self"] == page + at:
                return page + at
    raise Trouble("no layout of pcslab is found in this memory: see the limits in the manual page")


def read_head(read, address):
    head = {}
    address += len(MAGIC)
    for name, size in HEAD:
        head[name] = number(read(address, size))
        address += size
    return head


def read_facts(read, head):
    """Value and bytes by name."""
    facts = {}
    size, length = head["fact_bytes"], head["name_bytes"]
    data = read(head["facts"], size * head["nr_facts"])
    for at in range(0, len(data), size):
        name = data[at:at + length].rstrip(b"\0").decode()
        facts[name] = (number(data[at + length:at + length + 8]),
                       number(data[at + length + 8:at + length + 16]))
    return facts


class Core:
    """The heaps in a memory that read() reads."""

    def __init__(self, read, layout=None):
        self.read = read
        layout = layout or find_layout(read)
        try:
            self.head = read_head(read, layout)
            if read(layout, len(MAGIC)) != MAGIC:
                raise Trouble("there is no layout of pcslab at %#x" % layout)
            if self.head["version"] != VERSION:
                raise Trouble("pcslab has version %d of its layout, this program knows %d"
                              % (self.head["version"], VERSION))
            self.facts = read_facts(read, self.head)
        except Unreadable as error:
            raise Trouble("the layout of pcslab cannot be read: %s" % error) from error
        self.state_names = {value: name.partition(".")[2]
                            for name, (value, _) in self.facts.items()
                            if name.startswith("state.")}

    def fact(self, name):
        try:
            return self.facts[name]
        except KeyError:
            raise Trouble("pcslab is too old, or too new: its layout lacks %s" % name) from None

    def value(self, name):
        return self.fact(name)[0]

    def pointer(self, address):
        return number(self.read(address, self.value("pointer")))

    def member(self, name, base):
        """The member of the structure at base, as a number."""
        offset, size = self.fact(name)
        return number(self.read(base + offset, size))

    def array(self, name, base):
        offset, size = self.fact(name)
        return self.read(base + offset, size)

    def text(self, address, limit=256):
        """A string that ends with a NUL, which may be the last byte of its page."""
        data = b""
        while len(data) < limit and b"\0" not in data:
            data += self.read(address + len(data), 8)
        return data.split(b"\0")[0].decode(errors="replace")

    def chain(self, head, member):
        """The structures in a list of the kernel; none if the list was never used."""
        seen = {0, head}
        node = self.pointer(head)
        while node not in seen:
            seen.add(node)
            yield node - self.value(member)
            node = self.pointer(node)
        if node not in (0, head):
            raise Damaged("the list at %#x comes back to %#x" % (head, node))

    def heaps(self):
        """Live heaps and zombies; the rest is about to be freed."""
        for heap in self.chain(self.value("heaps"), "heap.node"):
            zombie = self.member("heap.zombie", heap)
            if zombie or not self.member("heap.dying", heap):
                yield Heap(heap, self.name(heap), self.member("heap.id", heap),
                           "zombie" if zombie else "live",
                           self.array("heap.owner_name", heap).split(b"\0")[0].decode())

    def name(self, heap):
        return self.array("heap.name", heap).split(b"\0")[0].decode()

    def classes(self, heap):
        pointers = self.array("heap.class", heap.address)
        size = self.value("pointer")
        for index in range(self.value("classes")):
            address = number(pointers[index * size:(index + 1) * size])
            if address:
                yield Class(address, self.member("class.size", address),
                            self.member("class.stride", address),
                            self.member("class.flags", address) & self.value("tracked"))

    def slabs(self, cls):
        for node in range(self.head["nodes"]):
            depot = cls.address + self.value("class.depot") + node * self.value("depot")
            for slab in self.chain(depot + self.value("depot.all"), "slab.all"):
                yield self.slab(cls, slab)

    def slab(self, cls, address):
        size = 1 << self.value("page_shift") + self.member("slab.order", address)
        names = [self.state_names.get(state, "unknown")
                 for state in self.read(address + self.value("slab.state"),
                                        self.member("slab.nr", address))]
        sites = address + self.member("slab.sites_at", address) if cls.tracked else None
        return Slab(self.member("slab.base", address), size, names, cls.size, cls.stride, sites)

    def site(self, site):
        return self.text(site + self.value("site.name")) if site else None

    def slab_site(self, slab, index):
        """The last call for an object; None if it is not known."""
        if not slab.sites:
            return None
        return self.site(self.pointer(slab.sites + index * self.value("pointer")))

    def large_pages(self, heap):
        """The first page of each large object."""
        seen = {0}
        page = self.member("heap.large", heap.address)
        while page not in seen:
            seen.add(page)
            yield page
            page = self.member("page.next", page)
        if page:
            raise Damaged("the list of large objects comes back to %#x" % page)

    def large_state(self, page):
        mark = self.member("page.mark", page)
        if mark in (self.value("large_tag"), self.value("vmalloc_tag")):
            return "live"
        return "rcu" if mark == self.value("rcu_tag") else "deferred"

    def large_object(self, page):
        owner = self.member("page.owner", page)
        bits = owner & (self.value("has_note") | self.value("has_area"))
        owner -= bits
        shift = self.value("page_shift")
        if bits & self.value("has_area"):
            address = self.member("area.addr", owner)
            size = self.member("area.pages", owner) << shift
        else:
            index = (page - self.head["memory_map"]) // self.value("page")
            address = self.head["direct_map"] + (index << shift)
            # A page alone has no order: the byte is of the next one.
            head = self.member("page.flags", page) >> self.value("page.head") & 1
            size = 1 << shift + (self.member("page.order", page) if head else 0)
        site = self.site(self.member("note.site", owner)) if bits else None
        return Object(address, size, self.large_state(page), site)

    def large_objects(self, heap):
        return map(self.large_object, self.large_pages(heap))

    def live(self, heap):
        """The live objects of a heap."""
        for cls in self.classes(heap):
            for slab in self.slabs(cls):
                for index, state in enumerate(slab.states):
                    if state in LIVE:
                        yield Object(slab.base + index * slab.stride, slab.size, state,
                                     self.slab_site(slab, index))
        for obj in self.large_objects(heap):
            if obj.state in LIVE:
                yield obj

    def find_heap(self, wanted):
        """By #id, or by name, which zombies have given back."""
        found = [heap for heap in self.heaps() if wanted in (heap.name, "#%d" % heap.id)]
        found = [heap for heap in found if heap.state == "live"] or found
        if not found:
            raise Trouble("there is no heap %s" % wanted)
        if len(found) > 1:
            raise Trouble("there are several zombies %s: give one of %s"
                          % (wanted, " ".join("#%d" % heap.id for heap in found)))
        return found[0]


def heaps(core, _args):
    yield "%-16s %-6s %9s %12s %9s %6s %s" % ("#heap", "state", "live", "live_bytes", "large",
                                             "id", "owner")
    for heap in core.heaps():
        try:
            objects = list(core.live(heap))
            large = sum(1 for _ in core.large_pages(heap))
        except Damaged as error:
            yield "%-16s %-6s damaged: %s" % (heap.name, heap.state, error)
            continue
        yield "%-16s %-6s %9d %12d %9d %6d %s" % (
            heap.name, heap.state, len(objects), sum(obj.size for obj in objects), large,
            heap.id, heap.owner)


def class_row(name, slabs, states):
    """What audit has, but for what is in magazines."""
    known = sum(states[state] for state in LIVE + ("cached", "free"))
    objects = sum(states.values())
    return "%5s %6d %10d %9d %9d %9d %8d" % (
        name, slabs, objects, sum(states[state] for state in LIVE), states["cached"],
        states["free"], objects - known)


def classes(core, args):
    heap = core.find_heap(args.heap)
    yield "%5s %6s %10s %9s %9s %9s %8s" % ("#size", "slabs", "objects", "live", "cached", "free",
                                           "deferred")
    all_slabs, total = 0, Counter()
    for cls in core.classes(heap):
        slabs = list(core.slabs(cls))
        states = Counter(state for slab in slabs for state in slab.states)
        yield class_row(cls.size, len(slabs), states)
        all_slabs += len(slabs)
        total += states
    # The audit does not look at the state of a large object.
    large = Counter(live=sum(1 for _ in core.large_pages(heap)))
    if large["live"]:
        yield class_row("large", 0, large)
    yield class_row("total", all_slabs, total + large)


def sites(core, args):
    objects, size = Counter(), Counter()
    for obj in core.live(core.find_heap(args.heap)):
        site = obj.site or "unknown"
        objects[site] += 1
        size[site] += obj.size
    yield "%8s %12s site module" % ("#objects", "bytes")
    for site, _ in size.most_common():
        yield "%8d %12d %s%s" % (objects[site], size[site], site, "" if " " in site else " -")


def live(core, args):
    yield "%-18s %8s state site" % ("#address", "size")
    for obj in core.live(core.find_heap(args.heap)):
        yield "%#018x %8d %s %s" % (obj.address, obj.size, obj.state, obj.site or "-")


def describe_slab(core, heap, slab, offset):
    def state(index):
        return STATES.get(slab.states[index] if 0 <= index < len(slab.states) else None,
                          "of an unknown state")
    index, inside = divmod(offset, slab.stride)
    where = "heap %s, class %d, " % (heap.name, slab.size)
    if index >= len(slab.states):
        return [where + "behind the last object of a slab"]
    site = core.slab_site(slab, index)
    return ["%sobject %d of %d, offset %d: %s" % (where, index, len(slab.states), inside,
                                                 state(index)),
            "before it: %s; behind it: %s" % (state(index - 1), state(index + 1))] + \
        (["last call: %s" % site] if site else [])


def describe_large(heap, obj, offset):
    return ["heap %s, large object of %d bytes, offset %d: %s"
            % (heap.name, obj.size, offset, STATES[obj.state])] + \
        (["last call: %s" % obj.site] if obj.site else [])


def describe_in(core, heap, address):
    for cls in core.classes(heap):
        for slab in core.slabs(cls):
            if 0 <= address - slab.base < slab.bytes:
                return describe_slab(core, heap, slab, address - slab.base)
    for obj in core.large_objects(heap):
        if 0 <= address - obj.address < obj.size:
            return describe_large(heap, obj, address - obj.address)
    return []


def describe(core, address):
    """The same text as that of pcslab_describe(), found by a search through all heaps."""
    damage = []
    for heap in core.heaps():
        try:
            found = describe_in(core, heap, address)
        except Damaged as error:
            damage.append("heap %s is damaged: %s" % (heap.name, error))
            continue
        if found:
            return found
    return damage + ["not in memory of pcslab"]


def whatis(core, args):
    for address in args.address:
        yield from describe(core, address)


def hexadecimal(text):
    return int(text, 16)


def parser_of(program):
    parser = argparse.ArgumentParser(
        prog=program, description="Shows the heaps of pcslab in a kernel's memory.")
    parser.add_argument("--layout", type=hexadecimal, metavar="ADDRESS",
                        help="where pcslab's layout is, if it is not found: see the manual page")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("heaps", help="all heaps").set_defaults(answer=heaps)
    for function, text in ((classes, "the objects of a heap by class, as in its file audit"),
                           (sites, "the call sites of its live objects"),
                           (live, "its live objects")):
        command = commands.add_parser(function.__name__, help=text)
        command.add_argument("heap", help="name of the heap, or #ID")
        command.set_defaults(answer=function)
    command = commands.add_parser("whatis", help="what is at each address")
    command.add_argument("address", type=hexadecimal, nargs="+")
    command.set_defaults(answer=whatis)
    return parser


def answer(read, args):
    """The lines of an answer."""
    try:
        yield from args.answer(Core(read, args.layout), args)
    except Damaged as error:
        raise Trouble("what is in memory is damaged: %s" % error) from error
