"""Which readers there are, and which of them a source belongs to.

Every reader is asked about every file and the lead must be clear: what could be two formats is neither, and is saved as
plain files instead of being guessed at.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from backupkit.chats.malformed import MalformedExport
from backupkit.chats.model import Finding, Locator, Severity
from backupkit.chats.owner_keys import OPENED_BY_OWN_KEY
from backupkit.chats.readers import meta_html, meta_json, sealed
from backupkit.chats.readers.apple_db import AppleDatabase
from backupkit.chats.readers.chatlab_json import ChatlabJson
from backupkit.chats.readers.discord_csv import DiscordCsv
from backupkit.chats.readers.discord_exporter import DiscordExporter
from backupkit.chats.readers.discord_html import DiscordHtml
from backupkit.chats.readers.discord_package import DiscordPackage
from backupkit.chats.readers.discord_text import DiscordText
from backupkit.chats.readers.google_chat import GoogleChat
from backupkit.chats.readers.google_voice import GoogleVoice
from backupkit.chats.readers.hangouts_json import HangoutsJson
from backupkit.chats.readers.imessage_html import ImessageHtml
from backupkit.chats.readers.imessage_text import ImessageText
from backupkit.chats.readers.kakao_text import KakaoText
from backupkit.chats.readers.line_text import LineText
from backupkit.chats.readers.mapped import mapped_readers
from backupkit.chats.readers.matrix_html import MatrixHtml
from backupkit.chats.readers.matrix_json import MatrixJson
from backupkit.chats.readers.matrix_text import MatrixText
from backupkit.chats.readers.qq_exporter import QqExporter
from backupkit.chats.readers.qq_exporter_text import QqExporterText
from backupkit.chats.readers.qq_exporter_xlsx import QqExporterXlsx
from backupkit.chats.readers.qq_mht import QqMht
from backupkit.chats.readers.qq_text import QqText
from backupkit.chats.readers.signal_android_db import SignalAndroidDatabase
from backupkit.chats.readers.signal_desktop_json import SignalDesktopJson
from backupkit.chats.readers.signal_jsonl import SignalJsonl
from backupkit.chats.readers.signal_sigtop import SignalSigtop
from backupkit.chats.readers.signal_text import SignalText
from backupkit.chats.readers.signal_tools_text import SignalToolsText
from backupkit.chats.readers.skype_json import SkypeJson
from backupkit.chats.readers.slack_dump import SlackDump
from backupkit.chats.readers.slack_export import SlackExport
from backupkit.chats.readers.sms_xml import SmsXml
from backupkit.chats.readers.telegram_html import TelegramHtml
from backupkit.chats.readers.telegram_json import TelegramJson
from backupkit.chats.readers.wechat_chatlog import WechatChatlog
from backupkit.chats.readers.wechat_chatlog_csv import WechatChatlogCsv
from backupkit.chats.readers.wechat_iphone_db import WechatIphoneDatabase
from backupkit.chats.readers.wechat_memotrace import WechatMemotrace
from backupkit.chats.readers.wechat_memotrace_html import WechatMemotraceHtml
from backupkit.chats.readers.wechat_memotrace_text import WechatMemotraceText
from backupkit.chats.readers.wechat_pywxdump import WechatPywxdump
from backupkit.chats.readers.wechat_weflow import WechatWeflow
from backupkit.chats.readers.whatsapp_android_db import WhatsAppAndroidDatabase
from backupkit.chats.readers.whatsapp_exporter import WhatsAppExporter
from backupkit.chats.readers.whatsapp_exporter_html import WhatsAppExporterHtml
from backupkit.chats.readers.whatsapp_iphone_db import WhatsAppIphoneDatabase
from backupkit.chats.readers.whatsapp_text import WhatsAppText
from backupkit.chats.reading.reader import SURPRISES, ChatReader, Recognition, Told
from backupkit.chats.sources.source import SourceFiles

READERS: tuple[ChatReader, ...] = (
    TelegramJson(),
    TelegramHtml(),
    WhatsAppText(),
    WhatsAppExporter(),
    WhatsAppExporterHtml(),
    DiscordExporter(),
    DiscordCsv(),
    DiscordText(),
    DiscordHtml(),
    DiscordPackage(),
    *meta_json.READERS,
    *meta_html.READERS,
    SlackExport(),
    SlackDump(),
    GoogleChat(),
    HangoutsJson(),
    LineText(),
    SignalText(),
    SignalToolsText(),
    SignalSigtop(),
    SignalDesktopJson(),
    SignalJsonl(),
    KakaoText(),
    ImessageText(),
    ImessageHtml(),
    QqText(),
    QqMht(),
    QqExporter(),
    QqExporterText(),
    QqExporterXlsx(),
    SmsXml(),
    GoogleVoice(),
    MatrixJson(),
    MatrixText(),
    MatrixHtml(),
    SkypeJson(),
    ChatlabJson(),
    WechatWeflow(),
    WechatChatlog(),
    WechatChatlogCsv(),
    WechatMemotrace(),
    WechatMemotraceHtml(),
    WechatMemotraceText(),
    WechatPywxdump(),
    WhatsAppAndroidDatabase(),
    WhatsAppIphoneDatabase(),
    AppleDatabase(),
    WechatIphoneDatabase(),
    SignalAndroidDatabase(),
    *sealed.READERS,
)

SURE = 60
CLEAR_LEAD = 15


@dataclass(frozen=True, slots=True)
class Recognised:
    """The readers that a source belongs to, each with its own files, and what stayed undecided."""

    parts: tuple[tuple[ChatReader, Recognition], ...]
    findings: tuple[Finding, ...] = ()

    @property
    def is_sealed(self) -> bool:
        """Whether a part is encrypted, so that its messages cannot be counted."""
        return any(isinstance(reader, sealed.Sealed) for reader, _recognition in self.parts)

    @property
    def waits_for_a_key(self) -> bool:
        """Whether a part is encrypted, and would open with a key that its owner has."""
        return any(reader.format in OPENED_BY_OWN_KEY for reader, _recognition in self.parts)

    @property
    def is_all_sealed(self) -> bool:
        """Whether every part is encrypted."""
        return all(isinstance(reader, sealed.Sealed) for reader, _recognition in self.parts)


def recognise(source: SourceFiles, readers: Sequence[ChatReader] = READERS) -> Recognised:
    """Decide file by file. No parts means: no chat export that is known here.

    What the owner described in a mapping is asked first, and its word holds.
    """
    readers = (*mapped_readers(source), *readers)
    offers: dict[str, list[tuple[int, ChatReader]]] = {}
    for reader in readers:
        for name, certainty in _claims_of(reader, source).items():
            if certainty >= SURE:
                offers.setdefault(name, []).append((certainty, reader))
    won: dict[str, dict[str, int]] = {}
    findings = []
    for name, rivals in sorted(offers.items()):
        rivals.sort(key=lambda rival: -rival[0])
        if len(rivals) > 1 and rivals[0][0] - rivals[1][0] < CLEAR_LEAD:
            facts = {"formats": ", ".join(sorted(reader.format for _certainty, reader in rivals))}
            findings.append(Finding("format-ambiguous", Severity.WARNING, Locator(name), facts))
            continue
        certainty, reader = rivals[0]
        won.setdefault(reader.format, {})[name] = certainty
    parts = tuple((reader, Recognition(won[reader.format])) for reader in readers if reader.format in won)
    return Recognised(parts, tuple(findings))


def _claims_of(reader: ChatReader, source: SourceFiles) -> Mapping[str, int]:
    try:
        return reader.recognise(source).claims
    except (MalformedExport, *SURPRISES):
        # A stranger's file that a reader cannot even look at is not its format.
        return {}


def read_all(source: SourceFiles, recognised: Recognised) -> Iterator[tuple[ChatReader, Told]]:
    """Stream everything that the recognised readers find.

    Raises:
        MalformedExport: the first that any reader raised, after all of them were read.
    """
    first: MalformedExport | None = None
    for reader, recognition in recognised.parts:
        try:
            for told in reader.read(source, recognition):
                yield reader, told
        except MalformedExport as error:
            first = first or error
    if first is not None:
        raise first
