# Norms over rows as PyTorch computes them on sequences without padding: results, gradients and batch norm's buffers.
# Writes norms.json beside itself.
import json
import os

import torch

torch.manual_seed(7)
COLUMNS, LENGTHS, GROUPS, EPSILON = 6, [5, 1, 9, 2], 3, 1e-5


def flat(tensor):
    return [round(float(value), 9) for value in tensor.detach().double().flatten()]


def sequences(x):
    return list(x.split(LENGTHS))


def per_sequence(norm, x):
    # torch refuses a sequence of one token in instance norm; its difference from its own mean is 0.
    rows = [norm(part.T.unsqueeze(0)).squeeze(0).T if len(part) > 1 or isinstance(norm, torch.nn.GroupNorm)
            else (part - part) * norm.weight + norm.bias for part in sequences(x)]
    return torch.cat(rows)


def all_rows(norm, x):
    return norm(x.T.unsqueeze(0)).squeeze(0).T


def case(name, norm, apply, steps):
    with torch.no_grad():
        norm.weight.uniform_(0.5, 1.5)
        norm.bias.uniform_(-0.5, 0.5)
    result = {"name": name, "gain": flat(norm.weight), "bias": flat(norm.bias), "steps": []}
    for _ in range(steps):
        x = (torch.randn(sum(LENGTHS), COLUMNS) * 2 + 0.7).requires_grad_()
        weight = torch.randn(sum(LENGTHS), COLUMNS)
        norm.zero_grad()
        y = apply(norm, x)
        (y * weight).sum().backward()
        step = {"x": flat(x), "dy": flat(weight), "y": flat(y), "dx": flat(x.grad), "dgain": flat(norm.weight.grad), "dbias": flat(norm.bias.grad)}
        if name == "batch":
            step |= {"running_mean": flat(norm.running_mean), "running_var": flat(norm.running_var), "batches": int(norm.num_batches_tracked)}
        result["steps"].append(step)
    if name == "batch":
        norm.eval()
        result["evaluated"] = flat(apply(norm, x))
    return result


cases = [
    case("batch", torch.nn.BatchNorm1d(COLUMNS, eps=EPSILON), all_rows, 3),
    case("instance", torch.nn.InstanceNorm1d(COLUMNS, eps=EPSILON, affine=True), per_sequence, 1),
    case("group", torch.nn.GroupNorm(GROUPS, COLUMNS, eps=EPSILON), per_sequence, 1),
]
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "norms.json"), "w") as file:
    json.dump({"columns": COLUMNS, "lengths": LENGTHS, "groups": GROUPS, "epsilon": EPSILON, "cases": cases}, file)
    file.write("\n")
