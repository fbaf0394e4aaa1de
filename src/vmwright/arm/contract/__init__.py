"""The published contract: OpenAPI 3.1 of what the service answers, at ``/openapi.json``.

operation   what is said of one operation     document   routes and descriptions -> OpenAPI
one module for each provider: its operations, a line each
schemas     what stands in bodies             template_schema   image templates, from their shapes

The paths are those of the routes: one that nobody describes, and a description without a route, fail a test.
"""

from __future__ import annotations

from vmwright.arm.contract.publishing import published

__all__ = ["published"]
