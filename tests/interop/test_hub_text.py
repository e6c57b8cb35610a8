# test_hub_text.py -- names of models on the Hub where only a tokenizer or a config is wanted
import os
import unittest

from hub_case import HubCase

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "world", "##s"]
SMALL = ["hidden_size=4", "num_hidden_layers=2", "num_attention_heads=2", "intermediate_size=4", "vocab_size=9", "max_position_embeddings=8"]


class Text(HubCase):
    def setUp(self):
        super().setUp()
        made = self.made = os.path.join(self.dir, "made")
        self.ckpt("init", "-q", "bert", made, *[a for s in SMALL for a in ("--set", s)])
        files = {"vocab.txt": "\n".join(WORDS).encode() + b"\n", "tokenizer_config.json": b'{"tokenizer_class": "BertTokenizer"}'}
        for name in ("config.json", "model.safetensors"):
            with open(os.path.join(made, name), "rb") as f:
                files[name] = f.read()
        self.fake.repos["org/words"] = files

    def test_tokenize_fetches_the_tokenizer_alone(self):
        run = self.ckpt("tokenize", "org/words", "hello worlds")
        self.assertEqual(run.stdout, "2 5 6 7 3\n")
        self.assertEqual(len(self.fake.bodies()), 6)  # two hops for each of three
        self.assertFalse(any(r[0] == "cdn" for r in self.fake.log))
        self.assertEqual(self.ckpt("detokenize", "hf://org/words", "5 6 7").stdout, "hello worlds\n")
        self.assertEqual(self.ckpt("tokenize", "org/words@main", "world", HF_HUB_OFFLINE="1").stdout, "2 6 3\n")
        self.assertEqual(len(self.fake.bodies()), 6)  # two hops for each of three
        self.assertIn("no model of that name", self.ckpt("tokenize", "org/nowhere", "x", code=4).stderr)
        self.assertIn("HF_HUB_OFFLINE", self.ckpt("detokenize", "org/nowhere", "1", code=6, HF_HUB_OFFLINE="1").stderr)

    def test_a_config_alone(self):
        weights = os.path.join(self.dir, "alone.safetensors")
        os.rename(os.path.join(self.made, "model.safetensors"), weights)
        ids = ("--input-ids", "[1,2,3]")
        wanted = self.ckpt("forward", weights, "--config", self.made, *ids).stdout
        self.assertEqual(self.ckpt("forward", weights, "--config", "org/words", *ids).stdout, wanted)
        self.assertEqual(len(self.fake.bodies()), 2)
        self.ckpt("verify", weights, "--config", "hf://org/words/config.json")
        self.ckpt("reconfigure", "-q", weights, os.path.join(self.dir, "out"), "--config", "org/words", "--set", "num_hidden_layers=1",
                  HF_HUB_OFFLINE="1")
        self.assertEqual(len(self.fake.bodies()), 2)
        self.ckpt("verify", weights, "--config", "org/nowhere", code=4)


if __name__ == "__main__":
    unittest.main()
