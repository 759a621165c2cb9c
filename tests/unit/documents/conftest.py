"""What the tests of documents share: one catalogue, one validator."""

from __future__ import annotations

import pytest

from messaging.documents import Catalogue, Validator


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return Catalogue.load()


@pytest.fixture(scope="session")
def validator(catalogue: Catalogue) -> Validator:
    return Validator(catalogue)
