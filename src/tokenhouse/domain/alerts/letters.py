"""How a letter is written: a template in MJML and one in plain text, with the values in them.

`templates/NAME.mjml` is made into HTML once; the values are put into that, escaped, and never read as MJML.
`templates/NAME.txt` has the subject in its first line. Files with `_` first are parts that others include.
"""

from functools import cache
from importlib.resources import files

import mrml
from jinja2 import Environment, StrictUndefined, Template

from tokenhouse.domain.alerts import rules
from tokenhouse.domain.alerts.types import Letter, Taken

_HTML = Environment(autoescape=True, undefined=StrictUndefined)
_TEXT = Environment(autoescape=False, undefined=StrictUndefined, keep_trailing_newline=True)  # noqa: S701 - no HTML


def written(taken: Taken) -> Letter:
    """Write a letter of the outbox."""
    subject, text, html = _templates(taken.template)
    line = rules.one_line(subject.render(taken.vals))
    return Letter(
        taken.id,
        taken.recipient,
        line,
        text.render(taken.vals),
        html.render(taken.vals | {"subject": line}),
        taken.created_at,
    )


@cache
def _templates(name: str) -> tuple[Template, Template, Template]:
    """Give the subject, the text and the HTML of a template, ready for values."""
    if name not in rules.TEMPLATES:
        raise ValueError(f"there is no template {name!r}")
    folder = files(__package__).joinpath("templates")
    subject, _, text = folder.joinpath(f"{name}.txt").read_text("utf-8").partition("\n\n")
    parts = {part.name: part.read_text("utf-8") for part in folder.iterdir() if part.name.startswith("_")}
    options = mrml.ParserOptions(include_loader=mrml.memory_loader(parts))
    # Without fonts: by itself it would load some from elsewhere, which also tells that a letter was opened.
    bare = mrml.RenderOptions(fonts={})
    made = mrml.to_html(folder.joinpath(f"{name}.mjml").read_text("utf-8"), options, bare)
    return _TEXT.from_string(subject), _TEXT.from_string(text), _HTML.from_string(made.content)
