# classes.py -- writes lib/text/classes.c: how the tokenizers library classes characters, asked of itself (python classes.py >FILE)
from tokenizers import normalizers, pre_tokenizers

ALL = [chr(c) for c in range(0x80, 0x110000) if not 0xd800 <= c < 0xe000]
LOWER = normalizers.Lowercase().normalize_str


def sets():
    clean = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=False).normalize_str
    bare = normalizers.BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=True, lowercase=False).normalize_str
    marks, compatible, canonical = normalizers.StripAccents().normalize_str, normalizers.NFKD().normalize_str, normalizers.NFD().normalize_str
    apart, digits = pre_tokenizers.Punctuation().pre_tokenize_str, pre_tokenizers.Digits().pre_tokenize_str
    words = pre_tokenizers.Whitespace().pre_tokenize_str
    yield "punctuation", "what is cut off as punctuation", (c for c in ALL if len(apart("x" + c)) == 2)
    yield "control", "what BertNormalizer removes", (c for c in ALL if c != "\ufffd" and clean("x" + c) == "x")
    yield "nonspacing", "the marks that BertNormalizer strips", (c for c in ALL if ord(c) >= 0x300 and bare("x" + c) == "x")
    yield "mark", "the marks that StripAccents strips", (c for c in ALL if ord(c) >= 0x300 and marks("x" + c) == "x")
    yield "numeric", "what Digits sets apart", (c for c in ALL if len(digits("x" + c)) == 2)
    yield "word", "what Whitespace joins to a letter", (c for c in ALL if words("x" + c)[0][0] == "x" + c)
    yield "decomposed", "what the forms decompose", (c for c in ALL if compatible(c) != c)
    yield "ordered", "the marks that the forms sort, among one of the lowest and one of the highest class", (
        c for c in ALL if compatible(c) == c and (canonical(x := "x" + c + "\u0334") != x or canonical(x := "x\u0345" + c) != x))


def lower():
    """First, last, step between them, what is added; the one that has two letters in lower case is left out."""
    found = []
    for c in ALL:
        small, c = LOWER(c), ord(c)
        if len(small) > 1 or ord(small) == c:
            continue
        more, r = ord(small) - c, found[-1] if found else None
        if r and r[3] == more and (c - r[1] == r[2] or (r[0] == r[1] and c - r[1] <= 2)):
            r[1:3] = c, c - r[1]
        else:
            found.append([c, c, 1, more])
    return found


def ranges(chars):
    found = []
    for c in map(ord, chars):
        if found and c == found[-1][1] + 1:
            found[-1][1] = c
        else:
            found.append([c, c])
    return found


def table(items, row):
    return ["\t" + ", ".join(items[i : i + row]) + "," for i in range(0, len(items), row)] + ["};"]


def text():
    out = ["/* classes.c -- how the tokenizers library classes characters; made by tests/interop/classes.py */",
           '#include "classes.h"', "", "#include <stddef.h>", "", "typedef struct range {", "\tuint32_t first, last;", "} range;"]
    names = []
    for name, what, chars in sets():
        names.append(name)
        out += ["", f"/* {what} */", f"static const range {name}[] = {{", *table([f"{{{a:#x}, {b:#x}}}" for a, b in ranges(chars)], 5)]
    out += ["", "/* what has a lower case: from, to, every how many, and what is added to it */", "static const struct {", "\trange of;",
            "\tuint32_t step;", "\tint32_t more;", "} lower[] = {"]
    out += table([f"{{{{{a:#x}, {b:#x}}}, {step}, {more}}}" for a, b, step, more in lower()], 4)
    out += ["", "static bool within(const range *r, size_t count, uint32_t c)", "{", "\tsize_t low = 0;",
            "\twhile (low < count) {", "\t\tsize_t middle = low + (count - low) / 2;", "\t\tif (c > r[middle].last) low = middle + 1;",
            "\t\telse if (c >= r[middle].first) return true;", "\t\telse count = middle;", "\t}", "\treturn false;", "}"]
    for name in names:
        out += ["", f"bool ckpt_class_{name}(uint32_t c)", "{", f"\treturn within({name}, sizeof {name} / sizeof *{name}, c);", "}"]
    out += ["", "uint32_t ckpt_class_lower(uint32_t c)", "{", "\tsize_t low = 0, count = sizeof lower / sizeof *lower;", "\twhile (low < count) {",
            "\t\tsize_t middle = low + (count - low) / 2;", "\t\tif (c > lower[middle].of.last) low = middle + 1;",
            "\t\telse if (c < lower[middle].of.first) count = middle;",
            "\t\telse return (c - lower[middle].of.first) % lower[middle].step ? c : (uint32_t)((int32_t)c + lower[middle].more);", "\t}", "\treturn c;", "}"]
    return "\n".join(out) + "\n"


if __name__ == "__main__":
    print(text(), end="")
