# test_safetensors.py -- ckpt's safetensors and the reference library's, byte for byte and value for value
import json
import os
import struct

import numpy
import torch
from safetensors import safe_open
from safetensors.numpy import save_file as save_numpy
from safetensors.torch import load_file, save_file, save_model

from peers import DTYPES, TORCH_ONLY, Case, parametrise, sample, short

PT = {"format": "pt"}


@parametrise([(short(d), d) for d in DTYPES if d not in TORCH_ONLY])
class EveryDtype(Case):
    def tensors(self, dtype):
        return {"z.v": sample(dtype, 3), "a.m": sample(dtype, 2, 4, seed=1), "none": sample(dtype, 0, 2)} | (
            {} if dtype == torch.float4_e2m1fn_x2 else {"\u00e9 s": sample(dtype)}
        )

    def check_read(self, dtype):
        tensors = self.tensors(dtype)
        save_file(tensors, self.path("a.safetensors"), PT)
        self.assert_holds(self.path("a.safetensors"), tensors)

    def check_same_bytes(self, dtype):
        tensors = self.tensors(dtype)
        torch.save(tensors, self.path("a.bin"))
        save_file(tensors, self.path("reference.safetensors"), PT)
        self.ckpt("convert", self.path("a.bin"), self.path("ours.safetensors"))
        self.assert_same_bytes(self.path("ours.safetensors"), self.path("reference.safetensors"))


class Files(Case):
    def test_all_dtypes_in_one_file(self):
        tensors = {f"t{i}.{short(d)}": sample(d, i + 1, 2) for i, d in enumerate(DTYPES) if d not in TORCH_ONLY}
        torch.save(dict(reversed(tensors.items())), self.path("a.bin"))
        save_file(tensors, self.path("reference.safetensors"), PT)
        self.ckpt("convert", self.path("a.bin"), self.path("ours.safetensors"))
        self.assert_same_bytes(self.path("ours.safetensors"), self.path("reference.safetensors"))
        self.assert_same(load_file(self.path("ours.safetensors")), tensors)

    def test_copy_is_identical(self):
        save_file({"b": sample(torch.float32, 3), "a": sample(torch.int8, 5)}, self.path("a.safetensors"), PT)
        self.ckpt("convert", self.path("a.safetensors"), self.path("b.safetensors"))
        self.assert_same_bytes(self.path("a.safetensors"), self.path("b.safetensors"))

    def test_metadata(self):
        meta = {"format": "pt", "b": "2", "a": "\u4e2d\"\\"}
        save_file({"w": sample(torch.float32, 3)}, self.path("a.safetensors"), meta)
        self.assertEqual(self.inspect(self.path("a.safetensors"))["metadata"], meta)
        self.ckpt("convert", "--metadata", "c=3", self.path("a.safetensors"), self.path("b.safetensors"))
        with safe_open(self.path("b.safetensors"), "pt") as f:
            self.assertEqual(f.metadata(), meta | {"c": "3"})

    def test_metadata_without_format_gets_one(self):
        """transformers refuses a file whose metadata says no format."""
        save_file({"w": sample(torch.float32, 3)}, self.path("a.safetensors"), {"k": "v \u00e9\n"})
        self.ckpt("convert", self.path("a.safetensors"), self.path("b.safetensors"))
        save_file({"w": sample(torch.float32, 3)}, self.path("c.safetensors"))
        self.ckpt("convert", self.path("c.safetensors"), self.path("d.safetensors"))
        for name, want in (("b", {"k": "v \u00e9\n"} | PT), ("d", PT)):
            with safe_open(self.path(name + ".safetensors"), "pt") as f:
                self.assertEqual(f.metadata(), want)

    def test_slices_by_safe_open(self):
        w = sample(torch.bfloat16, 20, 7)
        torch.save({"w": w, "v": sample(torch.int64, 3)}, self.path("a.bin"))
        self.ckpt("convert", self.path("a.bin"), self.path("a.safetensors"))
        with safe_open(self.path("a.safetensors"), "pt") as f:
            self.assert_same({"s": f.get_slice("w")[3:9, 1:5]}, {"s": w[3:9, 1:5].contiguous()})

    def test_numpy_writer(self):
        arrays = {"a": numpy.arange(6, dtype="<f4").reshape(2, 3), "b": numpy.array(3, dtype="u2"), "c": numpy.zeros((0, 2))}
        save_numpy(arrays, self.path("a.safetensors"))
        self.assert_holds(self.path("a.safetensors"), {k: torch.from_numpy(v) for k, v in arrays.items()})

    def test_dropped_ties_as_save_model_does(self):
        class Tied(torch.nn.Module):
            def __init__(self):
                super().__init__()
                torch.manual_seed(1)
                self.a = torch.nn.Linear(4, 4)
                self.b = self.a

        m = Tied()
        save_model(m, self.path("reference.safetensors"))
        torch.save(m.state_dict(), self.path("m.bin"))
        self.ckpt("convert", self.path("m.bin"), self.path("ours.safetensors"))
        with safe_open(self.path("ours.safetensors"), "pt") as f, safe_open(self.path("reference.safetensors"), "pt") as g:
            self.assertEqual(f.metadata(), g.metadata() | PT)
        self.assert_same(load_file(self.path("ours.safetensors")), load_file(self.path("reference.safetensors")))

    def test_unordered_and_unaligned(self):
        """JSON order that is not offset order, an odd offset, white space around: all valid."""
        header = json.dumps(
            {
                "late": {"dtype": "F32", "shape": [2], "data_offsets": [3, 11]},
                "early": {"dtype": "U8", "shape": [3], "data_offsets": [0, 3]},
            }
        ).encode()
        data = bytes(range(11))
        with open(self.path("o.safetensors"), "wb") as f:
            f.write(struct.pack("<Q", len(header) + 3) + b" \n" + header + b" " + data)
        want = load_file(self.path("o.safetensors"))
        self.assert_holds(self.path("o.safetensors"), want)
        self.ckpt("convert", self.path("o.safetensors"), self.path("p.safetensors"))
        self.assert_same(load_file(self.path("p.safetensors")), want)

    def test_empty_file(self):
        save_file({}, self.path("e.safetensors"))
        self.assertEqual(self.inspect(self.path("e.safetensors"))["tensors"], [])
        self.ckpt("convert", self.path("e.safetensors"), self.path("f.safetensors"))
        self.assertEqual(load_file(self.path("f.safetensors")), {})

    def test_ten_thousand(self):
        tensors = {f"layer.{i}.w": torch.full((i % 7,), i, dtype=torch.int32) for i in range(10000)}
        save_file(tensors, self.path("k.safetensors"), PT)
        self.assert_holds(self.path("k.safetensors"), tensors)
        self.ckpt("convert", self.path("k.safetensors"), self.path("k.bin"))
        self.assert_same(torch.load(self.path("k.bin"), weights_only=True), tensors)

    def test_cut_short(self):
        save_file({"w": sample(torch.float32, 100)}, self.path("a.safetensors"))
        data = open(self.path("a.safetensors"), "rb").read()
        for size in (0, 7, 8, 20, len(data) - 1):
            with open(self.path("cut.safetensors"), "wb") as f:
                f.write(data[:size])
            self.assertIn("cut.safetensors", self.ckpt("inspect", self.path("cut.safetensors"), fails=True))
            self.ckpt("convert", self.path("cut.safetensors"), self.path("never.bin"), fails=True)
            self.assertFalse(os.path.exists(self.path("never.bin")))
