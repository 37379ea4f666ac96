# Writes tests/golden/<family>-generate/: a tiny translator, and what transformers' generate finds with it.
#
#   python3 make_generation.py [FAMILY...]       (needs torch and transformers 5)
#
# The model has learnt a small made-up language (reverse the words; some have two translations, some are doubled), but
# not well: searches end by themselves at various lengths, and different options find different sequences.
#
# generation.json: "cases" is a list of
#   source             ids, ending with the end token
#   prefix             what the decoder is given: the start token, or that and a forced beginning of the target
#   options            for generate; what is absent has transformers' default value (num_beams 1, length_penalty 1,
#                      early_stopping false, num_return_sequences 1). max_length counts the prefix, max_new_tokens doesn't
#   sequences          ids with the prefix, best first; they end with the end token or because the length was reached
#   sequences_scores   of a beam search: sum of log-probabilities / (generated tokens, the end among them) ^ length_penalty
#   token_scores       of each generated token, what it added to that sum (greedy: its log-probability after renormalising)
#   margin             the smallest difference between two scores on which the search decided anything: what stays in the
#                      beam, what may finish, when to stop, which results come first. Below 1e-4 f32 rounding may decide.
# scores.json: "cases" is a list of {source, target, log_probs (each token), sum}; targets end with the end token.
#
# Worth knowing: greedy search applies penalties to raw logits and beam search to log-probabilities, without
# renormalising. A forced end token counts 0. Only candidates among the best num_beams may finish, and the first
# 2 * num_beams are looked at.
import json
import sys

import torch
import transformers
from torch.nn.functional import cross_entropy, log_softmax, pad

import tiny

SHAPE = dict(width=32, heads=4, ffn=64, layers=1, vocab_size=47, activation_function="relu", scale_embedding=True,
             forced_eos_token_id=None)
PAIRS, STEPS = 96, 150
NEVER = -1e8  # below this a score of transformers means "impossible"

OPTIONS = [
    dict(max_new_tokens=24),
    dict(max_new_tokens=5),
    dict(max_length=5, forced_eos_token_id="eos"),
    dict(max_new_tokens=16, repetition_penalty=1.3),
    dict(max_new_tokens=16, no_repeat_ngram_size=2),
    dict(max_new_tokens=16, bad_words="first"),
    dict(num_beams=2, max_new_tokens=24),
    dict(num_beams=2, max_new_tokens=24, length_penalty=0.0, num_return_sequences=2),
    dict(num_beams=3, max_new_tokens=24, length_penalty=0.6, num_return_sequences=3),
    dict(num_beams=4, max_new_tokens=24, length_penalty=1.5, num_return_sequences=4),
    dict(num_beams=4, max_length=12, early_stopping=True, num_return_sequences=2),
    dict(num_beams=4, max_length=6, forced_eos_token_id="eos", num_return_sequences=4),
    dict(num_beams=5, max_new_tokens=24, early_stopping=True, length_penalty=0.6),
    dict(num_beams=5, max_new_tokens=4, num_return_sequences=5),
    dict(num_beams=5, max_new_tokens=16, no_repeat_ngram_size=2, num_return_sequences=2),
    dict(num_beams=5, max_new_tokens=16, repetition_penalty=1.2),
    dict(num_beams=6, max_new_tokens=16, bad_words="first", num_return_sequences=2),
    dict(num_beams=6, max_new_tokens=24, length_penalty=-0.5, num_return_sequences=3),
    dict(num_beams=7, max_new_tokens=16, early_stopping="never", length_penalty=1.5, num_return_sequences=3),
    dict(num_beams=8, max_new_tokens=24, num_return_sequences=8),
    dict(num_beams=8, max_new_tokens=24, early_stopping=True, num_return_sequences=8),
    dict(max_new_tokens=16, prefix=3),
    dict(num_beams=4, max_new_tokens=16, prefix=3, num_return_sequences=2),
    dict(num_beams=4, max_length=10, prefix=2, no_repeat_ngram_size=3, length_penalty=0.6),
]
SOURCES_PER_OPTION = 3


class Language:
    """Random sources and their translations; two translators never fully agree."""

    def __init__(self, config, seed):
        self.random = torch.Generator().manual_seed(seed)
        special = {config.eos_token_id, config.pad_token_id}
        self.words = [i for i in range(config.vocab_size) if i not in special]
        self.end = config.eos_token_id

    def draw(self, n):
        return torch.randint(n, (), generator=self.random).item()

    def source(self):
        return [self.words[self.draw(len(self.words))] for _ in range(1 + self.draw(6))] + [self.end]

    def translate(self, source):
        target = []
        for word in reversed(source[:-1]):
            other = self.words[(word * 7 + (3 if word % 3 == 0 and self.draw(2) else 1)) % len(self.words)]
            target += [other, other] if word % 5 == 0 and self.draw(3) else [other]
        return target + [self.end]


def as_batch(sequences, fill):
    longest = max(map(len, sequences))
    return torch.stack([pad(torch.tensor(s), (0, longest - len(s)), value=fill) for s in sequences])


def teach(model, pairs):
    config = model.config
    sources = as_batch([s for s, _ in pairs], config.pad_token_id)
    labels = as_batch([t for _, t in pairs], -100)
    inputs = pad(labels[:, :-1].clamp(min=0), (1, 0), value=config.decoder_start_token_id)
    mask = torch.tensor([[i < len(s) for i in range(sources.shape[1])] for s, _ in pairs]).long()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    for _ in range(STEPS):
        logits = model(input_ids=sources, attention_mask=mask, decoder_input_ids=inputs, use_cache=False).logits
        loss = cross_entropy(logits.flatten(0, 1), labels.flatten(), label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


class Watch:
    """Hooks into the steps of a beam search and keeps the smallest difference that decided something."""

    def __init__(self, model, end, num_return):
        self.model, self.end, self.num_return = model, end, num_return
        self.margin, self.finished = float("inf"), []

    def __enter__(self):
        for name in ("_get_top_k_continuations", "_update_finished_beams", "_check_early_stop_heuristic"):
            self.wrap(name, getattr(self.model, name), getattr(self, name[1:]))
        return self

    def wrap(self, name, original, look):
        def wrapped(**kwargs):
            look(**kwargs)
            return original(**kwargs)

        setattr(self.model, name, wrapped)
        self.names = getattr(self, "names", []) + [name]

    def __exit__(self, *_):
        for name in self.names:
            delattr(self.model, name)
        best = sorted(self.finished, reverse=True)[: self.num_return + 1]
        for better, worse in zip(best, best[1:]):
            self.decided(better, worse)

    def decided(self, a, b):
        if a > NEVER and b > NEVER:
            self.margin = min(self.margin, abs(a - b))

    def get_top_k_continuations(self, accumulated_log_probs, cur_len, num_beams, running_sequences, **_):
        scores, order = accumulated_log_probs[0].double().sort(descending=True)
        ends = order % (len(order) // num_beams) == self.end
        running = scores[~ends]
        self.decided(running[num_beams - 1].item(), running[num_beams].item())  # who stays in the beam
        if cur_len + 1 == running_sequences.shape[-1]:
            ends = ends | True  # the length is reached: everything finishes
        inside, outside = ends[:num_beams], ends[num_beams:]
        if inside.any():  # who may finish: the worst of those inside against the best of all outside, and the reverse
            self.decided(scores[:num_beams][inside].min().item(), scores[num_beams].item())
        if outside.any():
            self.decided(scores[num_beams - 1].item(), scores[num_beams:][outside].max().item())

    def update_finished_beams(self, topk_log_probs, next_token_hits_stopping_criteria, num_beams, cur_len, decoder_prompt_len,
                              length_penalty, **_):
        scores = topk_log_probs[0, :num_beams].double() / (cur_len + 1 - decoder_prompt_len) ** length_penalty
        self.finished += [s for s in scores[next_token_hits_stopping_criteria[0, :num_beams]].tolist() if s > NEVER]

    def check_early_stop_heuristic(self, running_beam_scores, beam_scores, is_sent_finished, cur_len, max_length,
                                   decoder_prompt_len, early_stopping, length_penalty, **_):
        if not is_sent_finished.all():
            return
        far = early_stopping == "never" and length_penalty > 0
        length = (max_length if far else cur_len) - decoder_prompt_len
        self.decided(running_beam_scores[0, 0].item() / length**length_penalty, beam_scores.min().item())


def resolve(options, config, translation):
    """Options as generate wants them; what they leave to the family or the sentence is filled in."""
    options = dict(options)
    prefix = [config.decoder_start_token_id] + translation[: options.pop("prefix", 1) - 1]
    if "forced_eos_token_id" in options:
        options["forced_eos_token_id"] = config.eos_token_id
    if options.pop("bad_words", None):  # the first word of the right answer, its second and third, and one more
        options["bad_words_ids"] = [translation[:1], translation[1:3] or [2, 3], [5]]
    return prefix, options


@torch.no_grad()
def search(model, source, prefix, options):
    beams = options.get("num_beams", 1)
    given = dict(inputs=torch.tensor([source]), decoder_input_ids=torch.tensor([prefix]))
    if not model.config.is_encoder_decoder:
        given = dict(inputs=torch.tensor([prefix]), attention_mask=torch.ones(1, len(prefix), dtype=torch.long))
    asked = dict(do_sample=False, return_dict_in_generate=True, output_scores=True, **given, **options)
    with Watch(model, model.config.eos_token_id, options.get("num_return_sequences", 1)) as watch:
        found = model.generate(**asked)
    token_scores = model.compute_transition_scores(found.sequences, found.scores, getattr(found, "beam_indices", None),
                                                   normalize_logits=beams == 1)
    case = dict(source=source, prefix=prefix, options=options)
    if beams == 1:
        lengths = [len(found.scores)]
        for scores in found.scores:
            best, second = scores[0].double().topk(2).values.tolist()
            watch.decided(best, second)
    else:
        lengths = (found.beam_indices >= 0).sum(1).tolist()
        case["sequences_scores"] = found.sequences_scores.tolist()
    case["sequences"] = [s[: len(prefix) + n] for s, n in zip(found.sequences.tolist(), lengths)]
    case["token_scores"] = [s[:n] for s, n in zip(token_scores.tolist(), lengths)]
    case["margin"] = watch.margin if watch.margin < float("inf") else None
    return case


@torch.no_grad()
def score(model, source, target):
    inputs = [model.config.decoder_start_token_id] + target[:-1]
    logits = model(input_ids=torch.tensor([source]), decoder_input_ids=torch.tensor([inputs]), use_cache=False).logits[0]
    log_probs = log_softmax(logits, -1).gather(1, torch.tensor(target)[:, None])[:, 0]
    return dict(source=source, target=target, log_probs=log_probs.tolist(), sum=log_probs.double().sum().item())


def write(path, cases):
    with open(path, "w") as out:
        lines = ",\n".join(json.dumps(rounded(case)) for case in cases)
        out.write(f'{{"made_with": "transformers {transformers.__version__}", "cases": [\n{lines}\n]}}\n')


def rounded(value):
    """Nine digits hold an f32 exactly."""
    if isinstance(value, float):
        return float(f"{value:.9g}")
    if isinstance(value, list):
        return [rounded(v) for v in value]
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return value


def make_case(family):
    model = tiny.make_model(family, seed=3, gain=0.8, **SHAPE)
    language = Language(model.config, seed=4)
    pairs = [(s, language.translate(s)) for s in (language.source() for _ in range(PAIRS))]
    loss = teach(model.train(), pairs)
    path = tiny.save(model.eval(), family + "-generate", generation_config=True)
    model = tiny.load(path)

    unseen = [(s, language.translate(s)) for s in (language.source() for _ in range(PAIRS))]
    sentences = [pair for two in zip(pairs, unseen) for pair in two]
    cases = []
    for options in OPTIONS:
        for _ in range(SOURCES_PER_OPTION):
            source, translation = sentences[len(cases)]
            cases.append(search(model, source, *resolve(options, model.config, translation)))
    write(path + "/generation.json", cases)
    scored = [([model.config.eos_token_id], [model.config.eos_token_id])] + sentences[:9]
    write(path + "/scores.json", [score(model, *pair) for pair in scored])

    found = [s for case in cases for s in case["sequences"]]
    close = sum(case["margin"] is not None and case["margin"] < 1e-4 for case in cases)
    ended = sum(s[-1] == model.config.eos_token_id for s in found)
    print(f"{family}-generate: loss {loss:.3f}, {len(cases)} searches ({close} close), {len(found)} sequences, {ended} end by themselves,"
          f" lengths {sorted({len(s) for s in found})}")


if __name__ == "__main__":
    for family in sys.argv[1:] or tiny.FAMILIES:
        make_case(family)
