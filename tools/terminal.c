/* terminal.c -- what standard output and standard error are connected to, and text made fit for them */
#include "terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../lib/error.h"
#include "../lib/text/unicode.h"

static size_t window_width(int fd)
{
	struct winsize w;
	if (ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_col) return w.ws_col;
	return 80;
}

size_t ckpt_terminal_err_width(void)
{
	return window_width(STDERR_FILENO);
}

ckpt_terminal ckpt_terminal_look(ckpt_color_mode mode)
{
	ckpt_terminal t = {.out = isatty(STDOUT_FILENO), .err = isatty(STDERR_FILENO)};
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
	bool able = t.out && term && *term && strcmp(term, "dumb") != 0 && !(no_color && *no_color);
	t.color = mode == CKPT_COLOR_ALWAYS || (mode == CKPT_COLOR_AUTO && able);
	t.width = t.out ? window_width(STDOUT_FILENO) : 0;
	t.err_width = t.err ? window_width(STDERR_FILENO) : 80;
	return t;
}

const char *ckpt_style_code(const ckpt_terminal *t, ckpt_style style)
{
	static const char *const codes[] = {[CKPT_STYLE_PLAIN] = "\033[0m",
	                                    [CKPT_STYLE_BOLD] = "\033[1m",
	                                    [CKPT_STYLE_DIM] = "\033[2m",
	                                    [CKPT_STYLE_WARN] = "\033[33m"};
	return t->color ? codes[style] : "";
}

static bool plain_ascii(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (text[i] < 0x20 || text[i] > 0x7e || text[i] == '\\') return false;
	return true;
}

void ckpt_text_append(ckpt_buffer *b, const char *text, size_t length)
{
	if (plain_ascii(text, length)) {
		ckpt_buffer_add(b, text, length);
		return;
	}
	/* At worst a byte becomes four characters (\xff); a piece ends before a byte that begins a character. */
	while (length) {
		char piece[1024];
		size_t n = length < 200 ? length : 200;
		while (n < length && n < 204 && ((unsigned char)text[n] & 0xc0) == 0x80) n++;
		ckpt_buffer_add(b, piece, ckpt_escape(piece, sizeof piece, text, n));
		text += n;
		length -= n;
	}
}

void ckpt_text_print(FILE *stream, const char *text)
{
	ckpt_buffer b = {0};
	ckpt_text_append(&b, text, strlen(text));
	if (b.data) fwrite(b.data, 1, b.length, stream);
	ckpt_buffer_free(&b);
}

/* The next code point of valid UTF-8; *size bytes. */
static uint32_t next_point(const char *text, size_t length, size_t *size)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t n = p[0] < 0xc0 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (n > length) n = length;
	uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) c = c << 6 | (p[i] & 0x3fu);
	*size = n;
	return c;
}

static size_t point_width(uint32_t c)
{
	return c < 0x300 ? 1 : ckpt_unicode_columns(c);
}

size_t ckpt_text_width(const char *text, size_t length)
{
	size_t width = 0, size;
	for (size_t i = 0; i < length; i += size) {
		size = 1;
		width += (unsigned char)text[i] < 0x80 ? 1 : point_width(next_point(text + i, length - i, &size));
	}
	return width;
}

void ckpt_text_fit(ckpt_buffer *b, const char *text, size_t length, size_t width, bool middle)
{
	size_t whole = ckpt_text_width(text, length), size;
	if (whole <= width) {
		ckpt_buffer_add(b, text, length);
		return;
	}
	if (width == 0) return;
	/* A name begins with its layer and ends with its part: both tell more than the middle. */
	size_t head = middle ? (width - 1) / 2 : width - 1, tail = width - 1 - head, i = 0, used = 0;
	for (;;) {
		size_t w = point_width(next_point(text + i, length - i, &size));
		if (used + w > head) break;
		used += w;
		i += size;
	}
	ckpt_buffer_add(b, text, i);
	ckpt_buffer_str(b, "\xe2\x80\xa6");
	size_t left = ckpt_text_width(text + i, length - i);
	while (i < length && left > tail) {
		left -= point_width(next_point(text + i, length - i, &size));
		i += size;
	}
	while (i < length && point_width(next_point(text + i, length - i, &size)) == 0) i += size;
	ckpt_buffer_add(b, text + i, length - i);
}
