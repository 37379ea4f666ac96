#!/bin/sh
# Makes the static library that is installed: one object in which only the public symbols are global, so that it cannot
# collide with names of the program that links it.
#   localize.sh COMPILER OBJCOPY AR INTERNAL.a OUT.a
set -eu
compiler=$1 objcopy=$2 ar=$3 internal=$4 out=$5
object=$out.o
rm -f "$out"
# shellcheck disable=SC2086
$compiler -r -nostdlib -o "$object" -Wl,--whole-archive "$internal" -Wl,--no-whole-archive
$objcopy --localize-hidden "$object"
$ar rcsD "$out" "$object"
rm -f "$object"
