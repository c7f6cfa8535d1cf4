"""The command line: ``synclave``, or ``python -m synclave``."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Runs the program and ends with its exit code."""
    from synclave import _native

    # The program has its own way to end at Ctrl-C; Python's would wait for it to return.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(_native.run_command_line(["synclave", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
