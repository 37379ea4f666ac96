# Measures qkv beside its peers, in turns within one run, and appends the figures to results.csv.
#
#   python3 bench/measure.py --qkv build/cli/qkv --data DIR train-tiny train-base
#   python3 bench/measure.py --qkv build/cli/qkv --data DIR --model OUT translate-greedy translate-beam
#   python3 bench/measure.py --qkv build/cli/qkv --data DIR --model OUT tokenize start
#
# DIR holds Multi30k (train.en.txt, train.de.txt, val..., test_2016_flickr...); OUT is a model that qkv trained, and beside it
# OUT-ctranslate2 what bench/peers/convert_ctranslate2.sh made of it. Each figure is measured in pairs, qkv then peer, and what
# counts is the median of the pairs' ratios: the machine's speed may drift, a pair sees the same machine.
import argparse
import csv
import datetime
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
COLUMNS = ["date", "commit", "processor", "figure", "unit", "qkv", "peer", "peer_value", "ratio_median", "ratio_min", "ratio_max", "pairs", "bar", "aim", "notes"]

parser = argparse.ArgumentParser()
parser.add_argument("--qkv", required=True)
parser.add_argument("--data", required=True)
parser.add_argument("--model", help="a model directory, for translate, tokenize and start")
parser.add_argument("--tokenizer", help="a tokenizer for train (default: one is learnt)")
parser.add_argument("--pairs", type=int, default=3)
parser.add_argument("--steps", type=int, help="updates in a training measurement")
parser.add_argument("--cpu", help="limit both sides: avx2")
parser.add_argument("figures", nargs="+")
args = parser.parse_args()

data = lambda name: os.path.join(args.data, name)
environment = dict(os.environ)
if args.cpu == "avx2":
    environment |= {"QKV_CPU": "avx2", "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}


def run(command, **options):
    """Seconds, standard output and standard error of a command."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, **options)
    out, err = process.communicate()
    seconds = time.perf_counter() - start
    if process.returncode not in (0, 3):
        sys.exit(f"{' '.join(command)} failed:\n{err[-2000:]}")
    return seconds, out, err


def peer(script, *options):
    return json.loads(run([sys.executable, os.path.join(HERE, "peers", script), *map(str, options)])[1].strip().splitlines()[-1])


def learnt_tokenizer(folder):
    if args.tokenizer:
        return args.tokenizer
    out = os.path.join(folder, "first")
    run([args.qkv, "train", out, "--task", "translation", "--train", data("train.en.txt"), data("train.de.txt"), "--valid", data("val.en.txt"),
         data("val.de.txt"), "--size", "tiny", "--vocab-size", "10000", "--max-steps", "1", "--metric", "loss", "--average", "0"])
    return out


def qkv_training(folder, size, dtype, steps, tokenizer):
    """Source and target tokens per second: the median over updates, the first three left out."""
    out = os.path.join(folder, "out")
    shutil.rmtree(out, ignore_errors=True)
    command = [args.qkv, "train", out, "--task", "translation", "--train", data("train.en.txt"), data("train.de.txt"), "--valid",
               data("val.en.txt"), data("val.de.txt"), "--size", size, "--tokenizer", tokenizer, "--batch-tokens", "4096", "--dropout", "0.1",
               "--max-steps", str(steps), "--valid-every", "100000", "--metric", "loss", "--average", "0", "--dtype", dtype]
    run(command)
    with open(os.path.join(out, "log.jsonl")) as file:
        updates = [u for u in map(json.loads, file) if "tokens" in u and "step" in u]
    pairs = list(zip(updates, updates[1:]))[3:]
    return statistics.median(b["tokens"] / (b["seconds"] - a["seconds"]) for a, b in pairs)


def training(size, dtype, bar, aim, steps):
    def measure(folder):
        tokenizer = learnt_tokenizer(folder)
        for _ in range(args.pairs):
            mine = qkv_training(folder, size, dtype, steps + 4, tokenizer)
            theirs = peer("train_translation.py", "--source", data("train.en.txt"), "--target", data("train.de.txt"), "--tokenizer", tokenizer,
                          "--size", size, "--batch-tokens", 4096, "--dropout", 0.1, "--steps", steps, "--dtype", "f32")
            yield mine, theirs["tokens_per_s"]
    return dict(name=f"training, {size}, {dtype}, 4,096 tokens", unit="source+target tokens/s", peer="PyTorch f32", bar=bar, aim=aim, measure=measure)


def translating(beam, bar, aim, kind):
    source = data("test_2016_flickr.en.txt")

    def measure(folder):
        for _ in range(args.pairs):
            hypotheses = os.path.join(folder, "hyp")
            seconds, _, _ = run([args.qkv, "translate", args.model, source, "--beam", str(beam), "-o", hypotheses])
            tokens = run([args.qkv, "tokenize", args.model, hypotheses, "--ids"])[1]
            count = sum(len(line.split()) - 1 for line in tokens.splitlines())  # without the end token
            options = ["--engine", "ctranslate2", "--model", args.model, "--input", source, "--beam", beam, "--compute-type", kind]
            best = max((peer("translate.py", *options, "--batch-size", size, "--threads", threads)["tokens_per_s"]
                        for size, threads in ((32, "2,1"), (64, "2,1"), (64, "1,2"))))
            yield count / seconds, best
    name = "greedy" if beam == 1 else f"beam {beam}"
    return dict(name=f"translation, {name}, f32", unit="target tokens/s", peer=f"CTranslate2 {kind}", bar=bar, aim=aim, measure=measure,
                notes="qkv: the whole process, text to text; CTranslate2: ids to ids, loading left out, the best of three batch sizes and thread layouts")


def tokenizing():
    def measure(folder):
        text = os.path.join(folder, "text")
        with open(text, "wb") as file:
            for _ in range(8):
                for name in ("train.en.txt", "train.de.txt"):
                    file.write(open(data(name), "rb").read())
        size = os.path.getsize(text) / 1e6
        for _ in range(args.pairs):
            seconds, _, _ = run([args.qkv, "tokenize", args.model, text, "--ids", "-o", os.path.join(folder, "ids")])
            yield size / seconds, peer("tokenize_speed.py", "--tokenizer", args.model, "--input", text)["fast_bytes_per_s"] / 1e6
    return dict(name="tokenization, byte-level BPE, one thread", unit="MB/s", peer="Hugging Face tokenizers", bar=1, aim="", measure=measure,
                notes="qkv: the whole process, file to file; tokenizers: encode_batch_fast alone")


def starting():
    def measure(folder):
        line = os.path.join(folder, "line")
        with open(line, "w") as file:
            file.write("A man rides a bike.\n")
        for _ in range(args.pairs * 5):
            yield min(run([args.qkv, "translate", args.model, line])[0] for _ in range(3)) * 1000, 50.0
    return dict(name="the first sentence, from the process's start", unit="ms", peer="bound", bar="below 50", aim="", measure=measure)


FIGURES = {
    "train-tiny": lambda: training("tiny", "f32", 1.5, "", args.steps or 12),
    "train-base": lambda: training("base", "f32", 1.2, "", args.steps or 3),
    "train-tiny-bf16": lambda: training("tiny", "bf16", 3, 5, args.steps or 12),
    "train-base-bf16": lambda: training("base", "bf16", 3, 5, args.steps or 3),
    "translate-greedy": lambda: translating(1, 1.0, 1.25, "float32"),
    "translate-beam": lambda: translating(5, 1.0, 1.25, "float32"),
    "tokenize": tokenizing,
    "start": starting,
}


def processor():
    with open("/proc/cpuinfo") as file:
        return next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "unknown") + f", {os.cpu_count()} cores"


def commit():
    return run(["git", "-C", HERE, "rev-parse", "--short", "HEAD"])[1].strip()


def append(row):
    path = os.path.join(HERE, "results.csv")
    new = not os.path.exists(path)
    with open(path, "a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if new:
            writer.writeheader()
        writer.writerow(row)


for name in args.figures:
    if name not in FIGURES:
        sys.exit(f"{name}: no such figure; there are {', '.join(FIGURES)}")
    figure = FIGURES[name]()
    with tempfile.TemporaryDirectory() as folder:
        pairs = list(figure["measure"](folder))
    ratios = [mine / theirs for mine, theirs in pairs]
    row = dict(date=datetime.date.today().isoformat(), commit=commit(), processor=processor() + (f", limited to {args.cpu}" if args.cpu else ""),
               figure=figure["name"], unit=figure["unit"], qkv=round(statistics.median(m for m, _ in pairs), 1), peer=figure["peer"],
               peer_value=round(statistics.median(t for _, t in pairs), 1), ratio_median=round(statistics.median(ratios), 2),
               ratio_min=round(min(ratios), 2), ratio_max=round(max(ratios), 2), pairs=len(pairs), bar=figure["bar"], aim=figure["aim"],
               notes=figure.get("notes", ""))
    append(row)
    print(json.dumps(row))
