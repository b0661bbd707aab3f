"""A model card as one HTML file with its pictures inside, to be sent and kept.

What the card says does not belong here (`model_card`).
"""

import base64
import html
import re
from collections.abc import Mapping
from types import MappingProxyType

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b}"
    "table{border-collapse:collapse;margin:1rem 0}td,th{border:1px solid #ccc;padding:.25rem .6rem;text-align:left}"
    "time{white-space:nowrap}figure{margin:1.5rem 0}img{max-width:100%}figcaption{color:#555}"
)


_NONE: Mapping[str, str] = MappingProxyType({})
_DAY = re.compile(r"(<td>|\s)(\d{4}-\d{2}-\d{2})")


def as_picture(png: bytes) -> str:
    """A PNG as `card_page` takes it."""
    return base64.b64encode(png).decode("ascii")


def card_page(title: str, markdown: str, pictures: Mapping[str, str], lead_pictures: Mapping[str, str] = _NONE) -> str:
    """The page; HTML inside `markdown` is shown as text, because a card repeats what people typed.

    Args:
        title: of the page.
        markdown: the card.
        pictures: PNG images, base64, by name; they stand at the end.
        lead_pictures: the same below the title.
    """
    # A narrow column would break a day at its hyphens.
    body = _DAY.sub(r"\1<time>\2</time>", _rendered(markdown))
    body = body.replace("</h1>", f"</h1>\n{_figures(lead_pictures)}", 1)
    figures = _figures(pictures)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style></head>\n<body>\n{body}{'<h2>Pictures</h2>' if figures else ''}\n{figures}</body>\n"
        "</html>\n"
    )


def _rendered(markdown: str) -> str:
    """The Markdown as HTML; HTML inside it is shown as text."""
    from markdown_it import MarkdownIt

    return str(MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown))


def _figures(pictures: Mapping[str, str]) -> str:
    return "".join(
        f'<figure><img alt="{html.escape(name)}" src="data:image/png;base64,{html.escape(picture)}">'
        f"<figcaption>{html.escape(name.replace('_', ' '))}</figcaption></figure>\n"
        for name, picture in pictures.items()
    )
