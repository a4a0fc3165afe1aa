"""Objects on real services: conditional writes, faults, and what the texts of errors show."""

from pathlib import Path

import pytest

from auditor.errors import AuditorError, SettingsError, StoreRefused, StoreUnreachable
from auditor.object_url import read
from auditor.store.objects.client import Objects
from tests.builders import object_services
from tests.builders.throwaway import free_port


def hide_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name a proxy that nobody can reach."""
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


def test_objects_are_written_read_listed_and_removed(
    object_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P43: a service on this machine is reached without the proxy of the environment."""
    hide_proxy(monkeypatch)
    objects = Objects.open(object_url)
    assert objects.get("a/one") is None
    assert objects.list("") == []
    objects.put("a/one", b"1")
    (tmp_path / "two").write_bytes(b"2")
    objects.put("a/two", tmp_path / "two")
    objects.put("ab/three", b"")
    objects.put("a/one", b"once more")
    found = objects.get("a/one")
    assert found is not None
    assert found.data == b"once more"
    listed = {one.key: one for one in objects.list("a")}
    assert listed.keys() == {"a/one", "a/two"}
    assert listed["a/one"].etag == found.etag
    assert len(objects.list("")) == 3
    objects.delete(["a/one", "a/two", "never/there"])
    objects.delete(["a/one"])
    assert [one.key for one in objects.list("")] == ["ab/three"]
    objects.try_out("probe/x", b"x")
    assert [one.key for one in objects.list("")] == ["ab/three"]


def test_of_two_writers_one_is_refused(object_url: str) -> None:
    objects = Objects.open(object_url)
    first = objects.put_if_absent("claim", b"mine")
    assert first is not None
    assert objects.put_if_absent("claim", b"theirs") is None
    assert objects.put_if_absent("claim", b"mine") == first, "asked again after a lost reply"
    second = objects.replace("claim", b"renewed", first)
    assert second not in {None, first}
    assert objects.replace("claim", b"taken", first) is None
    assert objects.replace("claim", b"renewed", first) == second, "likewise"
    assert objects.replace("never/there", b"x", first) is None
    found = objects.get("claim")
    assert found is not None
    assert (found.data, found.etag) == (b"renewed", second)


def every_operation(objects: Objects) -> list[AuditorError]:
    """Return the error of each operation."""
    found = []
    for work in (
        lambda: objects.get("x"),
        lambda: objects.list(""),
        lambda: objects.put("x", b""),
        lambda: objects.put_if_absent("x", b""),
        lambda: objects.replace("x", b"", '"0"'),
    ):
        with pytest.raises(AuditorError) as caught:
            work()
        found.append(caught.value)
    return found


def test_a_missing_bucket_is_a_fault_of_the_configuration(object_url: str) -> None:
    scheme = object_url.partition(":")[0]
    errors = every_operation(Objects.open(f"{scheme}://not-{object_services.BUCKET}/x"))
    assert {type(error) for error in errors} == {SettingsError}
    assert {error.exit_status for error in errors} == {78}
    assert all("there is no" in error.message for error in errors)


def test_a_service_that_does_not_answer_is_unreachable(
    object_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ENDPOINT_URL", "AZURE_STORAGE_ENDPOINT"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    errors = every_operation(Objects.open(object_url, retries=0))
    assert {type(error) for error in errors} == {StoreUnreachable}
    assert {(error.error_code, error.exit_status) for error in errors} == {("E_OBJECT_STORE", 75)}
    assert {error.message for error in errors} == {f"{object_url} does not answer"}


def test_a_wrong_key_is_refused_and_not_shown(
    azure_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S6: neither the key, nor a token in a URL, is in a text."""
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "Y2FuYXJ5")
    errors = every_operation(Objects.open(azure_url))
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_KEY")
    monkeypatch.setenv("AZURE_STORAGE_SAS_KEY", "sv=2021-08-06&sig=Y2FuYXJ5")
    errors += every_operation(Objects.open(azure_url))
    assert {type(error) for error in errors} == {StoreRefused}
    assert {error.exit_status for error in errors} == {77}
    assert all("AZURE_STORAGE_ACCOUNT_KEY" in error.hint for error in errors)
    assert not any("Y2FuYXJ5" in f"{error} {error.hint} {error!r}" for error in errors)


@pytest.mark.parametrize(
    ("url", "environ", "words"),
    [
        ("s3://bucket/x", {"AWS_ENDPOINT_URL": "http://s3.example"}, "must begin with https"),
        ("s3://bucket/x", {"AWS_ENDPOINT_URL": "s3.example"}, "must begin with https"),
        ("az://bucket/x", {}, "names no storage account"),
        ("s3://bucket?x=secret", {}, "URL without ? and #"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_is_sent(
    url: str, environ: dict[str, str], words: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        Objects.open(url, environ)
    assert words in caught.value.message
    assert "secret" not in caught.value.message


def test_no_variable_turns_tls_off(monkeypatch: pytest.MonkeyPatch, s3_server: str) -> None:
    """S5: plain http is for this machine, whatever the client's own variables say."""
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    objects = Objects.open(f"s3://{object_services.BUCKET}/x", environ={}, retries=0)
    with pytest.raises(AuditorError):
        objects.get("x")


def test_two_services_with_one_url_are_two_places() -> None:
    one = Objects.open("s3://bucket/x", {"AWS_ENDPOINT_URL": "https://one.example"})
    two = Objects.open("s3://bucket/x", {"AWS_ENDPOINT_URL": "https://two.example"})
    assert one.url == two.url == read("s3://bucket/x")
    assert one.identity != two.identity
