"""What use cases tell on the way, in Chinese."""

MESSAGES: dict[str, str] = {
    "notice.same-disk": "备份库与这台电脑自己的文件在同一块磁盘上，磁盘一坏，两者都会失去。",
    "notice.partial-saved": "已有 {bytes} 字节安全存下；即使现在中断，也可以恢复这些内容。",
    "notice.recovery-not-confirmed": "恢复词还没有输入核对过，所以没有为升级守卫签发备份覆盖证明。",
    "finding.special-file": "{path} 是套接字、管道或设备，已跳过。",
    "finding.unreadable": "无法读取 {path}（{reason}）。",
    "finding.snapshot-unreadable": "读不出快照 {snapshot} 的签名声明（{reason}）。",
    "finding.domain-lost": "快照的一部分打不开：{name}（{reason}）。",
    "finding.file-damaged": "{path} 未能完整恢复（{reason}）；能读出的部分以 .damaged 为后缀放在旁边。",
    "finding.not-written": "目标位置无法写入 {path}（{reason}）。",
    "finding.name-taken": "{path} 这个名称已被占用，该文件恢复为 {given}。",
}
