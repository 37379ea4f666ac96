# Opens directories that qkv saved with transformers, with no argument but the path.
#
#   check_saved.py DIR [ORIGINAL]
#
# No weight may be missing, unexpected or of another shape; if ORIGINAL is given, every number must be that of ORIGINAL in
# the type of DIR, and so must the generation options.
import sys

import torch
from transformers import AutoModelForSeq2SeqLM
from transformers.utils.logging import disable_progress_bar, set_verbosity_error

disable_progress_bar()
set_verbosity_error()


def load(path):
    model, loading = AutoModelForSeq2SeqLM.from_pretrained(path, output_loading_info=True)
    problems = {kind: names for kind, names in loading.items() if names}
    if problems:
        sys.exit(f"{path}: {problems}")
    return model


saved = load(sys.argv[1])
with torch.no_grad():
    logits = saved(input_ids=torch.tensor([[3, 4, 0]]), decoder_input_ids=torch.tensor([[5, 6]])).logits
if not torch.isfinite(logits).all():
    sys.exit("logits are not finite")
if len(sys.argv) > 2:
    original = load(sys.argv[2])
    wanted, found = original.state_dict(), saved.state_dict()
    # A Marian model whose tables are not tied holds a shared table that nobody uses; qkv says that nothing is shared.
    for name in wanted.keys() - found.keys():
        if name != "model.shared.weight":
            sys.exit(f"{name} is gone")
    for name, tensor in found.items():
        if name == "model.shared.weight" and not original.config.tie_word_embeddings:
            continue
        if not torch.equal(tensor, wanted[name].to(tensor.dtype)):
            sys.exit(f"{name} differs")
    for key in ("eos_token_id", "pad_token_id", "decoder_start_token_id", "forced_eos_token_id", "bad_words_ids", "num_beams"):
        a, b = (getattr(m.generation_config, key, None) for m in (saved, original))
        if a != b:
            sys.exit(f"generation_config: {key} is {a}, was {b}")
    if saved.dtype == original.dtype:
        with torch.no_grad():
            same = original(input_ids=torch.tensor([[3, 4, 0]]), decoder_input_ids=torch.tensor([[5, 6]])).logits
        if not torch.equal(same, logits):
            sys.exit("other logits")
print("same")
