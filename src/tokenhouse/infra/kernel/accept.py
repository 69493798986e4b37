"""What a caller would rather read: pages or data."""


def wants_page(accept: str) -> bool:
    """Whether a browser asks, by its header Accept: it names HTML, and not after JSON."""
    html, data = accept.find("text/html"), accept.find("application/json")
    return html >= 0 and (data < 0 or html < data)
