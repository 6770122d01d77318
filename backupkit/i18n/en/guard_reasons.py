"""Why a verdict is what it is, in English: what was found, why it matters, what to do."""

REASONS: dict[str, tuple[str, str, str]] = {
    # The update keeps the chats.
    "signer-same": (
        "This update comes from the same maker as your {app}.",
        "Android puts it over the old version and leaves the chats where they are.",
        "Install it as an update. Do not uninstall first.",
    ),
    "signer-rotated": (
        "The maker changed its signing key and proved it.",
        "The new package carries a signed proof by the old key, and Android accepts it.",
        "Install it as an update. Do not uninstall first.",
    ),
    "signer-rolled-back": (
        "The maker went back to an earlier signing key, and had allowed that.",
        "The installed app itself says that its earlier key may take over again.",
        "Install it as an update. Do not uninstall first.",
    ),
    "another-app": (
        "It has another package name, so Android installs it beside your {app}.",
        "The new app begins empty. The chats stay in the old one.",
        "Keep both until you have seen that nothing is missing.",
    ),
    # The update would wipe the chats if it were forced.
    "no-verified-backup": (
        "No backup of {app} counts here yet.",
        "A backup counts once every byte was read back and the recovery words were typed back.",
        "backupkit snapshot PATH        with the folder of the exported chats, then ask again. If the recovery words were never typed back: backupkit key confirm",
    ),
    "no-pinned-store": (
        "A backup is offered as proof, but no repository is trusted on this device.",
        "A proof counts only when its repository was made on this device or paired with it before.",
        "backupkit guard pair        for a repository that this computer writes to, or ask on the computer that takes the snapshots",
    ),
    "challenge-missing": (
        "The store asked without a fresh challenge, and your policy wants one.",
        "Without it, yesterday's proof could be shown again today.",
        "Ask again with a challenge of 16 to 32 random bytes.",
    ),
    "desktop-covered": (
        "The backup of {verified_at:time} was read back in full and covers the chats of {app}.",
        "The package manager leaves your home folder alone; should the new version spoil it, the backup brings it back.",
        "Go on.",
    ),
    "backup-covers": (
        "The backup of {verified_at:time} was read back in full and covers {app}.",
        "The chats on this phone would still be deleted; the backup is what remains.",
        "Keep the installed app unless you must have this one.",
    ),
    "consent-refused": (
        "What was given as consent does not fit this update ({detail}).",
        "Consent holds for one package, one backup and a short time, and needs both steps.",
        "Ask again and answer both steps.",
    ),
    "reinstall-fails": (
        "Removing {app} would delete its chats, and the new package would still not install ({install_result}).",
        "This device refuses the package itself, whatever is installed before.",
        "Keep the installed app.",
    ),
    # Why a coverage pass does not count.
    "pass-malformed": (
        "The proof of a backup is damaged ({detail}).",
        "A damaged proof proves nothing.",
        "backupkit verify        then ask again",
    ),
    "pass-signature-invalid": (
        "The proof of a backup was not signed by your repository.",
        "It was changed on the way, or somebody else made it.",
        "backupkit verify        then ask again",
    ),
    "pass-wrong-challenge": (
        "The proof was made for another question.",
        "It may be an old one that is shown again.",
        "backupkit verify        then ask again",
    ),
    "pass-expired": (
        "The proof of a backup ended on {expires:time}.",
        "What was written since then may be missing from it.",
        "backupkit snapshot PATH        then ask again",
    ),
    "pass-too-old": (
        "The last verified backup is of {verified_at:time}; your limit is {limit_hours} {limit_hours:plural:hour|hours}.",
        "Everything newer would be lost.",
        "backupkit snapshot PATH        then ask again",
    ),
    "pass-from-the-future": (
        "The proof is dated {dated:time}, and here it is {now:time}.",
        "One of the two clocks is wrong, so nobody can tell how old the backup is.",
        "Set the clocks, then: backupkit verify",
    ),
    "pass-wrong-app": (
        "The proof is about {covered}, and the update is for {installed}.",
        "A backup of one app does not hold the chats of another.",
        "backupkit snapshot PATH        then ask again",
    ),
    "pass-wrong-signer": (
        "The backup was made from another maker's {package} than the one installed here.",
        "Two apps of one name are two apps: their chats are not the same.",
        "backupkit snapshot PATH        then ask again",
    ),
    "pass-policy-not-met": (
        "The backup exists, but the check {check} was not passed.",
        "Your policy asks for it before anything may be deleted.",
        "backupkit drill        or backupkit copy --to DIR, whichever your policy asks for; then ask again",
    ),
    "log-unknown": (
        "The proof comes from a repository that is not the one paired with this device.",
        "Paired: {expected}. Found: {found}.",
        "Ask on the computer that takes the snapshots.",
    ),
    "log-rolled-back": (
        "The repository had {seen} entries when it was last seen, and shows {found} now.",
        "It was set back to an earlier state: newer backups may be gone.",
        "Delete nothing, and look for the newer copy of the repository.",
    ),
    "log-forked": (
        "The repository's history was changed: its {found} entries do not continue the {seen} seen here.",
        "A history that is rewritten cannot be trusted to hold what it says.",
        "Delete nothing, and look for the true copy of the repository.",
    ),
    "log-proof-missing": (
        "The repository grew from {seen} to {found} entries, and the proof does not say that the old ones remain.",
        "A newer proof can.",
        "backupkit verify        then ask again",
    ),
    "clock-went-back": (
        "It is {now:time} here, and this guard was asked at {seen:time} already.",
        "The clock was put back, so nobody can tell how old the backup is.",
        "Set the clock, then ask again. If it is right now and was wrong before: backupkit guard pair",
    ),
    # The device would refuse, and nothing happens.
    "android-too-old": (
        "The package is made for a newer Android than this one ({install_result}).",
        "This device would refuse it and change nothing.",
        "Keep the installed app.",
    ),
    "signature-too-old": (
        "The package is signed in a way this Android no longer accepts ({install_result}).",
        "This device would refuse it and change nothing.",
        "Keep the installed app, and get the update from its maker.",
    ),
    "target-too-old": (
        "The package is made for an Android so old that this one refuses it ({install_result}).",
        "This device would refuse it and change nothing.",
        "Keep the installed app, and get a newer update from its maker.",
    ),
    "test-only": (
        "The package is marked as a test version ({install_result}).",
        "This device would refuse it and change nothing.",
        "Keep the installed app, and get the update from its maker.",
    ),
    "drops-permission-model": (
        "The package asks for permissions in an old way that an update may not go back to ({install_result}).",
        "This device would refuse it and change nothing.",
        "Keep the installed app.",
    ),
    "lowers-sandbox": (
        "The package is less protected than the installed app ({install_result}).",
        "This device would refuse it and change nothing.",
        "Keep the installed app.",
    ),
    "storage-changed": (
        "The package changes whether the app may keep data on this device ({install_result}).",
        "Android refuses that as an update; only removing the old app lets it in.",
        "Get the update from where the installed app came from.",
    ),
    "split-missing": (
        "The app needs another part that is not there ({install_result}).",
        "Without it this device would refuse it and change nothing.",
        "Ask again with the whole app.",
    ),
    "resources-packed": (
        "The package is made for Android 11 or later, and its resources are packed as those refuse them ({install_result}).",
        "This device would refuse it and change nothing.",
        "Keep the installed app, and get the package from its maker.",
    ),
    "code-missing": (
        "The package says that it runs code, and has none ({install_result}).",
        "This device would refuse it and change nothing.",
        "Keep the installed app, and get the package from its maker.",
    ),
    "no-matching-abi": (
        "The package is made for another kind of processor ({install_result}).",
        "This device would refuse it and change nothing.",
        "Keep the installed app, and get the package for this device.",
    ),
    "needs-all-abis": (
        "The package lacks code for a kind of processor that this device has ({install_result}).",
        "This device would refuse it and change nothing.",
        "Keep the installed app, and get the package for this device.",
    ),
    "permission-taken": (
        "Another app on this device already owns a permission that the package defines ({install_result}).",
        "This device would refuse it and change nothing.",
        "Keep the installed app.",
    ),
    "permission-group-taken": (
        "Another app on this device already owns a group of permissions that the package defines ({install_result}).",
        "This device would refuse it and change nothing.",
        "Keep the installed app.",
    ),
    "permission-group-foreign": (
        "The package puts a permission into a group that belongs to another app ({install_result}).",
        "This device would refuse it and change nothing.",
        "Keep the installed app.",
    ),
    "provider-taken": (
        "Another app on this device already provides data under the same name ({install_result}).",
        "This device would refuse it and change nothing.",
        "Keep the installed app.",
    ),
    "becomes-instant": (
        "The installed app would be replaced by its instant form ({install_result}).",
        "This device would refuse it and change nothing.",
        "Install the full app.",
    ),
    "another-version-required": (
        "The store expects another version to be installed than the one that is ({install_result}).",
        "This device would refuse it and change nothing.",
        "Keep the installed app, and ask the store again.",
    ),
    "static-library": (
        "The package is a library that cannot be updated ({install_result}).",
        "This device would refuse it and change nothing.",
        "Keep what is installed.",
    ),
    "signer-in-key-set": (
        "The new package is signed with a key that the installed app named for its updates.",
        "Android compares the keys and accepts it.",
        "Install it as an update. Do not uninstall first.",
    ),
    "not-a-base": (
        "The file is only a part of an app ({install_result}).",
        "Without the app's main package this device would refuse it and change nothing.",
        "Ask again with the whole app.",
    ),
    # Why it would wipe: facts of a hold, shown as its cause.
    "different-signer": (
        "It does not come from the same maker as your {app}.",
        "Android refuses it as an update ({install_result}); only removing the old app lets it in.",
        "Get the update from where the installed app came from.",
    ),
    "older-version": (
        "It is older than the installed {app} ({install_result}).",
        "Android refuses to go back; only removing the newer app lets it in.",
        "Keep the installed app.",
    ),
    "shared-user-changed": (
        "It shares its data with other apps than the installed {app} does ({install_result}).",
        "Android refuses that as an update; only removing the old app lets it in.",
        "Get the update from where the installed app came from.",
    ),
    "shared-user-signer": (
        "Its signer may no longer share data with the apps beside it ({install_result}).",
        "Android refuses that as an update; only removing the old app lets it in.",
        "Get the update from where the installed app came from.",
    ),
    "uninstall": (
        "{app} would be removed.",
        "Android deletes an app's chats together with the app.",
        "backupkit snapshot PATH        then ask again",
    ),
    "update-instead": (
        "{app} would be removed and installed again, though an update would keep the chats.",
        "Removing an app deletes its chats, even if the same app comes back.",
        "Install it as an update. Do not uninstall first.",
    ),
    "removes-another-app": (
        "{app} would be removed, and another app installed.",
        "The chats belong to the app that would be removed.",
        "Install the new app without removing the old one.",
    ),
    # The package is not what it says.
    "package-not-genuine": (
        "The package was changed after it was signed, or is not whole ({detail}).",
        "Nobody can say what it contains now.",
        "Delete it, and get the update from its maker.",
    ),
    # Nothing can be said.
    "fact-missing": (
        "Something about the two packages is not known here ({missing}).",
        "Android would look at it, so this guard cannot do without it.",
        "Ask again with the installed package itself.",
    ),
    "depends-on-device": (
        "The same update installs on some Android versions and is refused on others.",
        "Which Android this device has was not said.",
        "Ask again with --device-sdk N.",
    ),
    "device-too-new": (
        "This Android is newer than the rules known here.",
        "A new Android may have new rules.",
        "Update backupkit, then ask again.",
    ),
    "candidate-missing": (
        "No package was offered.",
        "Without it there is nothing to check.",
        "Ask again with the package.",
    ),
    "package-undecided": (
        "Whether the package is genuine could not be told ({doubt}).",
        "It may use something newer than this guard knows, or it changed while it was read.",
        "See that the file is whole and that nobody writes to it, or update backupkit; then ask again.",
    ),
    "package-unreadable": (
        "{name} could not be read.",
        "What was not read was not checked.",
        "See that the file exists and can be read, then ask again.",
    ),
    "package-swapped": (
        "{name} is not the file that was checked: it was replaced in between.",
        "An answer about one file is void for another.",
        "Ask again about the file that is there now.",
    ),
    "package-mismatch": (
        "The question names {package}, and the installed app is {found}.",
        "An answer must be about one app.",
        "Ask again with the right app.",
    ),
    "installed-not-genuine": (
        "The file given as the installed app is damaged or was altered ({detail}).",
        "It cannot be what is installed, so it says nothing about it.",
        "Pull the app from the device again, then ask again.",
    ),
    "app-not-enrolled": (
        "{package} was never seen here.",
        "Without knowing who made the installed app, no update can be compared with it.",
        "backupkit guard trust add FILE        with the package file of the installed app, then ask again",
    ),
    "listing-unusable": (
        "The app index does not say who signed {package} ({reason}).",
        "An index that cannot be read, or that names several signers, is nothing to compare an update with.",
        "Ask again with the package file of the installed app, or name its version: INDEX#PACKAGE@VERSION",
    ),
    "record-conflict": (
        "The installed {package} was made by someone else than the one known here.",
        "It was replaced without a proof, or the record is of another device.",
        "If it was you who replaced it: backupkit guard trust add FILE        with the package file of the installed app. If not, change nothing on the device.",
    ),
    "record-unreadable": (
        "What is remembered of {package} is damaged.",
        "Without it, no update can be compared with the installed app.",
        "backupkit guard trust add FILE        with the package file of the installed app, then ask again",
    ),
    "policy-unusable": (
        "The guard's policy cannot be read ({detail}).",
        "What you ask of a backup is then unknown, and every update waits.",
        "backupkit config check",
    ),
    "pins-unusable": (
        "The paired repository cannot be read ({detail}).",
        "No proof can be checked without it.",
        "See that the guard's folder can be read and is whole, then ask again.",
    ),
    "witness-unusable": (
        "What was last seen of the paired repository's log cannot be read ({detail}).",
        "Without it nobody could tell whether the repository was put back to an older state.",
        "backupkit guard pair        It begins anew with the repository as it is now. Then ask again.",
    ),
    "memory-unwritable": (
        "The guard cannot write in its own folder ({detail}).",
        "What was learned is kept before an update is let through.",
        "Make room on the disk, and see that the guard's folder is yours and can be written. Then ask again.",
    ),
    "memory-open": (
        "Others on this computer can write in the guard's folder: {detail}",
        "Whoever can write there could lay down a consent that nobody gave, or a repository that is not yours, so nothing in it counts.",
        "Let only yourself write there (chmod go-w, chown). If you do not know who did, move the folder away and begin anew: backupkit guard pair",
    ),
    "pass-unreadable": (
        "The proof of a backup cannot be read.",
        "What was not read was not checked.",
        "backupkit verify        then ask again",
    ),
    "hook-key-unusable": (
        "The key that signs the decisions cannot be used ({detail}).",
        "A decision that cannot be recorded is not given.",
        (
            "See that the guard's folder can be read and written. If hook.key is damaged, move it and ledger.jsonl away: "
            "a new list begins with a new key. Then ask again."
        ),
    ),
    "ledger-unwritable": (
        "The decision could not be written down ({detail}).",
        "A decision that cannot be recorded is not given.",
        "Make room on the disk, then ask again.",
    ),
    "request-malformed": (
        "The store's question was not understood ({field}: {detail}).",
        "An answer to a misunderstood question would be a guess.",
        "Tell the maker of the store.",
    ),
    "request-unreadable": (
        "The store's question could not be read.",
        "Without a question there is no answer.",
        "Ask again.",
    ),
    "timed-out": (
        "The check took longer than the store wanted to wait.",
        "A package that was not checked in full was not checked.",
        "Ask again with more time.",
    ),
    "overloaded": (
        "Too many questions came at once.",
        "The server answers a few at a time, and does not let the others wait for ever.",
        "Ask again in a moment.",
    ),
    "server-stopping": (
        "The server was just being stopped.",
        "It finishes what it has begun and begins nothing new.",
        "Ask again in a moment.",
    ),
    "not-permitted": (
        "Whoever asked may not ask here.",
        "The server answers the owner of these chats and root, over HTTP only with its token, and no browser.",
        "Ask as the same user, or with the token in the guard's folder.",
    ),
    "guard-failed": (
        "The check failed inside backupkit.",
        "This is a fault of ours, and until it is mended the update waits.",
        "Keep the installed app, and report it with the code.",
    ),
    "malformed-object": (
        "Something the guard keeps is damaged ({what}: {reason}).",
        "It says nothing that can be relied on.",
        "backupkit guard log        then ask again; backupkit verify writes a new proof",
    ),
    "newer-format": (
        "Something the guard keeps was written by a newer backupkit ({what}).",
        "This version cannot read it.",
        "Update backupkit, then ask again.",
    ),
}

MESSAGES: dict[str, str] = {
    f"reason.{code}.{part}": sentence
    for code, sentences in REASONS.items()
    for part, sentence in zip(("what", "why", "try"), sentences, strict=True)
}
