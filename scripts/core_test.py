#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of pcslabcore.py on a memory that is made here: damage, and versions that do not fit.

What is right about a real memory is tested by runs/crash.run."""

import os
import struct
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
SCRIPTS = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, SCRIPTS)
import pcslabcore  # noqa: E402 pylint: disable=wrong-import-position
from pcslabstat import Trouble  # noqa: E402 pylint: disable=wrong-import-position

MODULE = 0xffffffffc0123000
LAYOUT = MODULE + 64
FACTS = MODULE + 0x200
HEAPS = MODULE + 0x3000
HEAP, CLASS, SLAB, SITE = 0x10000, 0x20000, 0x30000, 0x40000
OBJECTS = 0x50000
NODES = 2

# Structures of this test alone: no offset is one of pcslab's.
MADE = {
    "pointer": (8, 0), "page_shift": (12, 0), "classes": (2, 0), "tracked": (1, 0),
    "state.free": (0, 0), "state.cached": (1, 0), "state.live": (2, 0), "state.suspect": (3, 0),
    "state.pending": (4, 0), "state.deferred": (5, 0), "state.rcu": (6, 0),
    "heaps": (HEAPS, 16), "large_tag": (0x71, 8), "vmalloc_tag": (0x72, 8), "rcu_tag": (0x73, 8),
    "heap.node": (0, 16), "heap.name": (16, 16), "heap.id": (32, 8), "heap.owner_name": (40, 16),
    "heap.dying": (56, 1), "heap.zombie": (57, 1), "heap.class": (64, 24), "heap.large": (88, 8),
    "depot": (32, 0), "depot.all": (8, 16), "class.size": (0, 4), "class.stride": (4, 4),
    "class.flags": (8, 1), "class.depot": (16, 0),
    "slab.all": (0, 16), "slab.base": (16, 8), "slab.nr": (24, 2), "slab.order": (26, 1),
    "slab.sites_at": (28, 4), "slab.state": (32, 0), "site.name": (8, 0),
}
SIZE, STRIDE, NR = 1000, 1016, 4


class Memory:
    """Bytes by page."""

    def __init__(self):
        self.pages = {}

    def write(self, address, data):
        for at, byte in enumerate(data, address):
            self.pages.setdefault(at >> 12, bytearray(4096))[at & 4095] = byte

    def words(self, address, *words):
        self.write(address, struct.pack("<%dQ" % len(words), *words))

    def read(self, address, size):
        try:
            return bytes(self.pages[at >> 12][at & 4095] for at in range(address, address + size))
        except KeyError as error:
            raise pcslabcore.Unreadable("%#x" % address) from error


def write_layout(memory, version=1, without=None):
    facts = {name: fact for name, fact in MADE.items() if name != without}
    memory.write(LAYOUT, pcslabcore.MAGIC + struct.pack(
        "<4I5Q", version, 48, 32, len(facts), FACTS, LAYOUT, 0, 0, NODES))
    for index, (name, fact) in enumerate(facts.items()):
        memory.write(FACTS + 48 * index, struct.pack("<32s2Q", name.encode(), *fact))


def memory_with_a_heap(**changes):
    """A heap with a class, one slab of which is on the second node."""
    memory = Memory()
    write_layout(memory, **changes)
    memory.words(HEAPS, HEAP, HEAP)
    memory.words(HEAP, HEAPS, HEAPS)
    memory.write(HEAP + 16, b"made")
    memory.words(HEAP + 32, 7)
    memory.write(HEAP + 40, b"maker")
    memory.words(HEAP + 64, 0, CLASS, 0, 0)
    depot = CLASS + 16 + 32
    memory.write(CLASS, struct.pack("<2IB", SIZE, STRIDE, 1))
    memory.words(depot + 8, SLAB, SLAB)
    memory.words(SLAB, depot + 8, depot + 8)
    memory.write(SLAB + 16, struct.pack("<QHBxI", OBJECTS, NR, 0, 48))
    memory.write(SLAB + 32, bytes((2, 0, 6, 1)))
    memory.words(SLAB + 48, SITE, 0, 0, 0)
    memory.write(SITE + 8, b"maker+0x1/0x2 [maker]\0")
    return memory


def ask(memory, *words):
    args = pcslabcore.parser_of("test").parse_args(words)
    return list(pcslabcore.answer(memory.read, args))


class Core(unittest.TestCase):
    """The answers, and the lines that say why there is none."""

    def trouble(self, text, memory, *words):
        with self.assertRaises(Trouble) as caught:
            ask(memory, *words)
        self.assertIn(text, str(caught.exception))

    def test_answers(self):
        memory = memory_with_a_heap()
        self.assertEqual(ask(memory, "heaps")[1].split(),
                         ["made", "live", "2", "2000", "0", "7", "maker"])
        self.assertEqual(ask(memory, "classes", "made")[1].split(),
                         ["1000", "1", "4", "2", "1", "1", "0"])
        self.assertEqual(ask(memory, "sites", "#7")[1:],
                         ["       1         1000 maker+0x1/0x2 [maker]",
                          "       1         1000 unknown -"])
        self.assertEqual([line.split()[:3] for line in ask(memory, "live", "made")[1:]],
                         [["0x0000000000050000", "1000", "live"],
                          ["0x00000000000507f0", "1000", "rcu"]])

    def test_whatis(self):
        def said(offset):
            return ask(memory_with_a_heap(), "whatis", "%x" % (OBJECTS + offset))
        self.assertEqual(said(5), [
            "heap made, class 1000, object 0 of 4, offset 5: live",
            "before it: none; behind it: free", "last call: maker+0x1/0x2 [maker]"])
        self.assertEqual(said(3 * STRIDE), [
            "heap made, class 1000, object 3 of 4, offset 0: free, in a magazine",
            "before it: freed, waits for a grace period; behind it: none"])
        self.assertEqual(said(4 * STRIDE), [
            "heap made, class 1000, behind the last object of a slab"])
        self.assertEqual(said(4096), ["not in memory of pcslab"])

    def test_copy_of_the_layout(self):
        memory = memory_with_a_heap()
        memory.write(MODULE - 4096, memory.read(LAYOUT, 80))
        self.assertEqual(len(ask(memory, "heaps")), 2)

    def test_no_layout(self):
        # Elsewhere than modules are, for the search of all their pages takes seconds.
        self.trouble("cannot be read: no memory at 0x1010", Memory(), "--layout", "1000", "heaps")
        memory = memory_with_a_heap()
        self.trouble("no layout of pcslab at 0x10000", memory, "--layout", "10000", "heaps")

    def test_other_versions(self):
        self.trouble("has version 2 of its layout", memory_with_a_heap(version=2), "heaps")
        self.trouble("its layout lacks slab.nr", memory_with_a_heap(without="slab.nr"), "heaps")

    def test_state_that_is_none(self):
        memory = memory_with_a_heap()
        memory.write(SLAB + 32, b"\x99")
        self.assertEqual(ask(memory, "classes", "made")[1].split()[-1], "1")
        self.assertIn("of an unknown state", ask(memory, "whatis", "%x" % OBJECTS)[0])

    def test_damage(self):
        memory = memory_with_a_heap()
        memory.words(SLAB, SLAB)
        back = "comes back to 0x30000"
        self.trouble("damaged: the list at 0x20038 " + back, memory, "live", "made")
        self.assertIn(back, ask(memory, "heaps")[1])
        memory.words(SLAB, 0xdead000000000100)
        self.trouble("damaged: no memory at 0xdead00000000011a", memory, "live", "made")

    def test_damage_of_another_heap(self):
        memory = memory_with_a_heap()
        other = HEAP + 0x1000
        memory.write(other, memory.read(HEAP, 128))
        memory.write(other + 16, b"bad!")
        memory.words(other + 64, 0x666)
        memory.words(HEAPS, other)
        memory.words(other, HEAP)
        self.assertEqual([line.split()[:3] for line in ask(memory, "heaps")[1:]],
                         [["bad!", "live", "damaged:"], ["made", "live", "2"]])
        self.assertIn("heap made", ask(memory, "whatis", "%x" % OBJECTS)[0])
        self.assertEqual(ask(memory, "whatis", "1"), [
            "heap bad! is damaged: no memory at 0x666", "not in memory of pcslab"])

    def test_heaps_of_one_name(self):
        memory = memory_with_a_heap()
        self.trouble("there is no heap other", memory, "live", "other")
        other = HEAP + 0x1000
        memory.write(other, memory.read(HEAP, 128))
        memory.words(other + 32, 8)
        memory.write(other + 56, b"\1\1")
        memory.words(HEAP, other)
        self.assertEqual([line.split()[:2] for line in ask(memory, "heaps")[1:]],
                         [["made", "live"], ["made", "zombie"]])
        ask(memory, "live", "made")
        memory.write(HEAP + 56, b"\1\1")
        self.trouble("several zombies made: give one of #7 #8", memory, "live", "made")
        memory.write(HEAP + 56, b"\1\0")
        self.assertEqual(len(ask(memory, "heaps")), 2)

    def test_drgn_is_missing(self):
        # -S: without the packages that this machine has.
        done = subprocess.run(
            [sys.executable, "-S", os.path.join(SCRIPTS, "pcslab-drgn"), "--core", "none", "heaps"],
            capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertEqual(len(done.stderr.splitlines()), 1)


if __name__ == "__main__":
    unittest.main()
