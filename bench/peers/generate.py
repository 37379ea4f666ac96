# Generates with transformers, CTranslate2 or llama.cpp from a GPT-2 checkpoint: tokens a second of one sequence and of many, and the
# time of a long prompt.
#
#   python3 generate.py --engine transformers --model DIR --dtype f32 --new 64
#   python3 generate.py --engine ctranslate2 --model DIR --dtype int8 --sequences 32 --new 32
#   python3 generate.py --engine llama.cpp --model DIR --dtype bf16      by llama-cpp-python, from the file that make_gguf.py makes
#   python3 generate.py --make DIR      a checkpoint of GPT-2's size with random weights, whose tokens are t0, t1, ... where DIR has no
#                                       tokenizer
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
p.add_argument("--engine", choices=("transformers", "ctranslate2", "llama.cpp"), default="transformers")
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


def make_tokenizer(directory, vocabulary):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordLevel({f"t{i}": i for i in range(vocabulary)}, unk_token="t0"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    end = f"t{vocabulary - 1}"  # converters want all of these to be there
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="t0", bos_token=end, eos_token=end).save_pretrained(directory)


def make():
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    if not os.path.exists(os.path.join(args.make, "tokenizer.json")):
        make_tokenizer(args.make, 50257)
    vocabulary = len(AutoTokenizer.from_pretrained(args.make))
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


def llama_engine():
    import llama_cpp

    path = args.model.rstrip("/") + f"-{args.dtype}.gguf"
    if not os.path.exists(path):
        subprocess.run([sys.executable, os.path.join(os.path.dirname(__file__), "make_gguf.py"), args.model, path, args.dtype], check=True)
    if args.sequences > 1:
        sys.exit("llama.cpp is measured with one sequence")
    model = llama_cpp.Llama(path, n_ctx=1024, n_batch=512, n_threads=args.threads, n_threads_batch=args.threads, verbose=False)
    prompt = torch.randint(1, 40000, (args.prompt,)).tolist()

    def run(new):
        model.reset()
        generated = model.generate(prompt, temp=0.0, repeat_penalty=1.0)
        for _ in range(new):
            next(generated)

    return run


if args.make:
    make()
    sys.exit()
run = {"transformers": transformers_engine, "ctranslate2": ctranslate2_engine, "llama.cpp": llama_engine}[args.engine]()
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
