"""Which characters the bytes of an RTF document are (RTF 1.9.1, "Character Set" and "Font Table")."""

from __future__ import annotations

import codecs

DEFAULT = "cp1252"
DECLARED = {"ansi": DEFAULT, "mac": "mac_roman", "pc": "cp437", "pca": "cp850"}
"""Control words that name the set of the whole document; `ansicpg` is more exact."""
_CODE_PAGES = {65001: "utf-8", 10000: "mac_roman", 1361: "johab", 0: DEFAULT}
_OF_FONT = {
    0: DEFAULT, 77: "mac_roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "gbk", 136: "cp950", 161: "cp1253",
    162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874",
    238: "cp1250", 254: "cp437", 255: "cp850",
}  # fmt: skip
"""`fcharset` -> the codec; 1 (default) is the document's."""
SYMBOL = 2
"""`fcharset` of fonts whose bytes are pictures."""

_GREEK = (
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖαβχδεφγηιϕκλμνοπθρστυϖωξψζ",
)
_SIGNS = {
    0xA3: "≤", 0xA5: "∞", 0xAB: "↔", 0xAC: "←", 0xAD: "↑", 0xAE: "→", 0xAF: "↓", 0xB0: "°", 0xB1: "±", 0xB3: "≥",
    0xB4: "×", 0xB7: "•", 0xB8: "÷", 0xB9: "≠", 0xBB: "≈", 0xD1: "∇", 0xD6: "√",
}  # fmt: skip
_SYMBOL_FONT = {
    # Digits and punctuation are where ASCII has them.
    **{byte: chr(byte) for byte in range(0x20, 0x7F)},
    **{ord(latin): greek for latin, greek in zip(*_GREEK, strict=True)},
    **_SIGNS,
}
"""The font Symbol (Adobe's Symbol encoding): in it `m` is mu, and `mg` a thousand times less than it looks."""
_DINGBATS = {
    0x20: " ", 0x6C: "●", 0x6E: "■", 0x6F: "☐", 0x71: "❑", 0x76: "❖", 0x78: "☒", 0x9F: "•", 0xA7: "▪", 0xA8: "☐",
    0xD8: "➢", 0xE0: "→", 0xFB: "✘", 0xFC: "✔", 0xFD: "☒", 0xFE: "☑",
}  # fmt: skip
"""Wingdings, as far as lists and check boxes of documents use it."""
UNREADABLE = "\ufffd"


def codec_of_page(number: int) -> str | None:
    """The codec of a Windows code page; None where there is none."""
    name = _CODE_PAGES.get(number, f"cp{number}")
    try:
        return codecs.lookup(name).name
    except LookupError:
        return None


def codec_of_font(charset: int) -> str | None:
    """The codec of a font's `fcharset`; None: the document's."""
    return _OF_FONT.get(charset)


def picture(byte: int, font_name: str) -> str:
    """What a byte shows in a font of pictures."""
    table = _SYMBOL_FONT if "symbol" in font_name.lower() else _DINGBATS
    return table.get(byte, UNREADABLE)
