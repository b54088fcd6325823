# SPDX-License-Identifier: GPL-2.0
"""The command `pcslab` of gdb: the heaps of pcslab in the memory that gdb looks at.

    gdb -c vmcore -x pcslab-gdb.py -ex 'pcslab heaps'

`pcslab -h` tells the rest."""

import os
import sys

import gdb

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import pcslabcore  # noqa: E402 pylint: disable=wrong-import-position
import pcslabstat  # noqa: E402 pylint: disable=wrong-import-position


def read(address, size):
    try:
        return bytes(gdb.selected_inferior().read_memory(address, size))
    except gdb.MemoryError as error:
        raise pcslabcore.Unreadable("%#x" % address) from error


class Pcslab(gdb.Command):
    """Heaps of pcslab: pcslab heaps, classes HEAP, sites HEAP, live HEAP, whatis ADDRESS."""

    def __init__(self):
        super().__init__("pcslab", gdb.COMMAND_DATA)

    def invoke(self, argument, _from_tty):
        try:
            args = pcslabcore.parser_of("pcslab").parse_args(gdb.string_to_argv(argument))
            for line in pcslabcore.answer(read, args):
                print(line)
        except pcslabstat.Trouble as trouble:
            raise gdb.GdbError("pcslab: %s" % trouble) from trouble
        except SystemExit:
            # argparse has said why.
            return


Pcslab()
