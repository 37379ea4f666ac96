# Trains transformers' MarianMTModel on parallel text: how fast, or with --train-minutes/--max-steps and --valid, how well.
#
#   python3 train_translation.py --source train.en --target train.de --tokenizer DIR --size base --dtype f32 --steps 20
#   python3 train_translation.py --source train.en --target train.de --tokenizer DIR --size tiny --dropout 0.3 \
#       --valid val.en val.de --train-minutes 60 --learning-rate 0.005 --warmup-steps 2000 --batch-tokens 8192 --save OUT
#
# PyTorch gets its best: length-sorted batches, fused AdamW, scaled-dot-product attention, logits without a second loss.
# Figures: tokens_per_s counts source and target tokens (end tokens among them) without padding, the median over steps.
# What is saved is the best checkpoint by validation loss, or the average of the last N if that is better (--average N).
import argparse
import copy
import math
import random
import sys
import time

import peer

SIZES = {  # hidden, feed-forward, heads, layers
    "tiny": (128, 256, 4, 4),
    "small": (256, 1024, 4, 3),
    "base": (512, 2048, 8, 6),
    "large": (1024, 4096, 16, 6),
}


def parse():
    p = argparse.ArgumentParser()
    p.add_argument("--source", required=True)
    p.add_argument("--target", required=True)
    p.add_argument("--tokenizer", required=True, metavar="DIR")
    p.add_argument("--size", choices=SIZES, default="tiny")
    p.add_argument("--dtype", choices=("f32", "bf16"), default="f32")
    p.add_argument("--threads", type=int, default=peer.all_threads())
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--batch-tokens", type=int, default=4096, help="on the longer side, padding counted")
    p.add_argument("--accumulate", type=int, default=1, help="batches per update")
    p.add_argument("--max-length", type=int, default=256, help="longer pairs are left out")
    p.add_argument("--dropout", type=float, default=0.1)
    p.add_argument("--attention-dropout", type=float, default=0.0)
    p.add_argument("--activation-dropout", type=float, default=0.0)
    p.add_argument("--label-smoothing", type=float, default=0.1)
    p.add_argument("--learning-rate", type=float, default=5e-4)
    p.add_argument("--schedule", choices=("inverse-square-root", "linear", "cosine"), default="inverse-square-root")
    p.add_argument("--warmup-steps", type=int, default=4000)
    p.add_argument("--weight-decay", type=float, default=0.0)
    p.add_argument("--clip-norm", type=float, default=1.0)
    p.add_argument("--init", choices=("xavier", "transformers"), default="xavier")
    p.add_argument("--steps", type=int, default=20, help="steps to measure")
    p.add_argument("--warmup-measure", type=int, default=3, metavar="N", help="steps before the measurement")
    p.add_argument("--train-minutes", type=float, help="train by the full recipe for this long")
    p.add_argument("--max-steps", type=int, help="train by the full recipe for this many updates")
    p.add_argument("--valid", nargs=2, metavar=("SOURCE", "TARGET"))
    p.add_argument("--valid-every", type=int, default=500, metavar="UPDATES")
    p.add_argument("--average", type=int, default=5, metavar="N")
    p.add_argument("--save", metavar="OUT")
    args = p.parse_args()
    args.full = args.train_minutes is not None or args.max_steps is not None
    if args.full and not args.valid:
        p.error("training by the full recipe needs --valid")
    if args.schedule != "inverse-square-root" and args.max_steps is None:
        p.error(f"--schedule {args.schedule} needs --max-steps, where it ends")
    return args


args = parse()

import torch
from torch.nn.functional import cross_entropy
from transformers import MarianConfig, MarianMTModel

torch.set_num_threads(args.threads)
torch.manual_seed(args.seed)


def make_model(text):
    hidden, ffn, heads, layers = SIZES[args.size]
    sides = {f"{side}_{key}": n for side in ("encoder", "decoder")
             for key, n in (("layers", layers), ("ffn_dim", ffn), ("attention_heads", heads))}
    model = MarianMTModel(MarianConfig(
        vocab_size=len(text.tokenizer), d_model=hidden, **sides, activation_function="relu", scale_embedding=True,
        dropout=args.dropout, attention_dropout=args.attention_dropout, activation_dropout=args.activation_dropout,
        max_position_embeddings=max(512, args.max_length + 1), eos_token_id=text.end, forced_eos_token_id=text.end,
        pad_token_id=text.padding, decoder_start_token_id=text.padding))
    if args.init == "xavier":
        for name, weight in model.named_parameters():
            if weight.dim() == 2 and "embed" not in name and "shared" not in name:
                torch.nn.init.xavier_uniform_(weight)
        torch.nn.init.normal_(model.model.shared.weight, std=hidden**-0.5)
    # Marian's decoder starts from a zero embedding, which CTranslate2 relies on: keep the padding row at zero.
    embedding = model.model.shared.weight
    with torch.no_grad():
        embedding[text.padding].zero_()
    row = torch.tensor([text.padding])
    embedding.register_hook(lambda gradient: gradient.index_fill(0, row, 0.0))
    return model


def load_pairs(text, source_path, target_path):
    sources, targets = (text.ids(peer.read_lines(path)) for path in (source_path, target_path))
    if len(sources) != len(targets):
        sys.exit(f"{source_path} has {len(sources)} lines, {target_path} has {len(targets)}")
    return [pair for pair in zip(sources, targets) if all(1 < len(side) <= args.max_length for side in pair)]


def make_batches(pairs, padding):
    """Neighbours in length together; padded inputs and labels, made once."""
    def padded(rows, fill):
        return torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=fill)

    def tensors(group):
        sources, labels = padded([s for s, _ in group], padding), padded([t for _, t in group], -100)
        inputs = torch.cat([torch.full((len(group), 1), padding), labels[:, :-1].masked_fill(labels[:, :-1] == -100, padding)], 1)
        return dict(source=sources, mask=(sources != padding).long(), inputs=inputs, labels=labels,
                    targets=sum(len(t) for _, t in group), tokens=sum(len(s) + len(t) for s, t in group))

    batches, group, longest = [], [], 0
    for pair in sorted(pairs, key=lambda pair: (len(pair[0]), len(pair[1]))):
        longest = max(longest, *map(len, pair))
        if group and longest * (len(group) + 1) > args.batch_tokens:
            batches.append(tensors(group))
            group, longest = [], max(map(len, pair))
        group.append(pair)
    return batches + [tensors(group)]


def loss_sum(model, batch, smoothing):
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.dtype == "bf16"):
        logits = model(input_ids=batch["source"], attention_mask=batch["mask"], decoder_input_ids=batch["inputs"],
                       use_cache=False).logits
    return cross_entropy(logits.float().flatten(0, 1), batch["labels"].flatten(), label_smoothing=smoothing,
                         ignore_index=-100, reduction="sum")


def make_optimizer(model):
    weights = [p for p in model.parameters() if p.requires_grad]
    groups = [dict(params=[p for p in weights if p.dim() >= 2], weight_decay=args.weight_decay),
              dict(params=[p for p in weights if p.dim() < 2], weight_decay=0.0)]
    return torch.optim.AdamW(groups, lr=args.learning_rate, betas=(0.9, 0.98), eps=1e-9, fused=True)


def learning_rate(update):
    """Updates count from 1; a linear rise, then the schedule."""
    if update <= args.warmup_steps:
        return args.learning_rate * update / max(1, args.warmup_steps)
    if args.schedule == "inverse-square-root":
        return args.learning_rate * math.sqrt(max(1, args.warmup_steps) / update)
    done = min(1.0, (update - args.warmup_steps) / max(1, args.max_steps - args.warmup_steps))
    return args.learning_rate * (1 - done if args.schedule == "linear" else (1 + math.cos(math.pi * done)) / 2)


def update_weights(model, optimizer, update, batches):
    """One update from a few batches, each weighing by its target tokens; returns the mean loss."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(update)
    optimizer.zero_grad()
    count, total = sum(batch["targets"] for batch in batches), 0.0
    for batch in batches:
        loss = loss_sum(model, batch, args.label_smoothing) / count
        loss.backward()
        total += loss.item()
    torch.nn.utils.clip_grad_norm_(model.parameters(), args.clip_norm)
    optimizer.step()
    return total


def endless(batches):
    """Lists of batches for one update each, in a new order every epoch."""
    order = random.Random(args.seed)
    while True:
        shuffled = order.sample(batches, len(batches))
        for i in range(0, len(shuffled), args.accumulate):
            yield shuffled[i : i + args.accumulate]


def measure(model, batches):
    optimizer, rates = make_optimizer(model), []
    for update, group in zip(range(1, args.warmup_measure + args.steps + 1), endless(batches)):
        start = time.perf_counter()
        update_weights(model, optimizer, update, group)
        rates.append(sum(batch["tokens"] for batch in group) / (time.perf_counter() - start))
    return dict(tokens_per_s=peer.median(rates[args.warmup_measure :]), steps=args.steps)


@torch.no_grad()
def validate(model, batches):
    model.eval()
    loss = sum(loss_sum(model, batch, 0.0).item() for batch in batches) / sum(batch["targets"] for batch in batches)
    model.train()
    return loss


def mean_of(snapshots):
    return {name: sum(s[name] for s in snapshots) / len(snapshots) for name in snapshots[0]}


def train(model, batches, valid):
    def snapshot():
        return {name: tensor.clone() for name, tensor in model.state_dict().items()}

    optimizer, start = make_optimizer(model), time.perf_counter()
    last, best, best_loss, rates, seen, mark = [], None, float("inf"), [], 0, start
    for update, group in enumerate(endless(batches), 1):
        loss = update_weights(model, optimizer, update, group)
        seen += sum(batch["tokens"] for batch in group)
        minutes = (time.perf_counter() - start) / 60
        over = args.max_steps is not None and update >= args.max_steps or args.train_minutes is not None and minutes >= args.train_minutes
        if over or update % args.valid_every == 0:
            rates.append(seen / (time.perf_counter() - mark))
            valid_loss = validate(model, valid)
            last = [*last, snapshot()][-args.average :] if args.average > 0 else []
            if valid_loss < best_loss:
                best_loss, best = valid_loss, snapshot()
            print(f"update {update}  {minutes:.1f} min  loss {loss:.3f}  valid {valid_loss:.4f}  {rates[-1]:.0f} tokens/s",
                  file=sys.stderr, flush=True)
            seen, mark = 0, time.perf_counter()
        if over:
            break
    figures = dict(updates=update, minutes=round(minutes, 2), tokens_per_s=peer.median(rates), valid_loss=round(best_loss, 4), averaged=False)
    if len(last) > 1:
        model.load_state_dict(mean_of(last))
        averaged_loss = validate(model, valid)
        figures["valid_loss_averaged"] = round(averaged_loss, 4)
        if averaged_loss < best_loss:
            return figures | dict(averaged=True)
    model.load_state_dict(best)
    return figures


def save(model, text):
    model.generation_config.bad_words_ids = [[text.padding]]
    model.generation_config.forced_eos_token_id = None
    model.generation_config.max_length = args.max_length
    model.save_pretrained(args.save)
    text.tokenizer.save_pretrained(args.save)


def main():
    text = peer.Text(args.tokenizer)
    model = make_model(text).train()
    batches = make_batches(load_pairs(text, args.source, args.target), text.padding)
    if args.full:
        figures = train(model, batches, make_batches(load_pairs(text, *args.valid), text.padding))
    else:
        figures = measure(model, batches)
    if args.save:
        save(model, text)
    peer.report(peer="transformers", task="train-translation", **figures, size=args.size, dtype=args.dtype, threads=args.threads,
                batch_tokens=args.batch_tokens * args.accumulate, dropout=args.dropout, seed=args.seed,
                parameters=sum(p.numel() for p in model.parameters() if p.requires_grad))


main()
