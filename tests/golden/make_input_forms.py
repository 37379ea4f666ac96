# Writes tests/golden/gpt1-classify and gpt1-similarity: a decoder that labels texts in GPT-1's input forms (Radford et al. 2018,
# section 3.3) while the language model goes on learning (their equation 5), as no class of transformers does. The stack is
# transformers' GPT2Model; what stands on it is written out here. The model is saved as qkv saves it.
#
#   python3 make_input_forms.py        (needs torch and transformers 5; every file comes out the same each time)
#
# golden.safetensors holds what make_encoders.py describes, and
#   source.offsets                            of sequences; a text of gpt1-similarity is two of them, one after the other
#   lm.weight                                 f32 [1]           loss = mean over texts + lm.weight * mean over labels
import copy
import json
import os
import shutil

import torch
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy, mse_loss
from transformers import GPT2Config, GPT2Model

import tiny

WIDTH, HEADS, FFN, LAYERS, POSITIONS, VOCABULARY = 16, 2, 24, 2, 16, 37  # the last three tokens: start, delimiter, extract
START, DELIMITER, EXTRACT = range(VOCABULARY - 3, VOCABULARY)
CASES = {"gpt1-classify": dict(labels=3, both_orders=False, pairs=((4, 3), (6, 0), (1, 2), (2, 2))),
         "gpt1-similarity": dict(labels=1, both_orders=True, pairs=((4, 3), (5, 1), (1, 1)))}


class Labeller(torch.nn.Module):
    def __init__(self, labels):
        super().__init__()
        config = GPT2Config(vocab_size=VOCABULARY, n_positions=POSITIONS, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS, n_inner=FFN,
                            embd_pdrop=0.0, resid_pdrop=0.0, attn_pdrop=0.0, bos_token_id=None, eos_token_id=None)
        self.stack = GPT2Model._from_config(config, attn_implementation="eager")
        self.classifier = torch.nn.Linear(WIDTH, labels)


def sequences_of(case, generator):
    """The sequences of each text: start A delimiter B extract, or start A extract; and the same of B and A."""
    texts = []
    for first, second in case["pairs"]:
        a, b = (torch.randint(START, (n,), generator=generator).tolist() for n in (first, second))
        orders = ((a, b), (b, a)) if case["both_orders"] else ((a, b),)
        texts.append([torch.tensor([START, *x, *([DELIMITER, *y] if y else []), EXTRACT]) for x, y in orders])
    return texts


def forward(model, texts, **wanted):
    return [[model.stack(input_ids=ids[None], use_cache=False, **wanted) for ids in text] for text in texts]


def logits_of(model, outputs):
    rows = torch.cat([o.last_hidden_state[0] @ model.stack.wte.weight.T for text in outputs for o in text])
    states = torch.stack([sum(o.last_hidden_state[0, -1] for o in text) for text in outputs])
    return rows, states, model.classifier(states)


def batch_loss(model, batch):
    rows, _, texts = logits_of(model, forward(model, batch["texts"]))
    labels = batch["text.labels"]
    of_texts = mse_loss(texts[:, 0], batch["text.values"].to(texts.dtype)) if texts.shape[1] == 1 else cross_entropy(texts, labels)
    return of_texts + batch["lm.weight"].item() * cross_entropy(rows, batch["labels"], ignore_index=-1)


def make_batch(case, generator):
    texts = sequences_of(case, generator)
    all_sequences, count = [ids for text in texts for ids in text], len(texts)
    return {"texts": texts, "source.ids": torch.cat(all_sequences),
            "source.offsets": torch.tensor([0, *map(len, all_sequences)]).cumsum(0),
            "labels": torch.cat([torch.cat([ids[1:], torch.tensor([-1])]) for ids in all_sequences]),
            "text.labels": torch.randint(case["labels"], (count,), generator=generator),
            "text.values": torch.randn(count, generator=generator), "text.groups": torch.arange(count),
            "text.starts": torch.zeros(count), "text.ends": torch.zeros(count), "lm.weight": torch.tensor([0.5])}


def in_qkv(tensors):
    """transformers' names and shapes -> those of the layout "qkv"."""
    out = {}
    for name, tensor in tensors.items():
        part, _, kind = name.rpartition(".")
        if part == "classifier":
            out["head." + name] = tensor
        elif part in ("stack.wte", "stack.wpe"):
            out["decoder." + ("embedding" if part == "stack.wte" else "positions")] = tensor
        elif ".ln_" in part:
            place = {"stack.ln_f": "norm"}.get(part) or part.split(".")[2] + {"ln_1": ".self.norm", "ln_2": ".feed_forward.norm"}[part.split(".")[3]]
            out[f"decoder.{place}.{'gain' if kind == 'weight' else 'bias'}"] = tensor
        else:
            layer, what = part.split(".")[2], part.split(".", 3)[3]
            turned = tensor.T if kind == "weight" else tensor  # Conv1D is stored as [inputs, outputs]
            names = {"attn.c_attn": ["self.query", "self.key", "self.value"], "attn.c_proj": ["self.output"], "mlp.c_fc": ["feed_forward.up"],
                     "mlp.c_proj": ["feed_forward.down"]}[what]
            for own, chunk in zip(names, turned.chunk(len(names))):
                out[f"decoder.{layer}.{own}.{kind}"] = chunk
    return {name: tensor.detach().contiguous().clone() for name, tensor in out.items()}


def config_of(case):
    labels = {str(i): f"LABEL_{i}" for i in range(case["labels"])}
    return dict(architectures=["QkvModel"], model_type="qkv", family="decoder", hidden=WIDTH, target_vocab=VOCABULARY, decoder_layers=LAYERS,
                decoder_heads=HEADS, decoder_ffn=FFN, norm_place="pre", final_norm=True, positions="learned", max_positions=POSITIONS,
                activation="gelu-tanh", shared_embeddings=False, head="classify", labels=case["labels"], language_too=True,
                both_orders=case["both_orders"], pooling="last", classifier_bias=True, id2label=labels,
                label2id={name: int(i) for i, name in labels.items()})


def numbers(model, batch):
    with torch.no_grad():
        outputs = forward(model, batch["texts"], output_hidden_states=True, output_attentions=True)
        golden = dict(zip(("rows", "pooled", "texts"), logits_of(model, outputs)))
    flat = [o for text in outputs for o in text]
    for layer, states in enumerate(zip(*(o.hidden_states for o in flat))):
        golden[f"decoder.hidden.{layer}"] = torch.cat([s[0] for s in states])
    for layer, weights in enumerate(flat[1].attentions):
        golden[f"decoder_attention.{layer}"] = weights[0]
    model.zero_grad()
    loss = batch_loss(model, batch)
    loss.backward()
    golden["loss"] = loss.detach()[None]
    golden |= {"grad/" + name: grad for name, grad in in_qkv({n: p.grad for n, p in model.named_parameters()}).items()}
    return golden | tiny.numbers_of_training(copy.deepcopy(model), lambda model: batch_loss(model, batch))


def make_case(name):
    case, path = CASES[name], os.path.join(tiny.HERE, name)
    model = Labeller(case["labels"]).eval()
    tiny.randomise(model, seed=1, gain=1.1)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    with open(path + "/config.json", "w") as file:
        file.write(json.dumps(config_of(case), indent=2) + "\n")
    save_file(in_qkv(dict(model.named_parameters())), path + "/model.safetensors")
    batch = make_batch(case, torch.Generator().manual_seed(2))
    golden = numbers(model, batch)
    distance, where = tiny.worst_rounding(golden, numbers(copy.deepcopy(model).double(), batch))
    described = {name: t if t.is_floating_point() else t.int() for name, t in batch.items() if name != "texts"}
    described |= {name: described[name].int() for name in ("text.starts", "text.ends")}
    save_file({n: t.contiguous() for n, t in (golden | described).items()}, path + "/golden.safetensors")
    print(f"{name}: {len(golden)} numbers, furthest from f64: {where} by {distance:.1e}")
    print("  losses", *(f"{x:.4f}" for x in golden["steps.losses"]), " first norms", *(f"{x:.2f}" for x in golden["steps.norms"][:3]))


if __name__ == "__main__":
    for name in CASES:
        make_case(name)
