"""The oracle itself keeps the ledger's contract."""

import pytest

from tests.reconciler.ledger_contract import LedgerContract
from tests.reconciler.memory_ledger import MemoryLedger


@pytest.fixture
def ledger() -> MemoryLedger:
    """An empty ledger."""
    return MemoryLedger()


@pytest.fixture
def seed(ledger: MemoryLedger) -> MemoryLedger:
    """The same ledger, with the words that make groups."""
    return ledger


class TestMemoryLedger(LedgerContract):
    """Runs the contract."""
