# models.py -- tiny and real-sized random models of transformers, and transformers' forward pass in true double precision
import contextlib
import inspect
import warnings

import torch
import transformers

warnings.filterwarnings("ignore")

TINY = dict(vocab_size=60, num_hidden_layers=2, num_attention_heads=4, hidden_size=24, intermediate_size=40,
            max_position_embeddings=48)
WIDE = 0.3  # initial weights of this size make numbers that matter

# type -> config class, its values, classes without their prefix
TYPES = {
    "bert": ("Bert", dict(TINY, initializer_range=WIDE),
             "Model ForPreTraining ForMaskedLM LMHeadModel ForNextSentencePrediction ForSequenceClassification "
             "ForTokenClassification ForMultipleChoice ForQuestionAnswering"),
    "roberta": ("Roberta", dict(TINY, initializer_range=WIDE, type_vocab_size=1, layer_norm_eps=1e-5, pad_token_id=1),
                "Model ForMaskedLM ForCausalLM ForSequenceClassification ForTokenClassification ForMultipleChoice "
                "ForQuestionAnswering"),
    "distilbert": ("DistilBert", dict(vocab_size=60, dim=24, hidden_dim=40, n_layers=2, n_heads=4, max_position_embeddings=48,
                                      initializer_range=WIDE),
                   "Model ForMaskedLM ForSequenceClassification ForTokenClassification ForMultipleChoice ForQuestionAnswering"),
    "electra": ("Electra", dict(TINY, embedding_size=12, initializer_range=WIDE, summary_use_proj=True),
                "Model ForPreTraining ForMaskedLM ForCausalLM ForSequenceClassification ForTokenClassification "
                "ForMultipleChoice ForQuestionAnswering"),
    "albert": ("Albert", dict(TINY, embedding_size=12, num_hidden_layers=4, num_hidden_groups=2, inner_group_num=2,
                              initializer_range=WIDE),
               "Model ForPreTraining ForMaskedLM ForSequenceClassification ForTokenClassification ForMultipleChoice "
               "ForQuestionAnswering"),
    "gpt2": ("GPT2", dict(vocab_size=60, n_embd=24, n_layer=2, n_head=4, n_positions=48, initializer_range=WIDE, pad_token_id=1),
             "Model LMHeadModel ForSequenceClassification ForTokenClassification ForQuestionAnswering"),
    "llama": ("Llama", dict(TINY, num_key_value_heads=2, initializer_range=WIDE, pad_token_id=1),
              "Model ForCausalLM ForSequenceClassification ForTokenClassification ForQuestionAnswering"),
    "mistral": ("Mistral", dict(TINY, num_key_value_heads=2, initializer_range=WIDE, sliding_window=5, pad_token_id=1),
                "Model ForCausalLM ForSequenceClassification ForTokenClassification ForQuestionAnswering"),
    "qwen2": ("Qwen2", dict(TINY, num_key_value_heads=2, initializer_range=WIDE, pad_token_id=1),
              "Model ForCausalLM ForSequenceClassification ForTokenClassification ForQuestionAnswering"),
    "opt": ("OPT", dict(vocab_size=60, hidden_size=24, ffn_dim=40, num_hidden_layers=2, num_attention_heads=4,
                        max_position_embeddings=48, word_embed_proj_dim=16, init_std=WIDE),
            "Model ForCausalLM ForSequenceClassification ForQuestionAnswering"),
    "bart": ("Bart", dict(vocab_size=60, d_model=24, encoder_layers=2, decoder_layers=3, encoder_ffn_dim=40, decoder_ffn_dim=28,
                          encoder_attention_heads=4, decoder_attention_heads=2, max_position_embeddings=48, init_std=WIDE,
                          scale_embedding=True),
             "Model ForConditionalGeneration ForSequenceClassification ForQuestionAnswering ForCausalLM"),
    "t5": ("T5", dict(vocab_size=60, d_model=24, d_kv=5, d_ff=40, num_layers=2, num_decoder_layers=3, num_heads=4,
                      decoder_start_token_id=0),
           "Model ForConditionalGeneration EncoderModel ForSequenceClassification ForTokenClassification ForQuestionAnswering"),
}
# The same types told otherwise.
VARIANTS = {
    "bert_relu": ("bert", dict(hidden_act="relu"), "Model ForMaskedLM"),
    "bert_silu_labels": ("bert", dict(hidden_act="silu", num_labels=5), "ForSequenceClassification ForTokenClassification"),
    "bert_decoder": ("bert", dict(is_decoder=True), "Model LMHeadModel"),
    "bert_quick_gelu": ("bert", dict(hidden_act="quick_gelu"), "Model"),
    "bert_mish": ("bert", dict(hidden_act="mish"), "Model"),
    "bert_gelu_fast": ("bert", dict(hidden_act="gelu_fast"), "Model"),
    "bert_relu2": ("bert", dict(hidden_act="relu2"), "Model"),
    "gpt2_scale": ("gpt2", dict(scale_attn_by_inverse_layer_idx=True, n_inner=30), "Model"),
    "gpt2_unscaled": ("gpt2", dict(scale_attn_weights=False), "Model"),
    "electra_even": ("electra", dict(embedding_size=24), "Model ForMaskedLM"),
    "opt_post": ("opt", dict(do_layer_norm_before=False), "Model ForCausalLM"),
    "opt_plain": ("opt", dict(word_embed_proj_dim=24, enable_bias=False, layer_norm_elementwise_affine=False), "Model"),
    "llama_bias": ("llama", dict(attention_bias=True, mlp_bias=True, head_dim=10), "ForCausalLM"),
    "llama_tied": ("llama", dict(tie_word_embeddings=True), "ForCausalLM"),
    "llama_llama3": ("llama", dict(rope_parameters=dict(
        rope_type="llama3", rope_theta=500.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
        original_max_position_embeddings=16)), "Model"),
    "llama_linear": ("llama", dict(rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=4.0)), "Model"),
    "mistral_full": ("mistral", dict(sliding_window=None), "ForCausalLM"),
    "qwen2_window": ("qwen2", dict(use_sliding_window=True, sliding_window=4, max_window_layers=1), "ForCausalLM"),
    "bart_plain": ("bart", dict(scale_embedding=False, activation_function="relu"), "Model"),
    "t5_gated": ("t5", dict(feed_forward_proj="gated-gelu", tie_word_embeddings=False), "ForConditionalGeneration"),
    "t5_gated_silu": ("t5", dict(feed_forward_proj="gated-silu"), "Model"),
}


def config(kind, **more):
    prefix, values, _ = TYPES[kind]
    return getattr(transformers, prefix + "Config")(**dict(values, **more))


def build(kind, ending, seed=1, **more):
    """A random model in evaluation mode; biases and norms are not left at 0 and 1."""
    torch.manual_seed(seed)
    c = config(kind, **more)
    c._attn_implementation = "eager"
    model = getattr(transformers, TYPES[kind][0] + ending)(c).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.dim() < 2:
                p.add_(torch.randn_like(p) * 0.1)
    return model


def ids(rows, columns, high, seed=2, low=3):
    return torch.randint(low, high, (rows, columns), generator=torch.Generator().manual_seed(seed))


@contextlib.contextmanager
def doubles(model):
    """While it lasts the model is float64 everywhere: norms, softmax and rotary angles too, which transformers casts to
    float32 even in a double model."""
    dtype, single, cast = torch.float32, torch.float, torch.Tensor.float
    kept = {name: t.clone() for name, t in model.state_dict().items()}
    model.double()
    torch.float32 = torch.float = torch.float64
    if model.config.model_type != "t5":  # where .float() serves the logarithm of a bucket, that is what it is
        torch.Tensor.float = torch.Tensor.double
    rotary = [(m, n, c) for m in model.modules() for n, c in m.named_children() if hasattr(c, "inv_freq")]
    for m, n, c in rotary:
        setattr(m, n, type(c)(c.config))
    try:
        yield model
    finally:
        torch.float32, torch.float, torch.Tensor.float = dtype, single, cast
        model.float()
        model.load_state_dict(kept)
        for m, n, c in rotary:
            setattr(m, n, c)


FIELDS = ("last_hidden_state pooler_output logits prediction_logits seq_relationship_logits sop_logits start_logits end_logits "
          "encoder_last_hidden_state").split()
TUPLES = "hidden_states encoder_hidden_states decoder_hidden_states".split()


def outputs(model, inputs, hidden=False):
    """Fields by name, hidden states numbered, as ckpt names them."""
    with torch.no_grad():
        cache = {} if "use_cache" not in inspect.signature(model.forward).parameters else {"use_cache": False}
        out = model(**inputs, output_hidden_states=hidden, return_dict=True, **cache)
    found = {k: out[k] for k in FIELDS if k in out and out[k] is not None}
    for k in TUPLES if hidden else ():
        for i, t in enumerate(out.get(k) or ()):
            found[f"{k}.{i}"] = t
    return found


def expected(model, inputs, hidden=False):
    """The same in true double precision."""
    with doubles(model):
        return outputs(model, inputs, hidden)
