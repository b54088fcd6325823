// SPDX-License-Identifier: GPL-2.0
/*
 * Tables in debugfs
 *
 * A table begins with a line that has the name and the version of its format,
 * and a line with the names of the columns, the first of which begins with #.
 * So the n-th word of this line names the n-th word of each row.
 *
 * Each column has a width, and the widths of a table add up to 80 at most. A
 * cell that needs more takes the room from the blanks in front of the cells
 * behind it: a row stays within 80 columns as long as its words do.
 *
 * Context: process, in a show function of a seq_file.
 */
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/seq_file.h>

#include "internal.h"

/**
 * pcslab_row_begin() - begin a row
 * @m: the file
 * @columns: of the table
 *
 * Return: the row, without a cell.
 */
struct pcslab_table_row pcslab_row_begin(struct seq_file *m,
					 const struct pcslab_column *columns)
{
	return (struct pcslab_table_row){ .m = m, .column = columns, .start = m->count };
}

/**
 * pcslab_row_text() - add a cell
 * @row: the row
 * @text: a word
 */
void pcslab_row_text(struct pcslab_table_row *row, const char *text)
{
	const struct pcslab_column *column = row->column++;
	int used = row->m->count - row->start, room;

	if (used) {
		seq_putc(row->m, ' ');
		used++;
		row->stop++;
	}
	row->stop += abs(column->width);
	room = max(row->stop - used, 0);
	/* printf() aligns to the left if the width is negative. */
	seq_printf(row->m, "%*s", column->width < 0 ? -room : room, text);
}

/**
 * pcslab_row_number() - add a cell
 * @row: the row
 * @number: the number
 */
void pcslab_row_number(struct pcslab_table_row *row, u64 number)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", number);
	pcslab_row_text(row, text);
}

/**
 * pcslab_row_end() - end a row
 * @row: the row, with all cells
 */
void pcslab_row_end(struct pcslab_table_row *row)
{
	seq_putc(row->m, '\n');
}

/**
 * pcslab_table_begin() - begin a table
 * @m: the file
 * @format: its name
 * @columns: of the table
 * @nr: their number
 */
void pcslab_table_begin(struct seq_file *m, const char *format,
			const struct pcslab_column *columns, unsigned int nr)
{
	struct pcslab_table_row row;

	seq_printf(m, "pcslab %s version 2\n", format);
	row = pcslab_row_begin(m, columns);
	while (nr--)
		pcslab_row_text(&row, row.column->name);
	pcslab_row_end(&row);
}
