"""One load reports every mistake in a configuration, each with its line, and never crashes."""

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor.errors import SettingsError
from auditor.settings import Narrow, Settings, load

PARTNER = """\
[[partner]]
name = "contoso-eu"
tenant_id = "aaaaaaaa-0000-4000-8000-000000000001"
countries = ["DE"]
auth = "token"
token = "env:TOKEN"
"""
GUID = "bbbbbbbb-0000-4000-8000-000000000001"
ENVIRON = {"TOKEN": "a-token-of-ours"}
SHORT_GUID = """[scope]
customers = [
'aaaaaaaa-0000-4000-8000-000000000001', # one
'd6bf25b7-e0a8-4f2d-a31b-97b55cfc774']"""

Problem = tuple[str, str, str]


def problems(
    path: Path, content: str | bytes, environ: dict[str, str] | None = None
) -> tuple[Problem, ...]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(SettingsError) as caught:
        load(path, environ or ENVIRON, asking=Narrow())
    assert caught.value.exit_status == 78
    return caught.value.problems


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("auditor.toml")


@pytest.mark.parametrize(
    ("lines", "code", "where", "hint"),
    [
        ("[run]\nbatch_sise = 3", "E_CONFIG_KEY", ":8:run.batch_sise", "`batch_size`"),
        ("[runn]\nbatch_size = 3", "E_CONFIG_KEY", ":7:runn", "`run`"),
        ("[run]\nconcurency = 3", "E_CONFIG_KEY", ":8:run.concurency", "`concurrency` of ["),
        ("[partner.limits]\nconcurency = 3", "E_CONFIG_KEY", ":8:partner[0].limits", "concurrency"),
        ("[run]\nzzzz = 3", "E_CONFIG_KEY", ":8:run.zzzz", "batch_size"),
        ('[run]\n"a\\nb" = 3', "E_CONFIG_KEY", "run.'a\\nb'", "batch_size"),
        ("[run]\nbatch_size = -1", "E_CONFIG_VALUE", ":8:run.batch_size", "init"),
        ('[run]\nbatch_size = "ten"', "E_CONFIG_VALUE", "got 'ten'", ""),
        ("[run]\nbatch_size = true", "E_CONFIG_VALUE", "got True", ""),
        ("[run]\nbatch_size = 1.5", "E_CONFIG_VALUE", "got 1.5", ""),
        ("[run]\nmax_failed_share = nan", "E_CONFIG_VALUE", "got nan", ""),
        ("[run]\nmax_failed_share = 5", "E_CONFIG_VALUE", "from 0 to 1", ""),
        ("[run]\nkeep_raw = 'fail'", "E_CONFIG_VALUE", "got 'fail'", "`failed`"),
        ("[run]\ntime_zone = 'Europe/Berlim'", "E_CONFIG_VALUE", "not a time zone", "Berlin"),
        ("[run]\ntime_zone = '../../etc/passwd'", "E_CONFIG_VALUE", "not a time zone", ""),
        ("[cache]\ncatalog = -1", "E_CONFIG_VALUE", ":8:cache.catalog", ""),
        ("[partner.limits]\ninventory = 0", "E_CONFIG_VALUE", "limits.inventory", ""),
        ("[partner.limits]\nshared = 'mysql://x'", "E_CONFIG_VALUE", "limits.shared", ""),
        ("[scope]\nlifecycle = 'yes'", "E_CONFIG_VALUE", "true or false", ""),
        ("[scope]\nchecks = []", "E_CONFIG_VALUE", "at least one", ""),
        ("[scope]\nchecks = 'inventory'", "E_CONFIG_VALUE", "must be a list", '["one"'),
        ("[scope]\nchecks = [\n'inventory',\n'stock']", "E_CONFIG_VALUE", ":10:scope.checks[1]",
         "init"),
        ("[scope]\nproducts = [11]", "E_CONFIG_VALUE", "text in quotes, got 11", ""),
        ("[scope]\nproducts = ['../x']", "E_CONFIG_VALUE", "PRODUCT:SKU", "DZH"),
        ("[scope]\nproducts = ['a\tb']", "E_CONFIG_VALUE", "scope.products[0]", ""),
        ("[scope]\navailability = 'listed'", "E_CONFIG_VALUE", ":8:scope.availability", ""),
        ("[scope]\ntarget_views = []", "E_CONFIG_VALUE", "nothing to ask about", ""),
        ("[scope]\nsegments = ['Comercial']", "E_CONFIG_VALUE", "scope.segments[0]", "commercial"),
        ("[scope]\nresource_types = { A = 1 }", "E_CONFIG_VALUE", "resource_types.A", ""),
        ("[scope]\ninventory_api = 'by_resource_type'\nresource_types = {}",
         "E_CONFIG_VALUE", ":9:scope.resource_types", "AzureReservationsVM"),
        ("[scope]\ncustomers = 'some'", "E_CONFIG_VALUE", '"all" or a list', ""),
        (SHORT_GUID, "E_GUID",
         ":10:scope.customers[1] 'd6bf25b7-e0a8-4f2d-a31b-97b55cfc774' is not a GUID (35 of 36",
         "looks like"),
        ("[scope]\narm_regions = ['west europe']", "E_REGION", "arm_regions[0]", "westeurope"),
        ("[mute]\nsku = 'A:*'", "E_CONFIG_VALUE", "must be a list of tables", "[[mute]]"),
        ("[[mute]]\nuntil = 'soon'", "E_CONFIG_VALUE", ":8:mute[0].until", ""),
        ("[[mute]]\nuntil = 2027-01-31T00:00:00Z", "E_CONFIG_VALUE", ":8:mute[0].until", ""),
        ("[[notify.route]]\npartner = 'contoso'\nurls = ['env:A']", "E_CONFIG_VALUE",
         ":8:notify.route[0].partner", "`contoso-eu`"),
        ("[[notify.route]]\nreseller = '1'", "E_CONFIG_VALUE", "route[0].urls is missing", ""),
        ("[notify]\non = ['newly-restricted']", "E_CONFIG_VALUE", "notify.on[0]", "y_restricted"),
        ("[network]\nproxy = 'socks5://x'", "E_CONFIG_VALUE", "network.proxy", ""),
    ],
)  # fmt: skip
def test_each_mistake_is_reported_with_its_line_and_key(
    file: Path, lines: str, code: str, where: str, hint: str
) -> None:
    found = problems(file, PARTNER + lines + "\n", {**ENVIRON, "A": "https://hook.example/x"})
    matching = [each for each in found if each[0] == code and where in each[1]]
    assert len(matching) == 1, found
    assert len(found) == 1, found
    assert hint in matching[0][2]
    assert matching[0][2]


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ('countries = ["DE", "UK"]', "E_REGION", "countries[1] 'UK' is not a country code"),
        ("countries = []", "E_CONFIG_VALUE", "countries must name at least one"),
        ('countries = "DE"', "E_CONFIG_VALUE", "countries must be a list"),
        ('name = "a/b"', "E_CONFIG_VALUE", "partner[0].name"),
        ('name = ".."', "E_CONFIG_VALUE", "partner[0].name"),
        ('tenant_id = "x"', "E_GUID", "partner[0].tenant_id 'x' is not a GUID (1 of 36"),
        ('base_url = "http://api.example"', "E_INSECURE_URL", "partner[0].base_url"),
        ('base_url = "http://127.0.0.1.evil.example"', "E_INSECURE_URL", "partner[0].base_url"),
        ('base_url = "ftp://api.example"', "E_CONFIG_VALUE", "partner[0].base_url"),
        ('base_url = "https://u:hunter2pass@api.example"', "E_CONFIG_VALUE", "base_url"),
        ('base_url = "https://[::1"', "E_CONFIG_VALUE", "base_url is not a URL"),
        ('auth = "app"', "E_CONFIG_VALUE", "client_secret is missing"),
        ('auth = "app_user"', "E_CONFIG_VALUE", "refresh_token is missing"),
        ('auth = "password"', "E_CONFIG_VALUE", "partner[0].auth must be"),
        ('cloud = "germany"', "E_CONFIG_VALUE", "partner[0].cloud must be"),
        ('token = "hunter2pass"', "E_CONFIG_VALUE", "must say where the secret is"),
        ('token = "env:"', "E_CONFIG_VALUE", "must say where the secret is"),
        ("token = 7", "E_CONFIG_VALUE", "must say where the secret is"),
        ('token = "keyvault:http://v/n"', "E_CONFIG_VALUE", "must say where the secret is"),
        ('auth = "workload_identity"\nclient_id = "' + GUID + '"', "E_SECRET_MISSING", "FEDERATED"),
        ('cloud = "china"', "E_CONFIG_VALUE", "scope asks for inventory checks, the target view"),
        ('refresh_token = "env:A"', "E_CONFIG_VALUE", "written back"),
        ('client_id = "hunter2pass"', "E_GUID", "(not shown) is not a GUID"),
        ('token = "credential:a/b"', "E_CONFIG_VALUE", "must say where the secret is"),
        ('token = "credential:.."', "E_CONFIG_VALUE", "must say where the secret is"),
        ('token = "credential:"', "E_CONFIG_VALUE", "must say where the secret is"),
        ('refresh_token = "credential:a"', "E_CONFIG_VALUE", "written back"),
        ('token = "env:NOWHERE"', "E_SECRET_MISSING", "variable NOWHERE is not set"),
        ('token = "credential:a.b"', "E_SECRET_MISSING", "CREDENTIALS_DIRECTORY is not set"),
        ('token = "env:EMPTY"', "E_SECRET_MISSING", "variable EMPTY is empty"),
        ('token = "file:nowhere"', "E_SECRET_MISSING", "nowhere cannot be read"),
    ],
)
def test_each_mistake_in_a_partner_is_reported(
    file: Path, line: str, code: str, message: str
) -> None:
    """S4, and the mistakes in the table of bad input that concern a partner."""
    key = line.partition(" ")[0]
    kept = [each for each in PARTNER.splitlines() if not each.startswith(f"{key} ")]
    found = problems(file, "\n".join([*kept, line]) + "\n", {**ENVIRON, "EMPTY": ""})
    assert [each for each in found if each[0] == code and message in each[1]], found
    assert "hunter2pass" not in str(found)


def test_a_cloud_without_azure_can_be_asked_for_licences(file: Path) -> None:
    scope = '[scope]\nchecks = ["availability"]\ntarget_views = ["OnlineServicesNCE"]\n'
    file.write_text(PARTNER + 'cloud = "china"\n' + scope)
    assert load(file, ENVIRON, asking=Narrow()).partner[0].cloud == "china"


def test_a_secret_in_a_vault_is_not_read_before_it_is_needed(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = PARTNER.replace("env:TOKEN", "keyvault:https://vault.invalid/name")
    file.write_text(config)
    assert load(file, ENVIRON, asking=Narrow())

    for name in ("azure", "azure.identity"):
        monkeypatch.setitem(sys.modules, name, None)
    ((code, message, hint),) = problems(file, config)
    assert (code, hint) == ("E_CONFIG_VALUE", "pip install 'csp-sku-auditor[azure]'")
    assert "needs the `azure` extra" in message


def test_http_is_allowed_only_to_this_machine(file: Path) -> None:
    for host in ("127.0.0.1", "127.8.9.1:80", "[::1]:8080", "localhost:1"):
        file.write_text(PARTNER + f'base_url = "http://{host}"\n', encoding="utf-8")
        assert load(file, {}).partner[0].base_url == f"http://{host}"


def test_a_partner_is_required_and_may_not_be_repeated(file: Path) -> None:
    assert "partner is missing" in problems(file, 'store = "x"\n')[0][1]
    assert "partner is missing" in problems(file, "partner = []\n")[0][1]
    assert len(problems(file, "partner = 3\n")) == 1
    found = problems(file, PARTNER + PARTNER)
    assert [message.split(" ")[0] for _, message, _ in found] == [
        "auditor.toml:8:partner[1].name",
        "auditor.toml:9:partner[1].tenant_id",
    ]


@pytest.mark.parametrize(
    "store",
    ["", "mysql://db/x", "postgres://db/x", "postgresql://", "file://host/x", "gs://bucket",
         "s3://key:hunter2pass@bucket/x", "az://container?sig=hunter2pass", "abfss://x",
     "postgresql://u:hunter2pass@db:port/x"],
)  # fmt: skip
def test_a_bad_store_is_reported_without_its_password(file: Path, store: str) -> None:
    found = problems(file, f'store = "{store}"\n{PARTNER}')
    assert found[0][0] == "E_CONFIG_VALUE"
    assert "auditor.toml:1:store" in found[0][1]
    assert "hunter2pass" not in str(found)


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"store = \n", ":1:9 "),
        (b"a = 1\n[run\nbatch_size = 1\n", ":2:5 "),
        (b'store = "x', ":1:11 "),
        (b'store = "x"\nstore = "y"\n', ":2:"),
        (b'store = "\xff"\n', ":1:10 is not UTF-8"),
        (b"a = " + b"[" * 10_000, ":1:1 "),
        (b"a = " + b"9" * 10_000, ":1:1 "),
        (b"#" * (4 << 20) + b"#", ":1:1 "),
        (b"a = 1\r", ":1:"),
    ],
)  # fmt: skip
def test_text_that_is_not_toml_is_reported_with_line_and_column(
    file: Path, content: bytes, place: str
) -> None:
    found = problems(file, content)
    assert [code for code, _, _ in found] == ["E_CONFIG_SYNTAX"]
    assert f"auditor.toml{place}" in found[0][1]


def test_all_mistakes_are_reported_at_once(file: Path) -> None:
    found = problems(
        file,
        "stor = 1\n"
        + PARTNER.replace('"DE"', '"UK"').replace("env:TOKEN", "env:NOWHERE")
        + '[scope]\ncustomers = ["x"]\navailability = "hold"\n[run]\nbatch_size = "many"\n',
        {"AUDITOR_CACHE__CATALOG": "never", "AUDITOR_SCOPE_AVAILABILITY": "all"},
    )
    assert sorted(code for code, _, _ in found) == [
        "E_CONFIG_KEY",
        "E_CONFIG_KEY",
        "E_CONFIG_VALUE",
        "E_CONFIG_VALUE",
        "E_CONFIG_VALUE",
        "E_GUID",
        "E_REGION",
        "E_SECRET_MISSING",
    ]
    assert len(set(found)) == len(found)


class TestEnvironment:
    @pytest.mark.parametrize(
        ("name", "nearest"),
        [
            ("AUDITOR_STOR", "`AUDITOR_STORE`"),
            ("AUDITOR_SCOPE_AVAILABILITY", "`AUDITOR_SCOPE__AVAILABILITY`"),
            ("AUDITOR_RUN__BATCHSIZE", "`AUDITOR_RUN__BATCH_SIZE`"),
            ("AUDITOR_RUN__ZZZ", ""),
            ("AUDITOR_PARTNER__NAME", ""),
        ],
    )
    def test_a_misspelt_setting_is_reported_with_the_nearest_name(
        self, file: Path, name: str, nearest: str
    ) -> None:
        found = problems(file, PARTNER, {**ENVIRON, name: "hunter2pass"})
        assert found[0][0] == "E_CONFIG_KEY"
        assert name in found[0][1]
        assert nearest in found[0][2]
        assert "hunter2pass" not in str(found)

    def test_a_bad_value_is_reported_with_the_variable(self, file: Path) -> None:
        environ = {**ENVIRON, "AUDITOR_SCOPE__CUSTOMERS": '["x"]', "AUDITOR_RUN__BATCH_SIZE": "-1"}
        found = {message.split(" ")[0] for _, message, _ in problems(file, PARTNER, environ)}
        assert found == {"AUDITOR_SCOPE__CUSTOMERS[0]", "AUDITOR_RUN__BATCH_SIZE"}


class TestWarnings:
    def test_an_unknown_region_gives_a_warning_with_the_nearest_ones(self, file: Path) -> None:
        """E_REGION: Microsoft's own example uses `Europe`, so this is not an error."""
        file.write_text(PARTNER + '[scope]\narm_regions = ["Europe"]\n', encoding="utf-8")
        (code, message, hint), = load(file, {}).warnings  # fmt: skip
        assert code == "E_REGION"
        assert "auditor.toml:8:scope.arm_regions[0] 'europe'" in message
        assert "`northeurope`, `westeurope`" in hint

    def test_an_unknown_target_view_gives_a_warning(self, file: Path) -> None:
        file.write_text(PARTNER + '[scope]\ntarget_views = ["AzureReservationVM"]\n')
        (_, message, hint), = load(file, {}).warnings  # fmt: skip
        assert "AzureReservationVM" in message
        assert "`AzureReservationsVM`" in hint


TOML_PIECES = st.lists(
    st.sampled_from(
        [
            *PARTNER.splitlines(keepends=True),
            "[scope]\n", "[run]\n", "[[mute]]\n", "[[notify.route]]\n", "[partner.limits]\n",
            "scope = 1\n", "scope.products = 1\n", "partner = []\n", "partner = [1, {}]\n",
            "[partner]\n", "[[scope]]\n", "mute.sku = 1\n", "notify.route = [[]]\n",
            "store = {}\n", "store = [[1]]\n", "store = '''\n\n'''\n", '"" = 1\n', "a.b.c = 1\n",
            "customers = [1, [], {}, '']\n", "until = 2027-01-31\n", "urls = [1]\n",
            "batch_size = 99999999999999999999\n", "max_failed_share = inf\n", "on = [1.5]\n",
            "resource_types = { a = { b = 1 } }\n", 'x = "\\u0000\\u2028"\n', "# ü\n", "= ] \n",
        ]
    ),
    max_size=14,
).map("".join)  # fmt: skip


@given(content=st.binary() | TOML_PIECES.map(str.encode) | st.text().map(lambda s: s.encode()))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_give_settings_or_problems(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    for asking in (None, Narrow()):
        try:
            assert isinstance(load(file, ENVIRON, asking=asking), Settings)
        except SettingsError as error:
            assert error.problems  # noqa: PT017 - either way is fine, a crash is not
            for code, message, hint in error.problems:
                assert code.startswith("E_")
                assert "\n" not in message + hint


@given(
    environ=st.dictionaries(
        st.sampled_from(
            ["AUDITOR_STORE", "AUDITOR_SCOPE__CUSTOMERS", "AUDITOR_MUTE", "AUDITOR_RUN"]
        )
        | st.text().map("AUDITOR_".__add__),
        st.text() | st.sampled_from(["1", "[]", "{}", "a\nb = 1", "[" * 5000]),
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_environment_gives_settings_or_problems(file: Path, environ: dict[str, str]) -> None:
    file.write_text(PARTNER, encoding="utf-8")
    try:
        assert isinstance(load(file, environ), Settings)
    except SettingsError as error:
        assert error.problems  # noqa: PT017 - either way is fine, a crash is not


def test_a_setting_that_this_version_ignores_gives_a_warning(tmp_path: Path) -> None:
    """Without the warning, a user would rely on a webhook that is never called."""
    path = tmp_path / "auditor.toml"
    path.write_text(
        '[notify]\nurls = ["env:TEAMS_WEBHOOK"]\n[metrics]\ntextfile = "x.prom"\n[[mute]]\n'
    )
    warned = [
        (code, message.split(" ")[0].rpartition(":")[2])
        for code, message, _ in load(path, {}).warnings
    ]
    assert warned == [
        ("E_CONFIG_UNHEEDED", "notify.urls"),
        ("E_CONFIG_UNHEEDED", "mute"),
    ]
