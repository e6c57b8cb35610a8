/* terminal.h -- what standard output and standard error are connected to, and text made fit for them */
#ifndef CKPT_TOOLS_TERMINAL_H
#define CKPT_TOOLS_TERMINAL_H
#include <stdio.h>

#include "../lib/buffer.h"
#include "../lib/ckpt.h"

typedef enum ckpt_color_mode { CKPT_COLOR_AUTO, CKPT_COLOR_ALWAYS, CKPT_COLOR_NEVER } ckpt_color_mode;

typedef struct ckpt_terminal {
	bool out, err;    /* is a terminal */
	bool color;       /* on standard output */
	size_t width;     /* columns of standard output; 0: not a terminal, lines as long as they are */
	size_t err_width; /* of standard error; 80 when unknown */
} ckpt_terminal;

typedef enum ckpt_style { CKPT_STYLE_PLAIN, CKPT_STYLE_BOLD, CKPT_STYLE_DIM, CKPT_STYLE_WARN } ckpt_style;

/* Looks at the descriptors, the window size, NO_COLOR and TERM. */
ckpt_terminal ckpt_terminal_look(ckpt_color_mode mode);
/* Columns of the terminal on standard error now; 80 when unknown. */
size_t ckpt_terminal_err_width(void);
/* The escape sequence that begins a style, or that ends it (PLAIN); "" without colours. */
const char *ckpt_style_code(const ckpt_terminal *t, ckpt_style style);

/* Appends text that came from a file, escaped as ckpt_escape does, however long. */
void ckpt_text_append(ckpt_buffer *b, const char *text, size_t length);
/* The same straight to a stream. */
void ckpt_text_print(FILE *stream, const char *text);
/* Columns that escaped text takes: wide characters count two, combining ones none. */
size_t ckpt_text_width(const char *text, size_t length);
/* Appends text of at most `width` columns: longer text loses its end to an ellipsis, or its middle. */
void ckpt_text_fit(ckpt_buffer *b, const char *text, size_t length, size_t width, bool middle);
#endif
