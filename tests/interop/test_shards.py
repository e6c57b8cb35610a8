# test_shards.py -- many files with an index: names, split and bytes as the Hub's own library makes them
import json
import os

import torch
from huggingface_hub import save_torch_state_dict, split_torch_state_dict_into_shards
from safetensors.torch import load_file, save_file

from peers import Case, sample


def read(folder, index):
    with open(os.path.join(folder, index)) as f:
        return json.load(f)


class Shards(Case):
    def state(self):
        sd = {f"layer.{i}.weight": sample(torch.float32, 10 + 7 * i % 40, 25, seed=i) for i in range(24)}
        sd["huge"] = sample(torch.float32, 3000)
        sd["scalar"] = torch.tensor(2.0)
        return sd

    def source(self, sd):
        torch.save(sd, self.path("all.bin"))
        return self.path("all.bin")

    def test_split_as_huggingface_hub_does(self):
        sd = self.state()
        for limit in ("5KB", "8KB", "12KB", "40KB"):
            ours, reference = self.path(limit, "ours"), self.path(limit, "reference")
            self.ckpt("convert", "--to", "safetensors", "--max-shard-size", limit, self.source(sd), ours + "/")
            os.makedirs(reference)
            save_torch_state_dict(sd, reference, max_shard_size=limit)
            self.assertEqual(sorted(os.listdir(ours)), sorted(os.listdir(reference)))
            a, b = read(ours, "model.safetensors.index.json"), read(reference, "model.safetensors.index.json")
            self.assertEqual(a["weight_map"], b["weight_map"])
            self.assertEqual(a["metadata"]["total_size"], b["metadata"]["total_size"])
            for name in os.listdir(ours):
                if name.endswith(".safetensors"):
                    self.assert_same_bytes(os.path.join(ours, name), os.path.join(reference, name))
            self.assert_holds(ours, sd)
            self.assert_holds(os.path.join(reference, "model.safetensors.index.json"), sd)

    def test_one_shard_has_the_plain_name(self):
        self.ckpt("convert", "--to", "safetensors", "--max-shard-size", "1GB", self.source(self.state()), self.path("o") + "/")
        self.assertEqual(os.listdir(self.path("o")), ["model.safetensors"])

    def test_torch_shards(self):
        sd = self.state()
        self.ckpt("convert", "--to", "torch", "--max-shard-size", "9KB", self.source(sd), self.path("o") + "/")
        index = read(self.path("o"), "pytorch_model.bin.index.json")
        plan = split_torch_state_dict_into_shards(sd, filename_pattern="pytorch_model{suffix}.bin", max_shard_size="9KB")
        self.assertEqual(index["weight_map"], plan.tensor_to_filename)
        got = {}
        for name in set(index["weight_map"].values()):
            got |= torch.load(self.path("o", name), weights_only=True)
        self.assert_same(got, sd)
        self.assert_holds(self.path("o"), sd)

    def test_joined_again(self):
        sd = self.state()
        self.ckpt("convert", "--to", "safetensors", "--max-shard-size", "7KB", self.source(sd), self.path("o") + "/")
        self.ckpt("convert", self.path("o"), self.path("one.safetensors"))
        save_file(sd, self.path("reference.safetensors"), {"format": "pt"})
        self.assert_same_bytes(self.path("one.safetensors"), self.path("reference.safetensors"))

    def test_fingerprint_ignores_shards(self):
        source = self.source(self.state())
        self.ckpt("convert", "--to", "safetensors", "--max-shard-size", "7KB", source, self.path("o") + "/")
        self.assertEqual(self.fingerprint(source), self.fingerprint(self.path("o")))

    def test_ties_across_shards(self):
        w = sample(torch.float32, 100)
        sd = {"embed": w, "x": sample(torch.float32, 200), "y": sample(torch.float32, 210), "head": w}
        self.ckpt("convert", "--to", "torch", "--max-shard-size", "900B", self.source(sd), self.path("o") + "/")
        got = {}
        for name in set(read(self.path("o"), "pytorch_model.bin.index.json")["weight_map"].values()):
            got |= torch.load(self.path("o", name), weights_only=True)
        self.assert_same(got, sd)

    def test_a_missing_shard_is_named(self):
        self.ckpt("convert", "--to", "safetensors", "--max-shard-size", "7KB", self.source(self.state()), self.path("o") + "/")
        victim = sorted(n for n in os.listdir(self.path("o")) if n.startswith("model-"))[1]
        os.unlink(self.path("o", victim))
        self.assertIn(victim, self.ckpt("inspect", self.path("o"), fails=True))
