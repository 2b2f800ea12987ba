"""Conditions on the files and the folder that would go."""

from dataclasses import asdict

from ops.cleanup.facts import Facts
from ops.evidence.finding import Finding


def files_removable(facts: Facts) -> Finding:
    """The configured folders are ones to clean up."""
    folders = [str(folder) for folder in facts.scene.rules.folders]
    if not folders:
        return Finding("files may go", True, "no CLEANUP_FOLDERS are set: no file is removed")
    size = sum(file.bytes for file in facts.files)
    reason = f"{len(facts.files)} files of {size:,} bytes in {', '.join(folders)}"
    return Finding("files may go", True, reason, {"folders": folders})


def repository_removable(facts: Facts) -> Finding:
    """The temporary repository is one, and lies where it may be removed."""
    name, found = "repository may go", facts.repository
    if facts.scene.rules.repository is None:
        return Finding(name, True, "no REPOSITORY_FOLDER is set: none is removed")
    if found is None:
        return Finding(name, True, f"{facts.scene.rules.repository} is not there")
    return Finding(name, True, f"{found.path}: {found.files} files", asdict(found))
