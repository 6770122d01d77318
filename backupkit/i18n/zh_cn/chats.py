"""What is said of chat exports, in Chinese."""

MESSAGES: dict[str, str] = {
    "error.malformed-export.what": "{file} 从这里开始无法读取：{place}",
    "error.malformed-export.why": "后面的内容不是这种导出文件应有的（{reason}）。文件可能已损坏，也可能是伪造的。",
    "error.malformed-export.try": "请在手机上重新导出这段聊天。此处之前已读出的内容没有问题。",
    "error.truncated-export.what": "{file} 提前结束：{place}",
    "error.truncated-export.why": "导出文件在中途断开（{reason}），多半是复制时被打断了。",
    "error.truncated-export.try": "请重新复制或重新导出。断开之前已读出的内容没有问题。",
    "finding.archive-damaged": "压缩包 {file} 打不开（{reason}）。里面的内容已原样保存，但没有计数。",
    "finding.member-left-out": "没有读取压缩包里的 {file}（{reason}）。",
    "finding.export-cut": "{file} 在 {place} 处中断。之前的内容已计数。",
    "finding.export-damaged": "{file} 在 {place} 处损坏（{reason}）。之前的内容已计数。",
    "finding.record-not-understood": "{file} 里有一条记录不是消息：{place}",
    "finding.sequence-gap": "{conversation} 从编号 {first} 起缺少 {count} 个消息编号：可能被删除，也可能没有导出。",
    "finding.declared-differs": "{conversation} 自称有 {declared} 条消息，实际有 {counted} 条。",
    "finding.more-of-the-same": "同类情况还有 {count} 处：{code}",
    "finding.format-ambiguous": "{file} 可能属于多种格式（{formats}），因此只保存，没有计数。",
    "finding.date-order-assumed": "{file} 里没有内容能证明日期是先日后月还是先月后日，暂按 {order} 读取。",
    "finding.text-not-utf-8": "{file} 里有 {count} 行文字已损坏。",
    "finding.own-messages-only": "这份导出只有本人发出的消息，每个会话里对方的消息都不在其中。",
    "finding.shard-missing": "{file} 缺少 {count} 个分卷，第一个是 {name}。",
    "finding.export-cap-suspected": "{file} 正好有 {count} 条消息。应用导出到这个数就停，更早的消息没有导出。",
}
