# SPDX-License-Identifier: GPL-2.0
# awk -f this exact audit: compares the live columns of both files, class by
# class. Every round of a magazine must lead to a cached object, and there must
# be as many of both.
/^#/ || /version/ || /total/ || !NF { next }
FILENAME == "exact" { live[$1] = $5; next }
{ seen[$1] = 1 }
live[$1] + 0 != $4 || $5 != $7 || $8 || $9 {
	print "exact has live " live[$1] + 0 ", audit: " $0 >"/dev/kmsg"
	bad = 1
}
END {
	for (size in live)
		if (live[size] && !seen[size])
			bad = 1
	exit bad
}
