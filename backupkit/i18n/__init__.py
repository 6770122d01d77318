"""What backupkit says, in English and Chinese, complete and equal. Codes come in; sentences go out."""

from backupkit.i18n.catalogue import Catalogue, fragments, messages, placeholders
from backupkit.i18n.language import LANGUAGES, Language, choose_language, spoken

__all__ = ["LANGUAGES", "Catalogue", "Language", "choose_language", "fragments", "messages", "placeholders", "spoken"]
