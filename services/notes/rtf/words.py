"""What the control words of RTF mean for the text (RTF 1.9.1, "Destination", "Special Character")."""

from __future__ import annotations

UNSEEN = frozenset(
    """
    annotation atnauthor atndate atnid atnref atrfend atrfstart author background bkmkend bkmkstart buptim category
    colortbl comment company creatim doccomm filetbl fldinst footer footerf footerl footerr ftncn ftnsep ftnsepc
    generator header headerf headerl headerr hlinkbase info keywords listoverridetable listtable manager nonesttables
    nonshppict objclass objdata objname operator pict private printim revtbl revtim rxe shpinst shprslt stylesheet
    subject tc title txe upr vern xe
    """.split()  # noqa: SIM905  # literals would read worse
)
"""Destinations whose words a reader does not see in the text."""
REOPENED = {"ud": "upr", "shptxt": "shpinst"}
"""A destination that is text after all -> the unseen one in which it stands: Unicode beside ANSI, text in a box."""
SPECIAL = {
    "par": "\n", "line": "\n", "sect": "\n", "page": "\n", "column": "\n", "softline": "\n", "row": "\n",
    "nestrow": "\n", "cell": " | ", "nestcell": " | ", "tab": "\t", "emdash": "—", "endash": "–", "emspace": " ",
    "enspace": " ", "qmspace": " ", "bullet": "•", "lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”",
    # A footnote stands where its mark does.
    "footnote": " ",
}  # fmt: skip
"""Control words that stand for characters."""
SYMBOLS = {
    b"\\": "\\", b"{": "{", b"}": "}", b"~": "\u00a0", b"_": "-", b"-": "", b"\r": "\n", b"\n": "\n", b"\t": "\t",
}  # fmt: skip
"""Control symbols that stand for characters; an optional hyphen (`\\-`) for none."""
