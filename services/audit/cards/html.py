"""The card as a page that prints well and needs nothing from elsewhere."""

from __future__ import annotations

from html import escape

from services.audit.cards.content import Attribute, CardContent, has_interval, shown

MEDIA_TYPE = "text/html"
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1f24; max-width: 52rem; margin: 2rem auto; padding: 0 1rem }
h1 { margin-bottom: 0 }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #c9d1d9 }
.digest { font: 13px ui-monospace, monospace; color: #57606a; overflow-wrap: anywhere }
.warning { border-left: 6px solid #b35900; background: #fff4e5; padding: .6rem 1rem; font-weight: 600 }
.none { color: #57606a; font-style: italic }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem }
th { width: 38%; font-weight: 600 }
tr + tr { border-top: 1px solid #d8dee4 }
.figures th, .figures td { width: auto; font-size: 14px; font-variant-numeric: tabular-nums }
@media (prefers-color-scheme: dark) {
  body { background: #0d1117; color: #e6edf3 }
  .warning { background: #3d2a0f }
  h2, tr + tr { border-color: #30363d }
  .digest, .none { color: #9198a1 }
}
""".strip()


def page(content: CardContent) -> str:
    """The whole document."""
    bundle = content.bundle
    title, registered = escape(f"{bundle.name} {bundle.version}"), bundle.registered_at
    warning = f'<p class="warning" role="note">{escape(content.warning)}</p>' if content.warning else ""
    when = f'<time datetime="{registered.isoformat()}">{registered:%d %B %Y}</time>'
    parts = [
        f"<h1>{title}</h1>",
        f"<p>Model card. The bundle is <strong>{content.stage.value}</strong>; it was registered on {when}.</p>",
        f'<p class="digest">{escape(bundle.digest)}</p>',
        warning,
        _summary(content),
        *(_category(name, attributes) for name, attributes in content.categories()),
        _figures(content),
    ]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    style, body = f"<style>{STYLE}</style>", "".join(parts)
    return f'<!doctype html><html lang="en"><head>{head}{style}</head><body>{body}</body></html>'


def _summary(content: CardContent) -> str:
    rows = {
        "Intended use": content.says("intendedUse"),
        "Not for": content.says("outOfScope"),
        "Takes": content.says("inputs"),
        "Answers": content.says("outputs"),
        "Trained on": content.says("trainingData"),
        "Licence": content.says("licence"),
    }
    return _table([(name, escape(text)) for name, text in rows.items()])


def _category(name: str, attributes: list[Attribute]) -> str:
    classes = {True: "", False: "none"}
    rows = [(one.title, f'<span class="{classes[one.done]}">{escape(one.text)}</span>') for one in attributes]
    return f"<h2>{escape(name)}</h2>{_table(rows)}"


def _figures(content: CardContent) -> str:
    """One row for each kind of evidence, one column for each figure that has an interval; the JSON holds the others."""
    measured = [(pattern, name, value) for pattern, name, value in content.metrics() if has_interval(value)]
    if not measured:
        return ""
    columns = list(dict.fromkeys(name for _, name, _ in measured))
    rows: dict[str, dict[str, str]] = {}
    for pattern, name, value in measured:
        rows.setdefault(pattern, {})[name] = shown(value)
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in ("evidence", *columns))
    lines = "".join(
        f'<tr><th scope="row">{escape(pattern)}</th>'
        + "".join(f"<td>{escape(found.get(name, ''))}</td>" for name in columns)
        + "</tr>"
        for pattern, found in rows.items()
    )
    note = escape(content.says("intervals", absent=""))
    return f'<h2>Figures by kind of evidence</h2><p>{note}</p><table class="figures"><tr>{head}</tr>{lines}</table>'


def _table(rows: list[tuple[str, str]]) -> str:
    """Rows of a name and of HTML."""
    cells = (f'<tr><th scope="row">{escape(name)}</th><td>{cell}</td></tr>' for name, cell in rows)
    return f"<table>{''.join(cells)}</table>"
