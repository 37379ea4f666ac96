# Measures Hugging Face tokenizers on one thread: bytes of text per second, from lines to ids.
#
#   python3 tokenize_speed.py --tokenizer DIR --input FILE
#
# bytes_per_s is the median of encode_batch with its caches warm, first_bytes_per_s the first run; fast_bytes_per_s
# is encode_batch_fast, which computes no offsets. Files below 10 MB are repeated up to that size.
import argparse
import os
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

import tokenizers

import peer

p = argparse.ArgumentParser()
p.add_argument("--tokenizer", required=True, metavar="DIR")
p.add_argument("--input", required=True)
p.add_argument("--repeat", type=int, default=5)
p.add_argument("--megabytes", type=float, default=10)
args = p.parse_args()

tokenizer = tokenizers.Tokenizer.from_file(os.path.join(args.tokenizer, "tokenizer.json"))
lines = peer.read_lines(args.input)
once = sum(len(line.encode()) + 1 for line in lines)
lines *= max(1, round(args.megabytes * 1e6 / once))
size = sum(len(line.encode()) + 1 for line in lines)


def rate(encode):
    start = time.perf_counter()
    encode(lines, add_special_tokens=False)
    return size / (time.perf_counter() - start)


first = rate(tokenizer.encode_batch)
peer.report(peer="tokenizers", task="tokenize", first_bytes_per_s=round(first),
            bytes_per_s=peer.median(rate(tokenizer.encode_batch) for _ in range(args.repeat)),
            fast_bytes_per_s=peer.median(rate(tokenizer.encode_batch_fast) for _ in range(args.repeat)), bytes=size, threads=1)
