"""Deliberate bugs, each of which some seed of the simulation has to find.

  python3 tests/sim/mutants.py            all of them, a rebuild and some runs each
  python3 tests/sim/mutants.py NAME…      these
  python3 tests/sim/mutants.py --list     names, and what each breaks
  python3 tests/sim/mutants.py --check    only whether every text is still found, once

Works in a copy of the tree with a build of its own, below ~/.cache/trunkline (TRUNKLINE_CACHE).
The exit status is 1 if a bug is not caught, or if a text is not found exactly once.
"""

import argparse
import dataclasses
import os
import pathlib
import re
import subprocess
import sys
import zlib

from mutations import MUTATIONS

ROOT = pathlib.Path(__file__).resolve().parents[2]
SEEDS = 1000
CHUNK = 100  # seeds of one process
CHUNK_SECONDS = 120


@dataclasses.dataclass
class Caught:
    shards: int
    seed: int
    how: str  # the first violation, which begins with the name of its checker


# --- texts

def occurrences(mutation):
    path = ROOT / mutation.file
    return path.read_text().count(mutation.text) if path.exists() else 0


def misplaced():
    """One line for each mutation whose text is not found exactly once."""
    return [f"{m.name}: its text is found {n} times in {m.file}"
            for m in MUTATIONS if (n := occurrences(m)) != 1]


# --- the copy

def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, errors="replace", **options)


def copy_tree(tree):
    """Makes `tree` what the sources are; files that are the same keep their time."""
    names = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT,
                check=True).stdout.split("\n")
    names = {name for name in names if name and (ROOT / name).is_file()}
    for name in names:
        new, old = ROOT / name, tree / name
        content = new.read_bytes()
        if old.exists() and old.read_bytes() == content:
            continue
        old.parent.mkdir(parents=True, exist_ok=True)
        old.write_bytes(content)
    for old in [path for path in tree.rglob("*") if path.is_file()]:
        if str(old.relative_to(tree)) not in names:
            old.unlink()


def configure(tree, build):
    result = run("cmake", "-S", tree, "-B", build, "-G", "Ninja",
                 "-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache")
    if result.returncode != 0:
        sys.exit(result.stdout + result.stderr)


def compile_simulation(build):
    result = run("ninja", "-C", build, "-j", os.environ.get("JOBS", "2"), "trunkline_sim")
    if result.returncode != 0:
        print(result.stdout[-4000:])
    return result.returncode == 0


# --- runs

def simulate(program, shards, first, last):
    """What went wrong first in these seeds; None: nothing."""
    command = [program, "--seeds", f"{first}..{last}", "--shards", str(shards)]
    try:
        result = run(*command, timeout=CHUNK_SECONDS)
    except subprocess.TimeoutExpired:
        return Caught(shards, first, f"hang: no end within {CHUNK_SECONDS} s")
    failed = re.search(r"^FAILED seed (\d+),.*\n\s+(.*)", result.stdout, re.MULTILINE)
    if failed:
        return Caught(shards, int(failed[1]), failed[2])
    if result.returncode == 0:
        return None
    if first == last:
        said = (result.stderr.strip().splitlines() or ["it says nothing"])[-1]
        return Caught(shards, first, f"crash: status {result.returncode}, {said}")
    for seed in range(first, last + 1):
        if caught := simulate(program, shards, seed, seed):
            return caught
    return Caught(shards, first, f"crash: somewhere in seeds {first} to {last}")


def hunt(program, mutation):
    for first in range(1, SEEDS + 1, CHUNK):
        for shards in mutation.shards:
            if caught := simulate(program, shards, first, first + CHUNK - 1):
                return caught
    return None


def try_out(mutation, tree, build):
    """One line of the table, and whether it was caught."""
    path = tree / mutation.file
    original = path.read_text()
    path.write_text(original.replace(mutation.text, mutation.replacement))
    try:
        if not compile_simulation(build):
            return "DOES NOT COMPILE", False
        caught = hunt(build / "tests" / "trunkline_sim", mutation)
    finally:
        path.write_text(original)
    if caught is None:
        return "NOT CAUGHT", False
    return f"{caught.shards} shards, seed {caught.seed}: {caught.how[:90]}", True


def try_all(mutations):
    home = pathlib.Path.home() / ".cache/trunkline"
    cache = pathlib.Path(os.environ.get("TRUNKLINE_CACHE", home))
    scratch = cache / f"mutants-{zlib.crc32(str(ROOT).encode()):08x}"
    tree, build = scratch / "tree", scratch / "build"
    os.environ.setdefault("CCACHE_DIR", str(cache / "ccache"))
    os.environ["CCACHE_BASEDIR"] = str(tree)
    tree.mkdir(parents=True, exist_ok=True)
    copy_tree(tree)
    configure(tree, build)
    missed = 0
    for mutation in mutations:
        line, caught = try_out(mutation, tree, build)
        missed += not caught
        print(f"{mutation.name:32} {line}", flush=True)
    print(f"{len(mutations) - missed} caught, {missed} not")
    return missed == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    known = {mutation.name: mutation for mutation in MUTATIONS}
    if unknown := [name for name in arguments.names if name not in known]:
        parser.error(f"unknown: {', '.join(unknown)}")
    if arguments.list:
        for mutation in MUTATIONS:
            print(f"{mutation.name:32} {mutation.breaks}")
    problems = misplaced()
    print("\n".join(problems) or f"{len(MUTATIONS)} mutations, each has its place")
    if problems:
        sys.exit(1)
    if not arguments.list and not arguments.check:
        wanted = [known[name] for name in arguments.names] or MUTATIONS
        sys.exit(0 if try_all(wanted) else 1)


if __name__ == "__main__":
    main()
