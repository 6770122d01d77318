"""What WhatsApp writes into its text exports in place of media, deleted messages and the like.

The app translates these lines into the phone's language. Stems are enough, because each is only looked for where the app alone can
have written it: inside angle brackets, or behind the invisible mark U+200E that nobody types.
"""

import re

from backupkit.chats.model import MessageKind

# "left out" in the languages of the app, on both kinds of phone
_LEFT_OUT = """
omitted weggelassen ausgeschlossen ausgelassen omitid ocult revelad omess esclus inclus absent omis omesos omesa omès
manquant retiré weggelaten weggelaat отсутству пропущен відсутн пропущено добавлен файлов файл 略去 省略 忽略 含まれていません なし
생략 제외 dahil edilmedi atlanmış pominięt pominięto uteslut utelämna udeladt utelatt vedlegg inkludert disertakan disingkirkan
dikecualikan dimasukkan vynech kihagy hiányzó elhagyva izostavljen izpušč изостављен omisă הושמט נכללה استبعاد إدراج حذف
छोड़ा हटाई बिना वगळ bỏ qua đã bỏ ei sisälly jätetty jätett παραλ εξαίρεση ไม่มี ถูกลบ চিত্র বাদ jäetud multivides praleist
""".split()  # noqa: SIM905  a list of seventy strings is unreadable
_LEFT_OUT_RE = re.compile("|".join(map(re.escape, sorted(_LEFT_OUT, key=len, reverse=True))), re.IGNORECASE)

_ROLES: tuple[tuple[MessageKind, re.Pattern[str]], ...] = (
    (MessageKind.CONTACT, re.compile(r"contact card|kontakt|contact|scheda|cartão|联系人|聯絡人|連絡先|연락처|контакт", re.IGNORECASE)),
    (MessageKind.STICKER, re.compile(r"sticker|figurinha|貼圖|贴图|スタンプ|스티커|стикер|наклейк|çıkartma|naklejk", re.IGNORECASE)),
    (MessageKind.IMAGE, re.compile(r"image|photo|foto|bild|imagen|imagem|immagine|afbeelding|изображ|зображ|圖|图|照片|画像|이미지|görüntü|obraz|gambar", re.IGNORECASE)),
    (MessageKind.VIDEO, re.compile(r"vid|wideo|gif|видео|відео|影片|视频|視頻|ビデオ|動画|비디오", re.IGNORECASE)),
    (MessageKind.VOICE, re.compile(r"audio|áudio|àudio|ljud|lyd|ses |аудио|аудіо|音|오디오|voice", re.IGNORECASE)),
    (MessageKind.FILE, re.compile(r"do[ck]ument|файл|документ|文件|文档|檔|ドキュメント|문서|belge", re.IGNORECASE)),
)  # fmt: skip

# Words for media of any kind that hold the word for a file.
_ANY_MEDIA = re.compile(r"медиафайл|медіафайл|多媒[体體]|媒[体體]|미디어|मीडिया|multimedia", re.IGNORECASE)

# A deleted message keeps its line; its text is one of these sentences and nothing else.
_DELETED = re.compile(
    r"^(?:(?:this message was deleted|you deleted this message)(?: (?:by|as) admin(?: [^:]{1,60})?)?|message deleted"
    r"|diese nachricht wurde(?: vom admin [^:]{1,60})? gelöscht|du hast diese nachricht gelöscht"
    r"|ce message a été supprimé|vous avez supprimé ce message|message supprimé"
    r"|(?:se eliminó|eliminaste) este mensaje|este mensaje fue eliminado|mensaje eliminado"
    r"|(?:esta mensagem foi|você) (?:apagada|apagou esta mensagem)|mensagem apagada|esta mensagem foi eliminada"
    r"|(?:questo messaggio è stato|hai) eliminato(?: questo messaggio)?"
    r"|(?:dit bericht is|je hebt dit bericht) verwijderd|u hebt dit bericht verwijderd"
    r"|(?:данное|это) сообщение удалено|(?:вы удалили данное сообщение|вы удалили это сообщение)"
    r"|[你您]已?[删刪]除了?(?:此|这条|這則)(?:消息|訊息)|(?:此|这条|该)消息已(?:被)?(?:删除|撤回)|你刪除了此訊息|您已刪除此訊息|此訊息已(?:被)?刪除"
    r"|このメッセージは削除(?:されました|しました)|メッセージを削除しました|이 메시지는 삭제되었습니다|삭제된 메시지입니다|메시지를 삭제했습니다"
    r"|[这這](?:条|則|则)?(?:消息|訊息)已(?:被)?[删刪]除|تم حذف هذه الرسالة|لقد حذفت هذه الرسالة|حذفت هذه الرسالة|הודעה זו נמחקה|מחקת הודעה זו|מחקת את ההודעה"
    r"|यह (?:मैसेज|संदेश) (?:डिलीट कर दिया गया|डिलीट किया गया था|हटा दिया गया है|मिटाया गया था)|आपने यह (?:मैसेज|संदेश) (?:डिलीट किया|हटा दिया|मिटाया)"
    r"|det här meddelandet (?:raderades|har raderats)|du raderade (?:det här )?meddelandet|tämä viesti poistettiin|poistit tämän viestin"
    r"|denne (?:besked|meddelelse|meldingen) (?:blev|ble) slettet|du slettede denne besked|du slettet denne meldingen|denne meldingen ble slettet"
    r"|ta wiadomość została usunięta|tato zpráva byla (?:smazána|odstraněna)|(?:smazali|odstranili) jste tuto zprávu"
    r"|це повідомлення видалено|ви видалили це повідомлення|acest mesaj a fost șters|ați șters acest mesaj|ai șters acest mesaj"
    r"|ezt az üzenetet törölték|törölted ezt az üzenetet|tin nhắn này đã bị xóa|bạn đã xóa tin nhắn này|ข้อความนี้ถูกลบแล้ว|คุณลบข้อความนี้แล้ว"
    r"|αυτό το μήνυμα διαγράφηκε|διαγράψατε αυτό το μήνυμα|este missatge s'ha eliminat|has eliminat aquest missatge|mesej ini telah dipadam"
    r"|bu mesaj silindi|bu mesajı sildiniz|wiadomość usunięta|usunięto tę wiadomość|pesan ini (?:telah )?dihapus|anda menghapus pesan ini)"
    r"[.。]?$",
    re.IGNORECASE,
)
_EDITED = re.compile(
    r"\s?\u200e?<(?:this message was edited|diese nachricht wurde bearbeitet|se editó este mensaje|ce message a été modifié"
    r"|(?:esta )?mensagem (?:foi )?editada|questo messaggio è stato modificato|dit bericht is bewerkt|сообщение изменено"
    r"|此消息已(?:被)?编辑|已编辑此消息|此訊息已(?:被)?編輯|このメッセージは編集されました|이 메시지는 수정되었습니다|편집된 메시지|bu mesaj düzenlendi"
    r"|הודעה זו נערכה|تم تعديل هذه الرسالة|यह (?:मैसेज|संदेश) (?:एडिट|संपादित) किया गया(?: था)?|pesan ini (?:telah )?diedit|это сообщение изменено|повідомлення (?:відредаговано|змінено)"
    r"|wiadomość (?:została )?(?:zmieniona|edytowana)|aquest missatge s'ha editat|meddelandet (?:har redigerats|redigerades))[.。]?>$",
    re.IGNORECASE,
)
# Behind a text, an iPhone marks as its own nothing in angle brackets but this note, in any language.
_MARKED = re.compile(r"(?<=\S)\s?\u200e<[^<>:：\n]{4,60}>$")
_CALL = re.compile(
    r"^(?:missed (?:group )?(?:voice|video) call|(?:voice|video) call\b|verpasster (?:sprach|video)anruf|sprachanruf|videoanruf|appel (?:vocal|vidéo)"
    r"|(?:video)?llamada (?:de voz )?perdida|cham?ada de (?:voz|vídeo)|(?:video)?chiamata|(?:未接|语音|視訊|视频|語音)(?:語音|语音|視訊|视频|視像)?通[话話]"
    r"|(?:音声|ビデオ)通話|부재중|пропущенный (?:аудио|видео)звонок)",
    re.IGNORECASE,
)
_LOCATION = re.compile(r"^\S{2,20}[:：] ?https?://(?:maps\.google|www\.google\.[a-z.]+/maps|foursquare)", re.IGNORECASE)
_POLL = re.compile(r"^(?:POLL|UMFRAGE|ENCUESTA|SONDAGE|ENQUETE|SONDAGGIO|投票|アンケート|투표)[:：]")


def left_out(text: str) -> MessageKind | None:
    """Say which kind of media a notice of the app stands for; None where `text` is no such notice."""
    shown = text.strip("\u200e\u200f <>")
    if not shown or len(shown) > 80 or "\n" in shown or not _LEFT_OUT_RE.search(shown):
        return None
    if _ANY_MEDIA.search(shown):
        return MessageKind.OTHER
    for role, words in _ROLES:
        if words.search(shown):
            return role
    return MessageKind.OTHER


def is_deleted(text: str) -> bool:
    """Say whether the app wrote that this message was deleted."""
    return len(text) < 120 and _DELETED.match(text.strip("\u200e\u200f ")) is not None


def without_edited(text: str) -> str | None:
    """Return the text without the app's note that it was edited; None where there is no such note."""
    if not text.endswith(">"):
        return None
    match = _EDITED.search(text[-80:]) or _MARKED.search(text[-80:])
    if match and left_out(match.group()) is not None:
        return None
    return None if match is None else text[: len(text) - len(match.group())]


def kind_of_notice(text: str) -> MessageKind | None:
    """Tell calls, places and polls by the words they begin with."""
    shown = text.lstrip("\u200e\u200f ")
    if _CALL.match(shown):
        return MessageKind.CALL
    if _LOCATION.match(shown):
        return MessageKind.LOCATION
    return MessageKind.POLL if _POLL.match(shown) else None
