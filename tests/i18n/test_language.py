"""Which language is spoken."""

import pytest

from backupkit.i18n import choose_language


@pytest.mark.parametrize(
    ("flag", "environment", "expected"),
    [
        (None, {}, "en"),
        (None, {"LANG": "zh_CN.UTF-8"}, "zh-CN"),
        (None, {"LANG": "zh_CN.UTF-8", "LC_ALL": "en_GB.UTF-8"}, "en"),
        (None, {"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_SG"}, "zh-CN"),
        (None, {"LANGUAGE": "fr:zh_CN:en", "LANG": "en_US.UTF-8"}, "zh-CN"),
        (None, {"LANGUAGE": "", "LANG": "zh_CN"}, "zh-CN"),
        (None, {"BACKUPKIT_LANG": "en", "LC_ALL": "zh_CN.UTF-8"}, "en"),
        (None, {"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}, "en"),
        (None, {"LANG": "de_DE.UTF-8"}, "en"),
        ("zh-CN", {"BACKUPKIT_LANG": "en"}, "zh-CN"),
        ("zh_cn", {}, "zh-CN"),
        ("en", {"LANG": "zh_CN.UTF-8"}, "en"),
    ],
)
def test_the_flag_speaks_first_then_our_variable_then_the_locale(
    flag: str | None, environment: dict[str, str], expected: str
) -> None:
    assert choose_language(flag, environment) == expected
