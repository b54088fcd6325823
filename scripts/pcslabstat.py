# SPDX-License-Identifier: GPL-2.0
"""What pcslabtop, pcslab-leaks and pcslab-export share: reading pcslab's files."""

import json
import os
import sys

PATH = "/sys/kernel/debug/pcslab"
# Of the files json (src/json.c).
VERSION = 1
# For errors; argparse has the same for wrong arguments.
TROUBLE = 2


class Trouble(Exception):
    """The tool cannot go on; the text is one line for the user."""


def run(main):
    """Ends the program with the status that main() returns; errors are one line."""
    try:
        status = main()
        sys.stdout.flush()
    except Trouble as trouble:
        print("%s: %s" % (os.path.basename(sys.argv[0]), trouble), file=sys.stderr)
        status = TROUBLE
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:
        # Python would complain once more when it closes the output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 141
    sys.exit(status)


def mounted(directory):
    try:
        with open("/proc/mounts", encoding="utf-8") as mounts:
            return any(line.split()[1] == directory for line in mounts)
    except OSError:
        return False


def explain(path, error):
    """Why there is no file, as what the user can do about it."""
    if isinstance(error, PermissionError):
        return "no permission to read %s: only root may" % path
    if not path.startswith(PATH + "/") or not isinstance(error, FileNotFoundError):
        return "%s: %s" % (path, error.strerror)
    if not mounted(os.path.dirname(PATH)):
        return "debugfs is not mounted: mount -t debugfs debugfs /sys/kernel/debug"
    if not os.path.exists("/sys/module/pcslab"):
        return "pcslab is not loaded: there is no /sys/module/pcslab"
    return "%s: %s" % (path, error.strerror)


def read_text(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError as error:
        raise Trouble(explain(path, error)) from error
    except UnicodeDecodeError as error:
        raise Trouble("%s is no text" % path) from error


def parse(text, path, name, version):
    """The JSON in a text, which must have that format and version."""
    try:
        data = json.loads(text)
        found = data["format"], data["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise Trouble("%s is not of format %s" % (path, name)) from error
    if found[0] != name:
        raise Trouble("%s is of format %s, not %s" % (path, found[0], name))
    if found[1] != version:
        raise Trouble("%s is of version %s, this program knows %d" % (path, found[1], version))
    return data


def read_heaps(path=PATH):
    """All heaps."""
    file = os.path.join(path, "json")
    return parse(read_text(file), file, "pcslab heaps", VERSION)


def heap_files(path, name, file):
    """The text of a file of each heap that has it, by the heap's name.

    Heaps come and go, and one that goes while it is read gives EIO."""
    texts = {}
    directory = os.path.join(path, "heaps")
    for where, _, files in sorted(os.walk(directory)):
        # Of a heap, or of a cache: HEAP/CACHE.
        heap = os.path.relpath(where, directory)
        if file not in files or (name is not None and heap != name):
            continue
        try:
            with open(os.path.join(where, file), encoding="utf-8") as opened:
                texts[heap] = opened.read()
        except OSError:
            continue
    return texts


def read_percpu(path=PATH, name=None):
    """The rows of percpu of all heaps, or of one; zombies have no such file."""
    rows = []
    for heap, text in heap_files(path, name, "json").items():
        data = parse(text, heap, "pcslab heap", VERSION)["heap"]
        rows += [dict(row, heap=heap, id=data["id"]) for row in data["percpu"]]
    return rows


def read_sites(path=PATH, name=None):
    """The call sites of live objects of all heaps that are tracked, or of one."""
    rows = []
    for heap, text in heap_files(path, name, "sites").items():
        lines = text.splitlines()
        if lines[0] != "pcslab sites version 2":
            raise Trouble("sites of heap %s are of an unknown format: %s" % (heap, lines[0]))
        for line in lines[2:]:
            objects, size, site, module = line.split()[:4]
            rows.append({"heap": heap, "site": site, "module": module.strip("[]"),
                         "live": int(objects), "live_bytes": int(size)})
    return rows


def classes(heap):
    """All classes of a heap in use, large objects too, with the same keys."""
    large = dict.fromkeys(("objs", "cached", "depot", "slabs"), 0)
    large.update(heap["large"])
    if large["allocs"] or large["fails"]:
        return heap["classes"] + [large]
    return list(heap["classes"])


def is_cache(heap):
    """A fixed-size cache, HEAP/CACHE: its pages, and their limit, are those of its heap."""
    return "/" in heap["name"]


def total(heap, key):
    return sum(row[key] for row in classes(heap))


def size_name(row):
    return str(row["size"] or "large")
