"""Short messages, each distinct, the same for the same number: what people write each other.

Texts of 200 to 800 characters in twelve languages that nobody speaks: words of syllables in
the letters of languages that are spoken, as frequent as words are (Zipf), in two of them
without spaces.  Headers have what a signed mail of a large provider has: three hops, a
DKIM signature of RSA-2048, an id of random letters.  Senders are two hundred people.
"""

import base64
import random
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

_PEOPLE: Final = 200
_DOMAINS: Final = tuple(f"mail{number}.example.net" for number in range(12))
_WORDS: Final = 6_000
_FOLD: Final = 70

_LATIN: Final = ("bcdfghklmnprstvwz", "aeiou")
_LETTERS: Final = (
    *(_LATIN, ("bcdfghjklmnpqrstvx", "aàâeéèêiïouù"), ("bcdfghklmnprstwzß", "aäeioöuü")),
    *(("bcdfglmnpqrstvz", "aàeèiìoòu"), ("bcdfghjlmnñpqrstvy", "aáeéiíoóuú")),
    *(("bcćdfghjklłmnprsśtwzźż", "aąeęioóuy"), ("bcçdfgğhjklmnprsştvyz", "aeıioöuü")),
    *(("бвгджзклмнпрстфхцчш", "аеиоуыэюя"), ("βγδζθκλμνξπρσφχψ", "αεηιουω")),
    ("אבגדהזחטכלמנסעפצקרש", "ויה"),
)
_UNSPACED: Final = (range(0x4E00, 0x5600), range(0x3042, 0x3094))


@dataclass(frozen=True, slots=True)
class Language:
    """Words, the most frequent first, and how the mail runs them together."""

    words: Sequence[str]
    space: str

    def text(self, chance: random.Random, characters: int) -> str:
        """Words until there are so many characters, in lines and sentences."""
        found = ""
        while len(found) < characters:
            word = self.words[bisect(_ZIPF, chance.random() * _ZIPF[-1])]
            end = chance.random()
            found += word + (
                f".{self.space}" if end < 0.08 else "\r\n" if end < 0.12 else self.space
            )
        return found


_ZIPF: Final = tuple(accumulate(1 / (rank + 2) for rank in range(_WORDS)))


def languages() -> Sequence[Language]:
    """Twelve of them."""
    chance = random.Random(5)
    found = []
    for consonants, vowels in _LETTERS:
        words = [
            "".join(
                chance.choice(consonants) + chance.choice(vowels)
                for _ in range(chance.choice((1, 1, 2, 2, 3, 3, 4)))
            )
            + (chance.choice(consonants) if chance.random() < 0.4 else "")
            for _ in range(_WORDS)
        ]
        found.append(Language(words, " "))
    for characters in _UNSPACED:
        letters = [chr(each) for each in characters]
        words = ["".join(chance.choices(letters, k=chance.randint(1, 3))) for _ in range(_WORDS)]
        found.append(Language(words, ""))
    return found


def short_messages(first: int, beyond: int) -> Iterator[bytes]:
    """The messages of numbers first to beyond - 1."""
    spoken = languages()
    for number in range(first, beyond):
        chance = random.Random(number)
        language = chance.choice(spoken)
        subject = language.text(chance, chance.randint(10, 50)).replace("\r\n", " ")
        text = language.text(chance, chance.randint(200, 800))
        yield f"{_header(number, chance, subject)}\r\n{text}\r\n".encode()


def _header(number: int, chance: random.Random, subject: str) -> str:
    person = chance.randrange(_PEOPLE)
    domain = _DOMAINS[person % len(_DOMAINS)]
    date = f"{number % 28 + 1} Nov 2026 {number % 24:02}:{number % 60:02}:{number % 59:02} +0100"
    received = "".join(
        f"Received: from out{chance.randrange(40)}.{domain} (out.{domain} [192.0.2.{hop + 40}])\r\n"
        f"\tby in{hop}.example.test (Postfix) with ESMTPS id {chance.getrandbits(48):012X}\r\n"
        f"\tfor <ann@example.test>; {date}\r\n"
        for hop in (3, 2, 1)
    )
    signature = _random(chance, 256)
    folded = "\r\n ".join(signature[at : at + _FOLD] for at in range(0, len(signature), _FOLD))
    return (
        f"{received}DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={domain}; s=mail1;\r\n"
        f" t={1_790_000_000 + number * 97}; h=From:To:Subject:Date:Message-ID;\r\n"
        f" bh={_random(chance, 32)};\r\n b={folded}\r\n"
        f"From: Person Number{person} <person{person}@{domain}>\r\n"
        f"To: Reader <ann@example.test>\r\nSubject: {subject}\r\nDate: {date}\r\n"
        f"Message-ID: <{_random(chance, 24).replace('/', '-')}@{domain}>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: 8bit\r\n"
    )


def _random(chance: random.Random, octets: int) -> str:
    return base64.b64encode(chance.randbytes(octets)).decode()
