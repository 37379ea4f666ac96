# What all scripts of this folder share: options, files, a tokenizer and its ids, one JSON line of figures.
import os
import sys

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")

import importlib.metadata
import json
import resource
import statistics

PACKAGES = ("torch", "transformers", "tokenizers", "ctranslate2", "sacrebleu")


def all_threads():
    return len(os.sched_getaffinity(0))


def read_lines(path):
    with open(path, encoding="utf-8", newline="\n") as file:
        return [line.rstrip("\r\n") for line in file]


def write_lines(path, lines):
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(line + "\n" for line in lines)


class Text:
    """Text to ids that end with the end token, and back, with whatever tokenizer the directory holds."""

    def __init__(self, directory):
        from transformers import AutoTokenizer
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()
        self.tokenizer = AutoTokenizer.from_pretrained(directory)
        self.end, self.padding = self.tokenizer.eos_token_id, self.tokenizer.pad_token_id

    def ids(self, lines):
        rows = self.tokenizer(lines, add_special_tokens=False)["input_ids"]
        return [row + [self.end] for row in rows]

    def lines(self, rows):
        return self.tokenizer.batch_decode(rows, skip_special_tokens=True)


def processor():
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return "unknown"


def report(**figures):
    """The one line on stdout. Peak memory is that of this process since its start."""
    def version(name):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return None

    print(json.dumps(figures | dict(
        peak_rss_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        processor=processor(),
        versions={name: version(name) for name in PACKAGES if name in sys.modules},
    )))


def median(values):
    return round(statistics.median(values), 1)
