"""The settings that a valid configuration gives."""

import json
from datetime import date
from pathlib import Path

import msgspec
import pytest

from auditor.errors import ConfigMissing, SettingsError, UsageError
from auditor.model import ChangeKind, CheckKind
from auditor.settings import (
    AuthKind,
    AvailabilityScope,
    Cloud,
    Limits,
    Narrow,
    Scope,
    Settings,
    check_secrets,
    load,
    masked,
    partners_for,
)

PARTNER = """
[[partner]]
name = "contoso-eu"
tenant_id = "AAAAAAAA-0000-4000-8000-000000000001"
countries = ["DE", "fr"]
auth = "token"
token = "env:CONTOSO_TOKEN"
"""


def loaded(folder: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    path = folder / "auditor.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, environ or {})


def test_a_key_that_is_not_set_has_its_default(tmp_path: Path) -> None:
    settings = loaded(tmp_path, PARTNER)

    assert settings.store == str(tmp_path / "lake")
    assert settings.state_dir == tmp_path / "state"
    assert settings.partner[0].cloud is Cloud.GLOBAL
    assert settings.partner[0].limits == Limits()
    assert settings.scope == Scope()
    assert settings.scope.customers is None
    assert settings.scope.checks == (CheckKind.INVENTORY, CheckKind.AVAILABILITY)
    assert settings.notify.urls == ()
    assert settings.warnings == ()


def test_ids_stay_text(tmp_path: Path) -> None:
    """P28: NO is Norway, 0011 and 00E1 are ids; GUIDs are lower case, countries upper case."""
    settings = loaded(
        tmp_path,
        PARTNER.replace('"fr"', '"no"')
        + '[scope]\nproducts = ["0011", "00E1:00E1", "NO", "1e5"]\n'
        + 'customers = ["ABCDEF00-0000-4000-8000-000000000001"]\n',
    )

    assert settings.partner[0].countries == ("DE", "NO")
    assert settings.partner[0].tenant_id == "aaaaaaaa-0000-4000-8000-000000000001"
    assert settings.scope.products == ("0011", "00E1:00E1", "NO", "1e5")
    assert settings.scope.customers == ("abcdef00-0000-4000-8000-000000000001",)


def test_limits_belong_to_the_partner_above_them(tmp_path: Path) -> None:
    second = PARTNER.replace("contoso-eu", "contoso-us").replace("0001", "0002")

    settings = loaded(tmp_path, PARTNER + second + "[partner.limits]\ncatalog = 7\n")

    assert [partner.limits.catalog for partner in settings.partner] == [600, 7]


def test_each_way_to_sign_in_can_be_configured(tmp_path: Path) -> None:
    app = 'client_id = "bbbbbbbb-0000-4000-8000-000000000001"\n'
    ways = {
        AuthKind.APP: app + 'client_secret = "env:S"',
        AuthKind.APP_USER: app + 'refresh_token = "file:refresh"',
        AuthKind.WORKLOAD_IDENTITY: app,
        AuthKind.TOKEN: 'token = "keyvault:https://vault.example/token"',
    }
    assert set(ways) == set(AuthKind)
    for kind, keys in ways.items():
        text = PARTNER.replace('auth = "token"', f'auth = "{kind}"').replace(
            'token = "env:CONTOSO_TOKEN"', keys
        )
        assert loaded(tmp_path, text).partner[0].auth is kind


def test_lists_of_tables_are_read(tmp_path: Path) -> None:
    settings = loaded(
        tmp_path,
        PARTNER
        + '[[notify.route]]\npartner = "contoso-eu"\nurls = ["env:HOOK"]\n'
        + '[[mute]]\nsku = "DZH318Z0BQ3Q:*"\nuntil = 2027-01-31\n',
    )

    assert settings.notify.route[0].urls == ("env:HOOK",)
    assert settings.mute[0].until == date(2027, 1, 31)
    assert settings.mute[0].customer == "*"


def test_a_byte_order_mark_at_the_start_of_the_file_is_accepted(tmp_path: Path) -> None:
    assert loaded(tmp_path, "\ufeff" + PARTNER).partner[0].name == "contoso-eu"


class TestEnvironment:
    def test_it_overrides_the_file_and_a_flag_overrides_both(self, tmp_path: Path) -> None:
        path = tmp_path / "auditor.toml"
        path.write_text(PARTNER + '[scope]\navailability = "held"\n', encoding="utf-8")
        environ = {"AUDITOR_SCOPE__AVAILABILITY": "all"}

        assert load(path, {}).scope.availability is AvailabilityScope.HELD
        assert load(path, environ).scope.availability is AvailabilityScope.ALL
        flags = {"scope.availability": "held"}
        assert load(path, environ, flags).scope.availability is AvailabilityScope.HELD

    def test_every_key_outside_partner_can_be_set(self, tmp_path: Path) -> None:
        given = {
            "AUDITOR_STORE": "2026",
            "AUDITOR_STATE_DIR": '"quoted"',
            "AUDITOR_RUN__BATCH_SIZE": "7",
            "AUDITOR_RUN__TIME_ZONE": "Europe/Berlin",
            "AUDITOR_SCOPE__LIFECYCLE": "true",
            "AUDITOR_SCOPE__CUSTOMERS": "all",
            "AUDITOR_SCOPE__ARM_REGIONS": '["westeurope"]',
            "AUDITOR_NOTIFY__ON": "[]",
            "AUDITOR_MUTE": '[{ sku = "A:*" }]',
            "AUDITOR_CACHE__CATALOG": "0",
            "AUDITOR_NETWORK__PROXY": "",
        }

        settings = loaded(tmp_path, PARTNER, given)

        assert settings.store == str(tmp_path / "2026")
        assert settings.state_dir == tmp_path / "quoted"
        assert settings.run.batch_size == 7
        assert settings.run.time_zone == "Europe/Berlin"
        assert settings.scope.lifecycle is True
        assert settings.scope.arm_regions == ("westeurope",)
        assert settings.notify.on == ()
        assert settings.mute[0].sku == "A:*"
        assert settings.cache.catalog == 0

    def test_variables_of_other_programs_are_ignored(self, tmp_path: Path) -> None:
        """Kubernetes sets variables such as AUDITOR_PORT for a service called auditor."""
        others = {
            "AUDITOR_PORT": "tcp://10.0.0.1:80",
            "AUDITOR_PORT_80_TCP_ADDR": "10.0.0.1",
            "AUDITOR_SERVICE_HOST": "10.0.0.1",
            "AUDITOR_CONFIG": "elsewhere.toml",
            "AUDITOR_SANDBOX_TOKEN_CONTOSO": "x",
            "PATH": "/bin",
        }
        assert loaded(tmp_path, PARTNER, others) == loaded(tmp_path, PARTNER)

    def test_a_variable_that_holds_a_secret_is_not_read_as_a_setting(self, tmp_path: Path) -> None:
        text = PARTNER.replace("env:CONTOSO_TOKEN", "env:AUDITOR_STORE_1")
        assert loaded(tmp_path, text, {"AUDITOR_STORE_1": "x"}).partner[0].token


class TestFinding:
    def test_a_file_in_the_folder_comes_before_the_variable(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "other.toml").write_text(PARTNER.replace("-eu", "-us"), encoding="utf-8")
        environ = {"AUDITOR_CONFIG": "other.toml"}

        assert load(None, environ).partner[0].name == "contoso-us"
        (tmp_path / "auditor.toml").write_text(PARTNER, encoding="utf-8")
        assert load(None, environ).partner[0].name == "contoso-eu"

    def test_a_library_user_can_name_only_the_file(self, tmp_path: Path) -> None:
        (tmp_path / "a.toml").write_text(PARTNER, encoding="utf-8")
        assert load(str(tmp_path / "a.toml")) == load(tmp_path / "a.toml", {})

    def test_paths_are_relative_to_the_file(self, tmp_path: Path) -> None:
        (tmp_path / "conf").mkdir()
        settings = loaded(
            tmp_path / "conf",
            'store = "../lake"\n' + PARTNER + '[network]\nca_file = "ca.pem"\n'
            '[metrics]\ntextfile = "/var/m.prom"\n',
        )

        assert settings.store == str(tmp_path / "conf" / "../lake")
        assert settings.network.ca_file == tmp_path / "conf" / "ca.pem"
        assert settings.metrics.textfile == Path("/var/m.prom")
        assert settings.folder == tmp_path / "conf"

    @pytest.mark.parametrize(
        ("given", "store"),
        [
            ("file:///srv/my%20lake", "/srv/my lake"),
            ("file:/srv/lake", "/srv/lake"),
            ("/srv/lake", "/srv/lake"),
            ("postgresql://auditor@db/audit", "postgresql://auditor@db/audit"),
            ("postgresql+psycopg://auditor@db/audit", "postgresql+psycopg://auditor@db/audit"),
        ],
    )
    def test_a_store_is_a_folder_or_a_database(
        self, tmp_path: Path, given: str, store: str
    ) -> None:
        assert loaded(tmp_path, f'store = "{given}"\n{PARTNER}').store == store

    @pytest.mark.parametrize("name", ["nowhere.toml", "a\0b", "x" * 5000])
    def test_a_missing_file_is_reported_as_not_found(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(ConfigMissing) as caught:
            load(tmp_path / name, {})
        assert caught.value.exit_status == 66
        assert "not found" in caught.value.message

    def test_a_folder_in_place_of_the_file_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigMissing, match="cannot be read"):
            load(tmp_path, {})


class TestPasswords:
    URL = "postgresql://auditor:hunter2pass@db/audit?sslpassword=hunter2pass"

    def test_they_are_never_shown(self, tmp_path: Path) -> None:
        settings = loaded(tmp_path, f'store = "{self.URL}"\n{PARTNER}')

        assert "hunter2pass" in settings.store
        shown = [settings.shown_store(), repr(settings), str(settings.warnings)]
        shown.append(json.dumps(settings.identity()))
        assert not [each for each in shown if "hunter2pass" in each]

    def test_the_password_of_a_shared_quota_is_not_shown(self, tmp_path: Path) -> None:
        shared = f'{PARTNER}[partner.limits]\nshared = "redis://u:hunter2pass@h/0"\n'
        partner = loaded(tmp_path, shared).partner[0]

        assert "hunter2pass" in partner.limits.shared
        assert "hunter2pass" not in repr(partner)

    @pytest.mark.parametrize("key", ["store", "partner.limits.shared"])
    def test_a_password_not_percent_encoded_is_refused(self, tmp_path: Path, key: str) -> None:
        """S1."""
        url = '"postgresql://auditor:hunter2@pass@db/audit"'
        shared = f"{PARTNER}[partner.limits]\nshared = {url}\n"
        with pytest.raises(SettingsError) as caught:
            loaded(tmp_path, f"store = {url}\n{PARTNER}" if key == "store" else shared)
        assert caught.value.exit_status == 78
        ((_, message, hint),) = caught.value.problems
        assert "percent-encode" in hint
        assert "hunter2" not in message + hint
        assert "pass@" not in message + hint

    def test_only_a_password_in_the_file_gives_a_warning(self, tmp_path: Path) -> None:
        in_file = loaded(tmp_path, f'store = "{self.URL}"\n{PARTNER}')
        in_environment = loaded(tmp_path, PARTNER, {"AUDITOR_STORE": self.URL})

        assert [message.split(" ", 1)[1] for _, message, _ in in_file.warnings] == [
            "holds a password"
        ]
        assert in_environment.warnings == ()

    def test_a_url_without_a_password_is_shown_unchanged(self) -> None:
        for url in ("postgresql://auditor@db/audit", "/srv/a:b@c", "redis://h:6379/0"):
            assert masked(url) == url


class TestNarrow:
    def test_partners_are_selected_by_name(self, tmp_path: Path) -> None:
        second = PARTNER.replace("contoso-eu", "contoso-us").replace("0001", "0002")
        settings = loaded(tmp_path, PARTNER + second)

        assert len(partners_for(settings, Narrow())) == 2
        chosen = partners_for(settings, Narrow(partners=("contoso-us",), countries=("FR",)))
        assert [partner.name for partner in chosen] == ["contoso-us"]

    def test_an_unknown_partner_is_reported_with_the_nearest_name(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError) as caught:
            partners_for(loaded(tmp_path, PARTNER), Narrow(partners=("contoso-ue",)))
        assert (caught.value.exit_status, caught.value.error_code) == (64, "E_PARTNER_UNKNOWN")
        assert "contoso-eu" in caught.value.hint

    def test_a_country_must_be_one_of_the_partners(self, tmp_path: Path) -> None:
        settings = loaded(tmp_path, PARTNER.replace("fr", "gb"))
        with pytest.raises(UsageError) as caught:
            partners_for(settings, Narrow(countries=("UK",)))
        assert (caught.value.exit_status, caught.value.error_code) == (64, "E_REGION")
        assert "GB" in caught.value.hint

    def test_the_secrets_of_one_of_the_partners_asked_for_are_needed(self, tmp_path: Path) -> None:
        second = PARTNER.replace("contoso-eu", "contoso-us").replace("0001", "0002")
        path = tmp_path / "auditor.toml"
        path.write_text(PARTNER.replace("CONTOSO_TOKEN", "OTHER") + second, encoding="utf-8")
        environ = {"CONTOSO_TOKEN": "a-token-of-ours"}

        assert load(path, environ, asking=Narrow(partners=("contoso-us",)))
        settings = load(path, environ, asking=Narrow())
        lacking, other = settings.partner
        check_secrets(settings, other, environ)
        with pytest.raises(SettingsError, match="contoso-eu: token: environment variable OTHER"):
            check_secrets(settings, lacking, environ)
        for asking, nothing in ((Narrow(partners=("contoso-eu",)), environ), (Narrow(), {})):
            with pytest.raises(SettingsError) as caught:
                load(path, nothing, asking=asking)
            codes = [code for code, _, _ in caught.value.problems]
            assert codes == ["E_SECRET_MISSING"] * (1 if nothing else 2)

    def test_where_something_else_is_wrong_each_missing_secret_is_reported(
        self, tmp_path: Path
    ) -> None:
        second = PARTNER.replace("contoso-eu", "contoso-us").replace("0001", "0002")
        path = tmp_path / "auditor.toml"
        text = PARTNER.replace("CONTOSO_TOKEN", "OTHER") + second + "[run]\nbatch_size = 0\n"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(SettingsError) as caught:
            load(path, {"CONTOSO_TOKEN": "a-token-of-ours"}, asking=Narrow())
        codes = {code for code, _, _ in caught.value.problems}
        assert codes == {"E_CONFIG_VALUE", "E_SECRET_MISSING"}

    def test_a_command_that_only_reads_needs_no_secret_and_no_partner(self, tmp_path: Path) -> None:
        assert loaded(tmp_path, "").partner == ()


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    settings = loaded(tmp_path, PARTNER)
    with pytest.raises(AttributeError):
        settings.store = "x"  # type: ignore[misc] # the test is about this
    assert msgspec.structs.replace(settings, store="x").store == "x"


def test_the_default_kinds_to_notify_are_kinds_of_change(tmp_path: Path) -> None:
    assert all(isinstance(kind, ChangeKind) for kind in loaded(tmp_path, PARTNER).notify.on)
