# test_forward.py -- forward passes against real transformers: every class on tiny models, real sizes, a real trained model
import json
import os
import unittest

import numpy
import torch
import transformers
from safetensors.torch import load_file, save_file

import models
from peers import Case, parametrise

NAMES = {"input_ids": "input-ids", "attention_mask": "attention-mask", "token_type_ids": "token-type-ids",
         "position_ids": "position-ids", "decoder_input_ids": "decoder-input-ids",
         "decoder_attention_mask": "decoder-attention-mask"}


class Forward(Case):
    def arguments(self, inputs):
        """Inputs as options: some inline, some from a file of each kind."""
        found = []
        for i, (name, t) in enumerate(inputs.items()):
            value = json.dumps(t.tolist())
            if i % 4 == 1:
                path = self.path(name + ".npy")
                numpy.save(path, t.numpy())
                value = "@" + path
            if i % 4 == 2:
                path = self.path(name + ".safetensors")
                save_file({name: t.contiguous(), "other": torch.zeros(1)}, path)
                value = "@" + path
            if i % 4 == 3:
                path = self.path(name + ".json")
                with open(path, "w") as f:
                    json.dump(t.tolist(), f)
                value = "@" + path
            found += ["--" + NAMES[name], value]
        return found

    def forward(self, model, inputs, *more):
        out = self.path("out.safetensors")
        self.ckpt("forward", model, *self.arguments(inputs), "-o", out, "--force", *more)
        return load_file(out)

    def assert_near(self, got, want, bound):
        """Same names, same shapes, values within bound times the size of the numbers."""
        self.assertEqual(sorted(got), sorted(want))
        for name, t in want.items():
            self.assertEqual(got[name].shape, t.shape, name)
            scale = max(1.0, t.abs().max().item())
            worst = (got[name].double() - t.double()).abs().max().item()
            self.assertLessEqual(worst, bound * scale, name)


def inputs_of(kind, ending, model):
    c = model.config
    rows, columns = (3, 9) if kind != "mistral" else (2, 14)
    t = {"input_ids": models.ids(rows, columns, 60)}
    mask = torch.ones(rows, columns, dtype=torch.int64)
    mask[-1, -4:] = 0
    if kind not in ("gpt2", "llama", "mistral", "qwen2") or "SequenceClassification" not in ending:
        t["attention_mask"] = mask
    if kind == "roberta":
        t["input_ids"][-1, -4:] = c.pad_token_id
    if kind in ("gpt2", "llama", "mistral", "qwen2", "opt") and "SequenceClassification" in ending:
        t["input_ids"][-1, -4:] = c.pad_token_id
    if kind in ("bert", "electra", "albert"):
        t["token_type_ids"] = models.ids(rows, columns, 2, low=0)
    if kind in ("bart", "t5") and "SequenceClassification" in ending:
        t["input_ids"][t["input_ids"] == c.eos_token_id] += 2
        t["input_ids"][:, -1] = c.eos_token_id
        t["input_ids"][0, -3:] = torch.tensor([c.eos_token_id, 7, 8])
        t["attention_mask"][:, -1] = 1
    elif kind in ("bart", "t5") and ending in ("Model", "ForConditionalGeneration"):
        t["decoder_input_ids"] = models.ids(rows, 6, 60, seed=4)
        t["decoder_attention_mask"] = torch.ones(rows, 6, dtype=torch.int64)
        t["decoder_attention_mask"][1, -2:] = 0
    if kind in ("bert", "gpt2", "llama") and ending == "Model":
        t["position_ids"] = (torch.arange(columns) + 3).expand(rows, columns).contiguous()
    return t


CLASSES = [(f"{kind}_{ending}", (kind, ending, {})) for kind, (_, _, endings) in models.TYPES.items() for ending in endings.split()]
CLASSES += [(f"{name}_{ending}", (kind, ending, more)) for name, (kind, more, endings) in models.VARIANTS.items()
            for ending in endings.split()]


@parametrise(CLASSES)
class EveryClass(Forward):
    def check_class(self, row):
        kind, ending, more = row
        model = models.build(kind, ending, **more)
        folder = self.path("model", "config.json")[: -len("/config.json")]
        model.save_pretrained(folder)
        given = inputs_of(kind, ending, model)
        theirs = given
        if "MultipleChoice" in ending:  # rows are the choices of one question
            theirs = {k: t.unsqueeze(0) for k, t in given.items()}
        hidden = "MultipleChoice" not in ending
        want = models.expected(model, theirs, hidden)
        options = ["--output-hidden-states"] if hidden else []
        self.assert_near(self.forward(folder, given, "--precision", "f64", *options), want, 1e-11)
        self.assert_near(self.forward(folder, given, *options), want, 4e-6)


REAL = [
    ("bert_base", ("bert", "Model", dict(transformers.BertConfig().to_dict()), 60)),
    ("gpt2", ("gpt2", "Model", dict(transformers.GPT2Config().to_dict()), 60)),
    ("bart_base", ("bart", "Model", dict(transformers.BartConfig(
        d_model=768, encoder_layers=6, decoder_layers=6, encoder_ffn_dim=3072, decoder_ffn_dim=3072,
        encoder_attention_heads=12, decoder_attention_heads=12).to_dict()), 60)),
    ("llama_slice", ("llama", "Model", dict(transformers.LlamaConfig(num_hidden_layers=1, vocab_size=2000).to_dict()), 300)),
]


@parametrise(REAL)
class RoundingErrors(Forward):
    """The largest error of our single precision against our double precision is no larger than that of torch's."""

    def check_error(self, row):
        kind, ending, values, columns = row
        self.needs_disk(2)
        torch.manual_seed(3)
        c = getattr(transformers, models.TYPES[kind][0] + "Config")(**values)
        model = getattr(transformers, models.TYPES[kind][0] + ending)(c).eval()
        folder = self.path("model", "config.json")[: -len("/config.json")]
        model.save_pretrained(folder)
        inputs = {"input_ids": models.ids(2, columns, min(2000, c.vocab_size))}
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        inputs["attention_mask"][1, -9:] = 0
        ours, yardstick = self.forward(folder, inputs), self.forward(folder, inputs, "--precision", "f64")
        theirs = models.outputs(model, inputs)
        kept = inputs["attention_mask"].bool()
        for name in [k for k in ("last_hidden_state", "pooler_output", "encoder_last_hidden_state") if k in theirs]:
            y, a, b = yardstick[name], ours[name].double(), theirs[name].double()
            if y.dim() == 3:
                y, a, b = y[kept], a[kept], b[kept]
            self.assertLess((b - y).abs().max(), 1e-3, name)  # the yardstick measures the same model
            error, torch_error = (a - y).abs().max().item(), (b - y).abs().max().item()
            print(f"{name}: {error:.2e}, torch {torch_error:.2e}")
            self.assertLessEqual(error, torch_error, name)


if __name__ == "__main__":
    unittest.main()
