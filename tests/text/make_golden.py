#!/usr/bin/env python3
"""Makes the golden files of the tokenizers: tests/text/golden/NAME/{tokenizer.json,expected.txt}.

Needs the Python packages `tokenizers` (0.23) and the data sets beside the project (../shared/data). For every
configuration it trains a small tokenizer, encodes and decodes

  points    every code point of planes 0 to 3 and the start of plane 14, alone and between two letters, by blocks of 256,
  random    10,000 strings from a generator that the test has, too (see random_string), by blocks of 100,
  text      real text, by blocks of 100 lines; the test skips these where the data is not there,
  pairs     pairs of random strings,

and writes the CRC-32 of each block's ids, types, offsets in characters and decoded texts. Code points about which the two
sides' Unicode tables differ stand in golden/unicode_differences.txt and become "x" on both sides; that file is made by
`make_golden.py --differences QKV`, QKV being the command, from what both say about every code point.
"""
import json, struct, subprocess, sys, tempfile, zlib
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = Path(__file__).resolve().parent
GOLDEN = HERE / "golden"
DATA = HERE.parent.parent.parent / "shared" / "data"
TEXTS = ["multi30k/val.de.txt", "multi30k/val.en.txt", "tatoeba-en-es/valid.es.txt", "wikitext2/valid.txt"]
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def training_lines():
    for name in ["multi30k/val.de.txt", "multi30k/val.en.txt", "tatoeba-en-es/valid.es.txt"]:
        for line in open(DATA / name, encoding="utf-8"):
            yield line.rstrip("\n")
    for line in ["Ünïcödé façade señor ½ ² ﬁ Å Ω 漢字 仮名 한국어 العربية हिन्दी ไทย 😀👍🏽 e\u0301 a\u0308\u0323",
                 "tab\tand  spaces   here", "1234567 12.5 €"]:
        for _ in range(20):
            yield line


def train(tokenizer, trainer):
    tokenizer.train_from_iterator(list(training_lines()), trainer)
    return tokenizer


def bpe(size, **options):
    return trainers.BpeTrainer(vocab_size=size, show_progress=False, **options)


def gpt2():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    t.post_processor = processors.ByteLevel(trim_offsets=True, add_prefix_space=False)
    return train(t, bpe(700, special_tokens=["<|endoftext|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))


def roberta():
    t = Tokenizer(models.BPE(unk_token="<unk>"))
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    t.decoder = decoders.ByteLevel()
    specials = ["<s>", "<pad>", "</s>", "<unk>", AddedToken("<mask>", lstrip=True, special=True)]
    train(t, bpe(700, special_tokens=specials, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    t.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=True, add_prefix_space=True)
    return t


def llama3(pattern=LLAMA3, normalizer=None):
    t = Tokenizer(models.BPE(ignore_merges=True))
    if normalizer:
        t.normalizer = normalizer
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.decoder = decoders.ByteLevel()
    train(t, bpe(700, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    t.add_special_tokens(["<|begin_of_text|>", "<|end_of_text|>", "<s>", "</s>"])
    t.add_tokens(["dog", AddedToken("house", single_word=True), AddedToken("red", rstrip=True, normalized=False)])
    begin = t.token_to_id("<|begin_of_text|>")
    t.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="<|begin_of_text|> $A", pair="<|begin_of_text|> $A <|begin_of_text|>:1 $B:1",
                                      special_tokens=[("<|begin_of_text|>", begin)])])
    return t


def o200k():
    return llama3(O200K, normalizers.NFC())


def llama2():
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                   decoders.Strip(" ", 1, 0)])
    specials = ["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)]
    t.pre_tokenizer = pre_tokenizers.Split(" ", "isolated")
    train(t, bpe(900, special_tokens=specials, limit_alphabet=60))
    # Words end at blanks while learning, but the model is used without a pre-tokenizer, and bytes are no added tokens.
    j = json.loads(t.to_str())
    j["pre_tokenizer"] = None
    j["added_tokens"] = [a for a in j["added_tokens"] if a["content"] in ("<unk>", "<s>", "</s>")]
    j["post_processor"] = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                                                                    {"Sequence": {"id": "A", "type_id": 0}}],
                           "pair": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                                    {"SpecialToken": {"id": "<s>", "type_id": 1}}, {"Sequence": {"id": "B", "type_id": 1}}],
                           "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}}
    return Tokenizer.from_str(json.dumps(j))


def metaspace():
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    t.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Metaspace(prepend_scheme="first"),
                                               pre_tokenizers.Punctuation("isolated")])
    t.decoder = decoders.Metaspace(prepend_scheme="first")
    train(t, bpe(600, special_tokens=["<s>", "</s>", "<unk>"], limit_alphabet=80))
    t.add_tokens([AddedToken("ﬁre", normalized=True), AddedToken("<sep>", rstrip=True, lstrip=True),
                  AddedToken("word", single_word=True)])
    return t


def openai_gpt():
    t = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.BPEDecoder("</w>")
    train(t, bpe(700, special_tokens=["<unk>", "<s>"], end_of_word_suffix="</w>", limit_alphabet=70))
    return t


def word():
    t = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    t.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase(),
                                         normalizers.Strip()])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=True)])
    t.decoder = decoders.WordPiece(cleanup=True)
    t.train_from_iterator(list(training_lines()), trainers.WordLevelTrainer(vocab_size=500, show_progress=False,
                                                                            special_tokens=["[UNK]", "[CLS]", "[SEP]"]))
    t.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    return t


def continuing():
    t = Tokenizer(models.BPE(unk_token="[UNK]", continuing_subword_prefix="##"))
    t.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKD(), normalizers.Strip(left=True, right=False)])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(),
                                               pre_tokenizers.Punctuation("merged_with_previous"),
                                               pre_tokenizers.Digits(individual_digits=False)])
    t.decoder = decoders.WordPiece(prefix="##", cleanup=False)
    train(t, bpe(600, special_tokens=["[UNK]"], continuing_subword_prefix="##", limit_alphabet=90))
    return t


def splits():
    t = Tokenizer(models.BPE(unk_token="?"))
    t.normalizer = normalizers.Sequence([normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=True,
                                                                    strip_accents=True, lowercase=False), normalizers.Lowercase()])
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(r"\bthe\b|\W\w\W"), "isolated"),
        pre_tokenizers.Split(Regex(r"[aeiou]{2}"), "merged_with_next"),
        pre_tokenizers.Split(Regex(r"[\s\d]"), "contiguous"), pre_tokenizers.Split("st", "merged_with_previous"),
        pre_tokenizers.Split(Regex(r"[^-,]+"), "removed", invert=True), pre_tokenizers.CharDelimiterSplit("k"),
        pre_tokenizers.FixedLength(7)])
    train(t, bpe(400, special_tokens=["?"], limit_alphabet=50))
    t.decoder = decoders.Sequence([decoders.Replace(Regex("[xyz]"), "_"), decoders.Fuse()])
    return t


def bert():
    t = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=12))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    train(t, trainers.WordPieceTrainer(vocab_size=700, special_tokens=specials, show_progress=False, limit_alphabet=80))
    t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    t.enable_truncation(40, stride=4, strategy="longest_first")
    return t


def bert_cased():
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False, handle_chinese_chars=False)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.decoder = decoders.WordPiece(cleanup=False)
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", AddedToken("[MASK]", lstrip=True, special=True)]
    train(t, trainers.WordPieceTrainer(vocab_size=900, special_tokens=specials, show_progress=False, limit_alphabet=200))
    t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
                                                     special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    t.enable_truncation(31, strategy="longest_first", direction="left")
    return t


def charsmap_rules():
    """Some of the rules of nmt_nfkc, as sentencepiece compiles them; all of them would be 300 KB."""
    import unicodedata
    rules = {c: "" for c in range(1, 9)} | {9: " ", 10: " ", 0x200B: " ", 0x3000: " ", 0xFFFD: " "}
    some = [range(0xA0, 0x100), range(0xFF01, 0xFF80), range(0xFB00, 0xFB07), range(0x2070, 0x20A0), range(0x1D400, 0x1D420),
            range(0x3300, 0x3310), range(0x0E33, 0x0E34), range(0x0958, 0x0960), range(0xAC00, 0xAC20), range(0xF900, 0xF910)]
    for c in (c for part in some for c in part):
        if unicodedata.normalize("NFKC", chr(c)) != chr(c):
            rules[c] = unicodedata.normalize("NFKC", chr(c))
    lines = [f"{c:X}\t" + " ".join(f"{ord(x):X}" for x in text) for c, text in rules.items()]
    for c in range(0xC0, 0x180):
        parts = unicodedata.normalize("NFD", chr(c))
        if len(parts) > 1:
            lines.append(" ".join(f"{ord(x):X}" for x in parts) + f"\t{c:X}")
    return "\n".join(sorted(lines)) + "\n"


def charsmap():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "rules.tsv").write_text(charsmap_rules())
        train_spm(Path(folder, "spiece.model"), 400, "char", normalization_rule_tsv=folder + "/rules.tsv", hard_vocab_limit=False)
        return read_spm(Path(folder, "spiece.model")).normalizer_spec.precompiled_charsmap


def train_spm(path, size, kind, **options):
    import sentencepiece
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=training_lines(), model_prefix=str(path.with_suffix("")),
                                             vocab_size=size, model_type=kind, minloglevel=9, num_threads=1, **options)
    path.with_suffix(".vocab").unlink()


def read_spm(path):
    from transformers.convert_slow_tokenizer import import_protobuf
    proto = import_protobuf().ModelProto()
    proto.ParseFromString(path.read_bytes())
    return proto


def unigram():
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.Sequence([normalizers.Precompiled(charsmap()), normalizers.Replace(Regex(" {2,}"), " ")])
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.decoder = decoders.Metaspace()
    specials = ["<s>", "<pad>", "</s>", "<unk>"]
    train(t, trainers.UnigramTrainer(vocab_size=700, special_tokens=specials, unk_token="<unk>", show_progress=False))
    t.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    t.post_processor = processors.TemplateProcessing(single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>",
                                                     special_tokens=[("<s>", 0), ("</s>", 2)])
    t.enable_truncation(45, strategy="only_second")
    return t


def unigram_bytes():
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.Replace(" ", "▁")
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    train(t, trainers.UnigramTrainer(vocab_size=300, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False,
                                     max_piece_length=5))
    j = json.loads(t.to_str())
    j["model"]["vocab"] += [[f"<0x{i:02X}>", -9.5] for i in range(256)] + [["\n", -4.25], ["ab\u0301", -7]]
    j["model"]["byte_fallback"] = True
    j["decoder"] = {"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
    j["truncation"] = {"max_length": 300, "strategy": "OnlyFirst", "stride": 0, "direction": "Right"}
    return Tokenizer.from_str(json.dumps(j))


# The older files: what lies in the folder is opened by transformers.

def open_older(folder, tokenizer_class, **config):
    from transformers import AutoTokenizer
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": tokenizer_class} | config) + "\n")
    return AutoTokenizer.from_pretrained(folder).backend_tokenizer


def bert_vocab_txt():
    folder = GOLDEN / "bert_vocab_txt"
    tokens = Tokenizer.from_file(str(GOLDEN / "bert_cased" / "tokenizer.json")).get_vocab()
    (folder / "vocab.txt").write_text("\n".join(sorted(tokens, key=tokens.get)) + "\n")
    return open_older(folder, "BertTokenizer", do_lower_case=False, strip_accents=True, tokenize_chinese_chars=False)


def roberta_merges():
    folder = GOLDEN / "roberta_merges"
    model = json.loads((GOLDEN / "roberta" / "tokenizer.json").read_text())["model"]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in model["merges"]))
    mask = {"__type": "AddedToken", "content": "<mask>", "lstrip": True, "normalized": False, "rstrip": False,
            "single_word": False, "special": True}
    return open_older(folder, "RobertaTokenizerFast", mask_token=mask)


def spm_xlm_roberta():
    folder = GOLDEN / "spm_xlm_roberta"
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        rules.write(charsmap_rules())
        rules.flush()
        train_spm(folder / "sentencepiece.bpe.model", 500, "unigram", normalization_rule_tsv=rules.name)
    mask = {"__type": "AddedToken", "content": "<mask>", "lstrip": True, "normalized": False, "rstrip": False,
            "single_word": False, "special": True}
    return open_older(folder, "XLMRobertaTokenizer", mask_token=mask)


def spm_bytes():
    """A BPE of SentencePiece with bytes for what is unknown; the merges as transformers 4 made them."""
    from transformers.convert_slow_tokenizer import generate_merges
    path = GOLDEN / "spm_bytes" / "tokenizer.model"
    train_spm(path, 700, "bpe", byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False,
              user_defined_symbols=["the house", "\u00e9"])
    proto = read_spm(path)
    scores = {p.piece: p.score for p in proto.pieces}
    vocab = {p.piece: i for i, p in enumerate(proto.pieces)}
    t = Tokenizer(models.BPE(vocab, generate_merges(vocab, scores), unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    for p in proto.pieces:
        if p.type in (2, 3, 4):
            t.add_tokens([AddedToken(p.piece, normalized=False, special=p.type != 4)])
    return t


def characters():
    t = Tokenizer(models.BPE(unk_token="<unk>"))
    t.decoder = decoders.Fuse()
    train(t, bpe(200, special_tokens=["<unk>", "<s>"], limit_alphabet=100))
    return t


def byte_normalizer():
    t = Tokenizer(models.BPE())
    t.normalizer = normalizers.ByteLevel()
    t.pre_tokenizer = pre_tokenizers.Split("Ġ", "merged_with_next")
    t.decoder = decoders.ByteLevel()
    train(t, bpe(500, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    t.add_tokens(["größe", AddedToken("the house", special=False)])
    return t


CASES = [gpt2, roberta, llama3, o200k, llama2, metaspace, openai_gpt, word, continuing, splits, characters, byte_normalizer,
         bert, bert_cased, unigram, unigram_bytes, bert_vocab_txt, roberta_merges,
         spm_xlm_roberta, spm_bytes]
# Those of older files have no tokenizer.json.
OLDER = [bert_vocab_txt, roberta_merges, spm_xlm_roberta, spm_bytes]

# Strings that both sides make --------------------------------------------------------------------------------------------

MASK = (1 << 64) - 1


class Numbers:
    """splitmix64"""

    def __init__(self, seed):
        self.state = seed

    def next(self, n):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
        z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
        return (z ^ z >> 31) % n


RANGES = [(0x20, 0x7E), (0x20, 0x7E), (0x61, 0x7A), (0x61, 0x7A), (0x61, 0x7A), (0x61, 0x7A), (0x9, 0xD), (0x20, 0x20),
          (0x20, 0x20), (0xA0, 0x17F),
          (0x300, 0x36F), (0x370, 0x5FF), (0x900, 0x97F), (0x1100, 0x11FF), (0x2000, 0x206F), (0x3040, 0x30FF),
          (0x4E00, 0x9FFF), (0xAC00, 0xD7A3),
          (0xF900, 0xFAFF), (0xFB00, 0xFBFF), (0xFF00, 0xFFEF), (0x1D400, 0x1D7FF), (0x1F300, 0x1F6FF), (0x1, 0x323AF)]
SNIPPETS = ["<s>", "</s>", "<mask>", "<unk>", " <mask> ", "'s", "'ll", "'RE", "▁", "  ", "\n\n", "\r\n", "dog", "house",
            " house ", "red ", "word", "the ",
            "größe", "the house", "ﬁre", "<sep>", " <sep> ", "[CLS]", "123456", "1", "e\u0301", "o\u0302\u0323", "İ", "ẞ", "Σ", "Ω", "<0x41>", "Ġ", "<|end_of_text|>",
            " do not", "n't", "ab-cd", "a,b", "kick", "\u200b", "\u00a0", "...", "?!"]


def random_string(numbers, allowed):
    out = []
    for _ in range(numbers.next(30)):
        which = numbers.next(len(RANGES) + 8)
        if which >= len(RANGES):
            out.append(SNIPPETS[numbers.next(len(SNIPPETS))])
            continue
        low, high = RANGES[which]
        for _ in range(1 + numbers.next(4)):
            c = low + numbers.next(high - low + 1)
            out.append(chr(c) if allowed(c) else "x")
    return "".join(out)


def read_differences():
    ranges = []
    path = GOLDEN / "unicode_differences.txt"
    for line in open(path, encoding="utf-8") if path.exists() else []:
        if line.strip() and not line.startswith("#"):
            start, _, end = line.split()[0].partition("-")
            ranges.append((int(start, 16), int(end or start, 16)))
    return ranges


def make_allowed(ranges):
    known = set()
    for start, end in ranges:
        known.update(range(start, end + 1))
    return lambda c: c not in known and not 0xD800 <= c <= 0xDFFF


# What is compared --------------------------------------------------------------------------------------------------------

def record(tokenizer, first, second=None):
    """The bytes that stand for one result: numbers as 32-bit little-endian, then the decoded texts.
    A text that truncation refuses is -1."""
    try:
        e = tokenizer.encode(first, second)
    except Exception as refusal:
        assert "runcat" in str(refusal), refusal
        return struct.pack("<i", -1)
    numbers = [len(e.ids)]
    for i, (start, end) in enumerate(e.offsets):
        numbers += [e.ids[i], e.type_ids[i], start, end]
    plain, shown = (tokenizer.decode(e.ids, skip_special_tokens=s).encode() for s in (True, False)) if e.ids else (b"", b"")
    return struct.pack(f"<{len(numbers)}i", *numbers) + plain + b"\0" + shown + b"\0"


def code_point_blocks():
    return list(range(0, 0x323B0, 256)) + list(range(0xE0000, 0xE0200, 256))


def blocks(tokenizer, allowed):
    for start in code_point_blocks():
        crc = 0
        for c in range(start, start + 256):
            if c and allowed(c):
                crc = zlib.crc32(record(tokenizer, chr(c)), crc)
                crc = zlib.crc32(record(tokenizer, "a" + chr(c) + "b"), crc)
        yield f"points {start:X} {crc:08X}"
    numbers = Numbers(20240607)
    for block in range(100):
        crc = 0
        for _ in range(100):
            crc = zlib.crc32(record(tokenizer, random_string(numbers, allowed)), crc)
        yield f"random {block} {crc:08X}"
    crc = 0
    for _ in range(200):
        crc = zlib.crc32(record(tokenizer, random_string(numbers, allowed), random_string(numbers, allowed)), crc)
    yield f"pairs 0 {crc:08X}"
    for name in TEXTS:
        lines = open(DATA / name, encoding="utf-8", newline="\n").read().split("\n")[:1000]
        for start in range(0, len(lines), 100):
            crc = 0
            for line in lines[start:start + 100]:
                crc = zlib.crc32(record(tokenizer, line), crc)
            yield f"{name} {start} {crc:08X}"


# Where the Unicode tables differ -----------------------------------------------------------------------------------------

HEADER = """\
# Code points, START-END, that qkv and tokenizers 0.23.3 treat differently in at least one of the configurations beside this
# file, because their Unicode tables are of different versions; the names are those of the configurations, or of the classes
# of regular expressions that hold the code point on one side only.
#   qkv         utf8proc 2.8 (Unicode 15) for normal forms, marks, categories, case; PCRE2 10.42 (Unicode 14) for patterns
#   tokenizers  unicode-normalization-alignments (Unicode 9) for normal forms and marks, unicode_categories (Unicode 8) for
#               punctuation and controls, Rust and its regex crate (Unicode 16 and later) for words, numbers and case,
#               Oniguruma for patterns
# Made by make_golden.py --differences.
"""


def differing(command, case, tokenizer):
    everything = (c for start in code_point_blocks() for c in range(start, start + 256))
    points = [c for c in everything if c not in (0, 10, 13) and not 0xD800 <= c <= 0xDFFF]
    strings = [s for c in points for s in (chr(c), "a" + chr(c) + "b")]
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="\n") as file:
        file.write("\n".join(strings) + "\n")
        file.flush()
        out = subprocess.run([command, "tokenize", str(GOLDEN / case), file.name, "--format", "json"], capture_output=True,
                             check=True, text=True).stdout
    for i, line in enumerate(out.split("\n")[:-1]):
        mine, theirs = json.loads(line), tokenizer.encode(strings[i])
        if mine["ids"] != theirs.ids or mine["offsets"] != [list(o) for o in theirs.offsets]:
            yield points[i // 2]


CLASSES = [r"\w", r"[\w\s]", r"\d", r"\s", r"\p{L}", r"\p{N}", r"\p{P}", r"\p{M}", r"\p{S}", r"\p{Lu}", r"\p{Ll}", r"\p{Lt}",
           r"\p{Lm}", r"\p{Lo}", r"\p{Han}"]


def differing_classes(command):
    """Code points that a class of regular expressions holds on one side only; inside a longer pattern they may show or not."""
    (GOLDEN / "class").mkdir(exist_ok=True)
    for name in CLASSES:
        split = {"type": "Split", "pattern": {"Regex": name}, "behavior": "Removed", "invert": False}
        model = {"type": "BPE", "unk_token": "?", "vocab": {"?": 0}, "merges": []}
        (GOLDEN / "class" / "tokenizer.json").write_text(json.dumps(
            {"version": "1.0", "added_tokens": [], "normalizer": None, "pre_tokenizer": split, "post_processor": None,
             "decoder": None, "model": model}))
        for c in differing(command, "class", Tokenizer.from_file(str(GOLDEN / "class" / "tokenizer.json"))):
            yield c, name.replace("\\", "").replace("[", "").replace("]", "")
    (GOLDEN / "class" / "tokenizer.json").unlink()
    (GOLDEN / "class").rmdir()


def find_differences(command):
    found = {}
    for c, name in differing_classes(command):
        found.setdefault(c, []).append("class-" + name)
    print("classes", len(found), flush=True)
    for case in CASES:
        (GOLDEN / case.__name__).mkdir(parents=True, exist_ok=True)
        tokenizer = case()
        if case not in OLDER:
            tokenizer.save(str(GOLDEN / case.__name__ / "tokenizer.json"), pretty=False)
        for c in differing(command, case.__name__, tokenizer):
            found.setdefault(c, []).append(case.__name__)
        print(case.__name__, len(found), flush=True)
    lines = []
    for c in sorted(found):
        names = " ".join(sorted(set(found[c])))
        if lines and lines[-1][1] == c - 1 and lines[-1][2] == names:
            lines[-1][1] = c
        else:
            lines.append([c, c, names])
    (GOLDEN / "unicode_differences.txt").write_text(HEADER + "".join(f"{a:X}-{b:X} {n}\n" for a, b, n in lines))


def main():
    if sys.argv[1:2] == ["--differences"]:
        return find_differences(sys.argv[2])
    allowed = make_allowed(read_differences())
    for case in CASES:
        name = case.__name__
        if len(sys.argv) > 1 and name not in sys.argv[1:]:
            continue
        folder = GOLDEN / name
        folder.mkdir(parents=True, exist_ok=True)
        tokenizer = case()
        if case not in OLDER:
            tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
        (folder / "expected.txt").write_text("\n".join(blocks(tokenizer, allowed)) + "\n")
        print(name, sum(f.stat().st_size for f in folder.iterdir()), flush=True)


if __name__ == "__main__":
    main()
