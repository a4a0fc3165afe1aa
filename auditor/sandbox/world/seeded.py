"""Repeatable random values: all randomness of the sandbox comes from here.

A value is a hash of the seed and of its subject (`about`). It does not depend on the order of
calls, on the process or on the interpreter's hash seed.
"""

import hashlib
import random


def number(seed: int, *about: object) -> int:
    """Return 64 bits that depend only on the seed and on `about`."""
    text = "\x1f".join([str(seed), *map(str, about)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def share(seed: int, *about: object) -> float:
    """Return a number in [0, 1)."""
    return number(seed, *about) / 2**64


def generator(seed: int, *about: object) -> random.Random:
    """Return a random generator for one subject, independent of all other subjects."""
    return random.Random(number(seed, *about))


def guid(seed: int, *about: object) -> str:
    """Return a lower-case GUID."""
    text = "\x1f".join([str(seed), "guid", *map(str, about)])
    digits = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    variant = "89ab"[int(digits[16], 16) % 4]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def code(seed: int, length: int, *about: object) -> str:
    """Return an upper-case code like Partner Center's product and availability ids."""
    alphabet = "0123456789BCDFGHJKLMNPQRSTVWXZ"
    left = number(seed, "code", *about)
    letters = []
    for _ in range(length):
        left, digit = divmod(left, len(alphabet))
        letters.append(alphabet[digit])
    return "".join(letters)


def cased(seed: int, text: str, *about: object) -> str:
    """Return an id in lower case or, in a quarter of the cases, in upper case."""
    return text if number(seed, "case", text, *about) % 4 else text.upper()


def happens(rng: random.Random, percent: float) -> bool:
    """Return true with this probability."""
    return rng.random() * 100 < percent
