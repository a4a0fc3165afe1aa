"""What the user may ask a store: one frozen value per command, as in `commands`."""

from pathlib import Path
from typing import Annotated

from auditor.cli import words
from auditor.cli.annotations import HelpPage, Option
from auditor.cli.shared_options import RowsCommand
from auditor.errors import UsageError

OUT = Option("write an Excel file instead; - is stdout", "FILE.xlsx", words.excel_path)
CUSTOMER = Option("an id, a domain or an exact company name", "X", words.customer)
SKU = Option("PRODUCT:SKU, or PRODUCT for all its SKUs", "S", words.product_or_sku)
DAYS = 90


class Question(RowsCommand, frozen=True, kw_only=True):
    """A command that answers a question from what is published."""


class SkuQuestion(Question, frozen=True, kw_only=True):
    """A question about the SKUs of a product, of a size, or one SKU."""

    sku: str | None = None
    """Each command says how it is given."""
    size: Annotated[
        str | None,
        Option("a size of virtual machine: Standard_D4s_v5", "SIZE", words.text),
    ] = None
    region: Annotated[str | None, Option("an Azure region", "R", words.text)] = None
    term: Annotated[str | None, Option("only this term", "P1Y|P3Y", words.term)] = None

    def check(self) -> None:
        """Raise UsageError unless exactly one of SKU and size is given."""
        if (self.sku is None) == (self.size is None):
            raise UsageError(
                f"auditor {self.page.name}: give either a SKU or --size",
                hint=self.page.examples[0],
            )


class Affected(SkuQuestion, frozen=True, kw_only=True):
    """`auditor affected`."""

    page = HelpPage(
        name="affected",
        line="who cannot buy a SKU, a product or a size",
        usage="affected PRODUCT[:SKU] | --size SIZE",
        text="Shows every customer for whom the SKU is restricted, not in the catalog, not\n"
        "purchasable or not known, and of how many customers that is.",
        examples=(
            "auditor affected DZH318Z0BQ3Q:0011",
            "auditor affected --size Standard_D4s_v3 --region japanwest --out affected.xlsx",
        ),
    )

    sku: Annotated[
        str | None,
        Option(
            "PRODUCT:SKU, or PRODUCT for all its SKUs",
            "SKU",
            words.product_or_sku,
            is_positional=True,
        ),
    ] = None
    out: Annotated[Path | None, OUT] = None


class Renewals(Question, frozen=True, kw_only=True):
    """`auditor renewals`."""

    page = HelpPage(
        name="renewals",
        line="the renewals ahead, those at risk first",
        text="Shows every licence that is renewed soon: what the next term buys, whether that can\n"
        "be bought, and what it could be renewed to.",
        examples=("auditor renewals --days 30", "auditor renewals --out renewals.xlsx"),
    )

    days: Annotated[
        int, Option("terms that end within N days (default: 90)", "N", words.whole(0, 3650))
    ] = DAYS
    out: Annotated[Path | None, OUT] = None


class Alternatives(SkuQuestion, frozen=True, kw_only=True):
    """`auditor alternatives`."""

    page = HelpPage(
        name="alternatives",
        line="what a customer can buy instead of a SKU",
        usage="alternatives --customer X (--sku S | --size SIZE)",
        text="Shows what is unrestricted for the same customer and Azure subscription, nearest\n"
        "first: another size of its group, another term, a savings plan, a newer series, and\n"
        "last another region, which means that the workload moves.",
        examples=(
            "auditor alternatives --customer contoso.com --sku DZH318Z0BQ3Q:0011",
            "auditor alternatives --customer contoso.com --size Standard_D4s_v3 --region japanwest",
        ),
    )

    customer: Annotated[str, CUSTOMER]
    sku: Annotated[str | None, SKU] = None
    out: Annotated[Path | None, OUT] = None


class Explain(SkuQuestion, frozen=True, kw_only=True):
    """`auditor explain`."""

    page = HelpPage(
        name="explain",
        line="one SKU of a customer over time, and the answers that prove it",
        usage="explain --customer X (--sku S | --size SIZE)",
        text="Draws since when a customer could buy a SKU and when not, with the reasons, gaps\n"
        "and the ids by which Microsoft's support finds each answer.",
        examples=(
            "auditor explain --customer contoso.com --sku DZH318Z0BQ3Q:0011",
            "auditor explain --customer contoso.com --size Standard_D4s_v3 --region japanwest",
        ),
    )

    customer: Annotated[str, CUSTOMER]
    sku: Annotated[str | None, SKU] = None


class Show(Question, frozen=True, kw_only=True):
    """`auditor show`."""

    page = HelpPage(
        name="show",
        line="one customer on one page",
        usage="show X",
        text="Shows a customer's subscriptions, what it cannot buy now and why, renewals, what\n"
        "changed, and what is not known. As markdown it is an e-mail to the customer, as json a\n"
        "ticket.",
        examples=("auditor show contoso.com", "auditor show contoso.com --format markdown"),
    )

    customer: Annotated[
        str,
        Option("an id, a domain or an exact company name", "X", words.customer, is_positional=True),
    ]


QUESTIONS: tuple[type[Question], ...] = (Show, Affected, Renewals, Alternatives, Explain)
