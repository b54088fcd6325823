# SPDX-License-Identifier: GPL-2.0
# awk -f this exact audit: live of one against live of the other, class by class;
# every round of a magazine leads to a cached object, and there are as many of both.
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
