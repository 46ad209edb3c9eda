#!/usr/bin/env bash
# Formats the C++ sources with clang-format 14; --check only says what differs.
set -euo pipefail
cd "$(dirname "$0")/../.."
mode=(-i)
[ "${1:-}" = --check ] && mode=(--dry-run -Werror)
git ls-files -z '*.h' '*.cc' | xargs -0 clang-format-14 "${mode[@]}"
