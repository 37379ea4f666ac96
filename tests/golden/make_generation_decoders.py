# Writes tests/golden/<family>-generate/: a tiny language model taught a small language, what transformers' generate makes of
# prompts (generation.json, in the form that make_generation.py describes, without sources: the prefix is the prompt), and for gpt2
# what its filters leave of distributions (sampling.json).
#
#   python3 make_generation_decoders.py [FAMILY...]       (needs torch and transformers 5)

import sys

import torch
from torch.nn.functional import cross_entropy
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, LogitsProcessorList, MinPLogitsWarper
from transformers import OpenAIGPTConfig, OpenAIGPTLMHeadModel, RepetitionPenaltyLogitsProcessor, TemperatureLogitsWarper
from transformers import TopKLogitsWarper, TopPLogitsWarper

import make_generation
import tiny

IDS = dict(vocab_size=47, bos_token_id=0, eos_token_id=0, pad_token_id=46)
GPT = dict(n_positions=64, n_embd=32, n_layer=1, n_head=4, embd_pdrop=0.0, resid_pdrop=0.0, attn_pdrop=0.0, **IDS)
LLAMA = dict(max_position_embeddings=64, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
             intermediate_size=24, **IDS)
FAMILIES = {"gpt2": (GPT2Config, GPT2LMHeadModel, GPT, 3), "openai-gpt": (OpenAIGPTConfig, OpenAIGPTLMHeadModel, GPT, 1),
            "llama": (LlamaConfig, LlamaForCausalLM, LLAMA, 1)}  # the last: prompts per option
STEPS = 250
OPTIONS = [
    dict(max_new_tokens=24),
    dict(max_length=20),
    dict(max_new_tokens=16, repetition_penalty=1.3),
    dict(max_new_tokens=16, no_repeat_ngram_size=2),
    dict(max_new_tokens=16, encoder_no_repeat_ngram_size=1),
    dict(max_new_tokens=12, min_new_tokens=9),
    dict(max_new_tokens=16, min_length=14),
    dict(max_new_tokens=16, bad_words="first"),
    dict(max_new_tokens=16, suppress_tokens="first"),
    dict(max_new_tokens=16, begin_suppress_tokens="first"),
    dict(max_new_tokens=16, eos_token_id=[0, 1, 7, 22]),
    dict(num_beams=3, max_new_tokens=24, num_return_sequences=3),
    dict(num_beams=4, max_new_tokens=16, length_penalty=0.5, early_stopping=True, num_return_sequences=2),
    dict(num_beams=5, max_length=22, early_stopping="never", length_penalty=1.5, num_return_sequences=5),
    dict(num_beams=4, max_new_tokens=16, repetition_penalty=1.2, no_repeat_ngram_size=2),
    dict(num_beams=3, max_new_tokens=16, suppress_tokens="first", renormalize_logits=True, num_return_sequences=2),
    dict(num_beams=4, max_new_tokens=16, begin_suppress_tokens="first", eos_token_id=[0, 1, 7], num_return_sequences=2),
]
FILTERS = [
    dict(temperature=1.0), dict(temperature=0.3), dict(temperature=2.5), dict(top_k=1), dict(top_k=5), dict(top_k=30, temperature=1.7),
    dict(top_p=0.1), dict(top_p=0.5), dict(top_p=0.95, temperature=3.0), dict(top_p=0.999), dict(min_p=0.05, temperature=2.0), dict(min_p=0.9),
    dict(top_k=10, top_p=0.8, temperature=4.0), dict(top_k=20, top_p=0.9, min_p=0.1, temperature=5.0),
    dict(temperature=2.0, top_p=0.9, repetition_penalty=1.5),
]


def teach(model, texts):
    inputs = make_generation.as_batch(texts, model.config.pad_token_id)
    labels = make_generation.as_batch(texts, -100)[:, 1:]
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    for _ in range(STEPS):
        loss = cross_entropy(model(input_ids=inputs[:, :-1]).logits.flatten(0, 1), labels.flatten(), label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


def resolve(options, translation):
    options = dict(options)
    for key in ("suppress_tokens", "begin_suppress_tokens"):
        if key in options:
            options[key] = [translation[0], 11]
    if options.pop("bad_words", None):
        options["bad_words_ids"] = [translation[:1], translation[1:3] or [2, 3], [5]]
    return options


@torch.no_grad()
def filtered(model, prompt, options):
    logits = model(input_ids=torch.tensor([prompt])).logits[0, -1:]
    made = [(RepetitionPenaltyLogitsProcessor, "repetition_penalty"), (TemperatureLogitsWarper, "temperature"),
            (TopKLogitsWarper, "top_k"), (TopPLogitsWarper, "top_p"), (MinPLogitsWarper, "min_p")]
    processors = LogitsProcessorList([kind(options[key]) for kind, key in made if key in options])
    probabilities = processors(torch.tensor([prompt]), logits.clone()).softmax(-1)
    return dict(options=options, prompt=prompt, probabilities=probabilities[0].tolist())


def make_case(family):
    config_class, model_class, keys, prompts_per_option = FAMILIES[family]
    model = model_class._from_config(config_class(**keys), attn_implementation="eager")
    tiny.randomise(model, seed=3, gain=0.8)
    language = make_generation.Language(model.config, seed=4)
    pairs = [(s[:-1] + [46], language.translate(s)) for s in (language.source() for _ in range(96))]
    loss = teach(model.train(), [p + t for p, t in pairs])
    path = tiny.save(model.eval(), family + "-generate", generation_config=True)
    model = tiny.load(path, auto_class="AutoModelForCausalLM")
    unseen = [(s[:-1] + [46], language.translate(s)) for s in (language.source() for _ in range(96))]
    prompts = [pair for two in zip(pairs, unseen) for pair in two]
    cases = []
    for options in OPTIONS:
        for _ in range(prompts_per_option):
            prompt, translation = prompts[len(cases)]
            cases.append(make_generation.search(model, [], prompt, resolve(options, translation)))
    make_generation.write(path + "/generation.json", cases)
    if family == "gpt2":
        make_generation.write(path + "/sampling.json", [filtered(model, prompts[i][0], options) for i, options in enumerate(FILTERS)])
    found = [s for case in cases for s in case["sequences"]]
    print(f"{family}: loss {loss:.3f}, {len(cases)} searches ({sum(c['margin'] is not None and c['margin'] < 1e-4 for c in cases)} close), "
          f"{len(found)} sequences, {sum(s[-1] == 0 for s in found)} end by themselves, lengths {sorted({len(s) for s in found})}")


if __name__ == "__main__":
    for family in sys.argv[1:] or FAMILIES:
        make_case(family)
