# test_large.py -- tensors above 2 GiB and files above 4 GiB, made sparse where the peer allows it
import json
import os
import struct
import zipfile

import numpy
import torch
from safetensors import safe_open

from peers import Case, sample

BIG = (2 << 30) + 4096  # bytes of one tensor: above what 31 bits count
MARKS = {0: b"first bytes here", BIG // 2 - 8: b"around the middl", BIG - 16: b"the very last 16"}


class Large(Case):
    def sparse(self, path, count):
        """A safetensors file of `count` tensors of BIG bytes, nearly all holes, with marks at telling places."""
        header = {"t%d" % i: {"dtype": "F16", "shape": [BIG // 2], "data_offsets": [i * BIG, (i + 1) * BIG]} for i in range(count)}
        header["u"] = {"dtype": "U8", "shape": [5], "data_offsets": [count * BIG, count * BIG + 5]}
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        with open(path, "wb") as f:
            f.write(struct.pack("<Q", len(text)) + text)
            for i in range(count):
                for at, mark in MARKS.items():
                    f.seek(8 + len(text) + i * BIG + at)
                    f.write(mark)
            f.seek(8 + len(text) + count * BIG)
            f.write(b"small")
        return path

    def has_marks(self, tensor):
        flat = tensor.view(torch.uint8)
        self.assertEqual(flat.numel(), BIG)
        for at, mark in MARKS.items():
            self.assertEqual(flat[at : at + 16].numpy().tobytes(), mark, at)
            if at:
                self.assertEqual(int(flat[at - 4096 : at].count_nonzero()), 0)

    def test_four_gib_and_back(self):
        self.needs_disk(14)
        source = self.sparse(self.path("a.safetensors"), 2)
        self.ckpt("convert", "--no-sync", source, self.path("b.bin"))
        self.assertGreater(os.path.getsize(self.path("b.bin")), 4 << 30)
        got = torch.load(self.path("b.bin"), weights_only=True, mmap=True)
        self.has_marks(got["t0"])
        self.has_marks(got["t1"])
        self.assertEqual(got["u"].numpy().tobytes(), b"small")
        del got
        with zipfile.ZipFile(self.path("b.bin")) as z:
            self.assertEqual(z.read("b/version"), b"3\n")
        self.ckpt("convert", "--no-sync", self.path("b.bin"), self.path("c.safetensors"))
        os.unlink(self.path("b.bin"))
        with safe_open(self.path("c.safetensors"), "pt") as f:
            self.has_marks(f.get_tensor("t1"))
        self.assertEqual(
            [(t["name"], t["dtype"], t["bytes"]) for t in json.loads(self.ckpt("inspect", "--json", self.path("c.safetensors")))["tensors"]],
            [("t0", "F16", BIG), ("t1", "F16", BIG), ("u", "U8", 5)],
        )
        # The original lacks only the metadata that every new file gets.
        with open(source, "rb") as f, open(self.path("c.safetensors"), "rb") as g:
            f.seek(8 + struct.unpack("<Q", f.read(8))[0])
            g.seek(8 + struct.unpack("<Q", g.read(8))[0])
            while block := f.read(1 << 24):
                self.assertTrue(block == g.read(1 << 24))
            self.assertEqual(g.read(1), b"")

    def test_torch_save_above_four_gib(self):
        """The file is torch's own, zip64 quirks included."""
        self.needs_disk(14)
        with open(self.path("hole"), "wb") as f:
            f.truncate(BIG)
            f.seek(BIG - 16)
            f.write(MARKS[BIG - 16])
        first, second = (torch.from_file(self.path("hole"), True, BIG // 4, dtype=torch.float32) for _ in range(2))
        small = sample(torch.float32, 3)
        torch.save({"a": first, "again": second, "late": small}, self.path("b.pt"))
        self.assertGreater(os.path.getsize(self.path("b.pt")), 4 << 30)
        listed = {t["name"]: t for t in json.loads(self.ckpt("inspect", "--json", self.path("b.pt")))["tensors"]}
        self.assertEqual({k: t["bytes"] for k, t in listed.items()}, {"a": BIG, "again": BIG, "late": 12})
        self.ckpt("convert", "--no-sync", "--include", "late", self.path("b.pt"), self.path("late.safetensors"))
        with safe_open(self.path("late.safetensors"), "pt") as f:
            self.assert_same({"late": f.get_tensor("late")}, {"late": small})
        self.ckpt("convert", "--no-sync", "--include", "again", self.path("b.pt"), self.path("again.safetensors"))
        with safe_open(self.path("again.safetensors"), "pt") as f:
            tail = f.get_slice("again")[BIG // 4 - 4 :]
            self.assertEqual(tail.view(torch.uint8).numpy().tobytes(), MARKS[BIG - 16])

    def test_npz_above_two_gib(self):
        self.needs_disk(8)
        source = self.sparse(self.path("a.safetensors"), 1)
        self.ckpt("convert", "--no-sync", source, self.path("b.npz"))
        with numpy.load(self.path("b.npz"), allow_pickle=False) as z:
            self.assertEqual(z["u"].tobytes(), b"small")
            self.has_marks(torch.from_numpy(z["t0"]))
