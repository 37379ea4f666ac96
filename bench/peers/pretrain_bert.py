# Pre-trains transformers' BertForPreTraining (masked words and next sentence) on text: tokens a second that are no padding.
#
#   python3 pretrain_bert.py --input docs.txt --tokenizer MINILM --layers 4 --hidden 256 --heads 4 --dtype bf16 --steps 10
#
# docs.txt has a sentence a line and a blank line between documents, of which each is a sequence here: the first half of its
# sentences and the second, or in every other one sentences from elsewhere, cut to --context tokens. A batch is padded to its
# longest sequence; 15 % of the tokens are to be predicted.
import argparse
import random
import time

import peer

p = argparse.ArgumentParser()
p.add_argument("--input", required=True)
p.add_argument("--tokenizer", required=True)
p.add_argument("--layers", type=int, default=4)
p.add_argument("--hidden", type=int, default=256)
p.add_argument("--heads", type=int, default=4)
p.add_argument("--context", type=int, default=128)
p.add_argument("--batch-tokens", type=int, default=4096, help="tokens without padding in a batch, about")
p.add_argument("--dtype", choices=("f32", "bf16"), default="f32")
p.add_argument("--steps", type=int, default=10)
p.add_argument("--warmup-measure", type=int, default=2, metavar="N")
p.add_argument("--threads", type=int, default=peer.all_threads())
args = p.parse_args()

import torch
from transformers import AutoTokenizer, BertConfig, BertForPreTraining

torch.set_num_threads(args.threads)
torch.manual_seed(1)
random.seed(1)
tokenizer = AutoTokenizer.from_pretrained(args.tokenizer)
model = BertForPreTraining(BertConfig(vocab_size=len(tokenizer), hidden_size=args.hidden, num_hidden_layers=args.layers, num_attention_heads=args.heads,
                                      intermediate_size=4 * args.hidden, max_position_embeddings=512)).train()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)


def read_documents(count):
    documents, document = [], []
    with open(args.input, encoding="utf-8") as file:
        for line in file:
            if line.strip():
                document.append(line.strip())
            elif document:
                documents.append(document)
                document = []
            if len(documents) == count:
                break
    return documents


def make_sequences(documents):
    sequences = []
    for i, document in enumerate(documents):
        middle = max(1, len(document) // 2)
        other = i % 2 == 1 or len(document) < 2
        there = random.choice(documents) if other else document
        second = there[len(there) // 2 :]
        encoded = tokenizer(" ".join(document[:middle]), " ".join(second), truncation="longest_first", max_length=args.context)
        sequences.append((encoded["input_ids"], encoded["token_type_ids"], int(other)))
    return sequences


def next_sequences(sequences):
    chosen, tokens = [], 0
    while tokens < args.batch_tokens:
        chosen.append(random.choice(sequences))
        tokens += len(chosen[-1][0])
    return chosen


def make_batch(chosen):
    longest = max(len(ids) for ids, _, _ in chosen)
    ids, types = torch.full((len(chosen), longest), tokenizer.pad_token_id), torch.zeros(len(chosen), longest, dtype=torch.long)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
    for row, (tokens, segments, _) in enumerate(chosen):
        ids[row, : len(tokens)], types[row, : len(tokens)] = torch.tensor(tokens), torch.tensor(segments)
        mask[row, : len(tokens)] = 1
        places = torch.randperm(len(tokens))[: max(1, len(tokens) * 15 // 100)]
        labels[row, places] = ids[row, places]
        ids[row, places] = tokenizer.mask_token_id
    return dict(input_ids=ids, token_type_ids=types, attention_mask=mask, labels=labels, next_sentence_label=torch.tensor([c[2] for c in chosen]))


sequences = make_sequences(read_documents(2000))
rates = []
for _ in range(args.warmup_measure + args.steps):
    chosen = next_sequences(sequences)
    batch = make_batch(chosen)
    start = time.perf_counter()
    optimizer.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.dtype == "bf16"):
        loss = model(**batch).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    rates.append(sum(len(ids) for ids, _, _ in chosen) / (time.perf_counter() - start))
peer.report(peer="transformers", task="pretrain-bert", tokens_per_s=peer.median(rates[args.warmup_measure :]), dtype=args.dtype, threads=args.threads,
            mean_length=round(sum(len(ids) for ids, _, _ in sequences) / len(sequences), 1), parameters=sum(w.numel() for w in model.parameters()))
