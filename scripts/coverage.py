#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What gcov counted in several guests, as one table; and what nobody reached.

usage: coverage.py TREE DOCUMENT DIR...

Each DIR has the *.gcda of a guest and the *.gcno of the modules it had. A line is
reached if it was executed in one of them. A branch is a way out of a line that decides
something, as gcov numbers them; it is taken if it was in any guest, and in any of the
functions the line was inlined into. DOCUMENT lists what can't be reached, in lines that
begin with a tab, like

	src/file.c function: text of the line
	src/file.c function (1 of 4): text of a line that is reached, one of its branches not
	src/* * (1 of 2): text of such lines wherever they are

The last line says how much is not reached that is not listed, and so does the status.
What is listed and was reached is named too: it may be a matter of chance.
"""

import collections
import fnmatch
import json
import pathlib
import re
import signal
import subprocess
import sys

ENTRY = re.compile(r"^\t((?:src|include)/\S+) (\S+?)(?: \((\d+) of \d+\))?: (.*)$", re.MULTILINE)


class File:
    """Counters of one source file, summed over all objects and guests."""

    def __init__(self, path):
        self.text = path.read_text(encoding="utf-8").splitlines()
        self.lines = collections.Counter()
        self.branches = collections.defaultdict(collections.Counter)
        self.functions = collections.Counter()
        self.spans = {}

    def add(self, counted):
        """The counters of one object in one guest."""
        for line in counted["lines"]:
            number = line["line_number"]
            self.lines[number] += line["count"]
            for at, branch in enumerate(line["branches"]):
                self.branches[number][at] += branch["count"]
        for function in counted["functions"]:
            name = function["name"].split(".")[0]
            self.functions[name] += function["execution_count"]
            self.spans[name] = range(function["start_line"], function["end_line"] + 1)

    def function_at(self, number):
        """The function a line is in; one that was always inlined has no name here."""
        return next((name for name, span in self.spans.items() if number in span), "-")

    def unreached(self):
        """(number, function, branches never taken, branches, text) of lines; none of the
        branches of a line that was not executed counts."""
        for number, count in sorted(self.lines.items()):
            ways = self.branches[number].values()
            missing = sum(not taken for taken in ways) if count else 0
            if not count or missing:
                yield (number, self.function_at(number), missing, len(ways),
                       self.text[number - 1].strip())


class Known:
    """What the document lists."""

    def __init__(self, document):
        text = document.read_text(encoding="utf-8")
        self.entries = [(name, function, int(missing or 0), line)
                        for name, function, missing, line in ENTRY.findall(text)]
        self.used = set()

    def has(self, name, function, missing, line):
        """Whether an entry covers it: that of a line its branches too."""
        for entry in self.entries:
            if (line == entry[3] and fnmatch.fnmatchcase(name, entry[0]) and
                    fnmatch.fnmatchcase(function, entry[1]) and
                    (not entry[2] or 0 < missing <= entry[2])):
                self.used.add(entry)
                return True
        return False

    def unused(self):
        """The entries that covered nothing."""
        return [entry for entry in self.entries if entry not in self.used]


def gcov(directory):
    """The JSON documents of all counters in a directory."""
    names = sorted(path.name for path in directory.glob("*.gcda"))
    if not names:
        sys.exit(f"coverage.py: no counters in {directory}")
    command = ["gcov", "--json-format", "--branch-probabilities", "--stdout", *names]
    done = subprocess.run(command, cwd=directory, stdout=subprocess.PIPE, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def read(tree, directories):
    """The counters by the names of the source files, those of the tree alone."""
    files = {}
    for directory in directories:
        for document in gcov(directory):
            for counted in document["files"]:
                # Modules are built in a copy of the tree.
                name = counted["file"].partition("/tree/")[2]
                if not name:
                    continue
                if name not in files:
                    files[name] = File(tree / name)
                files[name].add(counted)
    return files


COLUMNS = (24, 9, 5, 9, 5, 9)


def row(name, files):
    """How many lines, branches and functions of some files were reached, of all."""
    cells = [name]
    for counters in (
            [count for file in files for count in file.lines.values()],
            [count for file in files for ways in file.branches.values()
             for count in ways.values()],
            [count for file in files for count in file.functions.values()]):
        reached = sum(count > 0 for count in counters)
        percent = f"{100 * reached / len(counters):.1f}" if counters else "-"
        cells += [f"{reached}/{len(counters)}", percent]
    return cells[:-1]


def table(files):
    """The lines of a table in reStructuredText."""
    rule = ["=" * width for width in COLUMNS]
    heading = ["file", "lines", "%", "branches", "%", "functions"]
    rows = [row(name, [file]) for name, file in sorted(files.items())]
    for cells in [rule, heading, rule, *rows, row("total", files.values()), rule]:
        yield "  ".join(f"{cell:>{width}}" if at else f"{cell:{width}}"
                        for at, (cell, width) in enumerate(zip(cells, COLUMNS)))


def main(arguments):
    """Prints the table, what the document lacks or has too much, and the verdict."""
    if len(arguments) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    tree, document, *directories = map(pathlib.Path, arguments)
    files = read(tree, directories)
    print("\n".join(table(files)))

    known, wrong = Known(document), 0
    for name, file in sorted(files.items()):
        for number, function, missing, ways, line in file.unreached():
            if known.has(name, function, missing, line):
                continue
            wrong += 1
            part = f" ({missing} of {ways})" if missing else ""
            print(f"not reached: {name}:{number} {function}{part}: {line}")
    for name, function, _, line in known.unused():
        print(f"listed, but reached or gone: {name} {function}: {line}")
    print(f"coverage: {wrong} not reached and not in {document.name}")
    return 1 if wrong else 0


if __name__ == "__main__":
    # ^C ends it without a traceback; the shell that called it says enough.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(main(sys.argv[1:]))
