"""What a process makes of one bucket: the outcomes of its checks and the staged answers.

It is put into the shared files as a whole, and read again by whoever publishes the run.
"""

from collections.abc import Sequence

import msgspec

from auditor.journal.quarantine import QuarantineRecord
from auditor.model import Settled
from auditor.normalize.staged import Staged, StagedBucket
from auditor.plan.plan import Plan, ProductKey
from auditor.run.parts.folder import FilesGone, packed, unpacked
from auditor.store.shared_files import SharedFiles

_OUTCOMES = "outcomes"


class Learned(msgspec.Struct, frozen=True, kw_only=True):
    """Inventory variables that the checks of a product turned out to need."""

    product: ProductKey
    variables: tuple[str, ...]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The outcomes of one bucket; its answers are in files beside it."""

    settled: tuple[Settled, ...]
    learned: tuple[Learned, ...]
    is_route_gone: bool
    """Whether checkInventory is gone, as in the plan's rules."""
    unusable: tuple[QuarantineRecord, ...]


class _Outcomes(msgspec.Struct, frozen=True, kw_only=True):
    """The content of the file with everything but the staged answers."""

    result: Result
    staged: StagedBucket


def learned_in(plan: Plan) -> tuple[Learned, ...]:
    """Return the inventory variables that a plan has beside those of the catalog."""
    return tuple(
        Learned(product=(country, scope, product_id), variables=tuple(variables))
        for (country, scope), catalog in sorted(plan.catalogs.items())
        for product_id, variables in sorted(catalog.learned.items())
    )


def put(files: SharedFiles, folder: str, result: Result, staged: Staged, bucket: int) -> None:
    """Put a result and the staged answers of its bucket."""
    described, answers = staged.hand_over(bucket)
    for path in answers:
        files.put_if_absent(f"{folder}/{path.name}", packed(path.read_bytes()))
    outcomes = _encoder.encode(_Outcomes(result=result, staged=described))
    files.put_if_absent(f"{folder}/{_OUTCOMES}", packed(outcomes))


def get(files: SharedFiles, folder: str, staged: Staged) -> Result:
    """Return a result, and let `staged` take over its answers.

    Raises:
        FilesGone: another process has published the run.
    """
    outcomes: bytes | None = None
    for path in files.names(folder):
        data = files.get(path)
        name = path.rpartition("/")[2]
        if data is None:
            raise FilesGone
        if name == _OUTCOMES:
            outcomes = data
        else:
            (staged.folder / name).write_bytes(unpacked(data))
    if outcomes is None:
        raise FilesGone
    decoded = _decoder.decode(unpacked(outcomes))
    staged.take_over(decoded.staged)
    return decoded.result


def _plain(value: object) -> object:
    """Return checks that are made on access as a tuple."""
    if isinstance(value, Sequence):
        return tuple(value)
    raise TypeError(type(value).__name__)


_encoder = msgspec.msgpack.Encoder(enc_hook=_plain)
_decoder = msgspec.msgpack.Decoder(_Outcomes)
