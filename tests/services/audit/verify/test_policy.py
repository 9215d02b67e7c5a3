"""`tlog-policy` files: the specification's example, thresholds, and every way to write one wrongly."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.audit.verify.faults import CannotCheck
from services.audit.verify.policy import parse_policy, policy_of
from shared.tlog.cosignature import Ed25519Cosigner
from tests.shared.tlog.signers import signer_of

VKEYS = [
    str(Ed25519Cosigner(f"w.example/{n}", Ed25519PrivateKey.from_private_bytes(bytes([n + 1]) * 32)).key)
    for n in range(6)
]
LOG = str(signer_of(9).verifier_key)
EXAMPLE = f"""
# The example of the specification.
log {LOG}

witness X1 {VKEYS[0]}
witness X2 {VKEYS[1]} https://x2.example/
witness X3\t{VKEYS[2]}
  group X-witnesses 2 X1 X2 X3

witness Y1 {VKEYS[3]}
witness Y2 {VKEYS[4]}
witness Y3 {VKEYS[5]}
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


@pytest.mark.parametrize(
    ("cosigned", "enough"),
    [
        (set(), False),
        ({"X1", "X2"}, False),
        ({"X1", "Y1"}, False),
        ({"X1", "X3", "Y2"}, True),
        ({"X1", "X2", "X3", "Y1", "Y2", "Y3"}, True),
        ({"Y1", "Y2", "Y3"}, False),
    ],
)
def test_example_of_the_specification(cosigned: set[str], enough: bool) -> None:
    policy = parse_policy(EXAMPLE)
    assert policy.holds(cosigned) is enough
    assert [witness.url for witness in policy.witnesses][:3] == [None, "https://x2.example/", None]


def test_quorum_of_one_witness_and_of_none() -> None:
    one = parse_policy(f"witness w {VKEYS[0]}\nquorum w\n")
    assert (one.holds({"w"}), one.holds(set())) == (True, False)
    assert parse_policy("quorum none\n").holds(set())


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"witness w {VKEYS[0]}\n",
        "quorum w\n",
        f"quorum w\nwitness w {VKEYS[0]}\n",
        f"witness w {VKEYS[0]}\nquorum w\nquorum w\n",
        f"witness w {VKEYS[0]}\nwitness w {VKEYS[1]}\nquorum w\n",
        f"witness a {VKEYS[0]}\nwitness b {VKEYS[0]}\nquorum a\n",
        f"witness w {LOG}\nquorum w\n",
        f"witness none {VKEYS[0]}\nquorum none\n",
        f"witness w {VKEYS[0]} url more\nquorum w\n",
        f"witness w {VKEYS[0]}\ngroup g 0 w\nquorum g\n",
        f"witness w {VKEYS[0]}\ngroup g 2 w\nquorum g\n",
        f"witness w {VKEYS[0]}\ngroup g 01 w\nquorum g\n",
        f"witness w {VKEYS[0]}\ngroup g most w\nquorum g\n",
        f"witness w {VKEYS[0]}\ngroup g any\nquorum g\n",
        f"witness w {VKEYS[0]}\ngroup g any w w\nquorum g\n",
        f"witness w {VKEYS[0]}\ngroup g any none\nquorum g\n",
        f"witness w {VKEYS[0]}\ngroup g any w\ngroup h any w\nquorum h\n",
        f"witness w {VKEYS[0]}\ngroup g any g\nquorum g\n",
        f"witness w {VKEYS[0][:-4]}\nquorum w\n",
        f"witness w {VKEYS[0]}\r\nquorum w\n",
        "maybe w\nquorum none\n",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(CannotCheck):
        parse_policy(text)


def test_keys_alone_make_a_policy_too() -> None:
    from services.audit.verify.notes import parse_key

    keys = [parse_key(line) for line in VKEYS[:3]]
    names = [witness.name for witness in policy_of(keys, None).witnesses]
    assert policy_of(keys, None).holds(set(names))
    assert not policy_of(keys, None).holds(set(names[:2]))
    assert policy_of(keys, 2).holds(set(names[:2]))
    for quorum in (-1, 4):
        with pytest.raises(CannotCheck):
            policy_of(keys, quorum)
    with pytest.raises(CannotCheck, match="log's key"):
        policy_of([parse_key(LOG)], None)
