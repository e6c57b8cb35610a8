# test_print.py -- `ckpt cat` beside repr() of the real torch, and its JSON beside tolist()
import json
import random

import torch

from peers import DTYPES, Case, parametrise, sample

FLOATS = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
SHAPES = [(), (1,), (7,), (40,), (999,), (1001,), (3, 4), (30, 40), (1, 1100), (1100, 1), (2, 3, 4), (7, 8, 30), (0,), (0, 3)]
SLICES = ["0", "-1", "0:3,:5", "...,0", "::2", ":,1:20:3", "-2:,-2:"]


def varied(seed):
    """Tensors as trained weights and less well-behaved sources have them."""
    draw = random.Random(seed)
    out = {}
    for i, shape in enumerate(SHAPES):
        for dtype in FLOATS:
            t = torch.randn(shape, generator=torch.Generator().manual_seed(seed * 100 + i), dtype=torch.float64)
            t = t * 10 ** draw.uniform(-7, 7) if draw.random() < 0.5 else t * draw.choice([0.02, 1, 100, 1000])
            if draw.random() < 0.3:
                t = t.round()
            if draw.random() < 0.3:
                t = torch.where(t > t.abs().mean(), torch.tensor(draw.choice([float("nan"), float("inf"), 0.0])).double(), t)
            out[f"{i} {DTYPES[dtype]}"] = t.to(dtype)
    return out


class Print(Case):
    def assert_printed(self, tensors):
        torch.save(tensors, self.path("a.bin"))
        for name, t in tensors.items():
            self.assertEqual(self.ckpt("cat", self.path("a.bin"), name), repr(t) + "\n", name)

    def test_floats(self):
        self.assert_printed(varied(1))

    def test_every_dtype(self):
        self.assert_printed({f"{DTYPES[d]} {s}": sample(d, *s) for d in DTYPES if d != torch.float4_e2m1fn_x2 for s in [(), (5, 4), (30, 40)]})

    def test_slices(self):
        w = torch.randn(40, 50)
        torch.save({"w": w}, self.path("a.bin"))
        for text in SLICES:
            want = eval(f"w[{text}]", {"w": w})
            self.assertEqual(self.ckpt("cat", self.path("a.bin"), "w", "--slice=" + text), repr(want) + "\n", text)

    def test_cast(self):
        w = torch.randn(5, 6)
        torch.save({"w": w}, self.path("a.bin"))
        self.assertEqual(self.ckpt("cat", self.path("a.bin"), "w", "--dtype", "bf16"), repr(w.bfloat16()) + "\n")

    def test_names(self):
        torch.save({"layer.weight": torch.ones(2), "layer.bias": torch.ones(2)}, self.path("a.bin"))
        self.assertIn("did you mean 'layer.weight'", self.ckpt("cat", self.path("a.bin"), "layer.wieght", fails=True))
        self.assertIn("2 tensors", self.ckpt("cat", self.path("a.bin"), fails=True))
        self.assertIn("dimension 0", self.ckpt("cat", self.path("a.bin"), "layer.bias", "--slice=2", fails=True))


@parametrise([(DTYPES[d], d) for d in DTYPES if d not in (torch.float4_e2m1fn_x2, torch.complex32)])
class Json(Case):
    def check_values(self, dtype):
        t = sample(dtype, 20, 30)
        torch.save({"w": t}, self.path("a.bin"))
        got = json.loads(self.ckpt("cat", self.path("a.bin"), "w", "--json"), parse_constant=self.fail)
        if dtype.is_complex:
            t = torch.view_as_real(t)
        if t.dtype.is_floating_point:
            read = torch.tensor([[float(x) for x in flat(row)] for row in got], dtype=torch.float64).to(dtype if not dtype.is_complex else t.dtype)
            self.assertTrue(torch.equal(read.double().nan_to_num(7).flatten(), t.double().nan_to_num(7).flatten()))
        else:
            self.assertEqual(got, t.tolist())


def flat(row):
    return [x for item in row for x in (item if isinstance(item, list) else [item])]
