#!/bin/sh
# Makes a CTranslate2 model of a Hugging Face directory: convert_ctranslate2.sh MODEL [OUT [QUANTIZATION]]
# OUT is MODEL-ctranslate2 unless said otherwise, QUANTIZATION float32 (also: int8, bfloat16, float16).
set -eu
model=${1:?usage: convert_ctranslate2.sh MODEL [OUT [QUANTIZATION]]}
model=${model%/}
exec ct2-transformers-converter --model "$model" --output_dir "${2:-$model-ctranslate2}" --quantization "${3:-float32}" --force
