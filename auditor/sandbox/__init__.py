"""A local Partner Center with made-up customers, a catalog, and the answers an audit must find.

It is written from the API's documents and shares no code with the client: a misreading in one
is not repeated by the other.
"""

from auditor.sandbox.server.control import config_text, environment_token
from auditor.sandbox.server.faults import Fault, Faults
from auditor.sandbox.server.limits import ServerLimits
from auditor.sandbox.server.log import Delivered, Log, Record
from auditor.sandbox.server.server import Sandbox, create_app
from auditor.sandbox.world.model import Answer, Availability, Partner, Restriction, WorldSize
from auditor.sandbox.world.world import World

__all__ = [
    "Answer",
    "Availability",
    "Delivered",
    "Fault",
    "Faults",
    "Log",
    "Partner",
    "Record",
    "Restriction",
    "Sandbox",
    "ServerLimits",
    "World",
    "WorldSize",
    "config_text",
    "create_app",
    "environment_token",
]
