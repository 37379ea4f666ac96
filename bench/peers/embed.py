# Sentence vectors with a BERT-like checkpoint in transformers (PyTorch) or onnxruntime: sentences a second, ids to vectors.
#
#   python3 embed.py --engine torch --model DIR --input sentences.txt --dtype bf16
#   python3 embed.py --engine onnxruntime --model DIR --input sentences.txt
#
# Mean pooling and normalisation; sentences sorted by length, so that little is padded. Tokenization stays outside.
import argparse
import io
import time

import peer

p = argparse.ArgumentParser()
p.add_argument("--engine", choices=("torch", "onnxruntime"), default="torch")
p.add_argument("--model", required=True, metavar="DIR")
p.add_argument("--input", required=True)
p.add_argument("--limit", type=int, default=2758, help="sentences")
p.add_argument("--dtype", choices=("f32", "bf16"), default="f32")
p.add_argument("--batch-size", type=int, default=32)
p.add_argument("--repeat", type=int, default=3)
p.add_argument("--threads", type=int, default=peer.all_threads())
args = p.parse_args()

import torch
from transformers import AutoModel, AutoTokenizer

torch.set_num_threads(args.threads)
rows = AutoTokenizer.from_pretrained(args.model)(peer.read_lines(args.input)[: args.limit], truncation=True, max_length=256)["input_ids"]
order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
batches = []
for start in range(0, len(order), args.batch_size):
    chosen = [rows[i] for i in order[start : start + args.batch_size]]
    longest = max(map(len, chosen))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in chosen])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in chosen])
    batches.append((ids, mask))
model = AutoModel.from_pretrained(args.model, attn_implementation="eager" if args.engine == "onnxruntime" else "sdpa", dtype=torch.bfloat16 if args.dtype == "bf16" else torch.float32).eval()


def pool(hidden, mask):
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return torch.nn.functional.normalize((hidden * weights).sum(1) / weights.sum(1), dim=-1)


def run_torch(ids, mask):
    with torch.inference_mode():
        return pool(model(input_ids=ids, attention_mask=mask).last_hidden_state, mask)


def load_onnx():
    import onnxruntime

    class Hidden(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, ids, mask):
            return self.model(input_ids=ids, attention_mask=mask).last_hidden_state

    file = io.BytesIO()
    torch.onnx.export(Hidden(), batches[0], file, input_names=["ids", "mask"], output_names=["hidden"],
                      dynamic_axes={name: {0: "batch", 1: "length"} for name in ("ids", "mask", "hidden")}, dynamo=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    session = onnxruntime.InferenceSession(file.getvalue(), options)
    return lambda ids, mask: pool(torch.from_numpy(session.run(None, {"ids": ids.numpy(), "mask": mask.numpy()})[0]), mask)


run = run_torch if args.engine == "torch" else load_onnx()
run(*batches[len(batches) // 2])
rates = []
for _ in range(args.repeat):
    start = time.perf_counter()
    for ids, mask in batches:
        run(ids, mask)
    rates.append(len(rows) / (time.perf_counter() - start))
peer.report(peer=args.engine, task="embed", sentences_per_s=peer.median(rates), sentences=len(rows), tokens=sum(map(len, rows)), dtype=args.dtype,
            threads=args.threads, batch_size=args.batch_size)
