"""What the guard says, in Chinese. The verdict first, the loss as a number, one thing to do."""

from backupkit.i18n.zh_cn.guard_reasons import REASONS

_HEADLINES: dict[str, str] = {
    "verdict.allow": "放行",
    "verdict.ask-first": "先问本人",
    "verdict.kept": "已保留",
    "verdict.hold": "暂缓",
    "verdict.deny": "拒绝",
    "verdict.undecided": "无法判断",
    "headline.keeps-data": "可以更新：聊天记录会保留。",
    "headline.keeps-data.rotated": "可以更新：开发者更换了密钥并提供了有效证明，聊天记录会保留。",
    "headline.parallel-app": "可以安装：这是另一个应用，聊天记录仍在原来的应用里。",
    "headline.refused-safe": "已停止：无法安装本次更新。未做任何更改，聊天记录安全。请不要卸载应用。",
    "headline.not-genuine": "已停止：安装包已损坏或被篡改，请勿安装。",
    "headline.unknown": "已停止：无法判断本次更新是否安全，未做任何更改。",
    "headline.would-wipe.deny": "已停止：{app} 会连同全部聊天记录一起被卸载，而新的装不上。",
    "headline.would-wipe.unconsented.chats": (
        "已停止：继续操作会删除本机 {app} 的全部聊天记录："
        "{conversations} 个会话、{messages} 条消息（{size:size}），而这还没有得到有效的同意。"
    ),
    "headline.would-wipe.unconsented.messages": "已停止：继续操作会删除本机 {app} 的全部 {messages} 条消息，而这还没有得到有效的同意。",
    "headline.would-wipe.unconsented.bytes": "已停止：继续操作会删除本机 {app} 的聊天记录，共 {size:size}，而这还没有得到有效的同意。",
    "headline.would-wipe.unconsented.uncounted": "已停止：继续操作会删除本机 {app} 的全部聊天记录，而这还没有得到有效的同意。",
    "headline.would-wipe.hold.chats": (
        "已停止：继续操作会删除本机 {app} 的全部聊天记录："
        "{conversations} 个会话、{messages} 条消息（{size:size}），且无法恢复。"
    ),
    "headline.would-wipe.hold.messages": "已停止：继续操作会删除本机 {app} 的全部 {messages} 条消息，且无法恢复。",
    "headline.would-wipe.hold.bytes": "已停止：继续操作会删除本机 {app} 的聊天记录，共 {size:size}，且无法恢复。",
    "headline.would-wipe.hold.uncounted": "已停止：继续操作会删除本机 {app} 的全部聊天记录，而且目前没有算数的已核验备份。",
    "headline.would-wipe.saved.chats": (
        "已停止：继续操作会删除本机 {app} 的全部聊天记录："
        "{conversations} 个会话、{messages} 条消息（{size:size}），而且目前没有算数的已核验备份。"
    ),
    "headline.would-wipe.saved.messages": "已停止：继续操作会删除本机 {app} 的全部 {messages} 条消息，而且目前没有算数的已核验备份。",
    "headline.would-wipe.saved.bytes": "已停止：继续操作会删除本机 {app} 的聊天记录，共 {size:size}，而且目前没有算数的已核验备份。",
    "headline.would-wipe.allow.chats": (
        "由您决定：本机 {app} 的 {conversations} 个会话、{messages} 条消息（{size:size}）将被删除。"
    ),
    "headline.would-wipe.allow.messages": "由您决定：本机 {app} 的 {messages} 条消息将被删除。",
    "headline.would-wipe.allow.bytes": "由您决定：本机 {app} 的聊天记录（{size:size}）将被删除。",
    "headline.would-wipe.allow.uncounted": "由您决定：本机 {app} 的全部聊天记录将被删除。",
    "headline.waits": "已停止：{app} 的聊天记录目前没有算数的已核验备份，因此先不更改这个程序。",
    "consent.first.chats": (
        "本机 {app} 的 {conversations} 个会话、{messages} 条消息（{size:size}）将被删除。"
        "{verified_at:time} 的备份已读回核验，其中 {covered_messages} 条消息可以恢复。保留 {app}，还是继续？"
    ),
    "consent.first.chats.sized": (
        "本机 {app} 的 {conversations} 个会话、{messages} 条消息（{size:size}）将被删除。"
        "{verified_at:time} 的备份已读回核验，其中 {covered_size:size} 可以恢复。保留 {app}，还是继续？"
    ),
    "consent.first.messages": (
        "本机 {app} 的 {messages} 条消息将被删除。{verified_at:time} 的备份已读回核验，"
        "其中 {covered_messages} 条消息可以恢复。保留 {app}，还是继续？"
    ),
    "consent.first.messages.sized": (
        "本机 {app} 的 {messages} 条消息将被删除。{verified_at:time} 的备份已读回核验，"
        "其中 {covered_size:size} 可以恢复。保留 {app}，还是继续？"
    ),
    "consent.first.bytes": (
        "本机 {app} 的聊天记录（{size:size}）将被删除。{verified_at:time} 的备份已读回核验，"
        "其中 {covered_size:size} 可以恢复。保留 {app}，还是继续？"
    ),
    "consent.first.uncounted": (
        "本机 {app} 的全部聊天记录将被删除。{verified_at:time} 的备份已读回核验，"
        "其中 {covered_size:size} 可以恢复。保留 {app}，还是继续？"
    ),
    "consent.second": "最后一步：请输入“{app}”，确认放弃本机上的内容；输入其他内容则保留。",
    "loss.in-backup.not-counting": "备份里已有全部消息，但这份备份现在还不算数。",
    "loss.not-in-backup": "有 {not_in_backup} 条消息不在备份里。",
    "loss.not-in-backup.as-of": "{as_of:time} 清点时，有 {not_in_backup} 条消息不在备份里；更新的消息没有计入。",
    "loss.not-in-backup.none": "清点到的消息全部在备份里。",
    "loss.not-in-backup.none.as-of": "{as_of:time} 清点时，全部消息都在备份里；更新的消息没有计入。",
    "finding.loss-hint-malformed": "关于备份缺少多少消息的清点记录无法读取，没有采用。",
    "finding.loss-hint-of-another-app": "关于备份缺少多少消息的清点记录属于另一个应用，没有采用。",
    "finding.loss-hint-of-another-backup": "关于备份缺少多少消息的清点记录针对另一份备份，没有采用。",
    "finding.loss-hint-old": "关于备份缺少多少消息的清点记录过旧，没有采用。",
    "finding.loss-hint-from-the-future": "关于备份缺少多少消息的清点记录日期在未来，没有采用。",
    "loss.not-in-backup.unknown": "不清楚有多少条消息不在备份里。",
    "loss.span": "消息的时间从 {oldest:time} 到 {newest:time}。",
    "loss.newest": "最新一条消息的时间是 {newest:time}。",
}

# 策略要求的每项检查，补上的办法各不相同。
_CHECKS: dict[str, tuple[str, str, str]] = {
    "check.every-byte-read": (
        "备份是有的，但没有把每个字节都读回过。",
        "按您的策略，读回之后才能删除任何内容。",
        "backupkit verify        读回核验，再问一次",
    ),
    "check.keys-recoverable": (
        "备份是有的，但恢复词从未输入核对过。",
        "谁也打不开的备份，救不了聊天记录。",
        "backupkit key confirm        输入核对恢复词，然后运行 backupkit verify，再问一次",
    ),
    "check.restore-drill": (
        "备份已经核验，但没有在您的时限内试着恢复过。",
        "按您的策略，做过恢复演练之后才能删除任何内容。",
        "backupkit drill        做一次恢复演练，再问一次",
    ),
    "check.second-copy": (
        "备份已经核验，但在您的时限内，没有确认另一块磁盘上有完整的第二份副本。",
        "按您的策略，有了第二份副本才能删除任何内容。",
        "backupkit copy --to 文件夹        文件夹在另一块磁盘上；完成后再问一次",
    ),
    "consent-refused.token-needed": (
        "本机只认机主签名的同意书，而这次没有收到。",
        "这样一来，任何程序都不能替您作答。",
        "backupkit guard consent 文件        文件是以 JSON 保存的这份裁定；签出同意书之后，带上 --consent-token 再问一次",
    ),
}

_ERRORS: dict[str, tuple[str, str, str]] = {
    "guard-policy-refused": (
        "守卫设置 {setting} 无法使用（{reason}）。",
        "不认识、写错或不安全的设置，会让您在不知情时失去保护。",
        "backupkit config check        检查设置",
    ),
    "listing-unusable": REASONS["listing-unusable"],
    "record-conflict": REASONS["record-conflict"],
    "consent-refused": (
        "所给的内容不是对本次更新的同意（{reason}）。",
        "同意只对一个安装包、一份备份、一小段时间有效，并且两步都要完成。",
        "请重新询问，并完成两个步骤。",
    ),
    "request-malformed": (
        "看不懂这个问题：{field}（{reason}）。",
        "没看懂就回答，等于瞎猜。",
        "请看 docs/reference/hook-protocol.md 的说明。",
    ),
    "unanswerable": (
        "无法回答这个问题（{reason}）。",
        "缺少所需的内容，或者读不到。",
        "backupkit explain {reason:raw}        查看说明",
    ),
    "ledger-broken": (
        "裁定记录的第 {line} 行被改动过（{reason}）。",
        "有人在签名之后修改、删除或添加了裁定；也可能是签名用的 hook.key 丢失后重新生成过。",
        "请原样保留这个文件，并寻找它的副本。",
    ),
}

MESSAGES: dict[str, str] = {
    **_HEADLINES,
    **{
        f"error.{code}.{part}": sentence
        for code, sentences in _ERRORS.items()
        for part, sentence in zip(("what", "why", "try"), sentences, strict=True)
    },
    **{
        f"{key}.{part}": sentence
        for key, sentences in _CHECKS.items()
        for part, sentence in zip(("what", "why", "try"), sentences, strict=True)
    },
}
