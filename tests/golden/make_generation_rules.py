# Writes tests/golden/<family>-generate/rules.json: searches with the rarer rules, in the form of generation.json, by the
# models that make_generation.py saved.
#
#   python3 make_generation_rules.py [FAMILY...]       (needs torch and transformers 5)
import itertools
import sys

import make_generation
import tiny

OPTIONS = [
    dict(max_new_tokens=16, min_new_tokens=9),
    dict(max_new_tokens=16, min_length=8, num_beams=4, num_return_sequences=2),
    dict(max_new_tokens=16, num_beams=3, renormalize_logits=True, bad_words="first", num_return_sequences=3),
    dict(max_new_tokens=16, num_beams=4, renormalize_logits=True, repetition_penalty=1.3, no_repeat_ngram_size=2),
    dict(max_new_tokens=16, renormalize_logits=True, repetition_penalty=1.3),
    dict(max_new_tokens=12, num_beams=3, forced_bos_token_id=9, num_return_sequences=2),
    dict(max_new_tokens=12, forced_bos_token_id=9),
    dict(max_new_tokens=16, eos_token_id=[0, 1, 7, 22], num_beams=4, num_return_sequences=3),
    dict(max_new_tokens=16, eos_token_id=[0, 1, 7, 22]),
    dict(max_new_tokens=16, num_beams=4, encoder_no_repeat_ngram_size=1),
    dict(max_new_tokens=16, encoder_no_repeat_ngram_size=2),
    dict(max_length=7, num_beams=3, eos_token_id=[0, 1], forced_eos_token_id="eos", renormalize_logits=True, num_return_sequences=2),
]
SOURCES_PER_OPTION = 3
# The least length is the one at which a free search ends, and one below: the first forbids that end, the second doesn't.
AROUND_THE_END = [dict(max_new_tokens=16), dict(max_new_tokens=16, num_beams=3)]


def around_the_end(model, language):
    cases = []
    for options, least in itertools.product(AROUND_THE_END, (0, -1)):
        free = [None]
        while free[-1] != model.config.eos_token_id:
            source = language.source()
            prefix, resolved = make_generation.resolve(options, model.config, language.translate(source))
            free = make_generation.search(model, source, prefix, resolved)["sequences"][0]
        cases.append(make_generation.search(model, source, prefix, dict(resolved, min_length=len(free) + least)))
    return cases


def make_case(family):
    model = tiny.load(f"{tiny.HERE}/{family}-generate")
    language = make_generation.Language(model.config, seed=11)
    cases = []
    for options in OPTIONS:
        for _ in range(SOURCES_PER_OPTION):
            source = language.source()
            prefix, resolved = make_generation.resolve(options, model.config, language.translate(source))
            cases.append(make_generation.search(model, source, prefix, resolved))
    cases += around_the_end(model, language)
    make_generation.write(f"{tiny.HERE}/{family}-generate/rules.json", cases)
    close = sum(case["margin"] is not None and case["margin"] < 1e-4 for case in cases)
    print(f"{family}-generate: {len(cases)} searches ({close} close)")


if __name__ == "__main__":
    for family in sys.argv[1:] or tiny.FAMILIES:
        make_case(family)
