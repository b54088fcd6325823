#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Make a table, a CSV and plots of what the guests of make bench measured.

usage: report.py [--table] RESULTS KERNEL...

RESULTS/KERNEL/*/results.log have lines `@bench WHAT BYTES CPUS WHO TENTHS`, where WHAT is
CASE or CASE:PART; RESULTS/about says what was measured, in lines `NAME TEXT`. Written are
RESULTS/table, and without --table bench.csv, *.svg and bench.rst, whose head is head.rst
beside this file.
"""

import collections
import csv
import pathlib
import re
import signal
import subprocess
import sys

LINE = re.compile(r"^@bench (\S+) (\d+) (\d+) (\S+) (\d+)$")

# Who is compared, in the order of the columns.
WHO = ("pcslab", "kmalloc", "kmem_cache", "bulk", "pages")
# What stands for something else than an allocator: the loop that checks the clock, and the
# trace's own live bytes.
ALONE = ("loop", "trace")

# The unit of a part that is not in instructions.
UNITS = {
    "locks": "locks per 1000 objects",
    "contended": "locks waited for per 1000 objects",
    "ipis": "interrupts sent per 1000 objects",
    "held": "pages",
    "live": "pages",
    "bytes": "bytes of pages per 1000 live bytes",
    "new": "bytes",
    "object": "bytes more",
}

Row = collections.namedtuple("Row", "kernel case part bytes cpus")

# A file, what is in it (case, parts), and its axes; x is a field of the rows.
Plot = collections.namedtuple("Plot", "name title case parts x xlabel ylabel scale")

COST = "instructions per object"
PLOTS = (
    Plot("pair", "allocated and freed at once", "pair", [""], "bytes", "bytes", COST,
         "set logscale x 2"),
    Plot("variable", "the same, of a size the compiler does not know", "variable", [""],
         "bytes", "bytes", COST, "set logscale x 2"),
    Plot("batch", "10,000 allocated, then freed in the same order", "batch", [""], "bytes",
         "bytes", COST, "set logscale x 2"),
    Plot("batch-random", "10,000 allocated, then freed in random order", "batch-random",
         [""], "bytes", "bytes", COST, "set logscale x 2"),
    Plot("first", "10,000 allocated, then freed, by a new heap", "first-10000", [""],
         "bytes", "bytes", COST, "set logscale x 2"),
    Plot("busy", "64 bytes, all CPUs busy: pairs", "busy", [""], "cpus", "CPUs", COST,
         "set logscale x 2"),
    Plot("busy-batch", "64 bytes, all CPUs busy: batches of 400", "busy-batch", [""],
         "cpus", "CPUs", COST, "set logscale x 2"),
    Plot("trace", "what the trace holds", "trace", ["held", "live"], "bytes",
         "operations", "pages", "unset logscale; set format x '%.0s%c'"),
)


def in_order(path):
    """A key that sorts numbers in names by their value."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", str(path))]


def read(results, kernels):
    """{Row: {who: value}} of all logs."""
    rows = {}
    for kernel in kernels:
        for log in sorted((results / kernel).glob("*/results.log"), key=in_order):
            for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
                match = LINE.match(line)
                if not match:
                    continue
                what, size, cpus, who, tenths = match.groups()
                case, _, part = what.partition(":")
                row = Row(kernel, case, part, int(size), int(cpus))
                rows.setdefault(row, {})[who] = int(tenths) / 10
    return rows


def unit(row):
    """What the row's numbers are in."""
    return UNITS.get(row.part, "instructions")


def ratio(values):
    """pcslab against kmalloc, as text."""
    if values.get("kmalloc") and "pcslab" in values:
        return f"{values['pcslab'] / values['kmalloc']:.2f}"
    return ""


def table(rows, kernel):
    """Lines of text: a row for each case, a column for each rival that is measured."""
    there = set().union(*rows.values())
    columns = [who for who in WHO if who in there]
    yield (f"{'case':26} {'bytes':>6} {'CPUs':>4} " +
           " ".join(f"{who:>10}" for who in columns) + "  ratio")
    for row, values in rows.items():
        if row.kernel != kernel or not set(values) - set(ALONE):
            continue
        name = f"{row.case} {row.part}".strip()
        cells = [f"{values[who]:10.1f}" if who in values else " " * 10 for who in columns]
        yield (f"{name:26} {row.bytes:6} {row.cpus:4} " + " ".join(cells) +
               f" {ratio(values):>6}").rstrip()


def write_csv(rows, name):
    """A line for each number."""
    with open(name, "w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["kernel", "case", "part", "bytes", "cpus", "who", "value", "unit"])
        for row, values in rows.items():
            for who, value in values.items():
                out.writerow([*row, who, f"{value:.1f}", unit(row)])


def points_of(rows, kernel, plot, part, who):
    """The points of one line, in order of x."""
    wanted = (kernel, plot.case, part)
    return sorted((getattr(row, plot.x), values[who]) for row, values in rows.items()
                  if (row.kernel, row.case, row.part) == wanted and who in values)


def panel(rows, kernel, plot):
    """One kernel of a plot: gnuplot's commands, the data inline; nothing without data."""
    blocks, lines = [], []
    for part in plot.parts:
        for who in (*WHO, "trace"):
            points = points_of(rows, kernel, plot, part, who)
            if not points:
                continue
            name = f"$d{len(blocks)}"
            text = "\n".join(f"{x} {y:.1f}" for x, y in points)
            blocks.append(f"{name} << END\n{text}\nEND")
            label = "live bytes" if who == "trace" else who
            lines.append(f"{name} using 1:2 with linespoints title '{label}' noenhanced")
    if not blocks:
        return ""
    return "\n".join([*blocks, f"set title 'Linux {kernel}: {plot.title}' noenhanced",
                      plot.scale, "plot " + ", ".join(lines)])


def draw(rows, kernels, plot, name):
    """A panel for each kernel, below each other; False if there is nothing to show."""
    panels = [text for text in (panel(rows, kernel, plot) for kernel in kernels) if text]
    if not panels:
        return False
    script = [
        f"set terminal svg size 700,{320 * len(panels)} font 'sans,12' background 'white'",
        f"set output '{name}'", "set key outside right top", "set grid", "set yrange [0:*]",
        f"set xlabel '{plot.xlabel}'", f"set ylabel '{plot.ylabel}'",
        f"set multiplot layout {len(panels)},1", *panels, "unset multiplot",
    ]
    subprocess.run(["gnuplot"], input="\n".join(script) + "\n", text=True, check=True)
    return True


def about(results):
    """{name: text} of what was measured."""
    lines = (results / "about").read_text(encoding="utf-8").splitlines()
    return dict(line.split(" ", 1) for line in lines)


def document(rows, kernels, known, plots):
    """The page for Documentation/."""
    yield (pathlib.Path(__file__).parent / "head.rst").read_text(encoding="utf-8")
    yield f"Measured with QEMU {known['qemu']}, pcslab at commit ``{known['commit']}``.\n"
    for plot in plots:
        yield f".. image:: bench/{plot}.svg\n"
    for kernel in kernels:
        title = f"Linux {kernel}: {known['kernel-' + kernel]}"
        yield f"{title}\n{'=' * len(title)}\n\n::\n"
        yield "".join(f"   {line}\n" for line in table(rows, kernel))


def write_table(rows, kernels, known, name):
    """What the user sees at once."""
    with open(name, "w", encoding="utf-8") as file:
        for kernel in kernels:
            print(f"Linux {kernel}: {known['kernel-' + kernel]}", file=file)
            print("\n".join(table(rows, kernel)), file=file, end="\n\n")


def main(arguments):
    """Writes all there is to write."""
    table_only = arguments[:1] == ["--table"]
    arguments = arguments[table_only:]
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    results, kernels = pathlib.Path(arguments[0]), arguments[1:]
    rows, known = read(results, kernels), about(results)
    if not rows:
        sys.exit("report.py: there are no results")
    write_table(rows, kernels, known, results / "table")
    if table_only:
        return 0
    write_csv(rows, results / "bench.csv")
    plots = [plot.name for plot in PLOTS
             if draw(rows, kernels, plot, results / f"{plot.name}.svg")]
    with open(results / "bench.rst", "w", encoding="utf-8") as file:
        file.write("\n".join(document(rows, kernels, known, plots)))
    return 0


if __name__ == "__main__":
    # ^C ends it without a traceback; the shell that called it says enough.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(main(sys.argv[1:]))
