"""`auditor demo`: audits two nights of a made-up portfolio and leaves the files to explore."""

import os
import shlex
import shutil
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TextIO

import msgspec
from rich.text import Text

from auditor import disk
from auditor.errors import StoreUnwritable
from auditor.log import Events
from auditor.report import html, summary
from auditor.report.progress_bar import following
from auditor.report.terminal import overview
from auditor.report.terminal_page import TerminalPage
from auditor.run.run import audit
from auditor.run.runtime import Runtime
from auditor.sandbox import Sandbox, World, WorldSize, config_text
from auditor.settings import Settings, load
from auditor.store import open_store

CUSTOMERS = 250
NIGHTS = 2
PORT = 8917
"""The sandbox's port in the configuration left behind; the demo itself uses a free port."""

_DAY = timedelta(days=1)
_TOKENS = "tokens"


async def demo(
    out: Path,
    seed: int,
    *,
    stdout: TextIO,
    events: Events,
    now: Callable[[], datetime],
    command: tuple[str, ...] = ("auditor",),
    customers: int = CUSTOMERS,
    width: int | None = None,
) -> None:
    """Audit two nights, or the next one if they are audited already, and print the findings.

    `command` is what the user types to call the auditor; the commands to type next begin with it.

    Raises:
        StoreUnwritable: `out` holds files that no demo of this portfolio made.
    """
    started = time.monotonic()
    portfolio = World(seed, WorldSize(customers=customers), today=now().date())
    folder = _Folder(out, portfolio, command)
    folder.make()
    settings = load(folder.config, {})
    first = _nights_done(settings) + 1
    nights = range(first, max(NIGHTS, first) + 1)
    async with Sandbox(portfolio) as sandbox:
        partners = tuple(
            msgspec.structs.replace(partner, base_url=sandbox.base_url)
            for partner in settings.partner
        )
        here = msgspec.structs.replace(settings, partner=partners)
        with following(events) as progress:
            for night in nights:
                portfolio.night = night
                ago = (nights[-1] - night) * _DAY
                runtime = Runtime(environ={}, now=_earlier(now, ago))
                progress.event("night.started", night=night)
                await audit(here, progress=progress, runtime=runtime)
    found = summary.read(open_store(settings.store))
    disk.replace(folder.report, html.page(found).encode())
    page = TerminalPage(stdout, width)
    title = f"Night {nights[0]}" if len(nights) == 1 else f"Nights {nights[0]} and {nights[-1]}"
    page.print(
        Text(f"{title} of a made-up portfolio", "bold").append(
            f"  seed {seed}, {customers} customers, {time.monotonic() - started:.0f} seconds", "dim"
        )
    )
    overview(found, page, "see below")
    folder.write_next_steps(page, nights[-1])


def _earlier(now: Callable[[], datetime], ago: timedelta) -> Callable[[], datetime]:
    return lambda: now() - ago


def invocation(argv0: str, cwd: Path, executable: str) -> tuple[str, ...]:
    """Return the shortest way to call the auditor from `cwd` as the user called it."""
    program = Path(argv0)
    if program.name == "__main__.py":
        return (_short(executable, cwd), "-m", "auditor")
    if shutil.which(program.name) == str(cwd / program):
        return (program.name,)
    return (_short(argv0, cwd),)


def _short(path: str, cwd: Path) -> str:
    whole = cwd / path
    return str(whole.relative_to(cwd)) if whole.is_relative_to(cwd) else str(whole)


def _nights_done(settings: Settings) -> int:
    """Return the number of nights of which every partner has a full snapshot."""
    if not (Path(settings.store) / "store.json").exists():
        return 0
    store = open_store(settings.store)
    rows: list[str] = store.arrow("snapshot", kind="full").column("partner_tenant_id").to_pylist()
    return min(rows.count(partner.tenant_id) for partner in settings.partner)


class _Folder:
    """The folder of the demo: configuration, tokens, store, state and report."""

    def __init__(self, out: Path, portfolio: World, command: tuple[str, ...]) -> None:
        self.out = out
        self.config = out / "auditor.toml"
        self.report = out / "report.html"
        self._portfolio = portfolio
        self._command = command

    def make(self) -> None:
        """Write the configuration and the tokens, unless an earlier demo of this portfolio did.

        Never deletes a file, and replaces only the report.
        """
        text = self._config_text().encode()
        with disk.guarded(self.out):
            self.out.mkdir(parents=True, exist_ok=True)
            found = sorted(path.name for path in self.out.iterdir())
            is_ours = self.config.is_file() and self.config.read_bytes() == text
        if found and not is_ours:
            what = f"other files: {', '.join(found[:3])}"
            if self.config.name in found:
                what = "an auditor.toml that this demo did not write"
            raise StoreUnwritable(
                f"{self.out} holds {what}", hint="name a new folder: auditor demo --out DIR"
            )
        if not found:
            disk.write_new(self.config, text)
        for partner in self._portfolio.partners():
            _write_secret(self.out / _TOKENS / partner.name, partner.token)

    def _config_text(self) -> str:
        portfolio = self._portfolio
        return (
            f"# Made by `auditor demo --seed {portfolio.seed}`: a made-up portfolio of"
            f" {portfolio.size.customers} customers.\n"
            f"# `auditor sandbox --port {PORT} --seed {portfolio.seed}"
            f" --customers {portfolio.size.customers}` answers for it.\n\n"
            + config_text(
                portfolio,
                f"http://127.0.0.1:{PORT}",
                lambda partner: f"file:{_TOKENS}/{partner.name}",
            )
        )

    def typed(self, *words: str) -> str:
        """Return a command as the user types it, with --config if the command takes it."""
        is_configured = words[0] not in {"demo", "sandbox"}
        more = ("--config", str(self.config)) if is_configured else ()
        return shlex.join([*self._command, *words, *more])

    def write_next_steps(self, page: TerminalPage, night: int) -> None:
        """Write where the files are, and the commands to type next."""
        page.heading("Where it lies")
        places = (
            (self.report, "the report: open it in a browser"),
            (self.config, "the configuration"),
            (self.out / "lake", "the snapshots, as Parquet that any tool reads"),
            (self.out / "state", "the journals of the runs"),
        )
        widest = max(len(str(path)) for path, _ in places)
        for path, what in places:
            page.print(Text(f"  {path!s:{widest}}  ").append(what, "dim"), is_whole=True)
        page.heading("What to type next")
        page.commands(
            [
                self.typed("changes", "--by-cause"),
                self.typed("changes", "--kind", "newly_restricted"),
                self.typed("snapshots", "list"),
                self.typed("sql", "SELECT region, count(*) FROM newly_restricted GROUP BY ALL"),
                self.typed("report", "--mask", "--out", str(self.out / "masked.html")),
            ]
        )
        size = self._portfolio.size.customers
        seed, port = str(self._portfolio.seed), str(PORT)
        sandbox = self.typed(
            *("sandbox", "--port", port, "--seed", seed),
            *("--customers", str(size), "--night", str(night + 1)),
        )
        page.heading(f"To audit night {night + 1}", "leave the first running, then type the second")
        page.commands([sandbox, self.typed("run")])
        page.print(Text("  or repeat the demo, which starts its own sandbox:", "dim"))
        page.commands([self.typed("demo", "--out", str(self.out), "--seed", seed)])


def _write_secret(path: Path, secret: str) -> None:
    with disk.guarded(path):
        path.parent.mkdir(mode=0o700, exist_ok=True)
        if path.exists():
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with open(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123 - mode 0600 from the start
            file.write(f"{secret}\n")
