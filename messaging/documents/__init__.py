"""XML in, verdicts and envelopes out. lxml lives here and nowhere else, and nothing here does input or output."""

from messaging.documents.apprec import named_receivers, read_original, write_apprec
from messaging.documents.catalogue import Catalogue, MessageKind
from messaging.documents.codelists import CodeLists
from messaging.documents.explain import Explainer
from messaging.documents.validation import Validator, Verdict

__all__ = [
    "Catalogue",
    "CodeLists",
    "Explainer",
    "MessageKind",
    "Validator",
    "Verdict",
    "named_receivers",
    "read_original",
    "write_apprec",
]
