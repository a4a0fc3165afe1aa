"""Every cloud has its addresses, and all of them are https."""

from urllib.parse import urlsplit

from auditor.partner_center.clouds import CLOUDS, Cloud


def test_every_cloud_has_addresses() -> None:
    assert set(CLOUDS) == set(Cloud)


def test_every_address_is_https_without_a_path() -> None:
    for addresses in CLOUDS.values():
        for url in (addresses.base_url, addresses.login_authority):
            parts = urlsplit(url)
            assert (parts.scheme, parts.path) == ("https", "")


def test_only_china_has_no_azure() -> None:
    assert [cloud for cloud, each in CLOUDS.items() if not each.has_azure] == [Cloud.CHINA]
