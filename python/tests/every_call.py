"""Every call of the package, for the type checkers: it is checked, and not run."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import synclave
from synclave.sdv import Metadata, evaluate_quality
from synclave.sdv import Synthesizer as SdvSynthesizer


def one_table(people: pd.DataFrame, path: Path) -> pd.DataFrame:
    synth = synclave.Synthesizer.create(
        "grain",
        epsilon=1.0,
        delta=1e-9,
        target="income",
        workload=[["age", "income"], {"columns": ["age"], "weight": 2.0}],
        dangerous_epsilon=False,
        dangerous_domain_from_data=False,
    )
    names: list[str] = synclave.Synthesizer.list_synthesizers()
    fitted: synclave.Synthesizer = synth.fit(
        people,
        schema={"age": {"integer": {"min": 0, "max": 99}}},
        key="id",
        max_rows_per_id=2,
        id_normalise=["trim", "lower"],
        public=path,
        public_of_other_people=True,
        preprocessor_eps=0.2,
        categorical_columns=names,
        ordinal_columns=[],
        continuous_columns=["income"],
        progress=True,
    )
    fitted.fit(str(path), schema=path, progress=lambda stage, done, total: None)
    rows: pd.DataFrame = fitted.sample(10_000, where="age in 30..40", seed=1)
    fitted.sample(frame="polars", progress=False)
    fitted.fit_sample(people, 10)
    fitted.sample_from_conditions([synclave.Condition({"age": 3}, num_rows=2)], seed=1)
    fitted.sample_remaining_columns(rows[["age"]])
    fitted.save(path)
    model: synclave.Model = synclave.Model.load(path)
    probability: float = model.probability("age = 30")
    report: synclave.Report = model.report
    page: str = report.to_html()
    warnings: list[str] = report.warnings
    print(probability, page, warnings, report.to_dict(), report.errors, report.columns)
    print(model.query("mean age by town"), model.marginals())
    print(report.guarantees, model.method, model.columns, model.errors, fitted.errors)
    comparison: synclave.Evaluation = synclave.evaluate(people, rows, schema=path, key="id")
    print(comparison.scores, comparison.relations, comparison.to_dict())
    print(synclave.inspect(path, dangerous_root=path), synclave.measure(path))
    print(synclave.columns(fitted), synclave.columns(model), fitted.columns)
    fitted.fit(people, id_normalise="trim, lower", public=model, categorical_columns="town")
    return rows


def a_schema(people: pd.DataFrame, path: Path) -> None:
    draft: synclave.SchemaDraft = synclave.schema(people, key="id", keep=["email"])
    print(draft, draft.to_yaml().upper(), draft.origin.upper(), draft.columns, draft.ledger)
    declaration: dict[str, object] = draft.to_dict()
    draft.save(path)
    synclave.schema(path, key="id", keep="email", private=1.0, delta=1e-9, max_rows_per_id=2)
    synclave.schema(codebook=path)
    print(synclave.columns(draft), synclave.columns(declaration), synclave.columns(path))
    synth = synclave.Synthesizer("grain", epsilon=1.0)
    synth.fit(people, schema=draft)


def a_room(table: pa.Table, folder: Path) -> None:
    public: str = synclave.keygen("alice", folder, algorithm="p256")
    room: synclave.Room = synclave.connect(
        "wss://room.example.org",
        keys=folder / "alice",
        measurements=folder / "measurements.json",
        agreement="ab" * 48,
        room="ab" * 32,
        port=443,
        proxy=None,
        outer_ca=None,
        dangerous_root=None,
    )
    agreement: synclave.Agreement = room.agreement
    print(public, room.id, room.evidence, agreement.sha384, agreement.summary)
    print(agreement.service_yaml, agreement.runtime_yaml)
    rows_read: object = room.upload(table, progress=False)["rows"]
    said: str = room.confirm({"Bob": "ab" * 48})
    print(rows_read, said, room.withdraw(), room.status, room.columns("theirs"))
    print(room.wait(timeout=60.0, progress=True).samples(1000, where="Alice_age < 50", seed=1))
    print(room.model.method, room.report.warnings)
    receipt: synclave.Receipt = room.receipt
    receipt.save(folder / "receipt.json")
    print(receipt.to_dict(), receipt.verify(measurements=folder, agreement="ab" * 48))
    with synclave.simulated_room(folder) as enclave:
        print(enclave.url, enclave.agreement, enclave.root, enclave.measurements)
        enclave.connect(folder / "alice")


def errors() -> None:
    try:
        synclave.Model.load("missing")
    except synclave.EvidenceRefused as refused:
        check: str = refused.check
        print(check)
    except synclave.RoomError as refused:
        print(refused.status + 1, refused.problem.upper())
    except synclave.Error as error:
        print(error.code + 1, error.name.upper(), error.private, error.spent)


def names_of_sdv(people: pd.DataFrame) -> None:
    metadata: Metadata = Metadata.detect_from_dataframe(people)
    metadata.update_column("age", sdtype="numerical")
    metadata.set_primary_key("id")
    synthesizer = SdvSynthesizer(metadata, epsilon=1.0)
    synthesizer.fit(people)
    print(evaluate_quality(people, synthesizer.sample(num_rows=3), metadata).scores)
