# SPDX-License-Identifier: GPL-2.0
# awk -f this: pcslab's files one after the other, read while all moves. Prints how many
# they were, and what no reading may say: a line with other columns than its table, more
# frees than allocations, a live that is not the difference. In the heap raced, objects are
# freed twice, so that and the total it is part of may say anything.
/^pcslab [a-z]+ version/ {
	files++
	format = $2
	next
}
/^#/ {
	split("", at)
	for (i = 2; i <= NF; i++)
		at[$i] = i - 1
	fields = NF - 1
	next
}
{ wrong = NF != fields }
"live" in at && "allocs" in at && !("heap" in at && $1 ~ /^(raced|total)$/) {
	live = $at["allocs"] - $at["frees"]
	wrong = wrong || live < 0 || live != $at["live"]
}
wrong { print format ": " $0 >"/dev/stderr" }
END { print files + 0 }
