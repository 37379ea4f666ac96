# Makes embeddings.json: vectors of sentences by transformers with the pooling that the model's files name (mean over all tokens,
# then length 1), for tests/api/test_embed.c. Argument: the directory of all-MiniLM-L6-v2.
import json
import pathlib
import sys

import torch
from transformers import AutoModel, AutoTokenizer

TEXTS = ["A man in an orange hat starring at something.", "I deposited money at the bank.", "", "Unaffable words, é ü, and 中文 too!",
         "The river burst its bank after three days of heavy rain, and the fields below the old mill stood under water until May."]

torch.set_num_threads(1)
tokenizer, model = AutoTokenizer.from_pretrained(sys.argv[1]), AutoModel.from_pretrained(sys.argv[1]).eval()
vectors = []
for text in TEXTS:
    with torch.no_grad():
        hidden = model(**tokenizer([text], return_tensors="pt", truncation=True, max_length=256, padding=False)).last_hidden_state[0]
    vectors.append([round(x, 8) for x in torch.nn.functional.normalize(hidden.mean(0), dim=0).tolist()])
path = pathlib.Path(__file__).parent / "embeddings.json"
path.write_text(json.dumps({"texts": TEXTS, "vectors": vectors}) + "\n")
