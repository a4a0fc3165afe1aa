"""Every cloud has its places, all of them https."""

from urllib.parse import urlsplit

from auditor.partner_center.clouds import CLOUDS, Cloud


def test_every_cloud_has_a_place() -> None:
    assert set(CLOUDS) == set(Cloud)


def test_every_place_is_https_without_a_path() -> None:
    for place in CLOUDS.values():
        for url in (place.base_url, place.login_authority):
            parts = urlsplit(url)
            assert (parts.scheme, parts.path) == ("https", "")


def test_only_china_sells_no_azure() -> None:
    assert [cloud for cloud, place in CLOUDS.items() if not place.has_azure] == [Cloud.CHINA]
