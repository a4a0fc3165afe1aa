"""Names and ids with control characters or path parts, through whole commands."""

import io
import json
import unicodedata
from pathlib import Path

import pytest

from auditor.cli.shell import main
from auditor.errors import UsageError
from auditor.sandbox import Fault, Faults
from tests.builders.nightly import Night, nights
from tests.builders.report_lake import two_nights

MOVING = "\x1b[2J\x1b]0;title\x07\r\x08\x7f\x9b31m\x85\u2028\u202eevil\u2066\u200f\ufeff"
CONFIG = """
store = "./lake"
[[partner]]
name = "contoso-eu"
tenant_id = "aaaaaaaa-0000-4000-8000-000000000001"
countries = ["DE"]
auth = "token"
token = "env:TOKEN"
"""
VIEWS = ("latest_inventory", "latest_sku", "unanswered", "newly_restricted", "dim_customer")


def ended(folder: Path, *words: str) -> tuple[int, str]:
    """Return a command's exit status and output."""
    out, err = io.StringIO(), io.StringIO()
    config = ("--config", str(folder / "auditor.toml"))
    status = main([*words, *config], {"TOKEN": "a-token-of-tests"}, io.StringIO(), out, err)
    return status, out.getvalue() + err.getvalue()


def output_of(folder: Path, *words: str) -> str:
    """Return the output of a command that must succeed."""
    status, output = ended(folder, *words)
    assert status == 0, output
    return output


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a store in which every name has control characters."""
    made = tmp_path_factory.mktemp("hostile")
    two_nights(made, MOVING)
    (made / "auditor.toml").write_text(CONFIG)
    return made


@pytest.mark.parametrize("how", ["table", "json", "csv", "markdown"])
@pytest.mark.parametrize(
    "words",
    [
        ("changes",),
        ("changes", "--by-cause"),
        ("snapshots", "list"),
        *(("sql", f"SELECT * FROM {view}") for view in VIEWS),
    ],
    ids=lambda words: words[-1].rpartition(" ")[2],
)
def test_no_table_moves_the_cursor(folder: Path, words: tuple[str, ...], how: str) -> None:
    """S7: no C0, C1 or bidirectional control is printed, for every command and format."""
    output = output_of(folder, *words, "--format", how)
    assert output.count("\n") > 1
    odd = {c for c in output if unicodedata.category(c) in {"Cc", "Zl", "Zp"}} - {"\n"}
    assert odd == set()
    assert not {c for c in output if c in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"}


@pytest.mark.parametrize(
    "name",
    [
        "x' OR 'a'='a",
        "x'; DROP VIEW sku; --",
        'x" OR "a"="a',
        "$customer",
        "%",
        "Acme' UNION SELECT 1 --",
        "\u2019 OR 1=1",
    ],
    ids=range(7),
)
def test_a_name_never_becomes_sql(folder: Path, name: str) -> None:
    """S6: no customer has this name, so nothing is found."""
    for words in (("changes",), ("changes", "--by-cause")):
        status, output = ended(folder, *words, "--customer", name, "--format", "json")
        assert status == UsageError.exit_status
        assert "E_CUSTOMER_UNKNOWN" in output
        assert "sub-" not in output


HOSTILE_IDS = ("..", "../../x", "a/b", "%2e%2e", "a\\b", "a\0b", "x" * 300, "CON", "trailing.", "-")


def names_below(folder: Path) -> set[str]:
    """Return the names of all files and folders."""
    return {part for path in folder.rglob("*") for part in path.relative_to(folder).parts}


def directly_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def listed(items: list[dict[str, object]]) -> str:
    return json.dumps({"totalCount": len(items), "items": items})


async def night_of(night: Night, faults: list[Fault]) -> None:
    night.sandbox.faults = Faults(faults)
    night.sandbox.log.clear()
    await night.run(1)


@pytest.mark.asyncio
async def test_no_id_escapes_its_folder_or_its_url_path(tmp_path: Path) -> None:
    """S9: ids of customers, products, SKUs and subscriptions, as the server sends them."""
    skus: list[dict[str, object]] = [
        {
            "id": name,
            "productId": name,
            "title": name,
            "inventoryVariables": ["CustomerId"],
            "purchasePrerequisites": ["InventoryCheck"],
            "dynamicAttributes": {"armRegionName": name},
        }
        for name in HOSTILE_IDS
    ]
    own = tmp_path / "own"
    own.mkdir()
    async with nights(own, 5) as night:
        await night.run(1)
        customers: list[dict[str, object]] = [
            {"id": name, "companyProfile": {"tenantId": name, "companyName": name, "domain": name}}
            for name in HOSTILE_IDS
        ]
        subscriptions: list[dict[str, object]] = [
            {"id": name, "offerId": f"{name}:{name}:{name}", "status": "active"}
            for name in HOSTILE_IDS
        ]
        await night_of(
            night,
            [
                Fault(endpoint="customers", count=1, body=listed(customers)),
                Fault(endpoint="products", count=1, body=listed(skus)),
                Fault(endpoint="skus", count=2, body=listed(skus)),
                Fault(endpoint="subscriptions", share=0.5, body=listed(subscriptions)),
                Fault(endpoint="entitlements", share=0.5, body=listed(subscriptions)),
            ],
        )
        records = night.sandbox.log.records
        assert {r.endpoint for r in records if r.fault} >= {"customers", "skus", "subscriptions"}
        assert {r.path for r in records if not r.endpoint} == set(), "each is a path as documented"
    assert names_below(tmp_path).isdisjoint(HOSTILE_IDS)
    assert directly_in(tmp_path) == ["own"]
