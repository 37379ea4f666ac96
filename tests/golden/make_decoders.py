# Writes tests/golden/<case>/ for models of one causal stack (GPT and its kin): config.json, model.safetensors and
# golden.safetensors, the numbers that transformers computes from them in f32, without dropout.
#
#   python3 make_decoders.py [CASE...]        (needs torch and transformers 5; every file comes out the same each time)
#
# golden.safetensors holds what make_translation.py describes, without a source: target.inputs, target.labels (the inputs, one
# further) and target.offsets, decoder.hidden.L, decoder_attention.L, logits, token.log_probs, loss, loss.smoothed, and of every
# case that is trained grad/<tensor>, steps.losses and steps.norms.
import copy
import sys

import torch
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy, log_softmax
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, OpenAIGPTConfig, OpenAIGPTLMHeadModel

import tiny

LENGTHS = (6, 9, 1, 4)
LONG = (3, 7, 1, 175)
SHOWN = 1  # the sequence whose attention is written

GPT = dict(embd_pdrop=0.0, resid_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, eos_token_id=0)
LLAMA = dict(vocab_size=53, hidden_size=24, intermediate_size=40, num_hidden_layers=1, num_attention_heads=3, rms_norm_eps=1e-5,
             max_position_embeddings=192, bos_token_id=0, eos_token_id=1)


def rotary(kind, **keys):
    return LLAMA | dict(rope_parameters=dict(rope_type=kind, **keys))


CASES = {
    "gpt2": (GPT2Config, GPT2LMHeadModel, dict(vocab_size=97, n_positions=32, n_embd=32, n_layer=2, n_head=4, **GPT)),
    "gpt2-knobs": (GPT2Config, GPT2LMHeadModel,
                   dict(vocab_size=61, n_positions=24, n_embd=20, n_layer=3, n_head=5, n_inner=33, layer_norm_epsilon=1e-3,
                        activation_function="relu", tie_word_embeddings=False, pad_token_id=3, **GPT)),
    "openai-gpt": (OpenAIGPTConfig, OpenAIGPTLMHeadModel,
                   dict(vocab_size=71, n_positions=20, n_embd=24, n_layer=2, n_head=3, **GPT)),
    "llama": (LlamaConfig, LlamaForCausalLM,
              dict(vocab_size=97, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
                   num_key_value_heads=2, max_position_embeddings=32, bos_token_id=0, eos_token_id=1)),
    "llama-knobs": (LlamaConfig, LlamaForCausalLM,
                    dict(vocab_size=61, hidden_size=24, intermediate_size=33, num_hidden_layers=2, num_attention_heads=6,
                         num_key_value_heads=1, head_dim=6, max_position_embeddings=24, attention_bias=True, mlp_bias=True,
                         hidden_act="gelu", tie_word_embeddings=True, pad_token_id=3, bos_token_id=0, eos_token_id=[1, 2],
                         rms_norm_eps=1e-4, rope_parameters=dict(rope_type="default", rope_theta=500.0))),
    "llama-linear": (LlamaConfig, LlamaForCausalLM, rotary("linear", factor=2.5, rope_theta=1000.0)),
    "llama-dynamic": (LlamaConfig, LlamaForCausalLM, rotary("dynamic", factor=4.0, rope_theta=10000.0)),
    "llama-dynamic-beyond": (LlamaConfig, LlamaForCausalLM, rotary("dynamic", factor=4.0, rope_theta=10000.0) | dict(max_position_embeddings=48)),
    "llama-llama3": (LlamaConfig, LlamaForCausalLM,
                     rotary("llama3", factor=8.0, rope_theta=500.0, low_freq_factor=1.0, high_freq_factor=4.0,
                            original_max_position_embeddings=64)),
    "llama-yarn": (LlamaConfig, LlamaForCausalLM,
                   rotary("yarn", factor=4.0, rope_theta=1000.0, original_max_position_embeddings=48, beta_fast=8.0)),
    "llama-yarn-scaled": (LlamaConfig, LlamaForCausalLM,
                          rotary("yarn", factor=16.0, rope_theta=10000.0, original_max_position_embeddings=32, mscale=0.707,
                                 mscale_all_dim=1.2, truncate=False)),
}
LONG_CASES = {"llama-linear", "llama-dynamic", "llama-dynamic-beyond", "llama-llama3", "llama-yarn", "llama-yarn-scaled"}


def make_batch(config, lengths, seed):
    """Random ids; the labels are the inputs, one further."""
    generator = torch.Generator().manual_seed(seed)
    texts = [torch.randint(config.vocab_size, (n + 1,), generator=generator) for n in lengths]
    return [t[:-1] for t in texts], [t[1:] for t in texts]


def forward(model, batch, **wanted):
    """One output per sequence, each computed alone, so that no mask and no padding can matter."""
    return [model(input_ids=ids[None], use_cache=False, **wanted) for ids in batch[0]]


def packed_logits(outputs):
    return torch.cat([o.logits[0] for o in outputs])


def batch_loss(model, batch, smoothing=0.0):
    return cross_entropy(packed_logits(forward(model, batch)), torch.cat(batch[1]), label_smoothing=smoothing)


def describe_batch(batch):
    offsets = torch.tensor([0] + [len(ids) for ids in batch[0]]).cumsum(0)
    numbers = {"target.inputs": torch.cat(batch[0]), "target.labels": torch.cat(batch[1]), "target.offsets": offsets}
    return {name: ids.int() for name, ids in numbers.items()}


@torch.no_grad()
def numbers_of_forward(model, batch):
    outputs = forward(model, batch, output_hidden_states=True, output_attentions=True)
    labels = torch.cat(batch[1])
    logits = packed_logits(outputs)
    golden = {"logits": logits, "token.log_probs": log_softmax(logits, -1).gather(1, labels[:, None])[:, 0]}
    for name, smoothing in (("loss", 0.0), ("loss.smoothed", 0.1)):
        golden[name] = cross_entropy(logits, labels, label_smoothing=smoothing)[None]
    for layer, states in enumerate(zip(*(o.hidden_states for o in outputs))):
        golden[f"decoder.hidden.{layer}"] = torch.cat([s[0] for s in states])
    for layer, weights in enumerate(outputs[SHOWN].attentions):
        golden[f"decoder_attention.{layer}"] = weights[0]
    return golden


def numbers_of_backward(model, batch):
    parameters = tiny.saved_parameters(model)
    golden = {}
    for prefix, smoothing, names in (("grad/", 0.0, list(parameters)), ("grad.smoothed/", 0.1, list(parameters)[:3])):
        model.zero_grad()
        batch_loss(model, batch, smoothing).backward()
        golden |= {prefix + name: parameters[name].grad.clone() for name in names}
    return golden


def numbers(model, batch):
    golden = numbers_of_forward(model, batch) | numbers_of_backward(model, batch)
    return golden | tiny.numbers_of_training(copy.deepcopy(model), lambda model: batch_loss(model, batch))


def make_case(case):
    config_class, model_class, keys = CASES[case]
    model = model_class._from_config(config_class(**keys), attn_implementation="eager").eval()
    tiny.randomise(model, seed=1, gain=1.1)
    path = tiny.save(model, case)
    model = tiny.load(path, auto_class="AutoModelForCausalLM")
    batch = make_batch(model.config, LONG if case in LONG_CASES else LENGTHS, seed=2)
    golden = numbers(model, batch)
    distance, name = tiny.worst_rounding(golden, numbers(copy.deepcopy(model).double(), batch))
    save_file({n: t.contiguous() for n, t in (golden | describe_batch(batch)).items()}, path + "/golden.safetensors")
    print(f"{case}: loss {golden['loss'].item():.4f}, {len(golden)} numbers, furthest from f64: {name} by {distance:.1e}")
    print("  losses", *(f"{x:.4f}" for x in golden["steps.losses"]), " first norms", *(f"{x:.2f}" for x in golden["steps.norms"][:3]))


if __name__ == "__main__":
    for case in sys.argv[1:] or CASES:
        make_case(case)
