"""The words on the recovery sheet, in Chinese."""

MESSAGES: dict[str, str] = {
    "sheet.title": "恢复单",
    "sheet.subtitle": "忘了口令时，用这 24 个词就能打开保存的聊天记录。",
    "sheet.words": "24 个词，顺序不能变",
    "sheet.either": "每个词旁边是同一个词的英文写法：两种都能打开备份，输入一种就行，混着输入也可以。",
    "sheet.store": "备份库",
    "sheet.fingerprint": "本单编号",
    "sheet.created": "制作日期",
    "sheet.steps": "怎么用",
    "sheet.step.keep": "打印本页并删除这个文件，把纸和护照、房产证放在一起，不要放在电脑旁边。",
    "sheet.step.use": "要找回聊天记录时，在任何一台电脑上装好 backupkit，接上存放备份的硬盘，运行 {command}（DIR 换成备份库所在的文件夹），再输入这 24 个词。",
    "sheet.step.guard": "谁同时拿到本页和备份，谁就能看到全部内容；不愿意把手机交给他的人，也不要给他看。",
    "sheet.place": "备份放在哪里",
    "sheet.place.hint": "请手写；写在另一张纸上更好。",
}
