"""ARM deployment templates: expressions, parameters, loops, nested templates -> evaluated resources.

    syntax        expressions -> trees                    site        evaluates them
    functions/    the functions of ARM, by family         values      JSON, and how much of it there may be
    trees         whole trees, loops in them              parameters  declarations and given values
    scope         what a template's expressions see       host        what only the place of it knows
    level         a template's resources                  resource    one of them
    nested        deployments in deployments              outputs     what a template gives back
    evaluate      the way through all of them             given       parameter files and ``--set``
    hiding        secrets, taken out of what is shown

Pure: a ``Host`` is passed in for subscription, resource group, time and what runs already.
"""

from __future__ import annotations

from vmwright.template.deployment.evaluate import Deployment, Resource, evaluate
from vmwright.template.deployment.given import read_given
from vmwright.template.deployment.host import Host, LocalHost, Scope, scope_of
from vmwright.template.deployment.parameters import Given

__all__ = [
    "Deployment",
    "Given",
    "Host",
    "LocalHost",
    "Resource",
    "Scope",
    "evaluate",
    "read_given",
    "scope_of",
]
