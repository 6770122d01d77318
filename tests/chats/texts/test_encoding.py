"""Which encoding a text is in."""

import codecs

import pytest

from backupkit.chats.texts.encoding import encoding_of

CHINESE = "消息记录（此消息记录为文本格式，不支持重新导入）\n消息对象:我的一个人\n" * 5


def test_an_encoding_is_known_where_it_cannot_be_looked_up_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise LookupError(f"unknown encoding: {name}")

    monkeypatch.setattr(codecs, "getincrementaldecoder", refuse)

    assert encoding_of(CHINESE.encode("gb18030")) == "gb18030"
    assert encoding_of(b"") is None
