#!/usr/bin/env python3
"""Writes golden.json beside this file: what sacreBLEU says about small sets of lines, and what Python's str.lower does.

Needs sacrebleu (2.6.0). Run it again only when the sets change; the tests read the committed file.
"""
import json
import pathlib
import random
import sys
import unicodedata

import sacrebleu
from sacrebleu.metrics import BLEU, CHRF

generator = random.Random(20)

PEOPLE = ["a man", "a woman", "two children", "the girl in a red coat", "a dog", "three young men", "an old lady"]
DOINGS = ["is riding a bike", "plays the guitar", "are running through the park", "jumps into the water", "sits on a bench",
          "is reading a newspaper", "holds an umbrella", "looks at the camera"]
PLACES = ["in the street", "near a lake", "at the market", "in front of 1,234.5 people", "on a sunny day", "under a bridge", "at 3-4 p.m."]
ENDS = [".", ".", ".", "", "!", " .", "...", "?\"", ", too."]


def caption():
    text = f"{generator.choice(PEOPLE)} {generator.choice(DOINGS)} {generator.choice(PLACES)}{generator.choice(ENDS)}"
    return text[0].upper() + text[1:]


def spoilt(text, much=0.2):
    words = []
    for word in text.split(" "):
        chance = generator.random()
        if chance < much / 3:
            continue
        words.append(generator.choice(DOINGS).split()[0] if chance < 2 * much / 3 else word)
        if chance > 1 - much / 3:
            words.append(word)
    return " ".join(words)


def captions(count, references):
    lines = [caption() for _ in range(count)]
    return [spoilt(line) for line in lines], [[line] + [spoilt(line, 0.4) for _ in range(references - 1)] for line in lines]


ODD = [
    "", " ", "a", ".", ",", "..", ".,", "-", "1-2", "1,2", "1.", ".1", "a.b", "a,b,c", "a..b", "1..2", "...", "''", "'s dog's",
    "&quot;quoted&quot; &amp;lt; &lt;b&gt; &", "&amp;quot;", "<skipped>x<skip<skipped>ped>", "word-\nbroken", "two\nlines", "tail \r",
    "crlf at the end\r\n", "tab\there", "no\u00a0break", "thin\u2009space", "ideographic\u3000space", "nel\u0085line", "fs\x1cgs\x1d",
    "zero\u200bwidth", "(hi)", "\"(hi)\"", "[x]{y}~`|^_\\", "@home #tag $5 50% a+b=c", "3-D and 10-20", "-5", "x--y", "he said: \"No!\"",
    "É.É", "日本語のテキスト。", "日本 語,テ.キ", "🙂🙃 🙂", "👩\u200d👩\u200d👧", "naïve cafe\u0301", "¿Qué?", "¡Hola, señor!", "Ünïcödé 1.5€",
]
CASES = ["İstanbul", "DİYARBAKIR", "STRASSE ẞ ß", "ΟΔΥΣΣΕΥΣ", "ΣΑΣ Σ ΑΣ. ΑΣ'Α Α\u0301Σ\u0301 ʰΣ", "ΑΣ\u00adΑ", "ΑΣ:", "ΑΣ1Α", "ǅ Ǆ ǆ Ω K Å",
         "ÀÉÎÕÜ", "ЖУК", "ⅣⓀ", "Ꭰ ꭰ", "𐐀𐐨", "ﬁ FI ŉ", "Ⴀ Ა", "HELLO World"]


def random_character():
    while True:
        kind = generator.random()
        code = generator.randrange(0x20, 0x7F) if kind < 0.5 else generator.randrange(0xA0, 0x600) if kind < 0.8 else generator.randrange(0x600, 0x20000)
        # Unassigned characters may have a case mapping in one Unicode version and none in another.
        if unicodedata.category(chr(code)) not in ("Cs", "Cn", "Co"):
            return chr(code)


def random_line():
    return "".join(generator.choice(" .,-'") if generator.random() < 0.3 else random_character() for _ in range(generator.randrange(0, 30)))


def shuffled(line):
    words = line.split(" ")
    if len(words) > 1 and generator.random() < 0.7:
        i = generator.randrange(len(words) - 1)
        words[i], words[i + 1] = words[i + 1], words[i]
    return " ".join(words) if generator.random() < 0.8 else line.swapcase()


def sets():
    hypotheses, references = captions(40, 1)
    yield "captions", hypotheses, references
    hypotheses, references = captions(30, 3)
    yield "captions, three references", hypotheses, references
    yield "odd", ODD, [[line] for line in ODD]
    moved = ODD[1:] + ODD[:1]
    yield "odd against its neighbour", ODD, [[a, b] for a, b in zip(moved, [shuffled(x) for x in ODD])]
    yield "cases", [x.lower() for x in CASES] + CASES, [[x] for x in CASES + CASES]
    lines = [random_line() for _ in range(60)]
    yield "random", [shuffled(line) for line in lines], [[line, shuffled(line)] for line in lines]
    yield "nothing", ["", "  "], [["a b c"], [""]]
    yield "nothing wanted", ["a b c d e", "x"], [[""], [""]]
    yield "no four words", ["a b c", "x y"], [["a b d"], ["x y"]]
    yield "varying references", ["a b c d", "e f g h"], [["a b c d e"], ["e f g", "e f g h i j"]]


BLEU_OPTIONS = [dict(), dict(lowercase=True), dict(effective_order=True), dict(tokenize="none"), dict(tokenize="char"),
                dict(tokenize="char", lowercase=True, effective_order=True), dict(smooth_method="floor"), dict(smooth_method="add-k"),
                dict(smooth_method="none"), dict(smooth_method="floor", smooth_value=0.5), dict(smooth_method="add-k", smooth_value=2.5)]
CHRF_OPTIONS = [dict(word_order=order, lowercase=lower) for order in (0, 1, 2) for lower in (False, True)]


def columns(references):  # sacreBLEU wants a list of whole reference files; None: this line has fewer
    width = max(map(len, references))
    return [[line[i] if i < len(line) else None for line in references] for i in range(width)]


def bleu_case(hypotheses, references, options):
    metric = BLEU(force=True, **options)
    score = metric.corpus_score(hypotheses, columns(references))
    signature = str(metric.get_signature())
    lines = BLEU(force=True, **{**options, "effective_order": True})
    return dict(options=options, score=score.score, precisions=score.precisions, brevity_penalty=score.bp, hypothesis_length=score.sys_len,
                reference_length=score.ref_len, text=score.format(signature=signature), signature=signature,
                lines=[lines.sentence_score(h, r).score for h, r in zip(hypotheses, references)])


def chrf_case(hypotheses, references, options):
    metric = CHRF(**options)
    score = metric.corpus_score(hypotheses, columns(references))
    signature = str(metric.get_signature())
    return dict(options=options, score=score.score, text=score.format(signature=signature), signature=signature,
                lines=[metric.sentence_score(h, r).score for h, r in zip(hypotheses, references)])


def ranges(codes):
    out = []
    for code in codes:
        if out and out[-1][1] == code - 1:
            out[-1][1] = code
        else:
            out.append([code, code])
    return out


def lower_case():
    """str.lower of every character; which characters make a following sigma final, and which leave that to the one before."""
    codes = [c for c in range(1, 0x110000) if not 0xD800 <= c <= 0xDFFF and unicodedata.category(chr(c)) != "Cn"]
    return dict(unicode=unicodedata.unidata_version,
                mapping=[[c, chr(c).lower()] for c in codes if chr(c).lower() != chr(c)],
                makes_final=ranges([c for c in codes if (chr(c) + "Σ").lower()[-1] == "ς"]),
                looks_back=ranges([c for c in codes if ("A" + chr(c) + "Σ").lower()[-1] == "ς" and (chr(c) + "Σ").lower()[-1] != "ς"]),
                assigned=ranges(codes),
                space=[c for c in codes if chr(c).isspace()])


assert sacrebleu.__version__ == "2.6.0", sacrebleu.__version__
golden = dict(sets=[dict(name=name, hypotheses=h, references=r, bleu=[bleu_case(h, r, o) for o in BLEU_OPTIONS],
                         chrf=[chrf_case(h, r, o) for o in CHRF_OPTIONS]) for name, h, r in sets()],
              tokens=[[t, line, " ".join(BLEU(tokenize=t)._preprocess_segment(line).split())] for t in ("13a", "char", "none") for line in ODD],
              lower_case=lower_case())
path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("golden.json")
path.write_text(json.dumps(golden, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
