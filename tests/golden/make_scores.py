# Attention scores as PyTorch computes them: softmax of scaled products, products, cosines, q^T W k (Luong et al. 2015) and
# v^T tanh(q + k) (Bahdanau et al. 2015), with all gradients. Writes scores.json beside itself.
import json
import os

import torch

torch.manual_seed(11)
HEADS, WIDTH, QUERIES, KEYS = 2, 5, 4, 7


def flat(tensor):
    return [round(float(value), 9) for value in tensor.detach().flatten()]


def score(name, q, k, weight):
    if name == "scaled":
        return q @ k.transpose(1, 2) / WIDTH ** 0.5
    if name == "dot":
        return q @ k.transpose(1, 2)
    if name == "cosine":
        return torch.nn.functional.cosine_similarity(q.unsqueeze(2), k.unsqueeze(1), dim=-1)
    if name == "general":
        return q @ weight @ k.transpose(1, 2)
    return (torch.tanh(q.unsqueeze(2) + k.unsqueeze(1)) * weight.view(HEADS, 1, 1, WIDTH)).sum(-1)


cases = []
for name in ["scaled", "dot", "cosine", "general", "additive"]:
    query = torch.randn(QUERIES, HEADS * WIDTH, dtype=torch.float64, requires_grad=True)
    key = torch.randn(KEYS, HEADS * WIDTH, dtype=torch.float64, requires_grad=True)
    value = torch.randn(KEYS, HEADS * WIDTH, dtype=torch.float64, requires_grad=True)
    shape = {"general": (HEADS, WIDTH, WIDTH), "additive": (HEADS, WIDTH)}.get(name, (0,))
    weight = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    heads = [x.view(-1, HEADS, WIDTH).transpose(0, 1) for x in (query, key, value)]
    scores = score(name, heads[0], heads[1], weight)
    out = (scores.softmax(-1) @ heads[2]).transpose(0, 1).reshape(QUERIES, HEADS * WIDTH)
    dout = torch.randn(QUERIES, HEADS * WIDTH, dtype=torch.float64)
    (out * dout).sum().backward()
    cases.append({"name": name, "query": flat(query), "key": flat(key), "value": flat(value), "weight": flat(weight), "out": flat(out), "dout": flat(dout),
                  "dquery": flat(query.grad), "dkey": flat(key.grad), "dvalue": flat(value.grad),
                  "dweight": flat(weight.grad) if weight.numel() else []})
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "scores.json"), "w") as file:
    json.dump({"heads": HEADS, "width": WIDTH, "queries": QUERIES, "keys": KEYS, "cases": cases}, file)
    file.write("\n")
