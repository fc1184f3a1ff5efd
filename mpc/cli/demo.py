# SPDX-License-Identifier: Apache-2.0
"""``mpc demo``: five parties, each a process, run the joint jobs; the answers are checked."""

from __future__ import annotations

import csv
import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from mpc.apps import companies
from mpc.cli import processes, show
from mpc.errors import ConfigError
from mpc.net import tls
from mpc.net.mesh import Mesh

MARKER = ".mpc-demo"
TOLERANCE = 1e-6  # of a probability; what the protocol guarantees is far below

BLACKLIST_JOB = """\
kind = "blacklist"
session = "demo-blacklist"
asker = "bank"
holders = ["tax_office", "lender_b", "lender_c"]
"""
# Who dials whom, by party: the last one allows no inbound connections.
LISTENERS = ("bank", "tax_office", "power_utility", "lender_b")
DIALS = {
    "bank": ("tax_office",),
    "tax_office": (),
    "power_utility": ("bank", "tax_office"),
    "lender_b": ("bank", "tax_office", "power_utility"),
    "lender_c": ("bank", "tax_office", "power_utility", "lender_b"),
}
JOBS = ("blacklist", "score", "decision")
COMMANDS = {"decision": "decide"}  # where it is not the name of the job
PARTIES = tuple(DIALS)


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison with the plain computation in the open."""

    what: str
    passed: bool


def run(folder: Path, *, rows: int, applicants: int, seed: int, json_lines: bool) -> bool:
    """Run the demo in ``folder`` and print its tables; whether all answers were right."""
    _claim(folder)
    with show.stages("demo") as notify:
        notify(f"making up {rows:,} companies")
        inputs = companies.write_demo(folder, rows, seed, applicants=min(applicants, rows))
        notify("making keys and certificates")
        configure(folder, inputs)
        notify("loading kernels")
        load_kernels()
    reports = {}
    for kind in JOBS:
        job = folder / f"{kind}.toml"
        reports[kind] = _play(kind, job, folder, quiet=json_lines)
    checks = checked(folder, companies.in_the_open(inputs))
    if json_lines:
        show.as_json({"folder": str(folder), "jobs": reports, "checks": _plain(checks)})
    else:
        _print(folder, reports, checks)
    return all(check.passed for check in checks)


def _claim(folder: Path) -> None:
    """Take an empty folder or that of an earlier demo, and no other."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / MARKER).exists() and any(folder.iterdir()):
            raise ConfigError(f"{folder} has other files in it; name a new folder with --folder")
        (folder / MARKER).touch()
    except OSError as error:
        raise ConfigError(f"cannot use the folder {folder}: {error.strerror}") from None
    for identity in (*folder.glob("*/*.key"), *folder.glob("*/*.crt")):
        identity.unlink()


def load_kernels() -> None:
    """Use each kernel of the jobs once: the parties then need not all compile the same ones."""
    from mpc.primitives import paillier, ristretto
    from mpc.primitives.items import Items
    from mpc.primitives.rng import SYSTEM

    points = ristretto.hash_to_group(Items.of(["a", "b"]), b"mpc:v1:demo")
    encoded = ristretto.encode(ristretto.mul(points, ristretto.scalar(SYSTEM)))
    ristretto.decode(encoded)
    secret, public = paillier.keygen(512, allow_weak=True)  # the kernels are those of any length
    x = paillier.Ciphertexts.from_array(public, secret.encrypt([1, -2]).to_array(), bound=2)
    secret.decrypt(([[3, -1], [2, 5]] @ x).rerandomized())
    _decide_once()


def _decide_once() -> None:
    """A small decision between three parties in this process."""
    import numpy as np

    from mpc.net import memory
    from mpc.protocols import decision, seeds
    from mpc.protocols.decision import Known, Model, Plan, Rule
    from mpc.protocols.threshold import Listed, Terms
    from mpc.protocols.triples import vole

    rules = (Rule("r", {("c", "v"): 1.0}, 0.0, "refer"),)
    lists = Terms("a", 1, {"b": 1, "c": 1}, "shares")
    plan = Plan(lists, {"b": ("x", "y")}, 0.4, 0.6, rules, reasons=1)
    keys = [f"key {place}" for place in range(100)]
    tables = {
        "b": Known(keys, np.ones((100, 2)), np.ones((100, 0))),
        "c": Known(keys, np.ones((100, 0)), np.ones((100, 1))),
    }

    def party(mesh: Mesh) -> None:
        given: dict[str, Any] = {"seeds": seeds.agree(mesh), "triples": vole.source(mesh)}
        if mesh.me == "a":
            decision.asker(mesh, plan, keys, Model(np.ones(2), 0.0), **given)
        else:
            decision.other(mesh, plan, listed=Listed(keys), known=tables[mesh.me], **given)

    def play(mesh: Mesh) -> None:
        try:
            party(mesh)
        except BaseException as error:
            mesh.abort(error)
            raise

    with ThreadPoolExecutor(3) as pool:
        # Without a time limit: another machine may compile for minutes.
        list(pool.map(play, memory.mesh("abc", timeout=None).values()))


# --- what each party has in its folder ---------------------------------------------------------


def configure(folder: Path, inputs: companies.Demo) -> None:
    """Write every party's key, certificates and file, and the two job files all of them hold."""
    ports = processes.free_ports(len(LISTENERS))
    addresses = {name: f"127.0.0.1:{port}" for name, port in zip(LISTENERS, ports, strict=True)}
    made = {name: tls.make_identity(name, folder / name) for name in PARTIES}
    for name in PARTIES:
        peers = [peer for peer in PARTIES if name in DIALS[peer] or peer in DIALS[name]]
        lines = [f'name = "{name}"']
        if name in addresses:
            lines.append(f'listen = "{addresses[name]}"')
        lines += [f'key = "{name}.key"', f'certificate = "{name}.crt"', ""]
        for peer in peers:
            (folder / name / f"{peer}.crt").write_bytes(made[peer].certificate_pem)
            lines += [f"[peers.{peer}]", f'certificate = "{peer}.crt"']
            if peer in DIALS[name]:
                lines.append(f'address = "{addresses[peer]}"')
            lines.append("")
        lines += _data(name, inputs)
        (folder / name / "party.toml").write_text("\n".join(lines), encoding="utf-8")
    (folder / "blacklist.toml").write_text(BLACKLIST_JOB, encoding="utf-8")
    (folder / "score.toml").write_text(_score_job(), encoding="utf-8")
    (folder / "decision.toml").write_text(_decision_job(), encoding="utf-8")


def _data(name: str, inputs: companies.Demo) -> list[str]:
    """The catalog of one party, and which jobs it takes part in."""
    lines = []
    for dataset, sources in (("companies", inputs.tables), ("blacklist", inputs.lists)):
        if name in sources:
            source = sources[name]
            lines += [f"[data.{dataset}]", f'file = "{source.path.name}"']
            lines += [f'id = ["{source.id_column}"]', 'identifier = "uscc"']
            lines += ['dates = "listed_on"', ""] if dataset == "blacklist" else [""]
    if name in inputs.lists:
        lines += ["[jobs.blacklist]", 'data = "blacklist"', ""]
    if name == "bank":
        lines += ["[jobs.blacklist]", 'data = "companies"', 'output = "listed.csv"', ""]
    card = f'scorecard = "{inputs.scorecard.name}"'
    if name in inputs.tables:
        lines += ["[jobs.score]", 'data = "companies"']
        lines += [card, 'output = "scores.csv"', ""] if name == "bank" else [""]
    lines += ["[jobs.decision]"]
    lines += ['data = "companies"'] if name in inputs.tables else []
    lines += ['list = "blacklist"'] if name in inputs.lists else []
    lines += [card, 'output = "decisions.csv"'] if name == "bank" else []
    return [*lines, ""]


def _score_job() -> str:
    lines = ['kind = "score"', 'session = "demo-score"']
    lines += ['model_owner = "bank"', 'receiver = "bank"', "", *_features()]
    return "\n".join([*lines, ""])


def _decision_job() -> str:
    given, rule = companies.DECISION, companies.DECISION["rule"]
    lines = ['kind = "decision"', 'session = "demo-decision"', 'asker = "bank"']
    lines += [f"{key} = {given[key]}" for key in ("refer_from", "decline_from", "reasons")]
    lines += ["", "[lists]", *(f"{key} = {given[key]}" for key in ("threshold", "since"))]
    lines += [f"weights = {_inline(given['weights'])}", "", *_features(), "", "[[rules]]"]
    lines += [f'name = "{rule["name"]}"', f"values.{rule['owner']} = {_inline(rule['values'])}"]
    lines += [f"unit = {rule['unit']}", f'then = "{rule["then"]}"']
    return "\n".join([*lines, ""])


def _features() -> list[str]:
    owners = companies.SCORECARD.owners.items()
    named = [f"{owner} = {json.dumps([f.name for f in owned])}" for owner, owned in owners]
    return ["[features]", *named]


def _inline(table: Mapping[str, Any]) -> str:
    return "{ " + ", ".join(f"{key} = {value}" for key, value in table.items()) + " }"


# --- running a job -----------------------------------------------------------------------------


def _play(kind: str, job: Path, folder: Path, *, quiet: bool) -> dict[str, Any]:
    from mpc.party import jobs

    commands = {
        name: [COMMANDS.get(kind, kind), str(folder / name / "party.toml"), str(job), "--json"]
        for name in jobs.load(job).parties
    }
    if not quiet:
        show.out.print(f"\n[bold]{kind}[/], one process for each party:")
        for command in commands.values():
            words = shlex.join(["mpc", *command[:-1]])
            show.out.print(f"  [dim]$[/] {words}", soft_wrap=True)
    with _stages(commands) as on_line:
        return processes.play(commands, on_line)


@contextmanager
def _stages(parties: Mapping[str, Any]) -> Iterator[Callable[[str, str], None]]:
    """What each party is at: a line for each on a terminal, and plain lines elsewhere."""
    if not show.err.is_terminal:
        yield lambda _, line: show.err.print(line, markup=False, soft_wrap=True)
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=show.err, transient=True) as progress:
        tasks = {name: progress.add_task(name) for name in parties}
        yield lambda name, line: progress.update(tasks[name], description=line)


# --- the answers -------------------------------------------------------------------------------


def checked(folder: Path, truth: Mapping[str, companies.Answer]) -> list[Check]:
    """What the bank got against what is true."""
    listed = _result(folder / "bank" / "listed.csv")
    right = sum(
        listed.get(code, {}).get("listed") == str(bool(answer.listed_by)).lower()
        for code, answer in truth.items()
    )
    hits = sum(bool(answer.listed_by) for answer in truth.values())
    scores = _result(folder / "bank" / "scores.csv")
    known = {code: answer for code, answer in truth.items() if answer.probability is not None}
    errors = [
        abs(float(scores[code]["probability"] or "nan") - (answer.probability or 0.0))
        for code, answer in known.items()
    ]
    bands = sum(scores[code]["band"] == answer.band for code, answer in known.items())
    extra = sum(bool(row["probability"]) for code, row in scores.items() if code not in known)
    worst = max(errors, default=0.0)
    return [
        Check(
            f"blacklist: {right:,} of {len(truth):,} answers right ({hits:,} applicants listed)",
            right == len(truth) == len(listed),
        ),
        Check(
            f"score: {len(errors):,} companies, largest error of a probability {worst:.1e}",
            worst <= TOLERANCE and not extra,
        ),
        Check(f"score: {bands:,} of {len(known):,} bands right", bands == len(known)),
        *_decisions(folder, truth),
    ]


def _decisions(folder: Path, truth: Mapping[str, companies.Answer]) -> list[Check]:
    found = _result(folder / "bank" / "decisions.csv")
    right = sum(found.get(code, {}).get("outcome") == a.outcome for code, a in truth.items())
    explained = {code: a.reasons for code, a in truth.items() if a.reasons is not None}
    named = sum(
        frozenset(found.get(code, {}).get("reasons", "").split("; ")) == reasons
        for code, reasons in explained.items()
    )
    return [
        Check(
            f"decision: {right:,} of {len(truth):,} outcomes right",
            right == len(truth) == len(found),
        ),
        Check(
            f"decision: reasons of {named:,} of {len(explained):,} declined right",
            named == len(explained),
        ),
    ]


def _result(path: Path) -> dict[str, dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def _plain(checks: list[Check]) -> list[dict[str, Any]]:
    return [{"what": check.what, "passed": check.passed} for check in checks]


def _print(folder: Path, reports: Mapping[str, Any], checks: list[Check]) -> None:
    headers = ("party", "put in", "what this party could see", "sent>", "time>")
    for kind, parties in reports.items():
        show.out.print()
        rows = (_row(name, report) for name, report in parties.items())
        show.listing(headers, rows, title=f"The {kind} job")
    show.out.print("Against the plain computation over everybody's files in the open:")
    for check in checks:
        mark = "[green]right[/]" if check.passed else "[bold red]WRONG[/]"
        show.out.print(f"  {mark}  {check.what}")
    show.out.print(f"\nInputs, configurations and results: {folder.absolute()}", soft_wrap=True)


def _row(name: str, report: Mapping[str, Any]) -> tuple[str, ...]:
    found = "".join(f"\n[dim]{line}[/]" for line in report["findings"])
    sent, took = _sent(report["traffic"].values()), f"{report['seconds']:.1f} s"
    return name, report["gave"], report["learnt"] + found, sent, took


def _sent(traffic: Iterable[Mapping[str, int]]) -> str:
    """What a party sent to all its peers together; rounds are those with the most of them."""
    peers = list(traffic)
    size = show.amount(sum(peer["sent_bytes"] for peer in peers))
    messages = sum(peer["sent_messages"] for peer in peers)
    return f"{size}\n{messages:,} messages\n{max(peer['rounds'] for peer in peers):,} rounds"
