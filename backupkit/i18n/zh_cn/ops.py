"""What use cases tell on the way, in Chinese."""

MESSAGES: dict[str, str] = {
    "notice.copy-only-read": "这是 {original} 的副本，只读取，不写入：结果只在这里显示，不记入任何日志。",
    "notice.same-disk": "备份库与这台电脑自己的数据在同一块磁盘上：{path}。一块磁盘损坏会同时失去两者。",
    "notice.recovery-not-confirmed": "恢复词还没有回填，因此这份备份对升级守卫还不算数。拿到恢复单后请运行：backupkit key confirm",
    "notice.partial-saved": "目前已保留 {bytes:size}。如果这次被中断，下次会从这里继续。",
    "finding.unreadable": "读不出来：{path}（{reason}）",
    "finding.special-file": "已略过，因为它不是文件、文件夹或链接：{path}",
    "finding.own-folder": "已略过，因为它是 backupkit 自己的文件夹：{path}",
    "finding.snapshot-unreadable": "日志里有快照 {snapshot:short}，但它的声明读不出来（{reason}）。",
    "finding.domain-lost": "快照中有一整部分无法打开（{reason}）：{name}",
    "finding.file-damaged": "已损坏，能读的部分已恢复到原位旁边、名称带 .damaged 的文件里：{path}（{reason}）",
    "finding.not-written": "目标位置无法写入 {path}（{reason}）。",
    "finding.name-taken": "{path} 这个名称已被占用，该文件恢复为 {given}。",
    "finding.drill-count-differs": "{name}：保存时数出 {expected} 条消息，恢复后数出 {counted} 条。",
    "finding.drill-database-unsound": "{path} 与保存时一致，但 SQLite 认为它不完好：{complaint}",
    "notice.pack-repaired": "已用校验文件把一个损坏的数据包逐字节恢复原样：{name}（{bytes:size}）",
    "notice.parity-not-written": "快照已保存，但校验文件没能写入（{reason}）。下次保存或运行 backupkit repair 时会再试。",
    "finding.object-lost": "{name} 的所有副本都读不出来（{reason}）。",
    "finding.copy-not-written": "有一份损坏或缺失的副本没能重新写好：{name}",
    "finding.log-unreadable": "日志读不出来（{reason}），因此这次修复没有记入日志。",
}
