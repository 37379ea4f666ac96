# Writes tests/golden/<case>/ for the encoder-decoder families: config.json, model.safetensors and golden.safetensors,
# the numbers that transformers computes from them in f32, without dropout.
#
#   python3 make_translation.py [CASE...]        (needs torch and transformers 5; every file comes out the same each time)
#
# golden.safetensors holds, for a batch of sequences packed one after the other (nothing is padded):
#   source.ids, target.inputs, target.labels  i32 [tokens]      inputs: the start token, then labels without their last
#   source.offsets, target.offsets            i32 [n + 1]       sequence i is tokens offsets[i] .. offsets[i + 1] - 1
#   encoder.hidden.L, decoder.hidden.L        f32 [tokens, d]   0: the embeddings' output; the last: after all norms
#   logits                                    f32 [target tokens, vocabulary]
#   token.log_probs                           f32 [target tokens]   log-probability of each label
#   loss, loss.smoothed                       f32 [1]           mean over the labels; label smoothing 0 and 0.1
#   encoder_attention.L, decoder_attention.L, cross_attention.L
#                                             f32 [heads, queries, keys]   of sequence 1 (counted from 0)
# and, where TRAINED says so,
#   grad/<tensor>                             of loss, for every tensor of model.safetensors that is trained
#   grad.smoothed/<tensor>                    of loss.smoothed, for three of them
#   steps.losses, steps.norms                 f32 [10]          before each of ten AdamW steps on this batch: the loss, and
#                                                               the norm of all gradients before they are clipped
# The steps: learning rate 1e-3, betas 0.9 and 0.98, epsilon 1e-9, gradients clipped at norm 1, weight decay 0.01 on
# matrices (embeddings among them), none on biases and norms.
#
# nn.Embedding(padding_idx) sends no gradient to the padding id's row; Marian's start token is that id. So the row
# learns from the output side alone. marian-knobs starts with another id, and there the row does learn.
import copy
import sys

import torch
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy, log_softmax

import tiny

LENGTHS = ((5, 7, 1, 3), (6, 4, 3, 1))  # of the sources and of the targets
LONG = ((65, 33, 130, 16), (64, 17, 131, 1))
SHOWN = 1  # the sequence whose attention is written

RELU = dict(activation_function="relu", scale_embedding=True)
CASES = {
    "marian": dict(family="marian", width=32, heads=4, ffn=64, layers=(2, 3), vocab_size=97, **RELU),
    "marian-knobs": dict(family="marian", width=24, heads=(3, 6), ffn=(52, 40), layers=(1, 2), vocab_size=61, gain=1.5,
                         activation_function="gelu", scale_embedding=False, max_position_embeddings=33,
                         decoder_start_token_id=7),
    "marian-unshared": dict(family="marian", width=20, heads=4, ffn=36, layers=1, vocab_size=53, activation_function="swish",
                            share_encoder_decoder_embeddings=False, decoder_vocab_size=67),
    "marian-untied": dict(family="marian", width=16, heads=2, ffn=24, layers=1, vocab_size=53, activation_function="gelu_new",
                          tie_word_embeddings=False),
    "marian-one-head": dict(family="marian", width=15, heads=(1, 15), ffn=17, layers=1, vocab_size=41, **RELU),
    "marian-long": dict(family="marian", width=16, heads=2, ffn=24, layers=1, vocab_size=31, max_position_embeddings=160, **RELU),
    "pegasus": dict(family="pegasus", width=32, heads=4, ffn=64, layers=(1, 2), vocab_size=97, **RELU),
    "pegasus-tanh": dict(family="pegasus", width=16, heads=2, ffn=24, layers=(2, 1), vocab_size=41, activation_function="tanh"),
    "pegasus-silu": dict(family="pegasus", width=16, heads=4, ffn=20, layers=(1, 2), vocab_size=41, gain=1.6,
                         activation_function="silu", tie_word_embeddings=False),
}
TRAINED = set(CASES)
# The same weights as `marian`, stored in other ways; half precision is read back and computed in f32.
STORED = {"marian-sharded": dict(shard_size="60KB"), "marian-f16": dict(dtype=torch.float16), "marian-bf16": dict(dtype=torch.bfloat16)}


def make_batch(config, lengths, seed):
    """Random ids without special ones; every sequence ends with the end token (those of length 1 are nothing else)."""
    generator = torch.Generator().manual_seed(seed)
    special = {config.eos_token_id, config.pad_token_id, config.decoder_start_token_id}

    def sequences(lengths, vocab_size):
        ordinary = torch.tensor([i for i in range(vocab_size) if i not in special])
        draws = [ordinary[torch.randint(len(ordinary), (n - 1,), generator=generator)] for n in lengths]
        return [torch.cat([ids, torch.tensor([config.eos_token_id])]) for ids in draws]

    sources = sequences(lengths[0], config.vocab_size)
    labels = sequences(lengths[1], getattr(config, "decoder_vocab_size", config.vocab_size))
    start = torch.tensor([config.decoder_start_token_id])
    inputs = [torch.cat([start, ids[:-1]]) for ids in labels]
    return sources, inputs, labels


def forward(model, batch, **wanted):
    """One output per sequence, each computed alone, so that no mask and no padding can matter."""
    sources, inputs, _ = batch
    return [model(input_ids=s[None], decoder_input_ids=t[None], use_cache=False, **wanted) for s, t in zip(sources, inputs)]


def packed_logits(outputs):
    return torch.cat([o.logits[0] for o in outputs])


def batch_loss(model, batch, smoothing=0.0):
    return cross_entropy(packed_logits(forward(model, batch)), torch.cat(batch[2]), label_smoothing=smoothing)


def describe_batch(batch):
    def offsets(sequences):
        return torch.tensor([0] + [len(s) for s in sequences]).cumsum(0)

    sources, inputs, labels = batch
    numbers = {"source.ids": torch.cat(sources), "source.offsets": offsets(sources), "target.inputs": torch.cat(inputs),
               "target.labels": torch.cat(labels), "target.offsets": offsets(labels)}
    return {name: ids.int() for name, ids in numbers.items()}


@torch.no_grad()
def numbers_of_forward(model, batch):
    outputs = forward(model, batch, output_hidden_states=True, output_attentions=True)
    labels = torch.cat(batch[2])
    logits = packed_logits(outputs)
    golden = {"logits": logits, "token.log_probs": log_softmax(logits, -1).gather(1, labels[:, None])[:, 0]}
    for name, smoothing in (("loss", 0.0), ("loss.smoothed", 0.1)):
        golden[name] = cross_entropy(logits, labels, label_smoothing=smoothing)[None]
    for side in ("encoder", "decoder"):
        for layer, states in enumerate(zip(*(o[side + "_hidden_states"] for o in outputs))):
            golden[f"{side}.hidden.{layer}"] = torch.cat([s[0] for s in states])
    for name, key in (("encoder_attention", "encoder_attentions"), ("decoder_attention", "decoder_attentions"),
                      ("cross_attention", "cross_attentions")):
        for layer, weights in enumerate(outputs[SHOWN][key]):
            golden[f"{name}.{layer}"] = weights[0]
    return golden


def numbers_of_backward(model, batch):
    parameters = tiny.saved_parameters(model)
    golden = {}

    def record(prefix, names, smoothing):
        model.zero_grad()
        batch_loss(model, batch, smoothing).backward()
        for name in names:
            if parameters[name].grad is not None:  # an untied checkpoint keeps model.shared.weight, which nothing uses
                golden[prefix + name] = parameters[name].grad.clone()

    record("grad/", parameters, 0.0)
    head = next(n for n in ("lm_head.weight", "model.decoder.embed_tokens.weight", "model.shared.weight") if n in parameters)
    record("grad.smoothed/", (head, "model.encoder.layers.0.self_attn.q_proj.weight",
                              "model.decoder.layers.0.encoder_attn_layer_norm.weight"), 0.1)
    return golden


def numbers(model, batch, trained):
    golden = numbers_of_forward(model, batch)
    if trained:
        golden |= numbers_of_backward(model, batch)
        golden |= tiny.numbers_of_training(copy.deepcopy(model), lambda model: batch_loss(model, batch))
    return golden


def make_case(case):
    stored = STORED.get(case, {})
    shape = dict(CASES["marian" if case in STORED else case])
    model = tiny.make_model(shape.pop("family"), seed=1, **shape)
    path = tiny.save(model.to(stored.get("dtype", torch.float32)), case, shard_size=stored.get("shard_size", "1GB"))
    model = tiny.load(path)
    batch = make_batch(model.config, LONG if case == "marian-long" else LENGTHS, seed=2)
    trained = case in TRAINED
    golden = numbers(model, batch, trained)
    distance, name = tiny.worst_rounding(golden, numbers(copy.deepcopy(model).double(), batch, trained))
    save_file({n: t.contiguous() for n, t in (golden | describe_batch(batch)).items()}, path + "/golden.safetensors")
    print(f"{case}: loss {golden['loss'].item():.4f}, {len(golden)} numbers, furthest from f64: {name} by {distance:.1e}")
    if trained:
        print("  losses", *(f"{x:.4f}" for x in golden["steps.losses"]), " first norms", *(f"{x:.2f}" for x in golden["steps.norms"][:3]))


if __name__ == "__main__":
    for case in sys.argv[1:] or [*CASES, *STORED]:
        make_case(case)
