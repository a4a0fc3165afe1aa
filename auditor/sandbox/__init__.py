"""A local Partner Center to try everything on: made-up customers, a catalog, and the truth.

It is written from the documents of the API and shares nothing with the client, so that the
two cannot agree on the same mistake.
"""

from auditor.sandbox.server.control import config_text, environment_token
from auditor.sandbox.server.faults import Fault, Faults
from auditor.sandbox.server.limits import Limits
from auditor.sandbox.server.log import Delivered, Log, Record
from auditor.sandbox.server.server import Sandbox, create_app
from auditor.sandbox.world.things import Answer, Availability, Partner, Restriction, WorldSize
from auditor.sandbox.world.world import World

__all__ = [
    "Answer",
    "Availability",
    "Delivered",
    "Fault",
    "Faults",
    "Limits",
    "Log",
    "Partner",
    "Record",
    "Restriction",
    "Sandbox",
    "World",
    "WorldSize",
    "config_text",
    "create_app",
    "environment_token",
]
