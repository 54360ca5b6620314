"""What the simulation computes once: pure functions of bytes, which say the same in every process.

Ten thousand seeds read the same few texts and the same few chains a million times. The first look at
each is the product's own; later ones are answered from memory. Nothing is taken from a file that was
not read anew: only what its bytes mean is remembered.
"""

import functools
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final
from unittest.mock import patch

from agentctl.adapters.keys.sshsig import verify
from agentctl.adapters.sources.directory import Folder, Overlay
from agentctl.adapters.sources.gathering import gather, read_cluster_file
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.config.cluster_file import ParsedConfig, parse_config
from agentctl.domain.config.compilers import Languages
from agentctl.domain.config.load import LoadedCluster, resolve
from agentctl.domain.config.snapshot import FolderSnapshot
from agentctl.domain.config.wanting import wanted
from agentctl.domain.policy import cedar, judging
from agentctl.domain.policy.bundles import check_cedar
from agentctl.domain.policy.principals import Verify
from agentctl.domain.policy.principals_chain import ChainReading, verify_chain
from agentctl.engine import principals

_parse: Final = functools.lru_cache(maxsize=1024)(parse_config)
_languages: Final = functools.cache(Languages)
remembered_verify: Final = functools.lru_cache(maxsize=4096)(verify)
"""The same signatures are looked at by every process; what they say does not change."""


@functools.lru_cache(maxsize=1024)
def _verified(records: tuple[bytes, ...], check: Verify) -> ChainReading:
    return verify_chain(records, check)


def _verify_chain(records: Iterable[bytes], check: Verify) -> ChainReading:
    return _verified(tuple(records), check)


_answers: Final[dict[str, cedar.Answer]] = {}


def _ask(question: cedar.Question, *, policies: str, schema: str) -> cedar.Answer:
    key = f"{question!r} {hash(policies)} {hash(schema)}"
    answer = _answers.get(key)
    if answer is None:
        answer = _answers[key] = cedar.ask(question, policies=policies, schema=schema)
    return answer


@contextmanager
def remembered_judgements() -> Iterator[None]:
    """Lets a chain of principals, or a question to Cedar, be judged once for the same bytes."""
    with (
        patch.object(principals, "verify_chain", _verify_chain),
        patch.object(judging, "ask", _ask),
    ):
        yield


class RememberingFolder(Folder):
    """A folder whose files are read each time, and whose texts are understood once."""

    def _load(self, overlay: Overlay, *, confined: bool, remembered: bool = False) -> LoadedCluster:
        del remembered
        parsed, data = self._parsed(overlay, confined=confined)
        if data is None:
            return resolve(parsed, FolderSnapshot(files={}))
        seen = gather(self.path, wanted(parsed), data, overlay=overlay, confined=confined)
        return resolve(parsed, seen, _languages(), check_cedar=check_cedar)

    def _parsed(self, overlay: Overlay, *, confined: bool) -> tuple[ParsedConfig, bytes | None]:
        found = read_cluster_file(self.path, overlay=overlay, confined=confined)
        if isinstance(found, Diagnostic):
            return ParsedConfig(written=None, diagnostics=(found,)), None
        return _parse(found), found
