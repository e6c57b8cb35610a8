# peers.py -- what the interop tests share: running ckpt, raw bytes of a torch tensor, comparing both
"""The peers are the real torch, safetensors, numpy and transformers; ckpt is the binary named by $CKPT."""
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import unittest

import torch

CKPT = os.path.abspath(os.environ.get("CKPT", "./ckpt"))

# torch dtype -> the spelling of ckpt and safetensors
DTYPES = {
    torch.bool: "BOOL",
    torch.uint8: "U8",
    torch.int8: "I8",
    torch.int16: "I16",
    torch.uint16: "U16",
    torch.int32: "I32",
    torch.uint32: "U32",
    torch.int64: "I64",
    torch.uint64: "U64",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.float32: "F32",
    torch.float64: "F64",
    torch.complex32: "C32",
    torch.complex64: "C64",
    torch.complex128: "C128",
    torch.float8_e4m3fn: "F8_E4M3",
    torch.float8_e5m2: "F8_E5M2",
    torch.float8_e4m3fnuz: "F8_E4M3FNUZ",
    torch.float8_e5m2fnuz: "F8_E5M2FNUZ",
    torch.float8_e8m0fnu: "F8_E8M0",
    torch.float4_e2m1fn_x2: "F4",
}
# What safetensors has no name for.
TORCH_ONLY = {torch.complex32, torch.complex128}


def short(dtype):
    return str(dtype).replace("torch.", "")


def sample(dtype, *shape, seed=0):
    """A tensor of any dtype with every kind of bit pattern that the dtype allows."""
    generator = torch.Generator().manual_seed(seed + 1)
    size = torch.empty(0, dtype=dtype).element_size()
    count = 1
    for s in shape:
        count *= s
    if dtype == torch.bool:
        return torch.randint(0, 2, shape, generator=generator, dtype=torch.uint8).to(torch.bool)
    raw = torch.randint(0, 256, (count * size,), generator=generator, dtype=torch.uint8)
    if count == 0:
        return torch.empty(shape, dtype=dtype)
    return raw.view(dtype).reshape(shape)


def raw(t):
    """Row-major bytes of a tensor, whatever its dtype and strides."""
    t = t.detach()
    if t.is_complex():
        t = t.resolve_conj()
    t = t.resolve_neg() if t.dtype != torch.bool else t
    if not t.is_contiguous():
        t = t.contiguous()
    if t.numel() == 0:
        return b""
    whole = torch.empty(0, dtype=torch.uint8).set_(t.untyped_storage())
    start = t.storage_offset() * t.element_size()
    return whole[start : start + t.numel() * t.element_size()].numpy().tobytes()


def logical_shape(t):
    """The shape as ckpt lists it: torch counts packed pairs of F4, safetensors counts elements."""
    shape = list(t.shape)
    if t.dtype == torch.float4_e2m1fn_x2 and shape:
        shape[-1] *= 2
    return shape


class Case(unittest.TestCase):
    """A test with a folder of its own, and ckpt at hand."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="ckpt-interop-", dir=os.environ.get("INTEROP_TMP"))
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, *names):
        path = os.path.join(self.folder, *names)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def ckpt(self, *args, fails=False):
        run = subprocess.run([CKPT, *map(str, args)], stdin=subprocess.DEVNULL, capture_output=True, timeout=600)
        out, err = run.stdout.decode(), run.stderr.decode()
        if fails:
            self.assertTrue(0 < run.returncode < 125, f"ckpt {args}: exit {run.returncode}, expected a refusal\n{out}{err}")
            self.assertTrue(err.strip(), f"ckpt {args}: refused without a word")
            return err
        self.assertEqual(run.returncode, 0, f"ckpt {' '.join(map(str, args))}\n{out}{err}")
        return out

    def inspect(self, path, *args):
        return json.loads(self.ckpt("inspect", "--json", "--hash", path, *args))

    def fingerprint(self, path, *args):
        return self.inspect(path, *args)["fingerprint"]

    def assert_holds(self, path, expected, *args):
        """ckpt lists exactly these tensors at path: names, dtypes, shapes and the hash of every byte."""
        listed = {t["name"]: t for t in self.inspect(path, *args)["tensors"]}
        self.assertEqual(sorted(listed), sorted(expected))
        for name, t in expected.items():
            seen = listed[name]
            self.assertEqual(seen["dtype"], DTYPES[t.dtype], name)
            self.assertEqual(seen["shape"], logical_shape(t), name)
            data = raw(t)
            self.assertEqual(seen["bytes"], len(data), name)
            self.assertEqual(seen["sha256"], hashlib.sha256(data).hexdigest(), name)
        return listed

    def assert_same(self, got, expected):
        """Two dicts of torch tensors are equal, bit for bit."""
        self.assertEqual(sorted(got), sorted(expected))
        for name, t in expected.items():
            self.assertEqual(got[name].dtype, t.dtype, name)
            self.assertEqual(got[name].shape, t.shape, name)
            self.assertEqual(raw(got[name]), raw(t), name)

    def assert_same_bytes(self, a, b):
        with open(a, "rb") as f, open(b, "rb") as g:
            offset = 0
            while True:
                x, y = f.read(1 << 22), g.read(1 << 22)
                if x != y:
                    at = next((i for i in range(min(len(x), len(y))) if x[i] != y[i]), min(len(x), len(y)))
                    self.fail(f"{a} and {b} differ at byte {offset + at} (sizes {os.path.getsize(a)}, {os.path.getsize(b)})")
                if not x:
                    return
                offset += len(x)

    def needs_disk(self, gigabytes):
        free = shutil.disk_usage(self.folder).free
        if free < gigabytes * 10**9:
            self.skipTest(f"needs {gigabytes} GB of disk, {free // 10**9} GB are free")


def parametrise(rows):
    """Class decorator: a method check_x(self, row) becomes one test per row."""

    def decorate(cls):
        for key in [k for k in vars(cls) if k.startswith("check_")]:
            body = getattr(cls, key)
            for label, row in rows:
                test = lambda self, body=body, row=row: body(self, row)
                setattr(cls, f"test_{key[6:]}_{label}", test)
        return cls

    return decorate
