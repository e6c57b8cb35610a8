# test_torch_read.py -- what torch.save wrote, ckpt lists and converts value for value
import argparse
import collections
import io
import os
import pickle
import unittest

import numpy
import torch
from safetensors.torch import load_file

from peers import DTYPES, TORCH_ONLY, Case, parametrise, raw, sample, short

CONTAINERS = [("zip", True), ("legacy", False)]


def save(value, path, zipped=True, **options):
    torch.save(value, path, _use_new_zipfile_serialization=zipped, **options)


@parametrise([(short(d), d) for d in DTYPES])
class EveryDtype(Case):
    """Shapes of every kind in every dtype; both containers."""

    def shapes(self, dtype):
        return {
            "scalar": sample(dtype),
            "vector": sample(dtype, 7, seed=1),
            "matrix": sample(dtype, 3, 5, seed=2),
            "deep": sample(dtype, 2, 1, 3, 2, 2, seed=3),
            "empty": sample(dtype, 0),
            "hollow": sample(dtype, 2, 0, 3),
        }

    def expect(self, dtype, path):
        tensors = self.shapes(dtype)
        if dtype == torch.float4_e2m1fn_x2:
            del tensors["scalar"]  # two elements in a byte have no rank 0
        return tensors

    def check_zip(self, dtype):
        tensors = self.expect(dtype, None)
        save(tensors, self.path("a.bin"))
        self.assert_holds(self.path("a.bin"), tensors)

    def check_legacy(self, dtype):
        tensors = self.expect(dtype, None)
        save(tensors, self.path("a.bin"), zipped=False)
        self.assert_holds(self.path("a.bin"), tensors)

    def check_to_safetensors(self, dtype):
        tensors = self.expect(dtype, None)
        save(tensors, self.path("a.bin"))
        if dtype in TORCH_ONLY:
            message = self.ckpt("convert", self.path("a.bin"), self.path("a.safetensors"), fails=True)
            self.assertIn(DTYPES[dtype], message)
            self.assertFalse(os.path.exists(self.path("a.safetensors")))
            return
        self.ckpt("convert", self.path("a.bin"), self.path("a.safetensors"))
        self.assert_same(load_file(self.path("a.safetensors")), tensors)


@parametrise(CONTAINERS)
class Views(Case):
    """Strides, offsets, repeats and ties come out as the tensor that torch would show."""

    def both(self, tensors, zipped):
        save(tensors, self.path("v.pt"), zipped)
        listed = self.assert_holds(self.path("v.pt"), tensors)
        self.ckpt("convert", "--aliases", "copy", self.path("v.pt"), self.path("v.safetensors"))
        self.assert_same(load_file(self.path("v.safetensors")), {k: t.contiguous() for k, t in tensors.items()})
        return listed

    def check_strides(self, zipped):
        base = torch.arange(2 * 3 * 4 * 5, dtype=torch.float32).reshape(2, 3, 4, 5)
        self.both(
            {
                "transposed": base[0, 0].t(),
                "permuted": base.permute(3, 1, 0, 2),
                "stepped": base[:, ::2, :, 1::3],
                "column": base[..., 2],
                "reversed_axes": base.permute(3, 2, 1, 0),
                "channels_last": base.contiguous(memory_format=torch.channels_last),
                "windows": torch.arange(10).unfold(0, 4, 1),
            },
            zipped,
        )

    def check_slices(self, zipped):
        base = sample(torch.bfloat16, 64, 16)
        listed = self.both({"head": base[:3], "middle": base[20:40], "tail": base[63], "all": base}, zipped)
        self.assertTrue(all(t["alias_of"] is None for t in listed.values()))

    def check_repeats(self, zipped):
        self.both({"expanded": torch.arange(3).expand(4, 3), "one": torch.tensor(1.5).expand(2, 3, 4)}, zipped)

    def check_ties(self, zipped):
        w = sample(torch.float16, 5, 4)
        listed = self.both({"a": w, "b": torch.ones(2), "c": w, "d": w.view(5, 4), "shape": w.view(4, 5)}, zipped)
        ties = {k: t["alias_of"] for k, t in listed.items()}
        self.assertEqual(ties, {"a": None, "b": None, "c": "a", "d": "a", "shape": None})

    def check_lazy_conjugate(self, zipped):
        z = torch.tensor([1 + 2j, -3j, 4, -5 - 6j])
        self.assertTrue(z.conj().is_conj())
        self.both({"conjugate": z.conj(), "turned": z.reshape(2, 2).conj().t(), "plain": z}, zipped)

    def check_lazy_negative(self, zipped):
        negative = torch.imag(torch.tensor([1 + 2j, -3j, 4, -5 - 6j]).conj())
        self.assertTrue(negative.is_neg())
        self.both({"negative": negative, "again": negative[1:3]}, zipped)


@parametrise(CONTAINERS)
class Objects(Case):
    """State dicts, modules, training checkpoints: dotted names, whatever lies around them."""

    def model(self):
        torch.manual_seed(0)
        m = torch.nn.Sequential(
            torch.nn.Embedding(10, 4), torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3), torch.nn.LSTM(3, 2)
        )
        return m

    def check_state_dict(self, zipped):
        sd = self.model().state_dict()
        save(sd, self.path("m.pt"), zipped)
        self.assert_holds(self.path("m.pt"), sd)

    def check_parameters(self, zipped):
        sd = {k: torch.nn.Parameter(v, requires_grad=v.is_floating_point()) for k, v in self.model().named_parameters()}
        save(sd, self.path("m.pt"), zipped)
        self.assert_holds(self.path("m.pt"), sd)

    def check_whole_module(self, zipped):
        m = self.model()
        save(m, self.path("m.pt"), zipped)
        self.assert_holds(self.path("m.pt"), m.state_dict())

    def check_containers(self, zipped):
        t = [sample(torch.float32, 2, seed=i) for i in range(6)]
        save({"d": {"x": t[0], 3: t[1]}, "l": [t[2], {"y": t[3]}], "t": (t[4], (t[5],))}, self.path("n.pt"), zipped)
        self.assert_holds(
            self.path("n.pt"),
            {"d.x": t[0], "d.3": t[1], "l.0": t[2], "l.1.y": t[3], "t.0": t[4], "t.1.0": t[5]},
        )

    def check_lists(self, zipped):
        a, b = sample(torch.int16, 3), sample(torch.int16, 4)
        save([a, b], self.path("l.pt"), zipped)
        self.assert_holds(self.path("l.pt"), {"0": a, "1": b})

    def training(self, zipped):
        m = self.model()
        optimizer = torch.optim.Adam(m.parameters())
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3)
        for p in m.parameters():
            p.grad = torch.ones_like(p)
        optimizer.step()
        value = {
            "epoch": 7,
            "model": m.state_dict(),
            "optimizer": optimizer.state_dict(),
            "scheduler": scheduler.state_dict(),
            "loss": 0.25,
            "big": 2**70,
            "args": argparse.Namespace(lr=0.1, name="x"),
            "rng": torch.get_rng_state(),
            "note": "gr\u00fc\u00df",
            "raw": b"\x00\xff",
            "seen": {1, 2},
            "size": torch.Size([1, 2]),
            "kind": torch.bfloat16,
            "device": torch.device("cpu"),
            "none": None,
        }
        save(value, self.path("train.pt"), zipped)
        return value

    def check_training(self, zipped):
        value = self.training(zipped)
        names = {t["name"] for t in self.inspect(self.path("train.pt"))["tensors"]}
        self.assertTrue({"model." + k for k in value["model"]} <= names)
        self.assertIn("optimizer.state.0.exp_avg", names)
        self.assertIn("rng", names)

    def check_training_root(self, zipped):
        value = self.training(zipped)
        self.ckpt("convert", "--root", "model", self.path("train.pt"), self.path("m.safetensors"))
        self.assert_same(load_file(self.path("m.safetensors")), value["model"])

    def check_lightning(self, zipped):
        sd = self.model().state_dict()
        value = {
            "epoch": 1,
            "global_step": 10,
            "pytorch-lightning_version": "2.0.0",
            "state_dict": sd,
            "optimizer_states": [],
            "hyper_parameters": {"lr": 1e-3},
        }
        save(value, self.path("l.ckpt"), zipped)
        self.ckpt("convert", self.path("l.ckpt"), self.path("l.safetensors"))
        self.assert_same(load_file(self.path("l.safetensors")), sd)

    def check_numpy_values(self, zipped):
        t = sample(torch.float32, 3)
        value = {"w": t, "best": numpy.float64(0.5), "array": numpy.arange(4), "flag": numpy.bool_(True)}
        save(value, self.path("n.pt"), zipped)
        self.assertIn("w", {x["name"] for x in self.inspect(self.path("n.pt"))["tensors"]})

    def check_names(self, zipped):
        names = ["", ".", "a.b/c", "a b", "\u00e9\u4e2d\U0001f600", "\u0001", "x" * 70000, "__metadata__x", "q\"\\\n\t"]
        sd = {n: sample(torch.int32, 2, seed=i) for i, n in enumerate(names)}
        save(sd, self.path("n.pt"), zipped)
        self.assert_holds(self.path("n.pt"), sd)

    def check_a_name_with_nul_is_refused(self, zipped):
        save({"a\0b": torch.zeros(1)}, self.path("n.pt"), zipped)
        self.assertIn("NUL", self.ckpt("inspect", self.path("n.pt"), fails=True))

    def check_ten_thousand(self, zipped):
        sd = {f"layer.{i}.weight": torch.full((3,), i, dtype=torch.int32) for i in range(10000)}
        save(sd, self.path("k.pt"), zipped)
        self.assert_holds(self.path("k.pt"), sd)
        self.ckpt("convert", self.path("k.pt"), self.path("k.safetensors"))
        self.assert_same(load_file(self.path("k.safetensors")), sd)

    def check_protocols(self, zipped):
        sd = collections.OrderedDict(a=sample(torch.float32, 3), b=sample(torch.bfloat16, 2, 2))
        for protocol in (2, 3, 4, 5):
            value = {"m": sd, "bytes": b"x" * 300, "arr": bytearray(b"y" * 300), "f": frozenset([1]), "n": -(2**40)}
            save(value, self.path("p.pt"), zipped, pickle_protocol=protocol)
            self.assert_holds(self.path("p.pt"), {"a": sd["a"], "b": sd["b"]}, "--root", "m")


class ZipDetails(Case):
    def test_saved_to_a_buffer(self):
        sd = {"a": sample(torch.float32, 3)}
        buffer = io.BytesIO()
        torch.save(sd, buffer)
        with open(self.path("b.pt"), "wb") as f:
            f.write(buffer.getvalue())
        self.assert_holds(self.path("b.pt"), sd)

    def test_other_alignment(self):
        sd = {str(i): sample(torch.uint8, i) for i in range(5)}
        config = torch.utils.serialization.config.save
        before = config.storage_alignment
        try:
            for alignment in (1, 8, 4096):
                config.storage_alignment = alignment
                torch.save(sd, self.path("a.pt"))
                self.assert_holds(self.path("a.pt"), sd)
        finally:
            config.storage_alignment = before

    def test_without_crc(self):
        sd = {"a": sample(torch.float32, 300)}
        torch.serialization.set_crc32_options(False)
        try:
            torch.save(sd, self.path("c.pt"))
        finally:
            torch.serialization.set_crc32_options(True)
        self.assert_holds(self.path("c.pt"), sd)

    def test_torchscript(self):
        class Net(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = torch.nn.Linear(3, 2)
                self.register_buffer("steps", torch.arange(4))

            def forward(self, x):
                return self.inner(x)

        net = Net()
        torch.jit.save(torch.jit.trace(net, torch.zeros(1, 3)), self.path("s.pt"))
        self.assert_holds(self.path("s.pt"), {k: v for k, v in net.state_dict().items() if k != "steps"} | {"steps": net.steps})

    def test_nothing_is_run(self):
        marker = self.path("ran")

        class Trap:
            def __reduce__(self):
                return (open, (marker, "w"))

        torch.save({"w": sample(torch.float32, 2), "trap": Trap()}, self.path("t.pt"))
        self.assertIn("io.open", self.ckpt("inspect", self.path("t.pt"), fails=True))
        self.ckpt("convert", self.path("t.pt"), self.path("t.safetensors"), fails=True)
        self.assertFalse(os.path.exists(marker))
        self.assertFalse(os.path.exists(self.path("t.safetensors")))

    def test_same_data_everywhere(self):
        """One fingerprint for one state dict, whatever container holds it."""
        sd = {"b": sample(torch.float32, 3, 2), "a": sample(torch.int64, 4)}
        torch.save(sd, self.path("z.pt"))
        torch.save(sd, self.path("l.pt"), _use_new_zipfile_serialization=False)
        self.ckpt("convert", self.path("z.pt"), self.path("s.safetensors"))
        self.ckpt("convert", self.path("z.pt"), self.path("n.npz"))
        prints = {self.fingerprint(self.path(n)) for n in ("z.pt", "l.pt", "s.safetensors", "n.npz")}
        self.assertEqual(len(prints), 1)


SAMPLES = os.environ.get("CKPT_SAMPLES", "")


@unittest.skipUnless(os.path.isdir(SAMPLES), "CKPT_SAMPLES names no folder of files by older torch releases")
class OlderReleases(Case):
    """Files of torch 1.7, 1.13 and 2.6."""

    def every(self, name):
        for release in sorted(os.listdir(SAMPLES)):
            path = os.path.join(SAMPLES, release, name)
            if os.path.exists(path):
                yield path

    def test_two(self):
        two = {"weight": torch.arange(6, dtype=torch.float32).reshape(2, 3), "bias": torch.arange(3)}
        for name in ("two.pt", "two_legacy.pt"):
            for path in self.every(name):
                self.assert_holds(path, two)

    def test_linear(self):
        linear = {"weight": torch.arange(6, dtype=torch.float32).reshape(2, 3), "bias": torch.zeros(2)}
        for name in ("linear_sd.pt", "linear_sd_legacy.pt", "linear_module.pt"):
            for path in self.every(name):
                self.assert_holds(path, linear)

    def test_training(self):
        for path in self.every("train.pt"):
            truth = torch.load(path, weights_only=False)
            listed = {t["name"]: t for t in self.inspect(path)["tensors"]}
            for key, t in truth["model_state_dict"].items():
                self.assertEqual(listed["model_state_dict." + key]["shape"], list(t.shape))
            self.ckpt("convert", "--root", "model_state_dict", path, self.path("m.safetensors"), "--force")
            self.assert_same(load_file(self.path("m.safetensors")), dict(truth["model_state_dict"]))
