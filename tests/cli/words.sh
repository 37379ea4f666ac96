# shellcheck shell=bash
# Sourced after case.sh: words_model CASE DIRECTORY copies a golden translator and gives it a tokenizer whose words are the
# letters' numbers: id 0 is </s>, 1 is <unk>, the last is <pad>, and the others are called w2, w3, ...
words_model() {
  local vocabulary
  mkdir -p "$2"
  cp "$SOURCE/tests/golden/$1/config.json" "$SOURCE/tests/golden/$1/model.safetensors" "$2"
  [ -e "$SOURCE/tests/golden/$1/generation_config.json" ] && cp "$SOURCE/tests/golden/$1/generation_config.json" "$2"
  vocabulary=$(sed -n 's/.*"vocab_size": \([0-9]*\).*/\1/p' "$2/config.json" | tail -1)
  {
    echo '{"version": "1.0", "truncation": null, "padding": null, "added_tokens": ['
    echo '{"id": 0, "content": "</s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},'
    echo '{"id": 1, "content": "<unk>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true},'
    echo "{\"id\": $((vocabulary - 1)), \"content\": \"<pad>\", \"single_word\": false, \"lstrip\": false, \"rstrip\": false, \"normalized\": false, \"special\": true}],"
    echo '"normalizer": null, "pre_tokenizer": {"type": "WhitespaceSplit"}, "decoder": null,'
    echo '"post_processor": {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],'
    echo '"pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],'
    echo '"special_tokens": {"</s>": {"id": "</s>", "ids": [0], "tokens": ["</s>"]}}},'
    echo '"model": {"type": "WordLevel", "unk_token": "<unk>", "vocab": {"</s>": 0, "<unk>": 1'
    for ((i = 2; i < vocabulary - 1; i++)); do echo ", \"w$i\": $i"; done
    echo ", \"<pad>\": $((vocabulary - 1))}}}"
  } > "$2/tokenizer.json"
}
