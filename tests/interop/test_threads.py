# test_threads.py -- the same bytes whatever the number of threads
import os

import torch

from peers import Case, sample


class Threads(Case):
    def source(self):
        w = sample(torch.float32, 1 << 20, 3)
        torch.save(
            {
                "w": w,
                "turned": w.t(),
                "odd": sample(torch.uint8, 3_000_001),
                "half": sample(torch.bfloat16, 1000, 999),
                "tied": w,
            },
            self.path("a.bin"),
        )
        return self.path("a.bin")

    def same_for_all(self, suffix, *args):
        source = self.source()
        for threads in (1, 2, 3):
            # the torch container holds the file's own name, so each count gets a folder of its own
            self.ckpt("convert", "--threads", threads, *args, source, self.path(str(threads), "x" + suffix))
        for threads in (2, 3):
            self.assert_same_bytes(self.path("1", "x" + suffix), self.path(str(threads), "x" + suffix))

    def test_safetensors(self):
        self.same_for_all(".safetensors")

    def test_torch(self):
        self.same_for_all(".bin")

    def test_torch_legacy(self):
        self.same_for_all(".bin", "--to", "torch-legacy")

    def test_npz(self):
        self.same_for_all(".npz", "--dtype", "f32")

    def test_cast(self):
        self.same_for_all(".safetensors", "--dtype", "f16")

    def test_hashes(self):
        source = self.source()
        prints = set()
        for threads in ("1", "2", "3"):
            os.environ["OMP_NUM_THREADS"], before = threads, os.environ.get("OMP_NUM_THREADS")
            try:
                prints.add(self.ckpt("inspect", "--json", "--hash", "--stats", source))
            finally:
                if before is None:
                    del os.environ["OMP_NUM_THREADS"]
                else:
                    os.environ["OMP_NUM_THREADS"] = before
        self.assertEqual(len(prints), 1)
