"""What happened to messages, what would be lost, what was salvaged."""

MESSAGES: dict[str, str] = {
    "message-diff.new": "新增 {count}",
    "message-diff.edited": "改动 {count}",
    "message-diff.recalled": "撤回 {count}",
    "message-diff.deleted": "删除 {count}",
    "message-diff.out-of-scope": "后一次导出未包含 {count}",
    "message-diff.wiped": "{name}：大部分消息一下子都没了，看起来应用被清空过。",
    "message-diff.kept": "较早的快照里有较晚的快照没有的消息，请保留它。",
    "message-diff.damaged": "有一部分读不出来；显示为已删除的消息，可能只是没有读到。",
    "message-diff.summary": "新增 {new}，改动 {edited}，撤回 {recalled}，删除 {deleted}，后一次导出未包含 {out_of_scope}，相同 {same}",
    "loss.messages": "现有 {messages} 条消息；不知道其中会失去多少",
    "loss.changed": "有 {changed} 条消息，快照里保存的是旧内容",
    "loss.conversation": "{messages} 条中的 {uncovered} 条，{days}",
    "loss.sealed": "加密数据库：与快照相比，{pages} 页中有 {pages_changed} 页变了，日志里还有 {commits} 次提交。消息数未知。",
}
