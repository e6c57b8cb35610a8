# test_scan.py -- `ckpt scan` over what the peers write: nothing valid is accused; and beside picklescan
import collections
import json
import pickle
import subprocess
import sys
import unittest

import numpy
import torch

from peers import CKPT, DTYPES, Case, sample

try:
    import picklescan.scanner
except ImportError:
    picklescan = None


class Odd(torch.Tensor):
    """A subclass, which torch pickles with its class."""


class Evil:
    def __init__(self, module, name, *arguments):
        self.what = module, name, arguments

    def __reduce__(self):
        module, name, arguments = self.what
        return getattr(__import__(module, fromlist=[name]), name), arguments


# Never loaded: each would run something.
PAYLOADS = [("os", "system", "true"), ("builtins", "eval", "1"), ("subprocess", "run", "true"), ("torch", "load", "x"),
            ("torch.storage", "_load_from_bytes", b"x"), ("timeit", "timeit", "1"), ("pkgutil", "resolve_name", "os:system"),
            ("runpy", "run_path", "x"), ("webbrowser", "open", "x"), ("operator", "methodcaller", "x"), ("pip", "main", "x")]


class Scan(Case):
    def verdict(self, path):
        done = subprocess.run([CKPT, "scan", "--json", path], capture_output=True, text=True)
        told = json.loads(done.stdout)
        self.assertEqual(done.returncode, {"clean": 0, "dangerous": 1, "malformed": 2, "suspicious": 3}[told["verdict"]])
        for finding in told["findings"]:
            self.assertLessEqual({"id", "severity", "record", "offset", "opcode", "module", "name", "called"}, set(finding))
        return told

    def each_way(self, value, worst):
        for name, options in {"a.pt": {}, "b.pt": {"_use_new_zipfile_serialization": False}}.items():
            torch.save(value, self.path(name), **options)
            told = self.verdict(self.path(name))
            self.assertIn(told["verdict"], worst, (name, told["findings"]))
            self.assertTrue(told["complete"])

    def test_state_dicts(self):
        self.each_way({DTYPES[d]: sample(d, 3, 4) for d in DTYPES}, ["clean"])
        self.each_way(torch.nn.TransformerEncoderLayer(8, 2).state_dict(), ["clean"])
        self.each_way(collections.OrderedDict(a=torch.nn.Parameter(torch.ones(3)), b=torch.ones(4, 4)[:, 1]), ["clean"])

    def test_training_checkpoint(self):
        model = torch.nn.Linear(4, 4)
        optimizer = torch.optim.Adam(model.parameters())
        model(torch.ones(4)).sum().backward()
        optimizer.step()
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, 3)
        self.each_way({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "schedule": schedule.state_dict(),
                       "epoch": 3, "loss": numpy.float64(0.5), "rng": numpy.random.get_state(), "torch": torch.get_rng_state()},
                      ["clean"])

    def test_modules_and_special_tensors(self):
        never = ["clean", "suspicious"]
        self.each_way(torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.ReLU()), never)
        self.each_way({"a": torch.ones(3).as_subclass(Odd)}, never)
        self.each_way({"a": torch.eye(4).to_sparse(), "b": torch.eye(4).to_sparse_csr()}, never)
        self.each_way({"a": torch.quantize_per_tensor(torch.ones(4), 0.1, 0, torch.qint8)}, never)
        script = torch.jit.script(torch.nn.Linear(2, 2))
        torch.jit.save(script, self.path("script.pt"))
        self.assertIn(self.verdict(self.path("script.pt"))["verdict"], never)

    def test_numpy(self):
        numpy.savez(self.path("a.npz"), a=numpy.ones(3), b=numpy.arange(4))
        numpy.savez_compressed(self.path("b.npz"), a=numpy.ones(300))
        numpy.save(self.path("c.npy"), numpy.ones((3, 4)))
        for name in ("a.npz", "b.npz", "c.npy"):
            self.assertEqual(self.verdict(self.path(name))["verdict"], "clean", name)
        numpy.save(self.path("d.npy"), numpy.array([{}, None], dtype=object))
        self.assertNotEqual(self.verdict(self.path("d.npy"))["verdict"], "clean")

    def payloads(self):
        for i, payload in enumerate(PAYLOADS):
            for protocol in (0, 2, 4):
                path = self.path(f"{i}-{protocol}.bin")
                with open(path, "wb") as f:
                    pickle.dump({"w": 1, "x": Evil(*payload)}, f, protocol=protocol)
                yield payload, path
            path = self.path(f"{i}.pt")
            torch.save({"w": torch.ones(2), "x": Evil(*payload)}, path)
            yield payload, path

    def test_payloads(self):
        for payload, path in self.payloads():
            told = self.verdict(path)
            self.assertEqual(told["verdict"], "dangerous", (payload, path))
            self.assertTrue(any(f["called"] and f["name"] == payload[1] for f in told["findings"]), (payload, told["findings"]))

    @unittest.skipUnless(picklescan, "picklescan is not installed")
    def test_picklescan_sees_no_more(self):
        for payload, path in self.payloads():
            if picklescan.scanner.scan_file_path(path).issues_count:
                self.assertEqual(self.verdict(path)["verdict"], "dangerous", (payload, path))


if __name__ == "__main__":
    sys.exit(unittest.main())
