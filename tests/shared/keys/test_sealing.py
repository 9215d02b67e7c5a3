"""What is sealed opens under its own key, in its own place, and never otherwise."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from shared.keys.sealing import MAGIC, CannotOpen, _derive, is_sealed, open_sealed, seal
from shared.keys.store import KeyStore
from shared.keys.wrapping import CannotUnwrap, FileKeyWrapper, open_wrapper

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
PLACE = "notes-pat-1/first/sha256:0"


@given(content=st.binary(max_size=300))
def test_what_is_sealed_opens_again(content: bytes) -> None:
    sealed = seal(KEY, content, PLACE)
    assert is_sealed(sealed)
    assert open_sealed(KEY, sealed, PLACE) == content


def test_the_same_content_is_never_sealed_alike() -> None:
    assert seal(KEY, b"note", PLACE) != seal(KEY, b"note", PLACE)


@given(at=st.integers(0, 120), bit=st.integers(0, 7))
def test_any_flipped_bit_is_found(at: int, bit: int) -> None:
    sealed = bytearray(seal(KEY, b"a note of nineteen.", PLACE))
    sealed[at % len(sealed)] ^= 1 << bit
    with pytest.raises(CannotOpen):
        open_sealed(KEY, bytes(sealed), PLACE)


@pytest.mark.parametrize("sealed", [b"", MAGIC, MAGIC + bytes(70), b"plain text"])
def test_what_is_too_short_or_not_sealed_does_not_open(sealed: bytes) -> None:
    with pytest.raises(CannotOpen):
        open_sealed(KEY, sealed, PLACE)


def test_another_key_and_another_place_do_not_open_it() -> None:
    sealed = seal(KEY, b"note", PLACE)
    for key, place in ((OTHER, PLACE), (KEY, PLACE + "1")):
        with pytest.raises(CannotOpen):
            open_sealed(key, sealed, place)


# --- one ciphertext under two keys ------------------------------------------------------------------------------------


def multiply(x: int, y: int) -> int:
    """In GF(2^128) as NIST SP 800-38D section 6.3 has it: the leftmost bit is the coefficient of 1."""
    product = 0
    for bit in range(127, -1, -1):
        if y >> bit & 1:
            product ^= x
        x = x >> 1 ^ (0xE1 << 120 if x & 1 else 0)
    return product


def inverse(x: int) -> int:
    """x^(2^128 - 2)."""
    result, power = 1 << 127, x
    for _ in range(127):
        power = multiply(power, power)
        result = multiply(result, power)
    return result


def block(key: bytes, content: bytes) -> int:
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305  # the block cipher inside of GCM
    return int.from_bytes(encryptor.update(content), "big")


def two_key_ciphertext(first: bytes, second: bytes, nonce: bytes, aad: bytes) -> bytes:
    """Ciphertext and tag that AES-GCM opens under both keys: the second of two blocks makes the tags agree."""
    lengths = (len(aad) * 8) << 64 | 32 * 8
    padded = aad + bytes(-len(aad) % 16)
    known = [int.from_bytes(padded[at : at + 16], "big") for at in range(0, len(padded), 16)]
    known.append(int.from_bytes(os.urandom(16), "big"))

    def tag(key: bytes, free: int) -> int:
        hash_key, digest = block(key, bytes(16)), 0
        for part in (*known, free, lengths):
            digest = multiply(digest ^ part, hash_key)
        return digest ^ block(key, nonce + b"\x00\x00\x00\x01")

    squares = [multiply(h, h) for h in (block(key, bytes(16)) for key in (first, second))]
    free = multiply(tag(first, 0) ^ tag(second, 0), inverse(squares[0] ^ squares[1]))
    return known[-1].to_bytes(16, "big") + free.to_bytes(16, "big") + tag(first, free).to_bytes(16, "big")


def test_a_ciphertext_made_for_two_keys_opens_under_neither_but_the_committed_one() -> None:
    salt, nonce = os.urandom(32), os.urandom(12)
    (first, commitment), (second, _) = _derive(KEY, salt), _derive(OTHER, salt)
    forged = two_key_ciphertext(first, second, nonce, PLACE.encode())
    # AES-GCM alone takes it under both, to two texts.
    texts = {AESGCM(key).decrypt(nonce, forged, PLACE.encode()) for key in (first, second)}
    assert len(texts) == 2
    sealed = MAGIC + salt + commitment + nonce + forged
    assert open_sealed(KEY, sealed, PLACE) in texts
    with pytest.raises(CannotOpen, match="another key"):
        open_sealed(OTHER, sealed, PLACE)


# --- wrapping ---------------------------------------------------------------------------------------------------------


def test_a_wrapped_key_is_bound_to_its_place_and_to_the_key_around_it() -> None:
    wrapper = FileKeyWrapper(KEY)
    wrapped = wrapper.wrap(OTHER, "a/first")
    assert wrapper.unwrap(wrapped, "a/first") == OTHER
    for other, place in ((wrapper, "b/first"), (FileKeyWrapper(OTHER), "a/first")):
        with pytest.raises(CannotUnwrap):
            other.unwrap(wrapped, place)


def test_a_key_of_another_length_no_key_and_no_place_for_keys_are_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        FileKeyWrapper(b"short")
    for file, kms_key in ((None, None), (Path("key"), "alias/key")):
        with pytest.raises(ValueError, match="either CONSILIUM_KEY_ENCRYPTION_KEY_FILE"):
            open_wrapper(file, kms_key)
    with pytest.raises(ValueError, match="CONSILIUM_KEYS_DATABASE_URL"):
        KeyStore("", FileKeyWrapper(bytes(32)))
