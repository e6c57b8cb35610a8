# test_look_forms.py -- inspect and cat from afar of each form of a file: how many bytes come, with and without ranges
import io
import json
import os
import re
import unittest
import zipfile

import numpy
import torch

from hub_case import HubCase


class Forms(HubCase):
    """8 MB in front of a few bytes, in every form; a URL, so that content alone says what it is."""

    def setUp(self):
        super().setUp()
        self.big, self.small = torch.randn(2000000), torch.randn(7)
        both = {"big": self.big, "small": self.small}
        self.files = {"zip.bin": self.saved(torch.save, both), "legacy.bin": self.saved(torch.save, both, _use_new_zipfile_serialization=False)}
        for name, save in ("stored.npz", numpy.savez), ("packed.npz", numpy.savez_compressed):
            buffer = io.BytesIO()
            save(buffer, **{k: t.numpy() for k, t in both.items()})
            self.files[name] = buffer.getvalue()
        buffer = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(self.files["zip.bin"])) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
            for item in old.infolist():
                new.writestr(item.filename, old.read(item))
        self.files["deflated.bin"] = buffer.getvalue()
        self.fake.repos = {"org/forms": self.files}

    @staticmethod
    def saved(save, what, **more):
        buffer = io.BytesIO()
        save(what, buffer, **more)
        return buffer.getvalue()

    def url(self, name):
        return f"{self.fake.cdn}/org/forms/{name}"

    def test_headers_alone(self):
        for name, data in self.files.items():
            with self.subTest(name=name):
                found = json.loads(self.ckpt("inspect", "--json", self.url(name)).stdout)
                self.assertEqual({t["name"]: t["shape"] for t in found["tensors"]}, {"big": [2000000], "small": [7]})
                self.assertLessEqual(found["bytes_transferred"], 140000)

    def test_one_tensor(self):
        out = os.path.join(self.dir, "x.npy")
        for name, data in self.files.items():
            with self.subTest(name=name):
                run = self.ckpt("cat", self.url(name), "small", "--force", "-o", out)
                numpy.testing.assert_array_equal(numpy.load(out), self.small.numpy())
                came = int(re.search(r"([0-9,]+) bytes were transferred", run.stderr)[1].replace(",", ""))
                self.assertLessEqual(came, 140000)

    def test_without_ranges(self):
        self.fake.ranges = False
        for name, data in self.files.items():
            with self.subTest(name=name):
                for command in ("inspect", self.url(name)), ("cat", self.url(name), "small"):
                    run = self.ckpt(*command, code=3)
                    self.assertEqual(run.stdout, "")
                    self.assertEqual(len(run.stderr.splitlines()), 1)
                    self.assertIn(f"the server gives no ranges but the whole file, {len(data)} bytes; fetch it first", run.stderr)


if __name__ == "__main__":
    unittest.main()
