"""Workbooks of one table a sheet, as Excel of now and of old and LibreOffice write them."""

import datetime
import zipfile
from xml.sax.saxutils import escape

import openpyxl
import xlwt

_XMLNS = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for name in ("office", "table", "text", "manifest")
)


def xlsx(path, **sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
            for cell in sheet[sheet.max_row] if row else ():
                cell.data_type = "e" if str(cell.value).startswith("#") else cell.data_type
    book.save(path)
    return path


def xls(path, **sheets):
    book = xlwt.Workbook()
    date = xlwt.easyxf(num_format_str="D-MMM")
    for name, rows in sheets.items():
        sheet = book.add_sheet(name)
        for i, row in enumerate(rows):
            for j, cell in enumerate(row):
                if str(cell).startswith("#"):
                    sheet.row(i).set_cell_error(j, cell.replace("#N/A", "#N/A!"))  # so xlwt
                elif isinstance(cell, datetime.datetime):
                    sheet.write(i, j, cell, date)
                elif cell is not None:
                    sheet.write(i, j, cell)
    book.save(str(path))
    return path


def ods(path, *, manifest="", **sheets):
    body = "".join(
        f'<table:table table:name="{name}">{"".join(map(_row, rows))}</table:table>'
        for name, rows in sheets.items()
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr(
            "META-INF/manifest.xml",
            f"<manifest:manifest {_XMLNS}><manifest:file-entry>{manifest}</manifest:file-entry>"
            "</manifest:manifest>",
        )
        archive.writestr(
            "content.xml",
            f"<office:document-content {_XMLNS}><office:body><office:spreadsheet>{body}"
            "</office:spreadsheet></office:body></office:document-content>",
        )
    return path


def _row(cells):
    return f"<table:table-row>{''.join(map(_cell, cells))}</table:table-row>"


def _cell(value):
    """A cell of OpenDocument: its value, and what is shown, in which decimals are lost."""
    kind, attribute, shown = "float", f'office:value="{value}"', value
    if value is None:
        return "<table:table-cell/>"
    if isinstance(value, bool):
        kind, attribute = "boolean", f'office:boolean-value="{str(value).lower()}"'
    elif isinstance(value, str):
        kind, attribute = "string", ""
    elif isinstance(value, datetime.datetime):
        kind, attribute = "date", f'office:date-value="{value:%Y-%m-%d}"'
    else:
        shown = f"{value:.0f}"
    text = f"<text:p>{escape(str(shown))}</text:p>"
    return f'<table:table-cell office:value-type="{kind}" {attribute}>{text}</table:table-cell>'


WRITERS = {"xlsx": xlsx, "xls": xls, "ods": ods}
