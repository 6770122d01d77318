"""What is wrong with stored bytes, in Chinese."""

MESSAGES: dict[str, str] = {
    "error.malformed-object.what": "有一个存储文件已损坏：{what}。",
    "error.malformed-object.why": "它的内容不是 backupkit 写入的样子（{reason}）。磁盘故障或复制中断会造成这种情况。",
    "error.malformed-object.try": "backupkit verify        它会说明哪些受影响、哪些完好。",
    "error.newer-format.what": "这个 {what} 是更新版本的 backupkit 写的。",
    "error.newer-format.why": "它的格式版本是 {version}，本程序最多能读 {known}。文件本身没有问题。",
    "error.newer-format.try": "请更新 backupkit 后再试。",
}
