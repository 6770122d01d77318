"""What the watcher tells, in Chinese."""

MESSAGES: dict[str, str] = {
    "notice.watch-started": "开始监视，共 {sources} 个来源。",
    "notice.watch-saving": "聊天已经安静下来，正在保存 {sources} 个来源。",
    "notice.watch-saved": "已保存 {sources} 个来源。",
    "notice.watch-save-failed": "保存失败（{reason}），{retry_seconds:span}后再试。",
    "notice.watch-verified-again": "没有新内容要保存。已把 {snapshots} 个快照重新读回：每个字节都在。",
    "notice.watch-saving-anew": "{source} 的备份已损坏，正在重新保存。",
    "notice.watch-check-failed": "没能读回已保存的内容（{reason}），稍后再试。",
    "notice.watch-looking-again": "可能漏看了一些变化，正在重新检查所有来源。",
    "notice.watch-by-scanning": "系统没有报告文件变化（{reason}），改为每分钟检查一遍所有来源。",
    "notice.watch-source-missing": "来源 {source} 不见了。已保存的内容不受影响；等它回来后继续监视。",
    "notice.watch-source-back": "来源 {source} 又回来了。",
    "notice.watch-standing-by": "本机的另一个监视程序正在保存 {source}，这里先待命。",
    "notice.watch-taking-over": "另一个监视程序已结束，从现在起由这里保存 {source}。",
}
