#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Are the lines that the models stand for in the source?

usage: lines.py LINES SOURCE

LINES is ./lines or has its form, SOURCE the directory of the files. Prints those that are
not in their function, or not as often as LINES has them; the status says whether any.
"""

import collections
import pathlib
import re
import signal
import sys


def function(text, name):
    """A function with its body, from its name at the left to the brace at the left."""
    match = re.search(rf"^\w[^;{{}}=#]*\b{name}\([^;]*?\)[^;{{}}]*?\n{{\n(.*?)^}}", text,
                      re.MULTILINE | re.DOTALL)
    return match.group(1) if match else ""


def missing(lines, source):
    """(what breaks, file, function, text) of those that are not there."""
    rows = [tuple(line.split("\t")) for line in lines.read_text(encoding="utf-8").splitlines()
            if line and not line.startswith("#")]
    for row, count in collections.Counter(rows).items():
        _, name, where, text = row
        body = function((source / name).read_text(encoding="utf-8"), where)
        if [line.partition("\t/*")[0].strip() for line in body.splitlines()
            ].count(text) < count:
            yield row


def main(arguments):
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    gone = list(missing(*map(pathlib.Path, arguments)))
    for breaks, name, where, text in gone:
        print(f"src/{name} {where} lacks what {breaks} stands for: {text}")
    return 1 if gone else 0


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(main(sys.argv[1:]))
