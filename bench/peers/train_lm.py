# Trains transformers' GPT2LMHeadModel on a text's characters, or on a tokenizer's ids: how fast, and with --iterations how well.
#
#   python3 train_lm.py --input train.txt --layers 4 --heads 4 --hidden 128 --context 64 --batch 12 --steps 50
#   python3 train_lm.py --input train.txt --valid valid.txt --layers 4 --heads 4 --hidden 128 --context 64 --batch 12 --iterations 2000
#
#   python3 train_lm.py --input train.txt --valid valid.txt --tokenizer DIR --context 128 --batch 16 --iterations 500
#
# The setting is nanoGPT's for characters: blocks at random places, AdamW (0.9, 0.99), a cosine schedule to a tenth, clipping at 1.
# Figures: tokens_per_s is the median over steps; valid_loss is over the whole validation text in blocks, with --iterations.
import argparse
import math
import time

import peer

p = argparse.ArgumentParser()
p.add_argument("--input", required=True)
p.add_argument("--valid")
p.add_argument("--tokenizer", metavar="DIR", help="ids of its tokenizer.json instead of characters")
p.add_argument("--layers", type=int, default=4)
p.add_argument("--heads", type=int, default=4)
p.add_argument("--hidden", type=int, default=128)
p.add_argument("--context", type=int, default=64)
p.add_argument("--batch", type=int, default=12, help="blocks")
p.add_argument("--dropout", type=float, default=0.0)
p.add_argument("--learning-rate", type=float, default=1e-3)
p.add_argument("--warmup-steps", type=int, default=100)
p.add_argument("--weight-decay", type=float, default=0.1)
p.add_argument("--dtype", choices=("f32", "bf16"), default="f32")
p.add_argument("--threads", type=int, default=peer.all_threads())
p.add_argument("--seed", type=int, default=1)
p.add_argument("--steps", type=int, default=30, help="steps to measure")
p.add_argument("--warmup-measure", type=int, default=5, metavar="N", help="steps before the measurement")
p.add_argument("--iterations", type=int, help="train for this many updates instead")
args = p.parse_args()

import torch
from transformers import GPT2Config, GPT2LMHeadModel

torch.set_num_threads(args.threads)
torch.manual_seed(args.seed)


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


def ids_of(text):
    if args.tokenizer:
        return torch.tensor(tokenizer.encode(text, add_special_tokens=False).ids)
    return torch.tensor([places[c] for c in text if c in places])


text = read(args.input)
if args.tokenizer:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(args.tokenizer + "/tokenizer.json")
    vocabulary = tokenizer.get_vocab_size()
else:
    places = {c: i for i, c in enumerate(sorted(set(text)))}
    vocabulary = len(places)
data = ids_of(text)
model = GPT2LMHeadModel(GPT2Config(vocab_size=vocabulary, n_positions=args.context, n_embd=args.hidden, n_layer=args.layers, n_head=args.heads,
                                   resid_pdrop=args.dropout, embd_pdrop=args.dropout, attn_pdrop=args.dropout,
                                   bos_token_id=None, eos_token_id=None)).train()
groups = [dict(params=[w for w in model.parameters() if w.dim() >= 2], weight_decay=args.weight_decay),
          dict(params=[w for w in model.parameters() if w.dim() < 2], weight_decay=0.0)]
optimizer = torch.optim.AdamW(groups, lr=args.learning_rate, betas=(0.9, 0.99), fused=True)


def rate(update):
    if update <= args.warmup_steps:
        return args.learning_rate * update / args.warmup_steps
    done = (update - args.warmup_steps) / max(1, (args.iterations or update) - args.warmup_steps)
    return args.learning_rate * (0.1 + 0.9 * (1 + math.cos(math.pi * min(1, done))) / 2)


def loss_of(inputs, targets):
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.dtype == "bf16"):
        logits = model(input_ids=inputs, use_cache=False).logits
    return torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), targets.flatten())


def update_weights(update):
    starts = torch.randint(len(data) - args.context - 1, (args.batch,))
    block = torch.stack([data[s : s + args.context + 1] for s in starts])
    for group in optimizer.param_groups:
        group["lr"] = rate(update)
    optimizer.zero_grad()
    loss_of(block[:, :-1], block[:, 1:]).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


@torch.no_grad()
def validate(path):
    model.eval()
    ids = ids_of(read(path))
    count = (len(ids) - 1) // args.context
    inputs, targets = (ids[i : i + count * args.context].view(count, args.context) for i in (0, 1))
    losses = [loss_of(inputs[i : i + 64], targets[i : i + 64]).item() * len(inputs[i : i + 64]) for i in range(0, count, 64)]
    return sum(losses) / count


tokens, rates, begin = args.batch * args.context, [], time.perf_counter()
for update in range(1, (args.iterations or args.warmup_measure + args.steps) + 1):
    start = time.perf_counter()
    update_weights(update)
    rates.append(tokens / (time.perf_counter() - start))
figures = dict(tokens_per_s=peer.median(rates[args.warmup_measure :]), seconds=round(time.perf_counter() - begin, 1))
if args.valid:
    figures["valid_loss"] = round(validate(args.valid), 4)
peer.report(peer="transformers", task="train-lm", **figures, dtype=args.dtype, threads=args.threads, parameters=sum(w.numel() for w in model.parameters()))
