# Pre-trains transformers' BertForPreTraining (masked words and next sentence) on sequences of mixed length: tokens a second that are no
# padding.
#
#   python3 pretrain_bert.py --layers 4 --hidden 256 --heads 4 --dtype f32 --steps 10
#
# Ids are random, lengths evenly from 16 to --context: the time does not depend on what the text says.
import argparse
import random
import time

import peer

p = argparse.ArgumentParser()
p.add_argument("--layers", type=int, default=4)
p.add_argument("--hidden", type=int, default=256)
p.add_argument("--heads", type=int, default=4)
p.add_argument("--vocab-size", type=int, default=30522)
p.add_argument("--context", type=int, default=128)
p.add_argument("--batch", type=int, default=32, help="sequences")
p.add_argument("--dtype", choices=("f32", "bf16"), default="f32")
p.add_argument("--steps", type=int, default=10)
p.add_argument("--warmup-measure", type=int, default=2, metavar="N")
p.add_argument("--threads", type=int, default=peer.all_threads())
args = p.parse_args()

import torch
from transformers import BertConfig, BertForPreTraining

torch.set_num_threads(args.threads)
torch.manual_seed(1)
random.seed(1)
model = BertForPreTraining(BertConfig(vocab_size=args.vocab_size, hidden_size=args.hidden, num_hidden_layers=args.layers, num_attention_heads=args.heads,
                                      intermediate_size=4 * args.hidden, max_position_embeddings=512)).train()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)


def make_batch():
    lengths = [random.randint(16, args.context) for _ in range(args.batch)]
    ids = torch.zeros(args.batch, max(lengths), dtype=torch.long)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
    for row, length in enumerate(lengths):
        ids[row, :length] = torch.randint(1000, args.vocab_size, (length,))
        mask[row, :length] = 1
        chosen = torch.randperm(length)[: max(1, length * 15 // 100)]
        labels[row, chosen] = ids[row, chosen]
        ids[row, chosen] = 103
    return dict(input_ids=ids, attention_mask=mask, labels=labels, next_sentence_label=torch.randint(0, 2, (args.batch,))), sum(lengths)


rates = []
for _ in range(args.warmup_measure + args.steps):
    batch, tokens = make_batch()
    start = time.perf_counter()
    optimizer.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.dtype == "bf16"):
        loss = model(**batch).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    rates.append(tokens / (time.perf_counter() - start))
peer.report(peer="transformers", task="pretrain-bert", tokens_per_s=peer.median(rates[args.warmup_measure :]), dtype=args.dtype, threads=args.threads,
            parameters=sum(w.numel() for w in model.parameters()))
