"""Repeatable draws: everything in the sandbox that looks like chance comes from here.

A draw is a hash of the seed and of what the draw is for, so it does not depend on
the order of the questions, on the process or on the interpreter's hash seed.
"""

import hashlib
import random


def number(seed: int, *about: object) -> int:
    """Return 64 bits that depend on the seed and on what they are `about`, and on nothing else."""
    text = "\x1f".join([str(seed), *map(str, about)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def share(seed: int, *about: object) -> float:
    """Return a number from 0 up to, not including, 1."""
    return number(seed, *about) / 2**64


def stream(seed: int, *about: object) -> random.Random:
    """Return a generator of its own for one subject, so that subjects do not disturb each other."""
    return random.Random(number(seed, *about))


def guid(seed: int, *about: object) -> str:
    """Return a lower-case GUID."""
    text = "\x1f".join([str(seed), "guid", *map(str, about)])
    digits = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    variant = "89ab"[int(digits[16], 16) % 4]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def code(seed: int, length: int, *about: object) -> str:
    """Return an upper-case code such as Partner Center gives to products and availabilities."""
    alphabet = "0123456789BCDFGHJKLMNPQRSTVWXZ"
    left = number(seed, "code", *about)
    letters = []
    for _ in range(length):
        left, digit = divmod(left, len(alphabet))
        letters.append(alphabet[digit])
    return "".join(letters)


def cased(seed: int, text: str, *about: object) -> str:
    """Return an id in the letter case that this reply happens to use: a quarter is upper case."""
    return text if number(seed, "case", text, *about) % 4 else text.upper()


def happens(draw: random.Random, percent: float) -> bool:
    """Say whether something comes to pass that does so in that share of the cases."""
    return draw.random() * 100 < percent
