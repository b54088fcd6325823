# SPDX-License-Identifier: GPL-2.0
# awk -f this: reads files of pcslab one after the other, while everything
# changes. Prints their number, and what no reading may show: a line with other
# columns than its table, more frees than allocations, a live that is not the
# difference. In the heap raced, objects are freed twice, so anything is allowed
# in it and in the total, which includes it. JSON is for others.
/^[]{,]/ { next }
/^pcslab [a-z]+ version/ {
	files++
	format = $2
	next
}
/^#/ {
	sub(/^#/, "")
	split("", at)
	for (i = 1; i <= NF; i++)
		at[$i] = i
	fields = NF
	next
}
{ wrong = NF != fields }
"live" in at && "allocs" in at && !("heap" in at && $1 ~ /^(raced|total)$/) {
	live = $at["allocs"] - $at["frees"]
	wrong = wrong || live < 0 || live != $at["live"]
}
wrong { print format ": " $0 >"/dev/stderr" }
END { print files + 0 }
