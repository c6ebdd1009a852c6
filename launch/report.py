"""Self-contained HTML report of one or more run folders, or one in Markdown.

Example:

  python -m launch.report runs/tcga runs/gtex --out=report.html

With --out=report.md the figures that it shows lie beside it, in figures/.
"""

from pathlib import Path

from absl import flags

from jaxssl.report.render import check_place, write_report
from jaxssl.runs.layout import FIGURES, REPORT
from jaxssl.runs.reading import read_runs
from jaxssl.types import InputError

from . import exit

OUT = flags.DEFINE_string(
    "out", "", "HTML or Markdown file; default: report.html in the run folder, if one."
)
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace an existing report.")


def main(files: list[str]) -> None:
    folders = [Path(name) for name in files]
    if not folders:
        raise InputError(
            "no run folder given", f"name one or more: {exit.command('report')} runs/tcga"
        )
    results = read_runs(folders)
    if len(folders) > 1 and not OUT.value:
        raise InputError(
            "several run folders share no place for a report", "pass `out=report.html`"
        )
    out = Path(OUT.value) if OUT.value else folders[0] / REPORT
    check_place(out, folders, overwrite=OVERWRITE.value)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_report(results, out)
    print(f"wrote {out} and its figures to {out.parent / FIGURES}")


if __name__ == "__main__":
    exit.run(main, takes_files=True)
