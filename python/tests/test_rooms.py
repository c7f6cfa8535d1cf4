"""Rooms, over the real protocol, in this process."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
import synclave

SERVICE = """\
auth:
- {auth_name: default, auth_type: signed_headers}
paths:
- {path: /upload_data, access: data_provider, short_description: upload}
- {path: /confirm_data, access: data_provider, short_description: confirm}
- {path: /samples, access: data_provider, short_description: rows}
roles:
- role_name: data_provider
  role_auth: default
  role_cardinality: 2
  role_description: uploads and downloads
traffic:
  inbound: [{name: main_io, port: 443, type: tcp}]
  outbound: []
users:
  data_provider:
  - {user_name: Alice, public_key: ALICE}
  - {user_name: Bob, public_key: BOB}
"""
RUNTIME = """\
method: MST
epsilon: 3
party_names: [Alice, Bob]
columns:
  Alice: {age: {integer: {min: 0, max: 99, bins: 10}}}
  Bob: {value: {categories: [good, poor]}}
"""


class Parties:
    """Keys and an agreement, in a folder."""

    def __init__(self, folder: Path, runtime: str = RUNTIME) -> None:
        self.keys, self.room = folder / "keys", folder / "room"
        names = ("alice", "bob", "eve")
        public = {name: synclave.keygen(name, self.keys, algorithm="p256") for name in names}
        service = SERVICE.replace("ALICE", public["alice"]).replace("BOB", public["bob"])
        self.room.mkdir()
        (self.room / "service.yaml").write_text(service)
        (self.room / "runtime.yaml").write_text(runtime)


@pytest.fixture(scope="module")
def parties(tmp_path_factory: pytest.TempPathFactory) -> Parties:
    return Parties(tmp_path_factory.mktemp("parties"))


@pytest.fixture
def enclave(parties: Parties) -> Iterator[synclave.Simulation]:
    with synclave.simulated_room(parties.room) as running:
        yield running


def tables() -> tuple[pd.DataFrame, pa.Table]:
    ages = [20 + 3 * (number % 20) for number in range(300)]
    alice = pd.DataFrame({"age": ages}, index=pd.Index(range(300), name="id"))
    value = ["good" if age < 50 else "poor" for age in ages]
    return alice, pa.table({"id": list(range(300)), "value": value})


def test_two_parties_make_one_model(
    parties: Parties, enclave: synclave.Simulation, tmp_path: Path
) -> None:
    alice, bob = (enclave.connect(parties.keys / name) for name in ("alice", "bob"))
    assert alice.id == bob.id
    checks = set(alice.evidence["check"])
    assert len(checks) > 5, checks
    assert alice.agreement.sha384 == enclave.agreement
    assert alice.agreement.runtime_yaml == RUNTIME
    assert alice.agreement.summary["epsilon"] == 3

    of_alice, of_bob = tables()
    with pytest.raises(synclave.RoomError) as early:
        alice.model  # noqa: B018
    assert early.value.status >= 400 and early.value.problem
    assert alice.upload(of_alice)["rows"] == 300
    path = tmp_path / "bob.csv"
    path.write_text("id,value\n" + "".join(f"{n},good\n" for n in range(5)))
    assert bob.upload(path)["rows"] == 5
    # It may be sent again until it is confirmed.
    assert bob.upload(of_bob)["rows"] == 300
    alice.confirm()
    assert alice.withdraw()
    with pytest.raises(TimeoutError, match="awaiting confirmation"):
        alice.wait(timeout=0)
    alice.confirm()
    others = {party["name"]: party["commitment"] for party in bob.status["parties"]}
    bob.confirm({"Alice": others["Alice"]})

    rows = alice.wait(timeout=60).samples(500, where="Alice_age < 50", seed=3)
    assert isinstance(rows, pd.DataFrame) and len(rows) == 500
    assert (rows["Alice_age"] < 50).all()
    assert (rows["Bob_value"] == "good").mean() > 0.8, "the relation between both tables"
    assert isinstance(bob.wait().samples(5), pa.Table)
    assert list(alice.columns("theirs").columns) == ["Bob_value"]
    assert alice.report.to_dict()["ledger"]["epsilon"] == 3.0

    receipt = bob.receipt
    assert receipt.verify()["receipt"]["agreement_sha384"] == enclave.agreement
    with pytest.raises(synclave.ReceiptRefused) as refused:
        receipt.verify(agreement="00" * 48)
    assert refused.value.code == 50
    forged = json.dumps(receipt.to_dict()).replace("Bob", "Rob")
    with pytest.raises(synclave.ReceiptRefused):
        synclave.Receipt(forged, receipt._trust).verify()


def refusal(enclave: synclave.Simulation, parties: Parties, **other: object) -> synclave.Error:
    expected = {
        "keys": parties.keys / "alice",
        "measurements": enclave.measurements,
        "agreement": enclave.agreement,
        "dangerous_root": enclave.root,
        **other,
    }
    with pytest.raises(synclave.Error) as refused:
        synclave.connect(enclave.url, **expected)
    return refused.value


def test_each_refusal_has_its_exception(
    parties: Parties, enclave: synclave.Simulation, tmp_path: Path
) -> None:
    def evidence_refused(code: int, name: str, check: str, **other: object) -> None:
        error = refusal(enclave, parties, **other)
        assert isinstance(error, synclave.EvidenceRefused), error
        assert (error.code, error.name, error.check) == (code, name, check)

    registers = json.loads(enclave.measurements.read_text())
    text = json.dumps(registers)
    pcr0 = next(value for value in _texts(registers) if len(value) == 96)
    another = ("1" if pcr0[0] == "0" else "0") + pcr0[1:]
    wrong = tmp_path / "measurements.json"
    wrong.write_text(text.replace(pcr0, another))
    evidence_refused(29, "wrong-measurement", "measurement", measurements=wrong)
    other = "ab" * 48
    evidence_refused(30, "wrong-agreement-register", "measured agreement", agreement=other)
    evidence_refused(35, "wrong-room", "room", room="ab" * 32)
    # AWS's root is the only one that is trusted, if no other is named.
    evidence_refused(22, "unknown-root", "root", dangerous_root=None)

    unknown = refusal(enclave, parties, keys=parties.keys / "eve")
    assert isinstance(unknown, synclave.KeyNotRegistered) and unknown.code == 11
    missing = refusal(enclave, parties, keys=parties.keys / "nobody")
    assert isinstance(missing, synclave.InputError) and missing.code == 3
    short = refusal(enclave, parties, agreement="abc")
    assert isinstance(short, synclave.InputError) and "no hash of an agreement" in str(short)
    with pytest.raises(TypeError, match="agreement"):
        synclave.connect(enclave.url, keys="k", measurements="m")  # type: ignore[call-arg]


def _texts(document: object) -> Iterator[str]:
    if isinstance(document, str):
        yield document
    elif isinstance(document, dict):
        for value in document.values():
            yield from _texts(value)


class Relay(threading.Thread):
    """Passes the first bytes on between a client and the room, and keeps what the client sent.

    It ends TLS nowhere, so that the channel holds; `twist` breaks it.
    """

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.room = port
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.sent = b""

    def run(self) -> None:
        client, _ = self.server.accept()
        with client:
            # No TLS of a room: what a web server says to anybody.
            self.sent = client.recv(1 << 16)
            client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_what_is_no_room_gets_nothing_but_a_hello(
    parties: Parties, enclave: synclave.Simulation
) -> None:
    relay = Relay(0)
    relay.start()
    with pytest.raises(synclave.EvidenceRefused) as refused:
        synclave.connect(
            f"http://127.0.0.1:{relay.port}",
            keys=parties.keys / "alice",
            measurements=enclave.measurements,
            agreement=enclave.agreement,
            dangerous_root=enclave.root,
        )
    relay.join(10)
    assert refused.value.check == "protocol" and refused.value.name == "not-a-room"
    # A TLS handshake record with a client's hello, and no word of ours in it.
    assert relay.sent[:1] == b"\x16" and b"alice" not in relay.sent.lower()


def test_a_room_that_is_gone_or_another_is_not_spoken_to(parties: Parties) -> None:
    with synclave.simulated_room(parties.room) as enclave:
        alice = enclave.connect(parties.keys / "alice")
        assert alice.status["status"] == "awaiting_data"
    with pytest.raises(synclave.Error):
        alice.upload(tables()[0])
    with pytest.raises(synclave.UnreachableError) as gone:
        synclave.connect(
            enclave.url,
            keys=parties.keys / "alice",
            measurements=_kept(parties),
            agreement=enclave.agreement,
        )
    assert gone.value.code == 10


def _kept(parties: Parties) -> Path:
    path = parties.room / "measurements.json"
    with synclave.simulated_room(parties.room) as enclave:
        path.write_text(enclave.measurements.read_text())
    return path


def test_an_agreement_that_no_room_accepts_is_refused(tmp_path: Path) -> None:
    bad = Parties(tmp_path, RUNTIME.replace("epsilon: 3", "epsilon: -3"))
    with pytest.raises(synclave.InputError, match="epsilon"):
        with synclave.simulated_room(bad.room):
            pass


def test_a_room_works_within_an_event_loop(parties: Parties, enclave: synclave.Simulation) -> None:
    async def both() -> list[dict[str, object]]:
        rooms = [
            await asyncio.to_thread(enclave.connect, parties.keys / name)
            for name in ("alice", "bob")
        ]
        uploads = zip(rooms, tables(), strict=True)
        return await asyncio.gather(
            *(asyncio.to_thread(room.upload, table) for room, table in uploads)
        )

    assert [reply["rows"] for reply in asyncio.run(both())] == [300, 300]


def test_keys_are_not_written_over(parties: Parties) -> None:
    with pytest.raises(synclave.InputError):
        synclave.keygen("alice", parties.keys, algorithm="p256")
