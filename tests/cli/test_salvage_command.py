"""`backupkit salvage` on a database that does not open."""

from pathlib import Path

from chat_factory import write_chat_database
from computer import Computer
from json_schema import differences, schema_of


def test_a_cut_database_is_saved_into_a_new_one_that_readers_understand(tmp_path: Path) -> None:
    computer = Computer(tmp_path / "home")
    path = computer.home / "msgstore.db"
    write_chat_database(path, messages=3000)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 7 // 10])

    answer = computer.run("salvage", "msgstore.db", "--to", "rescued.db", "--json", expect=20)

    schema = schema_of("salvage-1")
    assert differences(answer.last, schema) == []
    assert answer.last["rows"] > 1500
    looked = computer.run("doctor", "rescued.db", "--json").last
    assert looked["format"] == "whatsapp-android-db"
    rows = next(table["rows"] for table in answer.last["tables"] if table["name"] == "message")
    assert looked["messages"] == rows
    again = computer.run("salvage", "msgstore.db", "--to", "rescued.db", "--json", expect=23)
    assert again.last["type"] == "error"
    assert (
        computer.run("salvage", "passphrase", "--to", "none.db", "--json", expect=30).last["code"]
        == "nothing-to-salvage"
    )
    assert "rows" in computer.run("salvage", "msgstore.db", "--to", "second.db", expect=20).out
