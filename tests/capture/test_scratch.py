import os
from pathlib import Path

from backupkit.capture.scratch import discard


def test_a_copy_with_read_only_folders_goes_with_the_rest(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o700)
    (outside / "kept.txt").write_text("kept")
    folder = tmp_path / "scratch"
    (folder / "chats" / "photos").mkdir(parents=True)
    (folder / "chats" / "photos" / "a.jpg").write_bytes(b"a")
    (folder / "chats" / "link").symlink_to(outside)
    (folder / "chats" / "photos").chmod(0o500)
    (folder / "chats").chmod(0o500)
    before = outside.stat().st_mode

    child = os.fork()
    if child == 0:
        # Root may delete anything, so somebody else tries; in a process of its own, because there is no way back.
        if os.geteuid() == 0:
            for place in (tmp_path, folder, folder / "chats", folder / "chats" / "photos"):
                os.chown(place, 65534, 65534)
            os.chdir(tmp_path)
            os.setuid(65534)
            discard(Path("scratch"))
        else:
            discard(folder)
        os._exit(0)
    os.waitpid(child, 0)

    assert not folder.exists()
    assert outside.stat().st_mode == before
    assert (outside / "kept.txt").read_text() == "kept"
