#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Merge the KTAP of all runs and judge it against the list of what must run.

usage: ktap.py list LOG...            what ran, as lines of the list
       ktap.py judge LIST MERGED LOG...   write MERGED, print the closing line

A LOG is RUN=FILE=WORD: the run's name, the KTAP its guest gave, and the guest's
last word (pass or fail). The list has lines `run suite case`; only runs that
were asked for count. Results are counted from the cases that ran: a case that is
listed and did not run has failed, one that ran and is not listed is an error.
"""

import re
import signal
import sys

RESULT = re.compile(r"^( *)(ok|not ok) (\d+)(?: -)? ([^#\s]+)\s*(#.*)?$")
SKIP = re.compile(r"#\s*SKIP", re.IGNORECASE)

# As many of a failed case's last lines are shown.
NOTES = 12


def read_log(spec):
    """RUN=FILE=WORD -> (run, lines, passed)"""
    run, name, word = spec.split("=")
    with open(name, encoding="utf-8", errors="replace") as log:
        lines = [line.rstrip("\n") for line in log]
    return run, lines, word == "pass"


def cases_of(lines):
    """(suite, case, result, notes) of the cases, which are one level below the suites.

    A suite's own result comes after its cases and names it too; deeper levels are
    the parameters of a case. The notes are what was printed since the last result.
    """
    pending, suite, cases, notes = [], None, [], []
    for line in lines:
        if line.startswith("    # Subtest: "):
            suite = line.split(": ", 1)[1]
        match = RESULT.match(line)
        if not match:
            notes.append(line)
            continue
        indent, word, _, name, directive = match.groups()
        result = "skip" if SKIP.search(directive or "") else word
        if len(indent) == 4:
            pending.append((suite, name, result, notes))
            notes = []
        elif not indent:
            cases += pending
            if word == "not ok" and all(case[2] != "not ok" for case in pending):
                cases.append((name, "the suite itself", word, notes))
            pending, notes = [], []
    return cases + pending


def guest_suite(verdicts):
    """Each guest is a case: that it ended well, with nothing in its kernel log."""
    yield "    # Subtest: guest"
    yield f"    1..{len(verdicts)}"
    for number, (run, passed) in enumerate(verdicts, 1):
        yield f"    {'ok' if passed else 'not ok'} {number} - {run}"
    yield f"{'ok' if all(passed for _, passed in verdicts) else 'not ok'} 1 - guest"


def merge(logs):
    """One KTAP stream: the header that 6.1 lacks, suites numbered from 1."""
    body, number = [], 0
    for lines in logs:
        for line in lines:
            match = RESULT.match(line)
            if match and not match.group(1):
                number += 1
                line = re.sub(r"ok \d+", f"ok {number}", line, count=1)
            elif re.match(r"1\.\.\d|KTAP ", line):
                continue
            body.append(line)
    return ["KTAP version 1", f"1..{number}", *body]


def read_list(name, runs):
    """The (run, suite, case) of the list that belong to runs."""
    wanted = set()
    with open(name, encoding="utf-8") as lines:
        for line in lines:
            fields = line.split("#")[0].split()
            if fields and fields[0] in runs:
                wanted.add(tuple(fields))
    return wanted


def judge(list_name, merged_name, specs):
    """The closing line and the exit status."""
    logs = [read_log(spec) for spec in specs]
    guests = list(guest_suite([(run, passed) for run, _, passed in logs]))
    with open(merged_name, "w", encoding="utf-8") as merged:
        streams = [lines for _, lines, _ in logs] + [guests]
        merged.write("\n".join(merge(streams)) + "\n")

    ran = [(run, *case) for run, lines, _ in logs for case in cases_of(lines)]
    wanted = read_list(list_name, {run for run, _, _ in logs})
    wrong = [f"{' '.join(case)}: did not run" for case in
             sorted(wanted - {case[:3] for case in ran})]
    for run, suite, case, result, notes in ran:
        if result == "not ok":
            wrong.append("\n".join([f"{run} {suite} {case}: failed", *notes[-NOTES:]]))
        elif (run, suite, case) not in wanted:
            wrong.append(f"{run} {suite} {case}: ran, but {list_name} does not list it")
    wrong += [f"{run}: the guest did not end well" for run, _, passed in logs if not passed]

    skipped = sum(case[3] == "skip" for case in ran)
    good = sum(case[3] == "ok" and case[:3] in wanted for case in ran)
    passed = good + sum(passed for _, _, passed in logs)
    for line in wrong:
        print(f"FAILED {line}")
    closing = f"{passed} passed, {len(wrong)} failed"
    print(closing + (f", {skipped} skipped" if skipped else ""))
    return 1 if wrong or not ran else 0


def main(arguments):
    if arguments[:1] == ["list"]:
        for spec in arguments[1:]:
            run, lines, _ = read_log(spec)
            for suite, case, *_ in cases_of(lines):
                print(run, suite, case)
        return 0
    if arguments[:1] == ["judge"] and len(arguments) > 3:
        return judge(arguments[1], arguments[2], arguments[3:])
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    # ^C ends it without a traceback; the shell that called it says enough.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(main(sys.argv[1:]))
