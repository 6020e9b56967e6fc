"""Questions about Docker's network modes as people ask them, the claims that answer them, and the search for a
question."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

#: Characters around a word that do not belong to it: quotation marks, commas, brackets.
_AROUND = "\"'“”`,;:!?()[]"
MAX_QUERY = 200


@dataclass(frozen=True, slots=True)
class Link:
    """A link to another site. ``title`` is the page's title, or a sentence quoted from the page."""

    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Question:
    """One question.

    ``symptoms`` are messages and observations, in the words that people search for. ``answer`` consists of two
    sentences. ``claims`` are the ids of the claims that prove the answer, the most direct one first. ``documented``
    quotes Docker's documentation. ``asked`` lists GitHub issues in which people asked the question, as
    ``OWNER/REPOSITORY#NUMBER: title``.
    """

    id: str
    title: str
    symptoms: tuple[str, ...]
    answer: str
    claims: tuple[str, ...]
    documented: Link
    asked: tuple[str, ...]

    @property
    def issues(self) -> tuple[Link, ...]:
        """The issues of ``asked`` as links."""
        named = ((text, *text.partition(": ")[0].split("#")) for text in self.asked)
        return tuple(
            Link(text, f"https://github.com/{repository}/issues/{number}") for text, repository, number in named
        )

    @property
    def text(self) -> str:
        """The text that is searched, in lower case."""
        return " ".join((self.title, *self.symptoms, self.answer, *self.claims)).casefold()


def search_words(query: str) -> tuple[str, ...]:
    """Returns the words of a query in lower case, without duplicates and without quotation marks and punctuation around
    them."""
    words = (word.strip(_AROUND) for word in query[:MAX_QUERY].casefold().split())
    return tuple(dict.fromkeys(word.rstrip(".") for word in words if word.rstrip(".")))


def search[T](query: str, items: Sequence[T], text_of: Callable[[T], str]) -> tuple[T, ...]:
    """Returns those items that contain the most words of the query, in their given order. Returns all items if the
    query is empty, and none if no item contains any of its words. ``text_of`` returns the text of an item, in lower
    case. ``static/dashboard/js/core/claims/search.js`` does the same while a person types."""
    words = search_words(query)
    if not words:
        return tuple(items)
    counts = [sum(word in text_of(item) for word in words) for item in items]
    best = max(counts, default=0)
    return tuple(item for item, count in zip(items, counts, strict=True) if count == best > 0)
