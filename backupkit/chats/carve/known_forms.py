"""What the tables of the chat apps look like, for databases that no longer say it themselves.

Only names and their order, which is all that a row on a lost page needs to be told apart; columns that a newer version added are
kept without a name. A mark behind a name says what it holds: `#` the row's number, `=` text, `~` a number with a fraction, `*` bytes or
anything; nothing, a whole number; `!` means never empty.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from backupkit.chats.carve.table import Column, Table

_SPARE: Final = 24
_MARKS: Final = {"=": "text", "~": "real", "*": "blob"}
MANY: Final = re.compile(r"Chat_[0-9a-f]{32}")
"""The name of a table of which there is one for each conversation."""


@dataclass(frozen=True, slots=True)
class Family:
    """The tables of one app's database. `strangers` are tables that only its other versions have."""

    tables: tuple[Table, ...]
    strangers: frozenset[str] = frozenset()

    def names(self) -> set[str]:
        """Return what the tables are called."""
        return {table.name for table in self.tables}


def missing_from(own: Mapping[str, Table]) -> Iterator[Table]:
    """Tell the tables that a database should have and does not describe: those of every app where it describes nothing."""
    has_many = any(MANY.fullmatch(name) for name in own)
    for family in FAMILIES:
        names = family.names()
        is_this = bool(names & own.keys()) or (has_many and _MANY_NAME in names)
        if (not own or is_this) and family.strangers.isdisjoint(own):
            yield from (
                table for table in family.tables if table.name not in own and not (has_many and table.is_one_of_many)
            )


def _table(name: str, columns: str, *, least: int, is_one_of_many: bool = False) -> Table:
    made: list[Column] = []
    rowid = None
    for word in columns.split():
        bare = word.rstrip("#=~*!")
        marks = word[len(bare) :]
        if "#" in marks:
            rowid = len(made)
        affinity = next((_MARKS[mark] for mark in marks if mark in _MARKS), "integer")
        made.append(Column(bare, affinity, "!" in marks))
    made += [Column(f"backupkit_more_{number}", "blob") for number in range(1, _SPARE + 1)]
    return Table(name, tuple(made), rowid, least=least, is_one_of_many=is_one_of_many)


_MANY_NAME: Final = "Chat_" + "0" * 32

FAMILIES: Final[Sequence[Family]] = (
    Family(
        (
            _table(
                "message",
                "_id# chat_row_id! from_me! key_id=! sender_jid_row_id status broadcast recipient_count participant_hash= origination_flags origin"
                " timestamp received_timestamp receipt_server_timestamp message_type text_data= starred lookup_tables",
                least=16,
            ),
            _table(
                "chat",
                "_id# jid_row_id hidden subject= created_timestamp display_message_row_id last_message_row_id last_read_message_row_id"
                " last_read_receipt_sent_message_row_id last_important_message_row_id archived sort_timestamp mod_tag gen~ spam_detection",
                least=14,
            ),
            _table("jid", "_id# user=! server=! agent device type raw_string=", least=6),
            _table(
                "message_media",
                "message_row_id# chat_row_id autotransfer_retry_enabled multicast_id= media_job_uuid= transferred transcoded file_path= file_size"
                " suspicious_content trim_from trim_to face_x face_y media_key* media_key_timestamp width height has_streaming_sidecar"
                " gif_attribution thumbnail_height_width_ratio~ direct_path= first_scan_sidecar* first_scan_length message_url= mime_type="
                " file_length media_name=",
                least=26,
            ),
        ),
        frozenset({"messages"}),
    ),
    Family(
        (
            _table(
                "messages",
                "_id# key_remote_jid=! key_from_me key_id=! status needs_push data= timestamp media_url= media_mime_type= media_wa_type=* media_size"
                " media_name= media_caption= media_hash= media_duration origin latitude~ longitude~ thumb_image=* remote_resource="
                " received_timestamp send_timestamp receipt_server_timestamp receipt_device_timestamp read_device_timestamp"
                " played_device_timestamp raw_data* recipient_count participant_hash= starred quoted_row_id mentioned_jids= multicast_id=",
                least=24,
            ),
        ),
        frozenset({"message", "jid"}),
    ),
    Family((
        _table(
            "ZWAMESSAGE",
            "Z_PK# Z_ENT! Z_OPT! ZCHILDMESSAGESDELIVEREDCOUNT ZCHILDMESSAGESPLAYEDCOUNT ZCHILDMESSAGESREADCOUNT ZDATAITEMVERSION ZDOCID"
            " ZENCRETRYCOUNT ZFILTEREDRECIPIENTCOUNT ZFLAGS ZGROUPEVENTTYPE ZISFROMME ZMESSAGEERRORSTATUS ZMESSAGESTATUS ZMESSAGETYPE"
            " ZSORT ZSPOTLIGHTSTATUS ZSTARRED ZCHATSESSION ZGROUPMEMBER ZLASTSESSION ZMEDIAITEM ZMESSAGEINFO ZPARENTMESSAGE"
            " ZMESSAGEDATE* ZSENTDATE* ZFROMJID= ZMEDIASECTIONID= ZPHASH= ZPUSHNAME= ZSTANZAID= ZTEXT= ZTOJID=",
            least=34,
        ),
        _table(
            "ZWACHATSESSION",
            "Z_PK# Z_ENT! Z_OPT! ZARCHIVED ZCONTACTABID ZFLAGS ZHIDDEN ZIDENTITYVERIFICATIONEPOCH ZIDENTITYVERIFICATIONSTATE"
            " ZMESSAGECOUNTER ZREMOVED ZSESSIONTYPE ZSPOTLIGHTSTATUS ZUNREADCOUNT ZGROUPINFO ZLASTMESSAGE ZPROPERTIES"
            " ZLASTMESSAGEDATE* ZLOCATIONSHARINGENDDATE* ZCONTACTIDENTIFIER= ZCONTACTJID= ZETAG= ZLASTMESSAGETEXT= ZPARTNERNAME="
            " ZSAVEDINPUT=",
            least=25,
        ),
        _table(
            "ZWAMEDIAITEM",
            "Z_PK# Z_ENT! Z_OPT! ZCLOUDSTATUS ZFILESIZE ZMEDIAORIGIN ZMOVIEDURATION ZMESSAGE ZASPECTRATIO~ ZHACCURACY~ ZLATITUDE~"
            " ZLONGITUDE~ ZMEDIAURLDATE* ZAUTHORNAME= ZCOLLECTIONNAME= ZMEDIALOCALPATH= ZMEDIAURL= ZTHUMBNAILLOCALPATH= ZTITLE="
            " ZVCARDNAME= ZVCARDSTRING= ZXMPPTHUMBPATH= ZMEDIAKEY* ZMETADATA*",
            least=24,
        ),
        _table(
            "ZWAGROUPMEMBER",
            "Z_PK# Z_ENT! Z_OPT! ZCONTACTABID ZISACTIVE ZISADMIN ZSENDERKEYSENT ZCHATSESSION ZRECENTGROUPCHAT ZCONTACTIDENTIFIER="
            " ZCONTACTNAME= ZFIRSTNAME= ZMEMBERJID=",
            least=13,
        ),
    )),
    Family((
        _table(
            _MANY_NAME,
            "TableVer MesLocalID# MesSvrID CreateTime! Message= Status ImgStatus Type! Des!",
            least=9,
            is_one_of_many=True,
        ),
    )),
    Family((
        _table(
            _MANY_NAME,
            "CreateTime! Des! ImgStatus MesLocalID# Message= MesSvrID Status TableVer Type!",
            least=9,
            is_one_of_many=True,
        ),
    )),
)  # fmt: skip
