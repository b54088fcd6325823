# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0
# Reads tables of pcslab in the guest. The second line of a table names its
# columns (`#size objs allocs ...`), so new columns do no harm.

# AWK functions for all of the functions below.
# shellcheck disable=SC2016 # the dollars are awk's
TABLE='
NR == 2 { sub(/^#/, ""); for (i = 1; i <= NF; i++) at[$i] = i }
function col(name) { return $(at[name]) }
function commas(n,  s) {
	while (n >= 1000) {
		s = sprintf(",%03d%s", n % 1000, s)
		n = int(n / 1000)
	}
	return n s
}
'

commas()
{
	awk -v n="$1" "$TABLE"' BEGIN { print commas(n) }' </dev/null
}

# row TEXT NUMBER: prints a line of the summary.
row()
{
	printf '  %-60s %12s\n' "$1" "$(commas "$2")"
}

# columns FILE NAMES: prints those columns for each class, but not where all of
# them are 0, and not the total.
columns()
{
	awk -v names="$2" "$TABLE"'
	NR > 2 && $1 != "total" {
		values = ""
		used = 0
		n = split(names, name)
		for (i = 1; i <= n; i++) {
			values = values " " col(name[i])
			used += col(name[i]) != 0
		}
		if (used)
			print $1 values
	}' "$1"
}

# differ FILE FILE: prints the lines of two lists that differ, as `class:
# numbers of the first | numbers of the second`.
differ()
{
	awk '
	function numbers(line) { return line ~ / / ? substr(line, index(line, " ")) : " none" }
	NR == FNR { left[$1] = $0; next }
	left[$1] != $0 { print $1 ":" numbers(left[$1]) " |" numbers($0) }
	{ delete left[$1] }
	END { for (class in left) print class ":" numbers(left[class]) " | none" }' "$1" "$2"
}

# numbers FILE: counts its numbers, without the names of the classes.
numbers()
{
	awk '{ n += NF - 1 } END { print n + 0 }' "$1"
}

# sum FILE COLUMN: adds up the classes.
sum()
{
	awk -v name="$2" "$TABLE"'
	NR > 2 && $1 != "total" { sum += col(name) }
	END { print sum + 0 }' "$1"
}

# total FILE NAMES: prints them from the last line, which has the sums of the
# table.
total()
{
	awk -v names="$2" "$TABLE"'
	$1 == "total" {
		n = split(names, name)
		for (i = 1; i <= n; i++)
			printf "%s%s", col(name[i]), i < n ? " " : "\n"
	}' "$1"
}

# total_line FILE: prints the total of a stats table, for people.
total_line()
{
	awk "$TABLE"'
	$1 == "total" {
		printf "%14s %14s %14s\n", commas(col("allocs")), commas(col("frees")),
			commas(col("live"))
	}' "$1"
}

# largest FILE COUNT: prints the classes of a stats table with the most live
# bytes.
largest()
{
	limit=$(columns "$1" live_bytes | sort -k 2 -rn | awk -v n="$2" 'NR == n { print $2 }')
	awk -v limit="$limit" "$TABLE"'
	NR <= 2 || $1 == "total" || col("live_bytes") >= limit + 0' "$1"
}

# columns_of_cpu FILE CPU NAMES: prints those columns of a percpu table, by
# class.
columns_of_cpu()
{
	awk -v cpu="$2" -v names="$3" "$TABLE"'
	NR > 2 && $1 == cpu {
		values = ""
		n = split(names, name)
		for (i = 1; i <= n; i++)
			values = values " " col(name[i])
		if (values ~ /[1-9]/)
			print col("size") values
	}' "$1"
}

# by_cpu FILE: prints a percpu table, summed over the classes.
by_cpu()
{
	echo "  cpu         allocs          frees     inh_allocs      inh_frees"
	awk "$TABLE"'
	NR > 2 {
		cpus[$1]
		a[$1] += col("allocs")
		f[$1] += col("frees")
		ia[$1] += col("inh_allocs")
		inf[$1] += col("inh_frees")
	}
	END {
		for (cpu = 0; cpu < 64; cpu++)
			if (cpu in cpus)
				printf "  %3d %14s %14s %14s %14s\n", cpu, commas(a[cpu]),
					commas(f[cpu]), commas(ia[cpu]), commas(inf[cpu])
	}' "$1"
}

# went_down FILE: prints readings `allocs frees` that are below the one before,
# or have more frees than allocations.
went_down()
{
	awk '$1 < allocs || $2 < frees || $2 > $1 { n++ }
	{ allocs = $1; frees = $2 }
	END { print n + 0 }' "$1"
}
