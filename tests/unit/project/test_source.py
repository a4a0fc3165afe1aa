"""What the source must not contain. No run of the program could show that one is broken."""

import ast
import importlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from re import _constants, _parser  # type: ignore[attr-defined] # how `re` itself reads a pattern
from types import ModuleType

import pytest

import auditor
from auditor.settings.template import template

ROOT = Path(auditor.__file__).parent
PROJECT = ROOT.parent
FILES = sorted(ROOT.rglob("*.py"))
TREES = {str(path.relative_to(ROOT)): ast.parse(path.read_text("utf-8")) for path in FILES}
OURS = {name: tree for name, tree in TREES.items() if not name.startswith("sandbox/")}
"""The sandbox is a server: it listens, and sends nothing."""


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the full name of each imported module."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=str(module)):
                yield module
            case _:
                pass


def named(tree: ast.AST) -> Iterator[str]:
    """Yield each name and attribute in use, and each Boolean argument as `keyword=False`."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                yield name
            case ast.keyword(arg=str(name), value=ast.Constant(value=bool(value))):
                yield f"{name}={value}"
            case _:
                pass


SENDERS = {
    "aiohttp": {"partner_center/transport.py", "partner_center/transport_errors.py"},
    "urllib3": {"https.py"},
    "obstore": {"store/objects/client.py", "store/objects/faults.py"},
    "prometheus_client": {"metrics/exposition.py", "metrics/pushgateway.py"},
    "opentelemetry": {"metrics/traces.py"},
    "openlineage": {"metrics/lineage.py"},
    "urllib.request": set[str](),
    "http.client": set[str](),
    "requests": set[str](),
    "httpx": set[str](),
    "smtplib": set[str](),
    "ftplib": set[str](),
}


@pytest.mark.parametrize("library", SENDERS)
def test_only_the_tested_modules_import_a_library_that_sends(library: str) -> None:
    """S2, S3, S5: these modules follow no redirect, trust no further authority, keep the limits."""
    found = {
        name
        for name, tree in OURS.items()
        if any(each == library or each.startswith(f"{library}.") for each in imported(tree))
    }
    assert found == SENDERS[library]


@pytest.mark.parametrize(
    "banned",
    [
        *("ssl=False", "verify=False", "verify_ssl=False", "check_hostname=False"),
        *("check_hostname", "verify_mode", "CERT_NONE", "CERT_OPTIONAL", "assert_hostname"),
        *("_create_unverified_context", "disable_warnings", "trust_env=True"),
        *("allow_redirects=True", "redirect=True", "instance_discovery=True"),
    ],
)
def test_no_code_turns_tls_checks_off(banned: str) -> None:
    """S5, S2."""
    assert [name for name, tree in TREES.items() if banned in named(tree)] == []


def test_no_configuration_key_turns_tls_checks_off() -> None:
    """S5: this test fails when such a key is added."""
    keys = set(re.findall(r"^#? ?\[*([a-z_.]+)(?: =|\])", template(), re.MULTILINE))
    assert {"ca_file", "base_url", "scope", "partner.limits"} <= keys
    assert {key for key in keys if re.search("verif|insecure|tls|ssl|trust", key)} == set()


UNSAFE_MODULES = {
    *("pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib", "yaml"),
    *("xml", "lxml", "imp", "code", "pty"),
}


def test_no_module_that_can_load_code_is_imported() -> None:
    """S11: JSON, TOML, MessagePack, Arrow and Parquet hold only values."""
    roots = {name: {each.partition(".")[0] for each in imported(t)} for name, t in TREES.items()}
    assert {name: found for name, found in roots.items() if found & UNSAFE_MODULES} == {}


@pytest.mark.parametrize(
    "banned", ["eval", "exec", "__import__", "mktemp", "popen", "system", "shell=True"]
)
def test_no_text_is_run_as_code_or_as_a_command(banned: str) -> None:
    """S11."""
    assert [name for name, tree in TREES.items() if banned in named(tree)] == []


def test_no_child_process_is_started() -> None:
    """S1: a child inherits the environment, and every user of the machine sees its arguments."""
    starting = {"subprocess", "multiprocessing", "pty"}
    found = {name for name, tree in TREES.items() if starting & set(imported(tree))}
    assert found == set()


def test_every_rule_of_the_linter_is_on() -> None:
    """S6, S11: a security rule is turned off only on a single line, with the reason."""
    lint = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert lint["select"] == ["ALL"]
    assert [rule for rule in lint["ignore"] if re.fullmatch("S[0-9]*", rule)] == []
    own = {
        glob: [rule for rule in rules if re.fullmatch("S[0-9]*", rule)]
        for glob, rules in lint["per-file-ignores"].items()
        if not glob.startswith(("tests/", "bench/"))
    }
    assert {glob: rules for glob, rules in own.items() if rules} == {"auditor/sandbox/**": ["S311"]}


def test_only_three_modules_build_sql_from_text() -> None:
    """S6: they insert only our own names; values from outside are bound."""
    with_sql = {
        str(path.relative_to(ROOT)): line.partition("noqa: S608")[2]
        for path in FILES
        for line in path.read_text("utf-8").splitlines()
        if "noqa: S608" in line
    }
    assert with_sql.keys() == {"store/reading.py", "store/folder/older.py", "report/summary.py"}
    assert all("known name" in why or "likewise" in why for why in with_sql.values())


def modules() -> Iterator[ModuleType]:
    for name in OURS:
        dotted = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        if not dotted.startswith("__"):
            yield importlib.import_module(f"auditor.{dotted}")


def patterns() -> Iterator[tuple[str, str | bytes]]:
    """Yield each regular expression with its module."""
    for module in modules():
        for value in vars(module).values():
            several = value if isinstance(value, tuple) else (value,)
            yield from ((module.__name__, p.pattern) for p in several if isinstance(p, re.Pattern))
    for name, tree in OURS.items():
        for node in ast.walk(tree):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="re")),
                    args=[ast.Constant(value=str(pattern) | bytes(pattern)), *_],
                ):
                    yield name, pattern
                case _:
                    pass


def nested(parsed: object, *, is_inside: bool = False) -> bool:
    """Return whether an unbounded repeat contains an unbounded repeat."""
    repeats = {_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT}
    if isinstance(parsed, tuple) and parsed and parsed[0] in repeats:
        _, (_, most, inner) = parsed
        is_endless = most is _constants.MAXREPEAT
        if is_endless and is_inside:
            return True
        return nested(inner, is_inside=is_inside or is_endless)
    if isinstance(parsed, (tuple, list, _parser.SubPattern)):
        return any(nested(each, is_inside=is_inside) for each in parsed)
    return False


def test_no_pattern_takes_forever() -> None:
    """S17: no repeat is inside a repeat, so no text makes a match try exponentially often."""
    found = set(patterns())
    assert len(found) > 30
    assert {(where, p) for where, p in found if nested(_parser.parse(p))} == set()


@pytest.mark.parametrize("bad", ["(a+)+b", "(?:x*y?)*", "((a|b)*c?)+$", "(?:(?:a{2,})b?)*"])
def test_a_nested_repeat_is_found(bad: str) -> None:
    """S17: without this, the test above would prove nothing."""
    assert nested(_parser.parse(bad))


@pytest.mark.parametrize("banned", ["py_buffer", "PythonFile", "read_bytes"])
def test_arrow_reads_no_python_object(banned: str) -> None:
    """Arrow's threads free what they read, also while the interpreter ends: that aborts it."""
    reading = [name for name, tree in TREES.items() if "ParquetFile" in named(tree)]
    assert reading == ["store/folder/index.py"]
    assert [name for name in reading if banned in named(TREES[name])] == []
