# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Builds Documentation/ as HTML, with Sphinx and the kernel's extensions. These
# come from the source of a kernel, like checkpatch; none is copied into the
# tree.

# Older kernels do not find symbols exported in a namespace that is a string.
# shellcheck disable=SC2034 # for those who source this
DOCS_KERNEL=7.3

# build_docs SOURCE DIR: uses the kernel-doc of SOURCE; a warning is an error.
build_docs()
{
	temp_dir
	await env LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 srctree="$1" \
		sphinx-build -q -W --keep-going -b html -d "$REPLY" "$TREE/Documentation" "$2"
}
