# A GPT-2 checkpoint as llama.cpp reads it: matrices in the given type, the rest in f32.
#
#   python3 make_gguf.py DIR OUT.gguf f32|bf16        (needs numpy, safetensors, torch and the package gguf)
import json
import sys

import gguf
import torch
from safetensors.torch import load_file

directory, path, dtype = sys.argv[1:]
config = json.load(open(directory + "/config.json"))
vocabulary = json.load(open(directory + "/tokenizer.json"))["model"]["vocab"]
weights = {name.removeprefix("transformer."): tensor.float() for name, tensor in load_file(directory + "/model.safetensors").items()}
width, layers = config["n_embd"], config["n_layer"]

writer = gguf.GGUFWriter(path, "gpt2")
writer.add_context_length(config["n_positions"])
writer.add_embedding_length(width)
writer.add_block_count(layers)
writer.add_feed_forward_length(config.get("n_inner") or 4 * width)
writer.add_head_count(config["n_head"])
writer.add_layer_norm_eps(config["layer_norm_epsilon"])
writer.add_file_type(gguf.LlamaFileType.ALL_F32 if dtype == "f32" else gguf.LlamaFileType.MOSTLY_BF16)
# Only ids go in and out, so the tokens need no merges that mean anything.
tokens = sorted(vocabulary, key=vocabulary.get)
writer.add_tokenizer_model("gpt2")
writer.add_tokenizer_pre("gpt-2")
writer.add_token_list(tokens)
writer.add_token_types([gguf.TokenType.NORMAL] * len(tokens))
writer.add_token_merges(["t 0"])
writer.add_bos_token_id(config["bos_token_id"])
writer.add_eos_token_id(config["eos_token_id"])


def add(name, tensor, turned=False):
    tensor = (tensor.T if turned else tensor).contiguous()
    if dtype == "bf16" and tensor.dim() == 2 and "position" not in name:
        writer.add_tensor(name, tensor.bfloat16().view(torch.int16).numpy().view("uint8"), raw_dtype=gguf.GGMLQuantizationType.BF16)
    else:
        writer.add_tensor(name, tensor.numpy())


add("token_embd.weight", weights["wte.weight"])
add("position_embd.weight", weights["wpe.weight"])
NORMS = {"ln_1": "attn_norm", "ln_2": "ffn_norm"}
PRODUCTS = {"attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down"}  # stored [inputs, outputs]
for layer in range(layers):
    for names, turned in ((NORMS, False), (PRODUCTS, True)):
        for theirs, own in names.items():
            add(f"blk.{layer}.{own}.weight", weights[f"h.{layer}.{theirs}.weight"], turned)
            add(f"blk.{layer}.{own}.bias", weights[f"h.{layer}.{theirs}.bias"])
for kind in ("weight", "bias"):
    add("output_norm." + kind, weights["ln_f." + kind])
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
