"""What LINE writes in its text exports, in the languages of the app: titles, days, hours, media, and messages taken back.

Titles are known in Japanese, both Chineses, English, Korean and Thai. The last pattern of them takes any other, and is no proof alone.
"""

import re

from backupkit.chats.model import MessageKind
from backupkit.chats.texts.wall_time import HALF_DAY, SPACE

TITLES = (
    re.compile(r"\[LINE\] (?P<who>.+?)とのトーク履歴\s*$"),
    re.compile(r"\[LINE\] (?P<group>.+?)のトーク履歴\s*$"),
    re.compile(r"\[LINE\] [與与](?P<who>.+?)的聊天[記记][錄录]\s*$"),
    re.compile(r"\[LINE\] (?P<group>.+?)的聊天[記记][錄录]\s*$"),
    re.compile(r"(?:\[LINE\] )?Chat history with (?P<who>.+?)\s*$"),
    re.compile(r"(?:\[LINE\] )?Chat history in (?P<group>.+?)\s*$"),
    re.compile(r"\[LINE\] (?P<who>.+?)님과의 대화\s*$"),
    re.compile(r"\[LINE\] ประวัติการแชทใน(?:กลุ่ม)? ?[\"“]?(?P<group>.+?)[\"”]?\s*$"),
    re.compile(r"\[LINE\] ประวัติ(?:การ)?(?:แชท|สนทนา)กับ (?P<who>.+?)\s*$"),
    re.compile(r"\[LINE\] (?P<any>\S.*?)\s*$"),
)
SAVED = re.compile(r"(?:保存日時|儲存日期|保存日期|储存日期|저장한 날짜|Saved on) ?[：:]|บันทึก(?:เมื่อ|วันที่) ?[：:]? ?\d")
ANY_SAVED = re.compile(r"[^：:\d]{3,40}(?:[：:] ?| )\d{1,4}[/.-]\d{1,2}[/.-]\d{1,4}\D+\d{1,2}[:.]\d{2}")
# Thai writes vowels above and below, which are no letters of their own.
_LETTER = r"(?:[^\W\d_]|[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e])"
_NAME = rf"(?:{_LETTER}{{1,14}}(?:-feira)?|Th(?:ứ|\.)? ?\w{{1,4}}|Chủ [Nn]hật)"
DAY = re.compile(
    rf"(?:(?P<before>{_NAME})(?:\.?[,،] ?|\. ))?(\d{{1,4}})[/.](\d{{1,2}})[/.](\d{{1,4}})"
    rf"(?: ?[(（](?P<in>[^)）]{{1,14}})[)）]| (?P<after>{_NAME})\.?| ?(?:星期|週|周).)?\s*$"
)
WEEKDAY = re.compile(r"\w+day|.曜日|(?:星期|週|周).|.요일|วัน.")
MESSAGE = re.compile(rf"(?:({HALF_DAY}){SPACE}?)?(\d{{1,2}})[:.](\d{{2}})(?:{SPACE}?({HALF_DAY}))?\t(.*)$", re.DOTALL)
# The program for computers writes spaces where phones write tabs.
SPACED = re.compile(rf"(?:({HALF_DAY}){SPACE}?)?(\d{{1,2}}):(\d{{2}})(?: ([AaPp]\.?[Mm]\.?))? (?=\S)(.*)$", re.DOTALL)
MEDIA = {
    MessageKind.IMAGE: (
        "写真",
        "照片",
        "图片",
        "圖片",
        "Photo",
        "Photos",
        "Image",
        "画像",
        "アルバム",
        "相簿",
        "相册",
        "Album",
        "사진",
        "앨범",
        "รูป",
        "รูปภาพ",
        "อัลบั้ม",
        "Foto",
        "Fotos",
        "Gambar",
        "Hình ảnh",
        "Ảnh",
        "Фото",
        "Fotoğraf",
        "Álbum",
    ),
    MessageKind.VIDEO: ("動画", "影片", "视频", "Video", "동영상", "วิดีโอ", "Vídeo", "Vidéo", "Видео"),
    MessageKind.STICKER: (
        "スタンプ",
        "貼圖",
        "贴图",
        "表情贴图",
        "Sticker",
        "스티커",
        "สติกเกอร์",
        "Stiker",
        "Nhãn dán",
        "Стикер",
        "Çıkartma",
        "Pelekat",
    ),
    MessageKind.VOICE: (
        "ボイスメッセージ",
        "語音訊息",
        "语音讯息",
        "语音信息",
        "Voice message",
        "음성 메시지",
        "ข้อความเสียง",
        "Pesan suara",
    ),
    MessageKind.FILE: (
        "ファイル",
        "檔案",
        "文件",
        "File",
        "파일",
        "ไฟล์",
        "Archivo",
        "Arquivo",
        "Fichier",
        "Datei",
        "Файл",
        "Dosya",
        "Fail",
        "Tệp",
    ),
    MessageKind.CONTACT: ("連絡先", "聯絡資訊", "联系信息", "Contact", "Contact info", "연락처", "รายชื่อ", "Kontak"),
    MessageKind.LOCATION: ("位置情報", "位置訊息", "位置信息", "Location", "위치정보", "ตำแหน่งที่ตั้ง", "Lokasi"),
}
ROLES = {word: role for role, words in MEDIA.items() for word in words}
UNSENT = re.compile(
    r"送信を取り消しました|已?收回(?:了)?訊息|[已撤]回(?:了)?(?:一条)?消息|unsent a message|^Message unsent\.?$|메시지 전송을 취소|전송 취소|ยกเลิกข้อความ|membatalkan pesan|batal mengirim pesan",
    re.IGNORECASE,
)
