#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Mutants of the source: where they can be, which are drawn, and what became of them.

usage: mutants.py draw PATCHES SOURCE N SEED
       mutants.py make PATCHES SOURCE SITE OUT
       mutants.py report DOCUMENT TABLE

PATCHES has a semantic patch KIND.cocci for each kind, SOURCE the files to change.

draw prints N lines KIND SITE..., the same for the same SEED: each kind's part of N is the
share that its file states. If the first site of a line makes no mutant that compiles the
next one stands in for it.

make writes the file of a site to OUT with the mutant in it, and prints one line that
says what it is, without a line number:

	src/file.c function kind: the lines as they were => as they are

report reads lines SECONDS VERDICT MUTANT with tabs between, VERDICT being `noticed by
RUN`, `same code` or `unnoticed`. Mutants that DOCUMENT lists, in lines of the form above
that begin with a tab, are not noticed because they change nothing; the reason is there, too. The
status says whether there is one that was not noticed and is not listed.
"""

import collections
import difflib
import fnmatch
import os
import pathlib
import random
import re
import signal
import statistics
import subprocess
import sys

SHARE = re.compile(r"^// Share: (\d+)$", re.MULTILINE)
MUTANT = re.compile(r"^(\S+) (\S+) ([a-z]+): (.*)$")
ENTRY = re.compile(r"^\t((?:src)/\S+ \S+ [a-z]+: .* =>.*)$", re.MULTILINE)

# What may take the place of a site that makes no mutant.
STAND_INS = 20


def spatch(patch, files, site=None, out=None):
    """The output of coccinelle, with the patch done at one site or at none."""
    environment = dict(os.environ, PYTHONPATH=str(patch.parent), PYTHONDONTWRITEBYTECODE="1")
    environment.pop("PCSLAB_SITE", None)
    if site:
        environment["PCSLAB_SITE"] = site
    # Isomorphisms would find the same place in several ways.
    command = ["spatch", "--sp-file", patch, "--iso-file", os.devnull, "--very-quiet",
               "--no-includes", "--include-headers"]
    if out:
        command += ["-o", out]
    done = subprocess.run(command + files, env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, encoding="utf-8", check=False)
    if done.returncode:
        sys.exit(f"mutants.py: {patch.name}: {done.stderr}")
    return done.stdout


def sources(directory):
    """The files that can have mutants."""
    return sorted(path for path in directory.iterdir() if path.suffix in (".c", ".h"))


def sites(patch, directory):
    """All sites of a kind."""
    lines = spatch(patch, sources(directory)).splitlines()
    return sorted({line.split()[1] for line in lines if line.startswith("site ")})


def parts(shares, number):
    """{kind: how many of number}, which add up to it; larger remainders come first."""
    total = sum(shares.values())
    exact = {kind: share * number / total for kind, share in shares.items()}
    whole = {kind: int(value) for kind, value in exact.items()}
    by_remainder = sorted(exact, key=lambda kind: (whole[kind] - exact[kind], kind))
    for kind in by_remainder[:number - sum(whole.values())]:
        whole[kind] += 1
    return whole


def choose(places, number, seed):
    """number lists of places, no place in two of them."""
    shuffled = list(places)
    random.Random(seed).shuffle(shuffled)
    return [shuffled[at::number][:STAND_INS] for at in range(number)]


def draw(patches, directory, number, seed):
    """(kind, sites) of each mutant."""
    kinds = {patch.stem: patch for patch in sorted(patches.glob("*.cocci"))}
    shares = {kind: int(SHARE.search(patch.read_text(encoding="utf-8")).group(1))
              for kind, patch in kinds.items()}
    drawn = []
    for kind, count in sorted(parts(shares, number).items()):
        if count:
            places = sites(kinds[kind], directory)
            drawn += [(kind, chosen) for chosen in choose(places, count, f"{seed} {kind}")]
    random.Random(seed).shuffle(drawn)
    return drawn


def one_line(lines):
    """Their text, whatever the indentation."""
    return " ".join(" ".join(lines).split())


def change(before, after):
    """What the lines of a file were and what they are, where they differ; what is moved
    past two lines or less is one difference with them."""
    old, new = [], []
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    for group in matcher.get_grouped_opcodes(1):
        differ = [opcode for opcode in group if opcode[0] != "equal"]
        old.append(one_line(before[differ[0][1]:differ[-1][2]]))
        new.append(one_line(after[differ[0][3]:differ[-1][4]]))
    return " ... ".join(filter(None, old)), " ... ".join(filter(None, new))


def function_at(lines, number):
    """The name of what begins in the first column before a line: a function, most times."""
    for line in reversed(lines[:number]):
        match = re.match(r"#define\s+(\w+)|[a-zA-Z_].*?(\w+)(?:\[.*\])?\s*[(={]", line)
        if match and not line.endswith(":"):
            return match.group(1) or match.group(2)
    return "-"


def make(patches, directory, site, out):
    """The line that says what the mutant is; None if there is none."""
    kind, site = site.split("/")
    name, _, number = site.split(":")[:3]
    path = directory / name
    out.unlink(missing_ok=True)
    spatch(patches / f"{kind}.cocci", [path], site, out)
    if not out.exists():
        return None
    before = path.read_text(encoding="utf-8").splitlines()
    old, new = change(before, out.read_text(encoding="utf-8").splitlines())
    if old == new:
        return None
    return f"src/{name} {function_at(before, int(number))} {kind}: {old} => {new}".rstrip()


class Known:
    """The mutants that the document explains."""

    def __init__(self, text):
        self.entries = [entry.rstrip() for entry in ENTRY.findall(text)]
        self.used = set()

    def has(self, mutant):
        """Whether an entry is this mutant; `*` in it stands for anything."""
        for entry in self.entries:
            pattern = entry.replace("[", "[[]").replace("?", "[?]")
            if fnmatch.fnmatchcase(mutant, pattern):
                self.used.add(entry)
                return True
        return False


COLUMNS = (16, 7, 7, 10, 5, 9)
HEADING = ("", "mutants", "noticed", "equivalent", "%", "unnoticed")


def row(name, verdicts):
    """The cells of a row; equivalent ones are not noticed."""
    counts = collections.Counter(verdicts)
    percent = f"{100 * counts['noticed'] / len(verdicts):.0f}"
    return [name, len(verdicts), counts["noticed"], counts["equivalent"], percent,
            counts["unnoticed"]]


def table(title, groups):
    """The lines of a table in reStructuredText, with the sum of all groups."""
    rule = ["=" * width for width in COLUMNS]
    rows = [row(name, verdicts) for name, verdicts in sorted(groups.items())]
    rows.append(row("total", [verdict for group in groups.values() for verdict in group]))
    for cells in [rule, [title, *HEADING[1:]], rule, *rows, rule]:
        yield "  ".join(f"{cell:>{width}}" if at else f"{cell:{width}}"
                        for at, (cell, width) in enumerate(zip(cells, COLUMNS))).rstrip()


def report(document, results):
    """Prints tables by file, by kind and by what noticed them, then the verdict."""
    known = Known(document.read_text(encoding="utf-8"))
    files, kinds = collections.defaultdict(list), collections.defaultdict(list)
    noticers, seconds, wrong = collections.Counter(), [], []
    for line in results.read_text(encoding="utf-8").splitlines():
        took, verdict, mutant = line.split("\t")
        name, _, kind, _ = MUTANT.match(mutant).groups()
        word = verdict.split()[0]
        if word == "noticed":
            noticers[verdict.split()[2]] += 1
        elif known.has(mutant):
            word = "equivalent"
        else:
            wrong.append(f"{verdict}: {mutant}")
            word = "unnoticed"
        files[name].append(word)
        kinds[kind].append(word)
        seconds.append(int(took))
    if not seconds:
        sys.exit("mutants.py: there are no results")
    print("\n".join([*table("file", files), "", *table("kind", kinds), ""]))
    for noticer, count in noticers.most_common():
        print(f"{count} noticed by {noticer}")
    print(f"{statistics.median(seconds):.0f} seconds in the median, {sum(seconds)} in all")
    for line in wrong:
        print(line)
    print(f"mutants: {len(wrong)} of {len(seconds)} unnoticed and not in {document.name}")
    return 1 if wrong else 0


def main(arguments):
    match arguments:
        case ["draw", patches, directory, number, seed]:
            for kind, chosen in draw(pathlib.Path(patches), pathlib.Path(directory),
                                     int(number), seed):
                print(*(f"{kind}/{site}" for site in chosen))
        case ["make", patches, directory, site, out]:
            mutant = make(pathlib.Path(patches), pathlib.Path(directory), site,
                          pathlib.Path(out))
            if not mutant:
                return 1
            print(mutant)
        case ["report", document, results]:
            return report(pathlib.Path(document), pathlib.Path(results))
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    # ^C ends it without a traceback; the shell that called it says enough.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(main(sys.argv[1:]))
