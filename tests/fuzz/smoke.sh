#!/usr/bin/env bash
# One fuzz target: its whole corpus, then mutations of it. What is new in those is thrown away.
#
#   bash tests/fuzz/smoke.sh PROGRAM EXECUTIONS FOLDER
#
# Leaves in FOLDER: NAME.line (executions, covered edges, seconds, for people), NAME.out (the end of
# what it said but for its progress, so with a failure and its input) and NAME.status.
set -uo pipefail
cd "$(dirname "$0")"
program=$1 executions=$2 folder=$3
name=$(basename "$program")
options=(-timeout=10 -seed=1)
[ -f "dictionaries/$name" ] && options+=("-dict=dictionaries/$name")
# A longer program is not played to its end.
length=512
[ "$name" = exchange_fuzz ] && length=192
export ASAN_OPTIONS=malloc_context_size=4
started=$SECONDS
mkdir "$folder/$name"
# Not entropic: to weigh what is in the corpus takes longer than many a target.
"$program" -runs=0 "corpus/$name" > "$folder/$name.log" 2>&1 &&
  "$program" "${options[@]}" -runs="$executions" -max_len="$length" -entropic=0 \
    -artifact_prefix="$folder/$name/" "$folder/$name" "corpus/$name" >> "$folder/$name.log" 2>&1
echo $? > "$folder/$name.status"
edges=$(grep -oE ' cov: [0-9]+' "$folder/$name.log" | tail -n 1)
done=$(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$folder/$name.log" | tail -n 1)
echo "fuzz $name: ${done:-not all} executions,$edges, $((SECONDS - started)) s" > "$folder/$name.line"
grep -v '^#[0-9]' "$folder/$name.log" | tail -n 60 > "$folder/$name.out"
rm -r "${folder:?}/$name" "$folder/$name.log"
