# Translates a file with transformers or CTranslate2: how fast, and with --reference how well.
#
#   python3 translate.py --engine transformers --model DIR --input test.en --output test.hyp --beam 5
#   python3 translate.py --engine ctranslate2 --model DIR --input test.en --beam 1 --compute-type int8 --threads 1,2
#
# For ctranslate2, --model is the Hugging Face directory and --converted what convert_ctranslate2.sh made of it.
# Figures: tokens_per_s counts target tokens without the end token, from ids to ids, the median over repeats after a
# warm-up of one batch; seconds is the same without the division; text_seconds is tokenizing and detokenizing.
import argparse
import sys
import time

import peer

TYPES = ("float32", "bfloat16", "int8")


def parse():
    p = argparse.ArgumentParser()
    p.add_argument("--engine", choices=("transformers", "ctranslate2"), required=True)
    p.add_argument("--model", required=True, metavar="DIR")
    p.add_argument("--converted", metavar="DIR", help="default: MODEL-ctranslate2")
    p.add_argument("--input", required=True)
    p.add_argument("--output")
    p.add_argument("--reference", help="prints BLEU against it")
    p.add_argument("--bleu-tokenize", default="13a", help="none for text that is tokenized already")
    p.add_argument("--beam", type=int, default=1)
    p.add_argument("--length-penalty", type=float, default=1.0)
    p.add_argument("--max-length", type=int, default=256, help="new tokens")
    p.add_argument("--batch-size", type=int, default=32, help="sentences")
    p.add_argument("--compute-type", choices=TYPES, default="float32")
    p.add_argument("--threads", default=f"1,{peer.all_threads()}", metavar="INTER,INTRA",
                   help="batches at the same time, threads in each")
    p.add_argument("--repeat", type=int, default=3)
    args = p.parse_args()
    args.converted = args.converted or args.model.rstrip("/") + "-ctranslate2"
    args.inter, args.intra = map(int, args.threads.split(","))
    if args.engine == "transformers" and (args.inter != 1 or args.compute_type == "int8"):
        p.error("transformers runs one batch at a time, in float32 or bfloat16")
    return args


def load_transformers(text):
    import torch
    from transformers import AutoModelForSeq2SeqLM

    torch.set_num_threads(args.intra)
    model = AutoModelForSeq2SeqLM.from_pretrained(args.model, dtype=getattr(torch, args.compute_type)).eval()

    def batch(rows):
        longest = max(map(len, rows))
        ids = torch.tensor([row + [text.padding] * (longest - len(row)) for row in rows])
        with torch.inference_mode():
            found = model.generate(input_ids=ids, attention_mask=(ids != text.padding).long(), num_beams=args.beam, do_sample=False,
                                   length_penalty=args.length_penalty, max_new_tokens=args.max_length, max_length=None)
        return [[i for i in row if i not in (text.end, text.padding)] for row in found.tolist()]

    def run(rows):
        order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))
        results = [None] * len(rows)
        for start in range(0, len(order), args.batch_size):
            chosen = order[start : start + args.batch_size]
            for i, found in zip(chosen, batch([rows[i] for i in chosen])):
                results[i] = found
        return results

    return run


def load_ctranslate2(text):
    import ctranslate2

    if args.compute_type not in ctranslate2.get_supported_compute_types("cpu"):
        sys.exit(f"CTranslate2 has no {args.compute_type} on this processor")
    translator = ctranslate2.Translator(args.converted, device="cpu", compute_type=args.compute_type,
                                        inter_threads=args.inter, intra_threads=args.intra)
    to_tokens, to_ids = text.tokenizer.convert_ids_to_tokens, text.tokenizer.convert_tokens_to_ids

    def run(rows):
        found = translator.translate_batch([to_tokens(row) for row in rows], beam_size=args.beam, max_batch_size=args.batch_size,
                                           length_penalty=args.length_penalty, max_decoding_length=args.max_length,
                                           min_decoding_length=0, max_input_length=0)
        return [to_ids(result.hypotheses[0]) for result in found]

    return run


def bleu(hypotheses):
    import sacrebleu

    metric = sacrebleu.BLEU(tokenize=args.bleu_tokenize)
    score = metric.corpus_score(hypotheses, [peer.read_lines(args.reference)])
    return dict(bleu=round(score.score, 2), signature=str(metric.get_signature()))


def timed(function, *values):
    start = time.perf_counter()
    return function(*values), time.perf_counter() - start


args = parse()
text = peer.Text(args.model)
lines = peer.read_lines(args.input)
rows, encode_seconds = timed(text.ids, lines)
filled = [i for i, line in enumerate(lines) if line.strip()]  # an empty line stays one
rows = [rows[i] for i in filled]

run, load_seconds = timed({"transformers": load_transformers, "ctranslate2": load_ctranslate2}[args.engine], text)
run(rows[: args.batch_size])
seconds = []
for _ in range(args.repeat):
    results, once = timed(run, rows)
    seconds.append(once)
translations, decode_seconds = timed(text.lines, results)

output = [""] * len(lines)
for i, translation in zip(filled, translations):
    output[i] = translation
if args.output:
    peer.write_lines(args.output, output)
tokens = sum(map(len, results))
peer.report(peer=args.engine, task="translate", tokens_per_s=peer.median(tokens / s for s in seconds),
            seconds=round(sorted(seconds)[len(seconds) // 2], 3), load_seconds=round(load_seconds, 3),
            text_seconds=round(encode_seconds + decode_seconds, 3), sentences=len(rows), target_tokens=tokens, beam=args.beam,
            batch_size=args.batch_size, dtype=args.compute_type, threads=args.threads, **(bleu(output) if args.reference else {}))
