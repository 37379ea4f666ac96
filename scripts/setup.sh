#!/bin/bash
# Installs what building and testing qkv needs on Debian and Ubuntu, as root or through sudo. Where neither works it
# prints the line to run. Words given as arguments are further packages: scripts/setup.sh clang
set -eu
packages=(gcc libc6-dev meson ninja-build pkg-config libcjson-dev libutf8proc-dev libpcre2-dev libcmocka-dev "$@")

if ! command -v dpkg-query > /dev/null; then
  echo "This is no Debian. qkv wants a C compiler, Meson, Ninja, pkg-config, cJSON, utf8proc, PCRE2 and cmocka; going on with what there is."
  exit 0
fi
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2> /dev/null | grep -q ' installed$' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

install="apt-get install -y --no-install-recommends ${missing[*]}"
echo "Installing: ${missing[*]}"
if [ "$(id -u)" -eq 0 ]; then
  as_root=()
elif command -v sudo > /dev/null && sudo -v; then
  as_root=(sudo)
else
  echo "This needs root. Run this line as root, then start again:"
  echo "  apt-get update && $install"
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -q > /dev/null
# shellcheck disable=SC2086
"${as_root[@]}" $install -q > /dev/null
