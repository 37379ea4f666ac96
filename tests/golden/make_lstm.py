# Writes tests/golden/lstm/golden.safetensors: two layers of torch.nn.LSTM, both directions, over a packed sequence.
#
#   python3 make_lstm.py        (needs torch; the file comes out the same each time)
#
#   offsets                   i32 [n + 1]     sequence i is rows offsets[i] .. offsets[i + 1] - 1, in an order that is not by length
#   x, y                      f32 [rows, c]   what goes in and what comes out
#   dy, dx                    f32 [rows, c]   the loss is sum(dy * y)
#   weight_ih_l0, ...         as torch.nn.LSTM calls them; grad/<name> their gradients
import os

import torch
from safetensors.torch import save_file
from torch.nn.utils.rnn import pack_sequence, unpack_sequence

INPUTS, HIDDEN, LENGTHS = 11, 7, (4, 9, 1, 9, 6)

torch.set_num_threads(1)
generator = torch.Generator().manual_seed(3)
lstm = torch.nn.LSTM(INPUTS, HIDDEN, num_layers=2, bidirectional=True)
for parameter in lstm.parameters():
    parameter.data = 0.6 * torch.randn(parameter.shape, generator=generator)
x = torch.randn(sum(LENGTHS), INPUTS, generator=generator, requires_grad=True)
dy = torch.randn(sum(LENGTHS), 2 * HIDDEN, generator=generator)
packed, _ = lstm(pack_sequence(x.split(LENGTHS), enforce_sorted=False))
y = torch.cat(unpack_sequence(packed))
(dy * y).sum().backward()

golden = {"offsets": torch.tensor([0, *LENGTHS]).cumsum(0).int(), "x": x.detach(), "y": y.detach(), "dy": dy, "dx": x.grad}
for name, parameter in lstm.named_parameters():
    golden[name] = parameter.detach()
    golden["grad/" + name] = parameter.grad
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lstm")
os.makedirs(path, exist_ok=True)
save_file({name: tensor.contiguous() for name, tensor in golden.items()}, path + "/golden.safetensors")
