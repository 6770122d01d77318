"""Which messages are the same, what happened to them, and what would be lost."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from chat_factory import write_telegram_chat, write_whatsapp_android
from chat_reading import identities_of, message_identities
from hypothesis import given, settings, strategies as st

from backupkit.chats.history.align import align
from backupkit.chats.history.diff import ChangeKind, compare, see
from backupkit.chats.model import DeletionState, Locator, Message, Precision


def said(
    number: Any, text: str = "hi", *, minute: Any = None, sender: Any = "Li", native: Any = False, **fields: Any
) -> Any:
    return Message(
        conversation=fields.pop("conversation", "c"),
        locator=Locator("f", f"line {number}"),
        raw=b"",
        ts_utc_us=(number if minute is None else minute) * 60_000_000,
        ts_precision=Precision.MINUTE,
        native_id=str(number) if native else None,
        sender_name=sender,
        text=text,
        **fields,
    )


def changes(old: Any, new: Any) -> Any:
    return compare(see("a", old), see("a", new))


def test_what_somebody_said_twice_in_a_minute_are_two_messages() -> None:
    identities = identities_of("a", [said(1, "ha", minute=1), said(2, "ha", minute=1), said(3, "ha", minute=2)])

    assert len({identity.digest for identity in identities}) == 3


def test_a_native_id_makes_an_edited_message_the_same_one() -> None:
    before, after = identities_of("a", [said(1, "teh", native=True), said(1, "the", native=True)])

    assert before.digest == after.digest
    assert before.content != after.content


def test_apps_and_conversations_do_not_share_ids() -> None:
    digests = {
        identity.digest
        for app in ("a", "b")
        for identity in identities_of(app, [said(1, native=True), said(1, native=True, conversation="d")])
    }

    assert len(digests) == 4


def test_invisible_marks_and_unicode_forms_do_not_make_another_message() -> None:
    (one,), (two,) = (identities_of("a", [said(1, text)]) for text in ("\u200ecafé ", "cafe\u0301"))

    assert one.digest == two.digest


@pytest.mark.parametrize("write", [write_telegram_chat, write_whatsapp_android])
def test_a_longer_export_keeps_every_identity_of_the_shorter(tmp_path: Path, write: Any) -> None:
    day_one = message_identities(write(tmp_path / "one", messages=150).path)
    day_two = message_identities(write(tmp_path / "two", messages=200).path)

    assert len({identity.digest for identity in day_two}) == 200
    assert [identity.digest for identity in day_two[:150]] == [identity.digest for identity in day_one]


def test_new_edited_recalled_and_deleted_are_told_apart_by_id() -> None:
    old = [said(number, f"text {number}", native=True) for number in range(20)]
    new = [message for message in old if message.native_id != "7"]
    new[3] = replace(new[3], text="edited")
    new[4] = replace(new[4], text="", deletion=DeletionState.RECALLED)
    new.append(said(30, native=True))

    found = changes(old, new)

    assert {kind: found.count(kind) for kind in ChangeKind} == {
        ChangeKind.NEW: 1,
        ChangeKind.EDITED: 1,
        ChangeKind.RECALLED: 1,
        ChangeKind.DELETED: 1,
        ChangeKind.OUT_OF_SCOPE: 0,
    }
    assert found.conversations[0].same == 17
    assert not found.suspends_retention


def test_text_exports_are_matched_by_what_was_said_in_order_and_not_by_the_clock() -> None:
    old = [said(number, f"text {number}") for number in range(50)]
    new = [replace(message, ts_utc_us=message.ts_utc_us + 3600_000_000) for message in old]

    found = changes(old, [*new, said(200, "new")])

    assert (found.conversations[0].same, found.count(ChangeKind.NEW), found.count(ChangeKind.DELETED)) == (50, 1, 0)


def test_an_edit_in_a_text_export_is_seen_between_its_neighbours() -> None:
    old = [said(number, f"text {number}") for number in range(10)]
    new = [*old]
    new[5] = replace(new[5], text="better words")
    new[6] = replace(new[6], text="deleted", deletion=DeletionState.RECALLED)

    found = changes(old, new)

    assert (found.count(ChangeKind.EDITED), found.count(ChangeKind.RECALLED)) == (1, 1)
    assert (found.count(ChangeKind.NEW), found.count(ChangeKind.DELETED)) == (0, 0)


def test_the_apps_own_lines_in_another_language_are_no_changes() -> None:
    old = [said(1, "You were added", sender=None), said(2, "hi")]
    new = [said(1, "Du wurdest hinzugefügt", sender=None), said(2, "hi")]

    assert changes(old, new).conversations[0].changes == ()


def test_newest_first_exports_are_compared_in_time() -> None:
    old = [said(number, f"text {number}") for number in range(30)]

    found = changes(old[::-1], [said(40, "new"), *old[::-1]])

    assert (found.count(ChangeKind.NEW), found.count(ChangeKind.DELETED)) == (1, 0)


def test_a_vanished_beginning_is_a_smaller_export_and_no_deletion() -> None:
    old = [said(number, f"text {number}") for number in range(100)]

    found = changes(old, old[40:])

    assert found.count(ChangeKind.OUT_OF_SCOPE) == 40
    assert found.count(ChangeKind.DELETED) == 0
    assert found.conversations[0].is_shrunk
    assert found.suspends_retention


def test_a_few_old_messages_gone_are_deletions() -> None:
    old = [said(number, f"text {number}") for number in range(100)]

    found = changes(old, old[5:])

    assert found.count(ChangeKind.DELETED) == 5
    assert not found.suspends_retention


def test_an_app_that_was_wiped_is_noticed() -> None:
    old = [said(number, conversation=f"c{number % 5}", native=True) for number in range(100)]

    found = changes(old, [said(500, conversation="c9", native=True)])

    assert found.is_wiped
    assert found.suspends_retention


def test_a_conversation_more_is_no_wipe() -> None:
    old = [said(number, conversation=f"c{number % 5}", native=True) for number in range(100)]

    assert not changes(old, [*old, said(500, conversation="c9", native=True)]).is_wiped
    assert not changes([], old).is_wiped


@settings(max_examples=60, deadline=None)
@given(old=st.lists(st.integers(0, 6), max_size=40), new=st.lists(st.integers(0, 6), max_size=40))
def test_alignment_pairs_equal_items_and_keeps_their_order(old: Any, new: Any) -> None:
    pairs = align(old, new)

    assert all(old[before] == new[after] for before, after in pairs)
    assert all(one[0] < two[0] and one[1] < two[1] for one, two in pairwise(pairs))


@given(items=st.lists(st.integers()), extra=st.lists(st.integers(), max_size=5))
def test_alignment_finds_everything_in_a_list_that_only_grew(items: Any, extra: Any) -> None:
    assert len(align(items, [*items, *extra])) == len(items)
