# Fine-tunes a checkpoint with transformers' own classes and a plain loop, and saves it; `qkv eval` scores it.
#
#   python3 finetune.py --task tag --model MINILM --train train.tsv --out OUT --epochs 3 --learning-rate 1e-4 --batch-size 32
#
# The recipe is that of `qkv train --from`: AdamW (0.9, 0.999, epsilon 1e-6) without decay of biases and norms, the rate rising for a
# tenth of the updates and then falling to 0, clipping at 1, the checkpoint's dropout, samples in random order. Files are read in
# the forms that qkv reads: TSV with the columns label and text, words with their tag last, SQuAD's JSON, choices as JSON lines.
import argparse
import json
import math
import random
import time

import peer

p = argparse.ArgumentParser()
p.add_argument("--task", choices=("classify", "tag", "span", "choice"), required=True)
p.add_argument("--model", required=True)
p.add_argument("--train", required=True)
p.add_argument("--out", required=True)
p.add_argument("--epochs", type=int, default=3)
p.add_argument("--batch-size", type=int, default=32)
p.add_argument("--learning-rate", type=float, default=5e-5)
p.add_argument("--weight-decay", type=float, default=0.01)
p.add_argument("--max-length", type=int, default=384)
p.add_argument("--dtype", choices=("f32", "bf16"), default="f32")
p.add_argument("--seed", type=int, default=1)
p.add_argument("--threads", type=int, default=peer.all_threads())
args = p.parse_args()

import torch
import transformers

torch.set_num_threads(args.threads)
torch.manual_seed(args.seed)
random.seed(args.seed)
tokenizer = transformers.AutoTokenizer.from_pretrained(args.model)


def encode(*texts, **options):
    return tokenizer(*texts, truncation=options.pop("truncation", True), max_length=args.max_length, **options)


def read_classify():
    rows = [line.split("\t") for line in peer.read_lines(args.train)]
    label, text = rows[0].index("label"), 1 - rows[0].index("label")
    names = sorted({row[label] for row in rows[1:]})
    return [[dict(encode(row[text])) | dict(labels=names.index(row[label]))] for row in rows[1:]], names


def read_tag():
    sentences, words = [], []
    for line in peer.read_lines(args.train) + [""]:
        if line.strip():
            words.append(line.split())
        elif words:
            sentences.append(words)
            words = []
    names = sorted({word[-1] for words in sentences for word in words})
    samples = []
    for words in sentences:
        encoded = encode([word[0] for word in words], is_split_into_words=True)
        places = encoded.word_ids()
        labels = [names.index(words[now][-1]) if now is not None and now != before else -100 for before, now in zip([None] + places, places)]
        samples.append([dict(encoded) | dict(labels=labels)])
    return samples, names


def read_span():
    samples = []
    for article in json.load(open(args.train, encoding="utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                answer = question["answers"][0]
                first, last = answer["answer_start"], answer["answer_start"] + len(answer["text"])
                windows = encode(question["question"], paragraph["context"], truncation="only_second", stride=128,
                                 return_overflowing_tokens=True, return_offsets_mapping=True)
                for i, offsets in enumerate(windows["offset_mapping"]):
                    inside = [(k, a, b) for k, ((a, b), side) in enumerate(zip(offsets, windows.sequence_ids(i))) if side == 1]
                    start = next((k for k, a, b in inside if a <= first < b), 0)
                    end = next((k for k, a, b in inside if a < last <= b), 0)
                    if not start or not end:
                        start = end = 0
                    kept = {name: windows[name][i] for name in ("input_ids", "token_type_ids", "attention_mask")}
                    samples.append([kept | dict(start_positions=start, end_positions=end)])
    return samples, None


def read_choice():
    samples = []
    for line in peer.read_lines(args.train):
        row = json.loads(line)
        samples.append([dict(encode(row["question"], choice)) for choice in row["choices"]])
        samples[-1][0]["labels"] = row["label"]
    return samples, None


def pad(rows, value):
    longest = max(map(len, rows))
    return torch.tensor([row + [value] * (longest - len(row)) for row in rows])


def make_batch(samples):
    """A sample is a list of sequences: the choices of a question, else one."""
    rows = [row for sample in samples for row in sample]
    batch = {name: pad([row[name] for row in rows], tokenizer.pad_token_id if name == "input_ids" else 0)
             for name in ("input_ids", "token_type_ids", "attention_mask")}
    if args.task == "choice":
        batch = {name: x.view(len(samples), -1, x.shape[1]) for name, x in batch.items()}
    for name in ("labels", "start_positions", "end_positions"):
        values = [sample[0][name] for sample in samples if name in sample[0]]
        if values:
            batch[name] = pad(values, -100) if args.task == "tag" else torch.tensor(values)
    return batch


samples, names = dict(classify=read_classify, tag=read_tag, span=read_span, choice=read_choice)[args.task]()
classes = dict(classify="SequenceClassification", tag="TokenClassification", span="QuestionAnswering", choice="MultipleChoice")
options = dict(id2label=dict(enumerate(names)), label2id={name: i for i, name in enumerate(names)}) if names else {}
model = getattr(transformers, "AutoModelFor" + classes[args.task]).from_pretrained(args.model, **options).train()
groups = [dict(params=[w for w in model.parameters() if w.dim() >= 2], weight_decay=args.weight_decay),
          dict(params=[w for w in model.parameters() if w.dim() < 2], weight_decay=0.0)]
optimizer = torch.optim.AdamW(groups, lr=args.learning_rate, eps=1e-6, fused=True)
total = args.epochs * math.ceil(len(samples) / args.batch_size)
schedule = transformers.get_linear_schedule_with_warmup(optimizer, total // 10, total)
begin = time.perf_counter()
for _ in range(args.epochs):
    random.shuffle(samples)
    for first in range(0, len(samples), args.batch_size):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.dtype == "bf16"):
            loss = model(**make_batch(samples[first : first + args.batch_size])).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
seconds = time.perf_counter() - begin
tokens = args.epochs * sum(len(row["input_ids"]) for sample in samples for row in sample)
model.save_pretrained(args.out)
tokenizer.save_pretrained(args.out)
peer.report(peer="transformers", task="finetune-" + args.task, updates=total, tokens_per_s=round(tokens / seconds, 1), seconds=round(seconds, 1),
            loss=round(loss.item(), 4), dtype=args.dtype, threads=args.threads, seed=args.seed)
