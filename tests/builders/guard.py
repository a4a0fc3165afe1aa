"""A made-up partner whose nights run in process, with the real fetch, guard and publisher."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow.parquet as pq

from auditor.fetch.fetch import Fetch
from auditor.guard.mass_changes import ROUND, Guard
from auditor.model import Reply, Request
from auditor.normalize.staged import AT_ONCE, Staged
from auditor.plan.plan import Plan
from auditor.progress import Silent
from auditor.publish.publish import Publisher
from auditor.publish.snapshot import Published, Snapshot
from auditor.run.check import Checking
from auditor.run.outage import Outage
from auditor.scope import recall
from auditor.scope.found import CustomerFound, Found
from auditor.store.folder.store import FolderStore
from auditor.store.interface import Store
from tests.builders import scope as bench
from tests.builders.scope import P

SECOND = ROUND
A, B = "c-a", "c-b"
"""Customers."""
FIRST = datetime(2026, 11, 1, 2, 0, tzinfo=UTC)
LICENCE = "CFQ7"

State = tuple[str, str, str]
"""Verdict, reason codes, values; for a term only the verdict counts."""
OPEN: State = ("unrestricted", "", "")
SHUT: State = ("restricted", "NotAvailableForSubscription", "westeurope")
GONE: State = ("not_in_catalog", "", "")
OFFERED: State = ("purchasable", "", "")
WITHHELD: State = ("not_purchasable", "", "")


class Key(NamedTuple):
    """A customer's SKU, or a term of a licence (`cycle`, or `duration/cycle`)."""

    customer: str
    product: str
    sku: str
    cycle: str = ""


Faulty = Callable[[Request], Reply | bytes | None]
"""Returns another reply or another body for a request; None for the true reply."""


def honest(_: Request) -> None:
    """Give every request its true reply."""


class Partner:
    """The truth about a partner's customers; answers their checks and keeps the requests."""

    def __init__(self, folder: Path, truth: Mapping[Key, State], *, buckets: int = 1) -> None:
        self.truth = dict(truth)
        self.customers = sorted({key.customer for key in truth} - {""})
        self.now = FIRST
        self.countries: tuple[str, ...] = ("DE",)
        self.subscriptions: tuple[str, ...] = ("a",)
        """First parts of the ids of each customer's Azure subscriptions."""
        self.catalog: dict[str, str] = {}
        """Further fields of every SKU in the catalog."""
        self.faulty: Faulty = honest
        self.asked: list[Request] = []
        self.store = FolderStore.open(str(folder / "lake"), create=True, buckets=buckets)
        self.others: list[Store] = []
        """Further stores that each run is published into."""
        self.folder = folder

    def night(self, number: int) -> None:
        """Go to the start of a night; 1 is the first."""
        self.now = FIRST + timedelta(days=number - 1)

    def keys(self, customer: str = "") -> list[Key]:
        """Return the keys of a customer, or of all customers."""
        return [key for key in self.truth if customer in {"", key.customer}]

    async def send(self, request: Request) -> Reply:
        """Reply to a check."""
        self.now += timedelta(seconds=1)
        self.asked.append(request)
        wrong = self.faulty(request)
        if isinstance(wrong, Reply):
            return msgspec.structs.replace(wrong, sent_at=self.now)
        body = self._body(request) if wrong is None else wrong
        return Reply(status=200, body=body, sent_at=self.now)

    def _body(self, request: Request) -> bytes:
        items = [item(key, self.truth[key]) for key in targets(request, self.truth)]
        present = [one for one in items if one is not None]
        return json.dumps(present if is_inventory(request) else {"items": present}).encode()

    def changes(self) -> list[dict[str, Any]]:  # Any: cells of a table
        """Return every change published so far, in the order of publication."""
        return self.rows(
            "SELECT c.* FROM change c JOIN snapshot s USING (snapshot_id) ORDER BY s.sequence"
        )

    def rows(self, query: str) -> list[dict[str, Any]]:  # Any: as above
        """Return the rows of a query over the store; open only the relations it reads."""
        with self.store.connect(query=query) as con:
            rows: list[dict[str, Any]] = con.sql(query).to_arrow_table().to_pylist()
        return rows

    def standing(self) -> dict[Key, dict[str, Any]]:  # Any: as above
        """Return the latest row of each key."""
        rows = self.store.arrow("latest_inventory").to_pylist()
        rows += self.store.arrow("latest_availability").to_pylist()
        return {key_of(row): row for row in rows}


def targets(request: Request, keys: Iterable[Key]) -> list[Key]:
    """Return the keys that a check targets, according to its path or body."""
    if not is_inventory(request):
        if any(value.lower() == "nonprofit" for _, value in request.params):
            return []  # every term here is commercial
        parts = request.path.split("/")
        name = (parts[parts.index("products") + 1], parts[parts.index("skus") + 1])
        return [k for k in keys if k.customer == request.customer_id and k.cycle and k[1:3] == name]
    body = {name.lower(): value for name, value in json.loads(request.body).items()}
    wanted = {(t["ProductId"], t.get("SkuId", "")) for t in body["targetitems"]}
    return [
        k
        for k in keys
        if k.customer == request.customer_id
        and not k.cycle
        and ((k.product, k.sku) in wanted or (k.product, "") in wanted)
    ]


def is_inventory(request: Request) -> bool:
    """Tell whether a request is an inventory check of either API."""
    return request.endpoint.startswith("check_inventory")


def item(key: Key, state: State) -> dict[str, object] | None:
    """Return a key's item in a reply, None if the reply leaves it out."""
    verdict, code, values = state
    if verdict == "not_in_catalog":
        return None
    if key.cycle:
        duration, _, cycle = key.cycle.rpartition("/")
        return {
            "id": f"{key.sku}{key.cycle}",
            "segment": "commercial",
            "isPurchasable": verdict == "purchasable",
            "isRenewable": True,
            "terms": [{"id": "t", "duration": duration or "P1Y", "billingCycle": cycle}],
        }
    properties = {"type": "Location", "values": values}
    restrictions = [{"reasonCode": code, "properties": properties}] if code else []
    return {
        "productId": key.product,
        "skuId": key.sku,
        "isRestricted": verdict == "restricted",
        "restrictions": restrictions,
    }


def key_of(row: Mapping[str, Any]) -> Key:  # Any: cells of a table
    cycle = row.get("billing_cycle", "")
    return Key(row["customer_id"], row["product_id"], row["sku_id"], cycle)


def state_of(row: Mapping[str, Any]) -> State:  # Any: as above
    return row["verdict"], row.get("reason_codes", ""), row.get("restriction_values", "")


class Run:
    """One run over some or all customers; its steps can be interleaved with another run's."""

    def __init__(
        self,
        partner: Partner,
        only: Sequence[str] = (),
        *,
        rules: Mapping[str, object] | None = None,
        fetch: type[Fetch] = Fetch,
        guard: type[Guard] = Guard,
        **found: object,
    ) -> None:
        self.partner = partner
        self._closing = ExitStack()
        self._replies: dict[bytes, Reply] = {}
        partner.now += timedelta(seconds=1)
        began = partner.now
        self.snapshot_id = f"{began:%Y%m%dT%H%M%SZ}-00000{'1' if only else '0'}"
        self.began = began.replace(microsecond=0)
        self.is_full = not only
        self._at_start = recall.published(partner.store, P)
        known = recall.recall(partner.store, P, self._at_start)
        skus = sorted({(k.product, k.sku) for k in partner.truth if not k.cycle})
        catalogs = tuple(
            bench.catalog(
                *(bench.sku(s, p, country=country, **partner.catalog) for p, s in skus),
                country=country,
                **found,  # type: ignore[arg-type] # a test names what it needs
            )
            for country in partner.countries
        )
        listed = only or partner.customers
        gone = () if only else sorted(known.customers.keys() - set(listed))
        self.found = Found(
            known=known,
            customers=(
                *(self._customer(name) for name in listed),
                *(CustomerFound(customer=known.customers[name], left=True) for name in gone),
            ),
            catalogs=catalogs,
            covers_catalog=self.is_full,
            covers_all_countries=True,
            started_at=began,
        )
        self._plan = Plan(bench.rules(**(rules or {})), catalogs, customers=self.found.customers)
        sender = fetch(self._send, self._tell, lifecycle=False, at_once=4)
        folder = partner.folder / f"{self.snapshot_id}.staged"
        staged = Staged(folder, self.found, self._plan, buckets=partner.store.buckets)
        self.staged = self._closing.enter_context(staged)
        self.guard = guard(partner.store, staged, self._plan)
        self.checking = Checking(
            sender, Silent(), "contoso-eu", Outage(0.0, "contoso-eu", Silent())
        )
        self.published: Published | None = None

    def _customer(self, name: str) -> CustomerFound:
        products = sorted({k[1:3] for k in self.partner.keys(name) if k.cycle})
        holds = [bench.plan(customer_id=name)]
        holds += [
            msgspec.structs.replace(bench.licence(f"l{p}{s}", p, s), customer_id=name)
            for p, s in products
        ]
        return bench.found(
            *(bench.azure(f"{a}-{name}", customer_id=name) for a in self.partner.subscriptions),
            holds=holds,
            customer_id=name,
            countries=self.partner.countries,
        )

    def _tell(self, *_: object, **__: object) -> None:
        """Hear of an event."""

    async def _send(self, request: Request) -> Reply:
        reply = await self.partner.send(request)
        assert request.key() not in self._replies, "the same question was sent twice"
        self._replies[request.key()] = reply
        return reply

    def body(self, key: bytes) -> bytes:
        return self._replies[key].body

    async def ask(self) -> None:
        """Send the planned checks."""
        self._plan = await self.checking.ask(self._plan, _nobody)

    async def check(self) -> None:
        """Let the guard look at the answers; ask the doubted ones again."""
        await self.checking.stage_and_recheck(self._plan, self.guard, self.staged, self.body)

    def publish(self, at_once: int = AT_ONCE) -> None:
        """Publish; then remove the staged answers."""
        with self._closing:
            for store in (*self.partner.others, self.partner.store):
                publisher = Publisher(
                    store,
                    self.found,
                    self._plan,
                    self.staged,
                    at_start={cell: before.snapshot_id for cell, before in self._at_start.items()},
                    now=lambda: self.partner.now,
                )
                publisher.at_once = at_once
                self.published = publisher.publish(self._snapshot(), self.checking.settled)

    def abandon(self) -> None:
        """End without publishing, as a failed run does."""
        self._closing.close()

    @property
    def changes(self) -> list[dict[str, Any]]:  # Any: cells of a table
        """The changes that were published."""
        files = self.partner.store.root.glob(f"snapshot={self.snapshot_id}/change/*.parquet")
        return [row for file in files for row in pq.read_table(file).to_pylist()]

    def _snapshot(self) -> Snapshot:
        return Snapshot(
            snapshot_id=self.snapshot_id,
            run_id=self.snapshot_id,
            partner_tenant_id=P,
            partner_name="contoso-eu",
            started_at=self.began,
            business_date=self.began.date(),
            kind="full" if self.is_full else "partial",
            trigger="cron",
            scope={},
            cell_scope={},
            scope_hash="s",
            config_hash="c",
            calls=len(self._replies),
            retries=0,
            throttled=0,
            max_failed_share=1.0,
        )


async def night(
    partner: Partner, number: int, only: Sequence[str] = (), **more: Any
) -> Run:  # Any: as Run takes them
    """Run one whole night; return it."""
    partner.night(number)
    run = Run(partner, only, **more)
    await run.ask()
    await run.check()
    run.publish()
    return run


def rounds(partner: Partner) -> list[int]:
    """Return the round of every request so far."""
    return [request.round for request in partner.asked]


def many(customer: str, count: int, state: State = SHUT, product: str = "DZH1") -> dict[Key, State]:
    """Return `count` SKUs of one product in one state."""
    return {Key(customer, product, f"{n:04}"): state for n in range(count)}


def terms(customer: str, count: int, state: State = OFFERED) -> dict[Key, State]:
    """Return `count` terms of a customer's licences, five of each SKU."""
    return {Key(customer, LICENCE, f"{n // 5:04}", f"cycle{n % 5}"): state for n in range(count)}


def turned(partner: Partner, state: State, count: int | None = None, customer: str = A) -> None:
    """Give the first `count` keys of a customer another state."""
    for key in partner.keys(customer)[:count]:
        partner.truth[key] = state


def published(run: Run) -> Published:
    """Return the publication of a run."""
    assert run.published is not None
    return run.published


def kinds(run: Run) -> dict[tuple[str, bool], int]:
    """Count the changes of a run by kind and whether they are suspect."""
    found: dict[tuple[str, bool], int] = {}
    for row in run.changes:
        name = (row["kind"], row["suspect"])
        found[name] = found.get(name, 0) + 1
    return found


def pending_of(partner: Partner) -> set[str]:
    """Return the pending verdicts, '' for keys without one."""
    query = (
        "SELECT pending_verdict AS p FROM current_inventory"
        " UNION ALL SELECT pending_verdict FROM current_availability"
    )
    return {row["p"] for row in partner.rows(query)}


async def known(folder: Path, truth: dict[Key, State]) -> Partner:
    """Return a partner after one published night."""
    partner = Partner(folder, truth)
    await night(partner, 1)
    partner.asked.clear()
    return partner


async def _nobody() -> tuple[CustomerFound, ...]:
    """Return the customers that wave 1 found late: none."""
    return ()
