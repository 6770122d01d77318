"""Excel workbooks, as office programs write them."""

import zipfile
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape


def workbook(
    rows: list[list[Any]],
    *,
    prefix: str = "",
    shared: bool = True,
    sheet: str = "聊天",
    first: str = "首页",
    first_rows: str = "",
    dtd: str = "",
) -> dict[str, str]:
    """Return the parts of a workbook as office programs write them. Floats are dates."""
    strings: list[str] = []
    lines = []
    for number, row in enumerate(rows, 1):
        cells = []
        for place, value in enumerate(row):
            at = f'r="{chr(65 + place)}{number}"'
            if value is None:
                continue
            if isinstance(value, bool):
                cells.append(f'<{prefix}c {at} t="b"><{prefix}v>{int(value)}</{prefix}v></{prefix}c>')
            elif isinstance(value, float):
                cells.append(f'<{prefix}c {at} s="1"><{prefix}v>{value!r}</{prefix}v></{prefix}c>')
            elif isinstance(value, int):
                cells.append(f"<{prefix}c {at}><{prefix}v>{value:.12E}</{prefix}v></{prefix}c>")
            elif shared:
                cells.append(f'<{prefix}c {at} t="s"><{prefix}v>{len(strings)}</{prefix}v></{prefix}c>')
                strings.append(value)
            else:
                cells.append(
                    f'<{prefix}c {at} t="inlineStr"><{prefix}is><{prefix}t>{escape(value)}</{prefix}t></{prefix}is></{prefix}c>'
                )
        lines.append(f'<{prefix}row r="{number}">{"".join(cells)}</{prefix}row>')
    space = f'xmlns{":" + prefix[:-1] if prefix else ""}="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    items = "".join(
        f"<si><r><t>{escape(one[:1])}</t></r><r><t>{escape(one[1:])}</t></r><rPh><t>no</t></rPh></si>"
        for one in strings
    )
    return {
        "[Content_Types].xml": "<Types/>",
        "xl/workbook.xml": f'<workbook xmlns:r="r"><sheets><sheet name="{first}" sheetId="1" r:id="rId1"/><sheet name="{sheet}" sheetId="2" r:id="rId2"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": '<Relationships><Relationship Id="rId1" Target="worksheets/sheet1.xml"/>'
        '<Relationship Id="rId2" Target="/xl/worksheets/sheet2.xml"/></Relationships>',
        "xl/styles.xml": '<styleSheet><numFmts><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd hh:mm:ss"/></numFmts>'
        '<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="164"/></cellXfs></styleSheet>',
        "xl/sharedStrings.xml": f"<sst>{items}</sst>",
        "xl/worksheets/sheet1.xml": f"<worksheet><sheetData>{first_rows}</sheetData></worksheet>",
        "xl/worksheets/sheet2.xml": f'<?xml version="1.0"?>{dtd}<{prefix}worksheet {space}><{prefix}sheetData>{"".join(lines)}</{prefix}sheetData></{prefix}worksheet>',
    }


def write_workbook(path: Path, parts: dict[str, str]) -> Path:
    """Write the parts of a workbook to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return path
