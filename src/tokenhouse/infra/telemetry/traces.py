"""Where spans are made, and what they may not hold."""

from opentelemetry.context import Context
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider

from tokenhouse.infra.telemetry.paths import shown


class _WithoutSecrets(SpanProcessor):
    """Takes out of a new span what an address may hold: a mailed link's secret, a provider's code, where to go next."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 - as the library has it
        """Shorten the address that the framework wrote into the span; which route it was still stands there."""
        attributes = span.attributes or {}
        path = attributes.get("url.path")
        if isinstance(path, str):
            span.set_attribute("url.path", shown(path))
        if "url.query" in attributes:
            span.set_attribute("url.query", "…")


def provider() -> TracerProvider:
    """Make what spans come from; the framework adds the exporter that the environment names."""
    made = TracerProvider(shutdown_on_exit=False)
    made.add_span_processor(_WithoutSecrets())
    return made
