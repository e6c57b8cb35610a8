# test_models.py -- configs, random models and reshaped models, both ways through real transformers
import glob
import json
import math
import os
import unittest

import torch
import transformers
from safetensors import safe_open
from safetensors.torch import load_file
from scipy.stats import kstest, ks_2samp, norm

from peers import Case

BERT = dict(vocab_size=37, hidden_size=24, num_hidden_layers=3, num_attention_heads=4, intermediate_size=40,
            max_position_embeddings=19, type_vocab_size=3)
LLAMA = dict(vocab_size=37, hidden_size=24, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
             intermediate_size=40, max_position_embeddings=19)
GPT2 = dict(vocab_size=37, n_embd=24, n_layer=3, n_head=4, n_positions=19, bos_token_id=1, eos_token_id=1)
BART = dict(vocab_size=37, d_model=24, encoder_layers=3, decoder_layers=2, encoder_attention_heads=4,
            decoder_attention_heads=3, encoder_ffn_dim=40, decoder_ffn_dim=44, max_position_embeddings=19)
DISTILBERT = dict(vocab_size=37, dim=24, n_layers=3, n_heads=4, hidden_dim=40, max_position_embeddings=19)
OPT = dict(vocab_size=37, hidden_size=24, num_hidden_layers=3, num_attention_heads=4, ffn_dim=40,
           max_position_embeddings=19)
T5 = dict(vocab_size=37, d_model=24, d_kv=5, d_ff=40, num_layers=3, num_decoder_layers=2, num_heads=4,
          relative_attention_num_buckets=8)
CROSS = dict(is_decoder=True, add_cross_attention=True)

# Small sizes that all differ, and every switch that changes the set of tensors.
VARIANTS = {
    "bert": [BERT, BERT | CROSS, BERT | dict(tie_word_embeddings=False), BERT | dict(num_labels=5)],
    "roberta": [BERT, BERT | CROSS, BERT | dict(tie_word_embeddings=False), BERT | dict(num_labels=5)],
    "electra": [BERT | dict(embedding_size=16), BERT | dict(embedding_size=24), BERT | CROSS | dict(num_labels=5),
                BERT | dict(embedding_size=16, summary_use_proj=False, tie_word_embeddings=False)],
    "albert": [BERT | dict(embedding_size=16), BERT | dict(embedding_size=16, num_hidden_groups=3, inner_group_num=2),
               BERT | dict(embedding_size=16, tie_word_embeddings=False, num_labels=5)],
    "distilbert": [DISTILBERT, DISTILBERT | dict(sinusoidal_pos_embds=True), DISTILBERT | dict(tie_word_embeddings=False)],
    "gpt2": [GPT2, GPT2 | dict(n_inner=40, add_cross_attention=True), GPT2 | dict(summary_proj_to_labels=False),
             GPT2 | dict(summary_use_proj=False, tie_word_embeddings=False)],
    "bart": [BART, BART | dict(tie_word_embeddings=False), BART | dict(num_labels=5)],
    "llama": [LLAMA, LLAMA | dict(attention_bias=True, mlp_bias=True), LLAMA | dict(tie_word_embeddings=True, num_labels=5),
              LLAMA | dict(head_dim=10)],
    "mistral": [LLAMA, LLAMA | dict(tie_word_embeddings=True), LLAMA | dict(head_dim=10)],
    "qwen2": [LLAMA, LLAMA | dict(tie_word_embeddings=True), LLAMA | dict(head_dim=10)],
    "opt": [OPT, OPT | dict(word_embed_proj_dim=16, do_layer_norm_before=False), OPT | dict(enable_bias=False),
            OPT | dict(layer_norm_elementwise_affine=False), OPT | dict(_remove_final_layer_norm=True, tie_word_embeddings=False)],
    "t5": [T5, T5 | dict(feed_forward_proj="gated-gelu"), T5 | dict(num_labels=5)],
}
TYPES = sorted(VARIANTS)


def classes(kind):
    module = __import__(f"transformers.models.{kind}.modeling_{kind}", fromlist=["x"])
    found = [getattr(module, name) for name in module.__all__ if not name.endswith(("PreTrainedModel", "PretrainedModel",
                                                                                   "PretrainedBartModel"))]
    return [c for c in found if isinstance(c, type) and issubclass(c, transformers.PreTrainedModel)]


def models(kind):
    """Every class of the type under every variant, with a label."""
    for i, settings in enumerate(VARIANTS[kind]):
        for cls in classes(kind):
            config = transformers.AutoConfig.for_model(kind, **settings)
            if cls.__name__ == "DistilBertForQuestionAnswering" and config.num_labels != 2:
                continue
            yield f"{cls.__name__} {i}", cls, config


def header(path):
    with safe_open(path, "pt") as f:
        return {k: (f.get_slice(k).get_dtype(), f.get_slice(k).get_shape()) for k in f.keys()}


def read(path):
    with open(path) as f:
        return f.read()


class Configs(Case):
    def same(self, config, *args):
        self.assertEqual(self.ckpt("config", *args), config.to_json_string())

    def from_file(self, settings):
        with open(self.path("c", "config.json"), "w") as f:
            json.dump(settings, f)
        return self.path("c")

    def test_defaults(self):
        for kind in TYPES:
            with self.subTest(kind):
                self.same(transformers.AutoConfig.for_model(kind), kind)

    def test_settings(self):
        for kind, settings in (
            ("bert", dict(num_hidden_layers=10)),
            ("bert", dict(num_labels=11, hidden_dropout_prob=0, layer_norm_eps=1e-5, initializer_range=1e-7)),
            ("gpt2", dict(num_hidden_layers=2, n_inner=100, activation_function="relu")),
            ("llama", dict(num_attention_heads=16, hidden_size=1024)),
            ("mistral", dict(sliding_window=None, num_key_value_heads=4)),
            ("qwen2", dict(num_hidden_layers=3, use_sliding_window=True, max_window_layers=1)),
            ("opt", dict(hidden_size=96, _remove_final_layer_norm=True)),
            ("t5", dict(num_layers=3, feed_forward_proj="gated-gelu")),
            ("bart", dict(encoder_layers=1, decoder_layers=2, is_encoder_decoder=True, output_hidden_states=True)),
            ("roberta", dict(eos_token_id=[1, 2], problem_type="regression", num_labels=1)),
        ):
            args = [a for k, v in settings.items() for a in ("--set", f"{k}={json.dumps(v) if not isinstance(v, str) else v}")]
            with self.subTest(kind + str(settings)):
                self.same(transformers.AutoConfig.for_model(kind, **settings), kind, *args)

    def test_files(self):
        """Files as they are found on the Hub: old names, aliases, keys that nobody knows."""
        for settings in (
            dict(model_type="bert", architectures=["BertForMaskedLM"], attention_probs_dropout_prob=0.1, hidden_act="gelu",
                 hidden_dropout_prob=0.1, hidden_size=768, initializer_range=0.02, intermediate_size=3072,
                 max_position_embeddings=512, num_attention_heads=12, num_hidden_layers=12, type_vocab_size=2,
                 vocab_size=30522, gradient_checkpointing=False, position_embedding_type="absolute", _name_or_path="x"),
            dict(model_type="gpt2", activation_function="gelu_new", n_ctx=1024, n_embd=768, n_head=12, n_layer=12,
                 n_positions=1024, task_specific_params={"text-generation": {"do_sample": True, "max_length": 50}}),
            dict(model_type="gpt2", num_hidden_layers=3, n_layer=7, hidden_size=24, num_attention_heads=2),
            dict(model_type="llama", torch_dtype="float16", rope_theta=500000.0, num_key_value_heads=8, pretraining_tp=1,
                 rope_scaling={"factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                               "original_max_position_embeddings": 8192, "rope_type": "llama3"}),
            dict(model_type="llama", rope_scaling={"type": "linear", "factor": 2.0}, head_dim=64),
            dict(model_type="mistral", sliding_window=None, rope_theta=1000000.0, torch_dtype="bfloat16"),
            dict(model_type="qwen2", num_hidden_layers=2, max_window_layers=28, use_sliding_window=False, sliding_window=4096),
            dict(model_type="bart", encoder_layers=6, num_hidden_layers=6, decoder_layers=6, d_model=768, encoder_ffn_dim=3072,
                 id2label={"0": "a", "1": "b", "2": "c"}, label2id={"a": 0, "b": 1, "c": 2}, normalize_before=False,
                 classif_dropout=0.1, add_final_layer_norm=False),
            dict(model_type="t5", num_layers=12, tie_word_embeddings=True, n_positions=512, decoder_start_token_id=0,
                 output_past=True),
            dict(model_type="opt", word_embed_proj_dim=512, hidden_size=1024, do_layer_norm_before=False, ffn_dim=4096,
                 num_attention_heads=16, prefix="</s>", activation_dropout=0.0),
            dict(model_type="albert", attention_probs_dropout_prob=0, classifier_dropout_prob=0.1, down_scale_factor=1,
                 gap_size=0, layers_to_keep=[], net_structure_type=0, num_memory_blocks=0),
            dict(model_type="distilbert", activation="gelu", sinusoidal_pos_embds=False, tie_weights_=True, n_layers=6),
            dict(model_type="electra", num_labels=3),
        ):
            with self.subTest(str(settings)):
                folder = self.from_file(settings)
                self.same(transformers.AutoConfig.from_pretrained(folder), folder)


class RandomModels(Case):
    def check(self, label, cls, config):
        plain, reference, made = (self.path(label, name) for name in ("plain", "reference", "made"))
        config.save_pretrained(plain)  # some classes change their config
        model = cls(config)
        model.save_pretrained(reference)
        self.ckpt("init", plain, made, "--head", cls.__name__, "--no-sync")
        self.assertEqual(header(made + "/model.safetensors"), header(reference + "/model.safetensors"))
        self.assertEqual(sorted(os.listdir(made)), sorted(os.listdir(reference)))
        for name in glob.glob(reference + "/*.json"):
            self.assertEqual(self.settings(made, name, cls), self.settings(reference, name, cls))
        loaded, info = cls.from_pretrained(made, output_loading_info=True)
        self.assertFalse(any(info.values()), info)
        self.assertEqual(loaded.num_parameters(), model.num_parameters())
        # for torch: every name of the state dict, in its order, tied ones tied
        self.ckpt("init", reference, self.path(label, "made.bin"), "--no-sync")
        state = torch.load(self.path(label, "made.bin"), weights_only=True)
        self.assertEqual(list(state), list(model.state_dict()))
        self.assertEqual(ties(state), ties(model.state_dict()))

    def settings(self, folder, name, cls):
        text = read(os.path.join(folder, os.path.basename(name)))
        if cls is not transformers.BartForQuestionAnswering or name.endswith("generation_config.json"):
            return text
        # transformers leaves two labels out, and then reads them back as BART's usual three: ckpt writes them
        settings = json.loads(text)
        self.assertEqual(len(settings.pop("id2label", [0, 1])), 2)
        self.assertEqual(len(settings.pop("label2id", [0, 1])), 2)
        return settings

    def test_every_class(self):
        for kind in TYPES:
            for label, cls, config in models(kind):
                with self.subTest(label):
                    self.check(label, cls, config)

    def test_shards_threads_and_seeds(self):
        args = ["init", "bert", "--set", "num_hidden_layers=2", "--set", "vocab_size=5000"]
        self.ckpt(*args, self.path("one"))
        self.ckpt(*args, self.path("shards"), "--max-shard-size", "5MB", "--threads", "2")
        self.ckpt(*args, self.path("other"), "--seed", "1")
        self.assertGreater(len(glob.glob(self.path("shards", "*.safetensors"))), 3)
        self.assertEqual(self.fingerprint(self.path("one")), self.fingerprint(self.path("shards")))
        self.assertNotEqual(self.fingerprint(self.path("one")), self.fingerprint(self.path("other")))
        more = self.ckpt(*args, self.path("more"), "--set", "type_vocab_size=3", "--head", "ForMaskedLM") and load_file(
            self.path("more", "model.safetensors"))
        for name, t in load_file(self.path("one", "model.safetensors")).items():
            if "token_type" not in name and "pooler" not in name:
                self.assertTrue(torch.equal(more["bert." + name], t), name)
        model, info = transformers.BertModel.from_pretrained(self.path("shards"), output_loading_info=True)
        self.assertFalse(any(info.values()), info)

    def test_refused_overrides(self):
        for kind, setting, word in (("bart", "num_hidden_layers=3", "encoder_layers"), ("t5", "num_hidden_layers=3", "num_layers"),
                                    ("bert", "hidden_size=770", "divisible"), ("bert", "no_such=1", "no_such")):
            self.assertIn(word, self.ckpt("init", kind, self.path("x"), "--set", setting, fails=True))
            self.assertFalse(os.path.exists(self.path("x")))


def ties(state):
    first, groups = {}, {}
    for name, t in state.items():
        first.setdefault(t.data_ptr(), name)
        groups[name] = first[t.data_ptr()]
    return groups


WIDE = {
    "bert": dict(num_hidden_layers=1), "roberta": dict(num_hidden_layers=1), "electra": dict(num_hidden_layers=1),
    "albert": dict(hidden_size=768, num_attention_heads=12, intermediate_size=3072), "distilbert": dict(n_layers=1),
    "gpt2": dict(n_layer=2), "bart": dict(encoder_layers=1, decoder_layers=1, d_model=768, vocab_size=5000),
    "llama": dict(num_hidden_layers=1, hidden_size=512, intermediate_size=1376, num_attention_heads=8),
    "mistral": dict(num_hidden_layers=1, hidden_size=512, intermediate_size=1376, num_attention_heads=8),
    "qwen2": dict(num_hidden_layers=1, hidden_size=512, intermediate_size=1376, num_attention_heads=8, vocab_size=5000,
                  num_key_value_heads=8),
    "opt": dict(num_hidden_layers=1), "t5": dict(num_layers=1, initializer_factor=1.5),
}


class Distributions(Case):
    """Each tensor against what transformers draws: mean, deviation and the Kolmogorov-Smirnov distance."""

    def compare(self, name, mine, theirs):
        self.assertEqual(mine.shape, theirs.shape, name)
        x, y = mine.flatten().double(), theirs.flatten().double()
        if theirs.dim() == 2:
            self.assertTrue(torch.equal((mine == 0).all(1), (theirs == 0).all(1)), f"{name}: other rows of zeros")
        if y.max() == y.min():
            self.assertTrue(torch.equal(x, y), name)
            return 1.0
        keep = y != 0
        x, y = x[keep], y[keep]
        n = len(y)
        deviation = float(y.std())
        self.assertLess(abs(float(x.mean())), 6 * deviation / math.sqrt(n), f"{name}: mean")
        self.assertLess(abs(float(x.std()) / deviation - 1), 6 * math.sqrt(1.0 / n), f"{name}: deviation")
        step = max(1, n // 50000)
        p = ks_2samp(x[::step].numpy(), y[::step].numpy()).pvalue
        self.assertGreater(p, 1e-7, f"{name}: distribution")
        return p

    def test_every_type(self):
        torch.manual_seed(5)
        for kind in TYPES:
            with self.subTest(kind):
                config = transformers.AutoConfig.for_model(kind, **WIDE[kind])
                cls = [c for c in classes(kind) if "ForMaskedLM" in c.__name__ or "LMHead" in c.__name__
                       or "ForCausalLM" in c.__name__ or "ConditionalGeneration" in c.__name__][0]
                model = cls(config)
                model.save_pretrained(self.path(kind, "r"))
                self.ckpt("init", self.path(kind, "r"), self.path(kind, "m"), "--seed", "9")
                mine = load_file(self.path(kind, "m", "model.safetensors"))
                theirs = load_file(self.path(kind, "r", "model.safetensors"))
                values = [self.compare(name, mine[name], t) for name, t in theirs.items()]
                # and all together: the values of p of honest draws are spread evenly
                drawn = [p for p in values if p < 1.0]
                self.assertGreater(kstest(drawn, "uniform").pvalue, 1e-5, f"{kind}: {sorted(drawn)[:5]}")

    def test_whole_models(self):
        for kind, count in (("bert", 109482240), ("gpt2", 124439808)):
            self.ckpt("init", kind, self.path(kind))
            self.assertEqual(self.inspect(self.path(kind))["model"]["parameters"], count)
            for name, t in load_file(self.path(kind, "model.safetensors")).items():
                if t.dim() == 2 and t.numel() > 500000:
                    std = 0.02 / math.sqrt(24) if name.endswith("c_proj.weight") else 0.02
                    sample = t.flatten()[t.shape[1]:: 97].double()
                    self.assertGreater(kstest((sample / std).numpy(), norm.cdf).pvalue, 1e-7, name)

    def test_half(self):
        self.ckpt("init", "bert", self.path("f"), "--set", "num_hidden_layers=1")
        for dtype, torch_dtype in (("bf16", torch.bfloat16), ("f16", torch.float16)):
            self.ckpt("init", "bert", self.path(dtype), "--set", "num_hidden_layers=1", "--dtype", dtype)
            half = load_file(self.path(dtype, "model.safetensors"))
            for name, t in load_file(self.path("f", "model.safetensors")).items():
                self.assertTrue(torch.equal(half[name], t.to(torch_dtype)), name)
            self.assertEqual(transformers.AutoModel.from_pretrained(self.path(dtype)).dtype, torch_dtype)


class Binding(Case):
    """What transformers saved binds without a misfit, and names its class."""

    def fits(self, path, cls, model, *args):
        seen = self.inspect(path, *args)["model"]
        self.assertIsNotNone(seen, path)
        self.assertEqual(seen["report"] | {"ignored": 0},
                         {"missing": [], "unexpected": [], "mismatched": [], "ignored": 0, "complete": True})
        self.assertEqual(seen["class"], cls.__name__)
        self.assertEqual(seen["parameters"], model.num_parameters())

    def test_every_class(self):
        for kind in TYPES:
            for label, cls, config in models(kind):
                with self.subTest(label):
                    model = cls(config)
                    model.save_pretrained(self.path(label))
                    self.fits(self.path(label), cls, model)
                    os.remove(self.path(label, "model.safetensors"))
                    torch.save(model.state_dict(), self.path(label, "pytorch_model.bin"))
                    self.fits(self.path(label), cls, model)

    def test_old_names(self):
        config = transformers.BertConfig(**BERT)
        model = transformers.BertForMaskedLM(config)
        model.save_pretrained(self.path("m"))
        os.remove(self.path("m", "model.safetensors"))
        old = {}
        for name, t in model.state_dict().items():
            name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
            old["module." + name] = t
        old["module.bert.embeddings.position_ids"] = torch.arange(19).unsqueeze(0)
        torch.save(old, self.path("m", "pytorch_model.bin"))
        self.fits(self.path("m"), transformers.BertForMaskedLM, model)

    def test_recognised_without_config(self):
        for kind, cls in (("bert", "BertForMaskedLM"), ("gpt2", "GPT2LMHeadModel"), ("t5", "T5ForConditionalGeneration"),
                          ("bart", "BartForConditionalGeneration"), ("qwen2", "Qwen2ForCausalLM"), ("opt", "OPTForCausalLM"),
                          ("albert", "AlbertForMaskedLM"), ("distilbert", "DistilBertForMaskedLM"),
                          ("electra", "ElectraForMaskedLM"), ("roberta", "RobertaForMaskedLM")):
            with self.subTest(kind):
                model = getattr(transformers, cls)(transformers.AutoConfig.for_model(kind, **VARIANTS[kind][0]))
                torch.save(model.state_dict(), self.path(kind, "weights.bin"))
                seen = self.inspect(self.path(kind, "weights.bin"))["model"]
                self.assertEqual((seen["type"], seen["class"]), (kind, cls))
                self.assertTrue(seen["notes"])
        for kind, cls, other in (("bert", "BertModel", "roberta"), ("llama", "LlamaForCausalLM", "mistral")):
            model = getattr(transformers, cls)(transformers.AutoConfig.for_model(kind, **VARIANTS[kind][0]))
            torch.save(model.state_dict(), self.path(kind, "base.bin"))
            self.assertIsNone(self.inspect(self.path(kind, "base.bin"))["model"])
            said = self.ckpt("inspect", self.path(kind, "base.bin"))
            self.assertIn(f"{kind} and {other}", said)
            self.assertIn("--type", said)
            seen = self.inspect(self.path(kind, "base.bin"), "--type", kind)["model"]
            self.assertEqual(seen["class"], cls)


SHAPED = {
    "bert": ("BertForMaskedLM", "num_hidden_layers", "bert.encoder.layer.{}."),
    "roberta": ("RobertaForMaskedLM", "num_hidden_layers", "roberta.encoder.layer.{}."),
    "electra": ("ElectraForMaskedLM", "num_hidden_layers", "electra.encoder.layer.{}."),
    "distilbert": ("DistilBertForMaskedLM", "n_layers", "distilbert.transformer.layer.{}."),
    "gpt2": ("GPT2LMHeadModel", "n_layer", "transformer.h.{}."),
    "bart": ("BartForConditionalGeneration", "encoder_layers", "model.encoder.layers.{}."),
    "llama": ("LlamaForCausalLM", "num_hidden_layers", "model.layers.{}."),
    "mistral": ("MistralForCausalLM", "num_hidden_layers", "model.layers.{}."),
    "qwen2": ("Qwen2ForCausalLM", "num_hidden_layers", "model.layers.{}."),
    "opt": ("OPTForCausalLM", "num_hidden_layers", "model.decoder.layers.{}."),
    "t5": ("T5ForConditionalGeneration", "num_layers", "encoder.block.{}."),
}


class Reshaping(Case):
    """Reshaped folders load in transformers, and what was kept is bit for bit the same."""

    def saved(self, kind, **more):
        cls = getattr(transformers, SHAPED[kind][0])
        model = cls(transformers.AutoConfig.for_model(kind, **(VARIANTS[kind][0] | more)))
        for t in model.parameters():
            torch.nn.init.normal_(t)
        model.save_pretrained(self.path(kind))
        return cls, model

    def reshaped(self, cls, kind, out, *args):
        self.ckpt("reconfigure", self.path(kind), self.path(out), "--no-sync", *args)
        model, info = cls.from_pretrained(self.path(out), output_loading_info=True)
        self.assertFalse(any(info.values()), info)
        return model

    def equal(self, a, b, names=None):
        for name in names or a:
            self.assertTrue(torch.equal(a[name], b[name]), name)

    def test_first_layers(self):
        for kind, (_, key, _) in SHAPED.items():
            with self.subTest(kind):
                cls, _ = self.saved(kind)
                made = self.reshaped(cls, kind, kind + "-2", "--set", f"{key}=2")
                want = cls.from_pretrained(self.path(kind), **{key: 2})
                self.assertEqual(list(made.state_dict()), list(want.state_dict()))
                self.equal(made.state_dict(), want.state_dict())
                self.assertEqual(getattr(made.config, key), 2)

    def test_picked_layers(self):
        for kind, (_, _, layer) in SHAPED.items():
            with self.subTest(kind):
                cls, model = self.saved(kind)
                flag = "--encoder-layers" if kind in ("bart", "t5") else "--layers"
                made = self.reshaped(cls, kind, kind + "-picked", flag, "2,0-1,0").state_dict()
                old = model.state_dict()
                for name, t in made.items():
                    for now, then in enumerate((2, 0, 1, 0)):
                        if name.startswith(layer.format(now)) and "relative_attention_bias" not in name:
                            name = name.replace(layer.format(now), layer.format(then))
                            break
                    self.assertTrue(torch.equal(t, old[name]), name)

    def test_more_layers(self):
        for kind, (_, key, layer) in SHAPED.items():
            with self.subTest(kind):
                cls, model = self.saved(kind)
                made = self.reshaped(cls, kind, kind + "-more", "--set", f"{key}=5", "--seed", "4").state_dict()
                self.equal(model.state_dict(), made, [n for n in model.state_dict()])
                new = [n for n in made if n.startswith(layer.format(4))]
                self.assertTrue(new)
                fresh = cls(transformers.AutoConfig.from_pretrained(self.path(kind + "-more"))).state_dict()
                for name in new:
                    if fresh[name].dim() == 2:
                        self.assertLess(abs(float(made[name].std() / fresh[name].std()) - 1), 0.3, name)
                    else:
                        self.assertTrue(torch.equal(made[name], fresh[name]), name)

    def test_vocabulary(self):
        for kind in SHAPED:
            with self.subTest(kind):
                cls, model = self.saved(kind)
                old = model.state_dict()
                for size in (20, 45):
                    made = self.reshaped(cls, kind, f"{kind}-{size}", "--vocab-size", size)
                    want = cls.from_pretrained(self.path(kind))
                    want.resize_token_embeddings(size, mean_resizing=False)
                    self.assertEqual(made.config.vocab_size, size)
                    for name, t in want.state_dict().items():
                        mine = made.state_dict()[name]
                        self.assertEqual(mine.shape, t.shape, name)
                        rows = (slice(None), slice(0, min(size, 37))) if name == "final_logits_bias" else slice(0, min(size, 37))
                        if t.shape == old[name].shape:
                            self.assertTrue(torch.equal(mine, t), name)
                        else:
                            self.assertTrue(torch.equal(mine[rows], old[name][rows]), name)
                    grown = made.get_input_embeddings().weight
                    if size == 45:
                        mean = old[[n for n in old if old[n].shape == (37, grown.shape[1])][0]].double().mean(0)
                        self.assertTrue(torch.allclose(grown[37:].double(), mean.expand(8, -1), atol=1e-6))
                    self.assertEqual(ties(made.state_dict()), ties(want.state_dict()))
                self.reshaped(cls, kind, kind + "-padded", "--pad-to-multiple-of", "16", "--new-rows", "init")

    def test_positions(self):
        for kind in ("bert", "roberta", "distilbert", "gpt2", "bart", "opt", "llama"):
            cls, model = self.saved(kind)
            for size in (12, 40):
                with self.subTest(f"{kind} {size}"):
                    made = self.reshaped(cls, kind, f"{kind}-p{size}", "--max-position-embeddings", size)
                    for name, t in model.state_dict().items():
                        rows = min(len(t), len(made.state_dict()[name]))
                        self.assertTrue(torch.equal(t[:rows], made.state_dict()[name][:rows]), name)
                    self.assertEqual(made.config.max_position_embeddings, size)

    def test_heads(self):
        for kind in TYPES:
            first = transformers.AutoConfig.for_model(kind, **VARIANTS[kind][0])
            base = classes(kind)
            origin = [c for c in base if c.__name__.endswith("Model") and "LMHead" not in c.__name__
                      and "DoubleHeads" not in c.__name__ and "Encoder" not in c.__name__][0]
            model = origin(first)
            model.save_pretrained(self.path(kind))
            for cls in base:
                with self.subTest(cls.__name__):
                    made = self.reshaped(cls, kind, f"{kind}-{cls.__name__}", "--head", cls.__name__).state_dict()
                    old = model.state_dict()
                    for name, t in made.items():
                        tail = [n for n in old if name == n or name.endswith("." + n)]
                        if tail and old[tail[0]].shape == t.shape and name.split(".")[0] != "cls":
                            self.assertTrue(torch.equal(t, old[tail[0]]), name)
                    # and back
                    self.ckpt("reconfigure", self.path(f"{kind}-{cls.__name__}"), self.path("back"), "--head", origin.__name__,
                              "--force", "--no-sync")
                    again, info = origin.from_pretrained(self.path("back"), output_loading_info=True)
                    self.assertFalse(any(info.values()), info)

    def test_from_torch_and_shards(self):
        cls, model = self.saved("bert")
        self.ckpt("convert", "--to", "torch", "--max-shard-size", "20kB", self.path("bert"), self.path("parts") + "/")
        made = self.reshaped(cls, "parts", "short", "--set", "num_hidden_layers=1")
        self.equal(made.state_dict(), model.state_dict())
        self.ckpt("reconfigure", self.path("parts"), self.path("t") + "/", "--to", "torch", "--layers", "2,1")
        state = torch.load(self.path("t", "pytorch_model.bin"), weights_only=True)
        self.assertTrue(torch.equal(state["bert.encoder.layer.0.output.dense.weight"],
                                    model.state_dict()["bert.encoder.layer.2.output.dense.weight"]))
        self.assertEqual(ties(state), {k: v for k, v in ties(model.state_dict()).items() if k in state})

    def test_real_sizes(self):
        """bert-base, gpt2, bart-base and a slice of Llama: the same weights, and the same outputs as transformers' own cut."""
        ids = torch.tensor([[5, 77, 1024, 9, 3]])
        for kind, cls, settings, key in (
            ("bert", "BertModel", {}, "num_hidden_layers"), ("gpt2", "GPT2LMHeadModel", {}, "n_layer"),
            ("bart", "BartModel", dict(d_model=768, encoder_layers=6, decoder_layers=6, encoder_ffn_dim=3072,
                                       decoder_ffn_dim=3072, encoder_attention_heads=12, decoder_attention_heads=12), "decoder_layers"),
            ("llama", "LlamaForCausalLM", dict(num_hidden_layers=3, hidden_size=1024, intermediate_size=2752,
                                               num_attention_heads=16, num_key_value_heads=4), "num_hidden_layers"),
        ):
            with self.subTest(kind):
                cls = getattr(transformers, cls)
                torch.manual_seed(1)
                cls(transformers.AutoConfig.for_model(kind, **settings)).save_pretrained(self.path(kind))
                made = self.reshaped(cls, kind, kind + "-2", "--set", f"{key}=2").eval()
                want = cls.from_pretrained(self.path(kind), **{key: 2}).eval()
                self.equal(made.state_dict(), want.state_dict())
                with torch.no_grad():
                    self.assertTrue(torch.equal(made(ids)[0], want(ids)[0]))
                for folder in (kind, kind + "-2"):
                    for name in os.listdir(self.path(folder)):
                        os.remove(self.path(folder, name))

    def test_refusals(self):
        cls, model = self.saved("bert")
        self.assertIn("no layer 3", self.ckpt("reconfigure", self.path("bert"), self.path("x"), "--layers", "0,3", fails=True))
        state = model.state_dict()
        del state["bert.encoder.layer.1.output.dense.bias"]
        os.remove(self.path("bert", "model.safetensors"))
        torch.save(state, self.path("bert", "pytorch_model.bin"))
        said = self.ckpt("reconfigure", self.path("bert"), self.path("x"), "--set", "num_hidden_layers=2", fails=True)
        self.assertIn("bert.encoder.layer.1.output.dense.bias is missing", said)
        self.assertFalse(os.path.exists(self.path("x")))
        table = self.ckpt("reconfigure", "--dry-run", self.path("bert"), self.path("x"), "--layers", "2,0,0")
        self.assertIn("moved", table)
        self.assertFalse(os.path.exists(self.path("x")))


if __name__ == "__main__":
    unittest.main()
