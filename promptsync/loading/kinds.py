"""What a file is by its name: asked here, once, when a file comes through the door, and carried in the request.

Owns the registry of the kinds of files, the vendors' and the plugins', and which of them is believed. How names are
spelled is each kind's own knowledge; nobody else parses one.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from promptsync.errors import FileUnavailable, Held, InputRefused, PromptsyncError
from promptsync.loading.report import LoadRequest, Recognised
from promptsync.model import FilledBy, Schema
from promptsync.model.file_name import ChangeSetName, FileName, TableFileName
from promptsync.plugins.calls import PluginFailed, PluginPaused
from promptsync.plugins.declared import FileKind, TableFiles
from promptsync.plugins.loading import Extensions, Plugin

_UNKNOWN = "unknown_name"
_NUMBERED = re.compile(r"\.[0-9]{1,9}$", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What one kind says of a name; ``refused``: why it is of this kind and cannot be taken."""

    stated: TableFileName | None = None
    refused: PromptsyncError | None = None


class FileKinds:
    """The kinds of ``vendors``, in the order in which files of different kinds are loaded, then those of ``plugins``,
    which are asked first."""

    def __init__(self, schema: Schema, vendors: Iterable[TableFiles] = (), plugins: Sequence[Plugin] = ()) -> None:
        self._schema = schema
        self._vendors = tuple(vendors)
        self._plugins = tuple(plugins)
        theirs = [kind for plugin in plugins for kind in plugin.declared.file_kinds if isinstance(kind, TableFiles)]
        self._kinds = (*self._vendors, *theirs)

    @classmethod
    def of(cls, extensions: Extensions) -> "FileKinds":
        """Those of promptsync as the enabled plugins extend it."""
        own = (kind for kind in extensions.own.file_kinds if isinstance(kind, TableFiles))
        return cls(extensions.schema, own, extensions.plugins)

    def __iter__(self) -> Iterator[TableFiles]:
        return iter(self._kinds)

    def at_door(self, request: LoadRequest) -> LoadRequest:
        """The request, with what the file's name says unless somebody has stated it or asked before."""
        if request.found is not None or request.name is not None:
            return request
        return replace(request, found=self.recognise(request.path.name))

    def recognise(self, file_name: str) -> Recognised:
        """What a file's name says. Never raises: why a file cannot be taken is in the answer.

        A number after all of the name, as the archive of the drop folder gives it to a second file of one name, says
        nothing.
        """
        found = self._recognise(file_name)
        plain = _NUMBERED.sub("", file_name)
        if plain == file_name or found.kind or found.decoder or found.mark:
            return found
        without = self._recognise(plain)
        return without if without.kind or without.decoder else found

    def _recognise(self, file_name: str) -> Recognised:
        if (mark := self.mark(file_name)) is not None:
            return Recognised(len(self._kinds), mark=mark)
        for plugin in self._plugins:
            for kind in plugin.declared.file_kinds:
                if isinstance(kind, FileKind):
                    if fnmatchcase(file_name, kind.pattern):
                        return Recognised(len(self._kinds), decoder=(plugin, kind))
                elif (answer := self._of_plugin(plugin, kind, file_name)) is not None:
                    return self._recognised(kind, answer)
        return self._of_vendors(file_name)

    def is_empty(self, file_name: str, size: Callable[[], int]) -> bool:
        """Whether a file has no bytes, and there is none such of its kind. ``size``: in bytes, asked for if needed."""
        kind = self.recognise(file_name).kind
        return not file_name or (kind is not None and not kind.empty and size() == 0)

    def mark(self, file_name: str) -> str | None:
        """What a file is that a vendor writes for itself, a sentence; None if it is none."""
        return next((mark for kind in self._kinds if (mark := kind.mark(file_name)) is not None), None)

    def in_section(self, section: str) -> TableFiles:
        """The kind whose places stand in a section of the configuration. Raises KeyError."""
        return {kind.name: kind for kind in self._kinds}[section]

    def _of_vendors(self, file_name: str) -> Recognised:
        refused: Recognised | None = None
        for kind in self._vendors:
            answer = _ask(kind, file_name)
            if answer is None:
                continue
            found = self._recognised(kind, answer)
            if not isinstance(answer.refused, InputRefused):
                return found
            if refused is None or answer.refused.reason != _UNKNOWN:
                refused = found
        return refused or Recognised(len(self._kinds), refused=self._unknown(file_name))

    def _recognised(self, kind: TableFiles, answer: _Answer) -> Recognised:
        if answer.stated is None:
            return Recognised(len(self._kinds), kind, refused=answer.refused)
        return Recognised(self._kinds.index(kind), kind, answer.stated)

    def _of_plugin(self, plugin: Plugin, kind: TableFiles, file_name: str) -> _Answer | None:
        try:
            answer: _Answer | None = plugin.calls.one("file_kinds", _ask, kind, file_name)
        except PluginPaused as error:
            return _Answer(refused=FileUnavailable(f"{error}; the file waits until it works again."))
        except PluginFailed as error:
            return _Answer(refused=Held("plugin", f"{error}; put it right, then load the file again."))
        if answer is None or answer.stated is None or self._fits(answer.stated):
            return answer
        why = f"plugin {plugin.name}: {kind.name} says that {file_name} is of {_table(answer.stated)}"
        return _Answer(refused=Held("plugin", f"{why}, and no such files fill a table of that name."))

    def _fits(self, stated: object) -> bool:
        wanted = {FileName: FilledBy.SNAPSHOT, ChangeSetName: FilledBy.CHANGE_SET}.get(type(stated))
        table = _table(stated)
        return wanted is not None and table in self._schema and self._schema[table].filled_by is wanted

    def _unknown(self, file_name: str) -> InputRefused:
        *some, last = dict.fromkeys(ending for kind in self._kinds for ending in kind.endings) or ["a known ending"]
        endings = f"{', '.join(some)} or {last}" if some else last
        return InputRefused(
            _UNKNOWN, f"The file name {file_name!r} says nothing promptsync knows: it does not end in {endings}."
        )


def _ask(kind: TableFiles, file_name: str) -> _Answer | None:
    try:
        stated = kind.recognise(file_name)
    except InputRefused as refused:
        return _Answer(refused=refused)
    return None if stated is None else _Answer(stated)


def _table(stated: Any) -> str:
    return str(getattr(stated, "table", stated))
