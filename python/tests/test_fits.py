"""Fits: options, budgets, refusals, Ctrl-C, threads, processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
import synclave

from conftest import SCHEMA, people, slow_to_fit


def test_the_methods_have_their_names() -> None:
    known = synclave.Synthesizer.list_synthesizers()
    assert known == ["grain", "mst", "aim", "mwem", "copula", "independent", "dpctgan", "patectgan"]


@pytest.mark.parametrize(
    "method", ["grain", "mst", "aim", "mwem", "copula", "independent", "dpctgan", "patectgan"]
)
def test_every_method_fits(method: str, table: pa.Table) -> None:
    small = table.select(["age", "town", "smokes"])
    schema = {name: SCHEMA[name] for name in small.column_names}
    rows = synclave.Synthesizer.create(method, epsilon=1.0).fit_sample(small, 10, schema=schema)
    assert rows.num_rows == 10


def test_budgets_and_methods_that_cannot_be_used_are_refused(table: pa.Table) -> None:
    def refusal(*arguments: object, **options: object) -> str:
        with pytest.raises(synclave.InputError) as refused:
            synclave.Synthesizer.create(*arguments, **options).fit(table, schema=SCHEMA)
        return str(refused.value)

    with pytest.raises(TypeError, match="epsilon"):
        synclave.Synthesizer.create("mst")
    assert "epsilon" in refusal("mst", epsilon=-1.0)
    assert "dangerous_epsilon=True" in refusal("mst", epsilon=2000.0)
    assert "far less accurate" in refusal("pategan", epsilon=1.0)
    assert "did you mean GRAIN?" in refusal("grian", epsilon=1.0)
    assert "colour" in refusal("mst", epsilon=1.0, colour=3)
    assert "aeg" in refusal("grain", epsilon=1.0, target="aeg")
    assert "preprocessor_eps" in str(
        pytest.raises(
            synclave.InputError,
            synclave.Synthesizer.create(epsilon=1.0).fit,
            table,
            preprocessor_eps=2.0,
        ).value
    )


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"method": "grian"}, "did you mean GRAIN"),
        ({"epsilon": 0.0}, "epsilon"),
        ({"epsilon": float("nan")}, "JSON"),
        ({"epsilon": 2000.0}, "dangerous_epsilon=True"),
        ({"delta": 1.0}, "delta"),
        ({"method": "mst", "rounds": 3}, "rounds"),
        ({"workload": [["age"], {"column": ["age"]}]}, "workload"),
    ],
)
def test_what_suits_no_table_is_refused_before_one_is_given(
    arguments: dict[str, Any], why: str
) -> None:
    with pytest.raises(synclave.InputError, match=why) as refused:
        synclave.Synthesizer.create(**{"epsilon": 1.0, **arguments})
    assert refused.value.code == 3


def test_ids_of_one_person_meet_after_the_steps_that_are_named(table: pa.Table) -> None:
    people = table.select(["age"]).slice(0, 4).append_column("id", pa.array(["a", "A", "b", "c"]))
    schema = {"age": SCHEMA["age"]}
    synth = synclave.Synthesizer.create("independent", epsilon=1.0)
    synth.fit(people, schema=schema, key="id")
    for steps in ("lower", "trim, lower", ["lower"]):
        with pytest.raises(synclave.TableError):
            synth.fit(people, schema=schema, key="id", id_normalise=steps)
    with pytest.raises(synclave.InputError, match="there is no step `upper`"):
        synth.fit(people, schema=schema, key="id", id_normalise="upper")


def test_a_fit_starts_from_public_data_and_says_what_that_costs(
    table: pa.Table, csv: Path, fitted: synclave.Synthesizer, tmp_path: Path
) -> None:
    synth = synclave.Synthesizer.create(epsilon=1.0)

    def stated(**public: Any) -> float:
        guarantees = synth.fit(table, schema=SCHEMA, **public).report.guarantees
        return float(guarantees[0]["epsilon"])

    assert stated() == pytest.approx(1.0)
    # The earlier model's people may be the same.
    assert stated(public=fitted.model) == pytest.approx(4.0)
    path = tmp_path / "earlier.model"
    fitted.save(path)
    assert stated(public=path) == pytest.approx(4.0)
    assert stated(public=path, public_of_other_people=True) == pytest.approx(1.0)

    census = tmp_path / "census.csv"
    pyarrow.csv.write_csv(people(200, seed=8), census)
    assert stated(public=census, public_of_other_people=True) == pytest.approx(1.0)

    def refusal(synth: synclave.Synthesizer, **public: Any) -> synclave.InputError:
        with pytest.raises(synclave.InputError) as refused:
            synth.fit(table, schema=SCHEMA, **public)
        return refused.value

    assert "public_of_other_people=True" in str(refusal(synth, public=census))
    assert "missing.csv" in str(refusal(synth, public="missing.csv"))
    assert "Write a frame to a file first" in str(refusal(synth, public=table))
    mst = synclave.Synthesizer.create("mst", epsilon=1.0)
    assert "MST takes no public data" in str(refusal(mst, public=path))
    # Its own rows, in a file, are told to their owner alone; what was found out is paid for.
    itself = refusal(synth, public=csv, public_of_other_people=True)
    assert isinstance(itself, synclave.TableError) and "very values" in str(itself)


def test_one_name_is_not_taken_for_a_list_of_letters(table: pa.Table) -> None:
    synth = synclave.Synthesizer.create("independent", epsilon=1.0)
    with pytest.warns(UserWarning, match="you take 'age' for categories"):
        synth.fit(table, schema=SCHEMA, categorical_columns="age")


def test_nothing_declared_is_discovered_and_paid_for(table: pa.Table) -> None:
    synth = synclave.Synthesizer.create(epsilon=3.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        synth.fit(table, preprocessor_eps=1.5, categorical_columns=["town", "age"])
    assert synth.sample(5).num_rows == 5
    entries = str(synth.report.to_dict()["ledger"])
    assert "discover" in entries or "domain" in entries


def test_a_hint_that_the_model_contradicts_is_told(table: pa.Table) -> None:
    synth = synclave.Synthesizer.create("independent", epsilon=1.0)
    with pytest.warns(UserWarning, match="you take 'age' for categories, the model .* integer"):
        synth.fit(table, schema=SCHEMA, categorical_columns=["town", "age"])
    with pytest.warns(UserWarning, match="no column 'aeg'"):
        synth.fit(table, schema=SCHEMA, continuous_columns=["aeg"])


def test_a_schema_drafted_from_the_table_states_no_guarantee(table: pa.Table) -> None:
    synth = synclave.Synthesizer.create("independent", epsilon=1.0)
    with pytest.warns(synclave.BudgetWarning, match="no guarantee holds"):
        synth.fit(table, schema={"origin": "data", **SCHEMA})
    assert "no guarantee" in synth.report.to_html()


def test_rows_before_a_fit_are_refused() -> None:
    with pytest.raises(synclave.NotFittedError, match="call fit first"):
        synclave.Synthesizer.create(epsilon=1.0).sample(1)


def test_a_schema_may_be_a_file(table: pa.Table, tmp_path: Path) -> None:
    path = tmp_path / "people.yaml"
    path.write_text("town: {categories: [Wien, Graz, Linz], other: true}\nage: drop\n")
    synth = synclave.Synthesizer.create("independent", epsilon=1.0)
    assert synth.fit_sample(table.select(["town", "age"]), 4, schema=path).column_names == ["town"]
    with pytest.raises(synclave.InputError, match="missing.yaml"):
        synth.fit(table, schema=tmp_path / "missing.yaml")
    with pytest.raises(synclave.InputError, match="schema"):
        synth.fit(table, schema={"age": {"integr": {"min": 0}}})


def test_progress_is_told_in_steps(table: pa.Table) -> None:
    steps: list[tuple[str, int, int]] = []
    synth = synclave.Synthesizer.create(epsilon=1.0)
    synth.fit(table, schema=SCHEMA, progress=lambda *step: steps.append(step))
    assert steps and all(0 <= done <= total for _, done, total in steps)


def test_an_exception_of_the_listener_ends_the_fit(table: pa.Table) -> None:
    def listener(stage: str, done: int, total: int) -> None:
        raise ZeroDivisionError

    synth = synclave.Synthesizer.create(epsilon=1.0)
    with pytest.raises(ZeroDivisionError):
        synth.fit(table, schema=SCHEMA, progress=listener)
    with pytest.raises(synclave.NotFittedError):
        synth.sample(1)


INTERRUPTED = """
import signal, sys, threading, time, os
import synclave
from conftest import slow_to_fit

table, schema = slow_to_fit()
def press():
    time.sleep(2.0)
    press.at = time.monotonic()
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=press).start()
try:
    # More rounds than anybody would wait for.
    synclave.Synthesizer.create("aim", epsilon=30.0, rounds=1000).fit(
        table, schema=schema, progress=False
    )
except KeyboardInterrupt:
    print(time.monotonic() - press.at)
    sys.exit(0)
print("it ended by itself")
sys.exit(1)
"""


def test_ctrl_c_ends_a_fit_within_a_second() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert float(ended.stdout) < 1.0


def test_the_lock_is_released_while_a_fit_works(table: pa.Table) -> None:
    counted = 0
    done = threading.Event()

    def count() -> None:
        nonlocal counted
        while not done.is_set():
            counted += 1
            time.sleep(0.001)

    counter = threading.Thread(target=count)
    counter.start()
    start = time.monotonic()
    synclave.Synthesizer.create(epsilon=1.0).fit(people(5_000), schema=SCHEMA)
    took = time.monotonic() - start
    done.set()
    counter.join()
    # With the lock held, the thread would have stood still.
    assert counted > 50 * took, (counted, took)


def test_fits_run_beside_each_other_in_threads(table: pa.Table) -> None:
    def rows(seed: int) -> int:
        synth = synclave.Synthesizer.create("mst", epsilon=1.0)
        return int(synth.fit(table, schema=SCHEMA).sample(10 + seed, seed=seed).num_rows)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(rows, range(8))) == list(range(10, 18))


CHILDREN = """
import multiprocessing, sys
import synclave
from conftest import SCHEMA, people

def fit(queue):
    try:
        synclave.Synthesizer.create("independent", epsilon=1.0).fit(people(), schema=SCHEMA)
    except synclave.InputError as error:
        queue.put(str(error))
    else:
        queue.put("fitted")

if __name__ == "__main__":
    synclave.Synthesizer.create("independent", epsilon=1.0).fit(people(), schema=SCHEMA)
    processes = multiprocessing.get_context(sys.argv[1])
    queue = processes.Queue()
    child = processes.Process(target=fit, args=(queue,))
    child.start()
    print(queue.get(timeout=60))
    child.join()
"""


@pytest.mark.parametrize(("way", "outcome"), [("fork", "forked"), ("spawn", "fitted")])
def test_a_forked_process_is_told_to_start_afresh(way: str, outcome: str, tmp_path: Path) -> None:
    script = tmp_path / "children.py"
    script.write_text(CHILDREN)
    ended = subprocess.run(
        [sys.executable, script, way],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        timeout=120,
        check=False,
    )
    assert outcome in ended.stdout, ended.stdout + ended.stderr


def test_the_command_line_is_carried_along(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("synclave")
    for line in ([str(program)], [sys.executable, "-m", "synclave"]):
        shown = subprocess.run([*line, "--version"], capture_output=True, text=True, check=True)
        assert shown.stdout.split() == ["synclave", synclave.__version__]
        wrong = subprocess.run([*line, "no-such"], capture_output=True, text=True, check=False)
        assert wrong.returncode == 2 and "no-such" in wrong.stderr
        missing = [*line, "inspect", str(tmp_path / "missing")]
        assert subprocess.run(missing, capture_output=True, check=False).returncode == 3


def test_ctrl_c_ends_the_command_line(tmp_path: Path) -> None:
    table, schema = slow_to_fit()
    pyarrow.parquet.write_table(table, tmp_path / "people.parquet")
    (tmp_path / "people.yaml").write_text(json.dumps(schema))
    line = ["synth", "people.parquet", "--schema", "people.yaml", "--epsilon", "30", "--quiet"]
    line += ["--method", "aim", "--param", "rounds=1000", "--output", "rows.csv"]
    process = subprocess.Popen([sys.executable, "-m", "synclave", *line], cwd=tmp_path)
    time.sleep(4)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
    assert sorted(os.listdir(tmp_path)) == ["people.parquet", "people.yaml"]
