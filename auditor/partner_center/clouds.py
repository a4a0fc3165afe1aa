"""The addresses of Partner Center and of the login in each cloud."""

from enum import StrEnum

import msgspec


class Cloud(StrEnum):
    """The national clouds. Germany's is retired."""

    GLOBAL = "global"
    US_GOVERNMENT = "us_government"
    CHINA = "china"


class CloudPlace(msgspec.Struct, frozen=True, kw_only=True):
    """The addresses and limits of one cloud."""

    base_url: str
    login_authority: str
    has_azure: bool = True
    """21Vianet's partners sell no Azure subscriptions: no reservations, no inventory checks."""


_GLOBAL_API = "https://api.partnercenter.microsoft.com"

CLOUDS: dict[Cloud, CloudPlace] = {
    Cloud.GLOBAL: CloudPlace(
        base_url=_GLOBAL_API, login_authority="https://login.microsoftonline.com"
    ),
    Cloud.US_GOVERNMENT: CloudPlace(
        base_url=_GLOBAL_API, login_authority="https://login.microsoftonline.us"
    ),
    # Partner Center's PowerShell says login.chinacloudapi.cn, which msal calls deprecated.
    Cloud.CHINA: CloudPlace(
        base_url="https://partner.partnercenterapi.microsoftonline.cn",
        login_authority="https://login.partner.microsoftonline.cn",
        has_azure=False,
    ),
}
