# Generates with transformers or CTranslate2 from a GPT-2 checkpoint: tokens a second of one sequence and of many, and the time of a
# long prompt.
#
#   python3 generate.py --engine transformers --model DIR --dtype f32 --new 64
#   python3 generate.py --engine ctranslate2 --model DIR --dtype int8 --sequences 32 --new 32
#   python3 generate.py --make DIR      a checkpoint of GPT-2's size with random weights, for the tokenizer in DIR if there is one
#
# Greedy, without the end token, so that all generate the same number of tokens. Prompts are random ids.
import argparse
import os
import subprocess
import sys
import time

import peer

p = argparse.ArgumentParser()
p.add_argument("--make", metavar="DIR")
p.add_argument("--engine", choices=("transformers", "ctranslate2"), default="transformers")
p.add_argument("--model", metavar="DIR")
p.add_argument("--dtype", choices=("f32", "bf16", "int8"), default="f32")
p.add_argument("--sequences", type=int, default=1)
p.add_argument("--prompt", type=int, default=8, help="tokens")
p.add_argument("--new", type=int, default=64)
p.add_argument("--repeat", type=int, default=3)
p.add_argument("--threads", type=int, default=peer.all_threads())
args = p.parse_args()

import torch

torch.manual_seed(1)


def make():
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    vocabulary = len(AutoTokenizer.from_pretrained(args.make)) if os.path.isdir(args.make) else 50257
    GPT2LMHeadModel(GPT2Config(vocab_size=vocabulary, bos_token_id=vocabulary - 1, eos_token_id=vocabulary - 1)).save_pretrained(args.make)


def transformers_engine():
    from transformers import GPT2LMHeadModel

    torch.set_num_threads(args.threads)
    model = GPT2LMHeadModel.from_pretrained(args.model, dtype=torch.bfloat16 if args.dtype == "bf16" else torch.float32).eval()
    prompts = torch.randint(1, 40000, (args.sequences, args.prompt))

    def run(new):
        with torch.inference_mode():
            model.generate(input_ids=prompts, attention_mask=torch.ones_like(prompts), do_sample=False, max_new_tokens=new, min_new_tokens=new, pad_token_id=0)

    return run


def ctranslate2_engine():
    import ctranslate2

    converted = args.model.rstrip("/") + "-ctranslate2"
    if not os.path.isdir(converted):
        subprocess.run([os.path.join(os.path.dirname(sys.executable), "ct2-transformers-converter"), "--model", args.model, "--output_dir", converted], check=True)
    generator = ctranslate2.Generator(converted, compute_type={"f32": "float32", "bf16": "bfloat16", "int8": "int8"}[args.dtype], intra_threads=args.threads)
    prompts = [[f"t{i}" for i in row] for row in torch.randint(1, 40000, (args.sequences, args.prompt)).tolist()]

    def run(new):
        generator.generate_batch(prompts, max_length=new, min_length=new, include_prompt_in_result=False)

    return run


if args.make:
    make()
    sys.exit()
run = {"transformers": transformers_engine, "ctranslate2": ctranslate2_engine}[args.engine]()
run(2)
rates, first = [], []
for _ in range(args.repeat):
    start = time.perf_counter()
    run(1)
    first.append(time.perf_counter() - start)
    start = time.perf_counter()
    run(args.new)
    rates.append(args.sequences * (args.new - 1) / (time.perf_counter() - start - first[-1]))
peer.report(peer=args.engine, task="generate", tokens_per_s=peer.median(rates), prompt_seconds=round(sorted(first)[len(first) // 2], 4), dtype=args.dtype,
            sequences=args.sequences, prompt=args.prompt, new=args.new, threads=args.threads)
