"""Text of people in the pages of this package: escaped, code between backticks as code, formulas between
dollars as MathML.

A browser sets MathML without a script, so the pages keep their rule that nothing in them runs.
"""

import html
import re
import xml.etree.ElementTree as tree

from markupsafe import Markup, escape

# a formula as Pandoc finds it: nothing but a formula begins or ends with a blank beside its dollar
PIECES = re.compile(
    r"`(?P<code>[^`]+)`|\$\$(?P<block>[^$]+)\$\$|\$(?P<inline>[^\s$](?:[^$\n]*[^\s$\\])?)\$(?!\d)"
)
LONGEST = 2_000  # characters of a formula
MATHML = "{http://www.w3.org/1998/Math/MathML}"
# what a formula is made of; all else, and each attribute but these, is none of a formula's business
ELEMENTS = set(
    (
        "math mrow mi mn mo mtext mspace mfrac msqrt mroot msub msup msubsup munder mover munderover "
        "mtable mtr mtd mstyle mpadded"
    ).split()
)
ATTRIBUTES = set(
    (
        "accent columnalign display displaystyle fence form linethickness mathvariant maxsize minsize "
        "movablelimits scriptlevel stretchy width"
    ).split()
)


def formula(tex: str, block: bool = False) -> Markup:
    r"""A formula as MathML: `\frac{1}{N}` becomes a fraction. What cannot be read, or is more than a formula,
    is shown as it was typed."""
    made = None
    if len(tex) <= LONGEST:
        made = _mathml(tex, "block" if block else "inline")
    if made is None:
        sign = "$"
        if block:
            sign = "$$"
        return Markup("<code>{}</code>").format(f"{sign}{tex}{sign}")
    return Markup(made)


def _mathml(tex, display):
    from latex2mathml.converter import convert

    try:
        root = tree.fromstring(convert(tex, display=display))
    except Exception:  # somebody's words: the converter promises nothing of how it fails
        return None
    for node in root.iter():
        if node.tag.removeprefix(MATHML) not in ELEMENTS:
            return None
        node.tag = node.tag.removeprefix(MATHML)
        node.attrib = {name: value for name, value in node.attrib.items() if name in ATTRIBUTES}
        _space_after_functions(node)
    return tree.tostring(root, encoding="unicode")


def _space_after_functions(row):
    """TeX sets `\\log 2` with a thin space, which the converter leaves out."""
    children = list(row)
    for i in range(len(children) - 1, 0, -1):
        name, argument = children[i - 1], children[i]
        is_function = name.tag.removeprefix(MATHML) == "mi" and len(name.text or "") > 1
        if is_function and argument.tag.removeprefix(MATHML) in ("mi", "mn", "mfrac", "msub", "msup", "mrow"):
            row.insert(i, tree.Element("mspace", width="0.17em"))


def prose(text: str) -> Markup:
    """Escaped text with its code and its formulas set."""
    text, parts, at = str(text), [], 0
    for found in PIECES.finditer(text):
        parts.append(escape(text[at : found.start()]))
        if found["code"] is not None:
            parts.append(Markup("<code>{}</code>").format(found["code"]))
        else:
            parts.append(formula(found["block"] or found["inline"], found["block"] is not None))
        at = found.end()
    return Markup("").join([*parts, escape(text[at:])])


def comment(rendered: str) -> Markup:
    """A teacher's comment, rendered from Markdown: its formulas are set, and a link is its text with the
    address behind it.

    JupyterLab's viewer in a hub opens no link of a page.
    """
    without_links = re.sub(r"(?is)<a\b[^>]*?href=\"([^\"]*)\"[^>]*>(.*?)</a>", _address, rendered)
    pieces = re.split(r"(?is)(<(?:code|pre)\b.*?</(?:code|pre)>|<[^>]*>)", without_links)
    return Markup("".join(piece if i % 2 else _formulas(piece) for i, piece in enumerate(pieces)))


def _address(match):
    address, said = match[1], re.sub(r"<[^>]*>", "", match[2])
    if address == said or address.startswith("#"):
        return said
    return f"{said} ({address})"


def _formulas(piece):
    """Formulas in text that is HTML already."""
    return re.sub(PIECES, _formula_in_html, piece)


def _formula_in_html(match):
    if match["code"] is not None:
        return match[0]
    return str(formula(html.unescape(match["block"] or match["inline"]), match["block"] is not None))
