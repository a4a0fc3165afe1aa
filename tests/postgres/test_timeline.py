"""The timeline of a database is that of a folder, and what a reader of every snapshot notes."""

from datetime import timedelta
from pathlib import Path

from auditor.store.folder.store import FolderStore
from auditor.store.postgres.store import PostgresStore
from tests.builders.database_logins import as_superuser
from tests.builders.diff import at
from tests.builders.timelines import History, noted, told

NIGHTS = 12


def test_the_timeline_is_what_a_reader_of_every_snapshot_would_have(
    tmp_path: Path, store_url: str
) -> None:
    lake = FolderStore.open(str(tmp_path / "lake"), create=True, buckets=1)
    with as_superuser(store_url) as con:
        con.execute("UPDATE store SET buckets = 1")
    store = PostgresStore.open(store_url)
    history = History(2, lake, store)
    for number in range(1, NIGHTS + 1):
        history.night(number)
    expected = noted(lake)
    query = "SELECT * FROM restriction_timeline"
    later = at(NIGHTS) + timedelta(days=400)
    for _ in range(2):
        assert told(store.sql(query).to_pylist()) == expected
        assert told(store.arrow("restriction_timeline").to_pylist()) == expected
        store.prune(timedelta(days=1), later, apply=True)
    assert [store.verify(name) for name in store.published()] == [[]] * len(store.published())
    with as_superuser(store_url) as con:
        con.execute("UPDATE ending SET ended_by = 'elsewhere'")
    assert any(store.verify(name) for name in store.published())
