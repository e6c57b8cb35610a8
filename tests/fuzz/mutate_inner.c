/* mutate_inner.c -- mutations that keep an inner shape: pickle by opcode, npy with a true length, tar with true sizes and checksums */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPCODES = 4096, BLOCK = 512, SIZE_AT = 124, SUM_AT = 148 };

/* ---- pickle ---------------------------------------------------------------------------------------------------- */

static size_t line(const uint8_t *p, size_t left)
{
	const uint8_t *end = memchr(p, '\n', left);
	return end ? (size_t)(end - p) + 1 : 0;
}

static size_t counted(const uint8_t *p, size_t left, size_t bytes)
{
	uint64_t n = 0;
	if (left < bytes) return 0;
	for (size_t i = bytes; i-- > 0;) n = n << 8 | p[i];
	return n <= left - bytes ? bytes + (size_t)n : 0;
}

/* Length of the opcode at p with its argument; 0 when there is none, or it is cut short. */
static size_t opcode(const uint8_t *p, size_t left)
{
	static const struct {
		const char *codes;
		size_t argument;
	} fixed[] = {{"(.012NQRabdelostu)]}\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94\x97\x98", 0},
	             {"Khq\x80\x82", 1},
	             {"M\x83", 2},
	             {"Jjr\x84", 4},
	             {"G\x95", 8}};
	static const struct {
		const char *codes;
		size_t count;
	} strings[] = {{"UC\x8c\x8a", 1}, {"TXB\x8b", 4}, {"\x8d\x8e\x96", 8}};
	size_t n = 0;
	if (left == 0 || p[0] == 0) return 0;
	for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
		if (strchr(fixed[i].codes, p[0])) return fixed[i].argument < left ? 1 + fixed[i].argument : 0;
	for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
		if (strchr(strings[i].codes, p[0])) return (n = counted(p + 1, left - 1, strings[i].count)) ? 1 + n : 0;
	if (strchr("ILFSVPgp", p[0])) return (n = line(p + 1, left - 1)) ? 1 + n : 0;
	if (!strchr("ci", p[0]) || !(n = line(p + 1, left - 1))) return 0;
	size_t second = line(p + 1 + n, left - 1 - n);
	return second ? 1 + n + second : 0;
}

/* Moves `length` bytes in front of `to`, which is not behind them. */
static void move_back(uint8_t *data, size_t from, size_t length, size_t to)
{
	uint8_t *copy = malloc(length + 1);
	if (!copy) return;
	memcpy(copy, data + from, length);
	memmove(data + to + length, data + to, from - to);
	memcpy(data + to, copy, length);
	free(copy);
}

size_t fuzz_mutate_pickle(uint8_t *data, size_t size, size_t max, unsigned seed, fuzz_mutate mutate)
{
	static const char plain[] = "(.012NQRabdelostu)]}\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94";
	size_t at[OPCODES + 1], n = 0, end = 0;
	while (n < OPCODES && end < size) {
		size_t length = opcode(data + end, size - end);
		if (length == 0) break;
		at[n++] = end;
		end += length;
	}
	at[n] = end;
	if (n < 2 || seed % 8 == 0) return mutate(data, size, max);
	size_t a = seed / 8 % n, b = seed / 64 % n, length, swap = b;
	if (a < b) b = a, a = swap;
	length = at[a + 1] - at[a];
	switch (seed % 8) {
	case 1: /* dropped */
		memmove(data + at[a], data + at[a + 1], size - at[a + 1]);
		return size - length;
	case 2: /* doubled */
		if (length > max - size) return mutate(data, size, max);
		memmove(data + at[a + 1], data + at[a], size - at[a]);
		return size + length;
	case 3: /* moved */
		move_back(data, at[a], length, at[b]);
		return size;
	case 4: /* another one without argument */
		if (length == 1) data[at[a]] = (uint8_t)plain[seed / 4096 % (sizeof plain - 1)];
		else data[at[a + 1] - 1] ^= (uint8_t)(1u << seed / 4096 % 8);
		return size;
	case 5: /* one more */
		if (size == max) return mutate(data, size, max);
		memmove(data + at[a] + 1, data + at[a], size - at[a]);
		data[at[a]] = (uint8_t)plain[seed / 4096 % (sizeof plain - 1)];
		return size + 1;
	default: { /* its bytes alone */
		uint8_t *rest = malloc(size - at[a + 1] + 1);
		size_t tail = size - at[a + 1];
		if (!rest) return size;
		memcpy(rest, data + at[a + 1], tail);
		length = mutate(data + at[a], length, max - at[a] - tail);
		memcpy(data + at[a] + length, rest, tail);
		free(rest);
		return at[a] + length + tail;
	}
	}
}

/* ---- npy ------------------------------------------------------------------------------------------------------- */

size_t fuzz_mutate_npy(uint8_t *data, size_t size, size_t max, unsigned seed, fuzz_mutate mutate)
{
	if (seed % 4 == 0 || size < 12 || memcmp(data, "\x93NUMPY", 6)) return mutate(data, size, max);
	size_t width = data[6] == 1 ? 2 : 4, start = 8 + width, length = 0;
	for (size_t i = width; i-- > 0;) length = length << 8 | data[8 + i];
	if (length == 0 || length > size - start) return mutate(data, size, max);
	size_t tail = size - start - length;
	uint8_t *rest = malloc(tail + 1);
	if (!rest) return size;
	memcpy(rest, data + start + length, tail);
	length = mutate(data + start, length, max - start - tail);
	if (width == 2 && length > UINT16_MAX) length = UINT16_MAX;
	for (size_t i = 0; i < width; i++) data[8 + i] = (uint8_t)((uint64_t)length >> 8 * i);
	memcpy(data + start + length, rest, tail);
	free(rest);
	return start + length + tail;
}

/* ---- tar ------------------------------------------------------------------------------------------------------- */

static unsigned sum_of(const uint8_t *header)
{
	unsigned sum = 8 * ' ';
	for (int i = 0; i < BLOCK; i++)
		if (i < SUM_AT || i >= SUM_AT + 8) sum += header[i];
	return sum;
}

static uint64_t octal(const uint8_t *p, int digits)
{
	uint64_t v = 0;
	for (int i = 0; i < digits && p[i] >= '0' && p[i] <= '7'; i++) v = v * 8 + (unsigned)(p[i] - '0');
	return v;
}

/* Bytes of a member with its header and filling; 0 when there is none at p. */
static size_t member(const uint8_t *p, size_t left)
{
	if (left < BLOCK || p[0] == 0 || octal(p + SUM_AT, 7) != sum_of(p)) return 0;
	uint64_t size = octal(p + SIZE_AT, 11);
	return size <= left - BLOCK ? BLOCK + (size_t)((size + BLOCK - 1) / BLOCK * BLOCK) : 0;
}

/* Changes one member: its data or its header. 0: it is no tar. */
size_t fuzz_mutate_tar(uint8_t *data, size_t size, size_t max, unsigned seed, fuzz_mutate mutate)
{
	size_t count = 0, at = 0, length;
	for (size_t n; (n = member(data + at, size - at)) && n <= size - at; at += n) count++;
	if (count == 0) return 0;
	at = 0;
	for (size_t i = seed / 64 % count; i > 0; i--) at += member(data + at, size - at);
	uint8_t header[BLOCK];
	size_t old = member(data + at, size - at), tail = size - at - old, room = max - at - tail - BLOCK;
	uint8_t *inner = malloc(room + BLOCK), *rest = malloc(tail + 1);
	if (!inner || !rest || at + tail + 2 * BLOCK > max) {
		free(inner);
		free(rest);
		return 0;
	}
	memcpy(header, data + at, BLOCK);
	memcpy(rest, data + at + old, tail);
	length = (size_t)octal(header + SIZE_AT, 11);
	if (length > room - BLOCK) length = room - BLOCK;
	memcpy(inner, data + at + BLOCK, length);
	if (seed % 8 == 0) mutate(header, BLOCK, BLOCK);
	else length = fuzz_mutate_pickle(inner, length, room - BLOCK, seed / 8, mutate);
	if (seed % 8) snprintf((char *)header + SIZE_AT, 12, "%011o", (unsigned)length & 0x3fffffff);
	snprintf((char *)header + SUM_AT, 8, "%06o", sum_of(header) & 0777777);
	size_t filled = (length + BLOCK - 1) / BLOCK * BLOCK;
	memset(inner + length, 0, filled - length);
	memcpy(data + at, header, BLOCK);
	memcpy(data + at + BLOCK, inner, filled);
	memcpy(data + at + BLOCK + filled, rest, tail);
	free(inner);
	free(rest);
	return at + BLOCK + filled + tail;
}
