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
    want = {"marian": (0, 1, last), "pegasus": (1, 2, 0)}[layout]
    if (tokenizer.eos_token_id, tokenizer.unk_token_id, tokenizer.pad_token_id) != want:
        wrong.append(f"special ids {tokenizer.eos_token_id} {tokenizer.unk_token_id} {tokenizer.pad_token_id}, wanted {want}")
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
