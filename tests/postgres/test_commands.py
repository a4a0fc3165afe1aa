"""The commands on a database: unusable schemas, roles, the doctor, and no password shown."""

import io
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from sqlalchemy import make_url

from auditor.cli.shell import main
from tests.builders.database_logins import as_superuser
from tests.builders.throwaway import free_port

CANARY = "canary-hunter2pass"
PARTNER = """\
store = "{url}"
[[partner]]
name = "contoso-eu"
tenant_id = "aaaaaaaa-0000-4000-8000-000000000001"
countries = ["DE"]
auth = "token"
token = "env:CONTOSO_TOKEN"
base_url = "http://127.0.0.1:9"
"""
Auditor = Callable[..., tuple[int, str, str]]


@pytest.fixture
def auditor(tmp_path: Path) -> Auditor:
    """Return a function that runs a command on the store at a URL: its status and output."""

    def run(url: str, *words: str) -> tuple[int, str, str]:
        path = tmp_path / "auditor.toml"
        path.write_text(PARTNER.format(url=url))
        out, err = io.StringIO(), io.StringIO()
        environ = {"CONTOSO_TOKEN": CANARY, "AUDITOR_STATE_DIR": str(tmp_path / "state")}
        status = main([*words, "--config", str(path)], environ, io.StringIO(), out, err)
        return status, out.getvalue(), err.getvalue()

    return run


ASKING = [("run",), ("sql", "SELECT 1"), ("snapshots", "list"), ("report",), ("changes",)]


@pytest.mark.parametrize("words", ASKING, ids=" ".join)
def test_a_missing_or_too_new_schema_is_76(
    words: tuple[str, ...], new_database: Callable[[], str], store_url: str, auditor: Auditor
) -> None:
    status, _, err = auditor(new_database(), *words)
    assert (status, "auditor db upgrade" in err, "E_SCHEMA_OLD" in err) == (76, True, True)
    with as_superuser(store_url) as con:
        con.execute("INSERT INTO schema_step VALUES (99, 'later')")
    status, _, err = auditor(store_url, *words)
    assert (status, "use a newer auditor" in err, "E_SCHEMA_NEW" in err) == (76, True, True)


def test_an_upgrade_makes_a_store_that_the_commands_and_the_doctor_open(
    new_database: Callable[[], str], store_url: str, auditor: Auditor
) -> None:
    url = new_database()
    status, _, err = auditor(url, "db", "upgrade")
    assert status == 0
    assert "applied 0001_publications" in err
    status, _, err = auditor(url, "db", "upgrade")
    assert (status, "applied" in err) == (0, False)

    status, _, err = auditor(url, "sql", "SELECT 1")
    assert (status, "is a superuser" in err) == (78, True)
    writer = make_url(store_url).set(database=make_url(url).database).render_as_string()
    counted = ("sql", "SELECT count(*) AS n FROM snapshot", "--format", "json")
    status, out, _ = auditor(writer, *counted)
    assert (status, json.loads(out)) == (0, [{"n": 0}])
    status, _, err = auditor(writer, "db", "upgrade")
    assert (status, "E_DATABASE_REFUSED" in err) == (77, True)


def store_findings(out: str) -> list[tuple[str, str]]:
    return [(row["state"], row["said"]) for row in json.loads(out) if row["check"] == "store"]


def test_the_doctor_checks_a_database(
    new_database: Callable[[], str], store_url: str, auditor: Auditor
) -> None:
    words = ("doctor", "--format", "json")
    status, out, _ = auditor(new_database(), *words)
    assert status == 76
    assert store_findings(out)[0][0] == "fault"
    _, out, _ = auditor(store_url, *words)
    place = store_url.replace("night@", "")
    assert store_findings(out) == [("ok", f"{place} opens: 0 snapshot(s)")]


def written(folder: Path) -> Iterable[bytes]:
    return (p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != "auditor.toml")


@pytest.mark.parametrize("words", [*ASKING, ("doctor",), ("db", "upgrade")], ids=" ".join)
@pytest.mark.parametrize("how", [(), ("--debug",), ("--log-format", "json")], ids=" ".join)
def test_no_password_of_a_url_is_shown(
    words: tuple[str, ...], how: tuple[str, ...], store_url: str, tmp_path: Path, auditor: Auditor
) -> None:
    """S1: whether the database answers, refuses or is missing."""
    secret = make_url(store_url).set(password=CANARY)
    for url in (secret, secret.set(username="nobody"), secret.set(port=free_port())):
        status, out, err = auditor(url.render_as_string(hide_password=False), *words, *how)
        assert CANARY not in out + err
        assert CANARY.encode() not in b"".join(written(tmp_path))
        assert status not in {1, 2, 70}
