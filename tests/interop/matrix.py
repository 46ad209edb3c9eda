"""The matrix as text: a Markdown table, the same on the terminal and in README.md."""

import os
import re

README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "README.md")
BEGIN, END = "<!-- matrix -->\n", "<!-- end of matrix -->\n"
PASSED, FAILED, LACKS, NOT_RUN = "✓", "✗", "–", "not run"


class Matrix:
    """Cells by (row name, column name); notes are numbered in the order of the table."""

    def __init__(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.cells = {}
        self.reasons = {}

    def put(self, row, column, mark, reason=""):
        self.cells[row.name, column.name] = mark
        if reason:
            self.reasons[row.name, column.name] = reason

    def table(self):
        """The table and its footnotes: what a client lacks, or shows in another way."""
        notes = []
        lines = ["| | " + " | ".join(column.title for column in self.columns) + " |",
                 "|---|" + ":-:|" * len(self.columns)]
        for row in self.rows:
            cells = [self._cell(row, column, notes) for column in self.columns]
            lines.append(f"| {row.text} | " + " | ".join(cells) + " |")
        lines.append("")
        lines += [f"{number}. {note}." for number, note in enumerate(notes, 1)]
        return "\n".join(lines) + "\n"

    def _cell(self, row, column, notes):
        mark = self.cells.get((row.name, column.name), NOT_RUN)
        note = column.lacks.get(row.name) or column.notes.get(row.name)
        if note is None and row.name in column.needs_peer:
            note = "Proton Python gives the outcome: this client has no means to say why"
        if note is None or mark in (FAILED, NOT_RUN):
            return mark
        if note not in notes:
            notes.append(note)
        return f"{mark} [{notes.index(note) + 1}]"


def kept():
    """The table in README.md."""
    with open(README, encoding="utf-8") as file:
        found = re.search(re.escape(BEGIN) + "(.*?)" + re.escape(END), file.read(), re.S)
    return found.group(1) if found else ""


def differences(table, matrix, columns):
    """Lines that tell where a kept table and a run differ in these columns. Only marks count:
    footnotes come from the sources."""
    lines = [[cell.strip() for cell in line.strip("|\n").split("|")]
             for line in table.splitlines() if line.startswith("|")]
    was = {}
    for line in lines[2:]:
        for title, said in zip(lines[0][1:], line[1:]):
            was[line[0], title] = said.split(" [")[0]
    found = []
    for row in matrix.rows:
        for column in columns:
            now = matrix.cells[row.name, column.name]
            kept_mark = was.pop((row.text, column.title), "nothing")
            if now not in (kept_mark, NOT_RUN):
                found.append(f"  {column.title}: {row.text}: {now}, README.md has {kept_mark}")
    titles = {column.title for column in columns}
    texts = {row.text for row in matrix.rows}
    found += [f"  README.md has a row or column too many: {title}: {text}"
              for text, title in was if text not in texts or title in titles]
    return found


def keep(table):
    with open(README, encoding="utf-8") as file:
        text = file.read()
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    with open(README, "w", encoding="utf-8") as file:
        file.write(text[:begin] + table + text[end:])
