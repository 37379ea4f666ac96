# Measures qkv beside its peers, in turns within one run, and appends the figures to results.csv.
#
#   python3 bench/measure.py --qkv build/cli/qkv --data DIR train-tiny train-base
#   python3 bench/measure.py --qkv build/cli/qkv --data DIR --model OUT translate-greedy translate-beam
#   python3 bench/measure.py --qkv build/cli/qkv --data DIR --model OUT tokenize start
#   python3 bench/measure.py --qkv build/cli/qkv --data DIR --model MINILM embed-bf16
#   python3 bench/measure.py --qkv build/cli/qkv --text TEXT lm-char-small lm-char-loss lm-char-loss-3
#   python3 bench/measure.py --qkv build/cli/qkv --text WIKITEXT2 lm-wikitext lm-wikitext-time
#   python3 bench/measure.py --qkv build/cli/qkv --text TEXT --model GPT2 generate-f32
#   python3 bench/measure.py --qkv build/cli/qkv --text BOOKS --model MINILM pretrain-small pretrain-base
#   python3 bench/measure.py --qkv build/cli/qkv --model GPT2 page-64-write page-64-size page-64-first page-512-size page-512-hover
#
# DIR holds Multi30k (train.en.txt, train.de.txt, val..., test_2016_flickr...); OUT is a model that qkv trained, and beside it
# OUT-ctranslate2 what bench/peers/convert_ctranslate2.sh made of it; TEXT and WIKITEXT2 hold train.txt and valid.txt, BOOKS
# train.sent.txt and valid.sent.txt with a sentence a line; MINILM is a checkpoint of sentence vectors, GPT2 one that
# peers/generate.py --make made. Each figure is measured in pairs, qkv then peer, and what
# counts is the median of the pairs' ratios: the machine's speed may drift, a pair sees the same machine.
import argparse
import csv
import datetime
import itertools
import json
import math
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import page_in_browser

HERE = os.path.dirname(os.path.abspath(__file__))
COLUMNS = ["date", "commit", "processor", "figure", "unit", "qkv", "peer", "peer_value", "ratio_median", "ratio_min", "ratio_max", "pairs", "bar", "aim", "notes"]

parser = argparse.ArgumentParser()
parser.add_argument("--qkv", required=True)
parser.add_argument("--data", default=".", help="a directory with Multi30k")
parser.add_argument("--text", default=".", help="a directory with train.txt and valid.txt, for lm and bert")
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


def peak_memory(command):
    """The largest resident memory of a command in MB, its mapped files and libraries in it."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed with {process.returncode}")
    return usage.ru_maxrss / 1024


def peer(script, *options):
    return json.loads(run([sys.executable, os.path.join(HERE, "peers", script), *map(str, options)])[1].strip().splitlines()[-1])


def learnt_tokenizer(folder):
    if args.tokenizer:
        return args.tokenizer
    out = os.path.join(folder, "first")
    run([args.qkv, "train", out, "--task", "translation", "--train", data("train.en.txt"), data("train.de.txt"), "--valid", data("val.en.txt"),
         data("val.de.txt"), "--size", "tiny", "--vocab-size", "10000", "--max-steps", "1", "--metric", "loss", "--average", "0"])
    return out


def log_of_training(folder, *options):
    """What qkv writes into log.jsonl in a training that is validated at its end only."""
    out = os.path.join(folder, "out")
    shutil.rmtree(out, ignore_errors=True)
    run([args.qkv, "train", out, *map(str, options), "--valid-every", "1000000", "--average", "0"])
    with open(os.path.join(out, "log.jsonl")) as file:
        return list(map(json.loads, file))


def qkv_rate(folder, *options):
    """Tokens per second of a training: the median over updates, the first three left out."""
    updates = [line for line in log_of_training(folder, *options) if "tokens" in line and "step" in line]
    pairs = list(zip(updates, updates[1:]))[3:]
    return statistics.median(b["tokens"] / (b["seconds"] - a["seconds"]) for a, b in pairs)


class Better:
    """A peer in f32 and in bf16: both the first time, then the better one."""

    def __init__(self, script, figure, *options):
        self.script, self.figure, self.options, self.dtypes = script, figure, options, ("f32", "bf16")

    def measure(self):
        rates = {dtype: peer(self.script, *self.options, "--dtype", dtype)[self.figure] for dtype in self.dtypes}
        self.dtypes = (max(rates, key=rates.get),)
        return rates[self.dtypes[0]]


def training_options(size, tokenizer, steps, dtype):
    """Of qkv and of its peer, for the same training of a translator."""
    shared = ["--size", size, "--tokenizer", tokenizer, "--batch-tokens", 4096, "--dropout", 0.1]
    ours = ["--task", "translation", "--train", data("train.en.txt"), data("train.de.txt"), "--valid", data("val.en.txt"), data("val.de.txt"), *shared,
            "--max-steps", steps + 4, "--metric", "loss", "--dtype", dtype]
    return ours, ["--source", data("train.en.txt"), "--target", data("train.de.txt"), *shared, "--steps", steps]


def training(size, dtype, bar, aim, steps):
    def measure(folder):
        ours, theirs = training_options(size, learnt_tokenizer(folder), steps, dtype)
        better = Better("train_translation.py", "tokens_per_s", *theirs)
        for _ in range(args.pairs):
            yield qkv_rate(folder, *ours), better.measure()
    return dict(name=f"training, {size}, {dtype}, 4,096 tokens", unit="source+target tokens/s", peer="PyTorch, better of f32 and bf16", bar=bar, aim=aim, measure=measure)


def training_memory(size, dtype, bar, aim, steps):
    """Batches are drawn at random, so a few updates see nearly, not always, the largest."""
    def measure(folder):
        out = os.path.join(folder, "memory")
        ours, theirs = training_options(size, learnt_tokenizer(folder), steps, dtype)
        for _ in range(args.pairs):
            shutil.rmtree(out, ignore_errors=True)
            mine = peak_memory([args.qkv, "train", out, *map(str, ours), "--valid-every", "100000", "--average", "0"])
            yield mine, min(peer("train_translation.py", *theirs, "--dtype", d)["peak_rss_mb"] for d in ("f32", "bf16"))
    return dict(name=f"peak memory of training, {size}, {dtype}, 4,096 tokens", unit="MB resident", peer="PyTorch, the smaller of f32 and bf16", bar=f"below {bar}",
                aim=f"below {aim}", measure=measure, notes=f"both whole processes with their libraries, {steps} updates")


def language_model(name, shape, bar, aim, steps):
    layers, heads, hidden, context, batch = shape

    def measure(folder):
        text, valid = (os.path.join(args.text, name) for name in ("train.txt", "valid.txt"))
        options = ["--layers", layers, "--heads", heads, "--hidden", hidden, "--context", context]
        theirs = Better("train_lm.py", "tokens_per_s", "--input", text, *options, "--batch", batch, "--steps", steps)
        for _ in range(args.pairs):
            mine = qkv_rate(folder, "--task", "lm", "--train", text, "--valid", valid, "--tokenizer-type", "char", *options, "--ffn", 4 * hidden,
                            "--batch-size", batch, "--batch-tokens", batch * context, "--dropout", 0, "--max-steps", steps + 4)
            yield mine, theirs.measure()
    return dict(name=f"training a language model of characters, {name}, bf16", unit="tokens/s", peer="PyTorch, better of f32 and bf16", bar=bar, aim=aim, measure=measure,
                notes=f"{layers} layers, {heads} heads, {hidden} wide, context {context}, {batch} blocks a batch")


def documents_of_some_lines(source, out, count):
    """One to four sentences a document, so that sequences have all lengths; the same ones every time."""
    draw = random.Random(1)
    with open(source, encoding="utf-8") as file, open(out, "w", encoding="utf-8") as to:
        lines = (line for line in file if line.strip())
        for _ in range(count):
            to.writelines([*itertools.islice(lines, draw.randint(1, 4)), "\n"])


def pretraining(name, shape, bar, aim, tokens, steps):
    layers, heads, hidden = shape

    def measure(folder):
        text, valid = os.path.join(folder, "docs.txt"), os.path.join(folder, "valid.txt")
        documents_of_some_lines(os.path.join(args.text, "train.sent.txt"), text, 4000)
        documents_of_some_lines(os.path.join(args.text, "valid.sent.txt"), valid, 20)
        options = ["--tokenizer", args.model, "--layers", layers, "--heads", heads, "--hidden", hidden, "--batch-tokens", tokens]
        theirs = Better("pretrain_bert.py", "tokens_per_s", "--input", text, *options, "--context", 128, "--steps", steps)
        for _ in range(args.pairs):
            mine = qkv_rate(folder, "--task", "mlm", "--train", text, "--valid", valid, *options, "--ffn", 4 * hidden, "--max-length", 128,
                            "--max-steps", steps + 4)
            yield mine, theirs.measure()
    return dict(name=f"pre-training BERT, {name}, bf16", unit="tokens/s", peer="PyTorch, better of f32 and bf16", bar=bar, aim=aim, measure=measure,
                notes=f"{layers} layers, {hidden} wide, vocabulary of BERT, masked words and next sentence, sequences of mixed length up to 128, {tokens} tokens a "
                "batch without padding; the peer's batches are padded to the longest sequence")


def learnt_pieces(folder, text, valid, count):
    out = os.path.join(folder, "pieces")
    run([args.qkv, "train", out, "--task", "lm", "--train", text, "--valid", valid, "--size", "blackboard", "--vocab-size", str(count), "--max-steps", "1"])
    return out


def learnt_loss(folder, *options):
    """The loss of qkv's model at the end of its training."""
    return [line["valid_loss"] for line in log_of_training(folder, *options) if "valid_loss" in line][-1]


def learning(name, shape, iterations, dtype, peer_dtype, vocabulary=None, same_time=False, bar="", notes="", rate=0.001):
    """The same small model with the same recipe to its end on both sides, a seed a pair; over windows that do not overlap. Without a
    peer_dtype the peer takes the faster one."""
    layers, heads, hidden, context, batch = shape

    def measure(folder):
        text, valid = (os.path.join(args.text, name) for name in ("train.txt", "valid.txt"))
        model = ["--layers", layers, "--heads", heads, "--hidden", hidden, "--context", context]
        pieces = ["--tokenizer", learnt_pieces(folder, text, valid, vocabulary)] if vocabulary else []
        recipe = ["--learning-rate", rate, "--warmup-steps", 100, "--weight-decay", 0.1, "--dropout", 0]
        own = ["--task", "lm", "--train", text, "--valid", valid, *model, *recipe, *(pieces or ["--tokenizer-type", "char"]), "--ffn", 4 * hidden,
               "--batch-size", batch, "--batch-tokens", batch * context, "--beta2", 0.99, "--min-learning-rate", rate / 10, "--dtype", dtype]
        peers = ["--input", text, *model, *recipe, *pieces, "--batch", batch]
        chosen = peer_dtype or max(("f32", "bf16"), key=lambda d: peer("train_lm.py", *peers, "--steps", 20, "--dtype", d)["tokens_per_s"])
        for seed in range(1, args.pairs + 1):
            theirs = peer("train_lm.py", *peers, "--valid", valid, "--iterations", iterations, "--dtype", chosen, "--seed", seed)
            length = ["--max-time", f"{theirs['seconds']}s"] if same_time else ["--max-steps", iterations]
            losses = learnt_loss(folder, *own, *length, "--seed", seed), theirs["valid_loss"]
            yield tuple(map(math.exp, losses)) if vocabulary else losses
    return dict(name=name, unit="perplexity, lower is better" if vocabulary else "validation loss, lower is better",
                peer="PyTorch " + (peer_dtype or "in the faster of f32 and bf16"), bar=bar, aim="", measure=measure, decimals=4, notes=f"{layers} layers, {heads} heads, {hidden} wide, context {context}, {batch} blocks a batch, "
                f"{iterations} updates, learning rate {rate}{notes}")


def embedding(dtype, engine, peer_dtype, bar, aim):
    source = data("train.en.txt")

    def measure(folder):
        sentences, first, count = os.path.join(folder, "sentences"), os.path.join(folder, "first"), 2758
        for path, lines in ((sentences, count), (first, 1)):
            with open(source) as file, open(path, "w") as out:
                out.writelines(line for line, _ in zip(file, range(lines)))
        options = ["--engine", engine, "--model", args.model, "--input", sentences]
        for _ in range(args.pairs):
            seconds, start = (run([args.qkv, "embed", args.model, path, "--dtype", dtype, "--format", "npy", "-o", os.path.join(folder, "vectors.npy")])[0]
                              for path in (sentences, first))
            theirs = [peer("embed.py", *options, "--dtype", d)["sentences_per_s"] for d in peer_dtype]
            yield (count - 1) / (seconds - start), max(theirs)
    return dict(name=f"sentence vectors, MiniLM, {dtype}", unit="sentences/s", peer=f"{engine} {' or '.join(peer_dtype)}", bar=bar, aim=aim, measure=measure,
                notes="loading left out on both sides; qkv: text to file; the peer: ids to vectors, tokenization left out")


def some_ids(count, seed=0):
    return " ".join(str(5 + (seed * 8209 + i * 37) % 40000) for i in range(count))


def generating(dtype, engine, peer_dtype, sequences, bar, aim):
    new, prompt = 64, 8

    def measure(folder):
        options = ["--engine", engine, "--model", args.model, "--dtype", peer_dtype, "--sequences", sequences, "--new", new, "--prompt", prompt]
        prompts = [word for s in range(sequences) for word in ("--ids", some_ids(prompt, s))]
        command = [args.qkv, "generate", args.model, *prompts, "--temperature", "0", "--ignore-end", "--dtype", dtype, "-o", os.path.join(folder, "text")]
        for _ in range(args.pairs):
            few, many = (statistics.median(run([*command, "--max-new", str(n)])[0] for _ in range(3)) for n in (2, new))
            yield sequences * (new - 2) / (many - few), peer("generate.py", *options)["tokens_per_s"]
    return dict(name=f"generation, GPT-2 of 124 million parameters, {dtype}, {sequences} at once", unit="tokens/s", peer=f"{engine} {peer_dtype}", bar=bar, aim=aim, measure=measure)


def reading_prompt(dtype, engine, peer_dtype, length, bar, aim):
    """From a prompt to its first new token: on both sides what grows with the prompt, the time less that of a prompt of one token."""
    def measure(folder):
        options = ["--engine", engine, "--model", args.model, "--dtype", peer_dtype, "--new", 2]
        command = [args.qkv, "generate", args.model, "--temperature", "0", "--ignore-end", "--max-new", "1", "--dtype", dtype, "-o", os.path.join(folder, "text")]
        for _ in range(args.pairs):
            one, many = (statistics.median(run([*command, "--ids", some_ids(n)])[0] for _ in range(3)) for n in (1, length))
            peer_one, peer_many = (peer("generate.py", *options, "--prompt", n)["prompt_seconds"] for n in (1, length))
            yield (many - one) * length / (length - 1), (peer_many - peer_one) * length / (length - 1)
    return dict(name=f"a prompt of {length} tokens, GPT-2 of 124 million parameters, {dtype}", unit="s, lower is better", peer=f"{engine} {peer_dtype}", bar=bar,
                aim=aim, measure=measure, decimals=4, notes="both less the time of a prompt of one token")


def translating(beam, dtype, bar, aim, kind):
    source = data("test_2016_flickr.en.txt")

    def measure(folder):
        line, hypotheses = os.path.join(folder, "line"), os.path.join(folder, "hyp")
        with open(line, "w") as file:
            file.write("A man rides a bike.\n")
        command = [args.qkv, "translate", args.model, "--beam", str(beam), "--dtype", dtype, "--max-length", "256", "-o", hypotheses]
        for _ in range(args.pairs):
            start = min(run([*command, line])[0] for _ in range(3))
            seconds = statistics.median(run([*command, source])[0] for _ in range(3)) - start
            tokens = run([args.qkv, "tokenize", args.model, hypotheses, "--ids"])[1]
            count = sum(len(line.split()) - 1 for line in tokens.splitlines())  # without the end token
            options = ["--engine", "ctranslate2", "--model", args.model, "--input", source, "--beam", beam, "--compute-type", kind]
            best = max((peer("translate.py", *options, "--batch-size", size, "--threads", threads)["tokens_per_s"]
                        for size, threads in ((32, "2,1"), (64, "2,1"), (64, "1,2"))))
            yield count / seconds, best
    name = "greedy" if beam == 1 else f"beam {beam}"
    return dict(name=f"translation, {name}, {dtype}", unit="target tokens/s", peer=f"CTranslate2 {kind}", bar=bar, aim=aim, measure=measure,
                notes="loading left out (of qkv's time the time for one line); qkv: text to text; CTranslate2: ids to ids, the best of three batch sizes and "
                      "thread layouts; at most 256 tokens")


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


WORDS = "the cat sat on a mat and then it saw that old dogs do not eat much fish when rain falls over quiet hills in early spring".split()


def text_of(tokens):
    """A text of exactly so many tokens."""
    text = " ".join(WORDS[i * i % len(WORDS)] for i in range(2 * tokens))
    count = lambda size: len(subprocess.run([args.qkv, "tokenize", args.model], input=text[:size].strip() + "\n", capture_output=True, text=True).stdout.split())
    size = 4 * tokens
    while (difference := tokens - count(size)) != 0:
        size += difference if abs(difference) > 1 else (1 if difference > 0 else -1)
    return text[:size].strip()


def page(tokens, what, unit, bound):
    """A page of `qkv inspect`, beside the bound that it has to keep."""
    def measure(folder):
        text, html, plain = text_of(tokens), os.path.join(folder, "page.html"), os.path.join(folder, "page.txt")
        write = lambda path: run([args.qkv, "inspect", args.model, text, "-o", path])[0]
        for _ in range(args.pairs if what != "size" else 1):
            whole = write(html)
            if what == "write":
                yield whole - write(plain), bound
            elif what == "size":
                yield os.path.getsize(html) / 1e6, bound
            else:
                first, stall = page_in_browser.look(html)
                yield first if what == "first" else stall, bound
    names = {"write": "written, after the pass", "size": "its size", "first": "its first picture in Chromium", "hover": "longest stall while hovering in Chromium"}
    return dict(name=f"page of a model of 124 million parameters, {tokens} tokens: {names[what]}", unit=unit, peer="bound", bar=f"below {bound:g}", aim="", measure=measure)


FIGURES = {
    "train-tiny": lambda: training("tiny", "f32", 1.3 if args.cpu else 1.5, "", args.steps or 12),
    "train-base": lambda: training("base", "f32", 1.2, "", args.steps or 3),
    "train-tiny-bf16": lambda: training("tiny", "bf16", 3, 5, args.steps or 12),
    "train-base-bf16": lambda: training("base", "bf16", 3, 5, args.steps or 3),
    "memory-tiny": lambda: training_memory("tiny", "bf16", 0.5, 0.4, args.steps or 30),
    "memory-base": lambda: training_memory("base", "bf16", 0.5, 0.4, args.steps or 5),
    "translate-greedy": lambda: translating(1, "f32", 1.0, 1.25, "float32"),
    "translate-beam": lambda: translating(5, "f32", 1.0, 1.25, "float32"),
    "translate-greedy-bf16": lambda: translating(1, "bf16", 1.5, 2.5, "int8"),
    "translate-beam-bf16": lambda: translating(5, "bf16", 1.5, 2.5, "int8"),
    "lm-char-small": lambda: language_model("small", (4, 4, 128, 64, 12), 4, "", args.steps or 40),
    "lm-char-large": lambda: language_model("large", (6, 6, 384, 256, 64), 3, 4, args.steps or 3),
    "pretrain-small": lambda: pretraining("small", (4, 4, 256), 10, "", 4096, args.steps or 10),
    "pretrain-base": lambda: pretraining("base", (12, 12, 768), 3, 5, 2048, args.steps or 3),
    "embed-f32": lambda: embedding("f32", "torch", ("f32",), 1.5, ""),
    "embed-bf16": lambda: embedding("bf16", "torch", ("f32", "bf16"), 3, 5),
    "embed-onnxruntime": lambda: embedding("bf16", "onnxruntime", ("f32",), 6, ""),
    "lm-char-loss": lambda: learning("a language model of characters, small, to the end, bf16", (4, 4, 128, 64, 12), args.steps or 2000, "bf16", "bf16",
                                     bar="qkv at most 1.88"),
    "lm-char-loss-3": lambda: learning("a language model of characters, small, to the end, bf16", (4, 4, 128, 64, 12), args.steps or 2000, "bf16", "bf16",
                                       bar="qkv at most 1.88", rate=0.003),
    "lm-wikitext": lambda: learning("WikiText-2, the same tokens, f32", (4, 4, 128, 128, 16), args.steps or 1000, "f32", "f32", 4000, bar="equal within noise",
                                    notes=", 4,000 pieces"),
    "lm-wikitext-time": lambda: learning("WikiText-2, the same time, bf16", (4, 4, 128, 128, 16), args.steps or 1000, "bf16", None, 4000, True, bar="below 1",
                                         notes=" of PyTorch, 4,000 pieces; qkv as long as PyTorch takes"),
    "generate-f32": lambda: generating("f32", "transformers", "f32", 1, 1.0, ""),
    "generate-f32-ctranslate2": lambda: generating("f32", "ctranslate2", "f32", 1, 1.0, ""),
    "generate-f32-llama": lambda: generating("f32", "llama.cpp", "f32", 1, 1.0, ""),
    "generate-bf16": lambda: generating("bf16", "transformers", "bf16", 1, 1.2, ""),
    "generate-bf16-llama": lambda: generating("bf16", "llama.cpp", "bf16", 1, 1.2, ""),
    "generate-many": lambda: generating("bf16", "transformers", "bf16", 32, 1.5, ""),
    "generate-many-int8": lambda: generating("bf16", "ctranslate2", "int8", 32, "", 1.5),
    "prompt-512": lambda: reading_prompt("bf16", "transformers", "bf16", 512, "at most 1", 0.5),
    "tokenize": tokenizing,
    "start": starting,
    "page-64-write": lambda: page(64, "write", "s", 1.0),
    "page-64-size": lambda: page(64, "size", "MB", 12.0),
    "page-64-first": lambda: page(64, "first", "ms", 1000.0),
    "page-512-size": lambda: page(512, "size", "MB", 60.0),
    "page-512-hover": lambda: page(512, "hover", "ms", 200.0),
}


def processor():
    with open("/proc/cpuinfo") as file:
        return next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "unknown") + f", {os.cpu_count()} cores"


def commit():
    return run(["git", "-C", HERE, "rev-parse", "--short", "HEAD"])[1].strip()


def shown(figure, values):
    middle = statistics.median(values)
    return float(f"{middle:.4g}") if figure["peer"] == "bound" else round(middle, figure.get("decimals", 1))


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
               figure=figure["name"], unit=figure["unit"], qkv=shown(figure, (m for m, _ in pairs)), peer=figure["peer"],
               peer_value=round(statistics.median(t for _, t in pairs), figure.get("decimals", 1)), ratio_median=round(statistics.median(ratios), 2),
               ratio_min=round(min(ratios), 2), ratio_max=round(max(ratios), 2), pairs=len(pairs), bar=figure["bar"], aim=figure["aim"],
               notes=figure.get("notes", ""))
    append(row)
    print(json.dumps(row))
