# test_scan.py -- `ckpt scan` over what the peers write: nothing valid is accused; and beside picklescan
import collections
import importlib.metadata
import io
import json
import logging
import os
import pickle
import pickletools
import subprocess
import sys
import tarfile
import unittest
import warnings
import zipfile

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


# The same, by ways that pickle.dump does not take.
STREAMS = {
    "inst": b"(S'true'\nios\nsystem\n.",
    "obj": b"(cos\nsystem\nS'true'\no.",
    "newobj": b"\x80\x02csubprocess\nPopen\nX\x04\0\0\0true\x85\x81.",
    "memo": b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x940h\0h\1\x93X\x04\0\0\0true\x85R.",
    "dotted": b"\x80\x04X\x05\0\0\0torchX\x17\0\0\0serialization.os.system\x93X\x04\0\0\0true\x85R.",
    "chain": b"cbuiltins\ngetattr\n(cos\n__dict__\nS'get'\ntR(S'system'\ntR(S'true'\ntR.",
    "build": b"\x80\x02ctypes\nSimpleNamespace\n)\x81}X\1\0\0\0acos\nsystem\nsb.",
    "dropped": b"\x80\x02cos\nsystem\nX\x04\0\0\0true\x85R0}.",
    "old": b"c__builtin__\nexecfile\n(S'x'\ntR.",
    "scanner": b"cpicklescan.scanner\nscan_file_path\n(S'x'\ntR.",
    "import": b"\x80\x02c__builtin__\n__import__\nX\x02\0\0\0os\x85R.",
}

HOSTILE = os.environ.get("CKPT_HOSTILE", "")


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
        self.each_way({"a": torch.nn.Parameter(torch.ones(3).as_subclass(Odd), requires_grad=False)}, never)
        self.each_way({"a": torch.quantize_per_tensor(torch.ones(4), 0.1, 0, torch.qint8),
                       "b": torch.quantize_per_channel(torch.ones(2, 4), torch.tensor([0.1, 0.2]), torch.tensor([0, 1]), 0, torch.quint8)},
                      never)
        self.each_way(torch.ao.quantization.quantize_dynamic(torch.nn.Sequential(torch.nn.Linear(3, 3)), {torch.nn.Linear}), never)
        self.each_way(torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(3, 3)).state_dict(), ["clean"])
        self.each_way({"a": torch.sparse_compressed_tensor(torch.tensor([0, 1, 2]), torch.tensor([0, 1]), torch.ones(2), layout=torch.sparse_csc)},
                      never)
        self.each_way({"a": torch.empty(3, 4, device="meta")}, never)
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

    def zip(self, name, records, base="a.pt"):
        """An archive of torch's kind with these records ("data.pkl": bytes) in place of or beside its own."""
        torch.save({"w": torch.ones(2)}, self.path(base))
        path = self.path(name)
        with zipfile.ZipFile(self.path(base)) as old, zipfile.ZipFile(path, "w") as new, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kept = [(i.filename, old.read(i)) for i in old.infolist()]
            for record, data in kept + [(k, v) for k, v in records if k is not None]:
                own = [v for k, v in records if k is None and record == "a/data.pkl"]
                new.writestr(record, own[0] if own else data)
        return path

    def write(self, name, *parts):
        path = self.path(name)
        with open(path, "wb") as f:
            f.writelines(parts)
        return path

    def legacy(self, name, which, evil):
        """A file of torch's old kind, one of its pickles (magic, version, system, object, keys) in place of its own."""
        torch.save({"w": torch.ones(2)}, self.path("legacy.pt"), _use_new_zipfile_serialization=False)
        with open(self.path("legacy.pt"), "rb") as f:
            parts = []
            for _ in range(5):
                start = f.tell()
                for _ in pickletools.genops(f):
                    pass
                end = f.tell()
                f.seek(start)
                parts.append(f.read(end - start))
            rest = f.read()
        if which < 5:
            parts[which] = evil
        return self.write(name, *parts, rest, evil if which == 5 else b"")

    def tar(self, name, evil):
        path = self.path(name)
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
            for member, data in (("storages", pickle.dumps(0, 2)), ("tensors", pickle.dumps(0, 2)), ("pickle", evil)):
                info = tarfile.TarInfo(member)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        return path

    def dangerous(self):
        """Files that run something when they are loaded, each in another way or at another place."""
        evil, plain = pickle.dumps(Evil("os", "system", "true"), 2), pickle.dumps({"w": 1}, 2)
        for payload, path in self.payloads():
            yield path
        for name, data in STREAMS.items():
            yield self.write(name + ".bin", data)
            yield self.zip(name + ".pt", [(None, data)])
        yield self.zip("first.pt", [("a/data.pkl", evil)])
        yield self.zip("second.pt", [(None, evil), ("a/data.pkl", plain)])
        yield self.zip("root.pt", [("b/data.pkl", evil)])
        yield self.zip("capitals.pt", [("a/DATA.PKL", evil)])
        yield self.write("stream.bin", plain, evil)
        yield self.write("unfinished.bin", evil[:-1])
        yield self.write("named.safetensors", evil)
        for which in range(2, 6):
            yield self.legacy(f"legacy-{which}.pt", which, evil)
        yield self.tar("tar.pt", evil)
        numpy.save(self.path("object.npy"), numpy.array([Evil("os", "system", "true")], dtype=object))
        yield self.path("object.npy")
        numpy.savez(self.path("object.npz"), a=numpy.array([Evil("os", "system", "true")], dtype=object))
        yield self.path("object.npz")

    def test_dangerous_places(self):
        for path in self.dangerous():
            self.assertEqual(self.verdict(path)["verdict"], "dangerous", path)

    @unittest.skipUnless(os.path.isdir(HOSTILE), "CKPT_HOSTILE names no folder of hostile files")
    def test_corpus(self):
        with open(os.path.join(HOSTILE, "manifest.json")) as f:
            wanted = {c["file"]: c["scan"] for c in json.load(f)["cases"] if c["scan"] in ("dangerous", "suspicious")}
        self.assertTrue(wanted)
        for file, verdict in wanted.items():
            self.assertEqual(self.verdict(os.path.join(HOSTILE, file))["verdict"], verdict, file)

    @unittest.skipUnless(picklescan, "picklescan is not installed")
    def test_picklescan_sees_no_more(self):
        logging.disable(logging.CRITICAL)
        self.addCleanup(logging.disable, logging.NOTSET)
        missed, count = [], 0
        for path in self.dangerous():
            count += 1
            theirs = picklescan.scanner.scan_file_path(path)
            if not theirs.issues_count and not theirs.scan_err:
                missed.append(os.path.basename(path))
            self.assertEqual(self.verdict(path)["verdict"], "dangerous", path)
        version = importlib.metadata.version("picklescan")
        print(f"of {count} dangerous files picklescan {version} misses {len(missed)} and ckpt 0; {' '.join(missed)} ... ", end="")


if __name__ == "__main__":
    sys.exit(unittest.main())
