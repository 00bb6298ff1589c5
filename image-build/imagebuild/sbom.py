"""The root's bill of materials: CycloneDX JSON from dpkg's and Python's own metadata.

The same root gives the same bytes. The document is composed here, so that it needs
nothing which the project's own Python lacks; the build's tools, which have CycloneDX's
library, hold it to the schema. Never asks a network.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from email.parser import HeaderParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

from imagebuild import licenses
from imagebuild.dpkg import Database, Package, database
from imagebuild.prune import SITE, gone
from imagebuild.stage import CACHE, BuildError, Stage, run, say

PLACE = "usr/share/stillopen/sbom.cdx.json"
NAME = "sbom.cdx.json"
# The namespace of the serial numbers; drawn once.
_NAMESPACE = uuid.UUID("6d0f8a52-1a5f-4d5e-9c53-2f6f6f5f7a10")
_OURSELVES = "stillopen"
_CHECK = """
import json, pathlib, sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
text = pathlib.Path(sys.argv[1]).read_text()
wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
if wrong:
    sys.exit(str(wrong)[:2000])
for one in json.loads(text)["components"]:
    if PackageURL.from_string(one["purl"]).to_string() != one["purl"]:
        sys.exit(f"{one['purl']} is not a purl in its canonical form")
"""

Json = dict[str, Any]


def make(base: Stage, lane: Stage, lock: Path, epoch: str, folder: Path) -> None:
    """Write the bill of what the final root will hold, and hold it to the schema."""
    root = base.folder / "root"
    told = [
        *debian(database(root), root, locked(lock)),
        *python(root / SITE, fetched(lane.folder / "report.json")),
    ]
    target = folder / NAME
    target.write_text(document(told, depends(database(root)), int(epoch)))
    run([str(CACHE / "tools/bin/python"), "-c", _CHECK, str(target)])
    say(licenses.summary(told))


def document(components: Iterable[Json], edges: Json, epoch: int) -> str:
    """Return the whole document."""
    listed = sorted(components, key=lambda one: str(one["bom-ref"]))
    known = {one["bom-ref"] for one in listed}
    (ourselves,) = (one for one in listed if one["name"] == _OURSELVES)
    appliance = {
        "type": "firmware",
        "bom-ref": "appliance",
        "name": "stillopen-appliance",
        "version": ourselves["version"],
    }
    told: Json = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(epoch, UTC).strftime(
                "%Y-%m-%dT%H:%M:%SZ"
            ),
            "component": appliance,
        },
        "components": listed,
        "dependencies": [
            {"ref": "appliance", "dependsOn": sorted(known)},
            *(
                {"ref": ref, "dependsOn": sorted(set(others) & known)}
                for ref, others in sorted(edges.items())
                if ref in known and set(others) & known
            ),
        ],
    }
    content = hashlib.sha256(_text(told).encode()).hexdigest()
    told["serialNumber"] = f"urn:uuid:{uuid.uuid5(_NAMESPACE, content)}"
    return _text(told)


def debian(known: Database, root: Path, sums: dict[str, str]) -> Iterator[Json]:
    """Yield a component for each Debian package that stays in the root."""
    leave, table = gone("package"), licenses.table()
    for name, package in sorted(known.packages.items()):
        if name in leave:
            continue
        if name not in sums:
            raise BuildError(f"{name} is in the root and not in root.lock.")
        yield {
            "type": "library",
            "bom-ref": f"deb:{name}",
            "name": name,
            "version": package.version,
            "supplier": {"name": "Debian"},
            "purl": debian_purl(package),
            "hashes": [{"alg": "SHA-256", "content": sums[name]}],
            **_optional("licenses", licenses.debian(table, root, name)),
            **_homepage(package.homepage),
        }


def debian_purl(package: Package) -> str:
    """Return what names a Debian package in databases of known faults."""
    told = f"pkg:deb/debian/{_quoted(package.name)}@{_quoted(package.version)}"
    told += f"?arch={package.architecture}&distro=debian-13"
    if (package.source, package.source_version) != (package.name, package.version):
        upstream = package.source
        if package.source_version != package.version:
            upstream += f"@{package.source_version}"
        told += f"&upstream={_quoted(upstream)}"
    return told


def depends(known: Database) -> Json:
    """Return which packages each package needs, of those that are there."""
    provided: dict[str, str] = {}
    for name, package in sorted(known.packages.items()):
        for virtual in package.provides:
            provided.setdefault(virtual, name)
    edges: Json = {}
    for name, package in known.packages.items():
        found = (
            next(filter(None, (_there(one, known, provided) for one in either)), None)
            for either in package.depends
        )
        edges[f"deb:{name}"] = [f"deb:{one}" for one in found if one]
    return edges


def python(site: Path, sums: dict[str, str]) -> Iterator[Json]:
    """Yield a component for each Python distribution of the lane, the lane included."""
    leave, table = gone("python"), licenses.table()
    for folder in sorted(site.glob("*.dist-info")):
        told = HeaderParser().parsestr((folder / "METADATA").read_text())
        name = re.sub(r"[-_.]+", "-", told["Name"]).lower()
        version = told["Version"]
        if name in leave:
            continue
        digest = sums.get(f"{name}=={version}")
        if digest is None and name != _OURSELVES:
            raise BuildError(
                f"{name} {version} is in the root and pip did not fetch it."
            )
        # Ours is in no index: a name there would be somebody else's.
        kind = "generic" if name == _OURSELVES else "pypi"
        yield {
            "type": "application" if name == _OURSELVES else "library",
            "bom-ref": f"python:{name}",
            "name": name,
            "version": version,
            "purl": f"pkg:{kind}/{_quoted(name)}@{_quoted(version)}",
            **_optional(
                "hashes", [{"alg": "SHA-256", "content": digest}] if digest else []
            ),
            **_optional("licenses", licenses.python(table, told)),
        }


def locked(lock: Path) -> dict[str, str]:
    """Return the SHA-256 of each package's file, from the lock."""
    lines = (line.split(" ") for line in lock.read_text().splitlines())
    return {line[0]: line[3] for line in lines}


def fetched(report: Path) -> dict[str, str]:
    """Return the SHA-256 of each wheel, from pip's report of what it installed."""
    return {
        "{}=={}".format(
            re.sub(r"[-_.]+", "-", one["metadata"]["name"]).lower(),
            one["metadata"]["version"],
        ): one["download_info"]["archive_info"]["hashes"]["sha256"]
        for one in json.loads(report.read_text())["install"]
    }


def _there(name: str, known: Database, provided: dict[str, str]) -> str | None:
    return name if name in known.packages else provided.get(name)


def _homepage(address: str) -> Json:
    if not address:
        return {}
    return {"externalReferences": [{"type": "website", "url": address.strip()}]}


def _optional(key: str, values: list[Json]) -> Json:
    return {key: values} if values else {}


def _quoted(words: str) -> str:
    return quote(words, safe=":")


def _text(told: Json) -> str:
    return json.dumps(told, indent=1, sort_keys=True, ensure_ascii=True) + "\n"
