"""Executes the notebooks as they are, each in a kernel of its own, and fails with the first error.

Usage: execute.py [FOLDER]

With a folder it writes them there with their outputs, to be looked at.
"""

import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent


def main() -> None:
    for path in sorted(HERE.glob("*.ipynb")):
        start = time.monotonic()
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            # None in the repository: they would be out of date at the next change.
            assert not cell.get("outputs"), f"{path.name} holds outputs; clear them"
        resources = {"metadata": {"path": str(HERE)}}
        NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()
        shown = sum(bool(cell.get("outputs")) for cell in notebook.cells)
        code = sum(cell.cell_type == "code" for cell in notebook.cells)
        seconds = time.monotonic() - start
        print(f"{path.name}: {shown} of {code} cells show something, {seconds:.0f} s")
        assert 2 * shown > code, "most cells should show something"
        if len(sys.argv) > 1:
            nbformat.write(notebook, Path(sys.argv[1]) / path.name)


if __name__ == "__main__":
    main()
