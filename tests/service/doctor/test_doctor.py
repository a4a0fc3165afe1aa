"""The doctor with a login, a Partner Center and hosts that refuse: it explains each refusal."""

import io
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from auditor.doctor import Finding, State, examine, exit_status, write_findings
from auditor.doctor.finding import MEANINGS
from auditor.login.sign_in import LOGIN_URL
from auditor.secret import Secret
from auditor.settings import (
    AuthKind,
    InventoryApi,
    Limits,
    Network,
    Notify,
    Partner,
    Route,
    Scope,
    Settings,
)
from tests.builders.entra import Authority, Entra, Refused, running
from tests.builders.signing import partner

ENVIRON = {"S": "canary~Secret/of+the=app", "T": "canary-given-token"}


class Api:
    """A Partner Center that refuses what `refusals` names."""

    def __init__(self) -> None:
        self.base_url = ""
        self.refusals: dict[str, tuple[int, str]] = {}
        """Status and code, by path or by country and view."""
        self.customers: list[dict[str, object]] = [{"id": "c1"}]
        self.asked: list[str] = []

    async def handle(self, request: web.Request) -> web.Response:
        self.asked.append(request.path_qs)
        which = " ".join(request.query.get(k, "") for k in ("country", "targetView")).strip()
        status, code = self.refusals.get(request.path, self.refusals.get(which, (200, "")))
        if status != 200:
            return web.json_response({"code": code, "description": "canary"}, status=status)
        items: list[dict[str, object]] = [{"id": "P1"}, {"id": "P2"}]
        if request.path == "/v1/customers":
            items = list(self.customers)
        return web.json_response({"totalCount": len(items), "items": items})


@asynccontextmanager
async def serving() -> AsyncIterator[Api]:
    api = Api()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", api.handle)
    async with TestServer(app) as server:
        api.base_url = str(server.make_url("/")).rstrip("/")
        yield api


def configured(folder: Path, one: Partner, **scope: object) -> Settings:
    return Settings(
        store=str(folder / "lake"),
        state_dir=folder / "state",
        partner=(one,),
        scope=msgspec.structs.replace(Scope(), **scope),
        network=Network(ca_file=folder / "ca.pem" if (folder / "ca.pem").exists() else None),
        folder=folder,
    )


def given(api: Api, *countries: str) -> Partner:
    """Return a partner with a ready-made token."""
    one = partner(AuthKind.TOKEN, token="env:T", base_url=api.base_url)
    return msgspec.structs.replace(one, countries=countries or ("DE",))


def of(findings: list[Finding], check: str) -> list[Finding]:
    return [finding for finding in findings if finding.check == check]


@pytest.mark.asyncio
async def test_a_good_configuration_has_no_fault(tmp_path: Path) -> None:
    hidden: list[Secret] = []
    one = partner(AuthKind.APP, client_secret="env:S")
    async with serving() as api, running(Entra(), Authority(tmp_path).context()) as entra:
        one = msgspec.structs.replace(one, base_url=api.base_url)
        environ = ENVIRON | {LOGIN_URL: entra.base_url}
        found = await examine(configured(tmp_path, one), environ, hide=hidden.append)

        assert entra.asked["client_credentials"] == 1
        asked = {path.partition("?")[0] for path in api.asked}
        assert (asked, len(api.asked)) == ({"/", "/v1/customers", "/v1/products"}, 3)
    assert exit_status(found) == 0
    assert not [each for each in found if each.state is State.FAULT]
    checks = ["configuration", "reach", "secret", "quota", "credential", "customers", "products"]
    assert [each for each in dict.fromkeys(f.check for f in found) if each in checks] == checks
    assert {each.message.partition(" ")[0] for each in of(found, "reach")} == {
        entra.base_url.removeprefix("https://"),
        api.base_url.removeprefix("http://"),
    }
    assert Secret(ENVIRON["S"]) in hidden


@pytest.mark.asyncio
@pytest.mark.parametrize("code", MEANINGS)
async def test_each_refusal_is_explained(tmp_path: Path, code: str) -> None:
    async with serving() as api:
        api.refusals["/v1/products"] = (401 if code.startswith("90042") else 403, code)
        found = await examine(configured(tmp_path, given(api)), ENVIRON)
    ((finding),) = of(found, "products")
    assert finding.state is State.FAULT
    assert code in finding.message
    assert MEANINGS[code].message in finding.message
    assert "correlation" in finding.message
    assert finding.hint == MEANINGS[code].hint
    assert exit_status(found) == (78 if code in {"2030", "400030", "400036"} else 77)
    assert "canary" not in str(found)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("status", "code", "message", "exits"),
    [
        (401, "", "401: the token is not accepted", 77),
        (403, "", "403: forbidden", 77),
        (403, "12345", "403 12345: forbidden", 77),
        (404, "1000", "404 1000", 69),
    ],
)
async def test_a_customer_list_that_is_refused_is_reported(
    tmp_path: Path, status: int, code: str, message: str, exits: int
) -> None:
    async with serving() as api:
        api.refusals["/v1/customers"] = (status, code)
        found = await examine(configured(tmp_path, given(api)), ENVIRON)
    (finding,) = of(found, "customers")
    assert message in finding.message
    assert exit_status(found) == exits
    assert of(found, "products")[0].state is State.OK


@pytest.mark.asyncio
async def test_countries_with_the_same_result_share_a_line(tmp_path: Path) -> None:
    async with serving() as api:
        api.refusals["CH AzureReservationsVM"] = (403, "2030")
        found = await examine(configured(tmp_path, given(api, "AT", "CH", "DE")), ENVIRON)
    well, refused = of(found, "products")
    assert well.message == "AzureReservationsVM in AT, DE: 2 can be listed"
    assert refused.message.startswith(
        "AzureReservationsVM in CH: 403 2030: the partner does not sell"
    )


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("api_kind", "views"),
    [(InventoryApi.AUTO, ["AzureReservationsSQL"]), (InventoryApi.CHECK_INVENTORY, [])],
)
async def test_products_without_a_resource_type_are_reported_by_view(
    tmp_path: Path, api_kind: InventoryApi, views: list[str]
) -> None:
    target_views = ("AzureReservationsVM", "AzureReservationsSQL", "OnlineServicesNCE")
    async with serving() as api:
        settings = configured(
            tmp_path, given(api), target_views=target_views, inventory_api=api_kind
        )
        found = await examine(settings, ENVIRON)
    warnings = of(found, "resource types")
    assert [each.message for each in warnings] == [
        f"2 product(s) of {view} have no resource type: only checkInventory knows them"
        for view in views
    ]
    assert all(each.state is State.WARNING for each in warnings)


@pytest.mark.asyncio
async def test_a_partner_without_customers_is_a_warning(tmp_path: Path) -> None:
    async with serving() as api:
        api.customers = []
        found = await examine(configured(tmp_path, given(api)), ENVIRON)
    assert of(found, "customers")[0].state is State.WARNING
    assert exit_status(found) == 0


@pytest.mark.asyncio
async def test_after_a_refused_credential_everything_else_is_still_tried(tmp_path: Path) -> None:
    one = partner(AuthKind.APP, client_secret="env:S")
    async with serving() as api, running(Entra(), Authority(tmp_path).context()) as entra:
        entra.replies = [Refused(401, "invalid_client", 7000222)]
        refused = msgspec.structs.replace(one, base_url=api.base_url)
        settings = configured(tmp_path, refused)
        other = msgspec.structs.replace(given(api), name="other")
        settings = msgspec.structs.replace(settings, partner=(refused, other))
        found = await examine(settings, ENVIRON | {LOGIN_URL: entra.base_url})
    first, second = of(found, "credential")
    assert "AADSTS7000222: the client secret has expired" in first.message
    assert first.hint == "make a new secret for the app registration"
    assert second.state is State.OK
    assert [each.partner for each in of(found, "customers")] == ["other"]
    assert exit_status(found) == 77


@pytest.mark.asyncio
async def test_a_missing_secret_is_reported_and_nothing_is_asked_with_it(tmp_path: Path) -> None:
    async with serving() as api:
        settings = configured(tmp_path, given(api))
        found = await examine(settings, {})
        assert api.asked == ["/"]
    (finding,) = of(found, "secret")
    assert finding.message == "environment variable T is not set"
    assert not of(found, "credential")
    assert exit_status(found) == 78


@pytest.mark.asyncio
async def test_the_secrets_of_notifications_are_checked(tmp_path: Path) -> None:
    async with serving() as api:
        notify = Notify(urls=("env:S",), route=(Route(urls=("env:NOWHERE", "env:S")),))
        settings = msgspec.structs.replace(configured(tmp_path, given(api)), notify=notify)
        found = await examine(settings, ENVIRON)
    _, well, missing = of(found, "secret")
    assert well.message == "notify env:S is read from env:S"
    assert (missing.state, missing.partner) == (State.FAULT, "")


@pytest.mark.asyncio
async def test_a_configuration_without_a_partner_is_a_fault(tmp_path: Path) -> None:
    settings = Settings(store=str(tmp_path / "lake"), state_dir=tmp_path / "state")
    found = await examine(settings, {})
    assert of(found, "configuration")[0].message == "the configuration has no [[partner]]"
    assert exit_status(found) == 78


@pytest.mark.asyncio
async def test_a_login_url_without_https_is_a_fault(tmp_path: Path) -> None:
    one = partner(AuthKind.APP, client_secret="env:S")
    found = await examine(configured(tmp_path, one), ENVIRON | {LOGIN_URL: "http://host"})
    assert LOGIN_URL in of(found, "reach")[0].message
    assert LOGIN_URL in of(found, "credential")[0].message
    assert exit_status(found) == 78


@pytest.mark.asyncio
async def test_a_list_that_is_garbled_is_reported(tmp_path: Path) -> None:
    async with serving() as api:
        api.customers = [{"no": "id"}]
        found = await examine(configured(tmp_path, given(api)), ENVIRON)
    assert "the list is garbled" in of(found, "customers")[0].message


@pytest.mark.asyncio
async def test_items_that_cannot_be_used_are_told_beside_those_that_can(tmp_path: Path) -> None:
    """P36."""
    async with serving() as api:
        api.customers = [{"id": "c1"}, {"id": "c2", "relationshipToPartner": 5}]
        found = await examine(configured(tmp_path, given(api)), ENVIRON)
    [customers] = of(found, "customers")
    assert customers.state is State.WARNING
    assert customers.message == "1 can be listed, 1 cannot be used"
    assert "c2" in customers.hint


@pytest.mark.asyncio
async def test_a_limit_above_the_documented_one_is_a_warning(tmp_path: Path) -> None:
    async with serving() as api:
        one = msgspec.structs.replace(given(api), limits=Limits(customers=501, shared="none"))
        found = await examine(configured(tmp_path, one), ENVIRON)
    (quota,) = of(found, "quota")
    assert quota.state is State.WARNING
    assert "240,480 calls about customers" in quota.message
    assert "not shared" in quota.message


@pytest.mark.asyncio
async def test_hosts_that_do_not_answer_are_named_with_their_purpose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No server listens for the key vault, the login or the API."""
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "AzureCliCredential")  # asks no network
    monkeypatch.setenv("PATH", str(tmp_path))
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        at = f"127.0.0.1:{bound.getsockname()[1]}"
        one = partner(
            AuthKind.APP,
            client_secret="keyvault:https://vault.invalid/app",
            base_url=f"http://{at}",
        )
        found = await examine(configured(tmp_path, one), {LOGIN_URL: "https://login.invalid"})
    hints = {each.message: each.hint for each in of(found, "reach")}
    assert list(hints) == [
        f"{at}: the connection is refused",
        "login.invalid:443: the name cannot be resolved",
        "vault.invalid:443: the name cannot be resolved",
    ]
    purposes = [hint.rpartition("it is ")[2] for hint in hints.values()]
    assert purposes == ["Partner Center", "to sign in", "the key vault"]


@pytest.mark.asyncio
async def test_a_bad_certificate_is_reported(tmp_path: Path) -> None:
    """Row 18."""
    one = partner(AuthKind.APP, client_secret="env:S")
    async with serving() as api, running(Entra(), Authority(tmp_path).context()) as entra:
        (tmp_path / "ca.pem").unlink()
        settings = configured(tmp_path, msgspec.structs.replace(one, base_url=api.base_url))
        found = await examine(settings, ENVIRON | {LOGIN_URL: entra.base_url})
        assert not entra.asked
    assert "TLS: unable to get local issuer certificate" in of(found, "credential")[0].message
    assert exit_status(found) == 69


def test_findings_are_printed_within_the_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """It also has no control characters that move the cursor."""
    monkeypatch.setenv("COLUMNS", "60")
    stream = io.StringIO()
    message = "a long story of what was tried, and of how it went in the end \x1b[31m"
    write_findings(
        [Finding(check="store", message=message, state=State.WARNING, hint="mend it")], stream
    )
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= 60
    assert lines[0].startswith("warning  store: a long story")
    assert lines[1].startswith("         ")
    assert "to fix: mend it" in stream.getvalue()
    assert lines[-1] == "1 checks, 0 fault(s), 1 warning(s)"
    assert "\x1b" not in stream.getvalue()
