"""Debian packages of the image: named once, locked by hash, kept in a local pool.

`root.list` names what is wanted (`name/suite` where it is not the release's own);
`lock/root.lock` says exactly which files that is:
name, version, architecture, SHA-256, size and place in the archive, a line each. The
archive's address comes from this machine's own apt and is written nowhere.
"""

from __future__ import annotations

import hashlib
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from imagebuild.stage import CACHE, PROJECT, BuildError, run, say

SUITE = "trixie"
# Newer than the release: only what `root.list` asks of it by name.
_BACKPORTS = f"{SUITE}-backports"
LIST = PROJECT / "image-build" / "root.list"
LOCK = PROJECT / "image-build" / "lock" / "root.lock"
TOOLS_LIST = PROJECT / "image-build" / "tools.list"
TOOLS_LOCK = PROJECT / "image-build" / "lock" / "tools.lock"
POOL = CACHE / "pool"
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_FILE = re.compile(r"^'\S+' (?P<name>[^_]+)_(?P<version>[^_]+)_\w+\.deb \d+ ", re.M)
_FIELD = re.compile(
    r"^(Package|Version|Architecture|SHA256|Size|Filename): (.*)$", re.M
)
_FIELDS = ("Package", "Version", "Architecture", "SHA256", "Size", "Filename")
_DOWNLOADS = 4


def wanted(file: Path = LIST) -> list[str]:
    """Return the names in a list, each with `/suite` where it has one."""
    lines = (line.split("#")[0].strip() for line in file.read_text().splitlines())
    return [line for line in lines if line]


def names() -> list[str]:
    """Return the names in `root.list` alone."""
    return [line.split("/")[0] for line in wanted()]


def archive() -> str:
    """Return the address of Debian's archive, as this machine's apt has it."""
    if given := os.environ.get("DEBIAN_ARCHIVE"):
        return given
    told = run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(COMPONENT)"])
    for line in told.splitlines():
        uri = line.split(" ")[0]
        if uri.rstrip("/").endswith("/debian"):
            return uri
    raise BuildError(
        "This machine's apt knows no Debian archive.\n"
        "Set DEBIAN_ARCHIVE to its address and run this again."
    )


def apt_options() -> list[str]:
    """Return what makes apt look at the image's suite instead of this machine's."""
    apt = CACHE / "apt"
    for folder in (
        "etc/apt/apt.conf.d",
        "etc/apt/preferences.d",
        "var/lib/apt/lists/partial",
        "var/cache/apt/archives/partial",
        "var/lib/dpkg",
    ):
        (apt / folder).mkdir(parents=True, exist_ok=True)
    (apt / "var/lib/dpkg/status").touch()
    sources = "".join(
        f"deb [signed-by={_KEYRING}] {archive()} {suite} main\n"
        for suite in (SUITE, _BACKPORTS)
    )
    (apt / "etc/apt/sources.list").write_text(sources)
    options = ["-o", f"Dir={apt}", "-o", "APT::Architecture=amd64"]
    options += ["-o", f"Dir::State::status={apt}/var/lib/dpkg/status"]
    return options


def lock() -> None:
    """Resolve the lists anew against the archive of today, and write the locks."""
    options = apt_options()
    run(["apt-get", *options, "-q", "update"])
    told = run(
        [
            *("apt-get", *options, "-q", "-y", "--no-install-recommends"),
            *("--print-uris", "install", "?essential", "apt", *wanted()),
        ]
    )
    named = [
        f"{found['name']}={found['version'].replace('%3a', ':')}"
        for found in _FILE.finditer(told)
    ]
    if not named:
        raise BuildError("apt resolved nothing; see its words:\n" + told[-2000:])
    _write(LOCK, options, named)
    # What depends on them is not wanted: files are taken out, nothing is installed.
    _write(TOOLS_LOCK, options, wanted(TOOLS_LIST))


def _write(file: Path, options: list[str], named: list[str]) -> None:
    lines = set()
    shown = run(["apt-cache", *options, "show", "--no-all-versions", *named])
    for stanza in shown.split("\n\n"):
        told_of = dict(_FIELD.findall(stanza))
        if told_of:
            lines.add(" ".join(told_of[field] for field in _FIELDS))
    file.parent.mkdir(exist_ok=True)
    file.write_text("\n".join(sorted(lines)) + "\n")
    say(f"{len(lines)} packages are locked in {file.relative_to(PROJECT)}")


def repository(folder: Path) -> None:
    """Make a Debian repository of exactly the locked files."""
    for name, version, architecture, sha, *_ in fetched(LOCK):
        file = folder / f"{name}_{version.replace(':', '%3a')}_{architecture}.deb"
        os.link(POOL / sha, file)
    index = run(["apt-ftparchive", "packages", str(folder)])
    (folder / "Packages").write_text(index.replace(f"{folder}/", "./"))
    # mmdebstrap finds the essential packages by the suite's name.
    named = [f"APT::FTPArchive::Release::{x}={SUITE}" for x in ("Suite", "Codename")]
    options = [word for one in named for word in ("-o", one)]
    release = run(["apt-ftparchive", *options, "release", str(folder)])
    (folder / "Release").write_text(release)


def tools(folder: Path) -> None:
    """Unpack what the build takes from Debian and does not install."""
    for line in fetched(TOOLS_LOCK):
        run(["dpkg-deb", "-x", str(POOL / line[3]), str(folder / "root")])


def fetched(file: Path) -> list[list[str]]:
    """Return a lock's lines, each a list of its fields, with every file in the pool."""
    lines = [line.split(" ") for line in file.read_text().splitlines()]
    POOL.mkdir(parents=True, exist_ok=True)
    missing = [line for line in lines if not (POOL / line[3]).is_file()]
    if missing:
        size = sum(int(line[4]) for line in missing)
        say(f"  {len(missing)} packages to fetch, {size / 1e6:.0f} MB")
        base = archive().rstrip("/")
        with ThreadPoolExecutor(_DOWNLOADS) as workers:
            list(workers.map(lambda line: _fetch(base, line), missing))
    return lines


def pooled() -> list[Path]:
    """Return the packages that were fetched, in this run or before."""
    return [file for file in POOL.glob("*") if not file.suffix]


def _fetch(base: str, line: list[str]) -> None:
    name, version, _, sha, _, place = line
    aside = POOL / f"{sha}.new"
    try:
        with _session().get(f"{base}/{place}", stream=True, timeout=60) as source:
            source.raise_for_status()
            with aside.open("wb") as target:
                for chunk in source.iter_content(1 << 20):
                    target.write(chunk)
    except (OSError, requests.RequestException) as error:
        raise BuildError(
            f"{name} {version} could not be fetched ({type(error).__name__}).\n"
            "Run this again; what was fetched is kept. The archive keeps the newest"
            " version only: `make image-lock` locks that."
        ) from error
    if hashlib.sha256(aside.read_bytes()).hexdigest() != sha:
        aside.unlink()
        raise BuildError(f"{name} {version} is not the file that the lock names.")
    aside.rename(POOL / sha)


def _session() -> requests.Session:
    session = requests.Session()
    again = Retry(total=8, backoff_factor=1.0, status_forcelist=[500, 502, 503, 504])
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=again))
    return session
