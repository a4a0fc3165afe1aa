"""`key_lines` finds the line of every key of a TOML document."""

import tomllib
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from auditor.settings.problems import Path
from auditor.settings.toml_lines import key_lines, line_of

DOCUMENT = '''\
# a comment with = and [brackets]
store = "a # b"  # one more
"quoted key" = 1
run.batch_size = 3

[[partner]]
name = 'one'
countries = [
  "DE",   # with ] in a comment
  [ "nested", """
  long ] string\\""" """],
  "FR" ]
[partner.limits]
catalog = 1
[[partner]]
[partner.limits]
catalog = 2
[[partner.inner]]
a = 1
[[partner.inner]]
a = { b = 1, c = [1, { d = 2 }] }
[ scope . "deep er" ]
when = 2027-01-31 10:00:00
'''


def test_every_kind_of_key_is_found() -> None:
    lines = key_lines(DOCUMENT)
    expected: dict[Path, int] = {
        ("store",): 2,
        ("quoted key",): 3,
        ("run",): 4,
        ("run", "batch_size"): 4,
        ("partner",): 6,
        ("partner", 0): 6,
        ("partner", 0, "name"): 7,
        ("partner", 0, "countries"): 8,
        ("partner", 0, "countries", 0): 9,
        ("partner", 0, "countries", 1): 10,
        ("partner", 0, "countries", 1, 1): 10,
        ("partner", 0, "countries", 2): 12,
        ("partner", 0, "limits"): 13,
        ("partner", 0, "limits", "catalog"): 14,
        ("partner", 1): 15,
        ("partner", 1, "limits", "catalog"): 17,
        ("partner", 1, "inner", 0, "a"): 19,
        ("partner", 1, "inner", 1, "a", "c", 1, "d"): 21,
        ("scope", "deep er"): 22,
        ("scope", "deep er", "when"): 23,
    }
    assert {path: lines.get(path) for path in expected} == expected
    tomllib.loads(DOCUMENT)


def test_a_missing_key_has_the_line_of_its_table() -> None:
    lines = key_lines(DOCUMENT)
    assert line_of(("partner", 0, "tenant_id"), lines) == 6
    assert line_of(("partner", 1, "limits", "inventory"), lines) == 16
    assert line_of(("nowhere",), lines) == 0


KEYS = st.text("abc", min_size=1, max_size=3)
TEXTS = st.text(st.sampled_from("ab#[]{}=,.'\\ \t\n")).map(
    lambda text: '"' + text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t") + '"'
) | st.sampled_from(["'a]b'", '"""a\n"b" \\" ] # {"""', "'''\n'x' # '''", '"""x"""""'])
VALUES = st.recursive(
    TEXTS | st.sampled_from(["1", "-1.5e3", "true", "2027-01-31", "07:32:00"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[\n# ]\n" + ",\n".join(items) + " ]")
        | st.dictionaries(KEYS, inner, max_size=3).map(
            lambda pairs: "{ " + ", ".join(f"{k} = {v}" for k, v in pairs.items()) + " }"
        )
    ),
    max_leaves=6,
)
TABLES = st.lists(
    st.tuples(
        st.sampled_from(["[{}]\n", "[[{}]]\n", "[ {} ] # x\n"]),
        st.lists(KEYS, min_size=1, max_size=2).map(".".join),
        st.dictionaries(KEYS, VALUES, max_size=3),
    ),
    max_size=5,
)


def keys_of(value: object, path: Path) -> Iterator[Path]:
    if path:
        yield path
    match value:
        case dict():
            for key, each in value.items():
                yield from keys_of(each, (*path, key))
        case list():
            for index, each in enumerate(value):
                yield from keys_of(each, (*path, index))
        case _:
            pass


@given(tables=TABLES)
def test_each_key_of_each_document_has_its_line(
    tables: list[tuple[str, str, dict[str, str]]],
) -> None:
    document = "".join(
        header.format(name) + "".join(f"{key} = {value}\n" for key, value in pairs.items())
        for header, name, pairs in tables
    )
    try:
        parsed = tomllib.loads(document)
    except tomllib.TOMLDecodeError:
        return  # not valid TOML, for example the same table twice
    lines = key_lines(document)
    text = document.split("\n")
    for path in keys_of(parsed, ()):
        words = [step for step in path if isinstance(step, str)]
        line = line_of(path, lines)
        if isinstance(path[-1], str):
            assert path in lines or path[:-1] == ()
            assert words[-1] in text[line - 1]
        assert 1 <= line <= len(text)


def test_a_document_nested_too_deep_gives_no_lines() -> None:
    assert key_lines("a = " + "[" * 10_000 + "]" * 10_000) == {}
