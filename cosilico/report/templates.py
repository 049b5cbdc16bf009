"""Templates of the pages."""

from functools import cache

import jinja2

__all__ = ["template"]


@cache
def template(name: str) -> jinja2.Template:
    """Return a template of the page."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.PackageLoader("cosilico", "templates"),
    )
    return environment.get_template(name)
