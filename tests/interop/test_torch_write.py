# test_torch_write.py -- what ckpt writes, torch.load takes, and finds the bytes of torch.save itself
import collections
import os
import zipfile

import torch
from safetensors.torch import save_file, save_model

from peers import DTYPES, TORCH_ONLY, Case, parametrise, sample, short

# Without a storage class of their own: torch writes them into legacy files, but fails to read them from there.
NEWER = {d for d in DTYPES if short(d).startswith(("uint16", "uint32", "uint64", "complex32", "float8", "float4"))}


def records(path):
    """Name, offset and bytes of every record but the one that depends on the order of a hash table."""
    with zipfile.ZipFile(path) as z:
        return [(i.filename, i.header_offset, z.read(i)) for i in z.infolist() if "serialization_id" not in i.filename]


class TorchCase(Case):
    def assert_torch_bytes(self, ours, theirs):
        """Byte for byte the file that torch.save wrote, apart from the content of .data/serialization_id."""
        a, b = open(ours, "rb").read(), open(theirs, "rb").read()
        self.assertEqual([r[:2] for r in records(ours)], [r[:2] for r in records(theirs)])
        for x, y in zip(records(ours), records(theirs)):
            self.assertEqual(x[2], y[2], x[0])
        self.assertEqual(len(a), len(b))
        a, b = self.blank(ours, bytearray(a)), self.blank(theirs, bytearray(b))
        if a != b:
            at = next(i for i in range(len(a)) if a[i] != b[i])
            self.fail(f"differs from torch.save at byte {at}: {a[at:at + 16].hex()} / {b[at:at + 16].hex()}")

    def blank(self, path, data):
        """Zeroes the 40 digits and the three places that hold their CRC: descriptor, central entry."""
        with zipfile.ZipFile(path) as z:
            for i in z.infolist():
                if not i.filename.endswith("serialization_id"):
                    continue
                crc = i.CRC.to_bytes(4, "little")
                content = data.index(z.read(i))
                data[content : content + 40] = bytes(40)
                descriptor = content + 44
                self.assertEqual(bytes(data[descriptor : descriptor + 4]), crc)
                data[descriptor : descriptor + 4] = bytes(4)
                central = data.index(i.filename.encode(), content) - 46 + 16
                self.assertEqual(bytes(data[central : central + 4]), crc)
                data[central : central + 4] = bytes(4)
        return data

    def loads(self, path, expected):
        self.assert_same(torch.load(path, weights_only=True), expected)
        self.assert_same(torch.load(path, weights_only=True, mmap=True), expected)


@parametrise([(short(d), d) for d in DTYPES])
class EveryDtype(TorchCase):
    def tensors(self, dtype):
        return {
            "m": sample(dtype, 3, 4, seed=1),
            "v": sample(dtype, 5, seed=2),
            "none": sample(dtype, 0, 3),
        } | ({} if dtype == torch.float4_e2m1fn_x2 else {"s": sample(dtype)})

    def check_from_safetensors(self, dtype):
        tensors = self.tensors(dtype)
        if dtype in TORCH_ONLY:  # the reference library has no name for it either
            self.assertRaises(KeyError, save_file, tensors, self.path("a.safetensors"))
            return
        save_file(tensors, self.path("a.safetensors"), {"format": "pt"})
        self.ckpt("convert", self.path("a.safetensors"), self.path("a.bin"))
        self.loads(self.path("a.bin"), tensors)

    def check_from_torch(self, dtype):
        tensors = self.tensors(dtype)
        torch.save(tensors, self.path("a.pt"))
        self.ckpt("convert", self.path("a.pt"), self.path("b.bin"))
        self.loads(self.path("b.bin"), tensors)

    def check_legacy(self, dtype):
        tensors = self.tensors(dtype)
        torch.save(tensors, self.path("a.pt"))
        if dtype in NEWER:
            message = self.ckpt("convert", "--to", "torch-legacy", self.path("a.pt"), self.path("l.bin"), fails=True)
            self.assertIn(DTYPES[dtype], message)
            return
        self.ckpt("convert", "--to", "torch-legacy", self.path("a.pt"), self.path("l.bin"))
        self.assertFalse(zipfile.is_zipfile(self.path("l.bin")))
        self.assert_same(torch.load(self.path("l.bin"), weights_only=True), tensors)

    def check_same_bytes_as_torch_save(self, dtype):
        tensors = collections.OrderedDict(self.tensors(dtype))
        torch.save(tensors, self.path("torch", "a.bin"))
        if dtype in TORCH_ONLY:
            self.ckpt("convert", self.path("torch", "a.bin"), self.path("ckpt", "a.bin"))
        else:
            save_file(tensors, self.path("a.safetensors"), {"format": "pt"})
            order = [t["name"] for t in self.inspect(self.path("a.safetensors"))["tensors"]]
            tensors = collections.OrderedDict((k, tensors[k]) for k in order)
            torch.save(tensors, self.path("torch", "a.bin"))
            self.ckpt("convert", self.path("a.safetensors"), self.path("ckpt", "a.bin"))
        self.assert_torch_bytes(self.path("ckpt", "a.bin"), self.path("torch", "a.bin"))


class ByteIdentity(TorchCase):
    def again(self, value, name="m.bin"):
        """torch.save, then through ckpt: the same bytes again."""
        torch.save(value, self.path("torch", name))
        self.ckpt("convert", self.path("torch", name), self.path("ckpt", name))
        self.assert_torch_bytes(self.path("ckpt", name), self.path("torch", name))

    def test_ordered_dict(self):
        self.again(collections.OrderedDict((f"l{i}.w", sample(torch.float32, i, 3, seed=i)) for i in range(20)))

    def test_more_than_a_batch(self):
        for count in (999, 1000, 1001, 2001):
            self.again(collections.OrderedDict((f"t{i}", torch.full((2,), i)) for i in range(count)), f"n{count}.bin")

    def test_tied(self):
        w = sample(torch.float32, 4, 2)
        self.again(collections.OrderedDict(a=w, b=sample(torch.float32, 2), c=w))

    def test_views(self):
        w = sample(torch.float32, 4, 6)
        self.again(collections.OrderedDict(a=w, head=w[:2], turned=w.t(), stepped=w[:, ::2]))

    def test_state_dict_of_a_module(self):
        self.again(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4)).state_dict())

    def test_training_checkpoint(self):
        m = torch.nn.Linear(3, 2)
        o = torch.optim.Adam(m.parameters())
        m(torch.ones(1, 3)).sum().backward()
        o.step()
        self.again({"epoch": 3, "model": m.state_dict(), "optim": o.state_dict(), "loss": 0.5, "n": None, "b": b"x"})

    def test_parameters(self):
        self.again(collections.OrderedDict(p=torch.nn.Parameter(sample(torch.float32, 3)), q=torch.zeros(2)))


class Meaning(TorchCase):
    """Things besides values: ties, names, nesting."""

    def test_ties_survive(self):
        w = sample(torch.float32, 3, 3)
        torch.save({"a": w, "b": w}, self.path("t.pt"))
        self.ckpt("convert", self.path("t.pt"), self.path("u.pt"))
        got = torch.load(self.path("u.pt"), weights_only=True)
        self.assertEqual(got["a"].data_ptr(), got["b"].data_ptr())

    def test_ties_come_back_from_safetensors(self):
        class Tied(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.a = torch.nn.Linear(4, 4)
                self.b = self.a

        m = Tied()
        save_model(m, self.path("m.safetensors"))
        self.ckpt("convert", self.path("m.safetensors"), self.path("m.bin"))
        got = torch.load(self.path("m.bin"), weights_only=True)
        self.assert_same(got, m.state_dict())
        self.assertEqual(got["a.weight"].data_ptr(), got["b.weight"].data_ptr())

    def test_there_and_back(self):
        w = sample(torch.bfloat16, 6, 5)
        sd = {"a": w, "b": w, "t": w.t(), "s": sample(torch.float64), "e": torch.empty(0, 4)}
        torch.save(sd, self.path("a.pt"))
        self.ckpt("convert", self.path("a.pt"), self.path("b.safetensors"))
        self.ckpt("convert", self.path("b.safetensors"), self.path("c.pt"))
        got = torch.load(self.path("c.pt"), weights_only=True)
        self.assert_same(got, {k: t.contiguous() for k, t in sd.items()})
        self.assertEqual(got["a"].data_ptr(), got["b"].data_ptr())

    def test_training_checkpoint_stays_whole(self):
        value = {"epoch": 3, "model": {"w": sample(torch.float32, 2, 2)}, "state": {0: {"step": 5}}, "best": 0.125}
        torch.save(value, self.path("a.pt"))
        self.ckpt("convert", self.path("a.pt"), self.path("b.pt"))
        got = torch.load(self.path("b.pt"), weights_only=True)
        self.assert_same(got.pop("model"), value.pop("model"))
        self.assertEqual(got, value)

    def test_names(self):
        sd = {n: sample(torch.int32, 2, seed=i) for i, n in enumerate(["", "\u00e9\u4e2d", "a/b", "x" * 300, "\u0001"])}
        torch.save(sd, self.path("a.pt"))
        self.ckpt("convert", self.path("a.pt"), self.path("b.pt"))
        self.loads(self.path("b.pt"), sd)

    def test_zip_by_another_reader(self):
        sd = {f"t{i}": sample(torch.uint8, i * 7, seed=i) for i in range(50)}
        torch.save(sd, self.path("a.pt"))
        self.ckpt("convert", self.path("a.pt"), self.path("b.pt"))
        with zipfile.ZipFile(self.path("b.pt")) as z:
            self.assertIsNone(z.testzip())

    def test_cast(self):
        sd = {"w": torch.randn(100, 30), "n": torch.arange(4), "h": torch.randn(50).half()}
        torch.save(sd, self.path("a.pt"))
        for name, dtype in (("bf16", torch.bfloat16), ("f16", torch.float16), ("f64", torch.float64),
                            ("f8_e4m3", torch.float8_e4m3fn), ("f8_e5m2", torch.float8_e5m2)):
            self.ckpt("convert", "--dtype", name, self.path("a.pt"), self.path(name + ".pt"))
            want = {k: t.to(dtype) if t.is_floating_point() else t for k, t in sd.items()}
            self.assert_same(torch.load(self.path(name + ".pt"), weights_only=True), want)

    def test_cast_of_every_f32_exponent(self):
        bits = torch.arange(0, 2**32, 65521, dtype=torch.int64).to(torch.uint32).view(torch.float32)
        special = torch.tensor([float("inf"), -float("inf"), 65504.0, 65520.0, 65536.0, 448.0, 464.0, 480.0, 57344.0,
                                61440.0, 3.4e38, 1e-45, -0.0, 2.0**-24, 2.0**-25, 2.0**-133, 2.0**-134])
        values = torch.cat([bits[~bits.isnan()], special])
        torch.save({"w": values}, self.path("a.pt"))
        for name, dtype in (("bf16", torch.bfloat16), ("f16", torch.float16), ("f8_e4m3", torch.float8_e4m3fn),
                            ("f8_e5m2", torch.float8_e5m2)):
            self.ckpt("convert", "--dtype", name, self.path("a.pt"), self.path(name + ".pt"))
            self.assert_same(torch.load(self.path(name + ".pt"), weights_only=True), {"w": values.to(dtype)})
