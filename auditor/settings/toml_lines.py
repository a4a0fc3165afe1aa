"""Finds the line of each key in a TOML document; `tomllib` does not report it.

It reads only documents that `tomllib` has accepted, so it checks nothing.
"""

from auditor.settings.problems import Path

_SPACE = " \t"
_BLANK = " \t\r\n"


def key_lines(document: str) -> dict[Path, int]:
    """Return the line of every table, key and list item, counted from 1.

    Empty for a document that is nested too deep: messages then name the key without a line.
    """
    try:
        return _Reader(document).read()
    except RecursionError:
        return {}


def line_of(path: Path, lines: dict[Path, int]) -> int:
    """Return the line of a key, or of the nearest table around it; 0 if neither has a line."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return 0


class _Reader:
    def __init__(self, document: str) -> None:
        self.text = document + "\n"
        self.at = 0
        self.line = 1
        self.lines: dict[Path, int] = {}
        self.tables: dict[Path, int] = {}
        """How many `[[tables]]` of each name were read so far."""

    def read(self) -> dict[Path, int]:
        table: Path = ()
        while self.skip_blank():
            if self.text.startswith("[[", self.at):
                self.move(2)
                table = self.next_of(self.resolved(self.key()))
                self.move(2)
                self.note(table)
            elif self.text[self.at] == "[":
                self.move(1)
                table = self.resolved(self.key(), with_last=True)
                self.move(1)
                self.note(table)
            else:
                self.pair(table)
        return self.lines

    def pair(self, table: Path) -> None:
        """Read `key = value`."""
        line = self.line
        path = (*table, *self.key())
        for end in range(len(table) + 1, len(path) + 1):
            self.lines.setdefault(path[:end], line)
        self.move(1)
        self.value(path)

    def key(self) -> Path:
        """Read a dotted key, up to the `=` or `]` that ends it."""
        words: list[str] = []
        while True:
            self.skip_space()
            if self.text[self.at] in "\"'":
                words.append(self.quoted_key())
            else:
                start = self.at
                while self.text[self.at] not in " \t.=]":
                    self.at += 1
                words.append(self.text[start : self.at])
            self.skip_space()
            if self.text[self.at] != ".":
                return tuple(words)
            self.at += 1

    def quoted_key(self) -> str:
        start = self.at
        self.string()
        return self.text[start + 1 : self.at - 1]

    def value(self, path: Path) -> None:
        self.skip_space()
        match self.text[self.at]:
            case '"' | "'":
                self.string()
            case "[":
                self.items(path)
            case "{":
                self.pairs(path)
            case _:
                while self.text[self.at] not in ",]}#\n":
                    self.at += 1

    def items(self, path: Path) -> None:
        self.move(1)
        index = 0
        while self.skip_blank() and self.text[self.at] != "]":
            self.lines[*path, index] = self.line
            self.value((*path, index))
            index += 1
            self.skip_blank()
            if self.text[self.at] == ",":
                self.move(1)
        self.move(1)

    def pairs(self, path: Path) -> None:
        self.move(1)
        while self.skip_blank() and self.text[self.at] != "}":
            self.pair(path)
            self.skip_blank()
            if self.text[self.at] == ",":
                self.move(1)
        self.move(1)

    def string(self) -> None:
        mark = self.text[self.at]
        long = mark * 3
        if self.text.startswith(long, self.at):
            self.move(3)
            while not self.text.startswith(long, self.at):
                self.move(2 if mark == '"' and self.text[self.at] == "\\" else 1)
            self.move(3)
            while self.text[self.at] == mark:  # up to two more belong to the string
                self.move(1)
            return
        self.move(1)
        while self.text[self.at] != mark:
            self.move(2 if mark == '"' and self.text[self.at] == "\\" else 1)
        self.move(1)

    def resolved(self, key: Path, *, with_last: bool = False) -> Path:
        """Return the path of a header; a `[[table]]` in it is the newest table of that name."""
        path: Path = ()
        for count, step in enumerate(key, start=1):
            path = (*path, step)
            if path in self.tables and (with_last or count < len(key)):
                path = (*path, self.tables[path] - 1)
        return path

    def next_of(self, path: Path) -> Path:
        count = self.tables.get(path, 0)
        self.tables[path] = count + 1
        return (*path, count)

    def note(self, path: Path) -> None:
        for end in range(1, len(path) + 1):
            self.lines.setdefault(path[:end], self.line)

    def move(self, count: int) -> None:
        self.line += self.text.count("\n", self.at, self.at + count)
        self.at += count

    def skip_space(self) -> None:
        while self.text[self.at] in _SPACE:
            self.at += 1

    def skip_blank(self) -> bool:
        """Skip space, line ends and comments; return whether anything follows."""
        while self.at < len(self.text):
            if self.text[self.at] in _BLANK:
                self.move(1)
            elif self.text[self.at] == "#":
                self.at = self.text.index("\n", self.at)
            else:
                return True
        return False
