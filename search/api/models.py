"""The JSON shapes of the native interface."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from index.records import Change, Document, Policy
from index.snapshot import Manifest
from search.engine import Answer, Hit
from search.errors import RequestError
from search.similar import Similar, SimilarCodes
from search.suggest import Suggestion


class SearchBody(BaseModel):
    """What a search asks for."""

    model_config = ConfigDict(extra="forbid")

    q: Annotated[
        str,
        Field(
            description="What was done, in one's own words, or a code; at most 1,000 characters.",
            examples=["cement injection for sacral fracture"],
        ),
    ]
    system: Annotated[str | None, Field(description="Only this code system.", examples=["cpt"])] = None
    kind: Annotated[
        str | None, Field(description="procedure (if not given), modifier, header, or any.", examples=["modifier"])
    ] = None
    section: Annotated[str | None, Field(description="Only matches in this section.", examples=["risks"])] = None
    status: Annotated[
        str | None, Field(description="active (if not given): codes valid on the day; or all.", examples=["all"])
    ] = None
    on: Annotated[
        str | None, Field(description="The day that codes are valid on; today if not given.", examples=["2025-10-01"])
    ] = None
    spelling: Annotated[str | None, Field(description="off to take the query as it is written.", examples=["off"])] = (
        None
    )
    group: Annotated[
        str | None,
        Field(description="Only this body system or group of its system.", examples=["icd10pcs:0Q", "hcpcs:E"]),
    ] = None
    explain: Annotated[bool, Field(description="Tell why each hit stands where it does.", examples=[True])] = False
    limit: Annotated[int, Field(description="Hits a page, 1 to 100.", examples=[10])] = 10
    offset: Annotated[int, Field(description="Hits to pass over; offset + limit ≤ 1,000.", examples=[0])] = 0


class BatchRequest(BaseModel):
    """Several searches at once."""

    model_config = ConfigDict(extra="forbid")

    queries: Annotated[
        list[Any],
        Field(
            min_length=1,
            max_length=100,
            description="1 to 100 searches, each with the fields of POST /api/search.",
            examples=[[{"q": "knee replacement", "system": "icd10pcs", "limit": 3}]],
        ),
    ]


class PassageShown(BaseModel):
    """A passage that made a code match."""

    section: Annotated[str, Field(description="The section it stands in.", examples=["summary"])]
    text: Annotated[str, Field(description="The passage.", examples=["Bone cement is injected into the sacrum."])]
    highlights: Annotated[
        list[tuple[int, int]],
        Field(description="Start and end (excluded), in code points, of words of the query.", examples=[[[0, 4]]]),
    ]


class AlikeShown(BaseModel):
    """Other codes of a hit's table that answer about as well."""

    count: Annotated[int, Field(description="How many.", examples=[11])]
    differ: Annotated[list[str], Field(description="The characters that differ.", examples=[["Approach", "Device"]])]


class PlaceShown(BaseModel):
    """Where a retriever has a code."""

    retriever: Annotated[str, Field(description="dense or lexical.", examples=["dense"])]
    rank: Annotated[int, Field(description="From 1, by the code's best passage.", examples=[3])]
    score: Annotated[float, Field(description="A cosine (dense) or a BM25 score (lexical).", examples=[0.71])]


class ShareShown(BaseModel):
    """What one feature adds to a hit's score."""

    feature: Annotated[str, Field(description="Its name.", examples=["cosine of title"])]
    value: Annotated[float, Field(description="Its value.", examples=[0.71])]
    share: Annotated[
        float, Field(description="Score less the score with the candidates' median instead.", examples=[0.4])
    ]


class ExplanationShown(BaseModel):
    """Why a hit stands where it does."""

    score: Annotated[float, Field(description="The ranking model's, of no fixed range.", examples=[1.9])]
    retrievers: Annotated[list[PlaceShown], Field(description="Those that found it.")]
    features: Annotated[list[ShareShown], Field(description="Greatest shares first.")]


class HitShown(BaseModel):
    """A ranked code."""

    system: Annotated[str, Field(description="Code system.", examples=["cpt"])]
    code: Annotated[str, Field(description="The code.", examples=["0201T"])]
    title: Annotated[str, Field(description="Its descriptor.", examples=["Sacroplasty, bilateral"])]
    kind: Annotated[str, Field(description="procedure, modifier or header (not billable).", examples=["procedure"])]
    terminated: Annotated[date | None, Field(description="When it stopped being valid, if it did.")]
    score: Annotated[float, Field(description="0 to 1: how likely it is right.", examples=[0.98])]
    passages: Annotated[list[PassageShown], Field(description="Why it matched, best first.")]
    alike: Annotated[AlikeShown | None, Field(description="Other codes of its table that answer as well, if any.")]
    explanation: Annotated[ExplanationShown | None, Field(description="Where `explain` was asked for.")]


class ReleaseShown(BaseModel):
    """A source of the index."""

    system: Annotated[str, Field(description="Code system.", examples=["icd10pcs"])]
    version: Annotated[str, Field(description="The release, “bundled” or “page”.", examples=["2026"])]
    file: Annotated[str, Field(description="The file's name.", examples=["2026-icd-10-pcs-order-file.zip"])]
    sha256: Annotated[str, Field(description="The file's SHA-256.")]
    documents: Annotated[int, Field(description="Entries taken from it.", examples=[79115])]
    notice: Annotated[str, Field(description="The licence notice to be shown with it, if any.")]


class StepShown(BaseModel):
    """One thing that was understood of a query."""

    kind: Annotated[str, Field(description="spelling, abbreviation, name, words, attribute, …", examples=["spelling"])]
    found: Annotated[str, Field(description="What stands in the query.", examples=["tonsilectomy"])]
    meaning: Annotated[str, Field(description="What it is taken for.", examples=["tonsillectomy"])]


class SearchAnswer(BaseModel):
    """One page of hits, and what they were answered from."""

    hits: Annotated[list[HitShown], Field(description="Best first; empty where nothing fits.")]
    fits: Annotated[bool, Field(description="False where nothing fits well: the hits are the best of a bad lot.")]
    query: Annotated[str, Field(description="The query, cleaned.", examples=["cement injection"])]
    understood: Annotated[list[StepShown], Field(description="What was understood of it, step by step.")]
    processingTimeMs: Annotated[float, Field(description="Milliseconds in the engine.", examples=[6.2])]
    limit: Annotated[int, Field(description="As asked for.", examples=[10])]
    offset: Annotated[int, Field(description="As asked for.", examples=[0])]
    estimatedTotalHits: Annotated[int, Field(description="Hits to page through, at most 1,000.", examples=[57])]
    snapshot: Annotated[str, Field(description="The index that answered.")]
    releases: Annotated[list[str], Field(description="system version, of each source.", examples=[["icd10pcs 2026"]])]
    model: Annotated[str, Field(description="The encoder.", examples=["all-MiniLM-L6-v2"])]


class ErrorAnswer(BaseModel):
    """What was wrong with a request."""

    message: Annotated[str, Field(description="What was got and what was expected.")]
    code: Annotated[str, Field(description="A stable name of the error.", examples=["empty_query"])]
    type: Annotated[str, Field(description="invalid_request or internal.", examples=["invalid_request"])]


class BatchAnswer(BaseModel):
    """An answer or an error for each search, in order."""

    results: Annotated[list[SearchAnswer | ErrorAnswer], Field(description="In the order of the queries.")]


class SectionShown(BaseModel):
    """A section of a code's document."""

    kind: Annotated[str, Field(description="The section kind, as `section` takes it.", examples=["risks"])]
    heading: Annotated[str, Field(description="Its heading.", examples=["Risks and Complications"])]
    text: Annotated[str, Field(description="Its text; lists have one item a line.")]


class PolicyShown(BaseModel):
    """A payer's policy that names the code."""

    payer: Annotated[str, Field(description="Who issued it.", examples=["Medicare"])]
    policy_id: Annotated[str, Field(description="Its number.", examples=["NCD 220.4"])]
    title: Annotated[str, Field(description="Its title.", examples=["Mammograms"])]
    url: Annotated[str, Field(description="Where to read it, if known.")]
    effective: Annotated[date | None, Field(description="In force since.")]
    reviewed: Annotated[date | None, Field(description="Last reviewed.")]
    text: Annotated[str, Field(description="What it says, or a summary.")]


class SynonymShown(BaseModel):
    """Another name of the code."""

    text: Annotated[str, Field(description="The name.", examples=["Cholecystectomy"])]
    source: Annotated[str, Field(description="Where it is from.", examples=["ICD-10-PCS index 2025"])]


class CharacterShown(BaseModel):
    """One character of an ICD-10-PCS code."""

    axis: Annotated[str, Field(description="What the character tells.", examples=["Approach"])]
    value: Annotated[str, Field(description="The character.", examples=["3"])]
    label: Annotated[str, Field(description="What it stands for.", examples=["Percutaneous"])]
    definition: Annotated[str, Field(description="The release's definition, if any.")]
    explanation: Annotated[str, Field(description="The release's explanation, if any.")]
    includes: Annotated[list[str], Field(description="Terms that the value also stands for.")]


class AttributeShown(BaseModel):
    """A labelled fact of a release."""

    label: Annotated[str, Field(description="What it tells.", examples=["Coverage"])]
    value: Annotated[str, Field(description="The release's value.", examples=["D"])]
    meaning: Annotated[str, Field(description="The value spelled out, where that is known.")]


class ChangeShown(BaseModel):
    """What a release did to a code."""

    action: Annotated[str, Field(description="added, revised or deleted.", examples=["revised"])]
    release: Annotated[str, Field(description="The release.", examples=["2026"])]
    effective: Annotated[date | None, Field(description="From when.")]
    title_before: Annotated[str, Field(description="The title before, empty when added.")]


class CodeShown(BaseModel):
    """A code and what it is called."""

    system: Annotated[str, Field(description="Code system.", examples=["icd10pcs"])]
    code: Annotated[str, Field(description="The code.", examples=["0FT"])]
    title: Annotated[str, Field(description="Its descriptor.")]
    kind: Annotated[str, Field(description="procedure, modifier or header (not billable).", examples=["header"])]


class CodeAnswer(BaseModel):
    """Everything that the index holds of one code."""

    system: Annotated[str, Field(description="Code system.", examples=["cpt"])]
    code: Annotated[str, Field(description="The code.", examples=["0201T"])]
    title: Annotated[str, Field(description="Its descriptor.")]
    short_title: Annotated[str, Field(description="The release's short title, if any.")]
    kind: Annotated[str, Field(description="procedure, modifier or header (not billable).", examples=["procedure"])]
    effective: Annotated[date | None, Field(description="Valid from, where the release says so.")]
    terminated: Annotated[date | None, Field(description="Valid until, where the release says so.")]
    synonyms: Annotated[list[SynonymShown], Field(description="What else it is called.")]
    characters: Annotated[list[CharacterShown], Field(description="The seven characters of an ICD-10-PCS code.")]
    attributes: Annotated[list[AttributeShown], Field(description="Labelled facts of the release.")]
    sections: Annotated[list[SectionShown], Field(description="In the order of a procedure page.")]
    policies: Annotated[list[PolicyShown], Field(description="Related policies from health plans.")]
    history: Annotated[list[ChangeShown], Field(description="What releases did to it, oldest first.")]
    sources: Annotated[list[str], Field(description="What the page was checked against.")]

    hierarchy: Annotated[list[CodeShown], Field(description="The headers above an ICD-10-PCS code, from the top.")]
    children: Annotated[list[CodeShown], Field(description="What stands directly below a header.")]

    @classmethod
    def of(cls, document: Document, above: Sequence[Document], below: Sequence[Document]) -> CodeAnswer:
        """Returns the document in this shape."""
        fields = {name: getattr(document, name) for name in cls.model_fields if hasattr(document, name)}
        return cls.model_validate({**fields, "hierarchy": above, "children": below}, from_attributes=True)


class ChangedCode(CodeShown, ChangeShown):
    """A code and what a release did to it."""


class ChangesAnswer(BaseModel):
    """What releases did to codes."""

    changes: Annotated[list[ChangedCode], Field(description="By release, then code.")]
    total: Annotated[int, Field(description="How many there are.", examples=[421])]

    @classmethod
    def of(cls, found: Sequence[tuple[Document, Change]]) -> ChangesAnswer:
        """Returns the changes in this shape."""
        changes = [
            ChangedCode(
                system=document.system,
                code=document.code,
                title=document.title,
                kind=document.kind,
                action=change.action,
                release=change.release,
                effective=change.effective,
                title_before=change.title_before,
            )
            for document, change in found
        ]
        return cls(changes=changes, total=len(changes))


class PolicyOfCodes(PolicyShown):
    """A policy and the codes, among those asked for, that it names."""

    codes: Annotated[list[CodeShown], Field(description="In the order asked for.")]


class PoliciesAnswer(BaseModel):
    """The policies of several codes."""

    policies: Annotated[list[PolicyOfCodes], Field(description="By payer, number and title; each once.")]

    @classmethod
    def of(cls, found: Sequence[tuple[Policy, Sequence[Document]]]) -> PoliciesAnswer:
        """Returns the policies in this shape."""
        return cls.model_validate(
            {"policies": [{**asdict(policy), "codes": codes} for policy, codes in found]}, from_attributes=True
        )


class DifferenceShown(BaseModel):
    """One thing in which a code differs from the one asked for."""

    attribute: Annotated[str, Field(description="laterality, approach, …, or wording.", examples=["laterality"])]
    this: Annotated[str, Field(description="Of the code asked for.", examples=["bilateral"])]
    other: Annotated[str, Field(description="Of the similar code.", examples=["unilateral"])]
    text: Annotated[str, Field(description="In words.", examples=["unilateral instead of bilateral"])]


class SimilarHit(BaseModel):
    """A similar code."""

    system: Annotated[str, Field(description="Code system.", examples=["cpt"])]
    code: Annotated[str, Field(description="The code.", examples=["0200T"])]
    title: Annotated[str, Field(description="Its descriptor.")]
    score: Annotated[
        float, Field(description="How like, 0 to 1: equal characters and the titles' cosine.", examples=[0.97])
    ]
    differs: Annotated[list[DifferenceShown], Field(description="What sets it apart.")]

    @classmethod
    def of(cls, similar: Similar) -> SimilarHit:
        """Returns the similar code in this shape."""
        document = similar.document
        return cls(
            system=document.system,
            code=document.code,
            title=document.title,
            score=round(similar.score, 6),
            differs=[
                DifferenceShown(
                    attribute=difference.attribute, this=difference.this, other=difference.other, text=str(difference)
                )
                for difference in similar.differs
            ],
        )


class SimilarAnswer(BaseModel):
    """Codes most like one code, each list best first and at most `limit` long."""

    system: Annotated[str, Field(description="Code system.", examples=["cpt"])]
    code: Annotated[str, Field(description="The code asked for.", examples=["0201T"])]
    title: Annotated[str, Field(description="Its descriptor.")]
    siblings: Annotated[list[SimilarHit], Field(description="The same but for one character or attribute.")]
    related: Annotated[list[SimilarHit], Field(description="Other ways to treat the same thing, one code of each.")]
    hits: Annotated[list[SimilarHit], Field(description="The most like of all, in one list.")]

    @classmethod
    def of(cls, document: Document, found: SimilarCodes) -> SimilarAnswer:
        """Returns the similar codes in this shape."""
        return cls(
            system=document.system,
            code=document.code,
            title=document.title,
            siblings=[SimilarHit.of(similar) for similar in found.siblings],
            related=[SimilarHit.of(similar) for similar in found.related],
            hits=[SimilarHit.of(similar) for similar in found.hits],
        )


class ModelShown(BaseModel):
    """The encoder."""

    name: Annotated[str, Field(description="Its name.", examples=["all-MiniLM-L6-v2"])]
    sha256: Annotated[str, Field(description="SHA-256 over all its weights.")]
    dimensions: Annotated[int, Field(description="Of its vectors.", examples=[384])]
    max_tokens: Annotated[int, Field(description="Word pieces that it reads of a text.", examples=[256])]


class StatusAnswer(BaseModel):
    """What serves."""

    snapshot: Annotated[str, Field(description="The snapshot's id.")]
    created: Annotated[str, Field(description="When it was built (ISO 8601, UTC).")]
    releases: Annotated[list[ReleaseShown], Field(description="What it was built from.")]
    counts: Annotated[dict[str, dict[str, int]], Field(description="System → kind of code → codes.")]
    passages: Annotated[int, Field(description="Unique passages.")]
    model: Annotated[ModelShown, Field(description="The encoder.")]
    refused: Annotated[list[str], Field(description="Snapshots that were not opened, and why.")]

    @classmethod
    def of(cls, manifest: Manifest, refused: Sequence[str]) -> StatusAnswer:
        """Returns the manifest in this shape."""
        return cls(
            snapshot=manifest.id,
            created=manifest.created,
            releases=[ReleaseShown.model_validate(release, from_attributes=True) for release in manifest.releases],
            counts=manifest.counts,
            passages=manifest.passages,
            model=ModelShown.model_validate(manifest.model),
            refused=list(refused),
        )


def search_answer(answer: Answer, manifest: Manifest) -> SearchAnswer:
    """Returns an engine's answer in the native shape."""
    return SearchAnswer(
        hits=[_hit(hit) for hit in answer.hits],
        fits=answer.fits,
        query=answer.query.text,
        understood=[StepShown.model_validate(step, from_attributes=True) for step in answer.query.steps],
        processingTimeMs=round(answer.milliseconds, 3),
        limit=answer.request.limit,
        offset=answer.request.offset,
        estimatedTotalHits=answer.total,
        snapshot=manifest.id,
        releases=[f"{release.system} {release.version}" for release in manifest.releases],
        model=str(manifest.model["name"]),
    )


def error_answer(error: RequestError) -> ErrorAnswer:
    """Returns an error in the one shape that all errors have."""
    kind = "invalid_request" if error.status < 500 else "internal"
    return ErrorAnswer(message=str(error), code=error.code, type=kind)


def _hit(hit: Hit) -> HitShown:
    document = hit.document
    return HitShown(
        system=document.system,
        code=document.code,
        title=document.title,
        kind=document.kind,
        terminated=document.terminated,
        score=round(hit.score, 6),
        passages=[PassageShown.model_validate(passage, from_attributes=True) for passage in hit.passages],
        alike=AlikeShown.model_validate(hit.alike, from_attributes=True) if hit.alike else None,
        explanation=ExplanationShown.model_validate(hit.explanation, from_attributes=True) if hit.explanation else None,
    )


class SuggestionShown(BaseModel):
    """A text to search for."""

    text: Annotated[str, Field(description="What to search for: a name, a title or a code.", examples=["lap chole"])]
    kind: Annotated[str, Field(description="abbreviation, lay, procedure, …, title or code.", examples=["lay"])]
    codes: Annotated[int, Field(description="How many codes it stands for; 0 where it is words alone.", examples=[1])]
    system: Annotated[str, Field(description="The code system that it holds in; empty for any.", examples=["cpt"])]
    code: Annotated[str, Field(description="The code, where it stands for one.", examples=["0FT44ZZ"])]
    title: Annotated[str, Field(description="That code's descriptor.")]
    words: Annotated[str, Field(description="The releases' words, where it names no code.", examples=["clavicle"])]


class SuggestAnswer(BaseModel):
    """Suggestions for what is being typed."""

    suggestions: Annotated[list[SuggestionShown], Field(description="Best first; none for fewer than two letters.")]

    @classmethod
    def of(cls, found: Sequence[Suggestion]) -> SuggestAnswer:
        """Returns the suggestions in this shape."""
        return cls(suggestions=[SuggestionShown.model_validate(entry, from_attributes=True) for entry in found])
