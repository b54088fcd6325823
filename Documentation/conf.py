# SPDX-License-Identifier: GPL-2.0
"""Sphinx' settings for this directory; `make docs` builds it.

The extensions are the kernel's own, of the source tree that $srctree names.
"""

import os
import pathlib
import re
import sys

TREE = pathlib.Path(__file__).resolve().parent.parent
HEADER = (TREE / "include/pcslab/pcslab.h").read_text(encoding="utf-8")

sys.path.insert(0, os.path.join(os.environ["srctree"], "Documentation/sphinx"))

project = "pcslab"
author = "The pcslab developers"
release = version = re.search(r'^#define PCSLAB_VERSION\s+"(.*)"$', HEADER, re.MULTILINE)[1]

extensions = ["kerneldoc", "automarkup"]
kerneldoc_srctree = str(TREE)
# What comes before a function's or an argument's name in a declaration.
c_id_attributes = ["__must_check", "__user"]

root_doc = "index"
exclude_patterns = ["litmus"]
highlight_language = "none"
smartquotes = False
primary_domain = "c"
html_theme = "alabaster"
html_copy_source = False
