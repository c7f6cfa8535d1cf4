"""Scripts in the words of other tools run with the import changed."""

from __future__ import annotations

import warnings
from pathlib import Path

import pyarrow as pa
import pytest

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def test_a_script_in_the_words_of_smartnoise(table: pa.Table) -> None:
    from synclave import Synthesizer  # from snsynth import Synthesizer

    df = table.to_pandas(date_as_object=False)
    assert "mst" in Synthesizer.list_synthesizers()
    synth = Synthesizer.create("mst", epsilon=3.0)
    synth.fit(
        df,
        preprocessor_eps=1.0,
        categorical_columns=["town", "smokes"],
        ordinal_columns=["age"],
        continuous_columns=["income"],
    )
    sample = synth.sample(100)
    assert len(sample) == 100 and set(sample.columns) == set(df.columns)
    again = Synthesizer.create("aim", epsilon=1.0).fit_sample(df, preprocessor_eps=0.5)
    assert list(again.columns) == list(sample.columns)


def test_a_script_in_the_words_of_sdv(table: pa.Table, tmp_path: Path) -> None:
    from synclave.sdv import Condition, Metadata, Synthesizer, evaluate_quality

    data = table.to_pandas(date_as_object=False)
    data.insert(0, "id", range(len(data)))
    metadata = Metadata.detect_from_dataframe(data)
    metadata.update_column("town", sdtype="categorical")
    metadata.set_primary_key(column_name="id")
    assert metadata.to_dict()["columns"]["age"] == {"sdtype": "numerical"}
    synthesizer = Synthesizer(metadata, epsilon=20.0, dangerous_epsilon=True)
    synthesizer.fit(data)
    rows = synthesizer.sample(num_rows=200)
    assert len(rows) == 200 and "id" not in rows.columns
    wanted = synthesizer.sample_from_conditions(
        [Condition(num_rows=10, column_values={"town": "Graz"})]
    )
    assert set(wanted["town"]) == {"Graz"} and len(wanted) == 10
    known = rows[["town"]].head(5)
    completed = synthesizer.sample_remaining_columns(known_columns=known)
    assert list(completed["town"]) == list(known["town"])
    synthesizer.save(filepath=tmp_path / "synthesizer.model")
    loaded = Synthesizer.load(filepath=tmp_path / "synthesizer.model")
    assert len(loaded.sample(num_rows=3)) == 3
    quality = evaluate_quality(data, rows, metadata)
    assert 0 < quality.to_dict()["one_way"]["mean"] < 1


def test_metadata_is_made_without_a_look_at_values() -> None:
    from synclave.sdv import Metadata

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        of_one = Metadata.detect_from_dataframe(pa.table({"a": ["x"], "b": [1.5]}))
    of_none = Metadata.detect_from_dataframe(
        pa.table({"a": pa.array([], pa.string()), "b": pa.array([], pa.float64())})
    )
    assert of_one.to_dict() == of_none.to_dict()
