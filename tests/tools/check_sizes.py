"""Holds the sources against the limits of size: file 600 lines, function 60, includes 20, line 100.

Functions are found by their braces at the indentation that clang-format gives them: a body opens
on a line that ends with '{' and closes with '}' at the indentation of its head.
"""

import pathlib
import re
import subprocess
import sys

FILE_LINES, FUNCTION_LINES, INCLUDES, COLUMNS = 600, 60, 20, 100
INCLUDES_EXEMPT = {"control/daemon/main.cc"}  # the composition root
NOT_A_FUNCTION = re.compile(
    r"^\s*(namespace|class|struct|enum|union|extern|using|typedef|#|//|\*)|=\s*\{$")


def function_sizes(lines):
    """(first line, lines) of every function body."""
    open_at = None
    for number, line in enumerate(lines, 1):
        if open_at is None:
            if line.rstrip().endswith("{") and is_function(lines, number - 1):
                indent = len(line) - len(line.lstrip())
                start = head_of(lines, number - 1)
                indent = len(lines[start]) - len(lines[start].lstrip())
                open_at = (start + 1, indent)
        elif re.match(rf"^ {{{open_at[1]}}}\}}", line):
            yield open_at[0], number - open_at[0] + 1
            open_at = None


def head_of(lines, at):
    """First line of the declaration that ends at line `at`."""
    while at > 0 and not re.search(r"[;{}:]\s*$|^\s*//|^\s*$|^#|>\s*$", lines[at - 1]):
        at -= 1
    return at


def is_function(lines, at):
    head = " ".join(lines[head_of(lines, at): at + 1])
    return "(" in head and not NOT_A_FUNCTION.match(lines[head_of(lines, at)])


def problems(path, text):
    lines = text.splitlines()
    if len(lines) > FILE_LINES:
        yield f"{path}: {len(lines)} lines, at most {FILE_LINES}"
    includes = sum(line.startswith("#include") for line in lines)
    if includes > INCLUDES and str(path) not in INCLUDES_EXEMPT:
        yield f"{path}: {includes} includes, at most {INCLUDES}"
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS:
            yield f"{path}:{number}: {len(line)} columns, at most {COLUMNS}"
    if path.suffix in (".h", ".cc"):
        for start, size in function_sizes(lines):
            if size > FUNCTION_LINES:
                yield f"{path}:{start}: function of {size} lines, at most {FUNCTION_LINES}"


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    files = subprocess.run(["git", "ls-files", "*.h", "*.cc", "*.py", "*.proto"], cwd=root,
                           check=True, capture_output=True, text=True).stdout.split()
    found = [problem for name in files if (root / name).exists()
             for problem in problems(pathlib.Path(name), (root / name).read_text())]
    print("\n".join(found) or f"{len(files)} files within the limits")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
