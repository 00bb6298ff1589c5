"""Who may import whom, and what no file may do: the import table, enforced.

Each rule is a function from one parsed file to complaints; the last tests show each
rule a file that breaks it, so that a rule which sees nothing cannot pass.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


class File:
    """One Python file: its path from the root, its module name, what it imports."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.lines = text.count("\n")
        self.tree = ast.parse(text)
        self.module = _module(path)
        self.is_package = path.endswith("/__init__.py")
        self.imports = [*self._imports()]

    def _imports(self) -> Iterator[tuple[str, int]]:
        for node in ast.walk(self.tree):
            match node:
                case ast.Import(names=names):
                    for name in names:
                        yield name.name, node.lineno
                case ast.ImportFrom(module=module, names=names, level=level):
                    stem = self._stem(level, module)
                    # `from hardware import ports` imports hardware.ports.
                    for name in names:
                        yield f"{stem}.{name.name}", node.lineno
                case ast.Call(
                    func=ast.Attribute(attr="import_module")
                    | ast.Name(id="import_module" | "__import__" | "_load" | "_office"),
                    args=[ast.Constant(value=str(name)), *_],
                ):
                    yield name, node.lineno
                case ast.Call(
                    func=ast.Name(id="_bench"),
                    args=[ast.Constant(value=str(name)), *_],
                ):
                    yield f"kiosk.bench.{name}", node.lineno
                case _:
                    pass

    def _stem(self, level: int, module: str | None) -> str:
        if not level:
            return module or ""
        parts = self.module.split(".")
        parts = parts[: len(parts) - level + (1 if self.is_package else 0)]
        return ".".join([*parts, *([module] if module else [])])

    def uses(self, *packages: str) -> list[tuple[str, int]]:
        """Return the imports of these packages and of what is in them."""
        return [(n, at) for n, at in self.imports if _is_in(n, *packages)]


def _module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _is_in(name: str, *packages: str) -> bool:
    return any(name == p or name.startswith(f"{p}.") for p in packages)


@cache
def _product() -> list[File]:
    return [_file(p) for top in ("kiosk", "hardware") for p in _python(ROOT / top)]


@cache
def _tests() -> list[File]:
    return [_file(p) for p in _python(ROOT / "tests")]


def _python(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*.py") if "__pycache__" not in p.parts)


def _file(path: Path) -> File:
    return File(str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))


# -- the rules -----------------------------------------------------------------

# What the rules of selling may use of the standard library: no clock, no randomness,
# no file, no thread, no socket.
PURE_LIBRARY = (
    "__future__",
    "collections",
    "collections.abc",
    "dataclasses",
    "decimal",
    "enum",
    "fractions",
    "functools",
    "heapq",
    # Addresses as numbers: it opens nothing.
    "ipaddress",
    "itertools",
    "math",
    "operator",
    "re",
    "types",
    "typing",
    "urllib.parse",
    "zlib",
)
BIIP = ("kiosk/domain/barcode.py",)


def domain_is_pure(file: File) -> Iterator[str]:
    if not _is_in(file.module, "kiosk.domain"):
        return
    for name, line in file.imports:
        if _is_in(name, "kiosk.domain", "msgspec") or name == "kiosk.domain":
            continue
        if _is_in(name, "biip") and file.path in BIIP:
            continue
        if name.rpartition(".")[0] in PURE_LIBRARY or name in PURE_LIBRARY:
            continue
        yield f"{file.path}:{line}: the domain imports {name}"
    impure = {"open", "input", "print", "eval", "exec", "compile", "__import__"}
    for node in ast.walk(file.tree):
        match node:
            case ast.Call(func=ast.Name(id=called)) if called in impure:
                yield f"{file.path}:{node.lineno}: the domain calls {called}()"
            case ast.Attribute(attr="now" | "utcnow" | "today" as called):
                # `event.today` is a date that came in as an event.
                if isinstance(node.value, ast.Name) and node.value.id in (
                    "datetime",
                    "date",
                ):
                    yield f"{file.path}:{node.lineno}: the domain reads a clock: {called}"
            case ast.Global():
                yield f"{file.path}:{node.lineno}: the domain keeps a global"
            case _:
                pass


def hardware_knows_nothing_of_shops(file: File) -> Iterator[str]:
    if _is_in(file.module, "hardware"):
        for name, line in file.uses("kiosk", "kivy"):
            yield f"{file.path}:{line}: hardware imports {name}"


# The kiosk sees ports; these few see more, each for its reason.
BEYOND_PORTS: Mapping[str, tuple[str, ...]] = {
    # Names the devices of lane.toml and builds them: the composition root.
    "kiosk/main.py": ("hardware.registry",),
    # A wrong driver or option is a wrong setting, found before anything starts.
    "kiosk/settings.py": ("hardware.registry",),
    # `kiosk devices` asks each device how it is, and makes it do something.
    "kiosk/device_commands.py": (
        "hardware.registry",
        "hardware.diagnose",
        "hardware.exercise",
    ),
    # Card numbers leave no log: the terminals' own rule, wherever text goes out.
    "kiosk/sync/logs.py": ("hardware.terminal.redact",),
    # `kiosk decode` reads pictures.
    "kiosk/cli.py": (
        "hardware.scanner.commands",
        "hardware.scanner.camera",
    ),
}


def kiosk_sees_ports_only(file: File) -> Iterator[str]:
    if not _is_in(file.module, "kiosk"):
        return
    allowed = ("hardware.ports", *BEYOND_PORTS.get(file.path, ()))
    if _is_in(file.module, "kiosk.bench"):
        # The bench plays shopper to simulated devices; no production image has it.
        allowed += ("hardware.simulated",)
    for name, line in file.uses("hardware"):
        if not _is_in(name, *allowed):
            yield f"{file.path}:{line}: the kiosk imports {name}"


def drivers_are_named_in_the_registry(file: File) -> Iterator[str]:
    """Within hardware, one device's folder does not reach into another's."""
    if not _is_in(file.module, "hardware") or file.path == "hardware/registry.py":
        return
    parts = file.module.split(".")
    if (
        len(parts) < 2
        or parts[1] == "simulated"
        or file.path
        in (
            # One line per device, for the installer.
            "hardware/diagnose.py",
        )
    ):
        return
    drivers = (
        "scanner",
        "printer",
        "terminal",
        "scale",
        "ups",
        "light",
        "audio",
        "keypad",
        "simulated",
    )
    for other in drivers:
        if other != parts[1]:
            for name, line in file.uses(f"hardware.{other}"):
                yield f"{file.path}:{line}: a driver imports {name}"


# Where Kivy draws. All else under ui/ is pure and is tested without a window.
KIVY_FILES = (
    "kiosk/ui/app.py",
    # Looks at the pictures that were drawn.
    "kiosk/ui/audit.py",
    "kiosk/ui/glass.py",
    "kiosk/ui/screen.py",
    "kiosk/ui/textures.py",
    "kiosk/ui/touches.py",
    "kiosk/ui/finder.py",
    "kiosk/ui/widgets.py",
)
# They start the screen, or show it on the bench's page.
SCREEN_STARTERS = (
    "kiosk/main.py",
    # Starts the screen of a kiosk that is no lane yet.
    "kiosk/cli.py",
    "kiosk/bench/window.py",
    # They follow the real screen with a stop-watch, and over ten thousand sales.
    "kiosk/bench/probe.py",
    "kiosk/bench/soak.py",
)
# The bench looks at the window; its floor for a frame is a bare window of Kivy's.
KIVY_BENCH = (
    "kiosk/bench/window.py",
    "kiosk/bench/bare_window.py",
    "kiosk/bench/probe.py",
)


def kivy_stays_in_the_screen(file: File) -> Iterator[str]:
    if not _is_in(file.module, "kiosk") or file.path in KIVY_FILES:
        return
    if file.path not in SCREEN_STARTERS:
        drawing = tuple(_module(path) for path in KIVY_FILES)
        for name, line in file.uses(*drawing):
            yield f"{file.path}:{line}: {name} would bring Kivy into a pure file"
    if file.path not in KIVY_BENCH:
        for name, line in file.uses("kivy"):
            yield f"{file.path}:{line}: {name} outside the files that draw"


# Whole subtrees, and what of the kiosk each may see besides itself.
VIEWS: Mapping[str, tuple[str, ...]] = {
    "kiosk.domain": (),
    "kiosk.records": ("kiosk.domain",),
    # What its hello says of the machine below the lane stands in a few files.
    "kiosk.sync": ("kiosk.domain", "kiosk.records", "kiosk.readings"),
    # The wire is spoken on both ends in the same words.
    "kiosk.backoffice": (
        "kiosk.domain",
        "kiosk.records",
        "kiosk.sync.wire",
        "kiosk.sync.claim",
    ),
    # Asks with sync's words, and checks settings as the lane will read them.
    "kiosk.enrolment": (
        "kiosk.records",
        "kiosk.machine",
        "kiosk.settings",
        "kiosk.fleet_settings",
        "kiosk.sync",
    ),
    # It reads the lane's answers and keys, and replaces files as records do; the poller
    # knows its fleet and what runs.
    "kiosk.updater": (
        "kiosk.records",
        "kiosk.machine",
        "kiosk.readings",
        "kiosk.settings",
        "kiosk.fleet_settings",
        "kiosk.sync.questions",
        "kiosk.sync.wire",
    ),
    # A root service holds as little as it can: no screen, no device, no lane.
    "kiosk.caretaker": (
        "kiosk.domain",
        "kiosk.records",
        "kiosk.settings",
        "kiosk.sync.state",
    ),
    # A screen shows a View of the state and posts taps.
    "kiosk.ui": (
        "kiosk.domain",
        "kiosk.asked",
        "kiosk.machine",
        "kiosk.records.catalog_db",
    ),
}


def parts_see_what_they_may(file: File) -> Iterator[str]:
    for part, others in VIEWS.items():
        if _is_in(file.module, part):
            for name, line in file.uses("kiosk"):
                if not _is_in(name, part, *others):
                    yield f"{file.path}:{line}: {part} imports {name}"


def nothing_imports_main(file: File) -> Iterator[str]:
    if file.path == "kiosk/cli.py":
        return
    for name, line in file.uses("kiosk.main"):
        yield f"{file.path}:{line}: imports {name}; only the command line may"


def bench_is_not_needed(file: File) -> Iterator[str]:
    """A production image has no bench and no simulator: nothing else needs them."""
    if _is_in(file.module, "kiosk.bench", "hardware.simulated"):
        return
    if file.path in ("kiosk/cli.py", "kiosk/main.py", "hardware/registry.py"):
        # They load them when they are asked to, and say so when they are not there.
        return
    for name, line in file.uses("kiosk.bench", "hardware.simulated"):
        yield f"{file.path}:{line}: {name} is not on a production image"


def back_office_is_not_needed(file: File) -> Iterator[str]:
    """An appliance has no back office and no fleet's commands, nor their libraries."""
    packages = ("kiosk.backoffice", "kiosk.fleet")
    if _is_in(file.module, *packages, "kiosk.bench", "kiosk.cli"):
        return
    for name, line in file.uses(*packages):
        yield f"{file.path}:{line}: {name} is not on an appliance"


# Drivers are imported when they are asked for: a lane loads only what it has.
LATE_IMPORTS = ("hardware/registry.py",)
# Kivy opens its window on import; commands load what they need; the bench may lack.
DYNAMIC_IMPORTS = ("kiosk/main.py", "kiosk/cli.py")


def imports_stand_at_the_top(file: File) -> Iterator[str]:
    if file.path in LATE_IMPORTS:
        return
    for node in ast.walk(file.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Import | ast.ImportFrom):
                    yield f"{file.path}:{inner.lineno}: an import within a function"
        match node:
            case ast.Call(
                func=ast.Attribute(attr="import_module")
                | ast.Name(id="import_module" | "__import__")
            ) if file.path not in DYNAMIC_IMPORTS:
                yield f"{file.path}:{node.lineno}: an import by name"
            case _:
                pass


def has_a_docstring(file: File) -> Iterator[str]:
    if not ast.get_docstring(file.tree):
        yield f"{file.path}: does not say what it is for"


LONGEST_FILE = 450
# Longer ones, each with its reason.
LONG_FILES: Mapping[str, str] = {
    "hardware/ports.py": "a closed list: what a lane asks of every device it can have",
    "hardware/registry.py": "a constructor a driver, and no other file names drivers",
    "kiosk/domain/lane.py": "the lane's manual: one match over all events, in order",
    "kiosk/domain/events.py": "a closed list; two files would be two lists",
    "kiosk/main.py": "the one file that knows everything",
    "kiosk/ui/staff.py": "one function for each of the attendant's screens",
    "kiosk/ui/shopping.py": "one function for each of the shopper's screens",
    "kiosk/ui/drawings.py": "pictures as numbers, no logic",
    "kiosk/ui/layout.py": "one function for each kind of piece",
}


def is_short(file: File) -> Iterator[str]:
    # Half a screen of leeway: a rule of thumb is no reason to split a thought.
    if file.lines > LONGEST_FILE + 10 and file.path not in LONG_FILES:
        yield f"{file.path}: {file.lines} lines; split it, or say here why not"


def uses_no_mock(file: File) -> Iterator[str]:
    for name, line in file.uses("unittest.mock", "mock", "pytest_mock"):
        yield f"{file.path}:{line}: {name}: let the simulator grow instead"
    for node in ast.walk(file.tree):
        if isinstance(node, ast.arg) and node.arg == "mocker":
            yield f"{file.path}:{node.lineno}: a mock by the back door"


def does_not_sleep(file: File) -> Iterator[str]:
    for name, line in file.uses("time.sleep"):
        yield f"{file.path}:{line}: {name}: wait for what is to happen"
    for node in ast.walk(file.tree):
        match node:
            case ast.Call(
                func=ast.Attribute(attr="sleep", value=ast.Name(id="time" | "asyncio"))
            ):
                yield f"{file.path}:{node.lineno}: sleeps; wait for what is to happen"
            case _:
                pass


Rule = Callable[[File], Iterator[str]]
OF_PRODUCT: tuple[Rule, ...] = (
    domain_is_pure,
    hardware_knows_nothing_of_shops,
    kiosk_sees_ports_only,
    drivers_are_named_in_the_registry,
    kivy_stays_in_the_screen,
    parts_see_what_they_may,
    nothing_imports_main,
    bench_is_not_needed,
    back_office_is_not_needed,
    imports_stand_at_the_top,
    has_a_docstring,
    is_short,
    uses_no_mock,
)
OF_TESTS: tuple[Rule, ...] = (uses_no_mock, does_not_sleep, has_a_docstring)


@pytest.mark.parametrize("rule", OF_PRODUCT, ids=lambda rule: rule.__name__)
def test_the_product_keeps(rule):
    assert [wrong for file in _product() for wrong in rule(file)] == []


@pytest.mark.parametrize("rule", OF_TESTS, ids=lambda rule: rule.__name__)
def test_the_tests_keep(rule):
    assert [wrong for file in _tests() for wrong in rule(file)] == []


@pytest.mark.parametrize(
    "path", [*KIVY_FILES, *SCREEN_STARTERS, *BEYOND_PORTS, *BIIP, *LONG_FILES]
)
def test_an_exception_is_for_a_file_that_is_there(path):
    assert (ROOT / path).is_file()


# -- the rules are shown what they must find -----------------------------------

BAD: list[tuple[Rule, str, str]] = [
    (domain_is_pure, "kiosk/domain/x.py", "import time"),
    (domain_is_pure, "kiosk/domain/x.py", "import random"),
    (domain_is_pure, "kiosk/domain/x.py", "from datetime import datetime"),
    (domain_is_pure, "kiosk/domain/x.py", "from pathlib import Path"),
    (domain_is_pure, "kiosk/domain/x.py", "import threading"),
    (domain_is_pure, "kiosk/domain/x.py", "import socket"),
    (domain_is_pure, "kiosk/domain/x.py", "import os"),
    (domain_is_pure, "kiosk/domain/x.py", "import urllib.request"),
    (domain_is_pure, "kiosk/domain/x.py", "from kiosk.records import journal"),
    (domain_is_pure, "kiosk/domain/x.py", "from kiosk import runner"),
    (domain_is_pure, "kiosk/domain/x.py", "from .. import runner"),
    (domain_is_pure, "kiosk/domain/x.py", "from biip import parse"),
    (domain_is_pure, "kiosk/domain/x.py", "import apsw"),
    (domain_is_pure, "kiosk/domain/x.py", "open('/etc/passwd')"),
    (domain_is_pure, "kiosk/domain/x.py", "a = datetime.now()"),
    (domain_is_pure, "kiosk/domain/x.py", "def f():\n    global a\n    a = 1"),
    (hardware_knows_nothing_of_shops, "hardware/x.py", "from kiosk.asked import A"),
    (hardware_knows_nothing_of_shops, "hardware/scale/x.py", "import kivy"),
    (kiosk_sees_ports_only, "kiosk/effects.py", "from hardware import registry"),
    (kiosk_sees_ports_only, "kiosk/x.py", "import hardware.printer.wires"),
    (kiosk_sees_ports_only, "kiosk/x.py", "from hardware.simulated import scale"),
    (
        kiosk_sees_ports_only,
        "kiosk/bench/x.py",
        "from hardware.printer import wires",
    ),
    (
        drivers_are_named_in_the_registry,
        "hardware/printer/x.py",
        "from hardware.scanner import decode",
    ),
    (kivy_stays_in_the_screen, "kiosk/ui/presenter.py", "from kivy.app import App"),
    (kivy_stays_in_the_screen, "kiosk/runner.py", "import kivy"),
    (kivy_stays_in_the_screen, "kiosk/ui/view.py", "from kiosk.ui import widgets"),
    (kivy_stays_in_the_screen, "kiosk/ui/view.py", "from . import widgets"),
    (kivy_stays_in_the_screen, "kiosk/receipt.py", "import kiosk.ui.app"),
    (parts_see_what_they_may, "kiosk/sync/x.py", "from kiosk.runner import A"),
    (parts_see_what_they_may, "kiosk/sync/x.py", "from kiosk import effects"),
    (parts_see_what_they_may, "kiosk/backoffice/x.py", "import kiosk.ui.words"),
    (parts_see_what_they_may, "kiosk/records/x.py", "from kiosk.sync import wire"),
    (parts_see_what_they_may, "kiosk/ui/x.py", "from kiosk.effects import Effects"),
    (parts_see_what_they_may, "kiosk/updater/x.py", "from kiosk.runner import A"),
    (nothing_imports_main, "kiosk/bench/x.py", "from kiosk import main"),
    (nothing_imports_main, "kiosk/x.py", "import kiosk.main"),
    (bench_is_not_needed, "kiosk/health.py", "from kiosk.bench import play"),
    (back_office_is_not_needed, "kiosk/sync/x.py", "from kiosk import backoffice"),
    (back_office_is_not_needed, "kiosk/main.py", "import kiosk.fleet.publish"),
    (back_office_is_not_needed, "kiosk/main.py", "_office('kiosk.fleet.commands')"),
    (imports_stand_at_the_top, "kiosk/x.py", "def f():\n    import os"),
    (imports_stand_at_the_top, "kiosk/x.py", "importlib.import_module('os')"),
    (has_a_docstring, "kiosk/x.py", "a = 1"),
    (is_short, "kiosk/x.py", "a = 1\n" * (LONGEST_FILE + 11)),
    (uses_no_mock, "tests/x.py", "from unittest.mock import Mock"),
    (uses_no_mock, "tests/x.py", "from unittest import mock"),
    (uses_no_mock, "tests/x.py", "def test_a(mocker):\n    pass"),
    (does_not_sleep, "tests/x.py", "import time\ntime.sleep(1)"),
    (does_not_sleep, "tests/x.py", "from time import sleep"),
]


@pytest.mark.parametrize(("rule", "path", "text"), BAD)
def test_a_broken_rule_is_found(rule, path, text):
    assert [*rule(File(path, text))]


def test_every_rule_is_shown_what_it_must_find():
    shown = {rule for rule, _, _ in BAD}
    assert shown == {*OF_PRODUCT, *OF_TESTS}


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (domain_is_pure, "kiosk/domain/x.py", "from collections.abc import Iterable"),
        (domain_is_pure, "kiosk/domain/x.py", "a = event.today"),
        (kiosk_sees_ports_only, "kiosk/effects.py", "from hardware import ports"),
        (kiosk_sees_ports_only, "kiosk/main.py", "from hardware import registry"),
        (nothing_imports_main, "kiosk/cli.py", "_load('kiosk.main')"),
        (parts_see_what_they_may, "kiosk/sync/x.py", "from kiosk.sync import wire"),
    ],
)
def test_what_is_allowed_is_not_found(rule, path, text):
    assert [*rule(File(path, text))] == []
