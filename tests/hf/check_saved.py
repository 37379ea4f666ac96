# Opens directories that qkv saved with transformers, with no argument but the path. Reads lines "DIRECTORY ORIGINAL TITLE",
# ORIGINAL being "-" where there is none, and prints a line of TAP for each.
#
# No weight may be missing, unexpected or of another shape; with an ORIGINAL every number must be that of ORIGINAL in the type
# of DIRECTORY, and so must the generation options.
import sys

import torch
import transformers
from transformers.utils.logging import disable_progress_bar, set_verbosity_error

disable_progress_bar()
set_verbosity_error()
torch.set_num_threads(1)


class Wrong(Exception):
    pass


def load(path):
    config = transformers.AutoConfig.from_pretrained(path)
    kind = transformers.AutoModelForSeq2SeqLM if config.is_encoder_decoder else getattr(transformers, config.architectures[0])
    model, loading = kind.from_pretrained(path, output_loading_info=True)
    problems = {kind: names for kind, names in loading.items() if names}
    if problems:
        raise Wrong(f"{path}: {problems}")
    return model


@torch.no_grad()
def logits_of(model):
    target = dict(decoder_input_ids=torch.tensor([[5, 6]])) if model.config.is_encoder_decoder else {}
    ids = torch.tensor([[3, 4, 5]])
    several = any(part in type(model).__name__ for part in ("MultipleChoice", "DoubleHeads"))
    return model(input_ids=ids[None] if several else ids, **target)[0]


def compare(saved, original):
    wanted, found = original.state_dict(), saved.state_dict()
    # A Marian model whose tables are not tied holds a shared table that nobody uses; qkv says that nothing is shared. BERT's bias
    # is there twice then, and the layer's own is the one that counts.
    unused = set() if original.config.tie_word_embeddings else {"model.shared.weight", "cls.predictions.bias"}
    gone = wanted.keys() - found.keys() - unused
    if gone:
        raise Wrong(f"{gone} are gone")
    for name, tensor in found.items():
        if name not in unused and not torch.equal(tensor, wanted[name].to(tensor.dtype)):
            raise Wrong(f"{name} differs")
    for key in ("eos_token_id", "pad_token_id", "decoder_start_token_id", "forced_eos_token_id", "bad_words_ids", "num_beams"):
        a, b = (getattr(getattr(m, "generation_config", None), key, None) for m in (saved, original))
        if a != b:
            raise Wrong(f"generation_config: {key} is {a}, was {b}")
    if saved.dtype == original.dtype and not torch.equal(logits_of(original), logits_of(saved)):
        raise Wrong("other logits")


for number, line in enumerate(sys.stdin, 1):
    directory, original, title = line.rstrip("\n").split(" ", 2)
    try:
        saved = load(directory)
        if not torch.isfinite(logits_of(saved)).all():
            raise Wrong("logits are not finite")
        if original != "-":
            compare(saved, load(original))
        print(f"ok {number} - {title}", flush=True)
    except Exception as problem:
        print(f"not ok {number} - {title}\n# {type(problem).__name__}: {' '.join(str(problem).split())[:500]}", flush=True)
