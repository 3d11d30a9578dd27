"""The state of the search page: all of it is in the address, and every link changes a part of it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from search.request import MAX_DEPTH, SearchRequest

HITS_PER_PAGE = 20

# The filters, in the order that addresses have them.
FILTERS = ("system", "section", "kind", "group", "status", "on", "spelling")


@dataclass(frozen=True, slots=True)
class State:
    """What an address holds, as it came: `request` checks it. An empty text is a filter that is not set."""

    q: str = ""
    system: str = ""
    section: str = ""
    kind: str = ""
    group: str = ""
    status: str = ""
    on: str = ""
    spelling: str = ""
    offset: int = 0

    @classmethod
    def of(cls, parameters: QueryParams) -> State:
        """Returns the state in an address; what is none of ours, or no page, is passed over."""
        texts = {field.name: parameters.get(field.name, "") for field in fields(cls) if field.name != "offset"}
        page = parameters.get("offset", "")
        offset = int(page) if page.isascii() and page.isdigit() and len(page) < 5 else 0
        return cls(**texts, offset=offset - offset % HITS_PER_PAGE)

    def request(self) -> SearchRequest:
        """Returns the search that this asks for.

        Raises:
            RequestError: the kind that names what is wrong.
        """
        return SearchRequest.checked(
            self.q,
            system=self.system,
            section=self.section,
            kind=self.kind,
            group=self.group,
            status=self.status,
            on=self.on,
            spelling=self.spelling,
            limit=HITS_PER_PAGE,
            offset=self.offset,
        )

    def address(self, **changes: str | int) -> str:
        """Returns the search page's address with these changes; a change of anything leads to the first page."""
        changed = replace(self, **{"offset": 0, **changes})  # type: ignore[arg-type]
        held = {field.name: getattr(changed, field.name) for field in fields(changed)}
        return "/?" + urlencode({name: value for name, value in held.items() if value})

    @property
    def chosen(self) -> dict[str, str]:
        """The filters that are set."""
        return {name: value for name in FILTERS if (value := getattr(self, name))}

    def pages(self, total: int) -> tuple[int | None, int | None]:
        """Returns the offsets of the previous and the next page, None where there is none."""
        before = self.offset - HITS_PER_PAGE
        after = self.offset + HITS_PER_PAGE
        return (before if before >= 0 else None, after if after < min(total, MAX_DEPTH) else None)
