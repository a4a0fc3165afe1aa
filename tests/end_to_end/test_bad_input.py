"""Bad input to the real command: exit status, one line and a hint per error, no traceback.

`test_bad_input_live.py` and `test_bad_input_store.py` have the cases that need a server.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders import commands, report_lake
from tests.builders.hostile_sql import everything, filled
from tests.builders.run_processes import Ended

PARTNER = """\
[[partner]]
name = "contoso-eu"
tenant_id = "aaaaaaaa-0000-4000-8000-000000000001"
countries = ["DE"]
auth = "token"
token = "env:CONTOSO_TOKEN"
base_url = "http://127.0.0.1:9"
"""
CANARY = "canary-hunter2pass"

Auditor = Callable[..., Ended]


@pytest.fixture
def auditor(tmp_path: Path) -> Auditor:
    def run(*words: str, config: str | None = None, **environ: str) -> Ended:
        if config is not None:
            (tmp_path / "auditor.toml").write_text(config, encoding="utf-8")
        secrets = {"CONTOSO_TOKEN": CANARY, "XDG_STATE_HOME": str(tmp_path)}
        return commands.run(tmp_path, *words, environ=secrets | environ)

    return run


def printed_errors(ran: Ended) -> list[tuple[str, str, str]]:
    """Return (code, message, hint) of each printed error; check the form of the output."""
    lines = ran.err.splitlines()
    assert "Traceback" not in ran.err
    assert CANARY not in ran.err + ran.out
    assert ran.status not in {1, 2, 99}
    found = []
    for error, hint in zip(lines[::2], lines[1::2], strict=True):
        match = re.fullmatch(r"error\[(E_[A-Z_]+)\]: (.+)", error)
        assert match, error
        assert re.fullmatch(r"hint: .+", hint), hint
        found.append((match[1], match[2], hint.removeprefix("hint: ")))
    return found


@pytest.mark.parametrize(
    ("config", "status", "code", "message", "hint"),
    [
        (None, 66, "E_CONFIG_MISSING", "auditor.toml not found", "run `auditor init`"),
        ('store = "x"\nrun = [1,\n', 78, "E_CONFIG_SYNTAX", "auditor.toml:3:1 ", "TOML"),
        (
            PARTNER + "[partner.limits]\nconcurency = 3\n",
            78,
            "E_CONFIG_KEY",
            "auditor.toml:9:partner[0].limits.concurency is not a known key",
            "did you mean `concurrency`?",
        ),
        (
            PARTNER + "[partner.limits]\ncatalog = -1\n",
            78,
            "E_CONFIG_VALUE",
            "9:partner[0].limits.catalog must be a whole number from 1 to 1000000, got -1",
            "init",
        ),
        (
            PARTNER + '[run]\nbatch_size = "ten"\n',
            78,
            "E_CONFIG_VALUE",
            "auditor.toml:9:run.batch_size must be a whole number from 1 to 1000, got 'ten'",
            "init",
        ),
        (
            PARTNER + '[scope]\ncustomers = ["d6bf25b7-e0a8-4f2d-a31b-97b55cfc774"]\n',
            78,
            "E_GUID",
            "9:scope.customers[0] 'd6bf25b7-e0a8-4f2d-a31b-97b55cfc774' is not a GUID (35 of 36",
            "looks like",
        ),
        (
            PARTNER.replace('"DE"', '"UK"'),
            78,
            "E_REGION",
            "auditor.toml:4:partner[0].countries[0] 'UK' is not a country code",
            "`GB`",
        ),
        (
            PARTNER.replace("CONTOSO_TOKEN", "NOWHERE_TO_BE_FOUND"),
            78,
            "E_SECRET_MISSING",
            "partner contoso-eu: token: environment variable NOWHERE_TO_BE_FOUND is not set",
            "",
        ),
        (
            PARTNER.replace("env:CONTOSO_TOKEN", CANARY),
            78,
            "E_CONFIG_VALUE",
            "auditor.toml:6:partner[0].token must say where the secret is",
            "",
        ),
        (
            PARTNER.replace("127.0.0.1:9", "partner.example"),
            78,
            "E_INSECURE_URL",
            "auditor.toml:7:partner[0].base_url must begin with https://",
            "127.0.0.1",
        ),
        (
            f'store = "mysql://u:{CANARY}@db/x"\n{PARTNER}',
            78,
            "E_CONFIG_VALUE",
            "auditor.toml:1:store must be a folder, postgresql://…, s3://…",
            "./lake",
        ),
        ('store = "./lake"\n', 78, "E_CONFIG_VALUE", "partner is missing", ""),
    ],
)
def test_a_bad_configuration_is_reported(
    auditor: Auditor, *, config: str | None, status: int, code: str, message: str, hint: str
) -> None:
    """P33."""
    ran = auditor("run", config=config)
    assert ran.status == status
    assert ran.out == ""
    (found,) = printed_errors(ran)
    assert found[0] == code
    assert message in found[1]
    assert hint in found[2]


def test_all_errors_are_reported_at_once(auditor: Auditor) -> None:
    ran = auditor(
        "run",
        config="stor = 1\n" + PARTNER.replace('"DE"', '"UK"').replace("CONTOSO", "NOBODY"),
        AUDITOR_RUN__BATCH_SIZE="-1",
    )
    assert ran.status == 78
    assert {code for code, _, _ in printed_errors(ran)} == {
        "E_CONFIG_KEY",
        "E_REGION",
        "E_SECRET_MISSING",
        "E_CONFIG_VALUE",
    }
    assert len(printed_errors(ran)) == 4


@pytest.mark.parametrize(("mode", "is_refused"), [(0o644, True), (0o640, True), (0o600, False)])
def test_a_secret_file_that_others_can_read_is_reported(
    auditor: Auditor, tmp_path: Path, mode: int, is_refused: bool
) -> None:
    """S12."""
    secret = tmp_path / "token"
    secret.write_text(CANARY, encoding="utf-8")
    secret.chmod(mode)
    config = PARTNER.replace("env:CONTOSO_TOKEN", "file:token") + "[run]\nbatch_size = 0\n"
    ran = auditor("run", config=config)
    codes = {code: (message, hint) for code, message, hint in printed_errors(ran)}
    assert ran.status == 78
    assert ("E_SECRET_MODE" in codes) is is_refused
    if is_refused:
        message, hint = codes["E_SECRET_MODE"]
        assert f"mode {mode:04o}" in message
        assert "chmod 0600" in hint


def test_a_misspelt_variable_is_reported(auditor: Auditor) -> None:
    ran = auditor("run", config=PARTNER, AUDITOR_SCOPE_AVAILABILITY="all")
    assert ran.status == 78
    ((code, message, hint),) = printed_errors(ran)
    assert code == "E_CONFIG_KEY"
    assert "AUDITOR_SCOPE_AVAILABILITY" in message
    assert "`AUDITOR_SCOPE__AVAILABILITY`" in hint


@pytest.mark.parametrize(
    ("words", "status", "code", "hint"),
    [
        (["run", "--country", "XX"], 64, "E_REGION", "configured: DE"),
        (["plan", "--country", "Germany"], 64, "E_REGION", "configured: DE"),
        (["run", "--partner", "contoso-ue"], 64, "E_PARTNER_UNKNOWN", "`contoso-eu`"),
        (["run", "--config", "nowhere.toml"], 66, "E_CONFIG_MISSING", "--config"),
        (["run", "--config", "."], 66, "E_CONFIG_MISSING", "--config"),
        (["run", "--custmer", "x"], 64, "E_USAGE", "`--customer`"),
        (["rnu"], 64, "E_USAGE", "`run`"),
        (["--config", "x", "run"], 64, "E_USAGE", "options go after the command"),
        (["changes", "--kind", "new"], 64, "E_USAGE", "--help"),
        (["snapshots", "show", "../../etc/passwd"], 64, "E_USAGE", "--help"),
        (["snapshots", "show", "x"], 66, "E_INPUT_MISSING", "auditor run"),
        (["changes"], 66, "E_INPUT_MISSING", "auditor run"),
        (["init"], 73, "E_OUTPUT", "--config"),
        (["init", "--config", "no/folder.toml"], 73, "E_OUTPUT", "folder"),
        (["sandbox", "--faults", "nowhere.toml"], 66, "E_INPUT_MISSING", ""),
        (["sandbox", "--faults", "auditor.toml", "--port", "0"], 64, "E_USAGE", ""),
    ],
)
def test_bad_arguments_are_reported(
    auditor: Auditor, words: list[str], status: int, code: str, hint: str
) -> None:
    """P33."""
    ran = auditor(*words, config=PARTNER)
    assert (ran.status, ran.out) == (status, "")
    ((found, _, hinted),) = printed_errors(ran)
    assert found == code
    assert hint in hinted


@pytest.mark.parametrize("words", [["run"], ["plan"], ["run", "--format", "json"]])
def test_with_json_logs_each_error_is_an_object(auditor: Auditor, words: list[str]) -> None:
    """Stdout is empty: `run --format json` prints its object only after reading the settings."""
    ran = auditor(*words, "--log-format", "json", config="stor = 1\n[run]\nbatch_size = 0\n")
    assert ran.status == 78
    assert ran.out == ""
    records = [json.loads(line) for line in ran.err.splitlines()]
    assert [record["code"] for record in records] == [
        "E_CONFIG_KEY",
        "E_CONFIG_VALUE",
        "E_CONFIG_VALUE",
    ]
    assert all(record["level"] == "error" and record["hint"] for record in records)


def test_wrong_flags_are_json_too(auditor: Auditor) -> None:
    for words in (["--log-format", "json"], ["--log-format=json"]):
        ran = auditor("run", "--nonsense", *words)
        assert ran.status == 64
        assert json.loads(ran.err)["code"] == "E_USAGE"


def test_a_run_that_reaches_no_server_still_prints_its_object(auditor: Auditor) -> None:
    """E_UNREACHABLE: no server listens on port 9."""
    ran = auditor("run", "--format", "json", "--quiet", config=PARTNER)
    assert ran.status == 69
    (code, message, _) = printed_errors(ran)[0]
    assert code == "E_UNREACHABLE"
    assert "refused" in message
    assert ran.out.count("\n") == 1
    assert json.loads(ran.out).keys() == {"run_id", "exit", "seconds", "snapshots"}
    assert json.loads(ran.out)["exit"] == 69


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("app", ""),
        ("app_user", 'refresh_token = "file:secret"\n'),
        ("workload_identity", ""),
    ],
)
def test_a_login_that_does_not_answer_is_unreachable(
    auditor: Auditor, tmp_path: Path, kind: str, more: str
) -> None:
    """E_UNREACHABLE names the login's host, not Partner Center's."""
    (tmp_path / "secret").write_text(CANARY, encoding="utf-8")
    (tmp_path / "secret").chmod(0o600)
    keys = 'client_id = "bbbbbbbb-0000-4000-8000-000000000001"\nclient_secret = "file:secret"\n'
    ran = auditor(
        "run",
        config=PARTNER.replace('auth = "token"', f'auth = "{kind}"') + keys + more,
        AUDITOR_LOGIN_URL="https://127.0.0.1:9",
        AZURE_FEDERATED_TOKEN_FILE=str(tmp_path / "secret"),
    )
    assert ran.status == 69
    (code, message, _) = printed_errors_of_a_run(ran)[0]
    assert code == "E_UNREACHABLE"
    assert message == "127.0.0.1:9: the connection is refused"


def test_a_login_url_must_be_https(auditor: Auditor) -> None:
    """E_INSECURE_URL: secrets are sent to this URL."""
    app = (
        'client_id = "bbbbbbbb-0000-4000-8000-000000000001"\nclient_secret = "env:CONTOSO_TOKEN"\n'
    )
    ran = auditor(
        "run",
        config=PARTNER.replace('"token"', '"app"') + app,
        AUDITOR_LOGIN_URL="http://127.0.0.1:9",
    )
    assert ran.status == 78
    assert printed_errors_of_a_run(ran)[0][0] == "E_INSECURE_URL"


def printed_errors_of_a_run(ran: Ended) -> list[tuple[str, str, str]]:
    """Return the errors that a run printed after its events."""
    lines = ran.err.splitlines(keepends=True)
    first = next(place for place, line in enumerate(lines) if line.startswith("error["))
    assert CANARY not in ran.err
    return printed_errors(ran._replace(out="", err="".join(lines[first:])))


def test_an_unknown_region_is_a_warning(auditor: Auditor) -> None:
    config = PARTNER + '[scope]\narm_regions = ["Europe"]\n'
    ran = auditor("changes", config=config)
    warning, hint, *_ = ran.err.splitlines()
    assert warning.startswith("warning[E_REGION]: auditor.toml:9:scope.arm_regions[0] 'europe' ")
    assert hint == "hint: nearest `northeurope`, `westeurope`"
    assert "warning" not in auditor("changes", "--quiet", config=config).err


def test_debug_prints_a_traceback_without_secrets(auditor: Auditor) -> None:
    """S1: --debug prints a traceback, without secrets."""
    ran = auditor("run", "--debug", config=PARTNER.replace("env:CONTOSO_TOKEN", CANARY), X=CANARY)
    assert ran.status == 78
    assert "Traceback" in ran.err
    assert CANARY not in ran.err


def test_arguments_cannot_move_the_cursor(auditor: Auditor) -> None:
    """S7 and S20."""
    ran = auditor("run", "--partner", "a", "--country", "x", "--\x1b[31m")
    assert ran.status == 64
    assert "\x1b" not in ran.err


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("WITH x AS (COPY (SELECT 1) TO '{lake}/{published}') FROM x", "has COPY inside"),
        ("EXPLAIN ANALYZE COPY (SELECT 1) TO '{lake}/{manifest}'", "this is COPY"),
        ("FROM read_duckdb('{lake}/nothing.db')", "nothing.db"),
        ("FROM read_text('/etc/passwd')", "/etc/passwd"),
        ("SELECT '\udcff'", "not UTF-8"),  # a byte of the command line that is not UTF-8
        ("SELECT 1; SELECT 2", "one statement"),
    ],
)
def test_sql_that_does_more_than_read_the_store_is_64(
    auditor: Auditor, tmp_path: Path, query: str, expected: str
) -> None:
    """S6."""
    lake = report_lake.two_nights(tmp_path)
    before = everything(lake.root)
    ran = auditor("sql", filled(query, lake.root), config=f'store = "{lake.root}"\n{PARTNER}')
    [(code, message, _)] = printed_errors(ran)
    assert (ran.status, code, ran.out) == (64, "E_USAGE", "")
    assert expected in message
    assert everything(lake.root) == before
