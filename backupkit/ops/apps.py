"""The apps that backupkit knows by a short name, and their Android package names."""

from typing import Final

PACKAGES: Final[dict[str, str]] = {
    "discord": "com.discord",
    "facebook": "com.facebook.orca",
    "instagram": "com.instagram.android",
    "kakaotalk": "com.kakao.talk",
    "line": "jp.naver.line.android",
    "qq": "com.tencent.mobileqq",
    "signal": "org.thoughtcrime.securesms",
    "skype": "com.skype.raider",
    "slack": "com.Slack",
    "telegram": "org.telegram.messenger",
    "viber": "com.viber.voip",
    "wechat": "com.tencent.mm",
    "whatsapp": "com.whatsapp",
}
"""Facts of each app's entry in the public app stores."""


def app_of(package: str) -> str | None:
    """Return the short name of the app with this package name, or None where it is not known."""
    return next((app for app, name in PACKAGES.items() if name == package), None)


def package_of(app: str | None) -> str | None:
    """Return the package name of a known app, or None."""
    return PACKAGES.get(app) if app is not None else None
