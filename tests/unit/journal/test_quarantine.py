"""The quarantine: the records of replies that could not be used."""

import hashlib
import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from auditor.errors import InputMissing, StoreFailed
from auditor.journal import quarantine
from auditor.journal.journal import Journal
from auditor.journal.quarantine import MOST_SHOWN, Quarantine, path_of
from auditor.model import ApiClass, Check, CheckKind, Outcome, Question, Reply, Request, Settled
from auditor.partner_center.client import PartnerCenter

AT = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
TENANT = "aaaaaaaa-0000-0000-0000-000000000001"
HTML = b"<html>\x1b[2J Bearer abcdefghijkl \xff</html>"
ANSWERED = Settled(
    question=Question(
        checks=(
            Check(
                kind=CheckKind.INVENTORY, partner_tenant_id=TENANT, customer_id="c", country="DE"
            ),
        )
    ),
    outcome=Outcome.ANSWERED,
    key=b"k" * 16,
    endpoint="check_inventory",
    http_status=200,
    request_id="r",
    correlation_id="o",
    sent_at=AT,
)


def settled(**other: object) -> Settled:
    return msgspec.structs.replace(ANSWERED, **other)


async def journaled(folder: Path, *bodies: bytes) -> None:
    """Write replies with these bodies into a journal, under the keys kkk…, lll… and so on."""
    journal = Journal(folder / f"{TENANT}.journal")
    for number, body in enumerate(bodies):
        reply = Reply(status=200, body=body, sent_at=AT)
        await journal.append(bytes([ord("k") + number]) * 16, reply)
    await journal.close()


def rows(folder: Path, *, with_bodies: bool = True) -> list[dict[str, object]]:
    found: list[dict[str, object]] = quarantine.table(
        folder, TENANT, "contoso", with_bodies=with_bodies
    ).to_pylist()
    return found


@pytest.mark.asyncio
async def test_a_record_describes_the_reply_and_hides_secrets_in_the_body(tmp_path: Path) -> None:
    """P24, S18."""
    await journaled(tmp_path, HTML)
    records = Quarantine()
    records.settle([settled(outcome=Outcome.FAILED, reason="unreadable_reply")], lambda _: HTML)
    records.save(path_of(tmp_path, TENANT))

    assert rows(tmp_path) == [
        {
            "at": AT,
            "partner": "contoso",
            "endpoint": "check_inventory",
            "customer_id": "c",
            "reason": "unreadable_reply",
            "items": "",
            "status": 200,
            "sha256": hashlib.sha256(HTML).hexdigest(),
            "size": len(HTML),
            "request_id": "r",
            "correlation_id": "o",
            "body": "<html>\x1b[2J Bearer *** \\xff</html>",
        }
    ]
    assert "body" not in rows(tmp_path, with_bodies=False)[0]
    assert stat.S_IMODE(path_of(tmp_path, TENANT).stat().st_mode) == 0o600


def test_only_replies_that_arrived_and_were_not_used_are_recorded() -> None:
    records = Quarantine()
    records.settle(
        [
            settled(key=b"1"),
            settled(key=b"2", outcome=Outcome.FAILED, http_status=503),
            settled(key=b"", outcome=Outcome.SKIPPED, http_status=0, sent_at=None),
            settled(key=b"3", set_apart="2 spoiled_item, 1 mismatched_echo"),
            settled(key=b"4", outcome=Outcome.FAILED, reason="too_large"),
        ],
        lambda _: b"",
    )

    assert records.keys == {b"3", b"4"}


def test_a_reply_with_several_outcomes_is_one_record(tmp_path: Path) -> None:
    apart = settled(set_apart="2 spoiled_item, 1 mismatched_echo")
    failed = msgspec.structs.replace(apart, outcome=Outcome.FAILED, reason="mismatched_echo")
    for parts, reason in (([failed, apart], "mismatched_echo"), ([apart], "spoiled_item")):
        records = Quarantine()
        records.settle(parts, lambda _: b"[]")
        records.save(path_of(tmp_path, TENANT))
        [row] = rows(tmp_path)
        assert (row["reason"], row["items"]) == (reason, "2 spoiled_item, 1 mismatched_echo")


@pytest.mark.asyncio
async def test_only_the_beginning_of_a_large_body_is_shown(tmp_path: Path) -> None:
    """P24, S18."""
    large = b"x" * (MOST_SHOWN + 1)
    await journaled(tmp_path, large)
    records = Quarantine()
    records.settle([settled(outcome=Outcome.FAILED, reason="unreadable_reply")], lambda _: large)
    records.save(path_of(tmp_path, TENANT))

    [row] = rows(tmp_path)

    assert row["body"] == "x" * MOST_SHOWN
    assert row["size"] == MOST_SHOWN + 1


@pytest.mark.asyncio
async def test_records_are_sorted_by_time_and_remain_without_their_bodies(tmp_path: Path) -> None:
    await journaled(tmp_path, b"<a>")
    later = settled(outcome=Outcome.FAILED, sent_at=AT + timedelta(seconds=1))
    records = Quarantine()
    records.settle(
        [later, settled(outcome=Outcome.FAILED, key=b"z" * 16, reason="no_verdict")],
        lambda _: b"<a>",
    )
    records.save(path_of(tmp_path, TENANT))

    assert [row["body"] for row in rows(tmp_path)] == ["", "<a>"]
    (tmp_path / f"{TENANT}.journal").unlink()
    assert [row["body"] for row in rows(tmp_path)] == ["", ""]


def test_a_run_without_records_is_reported_as_of_another_machine(tmp_path: Path) -> None:
    with pytest.raises(InputMissing, match="another machine") as caught:
        rows(tmp_path)
    assert caught.value.exit_status == 66


def test_damaged_records_are_reported(tmp_path: Path) -> None:
    path_of(tmp_path, TENANT).write_bytes(b'{"at": 1}\n')
    with pytest.raises(InputMissing, match="is damaged"):
        rows(tmp_path)


def test_unreadable_records_are_reported(tmp_path: Path) -> None:
    """P30."""
    path_of(tmp_path, TENANT).mkdir()
    with pytest.raises(InputMissing, match="cannot be read"):
        rows(tmp_path)


def test_records_that_cannot_be_written_are_reported(tmp_path: Path) -> None:
    """P30."""
    path_of(tmp_path, TENANT).mkdir()
    with pytest.raises(StoreFailed, match="cannot write"):
        Quarantine().save(path_of(tmp_path, TENANT))


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("reply", "items"),
    [
        (Reply(status=200, body=b"<html>", sent_at=AT), "malformed"),
        (Reply(status=200, body=b'{"totalCount":2,"items":[]}', sent_at=AT), "short list: 0 of 2"),
        (Reply(status=200, body=b'{"code":"900000"}', sent_at=AT), "900000"),
        (Reply(status=200, cause="too_large", sent_at=AT), ""),
    ],
)
async def test_a_reply_that_discovery_cannot_read_is_recorded_too(
    reply: Reply, items: str, tmp_path: Path
) -> None:
    """P24."""

    async def send(_: Request) -> Reply:
        return reply

    records = Quarantine()
    api = PartnerCenter(send, "https://api.partnercenter.microsoft.com", records.refuse)
    with pytest.raises(Exception, match="GET /v1/customers/c/subscriptions"):
        await api.subscriptions("c")
    records.save(path_of(tmp_path, TENANT))

    [row] = rows(tmp_path)
    assert (row["endpoint"], row["customer_id"]) == ("list_subscriptions", "c")
    assert items in str(row["items"])
    assert row["reason"] == (reply.cause or "unreadable_reply")


def test_each_record_is_one_line_whatever_its_text(tmp_path: Path) -> None:
    """S20."""
    request = Request(
        endpoint="customers", method="GET", path="/v1/customers", api_class=ApiClass.CATALOG
    )
    reply = Reply(status=200, body=b"[", request_id="a\nb", sent_at=AT)
    records = Quarantine()
    records.refuse(request, reply, "one\r\ntwo\u2028three")
    records.save(path_of(tmp_path, TENANT))

    [line] = path_of(tmp_path, TENANT).read_bytes().splitlines()
    assert json.loads(line)["items"] == "one\r\ntwo\u2028three"


SKUS = Request(endpoint="list_skus", method="GET", path="/v1/x", api_class=ApiClass.CATALOG)


@pytest.mark.asyncio
async def test_a_listing_with_odd_items_is_one_record_that_names_them(tmp_path: Path) -> None:
    """P36, P24: an item set apart counts for more than a field that was overlooked."""
    odd = [{"id": "0001", "productId": 5, "title": {}, "secret": "x"}, {"id": None}, {"id": "2"}]
    good = {"id": "0003", "productId": "P", "title": {"a": 1}}
    records = Quarantine()

    async def send(_: Request) -> Reply:
        return Reply(status=200, body=json.dumps([*odd, good]).encode(), sent_at=AT)

    api = PartnerCenter(
        send,
        "https://api.partnercenter.microsoft.com",
        set_apart=records.set_apart,
        overlook=records.overlook,
    )
    assert [sku.id for sku in (await api.skus("DE", "P", "", "")).items] == ["0003"]
    records.save(path_of(tmp_path, TENANT))
    await journaled(tmp_path)
    [row] = rows(tmp_path, with_bodies=False)
    assert (row["endpoint"], row["reason"]) == ("list_skus", "spoiled_item")
    assert str(row["items"]).startswith("3 spoiled_item: 0001: Expected `str`, got `int`")
    assert "without an id: " in str(row["items"])


def test_fields_that_were_overlooked_are_counted_in_a_record(tmp_path: Path) -> None:
    """P36."""
    records = Quarantine()
    reply = Reply(status=200, body=b"[]", sent_at=AT)
    records.overlook(SKUS, reply, 3)
    assert len(records.keys) == 1
    records.refuse(SKUS, reply, "short list")
    records.overlook(SKUS, reply, 3)
    records.save(path_of(tmp_path, TENANT))
    (tmp_path / f"{TENANT}.journal").touch()
    [row] = rows(tmp_path, with_bodies=False)
    assert row["items"] == "short list"
