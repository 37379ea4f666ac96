# Opens a directory that qkv wrote as any user of transformers would, with no argument but its path, and translates.
#
#   python3 check_transformers.py DIR [FILE] [--beam N] [--nbest N] [--length-penalty A] [--max-new N]
#
# FILE (or stdin) has a sentence a line. Prints one JSON object a line: source ids as the tokenizer makes them,
# sequences without the start token, their scores (beam search) or token log-probabilities' sum (greedy), and texts.
# It ends with status 77, "skipped", where transformers is not installed, and 1 when a weight is missing, unexpected or of another shape.
import argparse
import json
import sys

try:
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer
    from transformers.utils.logging import disable_progress_bar
except ImportError as missing:
    print(f"skipped: {missing}", file=sys.stderr)
    sys.exit(77)

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("file", nargs="?")
parser.add_argument("--beam", type=int, default=1)
parser.add_argument("--nbest", type=int, default=1)
parser.add_argument("--length-penalty", type=float, default=1.0)
parser.add_argument("--max-new", type=int, default=64)
args = parser.parse_args()

disable_progress_bar()
torch.set_num_threads(1)
tokenizer = AutoTokenizer.from_pretrained(args.model)
model, loading = AutoModelForSeq2SeqLM.from_pretrained(args.model, output_loading_info=True)
problems = {kind: names for kind, names in loading.items() if names}
if problems:
    sys.exit(f"{args.model}: {problems}")
if not tokenizer.is_fast:
    sys.exit(f"{args.model}: the tokenizer is not a fast one")
model = model.float().eval()


def translate(line):
    inputs = tokenizer(line, return_tensors="pt")
    options = dict(length_penalty=args.length_penalty) if args.beam > 1 else {}
    with torch.inference_mode():
        found = model.generate(inputs.input_ids, attention_mask=inputs.attention_mask, do_sample=False, num_beams=args.beam,
                               num_return_sequences=args.nbest, max_new_tokens=args.max_new, max_length=None,
                               return_dict_in_generate=True, output_scores=True, **options)
    if args.beam > 1:
        lengths, scores = (found.beam_indices >= 0).sum(1).tolist(), found.sequences_scores.tolist()
    else:
        steps = model.compute_transition_scores(found.sequences, found.scores, normalize_logits=True)
        lengths, scores = [len(found.scores)], steps.sum(1).tolist()
    sequences = [s[1 : 1 + n] for s, n in zip(found.sequences.tolist(), lengths)]
    return dict(source=inputs.input_ids[0].tolist(), sequences=sequences, scores=scores,
                texts=tokenizer.batch_decode(sequences, skip_special_tokens=True))


with open(args.file, encoding="utf-8") if args.file else sys.stdin as lines:
    for line in lines:
        print(json.dumps(translate(line.rstrip("\r\n")), ensure_ascii=False))
