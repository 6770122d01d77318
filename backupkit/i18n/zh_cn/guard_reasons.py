"""Why a verdict is what it is, in Chinese: what was found, why it matters, what to do."""

REASONS: dict[str, tuple[str, str, str]] = {
    # 更新会保留聊天记录。
    "signer-same": (
        "这次更新与您现在的 {app} 出自同一开发者。",
        "系统会直接覆盖旧版本，聊天记录原样保留。",
        "请直接更新，不要先卸载。",
    ),
    "signer-rotated": (
        "开发者更换了签名密钥，并提供了有效证明。",
        "新安装包带有旧密钥签发的证明，系统认可。",
        "请直接更新，不要先卸载。",
    ),
    "signer-rolled-back": (
        "开发者换回了以前的签名密钥，而且事先允许过。",
        "已安装的应用自己声明，以前的密钥可以重新接手。",
        "请直接更新，不要先卸载。",
    ),
    "another-app": (
        "它的包名不同，系统会把它装在您的 {app} 旁边。",
        "新应用里什么都没有，聊天记录仍在原来的应用里。",
        "确认没有缺少内容之前，请保留两个应用。",
    ),
    # 强行安装会清空聊天记录。
    "no-verified-backup": (
        "还没有算数的 {app} 备份。",
        "每个字节都读回过，恢复词也输入核对过，备份才算数。",
        "backupkit snapshot 路径        路径是导出的聊天记录所在的文件夹；备份后再问一次。如果恢复词还没有输入核对过：backupkit key confirm",
    ),
    "no-pinned-store": (
        "有人出示了备份证明，但本机还没有信任任何备份库。",
        "只有在本机创建、或事先与本机配对过的备份库，它的证明才算数。",
        "backupkit guard pair        （本机写入的备份库），或者到拍快照的那台电脑上询问",
    ),
    "challenge-missing": (
        "商店提问时没有带随机数，而您的策略要求带上。",
        "没有随机数，昨天的证明今天还能再用一次。",
        "请带上 16 到 32 字节的随机数重新提问。",
    ),
    "desktop-covered": (
        "{verified_at:time} 的备份已逐字节读回，包含 {app} 的聊天记录。",
        "包管理器不动您的主目录；万一新版本弄坏了它，可以从备份找回。",
        "可以继续。",
    ),
    "backup-covers": (
        "{verified_at:time} 的备份已逐字节读回，包含 {app} 的聊天记录。",
        "本机上的聊天记录仍会被删除，留下的是那份备份。",
        "如非必须，请保留现在的应用。",
    ),
    "consent-refused": (
        "所给的同意与本次更新不符（{detail}）。",
        "同意只对一个安装包、一份备份、一小段时间有效，并且两步都要完成。",
        "请重新询问，并完成两个步骤。",
    ),
    "reinstall-fails": (
        "卸载 {app} 会清空聊天记录，而新安装包照样装不上（{install_result}）。",
        "无论之前装着什么，这台设备都会拒绝这个安装包。",
        "请保留现在的应用。",
    ),
    # 为什么备份证明不算数。
    "pass-malformed": (
        "备份证明已损坏（{detail}）。",
        "损坏的证明什么也证明不了。",
        "backupkit verify        重新核验备份，再问一次",
    ),
    "pass-signature-invalid": (
        "备份证明不是您的备份库签发的。",
        "它在途中被改动过，或者出自别人之手。",
        "backupkit verify        重新核验备份，再问一次",
    ),
    "pass-wrong-challenge": (
        "这份证明是为另一次询问开具的。",
        "它可能是旧证明，被再次拿出来用。",
        "backupkit verify        重新核验备份，再问一次",
    ),
    "pass-expired": (
        "备份证明已于 {expires:time} 到期。",
        "此后写下的内容，里面可能没有。",
        "backupkit snapshot 路径        先备份，再问一次",
    ),
    "pass-too-old": (
        "最近一次已核验的备份是 {verified_at:time}，您的时限是 {limit_hours} 小时。",
        "比它更新的内容都会丢失。",
        "backupkit snapshot 路径        先备份，再问一次",
    ),
    "pass-from-the-future": (
        "证明上的时间是 {dated:time}，而本机现在是 {now:time}。",
        "两边的时钟有一个不准，无法知道备份有多旧。",
        "请校准时钟，然后运行 backupkit verify",
    ),
    "pass-wrong-app": (
        "证明说的是 {covered}，更新的却是 {installed}。",
        "一个应用的备份里，没有另一个应用的聊天记录。",
        "backupkit snapshot 路径        先备份，再问一次",
    ),
    "pass-wrong-signer": (
        "备份来自另一个签名者的 {package}，不是这里安装的那个。",
        "同名的两个应用是两个应用，聊天记录并不相同。",
        "backupkit snapshot 路径        先备份，再问一次",
    ),
    "pass-policy-not-met": (
        "备份是有的，但没有通过 {check} 这项检查。",
        "按您的策略，通过之后才能删除任何内容。",
        "backupkit drill        或 backupkit copy --to 文件夹，看您的策略要求哪一项；然后再问一次",
    ),
    "log-unknown": (
        "证明来自另一个备份库，不是与本机配对的那个。",
        "已配对：{expected}。现在看到：{found}。",
        "请到拍快照的那台电脑上询问。",
    ),
    "log-rolled-back": (
        "备份库上次有 {seen} 条记录，现在只有 {found} 条。",
        "它被退回到了以前的状态，较新的备份可能已经没有了。",
        "请不要删除任何内容，并寻找备份库较新的副本。",
    ),
    "log-forked": (
        "备份库的历史被改动过：现在的 {found} 条记录，接不上这里见过的 {seen} 条。",
        "历史既然被改写过，它所说的就不可信。",
        "请不要删除任何内容，并寻找备份库真正的副本。",
    ),
    "log-proof-missing": (
        "备份库从 {seen} 条记录增加到 {found} 条，而证明没有说明旧记录仍在。",
        "新的证明可以说明这一点。",
        "backupkit verify        重新核验备份，再问一次",
    ),
    "clock-went-back": (
        "本机现在是 {now:time}，而守卫在 {seen:time} 就已经回答过询问。",
        "时钟被拨回过，无法知道备份有多旧。",
        "请校准时钟，再问一次。如果现在的时间是对的，是以前不准：backupkit guard pair",
    ),
    # 设备会拒绝安装，什么都不会发生。
    "android-too-old": (
        "这个安装包需要更新的系统版本（{install_result}）。",
        "这台设备会拒绝安装，不做任何更改。",
        "请保留现在的应用。",
    ),
    "signature-too-old": (
        "这个安装包的签名方式，当前系统已不再接受（{install_result}）。",
        "这台设备会拒绝安装，不做任何更改。",
        "请保留现在的应用，并从开发者那里获取更新。",
    ),
    "target-too-old": (
        "这个安装包面向的系统版本太旧，当前系统会拒绝（{install_result}）。",
        "这台设备会拒绝安装，不做任何更改。",
        "请保留现在的应用，并从开发者那里获取较新的版本。",
    ),
    "test-only": (
        "这个安装包标明是测试版（{install_result}）。",
        "这台设备会拒绝安装，不做任何更改。",
        "请保留现在的应用，并从开发者那里获取更新。",
    ),
    "drops-permission-model": (
        "这个安装包要退回旧的权限方式，更新时不允许这样做（{install_result}）。",
        "这台设备会拒绝安装，不做任何更改。",
        "请保留现在的应用。",
    ),
    "lowers-sandbox": (
        "这个安装包的隔离保护低于已安装的应用（{install_result}）。",
        "这台设备会拒绝安装，不做任何更改。",
        "请保留现在的应用。",
    ),
    "storage-changed": (
        "这个安装包改变了应用能否在本机存放数据（{install_result}）。",
        "系统不允许更新改变这一点，只有卸载旧应用才能装上。",
        "请从原来的安装渠道获取更新。",
    ),
    "split-missing": (
        "应用还需要另一个部分，这里没有（{install_result}）。",
        "缺少它，这台设备会拒绝安装，不做任何更改。",
        "请提供完整的应用后再问一次。",
    ),
    "resources-packed": (
        "这个安装包面向 Android 11 或更高版本，资源的打包方式却不符合其要求（{install_result}）。",
        "这台设备会拒绝安装，不做任何更改。",
        "请保留现在的应用，并从开发者那里获取安装包。",
    ),
    "code-missing": (
        "这个安装包声明含有代码，里面却没有（{install_result}）。",
        "这台设备会拒绝安装，不做任何更改。",
        "请保留现在的应用，并从开发者那里获取安装包。",
    ),
    "no-matching-abi": (
        "这个安装包是给另一种处理器用的（{install_result}）。",
        "这台设备会拒绝安装，不做任何更改。",
        "请保留现在的应用，换用适合本机的安装包。",
    ),
    "needs-all-abis": (
        "这个安装包缺少本机某种处理器的代码（{install_result}）。",
        "这台设备会拒绝安装，不做任何更改。",
        "请保留现在的应用，换用适合本机的安装包。",
    ),
    "permission-taken": (
        "安装包定义的一项权限，本机已有别的应用在用（{install_result}）。",
        "这台设备会拒绝安装，不做任何更改。",
        "请保留现在的应用。",
    ),
    "permission-group-taken": (
        "安装包定义的一个权限组，本机已有别的应用在用（{install_result}）。",
        "这台设备会拒绝安装，不做任何更改。",
        "请保留现在的应用。",
    ),
    "permission-group-foreign": (
        "安装包把权限放进了别的应用的权限组（{install_result}）。",
        "这台设备会拒绝安装，不做任何更改。",
        "请保留现在的应用。",
    ),
    "provider-taken": (
        "本机已有别的应用用同样的名称提供数据（{install_result}）。",
        "这台设备会拒绝安装，不做任何更改。",
        "请保留现在的应用。",
    ),
    "becomes-instant": (
        "已安装的应用会被换成免安装版（{install_result}）。",
        "这台设备会拒绝安装，不做任何更改。",
        "请安装完整版。",
    ),
    "another-version-required": (
        "商店以为装的是另一个版本，与实际不符（{install_result}）。",
        "这台设备会拒绝安装，不做任何更改。",
        "请保留现在的应用，再向商店查询一次。",
    ),
    "static-library": (
        "这是一个不能更新的静态库（{install_result}）。",
        "这台设备会拒绝安装，不做任何更改。",
        "请保留现有的安装。",
    ),
    "signer-in-key-set": (
        "新安装包的签名密钥，是已安装应用指定可用于更新的密钥。",
        "系统比对密钥后认可它。",
        "请直接更新，不要先卸载。",
    ),
    "not-a-base": (
        "这个文件只是应用的一部分（{install_result}）。",
        "没有主安装包，这台设备会拒绝安装，不做任何更改。",
        "请提供完整的应用后再问一次。",
    ),
    # 为什么会清空：暂缓时作为原因显示。
    "different-signer": (
        "它与您现在的 {app} 不是出自同一开发者。",
        "系统不接受它作为更新（{install_result}），只有卸载旧应用才能装上。",
        "请从原来的安装渠道获取更新。",
    ),
    "older-version": (
        "它比已安装的 {app} 还旧（{install_result}）。",
        "系统不允许退回旧版，只有卸载新版才能装上。",
        "请保留现在的应用。",
    ),
    "shared-user-changed": (
        "它与其他应用共用数据的方式，和已安装的 {app} 不同（{install_result}）。",
        "系统不接受它作为更新，只有卸载旧应用才能装上。",
        "请从原来的安装渠道获取更新。",
    ),
    "shared-user-signer": (
        "它的签名者不再有权与旁边的应用共用数据（{install_result}）。",
        "系统不接受它作为更新，只有卸载旧应用才能装上。",
        "请从原来的安装渠道获取更新。",
    ),
    "uninstall": (
        "{app} 将被卸载。",
        "系统卸载应用时，会一并删除它的聊天记录。",
        "backupkit snapshot 路径        先备份，再问一次",
    ),
    "update-instead": (
        "{app} 将被卸载后重装，而直接更新本可保留聊天记录。",
        "卸载就会清空聊天记录，重装同一个应用也找不回来。",
        "请直接更新，不要先卸载。",
    ),
    "removes-another-app": (
        "{app} 将被卸载，换成另一个应用。",
        "聊天记录属于将被卸载的应用。",
        "请安装新应用，但不要卸载旧应用。",
    ),
    # 安装包有问题。
    "package-not-genuine": (
        "安装包在签名之后被改动过，或者不完整（{detail}）。",
        "没有人能说清它现在包含什么。",
        "请删除它，并从开发者那里获取更新。",
    ),
    # 无法判断。
    "fact-missing": (
        "这两个安装包的某项信息在这里不清楚（{missing}）。",
        "系统会查看这一项，缺了它就无法判断。",
        "请提供已安装的安装包本身，再问一次。",
    ),
    "depends-on-device": (
        "同一个更新，在有的系统版本上能装，在有的版本上会被拒绝。",
        "没有说明这台设备是哪个系统版本。",
        "请加上 --device-sdk N 再问一次。",
    ),
    "device-too-new": (
        "这台设备的系统比这里所知的规则还新。",
        "新系统可能有新规则。",
        "请更新 backupkit，再问一次。",
    ),
    "candidate-missing": (
        "没有提供安装包。",
        "没有安装包就无从检查。",
        "请带上安装包再问一次。",
    ),
    "package-undecided": (
        "无法判断安装包是否完好（{doubt}）。",
        "它可能用了这里还不认识的新方式，或者在读取时发生了变化。",
        "请确认文件完整、没有程序正在写入它，或更新 backupkit，然后再问一次。",
    ),
    "package-unreadable": (
        "无法读取 {name}。",
        "没有读到的内容，就没有检查。",
        "请确认文件存在且可读，再问一次。",
    ),
    "package-swapped": (
        "{name} 不是刚才检查的那个文件：中途被换掉了。",
        "对一个文件的结论，对另一个文件无效。",
        "请就现在这个文件重新询问。",
    ),
    "package-mismatch": (
        "问题里写的是 {package}，已安装的却是 {found}。",
        "一次只能就一个应用作出结论。",
        "请写对应用，再问一次。",
    ),
    "installed-not-genuine": (
        "作为“已安装的应用”提供的文件已损坏或被篡改（{detail}）。",
        "它不可能是已安装的那个，因此说明不了什么。",
        "请从设备重新取出应用，再问一次。",
    ),
    "app-not-enrolled": (
        "这里从未见过 {package}。",
        "不知道已安装的应用是谁做的，就无法与更新作比较。",
        "backupkit guard trust add 文件        文件是已安装应用的安装包；登记后再问一次",
    ),
    "listing-unusable": (
        "应用索引没有说明 {package} 由谁签名（{reason}）。",
        "索引无法读取，或列出了多个签名者，就无法用来比对更新。",
        "请改用已安装应用的安装包文件，或写明版本：INDEX#PACKAGE@VERSION",
    ),
    "record-conflict": (
        "已安装的 {package} 与这里登记的不是同一签名者。",
        "它被替换过而没有证明，或者登记来自另一台设备。",
        "backupkit guard trust list        查看登记",
    ),
    "record-unreadable": (
        "{package} 的登记已损坏。",
        "没有登记，就无法把更新与已安装的应用作比较。",
        "backupkit guard trust add 文件        用已安装应用的安装包重新登记",
    ),
    "policy-unusable": (
        "无法读取守卫策略（{detail}）。",
        "不知道您对备份有什么要求，所有更新就都先等一等。",
        "backupkit config check        检查设置",
    ),
    "pins-unusable": (
        "无法读取已配对的备份库（{detail}）。",
        "没有它，任何证明都无法核对。",
        "请确认守卫的文件夹完整、可读，再问一次。",
    ),
    "witness-unusable": (
        "上次见到的已配对备份库日志记录无法读取（{detail}）。",
        "缺了它，就看不出备份库是否被退回到更早的状态。",
        "backupkit guard pair        从备份库现在的状态重新开始，然后再次询问。",
    ),
    "memory-unwritable": (
        "守卫无法写入自己的文件夹（{detail}）。",
        "放行更新之前，必须先记下已经得知的情况。",
        "请腾出磁盘空间，并确认守卫的文件夹归您所有、可以写入，然后再次询问。",
    ),
    "memory-open": (
        "这台电脑上的其他用户可以写入守卫的文件夹：{detail}",
        "能写入那里的人，可以放进谁也没有给出的同意，或不属于您的备份库，所以里面的内容都不算数。",
        "请只允许您本人写入（chmod go-w、chown）。如果不清楚有谁动过，请把文件夹移走，重新开始：backupkit guard pair",
    ),
    "pass-unreadable": (
        "无法读取备份证明。",
        "没有读到的内容，就没有检查。",
        "backupkit verify        重新核验备份，再问一次",
    ),
    "hook-key-unusable": (
        "为裁定签名的密钥无法使用（{detail}）。",
        "不能记录的裁定，就不作出。",
        "请确认守卫的文件夹可读、可写。如果 hook.key 已损坏，请把它和 ledger.jsonl 一起移走：会用新的密钥开始新的记录。然后再问一次。",
    ),
    "ledger-unwritable": (
        "裁定无法写入记录（{detail}）。",
        "不能记录的裁定，就不作出。",
        "请腾出磁盘空间，再问一次。",
    ),
    "request-malformed": (
        "看不懂商店提的问题（{field}：{detail}）。",
        "没看懂就回答，等于瞎猜。",
        "请告诉商店的开发者。",
    ),
    "request-unreadable": (
        "无法读取商店提的问题。",
        "没有问题，就没有答复。",
        "请再问一次。",
    ),
    "timed-out": (
        "检查所需的时间超过了商店愿意等待的时间。",
        "没有查完，就等于没有查。",
        "请给更多时间，再问一次。",
    ),
    "overloaded": (
        "同时提出的问题太多。",
        "服务器一次只处理几个问题，也不会让其余的一直等下去。",
        "请稍后再问一次。",
    ),
    "server-stopping": (
        "服务器正在停止。",
        "已经开始的会做完，新的不再受理。",
        "请稍后再问一次。",
    ),
    "not-permitted": (
        "提问者无权在这里提问。",
        "服务器只回答这些聊天记录的主人和 root；使用 HTTP 时还要出示令牌，并且不回答浏览器。",
        "请以同一用户的身份提问，或使用守卫文件夹中的令牌。",
    ),
    "guard-failed": (
        "检查在 backupkit 内部出错。",
        "这是我们的问题，修好之前更新先等一等。",
        "请保留现在的应用，并连同代码一起报告问题。",
    ),
    "malformed-object": (
        "守卫保存的内容已损坏（{what}：{reason}）。",
        "它说的不可信。",
        "backupkit guard log        查看后再问一次；backupkit verify 会写出新的证明",
    ),
    "newer-format": (
        "守卫保存的内容由更新版本的 backupkit 写成（{what}）。",
        "当前版本读不懂。",
        "请更新 backupkit，再问一次。",
    ),
}

MESSAGES: dict[str, str] = {
    f"reason.{code}.{part}": sentence
    for code, sentences in REASONS.items()
    for part, sentence in zip(("what", "why", "try"), sentences, strict=True)
}
