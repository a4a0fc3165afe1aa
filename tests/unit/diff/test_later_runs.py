"""P9: a run that began later published before this one, and no longer asks about some keys."""

import itertools

from tests.builders import diff as bench
from tests.builders.diff import ACME, AZURE, OPEN, OTHER, at, cell, key, known_since, offered, term

LATER = at(2, 10)
MINUTES = (1, 9, 10, 11)
"""When this run asked, in the minutes after it began; the other run began in minute 10."""


def test_an_older_answer_does_not_bring_an_azure_subscription_back() -> None:
    cases = {
        f"{number:04}": case
        for number, case in enumerate(itertools.product((AZURE, OTHER), MINUTES, (True, False)))
    }
    keys = {sku: key(sku, subscription=of) for sku, (of, _, _) in cases.items()}
    results = bench.compare(
        cell(),
        known={
            "inventory": [
                {**keys[sku], **OPEN, **known_since(1)}
                for sku, (_, _, is_known) in cases.items()
                if is_known
            ]
        },
        answers={
            "inventory": [
                {**keys[sku], **OPEN, "checked_at": at(2, minute)}
                for sku, (_, minute, _) in cases.items()
            ]
        },
        proved={
            "not_asked_later": [
                {"customer_id": ACME, "azure_subscription_id": AZURE, "began_at": LATER}
            ]
        },
    )
    kept = {
        sku
        for sku, (of, minute, is_known) in cases.items()
        if is_known or of == OTHER or at(2, minute) >= LATER
    }
    assert set(results["inventory"].column("sku_id").to_pylist()) == kept
    assert (results["change"].num_rows, results["ending"].num_rows) == (0, 0)


def test_an_older_answer_does_not_bring_a_licence_back() -> None:
    cases = {
        f"{number:04}": case
        for number, case in enumerate(itertools.product((True, False), MINUTES, (True, False)))
    }
    results = bench.compare(
        cell(country=""),
        known={
            "availability": [
                {**term(sku_id=sku), **offered(), **known_since(1)}
                for sku, (_, _, is_known) in cases.items()
                if is_known
            ]
        },
        answers={
            "availability": [
                {**term(sku_id=sku), **offered(), "checked_at": at(2, minute)}
                for sku, (_, minute, _) in cases.items()
            ]
        },
        proved={
            "not_asked_later": [
                {"customer_id": ACME, "product_id": "CFQ7", "sku_id": sku, "began_at": LATER}
                for sku, (is_not_asked, _, _) in cases.items()
                if is_not_asked
            ]
        },
    )
    kept = {
        sku
        for sku, (is_not_asked, minute, is_known) in cases.items()
        if is_known or not is_not_asked or at(2, minute) >= LATER
    }
    assert set(results["availability"].column("sku_id").to_pylist()) == kept
    assert results["change"].num_rows == 0


def test_answers_for_a_cell_that_has_left_are_not_used() -> None:
    results = bench.compare(
        cell(status="left"),
        cell(country="", status="left"),
        answers={
            "inventory": [{**key(), **OPEN, "checked_at": at(2, 1)}],
            "availability": [{**term(), **offered(), "checked_at": at(2, 1)}],
        },
        checks=[bench.settled(term(), not_found=True)],
    )
    assert (results["inventory"].num_rows, results["availability"].num_rows) == (0, 0)
