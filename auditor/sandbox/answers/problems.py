"""The errors that the documents name, in the documented JSON shapes."""

import msgspec

SOURCE = "PartnerApiServiceCommon"
REALM = {"WWW-Authenticate": 'OAuth realm="sandbox"'}
"""Header of every 401."""


class Problem(Exception):
    """An error reply to a request: raised by the code that finds it, sent by the server."""

    def __init__(self, status: int, code: str, description: str) -> None:
        super().__init__(f"{status} {code}: {description}")
        self.status = status
        self.code = code
        self.description = description

    def body(self) -> bytes:
        return error_body(self.code, self.description)


def error_body(code: str, description: str) -> bytes:
    shape = {"code": code, "description": description, "data": [], "source": SOURCE}
    return msgspec.json.encode(shape)


def throttled_body(retry_after: int) -> bytes:
    """Return the body of a 429; its shape differs from all other errors."""
    message = f"Rate limit is exceeded. Try again in {retry_after} seconds."
    return msgspec.json.encode({"statusCode": 429, "message": message})


def missing_body() -> Problem:
    return Problem(400, "2001", "The request body is missing.")


def context_missing(variable: str) -> Problem:
    return Problem(400, "400026", f"The required inventory context item '{variable}' is missing.")


def invalid_property(name: str, value: str) -> Problem:
    return Problem(400, "3000", f"The property '{name}' is missing or invalid: '{value}'.")


def invalid_input(what: str) -> Problem:
    return Problem(400, "400056", f"Invalid input: {what}.")


def product_not_found(product_id: str) -> Problem:
    return Problem(404, "400013", f"Product '{product_id}' was not found.")


def sku_not_found(sku_id: str) -> Problem:
    return Problem(404, "400018", f"Sku '{sku_id}' was not found.")


def availability_not_found(availability_id: str) -> Problem:
    return Problem(404, "400019", f"Availability '{availability_id}' was not found.")


def segment_not_allowed(segment: str) -> Problem:
    return Problem(403, "400030", f"Access to the target segment '{segment}' is not allowed.")


def view_not_allowed(view: str) -> Problem:
    return Problem(403, "400036", f"Access to the target view '{view}' is not allowed.")


def invalid_customer(customer_id: str) -> Problem:
    return Problem(400, "900118", f"'{customer_id}' is not a valid customer id.")


def no_relationship() -> Problem:
    return Problem(403, "20002", "There is no commerce relationship with the customer.")


def not_sold_in(country: str) -> Problem:
    return Problem(403, "2030", f"The partner is not onboarded to sell in '{country}'.")


def subscription_not_found(subscription_id: str) -> Problem:
    return Problem(404, "20003", f"Subscription '{subscription_id}' was not found.")


def azure_subscription_unknown(azure_subscription_id: str) -> Problem:
    return Problem(400, "800011", f"Azure subscription '{azure_subscription_id}' is not valid.")


def azure_subscription_inactive(azure_subscription_id: str) -> Problem:
    return Problem(400, "800012", f"Azure subscription '{azure_subscription_id}' is not active.")


def azure_subscription_unregistered(azure_subscription_id: str) -> Problem:
    return Problem(
        400, "800030", f"Azure subscription '{azure_subscription_id}' is not registered."
    )


def access_denied() -> Problem:
    return Problem(401, "400", "Access denied.")


def not_found(path: str) -> Problem:
    return Problem(404, "1000", f"Nothing was found at '{path}'.")


def method_not_allowed(method: str) -> Problem:
    """Return the error for a wrong method; the documents name no code, so the status stands in."""
    return Problem(405, "405", f"The resource does not support the method '{method}'.")
