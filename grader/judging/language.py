"""What the judge tells a learner, in the learner's language: gettext's catalogues, with the English sentence
as the key.

`GRADER_LANGUAGE=de` chooses `grader/languages/de.po`. A sentence that it lacks stays English. Sentences with
something set in, as "{1} of {2} cases pass", are found by what stands around the gaps, so that the judge need
not know of languages; what stands in a gap is looked up in its turn.
"""

import functools
import os
import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "languages"
GAP = re.compile(r"\{(\d+)\}")
BESIDES = " Besides, "


class Catalogue:
    """Sentences and their translations.

    >>> german = Catalogue({"{1} of {2} cases pass": "{1} von {2} Fällen bestanden", "nan": "nan"})
    >>> german.say("3 of 5 cases pass")
    '3 von 5 Fällen bestanden'
    """

    def __init__(self, translations: dict[str, str]):
        self.whole = {key: value for key, value in translations.items() if not GAP.search(key)}
        with_gaps = [key for key in translations if GAP.search(key)]
        # the one with the most words around its gaps is tried first
        with_gaps.sort(key=lambda key: len(GAP.sub("", key)), reverse=True)
        self.patterns = [(pattern(key), translations[key]) for key in with_gaps]

    def say(self, text: str) -> str:
        """The translation of a text of one sentence or several, or the text itself."""
        if text in self.whole:
            return self.whole[text]
        first, *besides = text.split(BESIDES)
        if besides:
            others = [self.say(BESIDES.strip() + " {1}").replace("{1}", self.say(each)) for each in besides]
            return " ".join([self.say(first), *others])
        for regex, translation in self.patterns:
            match = regex.fullmatch(text)
            if match:
                inside = {
                    name.removeprefix("gap"): self.say(part) for name, part in match.groupdict().items()
                }
                return GAP.sub(lambda gap: inside.get(gap[1], gap[0]), translation)
        # after "Besides, " a sentence begins in lower case
        if text[:1].islower():
            capital = text[0].upper() + text[1:]
            said = self.say(capital)
            if said == capital:
                return text
            return said
        return text


def pattern(key: str) -> re.Pattern[str]:
    """A key with gaps as a regular expression. A gap that stands twice holds the same both times.

    Where no longer word stands around the gaps, as in "{1} of {2}", one word goes into each: else every
    sentence with an "of" would match.
    """
    parts, seen = [], set()
    last = 0
    inside = r"\S*?"
    if re.search("[A-Za-z]{3}", GAP.sub("", key)):
        inside = ".*?"
    for gap in GAP.finditer(key):
        parts.append(re.escape(key[last : gap.start()]))
        parts.append(f"(?P=gap{gap[1]})" if gap[1] in seen else f"(?P<gap{gap[1]}>{inside})")
        seen.add(gap[1])
        last = gap.end()
    return re.compile("".join([*parts, re.escape(key[last:])]), re.DOTALL)


def languages() -> list[str]:
    """The languages that have a catalogue, besides English."""
    return sorted(path.stem for path in FOLDER.glob("*.po"))


@functools.cache
def catalogue(language: str) -> Catalogue | None:
    """The catalogue of a language; None for English, and for a language without one."""
    path = FOLDER / f"{language}.po"
    if language not in languages():
        return None
    from babel.messages.pofile import read_po

    with path.open("rb") as file:
        entries = read_po(file, locale=language)
    translations: dict[str, str] = {}
    for entry in entries:
        if isinstance(entry.id, str) and isinstance(entry.string, str) and entry.string:
            translations[entry.id] = entry.string
    return Catalogue(translations)


def say(text: str) -> str:
    """A text in the language of `GRADER_LANGUAGE`, English where there is no translation of it."""
    chosen = catalogue(os.environ.get("GRADER_LANGUAGE", "en")[:2])
    if chosen and text:
        return chosen.say(text)
    return text
