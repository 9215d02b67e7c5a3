"""Rich text as a reader sees it; expected values by the rules of RTF 1.9.1 and the tables of the character sets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notes.rtf.reader import MAX_DEPTH, MAX_TOKENS, NotRtf, rtf_to_text

FONTS = (
    rb"{\fonttbl{\f0\fswiss\fcharset0 Arial;}{\f1\fnil\fcharset2 Symbol;}{\f2\fcharset204 Cyr;}{\f3\fcharset128 J;}}"
)
HEAD = rb"{\rtf1\ansi\ansicpg1252\deff0" + FONTS


def read(body: bytes) -> str:
    """The text of a document with this body."""
    return rtf_to_text(HEAD + body + b"}")


def test_paragraphs_are_lines_and_formats_are_left_out() -> None:
    assert read(b"\\pard\\b Fever\\b0  and\r\n cough.\\par Rales.\\par") == "Fever and cough.\nRales."


def test_cells_are_divided_and_rows_are_lines() -> None:
    assert read(rb"\trowd CRP\cell 12\cell\row\trowd WBC\cell 9\cell\row\pard Done") == "CRP | 12\nWBC | 9\nDone"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (rb"Fi\'e8vre", "Fièvre"),
        (rb"\f2 \'ea\'e0\'f8\'e5\'eb\'fc", "кашель"),
        # Two bytes a character, of which the second one may be written as itself.
        (rb"\f3 \'94\'78 \'83A", "肺 ア"),
        (rb"\u946?-blocker", "β-blocker"),
        (rb"\u-10179?\u-8694?", "😊"),
        (rb"\uc2\u946\'a1\'a2x", "βx"),
        (rb"\uc0\u946x", "βx"),
        (rb"\u8226\bullet  x", "• x"),
        (rb"{\uc0}\u946?x", "βx"),
        (rb"5\~mg\_b\'b0\{\}\\ a\-b", "5\u00a0mg-b°{}\\ ab"),
        (rb"\lquote a\rquote  \endash", "‘a’ –"),
    ],
)
def test_characters_are_those_of_their_set(body: bytes, text: str) -> None:
    assert read(body) == text


def test_a_greek_letter_in_the_font_symbol_is_one() -> None:
    # `m` in the font Symbol is mu: read as Latin, micrograms would become milligrams.
    assert read(rb"5 \f1 m\f0 g, {\f1\u-3913 ?} x {\f1\'b3}3") == "5 μg, • x ≥3"


def test_a_sign_of_a_font_of_pictures_that_is_not_known_is_marked_as_such() -> None:
    assert read(rb"a {\f1\'da} b") == "a \ufffd b"


def test_the_code_page_of_the_document_holds_where_no_font_says_more() -> None:
    assert rtf_to_text(rb"{\rtf1\ansi\ansicpg1251 \'ea}") == "к"
    assert rtf_to_text(rb"{\rtf1\mac \'8e}") == "é"


@pytest.mark.parametrize(
    "body",
    [
        rb"{\deleted 50 }Seen",
        rb"\deleted 50\deleted0 Seen",
        rb"{\v hidden}Seen",
        rb"\v hidden\plain Seen",
        rb"{\header Page 1}{\footer Clinic}Seen",
        rb"{\info{\title Letter}{\author Roe}}Seen",
        rb"{\*\unheardof words}Seen",
        rb"{\pict\pngblip 89504e47}Seen",
        b"{\\pict\\bin5 }{\\}x}Seen",
        b"\\bin4 }{\\}Seen",
        rb"{\stylesheet{\s0 Normal;}}Seen",
        rb"{\*\annotation{not yet}}Seen",
    ],
)
def test_what_a_reader_does_not_see_is_left_out(body: bytes) -> None:
    assert read(body) == "Seen"


def test_text_beside_what_is_unseen_is_kept() -> None:
    assert read(rb'{\field{\*\fldinst HYPERLINK "http://x"}{\fldrslt the link}}') == "the link"
    assert read(rb"{\upr{b}{\*\ud{\u946?}}}") == "β"
    assert read(rb"{\shp{\*\shpinst{\sp{\sn a}}{\shptxt In a box\par}}{\shprslt In a box}}After") == "In a box\nAfter"
    assert read(rb"BP{\footnote sitting} 120") == "BP sitting 120"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"Fever", "does not begin"),
        (HEAD + b"Fever", "cut off"),
        (HEAD + b"Fever\\", "cut off"),
        (HEAD + b"Fever} and cough", "goes on"),
        (b"{\\rtf1" + b"{" * MAX_DEPTH + b"x" + b"}" * MAX_DEPTH + b"}", "deeper"),
        (b"{\\rtf1" + b"{}" * MAX_TOKENS + b"}", "more than"),
        (b"{\\rtf1\\bin4000000000 x}", "more bytes"),
        (b"{\\rtf1\\ansicpg9999 x}", "code page"),
    ],
)
def test_what_is_no_whole_document_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(NotRtf, match=why):
        rtf_to_text(content)


words = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="|"), min_size=1, max_size=20)


def as_rtf(text: str) -> bytes:
    """Each UTF-16 code unit as `\\u`, with the sign that RTF gives it."""
    units = text.encode("utf-16-le")
    numbers = [int.from_bytes(units[n : n + 2], "little", signed=True) for n in range(0, len(units), 2)]
    return b"{\\rtf1\\ansi " + b"".join(b"\\u%d?" % number for number in numbers) + b"}"


@given(words)
def test_what_is_written_as_unicode_is_read_as_it_was(text: str) -> None:
    assert rtf_to_text(as_rtf(text)) == text


@given(st.binary(max_size=200))
def test_whatever_follows_the_beginning_is_text_or_refused(content: bytes) -> None:
    try:
        rtf_to_text(b"{\\rtf1 " + content)
    except NotRtf:
        return


@given(st.data())
def test_a_document_that_was_cut_off_is_never_taken(data: st.DataObject) -> None:
    whole = HEAD + rb"Fi\'e8vre {\b and} \u946?-blocker\par 5 mg}"
    with pytest.raises(NotRtf):
        rtf_to_text(whole[: data.draw(st.integers(0, len(whole) - 1))])
