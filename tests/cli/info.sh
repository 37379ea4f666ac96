#!/bin/bash
# qkv info: what it says of known models, in both forms, without a tokenizer, and of what is no model.
. "$(dirname "$0")/case.sh"
golden=$SOURCE/tests/golden

run 0 "$QKV" info "$golden/marian-unshared"
err_empty
for fact in 'layout               marian' 'family               encoder-decoder' 'parameters           10,632' 'hidden               20' \
  'vocabulary.source    53' 'vocabulary.target    67' 'embeddings.shared    no' 'head.tied            yes' 'activation           silu' \
  'norm.place           after each sublayer (post)' 'norm.epsilon         1e-05' 'tokenizer            none in the directory' \
  'file.dtype           f32' 'id.padding           52'; do
  out_has "$fact"
done
run 0 "$QKV" info "$golden/pegasus"
out_has 'norm.place           before each sublayer (pre)'
run 0 "$QKV" info "$golden/marian-bf16"
out_has 'file.dtype           bf16'

run 0 "$QKV" info "$golden/marian-sharded" --format json
for fact in '"layout": "marian"' '"parameters": 58688' '"encoder.layers": 2' '"decoder.layers": 3' '"file.shards": 4' '"head.tied": true' \
  '"norm.epsilon": 1e-05'; do
  out_has "$fact"
done
run 0 "$QKV" info "$golden/marian" --tensors
out_has "$(printf 'model.decoder.layers.2.fc1.weight\tF32\t[64, 32]')"
run 0 "$QKV" info "$golden/marian" --tensors --format json -o info.json
out_empty
check "the file holds the tensors" grep -qF '"model.shared.weight": {"dtype": "F32", "shape": [97, 32]}' info.json

run 0 "$QKV" info "$golden/llama-yarn"
for fact in 'layout               llama' 'norm                 rms' 'positions            rotary' 'rotary.base          1000' 'rotary.scaling       yarn' \
  'rotary.factor        4' 'activation.gated     yes' 'head.tied            no'; do
  out_has "$fact"
done
run 0 "$QKV" info "$golden/llama"
out_has 'decoder.kv_heads     2'
run 0 "$QKV" info "$golden/gpt2"
out_has 'architecture         GPT2LMHeadModel'
out_has 'context.1024.cells   1,048,576'
QKV_CPU=avx2 run 0 "$QKV" info "$golden/gpt2"
out_has 'context.1024.cache   786 KB'  # half of it where there is bf16
check "a model that fits the caches has no bound by memory" test "$(grep -c 'context.*rate' out)" -eq 0

run 2 "$QKV" info
run 1 "$QKV" info "$work"
err_has 'no config.json there'
run 1 "$QKV" info "$golden/nothing"
err_has 'there is no such directory'
mkdir damaged
cp "$golden/marian/config.json" damaged
head -c 100000 "$golden/marian/model.safetensors" > damaged/model.safetensors
run 1 "$QKV" info damaged
err_has 'cut off: '
run 1 "$QKV" forward damaged --ids "5 6" --decoder-ids "96"
err_has 'cut off: '
printf '{"model_type": "t5"}' > damaged/config.json
run 1 "$QKV" info damaged
err_has '"model_type" is "t5"; qkv reads marian, pegasus, '
finish
