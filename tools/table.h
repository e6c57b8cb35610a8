/* table.h -- rows of cells in aligned columns, cut to the terminal's width */
#ifndef CKPT_TOOLS_TABLE_H
#define CKPT_TOOLS_TABLE_H
#include <stdio.h>

#include "terminal.h"

typedef struct ckpt_column {
	const char *title;
	bool right;     /* numbers: flush right */
	size_t least;   /* on a narrow terminal shrinks down to this many columns; 0: never */
	bool middle;    /* by losing its middle, not its end */
	int rank;       /* left out, lowest first, when shrinking does not suffice; 0: never */
	ckpt_style style;
} ckpt_column;

typedef struct ckpt_table ckpt_table;

/* columns must outlive the table. NULL when out of memory. */
ckpt_table *ckpt_table_new(const ckpt_column *columns, size_t count);
void ckpt_table_free(ckpt_table *t);
/* The next cell, row by row; copied, and escaped for the terminal. */
void ckpt_table_text(ckpt_table *t, const char *text);
void ckpt_table_format(ckpt_table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Prints titles (when titled) and rows; columns without any text are left out. False and an error when memory ran out while it was
 * filled or printed. Errors of the stream are left for the end of the program. */
bool ckpt_table_print(ckpt_table *t, FILE *out, const ckpt_terminal *terminal, bool titled, ckpt_error *err);
#endif
