"""What a core file of a running process would hold, and more: all memory but what it left out."""

import re


def _mappings(pid):
    """(begin, end, name) of what is readable, in use and not marked as left out ("dd") or as a
    device ("io")."""
    mappings, current = [], None
    with open(f"/proc/{pid}/smaps", encoding="utf-8") as file:
        for line in file:
            head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)", line)
            if head:
                current = (int(head[1], 16), int(head[2], 16), head[4] or "anonymous")
                readable, used = head[3].startswith("r"), False
            elif line.startswith(("Rss:", "Swap:")):
                used |= int(line.split()[1]) > 0
            elif line.startswith("VmFlags:") and readable and used:
                if not {"dd", "io"} & set(line.split()):
                    mappings.append(current)
    return mappings


def places(pid, texts):
    """Where the texts are: {text: ["[stack]+1f0", ...]}, without those that are nowhere."""
    piece = 1 << 20
    overlap = max(len(text) for text in texts)
    found = {}
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for begin, end, name in _mappings(pid):
            for at in range(begin, end, piece):
                try:
                    memory.seek(at)
                    data = memory.read(min(piece + overlap, end - at))
                except OSError:  # unmapped meanwhile
                    continue
                for text in texts:
                    where = data.find(text)
                    while where >= 0:
                        if where < piece:
                            found.setdefault(text, []).append(f"{name}+{at - begin + where:x}")
                        where = data.find(text, where + 1)
    return found
