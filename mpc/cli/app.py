# SPDX-License-Identifier: Apache-2.0
"""The subcommands: what each takes, and a sentence and an example of what it is for."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

import typer

from mpc import errors
from mpc.cli import interrupted

P = ParamSpec("P")
R = TypeVar("R")

EXIT_CODES: dict[type[errors.MpcError], int] = {
    errors.ConfigError: 2,
    errors.ChannelError: 3,
    errors.ProtocolError: 4,
    errors.CryptoError: 5,
    errors.PolicyError: 6,
}
EPILOG = (
    "Exit codes: 0 done; 1 a check failed; 2 our arguments, files, data or output; 3 a peer "
    "unreachable, untrusted, silent, gone or aborted; 4 a peer sent something wrong or holds "
    "another job; 5 a key or ciphertext; 6 refused by our policy; 130 interrupted."
)

app = typer.Typer(
    name="mpc",
    help="Joint blacklists and joint scores between institutions that may not pool their data.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

Json = Annotated[bool, typer.Option("--json", help="Print one line of JSON, for machines.")]
Party = Annotated[Path, typer.Argument(help="This party's TOML file.", metavar="PARTY.toml")]
Job = Annotated[Path, typer.Argument(help="The job file all parties hold.", metavar="JOB.toml")]
Input = Annotated[
    Path | None, typer.Option("--input", help="Read this table instead of the catalog's.")
]
Output = Annotated[
    Path | None, typer.Option("--output", help="Write the result here (.csv or .parquet).")
]
Wait = Annotated[
    float, typer.Option("--wait", min=0, help="How many seconds to wait for peers to start.")
]


def _guarded(command: Callable[P, R]) -> Callable[P, R]:
    """Turn an error of ours into one line and its exit code."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        from mpc.cli import show

        try:
            return command(*args, **kwargs)
        except errors.MpcError as error:
            if interrupted():
                raise KeyboardInterrupt from None
            show.fault(error)
            found = (code for kind, code in EXIT_CODES.items() if isinstance(error, kind))
            raise typer.Exit(next(found, 1)) from None

    # Lines of a paragraph are broken for the terminal's width, not where they are in this file.
    paragraphs = (command.__doc__ or "").split("\n\n")
    run.__doc__ = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    return run


def _version(asked: bool) -> None:
    if asked:
        import mpc

        typer.echo(f"mpc {mpc.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Joint blacklists and joint scores between institutions that may not pool their data."""


@app.command(epilog="Example: mpc demo --rows 5000 --folder /tmp/mpc-demo")
@_guarded
def demo(
    rows: Annotated[int, typer.Option(min=100, help="How many companies to make up.")] = 20_000,
    applicants: Annotated[
        int, typer.Option(min=0, help="How many of them ask the bank for credit.")
    ] = 1000,
    folder: Annotated[
        Path, typer.Option(help="Where inputs and results are written, for you to open.")
    ] = Path("mpc-demo"),
    seed: Annotated[int, typer.Option(min=0, help="Other numbers make up other companies.")] = 1,
    json: Json = False,
) -> None:
    """Run the joint jobs between five parties, each a process of its own, and check the answers.

    A bank, a tax office, a power utility and two more lenders, on loopback gRPC with mutual TLS: a
    blacklist, a score, and the joint decision, of which nothing but the outcome is shown to anyone.
    """
    from mpc.cli.demo import run as run_demo

    if not run_demo(folder, rows=rows, applicants=applicants, seed=seed, json_lines=json):
        raise typer.Exit(1)


@app.command(epilog="Example: mpc init tax_office --folder /etc/mpc")
@_guarded
def init(
    name: Annotated[str, typer.Argument(help="The party's name, as its peers will write it.")],
    folder: Annotated[Path, typer.Option(help="Where to put key and certificate.")] = Path(),
    days: Annotated[int, typer.Option(min=1, help="How long the certificate is valid.")] = 730,
    json: Json = False,
) -> None:
    """Make this party's key and certificate, and print the fingerprint to give to the peers.

    The key is readable by this user only, and is never overwritten.
    """
    from mpc.cli import show
    from mpc.net import tls

    identity = tls.make_identity(name, folder, days=days)
    if json:
        show.as_json(
            {
                "name": name,
                "key": str(identity.key_path),
                "certificate": str(identity.certificate_path),
                "fingerprint": identity.fingerprint,
            }
        )
        return
    show.out.print(f"key          {identity.key_path}  (keep it here, and secret)", soft_wrap=True)
    show.out.print(
        f"certificate  {identity.certificate_path}  (send it to the peers)", soft_wrap=True
    )
    show.out.print(f"fingerprint  {identity.fingerprint}", soft_wrap=True)
    show.out.print("Read the fingerprint to each peer over another channel, such as the telephone.")


@app.command(epilog="Example: mpc blacklist bank.toml blacklist.toml --output listed.csv")
@_guarded
def blacklist(
    party: Party,
    job: Job,
    input: Input = None,
    output: Output = None,
    wait: Wait = 30.0,
    memory: Annotated[
        int, typer.Option(min=1, help="How many MB beside its table; larger sets go in buckets.")
    ] = 1024,
    progress: Annotated[
        Path | None,
        typer.Option(help="Keep in this folder which buckets are done, and go on from there."),
    ] = None,
    json: Json = False,
) -> None:
    """Take part in a joint blacklist check, as the asker or as a holder: the job file says which.

    The asker learns which of its ids each holder lists; where the job file has a threshold, only
    whether enough of the lists hold each. A holder learns how many were asked.
    With --progress at all parties, the same commands go on with a job that was interrupted.
    """
    buckets = {"memory": memory << 20, "progress": progress}
    _play("blacklist", party, job, input, output, wait, json, **buckets)


@app.command(epilog="Example: mpc score tax_office.toml score.toml")
@_guarded
def score(
    party: Party,
    job: Job,
    input: Input = None,
    output: Output = None,
    wait: Wait = 30.0,
    json: Json = False,
) -> None:
    """Take part in a joint score, as model owner, feature owner or receiver: the job file says.

    The receiver learns each company's probability and band; or only a band, a decision or reasons,
    where the job file says so. Features and weights stay home.
    """
    _play("score", party, job, input, output, wait, json)


@app.command(epilog="Example: mpc decide bank.toml decision.toml --output decisions.csv")
@_guarded
def decide(
    party: Party,
    job: Job,
    input: Input = None,
    output: Output = None,
    wait: Wait = 30.0,
    json: Json = False,
) -> None:
    """Take part in a joint decision, as asker, holder of a list or feature owner: the job says.

    The asker learns approve, refer or decline for each applicant. Nobody else learns who applied.
    """
    _play("decision", party, job, input, output, wait, json)


@app.command(epilog="Example: mpc deal notary.toml score.toml")
@_guarded
def deal(party: Party, job: Job, wait: Wait = 30.0, json: Json = False) -> None:
    """Make the correlations of a joint score or decision whose job file names this party as dealer.

    A dealer computes with nobody and sees no input. Who runs it must not be one of the others.
    """
    _play("deal", party, job, None, None, wait, json)


@app.command(epilog="Example: mpc prepare bank.toml score.toml --rows 10000")
@_guarded
def prepare(
    party: Party,
    job: Job,
    rows: Annotated[
        int, typer.Option(min=1, help="How many rows or applicants the job has at most.")
    ],
    wait: Wait = 30.0,
    json: Json = False,
) -> None:
    """Make ahead, with the others, what a score or decision with source = "file" computes with.

    It needs no table, and goes to an encrypted file of this party's, which serves one job.
    """
    from mpc.cli import show
    from mpc.party import config, jobs, runs

    mine, shared = config.load(party), jobs.load(job)
    with show.stages(f"prepare as {mine.name}") as notify:
        done = runs.prepare(mine, shared, rows, wait=wait, notify=notify)
    show.report(done, json_lines=json)


@app.command(epilog="Example: mpc explain decision.toml")
@_guarded
def explain(job: Job, json: Json = False) -> None:
    """Say in plain words what each party of a job gives, comes to know, and never comes to know.

    The words are made of the job file alone, so they are the same for all parties.
    """
    from mpc.cli import show
    from mpc.party import jobs

    show.explanation(jobs.load(job), json_lines=json)


@app.command(epilog="Example: mpc selftest --json")
@_guarded
def selftest(json: Json = False) -> None:
    """Check this machine: CPU features, kernels, published test vectors, a loopback session."""
    from mpc.cli.selftest import run as check_all

    if not check_all(json_lines=json):
        raise typer.Exit(1)


@app.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    epilog="Example: mpc bench run psi --quick",
)
@_guarded
def bench(context: typer.Context) -> None:
    """Measure this library on this machine, beside floors: list, run, check, report, or --help."""
    from mpc.cli.bench import run as run_suite

    run_suite(context.args)


def _play(
    kind: str,
    party: Path,
    job: Path,
    input: Path | None,
    output: Path | None,
    wait: float,
    json: bool,
    **options: Any,
) -> None:
    from mpc.cli import show
    from mpc.party import config, jobs, runs

    mine, shared = config.load(party), jobs.load(job)
    jobs.check_member(shared, mine.name)
    wanted = jobs.work(shared, mine.name)
    if wanted != kind:
        part = ", which names us as its dealer" if wanted != shared.kind else ""
        command = {"decision": "decide"}.get(wanted, wanted)
        raise errors.ConfigError(f"{job} is a {shared.kind} job{part}: run mpc {command}")
    if not json:
        show.explanation(shared, to=show.err)
    with show.stages(f"{kind} as {mine.name}") as notify:
        options |= {"input": input, "output": output, "wait": wait}
        done = runs.run(mine, shared, notify=notify, **options)
    show.report(done, json_lines=json)
