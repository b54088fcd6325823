# SPDX-License-Identifier: GPL-2.0
# The kernel's log, in which the first line of a report by KCSAN is no finding if
# no function of a module raced: then the race is the kernel's own. The report of
# a race with a module has the module's name after a function.
function print_report(i)
{
	if (whole && !module)
		sub(/BUG: KCSAN: /, "the kernel's own: ", report[0])
	for (i = 0; i < lines; i++)
		print report[i]
	lines = module = whole = 0
}
/BUG: KCSAN: / { print_report(); reading = 1 }
!reading { print; next }
{ report[lines++] = $0 }
/ \[[a-z0-9_]+\]$/ { module = 1 }
/====================/ { whole = 1; reading = 0; print_report() }
END { print_report() }
