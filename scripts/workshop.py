"""The workshop's steps, from outside: two people, plain HTTP clients, the real programs.

Usage: workshop.py DIRECTORY_OF_PROGRAMS

Makes keys for Alice and Bob with `synclave keygen`, starts `synclave-enclave --simulated` with the workshop's four-line
runtime.yaml, connects two `synclave connect` proxies, and walks through the workshop with `requests` and `curl`. Everything listens
on loopback and is ended at the end. Exits 0 when every reply has the agreed shape.
"""
import csv
import io
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import requests

SERVICE = """\
auth:
- auth_name: default
  auth_type: signed_headers
base_image: default
build_args: []
meta:
  author: Workshop
  author_email: workshop@example.org
  git: https://example.org/workshop
  version: 0.1.0
paths:
- path: /upload_data
  access: data_provider
  short_description: upload a table
- path: /confirm_data
  access: data_provider
  short_description: confirm it
- path: /formats
  access: data_provider
  short_description: what can be downloaded
- path: /samples
  access: data_provider
  short_description: download samples
- path: /details
  access: data_provider
  short_description: the configuration
- path: /model_status
  access: data_provider
  short_description: how far training is
roles:
- role_name: data_provider
  role_auth: default
  role_cardinality: 2
  role_description: uploads and downloads
traffic:
  inbound:
  - name: main_io
    port: 443
    type: tcp
  outbound: []
users:
  data_provider:
  - user_name: Alice
    public_key: {alice}
  - user_name: Bob
    public_key: {bob}
"""
RUNTIME = """\
method: MST
epsilon: 3
party_names:
- Alice
- Bob
"""
ROWS = 2000


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(what, ready, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = ready()
        if result:
            return result
        time.sleep(0.1)
    raise SystemExit(f"gave up waiting for {what}")


def expect(what, holds):
    print(f"  {'ok  ' if holds else 'FAIL'} {what}")
    if not holds:
        raise SystemExit(1)


def tables():
    """Cars: the price class and doors with Alice; the value, which depends on the price, and the age with Bob."""
    dice = random.Random(1)
    alice, bob = ["id,buying,doors"], ["id,value,age"]
    for number in range(ROWS):
        price = dice.choice(["low", "med", "high", "vhigh"])
        value = "good" if price in ("low", "med") and dice.random() < 0.8 else "unacc"
        alice.append(f"{number},{price},{dice.choice([2, 3, 4, 5])}")
        bob.append(f"{number},{value},{dice.randrange(20)}")
    return "\n".join(alice) + "\n", "\n".join(bob) + "\n"


class Stage:
    """The programs and files of one run; ended and removed on exit."""

    def __init__(self, programs):
        self.programs, self.folder, self.running = Path(programs).resolve(), Path(tempfile.mkdtemp()), []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.running):
            process.terminate()
        for process in self.running:
            process.wait(timeout=10)
        shutil.rmtree(self.folder)

    def once(self, *arguments):
        return subprocess.run([str(self.programs / arguments[0]), *arguments[1:]], check=True, capture_output=True, text=True).stdout

    def start(self, *arguments):
        log = open(self.folder / f"log{len(self.running)}", "w")
        process = subprocess.Popen([str(self.programs / arguments[0]), *arguments[1:]],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.running.append(process)
        return process

    def logs(self):
        return "\n".join(path.read_text() for path in sorted(self.folder.glob("log*")))


def keygen(stage, name):
    text = stage.once("synclave", "keygen", "--key-name", name, "--output", str(stage.folder))
    return re.search(r"MII[A-Za-z0-9+/=]{100,}", text).group(0)


def connect(stage, name, port, agreement):
    lport = free_port()
    stage.start("synclave", "connect", "--url", "http://127.0.0.1", "--port", str(port), "--lport", str(lport),
                "--private-key", str(stage.folder / f"{name}_private.der"),
                "--public-key", str(stage.folder / f"{name}_public.der"),
                "--measurements", str(stage.folder / "measurements.json"),
                "--agreement", agreement, "--dangerous-root", str(stage.folder / "root.pem"))
    url = f"http://localhost:{lport}"

    def up():
        try:
            return requests.get(f"{url}/healthz", timeout=5).ok
        except requests.ConnectionError:
            return False

    wait_for(f"{name}'s proxy", up)
    return url


def walk(stage):
    room = stage.folder / "room"
    room.mkdir()
    (room / "service.yaml").write_text(SERVICE.format(alice=keygen(stage, "alice"), bob=keygen(stage, "bob")))
    (room / "runtime.yaml").write_text(RUNTIME)
    agreement = json.loads(stage.once("synclave", "validate", str(room), "--json"))["agreement_sha384"]

    port = free_port()
    stage.start("synclave-enclave", "--simulated", "--room", str(room), "--listen", f"127.0.0.1:{port}",
                "--root-out", str(stage.folder / "root.pem"), "--measurements-out", str(stage.folder / "measurements.json"))
    wait_for("the enclave", lambda: (stage.folder / "measurements.json").exists())
    alice, bob = connect(stage, "alice", port, agreement), connect(stage, "bob", port, agreement)

    details = requests.get(f"{alice}/details", timeout=10).json()
    expect("/details names method, epsilon, params and parties",
           details["method"] == "MST" and details["epsilon"] == 3 and "params" in details and details["party_names"] == ["Alice", "Bob"])
    expect("/model_status before data", requests.get(f"{alice}/model_status", timeout=10).json() == "Model status: awaiting data")
    expect("/samples before training is refused", requests.get(f"{alice}/samples", timeout=10).status_code == 400)
    expect("a confirm before an upload is refused", requests.get(f"{bob}/confirm_data", timeout=10).status_code == 409)

    alice_csv, bob_csv = tables()
    reply = requests.post(f"{alice}/upload_data", files={"file": ("alice.csv", alice_csv, "text/csv")}, timeout=60)
    expect("/upload_data with requests", reply.ok and reply.json()["message"] == "Upload completed" and reply.json()["rows"] == ROWS)
    (stage.folder / "bob.csv").write_text(bob_csv)
    said = subprocess.run(["curl", "--silent", "--fail", "--form", f"file=@{stage.folder / 'bob.csv'};type=text/csv", f"{bob}/upload_data"],
                          check=True, capture_output=True, text=True).stdout
    expect("/upload_data with curl", json.loads(said)["message"] == "Upload completed")
    bad = requests.post(f"{bob}/upload_data", files={"file": ("bad.csv", "a,b\n1,2\n", "text/csv")}, timeout=10)
    expect("a table without id is refused in a sentence", bad.status_code == 400 and "id" in bad.json()["detail"])

    browser = {"User-Agent": "Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko", "Accept": "text/html, */*"}
    visit = requests.get(f"{alice}/confirm_data", headers=browser, timeout=10)
    expect("a browser's visit does not confirm", visit.status_code == 403 and visit.json()["code"] == "confirm-by-visit")
    expect("/confirm_data of Alice", requests.get(f"{alice}/confirm_data", timeout=10).json() == {"message": "Data confirmed"})
    withdrawn = requests.post(f"{alice}/withdraw_confirmation", timeout=10).json()
    expect("/withdraw_confirmation", withdrawn == {"message": "Confirmation withdrawn"})
    expect("/confirm_data with curl", json.loads(subprocess.run(["curl", "--silent", "--fail", f"{alice}/confirm_data"],
           check=True, capture_output=True, text=True).stdout) == {"message": "Data confirmed"})
    parties = requests.get(f"{bob}/status", timeout=10).json()["parties"]
    seen = ",".join(f"{party['name']}:{party['commitment']}" for party in parties)
    wrong = requests.post(f"{bob}/confirm_data", params={"commitments": "Alice:" + 96 * "0"}, timeout=10)
    expect("a confirm of another upload is refused", wrong.status_code == 409 and wrong.json()["code"] == "uploads-changed")
    expect("/confirm_data of Bob, for what he has seen",
           requests.get(f"{bob}/confirm_data", params={"commitments": seen}, timeout=10).json() == {"message": "Data confirmed"})
    wait_for("training", lambda: requests.get(f"{bob}/model_status", timeout=10).json() == "Model status: trained")
    expect("/model_status after training", True)

    expect("/formats", {"csv", "json"} <= set(requests.get(f"{alice}/formats", timeout=10).json()))
    mine = requests.get(f"{alice}/columns", params={"party": "mine"}, timeout=10).json()
    theirs = requests.get(f"{alice}/columns", params={"party": "theirs"}, timeout=10).json()
    expect("/columns?party=mine", mine["user"] == "Alice" and "columns" in mine and "rows" in mine)
    expect("/columns?party=theirs", "columns" in theirs and "rows" in theirs)

    samples = requests.get(f"{bob}/samples", params={"format": "csv", "num_samples": 100}, timeout=60)
    rows = list(csv.DictReader(io.StringIO(samples.text)))
    expect("/samples gives 100 rows as an attachment", len(rows) == 100 and "synthetic_data.csv" in samples.headers["content-disposition"])
    expect("columns carry the parties' names", {"Alice_buying", "Bob_value"} <= set(rows[0]))
    as_json = requests.get(f"{bob}/samples", params={"format": "json", "num_samples": 10}, timeout=60).json()
    expect("/samples as json", len(as_json) == 10)

    receipt = stage.folder / "receipt.json"
    receipt.write_text(requests.get(f"{bob}/receipt", timeout=10).text)
    check = ["verify-receipt", str(receipt), "--measurements", str(stage.folder / "measurements.json"),
             "--agreement", agreement, "--dangerous-root", str(stage.folder / "root.pem")]
    stage.once("synclave", *check)
    expect("verify-receipt accepts the receipt", True)
    receipt.write_text(receipt.read_text().replace("MST", "MSU", 1))
    forged = subprocess.run([str(stage.programs / "synclave"), *check], capture_output=True)
    expect("verify-receipt rejects a changed receipt", forged.returncode != 0)


def main():
    # All of it is on this machine, whatever proxies the environment names.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "*"
    with Stage(sys.argv[1]) as stage:
        try:
            walk(stage)
        except BaseException:
            print(stage.logs(), file=sys.stderr)
            raise
    print("the workshop's steps work")


if __name__ == "__main__":
    main()
