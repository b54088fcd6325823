# SPDX-License-Identifier: GPL-2.0
# awk -f this rows percpu: compares the counts of the oracle for each CPU with
# those of the CPUs. CPU 0 has words of its own; the counts of the other CPUs
# are theirs, or CPU 0 has inherited them.
FNR == 1 {
	file++
	next
}
/^#/ { next }
{
	sign = file == 1 ? 1 : -1
	who = $1 == 0 ? "CPU 0" : "other CPUs"
	differ[who " " $2] += sign * $4
	differ["other CPUs " $2] += sign * $6
	if ($2 == "large")
		next
	differ[who " " $2 " allocs"] += sign * $3
	differ["other CPUs " $2 " allocs"] += sign * $5
}
END {
	for (i in differ) {
		compared++
		if (differ[i]) {
			print i ": differ by " differ[i]
			bad = 1
		}
	}
	exit bad || file != 2 || !compared
}
