"""Frames of all kinds: what comes in, and what goes out."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import synclave
from synclave import _frames, _rooms

from conftest import SCHEMA, people


def as_pandas(table: pa.Table) -> pd.DataFrame:
    return table.to_pandas(date_as_object=False)


FORMS = {
    "pyarrow": lambda table: table,
    "pandas": as_pandas,
    "polars": pl.from_arrow,
    "a stream": lambda table: pa.RecordBatchReader.from_batches(table.schema, table.to_batches()),
    "pandas with Arrow's types": lambda table: table.to_pandas(types_mapper=pd.ArrowDtype),
    "pandas with categories": lambda table: as_pandas(table).astype({"town": "category"}),
    "pandas with nullable types": lambda table: as_pandas(table).convert_dtypes(),
    "polars with categories": lambda table: pl.from_arrow(table).with_columns(
        pl.col("town").cast(pl.Categorical)
    ),
    "dictionaries": lambda table: table.set_column(2, "town", table["town"].dictionary_encode()),
    "nanoseconds": lambda table: table.set_column(4, "seen", table["seen"].cast("timestamp[ns]")),
    "large texts": lambda table: table.set_column(2, "town", table["town"].cast("large_string")),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_table_gets_the_codes_of_its_file(
    table: pa.Table, csv: Path, form: str
) -> None:
    # In the bins of the schema the file and the frame have the same rows, or a distance shows.
    scores = synclave.evaluate(csv, FORMS[form](table), schema=SCHEMA).to_dict()
    for marginals in ("one_way", "two_way", "three_way"):
        assert scores[marginals]["max"] == 0, form


def of_all_types() -> pa.Table:
    """A column of each type that frames have, with a missing value in each."""
    import datetime
    import decimal

    number = pa.array([*range(20, 60), None] * 3)
    times = {
        unit: pa.array([1_600_000_000 + 86_400 * (n % 40) for n in range(123)], pa.timestamp("s"))
        for unit in ("s", "ms", "us", "ns")
    }
    day = pa.array([datetime.date(2020, 1, 1 + n % 28) for n in range(122)] + [None])
    town = pa.array(["Wien", "Graz", None] * 41)
    return pa.table(
        {
            **{str(kind): number.cast(kind) for kind in (pa.int8(), pa.uint16(), pa.int64())},
            "uint64": number.cast(pa.uint64()),
            "float": number.cast(pa.float32()),
            "double": pa.array([n / 4 if n % 7 else None for n in range(123)]),
            "boolean": pa.array([True, False, None] * 41),
            "decimal": pa.array([decimal.Decimal(n % 9) / 4 for n in range(123)]),
            **{f"time {unit}": moments.cast(pa.timestamp(unit)) for unit, moments in times.items()},
            "zone": times["us"].cast(pa.timestamp("us", "Europe/Vienna")),
            "zone ns": times["ns"].cast(pa.timestamp("ns", "America/New_York")),
            "date32": day,
            "date64": day.cast(pa.date64()),
            "town": town,
            "large": town.cast(pa.large_string()),
            "view": town.cast(pa.string_view()),
            "category": town.dictionary_encode(),
            "category of numbers": number.dictionary_encode(),
            "nothing": pa.nulls(123),
            "time of day": pa.array([datetime.time(n % 24) for n in range(123)]),
            "length of time": pa.array([datetime.timedelta(n) for n in range(123)]),
            "bytes": pa.array([b"x"] * 123),
            "list": pa.array([[1]] * 123),
        }
    )


ALL_TYPES = {
    "pyarrow": lambda table: table,
    "pandas": as_pandas,
    "pandas with an index": lambda table: as_pandas(table).set_index("int64"),
    "pandas with nullable types": lambda table: as_pandas(table).convert_dtypes(),
    "pandas with Arrow's types": lambda table: table.to_pandas(types_mapper=pd.ArrowDtype),
    "polars": pl.from_arrow,
}


@pytest.mark.parametrize("form", ALL_TYPES)
def test_a_room_gets_the_table_that_a_fit_reads(form: str, tmp_path: Path) -> None:
    frame = ALL_TYPES[form](of_all_types())
    sent = tmp_path / "table.parquet"
    contents, left_out = _rooms._as_parquet(_frames.held(frame, None))
    sent.write_bytes(contents)

    def told(table: Any) -> tuple[str, set[str]]:
        with warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter("always")
            draft = synclave.schema(table)
        of_parquet = f"{sent}: "
        return draft.to_yaml(), {str(note.message).removeprefix(of_parquet) for note in notes}

    by_room, by_fit = told(sent), told(frame)
    assert by_room[0] == by_fit[0]
    assert by_room[1] | set(left_out) == by_fit[1]
    assert any("`list` is nested" in note for note in left_out)


def test_another_table_has_other_codes(csv: Path) -> None:
    scores = synclave.evaluate(csv, people(seed=4), schema=SCHEMA).to_dict()
    assert scores["three_way"]["max"] > 0


def test_pandas_types_follow_from_the_schema(fitted: synclave.Synthesizer) -> None:
    rows = fitted.sample(300, frame="pandas")
    assert isinstance(rows, pd.DataFrame) and len(rows) == 300
    types = {name: str(kind) for name, kind in rows.dtypes.items()}
    assert types["age"] == "Int64" and types["income"] == "float64"
    assert types["town"] == "category" and types["smokes"] == "boolean"
    assert types["born"].startswith("datetime64") and types["seen"].startswith("datetime64")
    assert list(rows["town"].cat.categories) == ["Wien", "Graz", "Linz", "other"]
    assert rows["age"].dropna().between(0, 99).all()
    # Even of one row, in which nothing happens to be missing.
    assert str(fitted.sample(1, where="age = 30", frame="pandas")["age"].dtype) == "Int64"


def test_polars_types_follow_from_the_schema(fitted: synclave.Synthesizer) -> None:
    rows = fitted.sample(300, frame="polars")
    assert rows.schema == {
        "age": pl.Int64,
        "income": pl.Float64,
        "town": pl.Enum(["Wien", "Graz", "Linz", "other"]),
        "born": pl.Date,
        "seen": rows.schema["seen"],
        "smokes": pl.Boolean,
    }
    assert rows.schema["seen"].is_temporal()
    assert rows["age"].null_count() > 0


def test_arrow_types_follow_from_the_schema(fitted: synclave.Synthesizer) -> None:
    rows = fitted.sample(300, frame="pyarrow")
    assert rows.schema.field("age") == pa.field("age", pa.int64(), nullable=True)
    assert rows.schema.field("born").type == pa.date32()
    assert rows.schema.field("seen").type == pa.timestamp("s")
    assert rows.schema.field("town").type.value_type == pa.string()


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
def test_the_kind_that_came_in_comes_out(table: pa.Table, kind: str) -> None:
    frame = FORMS[kind](table)
    synth = synclave.Synthesizer.create("independent", epsilon=1.0)
    rows = synth.fit_sample(frame, 5, schema=SCHEMA)
    assert type(rows) is type(frame)
    assert type(synth.errors) is type(frame)


def test_an_index_never_comes_back_but_can_be_the_key(table: pa.Table) -> None:
    frame = as_pandas(table)
    frame.index = pd.Index([f"person {n}" for n in range(len(frame))], name="id")
    synth = synclave.Synthesizer.create("independent", epsilon=1.0)
    for key in (None, "id"):
        rows = synth.fit(frame, schema=SCHEMA, key=key).sample(20)
        assert list(rows.columns) == list(SCHEMA) and list(rows.index) == list(range(20))


def test_a_repeated_key_is_refused(table: pa.Table) -> None:
    frame = as_pandas(table).assign(id=7)
    synth = synclave.Synthesizer.create("independent", epsilon=1.0)
    with pytest.raises(synclave.TableError) as refused:
        synth.fit(frame, schema=SCHEMA, key="id")
    assert "about your own table, not private: " in str(refused.value)
    assert refused.value.private and refused.value.code == 3 and refused.value.name == "input"
    assert synth.fit(frame, schema=SCHEMA, key="id", max_rows_per_id=2).sample(1) is not None


def refused(table: Any, **options: Any) -> str:
    synth = synclave.Synthesizer.create(epsilon=1.0)
    with pytest.raises(synclave.InputError) as error:
        synth.fit(table, **options)
    assert error.value.code == 3
    return str(error.value)


def test_tables_that_cannot_be_used_are_refused_with_a_sentence(csv: Path) -> None:
    assert "column name 0 is not a text" in refused(pd.DataFrame([[1], [2]]))
    assert "to_frame" in refused(pd.Series([1, 2]))
    assert "to_frame" in refused(pl.Series("a", [1, 2]))
    assert ".collect()" in refused(pl.LazyFrame({"a": [1, 2]}))
    assert "a dict is no table" in refused({"a": [1]})
    assert "several types" in refused(pd.DataFrame({"a": [1, "x", None]}))
    nested = pa.table({"a": [[1], [2]], "b": [1, 2]})
    assert "nested" in refused(nested, schema={"a": {"integer": {"min": 0, "max": 9}}})
    assert "no-such-file" in refused(csv.parent / "no-such-file.csv")
    assert "`b`" in refused(pa.table({"a": [1]}), schema={"b": {"boolean": True}})


def test_a_value_in_a_refusal_of_pandas_is_not_shown() -> None:
    assert "secret" not in refused(pd.DataFrame({"a": [1, "secret", 2.5]}))


def test_what_is_not_supported_is_left_out_with_a_private_note(table: pa.Table) -> None:
    with_lists = table.append_column("tags", pa.array([["a"]] * len(table)))
    synth = synclave.Synthesizer.create("independent", epsilon=1.0)
    with pytest.warns(synclave.PrivateNote, match="`tags` is nested"):
        rows = synth.fit_sample(with_lists, 3, schema=SCHEMA)
    assert "tags" not in rows.column_names


def test_a_missing_value_is_missing_whatever_marks_it() -> None:
    schema = {"x": {"number": {"min": 0, "max": 9, "bins": 3}, "nullable": True}}
    nan = float("nan")
    marked = pa.table({"x": [1.0, nan, 4.0]})
    empty = pa.table({"x": [1.0, None, 4.0]})
    scores = synclave.evaluate(marked, empty, schema=schema).to_dict()
    assert scores["one_way"]["max"] == 0


def test_time_zones_are_read_as_moments_in_utc() -> None:
    hours = {"min": "2020-01-01T00:00", "max": "2020-01-02T00:00", "bins": 24}
    schema = {"at": {"datetime": hours}}
    noon = pd.DataFrame({"at": pd.to_datetime(["2020-01-01T13:30+01:00"] * 3)})
    assert str(noon["at"].dtype).endswith("UTC+01:00]")
    utc = pa.table({"at": ["2020-01-01T12:30:00Z"] * 3})
    assert synclave.evaluate(utc, noon, schema=schema).to_dict()["one_way"]["max"] == 0
