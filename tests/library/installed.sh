#!/bin/bash
# Installs into a folder of its own and uses what is there as a stranger would: the command, pkg-config, the example programs
# against the shared and the static library.
#   installed.sh BUILD_FOLDER MESON COMPILER FLAGS
# FLAGS: what the library was built with that a program has to be linked with, too (sanitizers).
. "$(dirname "$0")/../cli/case.sh"
. "$(dirname "$0")/../cli/words.sh"
build=$1 meson=$2 compiler=$3 flags=${4:-}

DESTDIR=$work/root "$meson" install -C "$build" --no-rebuild > install.log 2>&1
check "meson install works with DESTDIR" grep -q qkv.h install.log
prefix=$(dirname "$(dirname "$(find root -name qkv -path '*/bin/*')")")
library=$(dirname "$(find root -name libqkv.so)")
for file in include/qkv.h share/man/man1/qkv.1 share/bash-completion/completions/qkv share/zsh/site-functions/_qkv bin/qkv; do
  check "$file is installed" test -s "$prefix/$file"
done
for file in libqkv.so libqkv.a pkgconfig/qkv.pc; do check "$file is installed" test -s "$library/$file"; done
check "the shared library has a soname with its major version" bash -c "readelf -d '$library/libqkv.so' | grep -q 'SONAME.*libqkv.so.[0-9]'"
run 0 "$prefix/bin/qkv" --version
check "nothing but the library, the command, their pages and completions" test "$(find root -type f | wc -l)" -eq 8

export PKG_CONFIG_PATH=$work/$library/pkgconfig PKG_CONFIG_SYSROOT_DIR=$work/root LD_LIBRARY_PATH=$work/$library
check "pkg-config knows the version" test "$(pkg-config --modversion qkv)" = "$VERSION"
words_model marian-generate model
words_model gpt2-generate language
printf 'w5 w6 w7\n\nw5 w9 w11 w2\nw4\n' > source.txt
for i in $(seq 1 600); do echo "the dog number $i runs $((i % 5))"; done > train.en
for i in $(seq 1 600); do echo "der hund nummer $i rennt $((i % 5))"; done > train.de

for kind in shared static; do
  if [ $kind = shared ]; then link=$(pkg-config --cflags --libs qkv); else link="$(pkg-config --cflags qkv) $library/libqkv.a $(pkg-config --static --libs qkv | sed 's/-lqkv//')"; fi
  for example in translate_file generate_text train_translator look_inside; do
    # shellcheck disable=SC2086
    check "$example builds with the $kind library" $compiler $flags -Wall -Wextra -Werror "$SOURCE/examples/$example.c" $link -o "$example.$kind"
  done
  run 0 "./translate_file.$kind" model source.txt
  cp out "translated.$kind"
  "$prefix/bin/qkv" translate model source.txt --beam 4 --quiet > wanted 2> /dev/null
  check "translate_file gives what qkv translate gives ($kind)" cmp "translated.$kind" wanted
  run 0 "./look_inside.$kind" model "w5 w6 w7" "w6 w26"
  out_has "w5 | w6 | w7 | </s>"
  out_has "the most probable first token: w"
  run 0 "./generate_text.$kind" language "w15 w3 <pad>"
  out_has "w15 w3 <pad>"  # what follows is drawn, by numbers that differ a little among processors
  out_has " tokens, log-probability -"
  run 1 "./generate_text.$kind" model "w15"
  run 1 "./translate_file.$kind" nowhere source.txt
  err_has "nowhere"
done
check "the static example needs no libqkv.so" bash -c "! ldd ./translate_file.static | grep -q libqkv"
run 0 ./train_translator.shared trained train.en train.de 3
check "train_translator leaves a model" test -s trained/model.safetensors
run 0 "$prefix/bin/qkv" translate trained train.en --max-length 5 --quiet
check "that translates" test "$(wc -l < out)" -eq 600
if command -v g++ > /dev/null; then
  printf '#include <qkv.h>\nint main() { return qkv_version()[0] == 0; }\n' > plus.cpp
  # shellcheck disable=SC2046
  check "the header is C++, too" g++ -Wall -Wextra -Werror plus.cpp $(pkg-config --cflags --libs qkv) -o plus
fi
finish
