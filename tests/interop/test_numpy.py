# test_numpy.py -- .npy and .npz, both ways, with the real numpy
import os

import numpy
import torch

from peers import Case, parametrise, sample

KINDS = ["?", "u1", "i1", "<u2", "<i2", "<u4", "<i4", "<u8", "<i8", "<f2", "<f4", "<f8", "<c8", "<c16"]


def array(kind, *shape):
    dtype = numpy.dtype(kind)
    count = int(numpy.prod(shape, dtype=int))
    if dtype.kind == "b":
        return (numpy.arange(count) % 3 == 0).reshape(shape)
    data = numpy.random.default_rng(count).integers(0, 256, count * dtype.itemsize, dtype="u1")
    return data.view(dtype).reshape(shape)


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@parametrise([(k.strip("<").replace("?", "bool"), k) for k in KINDS])
class EveryKind(Case):
    def arrays(self, kind):
        return {"s": array(kind), "v": array(kind, 5), "m": array(kind, 3, 4), "none": array(kind, 2, 0)}

    def tensors(self, kind):
        return {k: torch.from_numpy(numpy.ascontiguousarray(v).reshape(v.shape)) for k, v in self.arrays(kind).items()}

    def check_stored(self, kind):
        numpy.savez(self.path("a.npz"), **self.arrays(kind))
        self.assert_holds(self.path("a.npz"), self.tensors(kind))

    def check_compressed(self, kind):
        numpy.savez_compressed(self.path("a.npz"), **self.arrays(kind))
        self.assert_holds(self.path("a.npz"), self.tensors(kind))

    def check_write(self, kind):
        torch.save(self.tensors(kind), self.path("a.bin"))
        self.ckpt("convert", self.path("a.bin"), self.path("a.npz"))
        with numpy.load(self.path("a.npz"), allow_pickle=False) as z:
            self.assertEqual(sorted(z.files), sorted(self.arrays(kind)))
            for name, want in self.arrays(kind).items():
                self.assertTrue(same(z[name], want), name)

    def check_npy(self, kind):
        numpy.save(self.path("a.npy"), self.arrays(kind)["m"])
        got = self.inspect(self.path("a.npy"))["tensors"]
        self.assertEqual(len(got), 1)
        self.ckpt("convert", self.path("a.npy"), self.path("b.npz"))
        with numpy.load(self.path("b.npz"), allow_pickle=False) as z:
            self.assertTrue(same(z[z.files[0]], self.arrays(kind)["m"]))

    def check_big_endian_and_fortran(self, kind):
        want = self.arrays(kind)["m"]
        numpy.savez(self.path("a.npz"), big=want.astype(want.dtype.newbyteorder(">")), turned=numpy.asfortranarray(want))
        t = torch.from_numpy(want)
        self.assert_holds(self.path("a.npz"), {"big": t, "turned": t})


class Numpy(Case):
    def test_large_member_is_compressed(self):
        numpy.savez_compressed(self.path("a.npz"), w=numpy.arange(1 << 20, dtype="<i4"), z=numpy.zeros(1 << 20))
        self.assert_holds(
            self.path("a.npz"), {"w": torch.arange(1 << 20, dtype=torch.int32), "z": torch.zeros(1 << 20, dtype=torch.float64)}
        )

    def test_header_versions(self):
        w = numpy.arange(6, dtype="<f4").reshape(2, 3)
        for version in ((1, 0), (2, 0), (3, 0)):
            with open(self.path("v.npy"), "wb") as f:
                numpy.lib.format.write_array(f, w, version)
            listed = self.inspect(self.path("v.npy"))["tensors"]
            self.assertEqual([t["shape"] for t in listed], [[2, 3]])

    def test_objects_are_refused(self):
        numpy.save(self.path("o.npy"), numpy.array([{}, None], dtype=object), allow_pickle=True)
        self.assertIn("object", self.ckpt("inspect", self.path("o.npy"), fails=True))
        numpy.savez(self.path("o.npz"), w=numpy.zeros(2), o=numpy.array([{}], dtype=object))
        self.ckpt("convert", self.path("o.npz"), self.path("o.bin"), fails=True)

    def test_bfloat16_is_refused_in_words(self):
        w = sample(torch.bfloat16, 4)
        w[w.isnan()] = 1
        torch.save({"w": w}, self.path("a.bin"))
        message = self.ckpt("convert", self.path("a.bin"), self.path("a.npz"), fails=True)
        self.assertIn("BF16", message)
        self.assertIn("--dtype", message)
        self.assertFalse(os.path.exists(self.path("a.npz")))
        self.ckpt("convert", "--dtype", "f32", self.path("a.bin"), self.path("a.npz"))
        with numpy.load(self.path("a.npz"), allow_pickle=False) as z:
            self.assertTrue(same(z["w"], w.float().numpy()))

    def test_cat_writes_npy(self):
        w = torch.arange(24, dtype=torch.float32).reshape(4, 6)
        torch.save({"w": w}, self.path("a.bin"))
        self.ckpt("cat", self.path("a.bin"), "w", "-o", self.path("w.npy"))
        self.assertTrue(same(numpy.load(self.path("w.npy"), allow_pickle=False), w.numpy()))
        self.ckpt("cat", self.path("a.bin"), "w", "--slice", "1:3,:5", "-o", self.path("s.npy"))
        self.assertTrue(same(numpy.load(self.path("s.npy"), allow_pickle=False), w[1:3, :5].contiguous().numpy()))
