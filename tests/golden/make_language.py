# Writes tests/golden/gpt2/language.json: what transformers makes of texts as a whole, for `qkv score` and `qkv eval`.
#
#   python3 make_language.py        (needs torch and transformers 5; the file comes out the same each time)
#
# Texts are ids from 2 on; words.sh turns them into words. Every text stands behind the begin token 0, which also ends documents.
#   "score"     {"ids", "log_probs" of each id, "sum", "both": the sum with the text read from its end added}
#   "eval"      {"context", "stride", "loss", "tokens"} of the texts' ids as one document through a window
#   "separate"  the same with each text a document of its own
import json
import os

import torch
from torch.nn.functional import log_softmax
from transformers import GPT2LMHeadModel

import tiny

CASE = os.path.join(tiny.HERE, "gpt2")
BEGIN = 0


def windows(count, context, stride):
    """(start, next, how many of the last inputs count) of the windows over `count` inputs."""
    done = 0
    while done < count:
        stop = min(count, context if done == 0 else done + stride)
        yield max(0, stop - context), stop, stop - done
        done = stop


@torch.no_grad()
def log_probs(model, ids, ends, context, stride):
    """log p of each id behind the begin token, and of the end token if it is wanted."""
    inputs = [BEGIN] + ids
    targets = ids + [BEGIN]
    if not ends:
        inputs, targets = inputs[:-1], targets[:-1]
    found = []
    for start, stop, counted in windows(len(inputs), context, stride):
        logits = model(torch.tensor([inputs[start:stop]])).logits[0].double()
        each = log_softmax(logits, -1)[range(stop - start), targets[start:stop]]
        found += each[-counted:].tolist()
    return found


def main():
    model = GPT2LMHeadModel.from_pretrained(CASE, attn_implementation="eager").eval()
    most, vocabulary = model.config.n_positions, model.config.vocab_size
    generator = torch.Generator().manual_seed(5)
    texts = [torch.randint(2, vocabulary - 1, (n,), generator=generator).tolist() for n in (5, 1, 12, 31, 90)]
    score = []
    for ids in texts:
        forward = log_probs(model, ids, False, most, most // 2)
        backward = log_probs(model, ids[::-1], False, most, most // 2)
        score.append({"ids": ids, "log_probs": forward, "sum": sum(forward), "both": sum(forward) + sum(backward)})
    evaluations = {"eval": [], "separate": []}
    for context, stride in ((32, 32), (20, 5), (32, 1)):
        for name, documents in (("eval", [sum(texts, [])]), ("separate", texts)):
            found = sum((log_probs(model, ids, True, context, stride) for ids in documents), [])
            evaluations[name].append({"context": context, "stride": stride, "loss": -sum(found) / len(found), "tokens": len(found)})
    with open(os.path.join(CASE, "language.json"), "w") as file:
        file.write('{"score": [\n' + ",\n".join(json.dumps(row) for row in score) + "\n],\n")
        for name, rows in evaluations.items():
            file.write(f'"{name}": [\n' + ",\n".join(json.dumps(row) for row in rows) + "\n]" + (",\n" if name == "eval" else "}\n"))


main()
