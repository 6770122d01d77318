"""The words on the recovery sheet, in English."""

MESSAGES: dict[str, str] = {
    "sheet.title": "Recovery sheet",
    "sheet.subtitle": "These 24 words open the saved chats when the passphrase is lost.",
    "sheet.words": "The 24 words, in this order",
    "sheet.either": "The English words open it too. Install backupkit, connect the disk, run the command below, where DIR is the backup's folder, and type them.",
    "sheet.store": "Repository",
    "sheet.fingerprint": "Sheet number",
    "sheet.created": "Made on",
    "sheet.steps": "What to do with it",
    "sheet.step.keep": "Print this page, delete the file, and keep the paper where you keep your passport, away from the computer.",
    "sheet.step.use": "To get the chats back, install backupkit on any computer, connect the disk with the backup, "
    "run {command}, where DIR is the backup's folder, and type these words.",
    "sheet.step.guard": "Whoever has this page and the backup can read everything, so show it to nobody you would not give your phone to.",
    "sheet.place": "Where the backup lies",
    "sheet.place.hint": "Write it here by hand, or better on another paper.",
}
