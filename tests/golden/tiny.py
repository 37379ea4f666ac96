# Tiny random Transformers in Hugging Face format, made the same way by every script of this folder.
#
# transformers' own initialisation is too tame to test against: biases of 0, norms of 1, weights of 0.02 leave most of
# a layer invisible in its output. `randomise` gives every tensor numbers that matter.
import os
import shutil
import warnings

os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
warnings.filterwarnings("ignore")

import torch
from transformers import MarianConfig, MarianMTModel, PegasusConfig, PegasusForConditionalGeneration
from transformers.pytorch_utils import Conv1D
from transformers.utils.logging import disable_progress_bar

disable_progress_bar()
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)

HERE = os.path.dirname(os.path.abspath(__file__))
FAMILIES = {"marian": (MarianConfig, MarianMTModel), "pegasus": (PegasusConfig, PegasusForConditionalGeneration)}


def special_ids(family, vocab_size):
    """The ids of end, padding and decoder start, by each family's convention."""
    if family == "marian":
        return dict(eos_token_id=0, forced_eos_token_id=0, pad_token_id=vocab_size - 1, decoder_start_token_id=vocab_size - 1)
    return dict(eos_token_id=1, forced_eos_token_id=1, pad_token_id=0, decoder_start_token_id=0)


def make_model(family, seed, *, width, heads, ffn, layers, vocab_size, gain=1.1, **knobs):
    """A model without dropout; heads, ffn and layers are (encoder, decoder) or one number for both."""
    def pair(x):
        return x if isinstance(x, tuple) else (x, x)

    keys = special_ids(family, vocab_size)
    keys |= dict(vocab_size=vocab_size, d_model=width, max_position_embeddings=64, dropout=0.0)
    for key, value in (("attention_heads", heads), ("ffn_dim", ffn), ("layers", layers)):
        keys["encoder_" + key], keys["decoder_" + key] = pair(value)
    config_class, model_class = FAMILIES[family]
    model = model_class._from_config(config_class(**(keys | knobs)), attn_implementation="eager").eval()
    randomise(model, seed, gain)
    return model


@torch.no_grad()
def randomise(model, seed, gain):
    """Matrices keep the size of what they multiply (times gain); embeddings come out near 1 after their scale."""
    generator = torch.Generator().manual_seed(seed)
    turned = {name + ".weight" for name, module in model.named_modules() if isinstance(module, Conv1D)}  # [inputs, outputs]

    def normal(tensor, std, mean=0.0):
        tensor.copy_(mean + std * torch.randn(tensor.shape, generator=generator))

    for name, p in model.named_parameters():
        if "embed_positions" in name:
            continue
        if "norm" in name.lower() or ".ln_" in name:
            normal(p, 0.2, 1.0 if name.endswith("weight") else 0.0)
        elif name.endswith("bias"):
            normal(p, 0.1)
        else:
            normal(p, gain / p.shape[0 if name in turned else 1] ** 0.5)
    if hasattr(model, "final_logits_bias"):
        normal(model.final_logits_bias, 0.3)


def save(model, case, shard_size="1GB", generation_config=False):
    """Writes the directory tests/golden/<case> anew, as save_pretrained does, and returns its path."""
    path = os.path.join(HERE, case)
    shutil.rmtree(path, ignore_errors=True)
    model.save_pretrained(path, max_shard_size=shard_size)
    if not generation_config:
        os.remove(os.path.join(path, "generation_config.json"))
    return path


def load(path, dtype=torch.float32, auto_class="AutoModelForSeq2SeqLM"):
    """The model of a directory in f32 whatever it was saved in, with attention weights that can be asked for."""
    import transformers

    return getattr(transformers, auto_class).from_pretrained(path, dtype=dtype, attn_implementation="eager").eval()


def saved_parameters(model):
    """Trained tensors by their name in model.safetensors; a tied one appears once."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def numbers_of_training(model, loss_of, steps=10):
    """steps.losses and steps.norms of AdamW steps on loss_of(model): see make_translation.py."""
    parameters = list(saved_parameters(model).values())
    groups = [dict(params=[p for p in parameters if p.dim() >= 2], weight_decay=0.01),
              dict(params=[p for p in parameters if p.dim() < 2], weight_decay=0.0)]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.98), eps=1e-9)
    losses, norms = [], []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(parameters, 1.0).item())
        losses.append(loss.item())
        optimizer.step()
    return {"steps.losses": torch.tensor(losses), "steps.norms": torch.tensor(norms)}


def worst_rounding(golden, exact):
    """The largest distance to the same numbers in f64: what any correct f32 program may differ by, and where."""
    return max(((golden[n].double() - exact[n]).abs().max() / (exact[n].abs().max() + 1e-3), n) for n in golden)
