"""URLs of stores on object storage."""

import pytest

from auditor.object_url import UnreadableObjectUrl, is_object_url, read


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("s3://bucket", ("s3", "bucket", "", "")),
        ("s3://bucket/", ("s3", "bucket", "", "")),
        ("s3://bucket/a/b/", ("s3", "bucket", "", "a/b")),
        ("s3://my.bucket/a%20b", ("s3", "my.bucket", "", "a b")),
        ("az://container/lake", ("az", "container", "", "lake")),
        (
            "abfss://lake@Account.dfs.core.windows.net/x",
            ("abfss", "lake", "account.dfs.core.windows.net", "x"),
        ),
    ],
)
def test_a_url_is_read(url: str, parts: tuple[str, ...]) -> None:
    found = read(url)
    assert is_object_url(url)
    assert (found.scheme, found.bucket, found.account, found.prefix) == parts
    assert read(found.shown) == found


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3:///lake",
        "s3://key:canary@bucket/x",
        "s3://canary@bucket/x",
        "s3://bucket/x?canary=1",
        "s3://bucket/x#canary",
        "s3://bucket/a/../canary",
        "s3://bucket//canary",
        "s3://bucket/a%00canary",
        "az://container:canary/x",
        "abfss://canary/x",
        "abfss://canary@account/x",
        "abfss://canary:x@account.dfs.core.windows.net/x",
        "gs://canary/x",
    ],
)
def test_another_url_is_refused_and_not_shown(url: str) -> None:
    """S6: credentials come from the environment, never from the URL."""
    with pytest.raises(UnreadableObjectUrl) as caught:
        read(url)
    assert "canary" not in caught.value.reason + caught.value.hint


@pytest.mark.parametrize("url", ["./s3", "s3", "/s3/lake", "postgresql://db/audit", "gs://b/x"])
def test_other_stores_are_no_object_storage(url: str) -> None:
    assert not is_object_url(url)
