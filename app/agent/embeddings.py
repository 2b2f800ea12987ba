"""Texts as vectors of 1,536 numbers: from an OpenAI-compatible endpoint where one is configured,
else computed here from the table of vectors that comes with the package wordllama."""

import asyncio
import math
import threading
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import numpy as np

from app.authorities import trusted_authorities
from app.config import EndpointSettings
from app.errors import UnavailableError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

DIMENSIONS = 1536
LOCAL_MODEL = "wordllama/l2_supercat/256"

_BATCH = 64
# An embedding model reads some eight thousand tokens, and a token is rarely less than a character.
_LONGEST_TEXT = 8_000
_LONGEST_WAIT_SECONDS = 10.0
_ATTEMPTS = 3
_FIRST_PAUSE_SECONDS = 0.2
_WORTH_A_RETRY = frozenset({408, 409, 429, 500, 502, 503, 504})


class EmbeddingError(UnavailableError):
    """The embedding endpoint does not answer, or answers what cannot be used."""


class EmbeddingSettings(EndpointSettings):
    """Where embeddings come from."""

    @property
    def remote(self) -> bool:
        """Whether an endpoint embeds."""
        return bool(self.LLM_BASE_URL and self.LLM_EMBEDDING_MODEL)

    @property
    def model(self) -> str:
        """The name of the model; vectors of different models cannot be compared."""
        return self.LLM_EMBEDDING_MODEL or "" if self.remote else LOCAL_MODEL


def embedding_model() -> str:
    """The name of the model that `embed` uses now."""
    return EmbeddingSettings().model


async def embed(texts: Sequence[str]) -> list[list[float]]:
    """One vector of 1,536 numbers for each text, in order, to be compared by angle. Here an empty
    text gives zeros, which are near to nothing.

    Raises:
        EmbeddingError: the endpoint does not answer, or its vectors have another width.
    """
    if not texts:
        return []
    settings = EmbeddingSettings()
    if settings.remote:
        return await _embed_remotely(settings, texts)
    return await asyncio.to_thread(_embed_here, list(texts))


# Here.

_loading = threading.Lock()
_loaded: list["_LocalModel"] = []


class _LocalModel(NamedTuple):
    """A vector of 256 numbers for each of 32,000 tokens; a text's is the mean of its tokens'."""

    tokenizer: "Tokenizer"
    table: np.ndarray[Any, np.dtype[np.float16]]


def _local_model() -> _LocalModel:
    """The model, loaded at its first use, so that only who needs it waits."""
    with _loading:
        if not _loaded:
            from safetensors.numpy import load_file
            from tokenizers import Tokenizer

            # The package's two files, not its code, which has wheels for a few platforms only.
            spec = find_spec("wordllama")
            assert spec is not None
            [folder] = map(Path, spec.submodule_search_locations or ())
            tokenizer = Tokenizer.from_file(
                str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json")
            )
            table = load_file(folder / "weights" / "l2_supercat_256.safetensors")
            _loaded.append(_LocalModel(tokenizer, table["embedding.weight"]))
        return _loaded[0]


def _embed_here(texts: list[str]) -> list[list[float]]:
    tokenizer, table = _local_model()
    tokens = [each.ids for each in tokenizer.encode_batch(texts, add_special_tokens=False)]
    means = [table[ids].sum(axis=0, dtype=np.float32) / max(len(ids), 1) for ids in tokens]
    return _unit_vectors(np.asarray(means, dtype=np.float64))


def _unit_vectors(vectors: np.ndarray[Any, np.dtype[np.float64]]) -> list[list[float]]:
    """Vectors of length 1, padded with zeros to 1,536: neither changes a cosine."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    padded = np.zeros((len(vectors), DIMENSIONS))
    padded[:, : vectors.shape[1]] = vectors / np.where(lengths > 0, lengths, 1)
    rounded: list[list[float]] = padded.astype(np.float32).tolist()
    return rounded


# At an endpoint.


async def _embed_remotely(settings: EmbeddingSettings, texts: Sequence[str]) -> list[list[float]]:
    wait = min(settings.LLM_TIMEOUT_SECONDS, _LONGEST_WAIT_SECONDS)
    async with httpx.AsyncClient(
        headers=settings.key_header, timeout=wait, verify=trusted_authorities()
    ) as client:
        batches = [await _embed_batch(client, settings, batch) for batch in _batches(texts)]
    return [vector for batch in batches for vector in batch]


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(texts), _BATCH):
        # An endpoint refuses an empty text.
        yield [text[:_LONGEST_TEXT] or " " for text in texts[start : start + _BATCH]]


async def _embed_batch(
    client: httpx.AsyncClient, settings: EmbeddingSettings, batch: list[str]
) -> list[list[float]]:
    url = f"{(settings.LLM_BASE_URL or '').rstrip('/')}/embeddings"
    request = {"model": settings.model, "input": batch, "encoding_format": "float"}
    return _vectors_of(await _posted(client, url, request), len(batch))


async def _posted(client: httpx.AsyncClient, url: str, request: dict[str, Any]) -> httpx.Response:
    """The endpoint's answer; what may pass is tried again, a little later each time."""
    said = ""
    for attempt in range(_ATTEMPTS):
        if attempt:
            await asyncio.sleep(_FIRST_PAUSE_SECONDS * 2**attempt)
        try:
            response = await client.post(url, json=request)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            said = type(error).__name__
            continue
        if response.is_success:
            return response
        said = f"status {response.status_code}"
        if response.status_code not in _WORTH_A_RETRY:
            break
    raise EmbeddingError(f"The embedding endpoint does not answer ({said})")


def _vectors_of(response: httpx.Response, expected: int) -> list[list[float]]:
    try:
        found = sorted(response.json()["data"], key=lambda entry: int(entry["index"]))
        vectors = [[float(number) for number in entry["embedding"]] for entry in found]
    except (ValueError, KeyError, TypeError):
        raise EmbeddingError("The embedding endpoint does not answer with embeddings") from None
    if len(vectors) != expected:
        raise EmbeddingError(f"The embedding endpoint gave {len(vectors)} vectors of {expected}")
    for vector in vectors:
        if len(vector) != DIMENSIONS:
            raise EmbeddingError(
                f"The embedding model gives {len(vector):,} dimensions; {DIMENSIONS:,} are needed"
            )
        if not all(map(math.isfinite, vector)):
            raise EmbeddingError("The embedding endpoint gave a number that is not finite")
    return vectors
