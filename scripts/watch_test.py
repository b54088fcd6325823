#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of pcslabtop, pcslab-leaks and pcslab-export on files of a guest (recorded/).

With PCSLAB_PATH and PCSLAB_HEAP the class Terminal tests the files of a kernel."""

import csv
import fcntl
import importlib.machinery
import importlib.util
import io
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import types
import unittest

sys.dont_write_bytecode = True
SCRIPTS = os.path.dirname(os.path.abspath(__file__))
RECORDED = os.environ.get("PCSLAB_PATH", os.path.join(SCRIPTS, "recorded"))
HEAP = os.environ.get("PCSLAB_HEAP", "hold")


def tool(name):
    """A tool as a module."""
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"),
                                                  os.path.join(SCRIPTS, name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def call(name, *arguments):
    """A tool as a process: status, output, errors."""
    done = subprocess.run([sys.executable, os.path.join(SCRIPTS, name), *arguments],
                          capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


class Files(unittest.TestCase):
    """A copy of the recorded files, to be changed."""

    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir)
        self.path = os.path.join(self.dir, "pcslab")
        shutil.copytree(RECORDED, self.path)

    def data(self):
        with open(os.path.join(self.path, "json"), encoding="utf-8") as file:
            return json.load(file)

    def change(self, function):
        data = self.data()
        function(data)
        with open(os.path.join(self.path, "json"), "w", encoding="utf-8") as file:
            json.dump(data, file)

    def trouble(self, text, name, *arguments):
        """One line of error, the status of trouble, and nothing else."""
        status, out, err = call(name, *arguments)
        self.assertEqual((status, out, err.count("\n")), (2, "", 1), err)
        self.assertIn(text, err)

    def fails(self, text):
        self.trouble(text, "pcslabtop", "--once", "--path", self.path)
        self.trouble(text, "pcslab-export", "--path", self.path)
        self.trouble(text, "pcslab-leaks", "--path", self.path, "wait", "1")


class Errors(Files):
    def test_no_file(self):
        os.unlink(os.path.join(self.path, "json"))
        self.fails("No such file")

    def test_no_json(self):
        with open(os.path.join(self.path, "json"), "w", encoding="utf-8") as file:
            file.write("pcslab heaps version 2\n")
        self.fails("is not of format pcslab heaps")

    def test_other_format(self):
        self.change(lambda data: data.update(format="pcslab heap"))
        self.fails("is of format pcslab heap, not")

    def test_other_version(self):
        self.change(lambda data: data.update(version=2))
        self.fails("is of version 2, this program knows 1")

    def test_no_terminal(self):
        self.trouble("this is no terminal", "pcslabtop", "--path", self.path)

    def test_wrong_arguments(self):
        for arguments in (("--delay", "-1"), ("--json", "--csv"), ("--sort", "?"),
                          ("--delay", "0"), ("--once", "--delay", "nan")):
            self.assertEqual(call("pcslabtop", "--path", self.path, *arguments)[0], 2, arguments)
        for arguments in ((), ("wait", "0"), ("wait", "nan"), ("wait", "inf"),
                          ("wait", "1", "-n", "0"), ("diff", "one")):
            self.assertEqual(call("pcslab-leaks", "--path", self.path, *arguments)[0], 2,
                             arguments)


class Top(Files):
    def setUp(self):
        super().setUp()
        self.top = tool("pcslabtop")
        self.args = types.SimpleNamespace(path=self.path, heap=None)

    def rows(self, view):
        return self.top.Sampler(self.args).read(view)

    def test_sums(self):
        data = self.data()
        self.assertTrue(data["heaps"])
        for heap, row in zip(data["heaps"], self.rows("heaps")):
            parts = heap["classes"] + [heap["large"]]
            self.assertEqual(row["heap"], heap["name"])
            for key in ("allocs", "frees", "live", "live_bytes", "fails"):
                self.assertEqual(row[key], sum(part[key] for part in parts), key)
            self.assertEqual(row["held_bytes"], heap["pages"] * data["page_size"])
            self.assertGreater(row["live"], 0)

    def test_narrow(self):
        def grow(data):
            for heap in data["heaps"]:
                heap.update(name="n" * 31, pages=10 ** 12)
                for part in heap["classes"] + [heap["large"]]:
                    for key in ("allocs", "frees", "live", "live_bytes", "fails", "pages"):
                        part[key] *= 10 ** 11
        self.change(grow)
        for view in self.top.VIEWS:
            rows = self.rows(view)
            self.assertTrue(rows, view)
            for line in self.top.lines(view, rows, "c"):
                self.assertLessEqual(len(line), 80, line)
            if view != "sites":     # where the name of a module may be long
                row = self.top.row_line(view, rows[0], 80)
                self.assertLessEqual(len(row), 80, row)

    def test_sorting(self):
        for view in self.top.VIEWS:
            rows = self.rows(view)
            for letter, (field, _) in self.top.SORT.items():
                ordered = self.top.sort_rows(rows, letter)
                self.assertEqual(len(ordered), len(rows))
                if field in rows[0] and field not in ("heap",) + self.top.RATE_NAMES:
                    values = [row[field] for row in ordered]
                    self.assertEqual(values, sorted(values, reverse=True), (view, letter))

    def test_rates(self):
        first = self.rows("classes")
        second = [dict(row, allocs=row["allocs"] + 30, frees=row["frees"] + 10,
                       live_bytes=row["live_bytes"] - 500) for row in first]
        self.top.add_rates("classes", second, first, 2 * 10 ** 9)
        for row in second:
            self.assertEqual([row[name] for name in self.top.RATE_NAMES], [15, 5, -250])
        # A counter that fell has begun anew; a row that is new has no rate.
        fallen = [dict(row, allocs=0) for row in first[:1]] + [dict(first[0], id=99)]
        first[0]["allocs"] = 7
        self.top.add_rates("classes", fallen, first, 10 ** 9)
        self.assertIsNone(fallen[0]["allocs_per_s"])
        self.assertIsNone(fallen[1]["frees_per_s"])

    def test_outputs_agree(self):
        for view in self.top.VIEWS:
            options = ("--delay", "0", "--view", view, "--path", self.path)
            status, out, _ = call("pcslabtop", "--csv", *options)
            self.assertEqual(status, 0)
            lines = [line.split(",") for line in out.splitlines()]
            status, out, _ = call("pcslabtop", "--json", *options)
            data = json.loads(out)
            self.assertEqual((status, data["format"], data["version"]), (0, "pcslabtop", 1))
            self.assertEqual(lines[0][1:], list(data["rows"][0]))
            self.assertEqual([line[1:] for line in lines[1:]],
                             [["" if value is None else str(value) for value in row.values()]
                              for row in data["rows"]])

    def test_cache(self):
        """Its files are in a directory of its heap's."""
        directory = os.path.join(self.path, "heaps", HEAP)
        shutil.copytree(directory, os.path.join(self.dir, "copy"))
        shutil.move(os.path.join(self.dir, "copy"), os.path.join(directory, "cache"))
        rows = self.rows("sites")
        self.assertEqual({row["heap"] for row in rows}, {HEAP, HEAP + "/cache"})

    def test_one_heap(self):
        self.args.heap = "no such heap"
        for view in self.top.VIEWS:
            self.assertEqual(self.rows(view), [])

    def test_short(self):
        for number, text in ((0, "0"), (-5, "-5"), (9999999, "9999999"), (12345678, "12.3M"),
                             (None, "-")):
            self.assertEqual(self.top.short(number), text)
        self.assertEqual(self.top.short(3 << 30, 1024, 6), "3.0G")


class Leaks(Files):
    def setUp(self):
        super().setUp()
        self.files = [os.path.join(self.dir, name) for name in ("a", "b", "c")]

    def snapshot(self, file):
        self.assertEqual(call("pcslab-leaks", "--path", self.path, "snapshot", file)[0], 0)

    def later(self, objects):
        def grow(data):
            data["time_ns"] += 10 ** 10
            row = data["heaps"][0]["classes"][0]
            row["live"] += objects
            row["live_bytes"] += objects * row["size"]
        self.change(grow)

    def test_nothing(self):
        self.snapshot(self.files[0])
        self.later(-1)
        self.snapshot(self.files[1])
        status, out, _ = call("pcslab-leaks", "diff", *self.files[:2])
        self.assertEqual((status, out.splitlines()[1]), (0, "nothing grew"))

    def test_growth(self):
        self.snapshot(self.files[0])
        self.later(5)
        self.snapshot(self.files[1])
        status, out, _ = call("pcslab-leaks", "diff", *self.files[:2])
        size = self.data()["heaps"][0]["classes"][0]["size"]
        self.assertEqual(status, 1)
        self.assertIn(" ".join([str(5 * size), "+5", HEAP, str(size)]), " ".join(out.split()))

    def test_sites(self):
        self.snapshot(self.files[0])
        self.later(0)
        sites = os.path.join(self.path, "heaps", HEAP, "sites")
        with open(sites, "a", encoding="utf-8") as file:
            file.write("       3          300 leak+0x1/0x2 [leaky]\n")
        self.snapshot(self.files[1])
        status, out, _ = call("pcslab-leaks", "diff", *self.files[:2])
        self.assertEqual(status, 1)
        self.assertIn("300 +3 %s leak+0x1/0x2 leaky" % HEAP, " ".join(out.split()))

    def test_each_interval(self):
        for file, objects in zip(self.files, (0, 5, 0)):
            self.later(objects)
            self.snapshot(file)
        self.assertEqual(call("pcslab-leaks", "diff", *self.files)[0], 0)
        self.assertEqual(call("pcslab-leaks", "diff", *self.files[:2])[0], 1)

    def test_wrong_files(self):
        self.snapshot(self.files[0])
        self.later(0)
        self.snapshot(self.files[1])
        self.trouble("order", "pcslab-leaks", "diff", self.files[1], self.files[0])
        with open(self.files[1], encoding="utf-8") as file:
            data = json.load(file)
        data["boot"] = "another"
        with open(self.files[1], "w", encoding="utf-8") as file:
            json.dump(data, file)
        self.trouble("different boots", "pcslab-leaks", "diff", *self.files[:2])
        self.trouble("not", "pcslab-leaks", "diff", self.files[0], os.path.join(self.path, "json"))
        del data["sites"]
        with open(self.files[1], "w", encoding="utf-8") as file:
            json.dump(data, file)
        self.trouble("damaged", "pcslab-leaks", "diff", *self.files[:2])
        with open(self.files[1], "wb") as file:
            file.write(b"\xff\xfe")
        self.trouble("is no text", "pcslab-leaks", "diff", *self.files[:2])


class Export(Files):
    """What `promtool check metrics` demands, and the numbers."""

    SAMPLE = re.compile(r'([a-z][a-z0-9_]*)'
                        r'(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (-?\d+)')

    def samples(self):
        """Checks the text; the values by name and labels."""
        status, out, err = call("pcslab-export", "--path", self.path)
        self.assertEqual((status, err, out[-1]), (0, "", "\n"))
        values, kinds, helped, last = {}, {}, set(), None
        for line in out.splitlines():
            if line.startswith("# HELP "):
                last = line.split()[2]
                self.assertNotIn(last, helped)
                self.assertGreater(len(line.split()), 3)
                helped.add(last)
            elif line.startswith("# TYPE "):
                _, _, name, kinds[name] = line.split()
                self.assertEqual(name, last)
            else:
                match = self.SAMPLE.fullmatch(line)
                self.assertTrue(match, line)
                self.assertEqual(match[1], last)
                self.assertNotIn((match[1], match[2]), values)
                values[match[1], match[2]] = int(match[3])
        for name, kind in kinds.items():
            self.assertEqual(name.endswith("_total"), kind == "counter", name)
            self.assertTrue(name.startswith("pcslab_"))
        self.assertEqual(set(kinds), helped)
        return values

    def test_numbers(self):
        values = self.samples()
        data = self.data()
        for heap in data["heaps"]:
            labels = 'heap="%s",id="%d"' % (heap["name"], heap["id"])
            self.assertEqual(values["pcslab_held_bytes", labels],
                             heap["pages"] * data["page_size"])
            self.assertEqual(values["pcslab_bad_frees_total", labels], heap["bad_frees"])
            for row in heap["classes"]:
                of_class = labels + ',size="%d"' % row["size"]
                self.assertEqual(values["pcslab_allocations_total", of_class], row["allocs"])
                self.assertEqual(values["pcslab_live_bytes", of_class], row["live_bytes"])

    def test_caches(self):
        """The pages of a cache are its heap's, but the memory it holds is its own."""
        def add_cache(data):
            heap = data["heaps"][0]
            cache = dict(heap, name="hold/fixed", id=99, pages=0, classes=heap["classes"][:1])
            cache["large"] = dict.fromkeys(heap["large"], 0)
            heap["pages"] += 1000
            data["heaps"].append(cache)
        self.change(add_cache)
        data = self.data()
        heap, cache = data["heaps"][0], data["heaps"][-1]
        held = {labels for name, labels in self.samples() if name == "pcslab_held_bytes"}
        self.assertIn('heap="hold",id="%d"' % heap["id"], held)
        self.assertNotIn('heap="hold/fixed",id="99"', held)
        _, table, _ = call("pcslabtop", "--path", self.path, "--csv", "--delay", "0")
        rows = {row["heap"]: row for row in csv.DictReader(io.StringIO(table))}
        page = data["page_size"]
        self.assertEqual(int(rows["hold/fixed"]["held_bytes"]),
                         cache["classes"][0]["pages"] * page)
        self.assertEqual(int(rows["hold"]["held_bytes"]), (heap["pages"] - 1000) * page)

    def test_labels_are_escaped(self):
        self.change(lambda data: data["heaps"][0].update(name='a"b\\'))
        names = {labels for _, labels in self.samples() if labels}
        self.assertTrue(any(labels.startswith('heap="a\\"b\\\\",') for labels in names))

    def test_file(self):
        file = os.path.join(self.dir, "pcslab.prom")
        self.assertEqual(call("pcslab-export", "--path", self.path, "-o", file), (0, "", ""))
        with open(file, encoding="utf-8") as opened:
            self.assertEqual(opened.read(), call("pcslab-export", "--path", self.path)[1])
        self.assertEqual(os.stat(file).st_mode & 0o777, 0o644)
        self.assertEqual(sorted(os.listdir(self.dir)), ["pcslab", "pcslab.prom"])
        self.trouble("No such file", "pcslab-export", "--path", self.path, "-o",
                     os.path.join(self.dir, "none", "pcslab.prom"))
        self.trouble("directory", "pcslab-export", "--path", self.path, "-o", self.path)
        self.assertEqual(sorted(os.listdir(self.dir)), ["pcslab", "pcslab.prom"])


class Terminal(unittest.TestCase):
    """pcslabtop on a terminal: each view, a sort key, the help, other sizes, the end."""

    def setUp(self):
        pid, self.terminal = pty.fork()
        if not pid:
            os.environ["TERM"] = "linux"
            os.execv(sys.executable, [sys.executable, os.path.join(SCRIPTS, "pcslabtop"),
                                      "--path", RECORDED, "--delay", "60"])
        self.pid = pid
        self.resize(24, 80)

    def resize(self, rows, columns):
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.kill(self.pid, signal.SIGWINCH)

    def read_until(self, text):
        """What comes, without the terminal's own sequences."""
        seen, end = "", time.monotonic() + 60
        while text not in seen:
            ready = select.select([self.terminal], [], [], max(0, end - time.monotonic()))[0]
            self.assertTrue(ready, "no %s in %s" % (text, seen))
            part = os.read(self.terminal, 65536).decode()
            seen += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()].", "", part)

    def press(self, key, text):
        """^L makes all be written again, not only what the key changes."""
        os.write(self.terminal, key.encode() + b"\f")
        self.read_until(text)

    def test_keys(self):
        self.read_until("pcslabtop heaps")
        self.press("2", "SIZE")
        self.press("3", "CACHED")
        self.press("4", "MODULE")
        self.press("1", HEAP)
        self.press("g", "growth of live")
        self.press("h", "Any key goes back")
        self.press("x", "pcslabtop heaps")
        for rows, columns in ((10, 40), (2, 10), (1, 1), (50, 200)):
            self.resize(rows, columns)
            time.sleep(0.2)
        self.press("n", "by name")
        os.write(self.terminal, b"q")
        self.assertEqual(self.status(), 0)

    def status(self):
        """Of the process, which must end soon."""
        for _ in range(200):
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.1)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        return None


if __name__ == "__main__":
    unittest.main()
