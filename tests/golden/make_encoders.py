# Writes tests/golden/<case>/ for BERT and its kin, and for decoders with other heads than the language head, each with one head: config.json, model.safetensors and
# golden.safetensors, the numbers that transformers computes from them in f32, without dropout.
#
#   python3 make_encoders.py [CASE...]        (needs torch and transformers 5; every file comes out the same each time)
#
# golden.safetensors holds, for texts packed one after the other (nothing is padded):
#   source.ids, source.types                  i32 [tokens]      types: where the family has segments
#   source.offsets                            i32 [n + 1]       text i is tokens offsets[i] .. offsets[i + 1] - 1
#   labels                                    i32 [tokens]      of masked words or tags, or 1 of replaced words; -1: there is none
#   text.labels, text.starts, text.ends       i32 [n]           as in struct batch_text; text.values f32 [n]
#   text.groups                               i32 [n]
# (of decoders "decoder" instead of "encoder")
#   encoder.hidden.L                          f32 [tokens, d]   0: the embeddings' output
#   encoder_attention.L                       f32 [heads, queries, keys]   of text 1 (counted from 0)
#   rows                                      f32 [tokens, c]   logits of the vocabulary, the tags, replaced words, or start and end
#   texts                                     f32 [n, c]        logits of the classes or choices
#   pooled                                    f32 [n, d]        pooler_output of the models that have one
#   loss                                      f32 [1]           mean over the targets; of pre-training the sum of both means
#   grad/<tensor>                             of loss, for every tensor of model.safetensors
#   steps.losses, steps.norms                 f32 [10]          as in make_translation.py
import copy
import sys

import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss

import tiny

LENGTHS = (6, 9, 3, 5)
SHOWN = 1  # the text whose attention is written

SMALL = dict(vocab_size=37, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=20,
             max_position_embeddings=16, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
DISTILBERT = dict(vocab_size=37, dim=16, n_layers=2, n_heads=2, hidden_dim=20, max_position_embeddings=16, dropout=0.0,
                  attention_dropout=0.0, qa_dropout=0.0, seq_classif_dropout=0.0)
ELECTRA = dict(SMALL, embedding_size=12, summary_last_dropout=0.0)
ALBERT = dict(SMALL, embedding_size=12, num_hidden_layers=4, num_hidden_groups=2, classifier_dropout_prob=0.0, bos_token_id=2,
              eos_token_id=3)
GPT = dict(vocab_size=37, n_positions=16, n_embd=16, n_layer=2, n_head=2, embd_pdrop=0.0, resid_pdrop=0.0, attn_pdrop=0.0,
           summary_first_dropout=0.0, bos_token_id=0, eos_token_id=0, use_cache=False)
LLAMA = dict(vocab_size=37, hidden_size=16, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=20,
             max_position_embeddings=16, use_cache=False)
CASES = {
    "bert": ("BertModel", SMALL),
    "bert-pretraining": ("BertForPreTraining", SMALL),
    "bert-masked": ("BertForMaskedLM", dict(SMALL, hidden_act="relu", layer_norm_eps=1e-3, type_vocab_size=3, num_attention_heads=4)),
    "bert-masked-untied": ("BertForMaskedLM", dict(SMALL, tie_word_embeddings=False, hidden_act="gelu_new")),
    "bert-next-sentence": ("BertForNextSentencePrediction", SMALL),
    "bert-classify": ("BertForSequenceClassification", dict(SMALL, num_labels=3, hidden_act="silu")),
    "bert-regress": ("BertForSequenceClassification", dict(SMALL, num_labels=1)),
    "bert-tag": ("BertForTokenClassification", dict(SMALL, num_labels=5)),
    "bert-span": ("BertForQuestionAnswering", SMALL),
    "bert-choice": ("BertForMultipleChoice", SMALL),
    "roberta-masked": ("RobertaForMaskedLM", dict(SMALL, type_vocab_size=1, hidden_act="relu")),
    "roberta-classify": ("RobertaForSequenceClassification", dict(SMALL, num_labels=4, pad_token_id=4)),
    "roberta-choice": ("RobertaForMultipleChoice", SMALL),
    "xlm-roberta-tag": ("XLMRobertaForTokenClassification", dict(SMALL, num_labels=5, type_vocab_size=1)),
    "xlm-roberta-masked": ("XLMRobertaForMaskedLM", SMALL),
    "distilbert": ("DistilBertModel", DISTILBERT),
    "distilbert-masked": ("DistilBertForMaskedLM", DISTILBERT),
    "distilbert-classify": ("DistilBertForSequenceClassification", dict(DISTILBERT, num_labels=3, activation="relu")),
    "distilbert-span": ("DistilBertForQuestionAnswering", DISTILBERT),
    "distilbert-choice": ("DistilBertForMultipleChoice", DISTILBERT),
    "electra": ("ElectraModel", dict(ELECTRA, embedding_size=16)),
    "electra-masked": ("ElectraForMaskedLM", dict(ELECTRA, hidden_act="relu")),
    "electra-classify": ("ElectraForSequenceClassification", dict(ELECTRA, num_labels=3)),
    "electra-tag": ("ElectraForTokenClassification", dict(ELECTRA, num_labels=3)),
    "electra-replaced": ("ElectraForPreTraining", ELECTRA),
    "electra-choice": ("ElectraForMultipleChoice", ELECTRA),
    "albert-pretraining": ("AlbertForPreTraining", ALBERT),
    "albert-classify": ("AlbertForSequenceClassification", dict(ALBERT, num_labels=3, hidden_act="gelu", num_hidden_groups=1)),
    "albert-span": ("AlbertForQuestionAnswering", dict(ALBERT, embedding_size=16)),
    "albert-choice": ("AlbertForMultipleChoice", ALBERT),
    "mpnet": ("MPNetModel", SMALL),
    "mpnet-masked": ("MPNetForMaskedLM", SMALL),
    "mpnet-classify": ("MPNetForSequenceClassification", dict(SMALL, num_labels=3, num_attention_heads=4)),
    "mpnet-tag-long": ("MPNetForTokenClassification", dict(SMALL, num_labels=4, vocab_size=29, num_hidden_layers=1,
                                                           max_position_embeddings=200)),
    "gpt2-classify": ("GPT2ForSequenceClassification", dict(GPT, num_labels=3)),
    "gpt2-tag": ("GPT2ForTokenClassification", dict(GPT, num_labels=4)),
    "gpt2-span": ("GPT2ForQuestionAnswering", GPT),
    "gpt2-double": ("GPT2DoubleHeadsModel", dict(GPT, num_labels=1)),
    "openai-gpt-double": ("OpenAIGPTDoubleHeadsModel", dict(GPT, num_labels=1)),
    "openai-gpt-classify": ("OpenAIGPTForSequenceClassification", dict(GPT, num_labels=3)),
    "llama-classify": ("LlamaForSequenceClassification", dict(LLAMA, num_labels=3)),
    "llama-tag": ("LlamaForTokenClassification", dict(LLAMA, num_labels=3)),
}
LONG = (140, 33, 5)  # beyond the largest distance of relative positions


def tells_replaced(model):
    return type(model).__name__ == "ElectraForPreTraining"


def make_batch(model, case, seed):
    config = model.config
    generator = torch.Generator().manual_seed(seed)
    lengths = LONG if case.endswith("long") else LENGTHS

    def draw(n, count):
        return torch.randint(n, (count,), generator=generator)

    ordinary = torch.tensor([i for i in range(config.vocab_size) if i != config.pad_token_id])
    total, count = sum(lengths), len(lengths)
    batch = {"source.ids": ordinary[draw(len(ordinary), total)],
             "source.offsets": torch.tensor([0, *lengths]).cumsum(0),
             "text.groups": torch.arange(count) // 2, "text.values": torch.randn(count, generator=generator)}
    if getattr(config, "type_vocab_size", 0):
        batch["source.types"] = draw(config.type_vocab_size, total)
    name = type(model).__name__
    language = any(part in name for part in ("MaskedLM", "PreTraining", "Double")) and not tells_replaced(model)
    rows = config.vocab_size if language else config.num_labels
    labels = draw(rows, total)
    labels[draw(3, total) > 0] = -1
    batch["labels"] = labels
    batch["text.labels"] = 1 - torch.arange(count) % 2 if "Choice" in name or "Double" in name else draw(config.num_labels, count)
    batch["text.starts"], batch["text.ends"] = (torch.stack([draw(n, 1)[0] for n in lengths]) for _ in range(2))
    return batch


def sequences(batch, name):
    return batch[name].split(batch["source.offsets"].diff().tolist())


def forward(model, batch, **wanted):
    """One output per text, each computed alone, so that no mask and no padding can matter."""
    outputs = []
    for i, ids in enumerate(sequences(batch, "source.ids")):
        inputs = dict(input_ids=ids[None])
        if "source.types" in batch:
            inputs["token_type_ids"] = sequences(batch, "source.types")[i][None]
        if "Choice" in type(model).__name__ or "Double" in type(model).__name__:
            inputs = {name: tensor[None] for name, tensor in inputs.items()}
        outputs.append(model(**inputs, **wanted))
    return outputs


def logits_of(outputs):
    """rows, texts: the logits of all tokens and of all texts, as far as the head has them."""
    first = outputs[0]
    if hasattr(first, "mc_logits"):
        return torch.cat([o.logits[0, 0] for o in outputs]), torch.cat([o.mc_logits.reshape(1, 1) for o in outputs])
    if hasattr(first, "prediction_logits"):
        rows = [o.prediction_logits[0] for o in outputs]
        return torch.cat(rows), torch.cat([o.seq_relationship_logits if hasattr(o, "seq_relationship_logits") else o.sop_logits for o in outputs])
    if type(first).__name__ == "ElectraForPreTrainingOutput":
        return torch.cat([o.logits.T for o in outputs]), None
    if hasattr(first, "start_logits"):
        return torch.cat([torch.stack([o.start_logits[0], o.end_logits[0]], 1) for o in outputs]), None
    if not hasattr(first, "logits"):
        return None, None
    if first.logits.dim() == 3:
        return torch.cat([o.logits[0] for o in outputs]), None
    return None, torch.cat([o.logits for o in outputs])


def batch_loss(model, batch):
    name = type(model).__name__
    rows, texts = logits_of(forward(model, batch))
    if tells_replaced(model):  # as its own loss: the mean over the tokens that count
        counted = batch["labels"] >= 0
        return binary_cross_entropy_with_logits(rows[counted, 0], batch["labels"][counted].to(rows.dtype))
    if "QuestionAnswering" in name:
        parts = rows.split(batch["source.offsets"].diff().tolist())
        return torch.stack([cross_entropy(part.T, torch.stack([start, end]))
                            for part, start, end in zip(parts, batch["text.starts"], batch["text.ends"])]).mean()
    if "Choice" in name or "Double" in name:
        scores = texts[:, 0].split(2)
        of_texts = torch.stack([cross_entropy(s[None], torch.tensor([0])) for s in scores]).mean()
        return of_texts + (cross_entropy(rows, batch["labels"], ignore_index=-1) if "Double" in name else 0)
    if texts is not None and texts.shape[1] == 1:
        return mse_loss(texts[:, 0], batch["text.values"].to(texts.dtype))
    of_rows = cross_entropy(rows, batch["labels"], ignore_index=-1) if rows is not None else 0
    return of_rows + (cross_entropy(texts, batch["text.labels"]) if texts is not None else 0)


@torch.no_grad()
def numbers_of_forward(model, batch):
    outputs = forward(model, batch, output_hidden_states=True, output_attentions=True)
    rows, texts = logits_of(outputs)
    golden = {}
    if rows is not None:
        golden["rows"] = rows
    if texts is not None:
        golden["texts"] = texts
    if getattr(outputs[0], "pooler_output", None) is not None:
        golden["pooled"] = torch.cat([o.pooler_output for o in outputs])
    side = "decoder" if any(part in type(model).__name__ for part in ("GPT", "Llama")) else "encoder"
    for layer, states in enumerate(zip(*(o.hidden_states for o in outputs))):
        golden[f"{side}.hidden.{layer}"] = torch.cat([s.reshape(-1, s.shape[-1]) for s in states])
    for layer, weights in enumerate(outputs[SHOWN].attentions):
        golden[f"{side}_attention.{layer}"] = weights[0]
    return golden


def numbers(model, batch, stored):
    golden = numbers_of_forward(model, batch)
    if "For" not in type(model).__name__ and "Heads" not in type(model).__name__:
        return golden  # without a head there is nothing to learn
    parameters = dict(model.named_parameters(remove_duplicate=False))
    model.zero_grad()
    loss = batch_loss(model, batch)
    loss.backward()
    golden["loss"] = loss.detach()[None]
    golden |= {"grad/" + name: p.grad.clone() for name, p in parameters.items() if name in stored and p.grad is not None}
    return golden | tiny.numbers_of_training(copy.deepcopy(model), lambda model: batch_loss(model, batch))


def make_case(case):
    class_name, keys = CASES[case]
    model_class = getattr(transformers, class_name)
    model = model_class._from_config(model_class.config_class(**keys), attn_implementation="eager").eval()
    tiny.randomise(model, seed=1, gain=1.1)
    path = tiny.save(model, case, generation_config=True)
    model = model_class.from_pretrained(path, attn_implementation="eager").eval()
    batch = make_batch(model, case, seed=2)
    with safe_open(path + "/model.safetensors", "pt") as file:
        stored = set(file.keys())
    if class_name == "OpenAIGPTDoubleHeadsModel":  # its file has the tied matrix under the head's name, those of its kin don't
        stored.add("transformer.tokens_embed.weight")
        stored.remove("lm_head.weight")
    golden = numbers(model, batch, stored)
    distance, name = tiny.worst_rounding(golden, numbers(copy.deepcopy(model).double(), batch, stored))
    described = {name: t if t.is_floating_point() else t.int() for name, t in batch.items()}
    save_file({n: t.contiguous() for n, t in (golden | described).items()}, path + "/golden.safetensors")
    print(f"{case}: {len(golden)} numbers, furthest from f64: {name} by {distance:.1e}")
    if "loss" in golden:
        print("  losses", *(f"{x:.4f}" for x in golden["steps.losses"]), " first norms", *(f"{x:.2f}" for x in golden["steps.norms"][:3]))


if __name__ == "__main__":
    for case in sys.argv[1:] or CASES:
        make_case(case)
