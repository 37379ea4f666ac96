"""Helper of learnt_in_transformers.sh: writes a text (--text), or checks each directory named on standard input, a line each."""
import random
import sys

if sys.argv[1:] == ["--text"]:
    numbers = random.Random(1)
    words = ["the", "house", "Horse", "größe", "naïve", "ﬁre", "don't", "x2", "12.5", "(yes)", "...", "한국어", "e\u0301", "</s>",
             "A", "İ", "😀", "a-b"]
    words += ["".join(numbers.choice("abcdeörst") for _ in range(numbers.randint(1, 7))) for _ in range(60)]
    for _ in range(400):
        print(" ".join(numbers.choice(words) for _ in range(numbers.randint(0, 12))) + numbers.choice(["", ".", "  ", " !"]))
    sys.exit()

from transformers import AutoTokenizer

text = open("text", encoding="utf-8", newline="\n").read().split("\n")[:-1]
for line in sys.stdin:
    number, layout, title = line.split(maxsplit=2)
    tokenizer = AutoTokenizer.from_pretrained(number)
    ids = [[int(n) for n in l.split()] for l in open(f"{number}/ids")]
    back = open(f"{number}/back", encoding="utf-8", newline="\n").read().split("\n")[:-1]
    wrong = []
    last = len(tokenizer) - 1
    want = {"marian": {"eos": 0, "unk": 1, "pad": last}, "pegasus": {"eos": 1, "unk": 2, "pad": 0},
            "bert": {"pad": 0, "unk": 1, "cls": 2, "sep": 3, "mask": 4}}[layout]
    have = {role: getattr(tokenizer, role + "_token_id") for role in want}
    if have != want:
        wrong.append(f"special ids {have}, wanted {want}")
    if layout == "bert":
        pair = tokenizer("a", "b", return_token_type_ids=True)
        if pair.token_type_ids != [0, 0, 0, 1, 1]:
            wrong.append(f"types of a pair: {pair.token_type_ids}")
    if layout == "bert" and "wordpiece" in title and "nfkc" not in title and "Bert" not in type(tokenizer).__name__:
        wrong.append(f"the class is {type(tokenizer).__name__}, not BERT's")
    if tokenizer.model_max_length != 99:
        wrong.append(f"model_max_length {tokenizer.model_max_length}")
    if sorted(tokenizer.get_vocab().values()) != list(range(len(tokenizer))):
        wrong.append("ids have gaps")
    for source, mine, decoded in zip(text, ids, back):
        theirs = tokenizer(source, verbose=False).input_ids
        if theirs != mine:
            wrong.append(f"{source!r}: {mine}, theirs {theirs}")
        elif tokenizer.decode(mine, skip_special_tokens=True) != decoded:
            wrong.append(f"{mine}: {decoded!r}, theirs {tokenizer.decode(mine, skip_special_tokens=True)!r}")
    if len(ids) != len(text) or len(back) != len(text):
        wrong.append("lines are missing")
    print(f"{'not ok' if wrong else 'ok'} {number} - {layout} {title.strip()}")
    for message in wrong[:5]:
        print("#", message)
