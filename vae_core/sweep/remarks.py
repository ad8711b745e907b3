"""What a sweep says before its missing runs start."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from vae_core import runs
from vae_core.provenance import provenance
from vae_core.sweep.found import Found


def remarks(found: Sequence[Found]) -> Iterator[str]:
    """What to say of sweeps before they start: what is done, by which code, what is not counted and why.

    What is true of several folders is said once.
    """
    several = len(found) > 1
    folders: dict[str, list[str]] = {}
    for each in found:
        done = f"{len(each.done)} of {len(each.sweep.runs)} runs are done already"
        yield f"  {each.sweep_dir.name}: {done}" if several else done
        for remark in _exceptions(each):
            folders.setdefault(remark, []).append(each.sweep_dir.name)
    for remark, names in folders.items():
        yield f"  {'all' if len(names) == len(found) else '; '.join(names)}: {remark}" if several else remark


def _exceptions(found: Found) -> Iterator[str]:
    """What is not as usual in the folder of a sweep."""
    missing = {run.name for run in found.missing}
    records = [runs.read_json(folder / runs.RECORD) for folder in found.done]
    if commits := _other_code(records):
        yield f"finished runs are kept, though the code has changed since ({commits} then)"
    if elsewhere := _other_versions(records):
        yield f"made with other versions, and kept: {elsewhere}"
    for absent, number in Counter(found.lacking.values()).items():
        made, counts = ("run was", "it counts") if number == 1 else ("runs were", "they count")
        values = ", ".join(f"{name} {found.sweep.defaults[name]!r}" for name in absent)
        yield f"{number} {made} made before {' and '.join(absent)} existed: {counts} as {values}"
    faults = {folder.name: fault for folder, fault in found.left_out.items()}
    if again := ", ".join(f"{name} ({fault})" for name, fault in faults.items() if name in missing):
        yield f"done again, while the folder of before goes to kept/: {again}"
    if others := ", ".join(f"{name} ({fault})" for name, fault in faults.items() if name not in missing):
        yield f"not counted, and left alone: {others}"


def _other_code(records: Sequence[Mapping[str, object]]) -> str:
    """The commits of the finished runs whose code is not what is here."""
    here = provenance()
    others = [record for record in records if not _is_same_code(record, here)]
    return ", ".join(dict.fromkeys(_short(record.get("git_commit")) for record in others))


def _short(commit: object) -> str:
    return str(commit)[:7] if commit else "an unknown commit"


def _is_same_code(record: Mapping[str, object], here: Mapping[str, object]) -> bool:
    """By commit, or by the hash of the source where one of the two has no commit."""
    name = "git_commit" if record.get("git_commit") and here["git_commit"] else "source_sha256"
    return record.get(name) == here[name]


def _other_versions(records: Sequence[Mapping[str, object]]) -> str:
    """What the finished runs were made with where that is not what is here: Python, packages, processor."""
    here = _versions(provenance())
    there = {}
    for record in records:
        for name, version in _versions(record).items():
            if name in here and version != here[name]:
                there.setdefault(name, {})[str(version)] = None
    return ", ".join(f"{name} {' and '.join(versions)} (here {here[name]})" for name, versions in there.items())


def _versions(record: Mapping[str, object]) -> dict[str, object]:
    named = {"Python": record.get("python"), "processor": record.get("processor")}
    packages = record.get("versions")
    return {name: said for name, said in named.items() if said} | (packages if isinstance(packages, dict) else {})
