# SPDX-License-Identifier: GPL-2.0
"""What the semantic patches ask about each place they match: is the mutant to be made there?

Without PCSLAB_SITE each place is printed, and none is changed; with it there is but one.
"""

import os


def wanted(rule, places):
    """Whether @rule is to change the place."""
    place = places[0]
    site = ":".join([os.path.basename(place.file), rule, place.line, place.column,
                     place.line_end, place.column_end])
    if "PCSLAB_SITE" not in os.environ:
        print("site", site, flush=True)
    return os.environ.get("PCSLAB_SITE") == site
