# Fine-tunes one checkpoint with qkv and with transformers by the same recipe, several seeds each, and appends the scores to
# results.csv. `qkv eval` scores both in f32: what transformers saves is a directory that qkv opens.
#
#   python3 bench/fine_tuning.py --qkv build/cli/qkv --model MINILM --data DATA tag span choice
#
# DATA holds conll2003/{train,testa}.tsv, squad/{train_sample_tok,dev-v1.1}.json and commonsenseqa/{train,dev}.jsonl. --train
# and --dev say how many sentences or questions are taken from the beginnings of these files, 0 all; by default a small part.
# Both sides validate at the end only; the last model counts.
import argparse
import csv
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "peers"))
import peer

p = argparse.ArgumentParser()
p.add_argument("--qkv", required=True)
p.add_argument("--model", required=True)
p.add_argument("--data", required=True)
p.add_argument("--train", type=int, help="so many examples to learn from")
p.add_argument("--dev", type=int, help="so many examples to score")
p.add_argument("--epochs", type=int, default=2)
p.add_argument("--learning-rate", type=float, default=2e-4)
p.add_argument("--batch-size", type=int, default=16)
p.add_argument("--seeds", type=int, default=3)
p.add_argument("--dtype", choices=("f32", "bf16"), default="f32", help="of the peer; qkv takes what it takes by itself")
p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
p.add_argument("tasks", nargs="+", choices=("tag", "span", "choice"))
args = p.parse_args()


def words(path, count):
    sentences = open(path, encoding="utf-8").read().strip("\n").split("\n\n")
    return "\n\n".join(sentences[:count]) + "\n"


def lines(path, count):
    return "".join(open(path, encoding="utf-8").readlines()[:count])


def questions(path, count):
    kept, left = [], count
    for article in json.load(open(path, encoding="utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            asked = paragraph["qas"][:left]
            left = left and left - len(asked)
            if asked:
                kept.append(paragraph | dict(qas=asked))
            if left == 0:
                return json.dumps(dict(data=[dict(paragraphs=kept)]))
    return json.dumps(dict(data=[dict(paragraphs=kept)]))


# Files, how a part of them is taken, the ending of its name, the score, how many examples are enough for a quick run.
TASKS = {
    "tag": ("CoNLL-2003", "conll2003/train.tsv", "conll2003/testa.tsv", words, "tsv", "f1", 2000, 800),
    "span": ("SQuAD", "squad/train_sample_tok.json", "squad/dev-v1.1.json", questions, "json", "f1", 600, 300),
    "choice": ("CommonsenseQA", "commonsenseqa/train.jsonl", "commonsenseqa/dev.jsonl", lines, "jsonl", "accuracy", 1000, 600),
}


def run(*command):
    process = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if process.returncode not in (0, 3):
        sys.exit(f"{' '.join(map(str, command))} failed:\n{process.stderr[-2000:]}")
    return process.stdout


def score(model, dev, name):
    return json.loads(run(args.qkv, "eval", model, dev, "--dtype", "f32", "--format", "json", "--threads", args.threads))["scores"][name]


def measure(task, folder):
    title, train_file, dev_file, part, ending, metric, few, few_dev = TASKS[task]
    few, few_dev = (few if args.train is None else args.train), (few_dev if args.dev is None else args.dev)
    files = {}
    for name, source, count in (("train", train_file, few), ("dev", dev_file, few_dev)):
        files[name] = os.path.join(folder, f"{name}.{ending}")
        with open(files[name], "w", encoding="utf-8") as file:
            file.write(part(os.path.join(args.data, source), count or None))
    recipe = ["--task", task, "--train", files["train"], "--epochs", args.epochs, "--learning-rate", args.learning_rate, "--batch-size", args.batch_size,
              "--max-length", 384, "--threads", args.threads]
    first = ["--pooling", "first"] if task == "choice" else []
    scores = {"qkv": [], "transformers": []}
    for seed in range(1, args.seeds + 1):
        out = os.path.join(folder, f"qkv{seed}")
        run(args.qkv, "train", out, *recipe, *first, "--from", args.model, "--valid", files["dev"], "--batch-tokens", 1 << 20, "--valid-every", 1 << 20,
            "--average", 0, "--seed", seed, "-q")
        scores["qkv"].append(score(out, files["dev"], metric))
        out = os.path.join(folder, f"peer{seed}")
        run(sys.executable, os.path.join(HERE, "peers", "finetune.py"), *recipe, "--model", args.model, "--out", out, "--dtype", args.dtype, "--seed", seed)
        scores["transformers"].append(score(out, files["dev"], metric))
        print(json.dumps(dict(task=task, seed=seed) | {side: values[-1] for side, values in scores.items()}), flush=True)
    append(title, metric, scores, few, few_dev)


def append(title, metric, scores, few, few_dev):
    mine, theirs = scores["qkv"], scores["transformers"]
    ratio = lambda a, b: round(a / b, 3) if b else ""
    text = lambda values: " ".join(f"{value:.2f}" for value in values)
    row = dict(
        date=datetime.date.today().isoformat(), commit=run("git", "-C", HERE, "rev-parse", "--short", "HEAD").strip(),
        processor=f"{peer.processor()}, {os.cpu_count()} cores", figure=f"fine-tuning MiniLM on {title}", unit=metric, qkv=round(statistics.mean(mine), 2),
        peer=f"transformers {args.dtype}", peer_value=round(statistics.mean(theirs), 2),
        ratio_median=ratio(statistics.mean(mine), statistics.mean(theirs)), ratio_min=ratio(min(mine), max(theirs)), ratio_max=ratio(max(mine), min(theirs)),
        pairs=len(mine), bar="the peer's mean less the spread of its seeds", aim="",
        notes=f"the first {few or 'of all'} examples for training, {few_dev or 'all'} for scoring; {args.epochs} epochs, batches of {args.batch_size}, learning "
        f"rate {args.learning_rate:g}; qkv {text(mine)}, transformers {text(theirs)}")
    path = os.path.join(HERE, "results.csv")
    with open(path, newline="") as file:
        columns = next(csv.reader(file))
    with open(path, "a", newline="") as file:
        csv.DictWriter(file, columns).writerow(row)
    print(json.dumps(row))


for task in args.tasks:
    with tempfile.TemporaryDirectory() as folder:
        measure(task, folder)
