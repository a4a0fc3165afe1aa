"""Makes the catalog: VM and Cosmos DB reservations, licences, the Azure plan, savings plans."""

import random

from auditor.sandbox.world import seeded
from auditor.sandbox.world.model import (
    AZURE_PLAN,
    AZURE_PLAN_OFFER,
    LEGACY,
    SAVINGS_PLAN,
    Product,
    Sku,
    SkuKey,
    Term,
    WorldSize,
)
from auditor.sandbox.world.places import (
    CORES,
    COUNTRIES,
    FAMILIES,
    LICENCES,
    REGIONS,
    Family,
    Region,
)
from auditor.sandbox.world.seeded import happens

RESERVATION_TERMS = (("1Year", "1 Year", "P1Y"), ("3Years", "3 Years", "P3Y"))

# Ids that a careless parser turns into numbers; every product has some of them.
TRICKY_SKU_IDS = ("0039", "000S", "00E1", "00G1", "0011", "1E10", "0008")

# Ids in the documents' samples: answers/documented.py serves them, so no product gets one.
DOCUMENTED_PRODUCTS = frozenset(
    {"DZH318Z0BQ3P", "DZH318Z0BQ3V", "DZH318Z0BQ4C", "DZH318Z0BPS6", "CFQ7TTC0LH18"}
)


def make_products(seed: int, size: WorldSize) -> tuple[Product, ...]:
    """Return every product that is in the catalog on any night."""
    families = [_family_product(seed, size, index) for index in range(size.products)]
    licences = [_licence_product(seed, index) for index in range(size.licence_products)]
    return (*families, _cosmos_product(seed, size), _azure_plan(), *licences, _savings_plan())


def _product_id(seed: int, prefix: str, length: int, index: object) -> str:
    for attempt in range(100):
        candidate = prefix + seeded.code(seed, length, "product", prefix, index, attempt)
        if candidate not in DOCUMENTED_PRODUCTS:
            return candidate
    raise AssertionError(prefix)


def _sku_ids(rng: random.Random, count: int) -> list[str]:
    """Return ids of four characters, unique in the product, in random order."""
    ids = dict.fromkeys(rng.sample(TRICKY_SKU_IDS, min(count, 4)))
    while len(ids) < count:
        ids["".join(rng.choices("000001GHKM", k=1) + rng.choices("0123456789CDEGHJKS", k=3))] = None
    shuffled = list(ids)
    rng.shuffle(shuffled)
    return shuffled


def _regions(size: WorldSize) -> tuple[Region, ...]:
    return REGIONS[: max(1, min(size.regions, len(REGIONS)))]


def _asks_region(size: WorldSize, index: int) -> bool:
    """Tell whether this is the family whose SKUs also ask for `ArmRegionName`."""
    return size.products > 1 and index == min(2, size.products - 1)


def is_retiring(size: WorldSize, index: int) -> bool:
    """Tell whether this is the family that leaves the catalog as a whole one night."""
    return index > 1 and index == size.products - 1


def _family_product(seed: int, size: WorldSize, index: int) -> Product:
    family = FAMILIES[index % len(FAMILIES)]
    generation = index // len(FAMILIES)
    title = f"{family.title} gen {generation + 1}" if generation else family.title
    product_id = _product_id(seed, "DZH318Z0B", 3, index)
    rng = seeded.generator(seed, "skus", product_id)
    sizes = 1 if is_retiring(size, index) else size.sizes_per_product
    grid = [
        (cores, region, term)
        for cores in (CORES[n % len(CORES)] + n // len(CORES) for n in range(sizes))
        for region in _regions(size)
        for term in RESERVATION_TERMS
    ]
    ids = _sku_ids(rng, len(grid))
    with_region = _asks_region(size, index)
    skus = tuple(
        _vm_sku(
            rng,
            family=family,
            key=(product_id, sku_id),
            cores=cores,
            region=region,
            term=term,
            with_region=with_region,
            unnamed=("ArmRegionName",) if with_region and size.unnamed_variables else (),
        )
        for sku_id, (cores, region, term) in zip(ids, grid, strict=True)
    )
    return Product(
        product_id=product_id,
        title=title,
        kind="vm",
        type_id="Azure",
        views=("AzureReservations", "AzureReservationsVM"),
        skus=skus,
        resource_type="VirtualMachines",
    )


def _vm_sku(
    rng: random.Random,
    *,
    family: Family,
    key: SkuKey,
    cores: int,
    region: Region,
    term: tuple[str, str, str],
    with_region: bool,
    unnamed: tuple[str, ...],
) -> Sku:
    duration, spoken, iso = term
    arm_size = family.arm_pattern.format(cores)
    asks = not happens(rng, 3)
    attributes: dict[str, object] = {
        "armSkuName": arm_size,
        "cores": str(cores),
        "ram": str(cores * family.ram_per_core),
        "skuDisplayName": arm_size.removeprefix("Standard_").replace("_", " "),
        "category": family.category,
        "armRegionName": rng.choice(region.spellings),
        "duration": duration,
        "region": region.display,
        "diskType": "Ssd",
        "reservationsAutofitGroup": family.title,
        "reservationsAutofitRatio": str(cores / CORES[0]),
    }
    prerequisites = ("AzureSubscriptionRegistration", "InventoryCheck")
    variables: tuple[str, ...] = ("CustomerId", "AzureSubscriptionId")
    if with_region:
        variables = (*variables, "ArmRegionName")
    scopes = rng.choices(((AZURE_PLAN, LEGACY), (AZURE_PLAN,), (LEGACY,)), (60, 37, 3))[0]
    missing = rng.sample(sorted(COUNTRIES), 1) if happens(rng, 4) else []
    return Sku(
        product_id=key[0],
        sku_id=key[1],
        title=f"Reserved VM Instance, {arm_size}, {region.display}, {spoken}",
        description=f"Reserved Virtual Machines Instance, {arm_size}, {region.display}, {spoken}",
        prerequisites=prerequisites if asks else prerequisites[:1],
        variables=variables if asks else (),
        unnamed=unnamed,
        attributes=attributes,
        arm_region=region.name,
        scopes=frozenset(scopes),
        not_sold_in=frozenset(missing),
        terms=(Term(iso, "OneTime", f"{spoken} reservation", renewable=False),),
    )


def _cosmos_product(seed: int, size: WorldSize) -> Product:
    """Return a reservation of another resource type: a check by type VirtualMachines omits it."""
    product_id = _product_id(seed, "DZH318Z0C", 3, "cosmos")
    regions = _regions(size)[:2]
    grid = [(region, term) for region in regions for term in RESERVATION_TERMS]
    ids = _sku_ids(seeded.generator(seed, "skus", product_id), len(grid))
    skus = tuple(
        Sku(
            product_id=product_id,
            sku_id=sku_id,
            title=f"Reserved throughput, 100 RU/s, {region.display}, {spoken}",
            description=f"Reserved throughput, 100 RU/s, {region.display}, {spoken}",
            prerequisites=("AzureSubscriptionRegistration", "InventoryCheck"),
            variables=("CustomerId", "AzureSubscriptionId"),
            attributes={
                "skuDisplayName": "100 RU/s",
                "armRegionName": region.spellings[0],
                "duration": duration,
                "region": region.display,
            },
            arm_region=region.name,
            terms=(Term(iso, "OneTime", f"{spoken} reservation", renewable=False),),
        )
        for sku_id, (region, (duration, spoken, iso)) in zip(ids, grid, strict=True)
    )
    return Product(
        product_id=product_id,
        title="Document database throughput",
        kind="cosmos",
        type_id="Azure",
        views=("AzureReservations", "AzureReservationsCosmosDb"),
        skus=skus,
        resource_type="CosmosDb",
    )


def _azure_plan() -> Product:
    product_id, sku_id = AZURE_PLAN_OFFER
    plan = Sku(
        product_id=product_id,
        sku_id=sku_id,
        title="Microsoft Azure plan",
        description="Microsoft Azure plan (MS-AZR-0017G)",
        prerequisites=("MicrosoftCustomerAgreement",),
        attributes={"isMicrosoftProduct": True},
    )
    return Product(
        product_id=product_id,
        title="Azure plan",
        kind="plan",
        type_id="Azure",
        views=("Azure", "MicrosoftAzure"),
        skus=(plan,),
    )


def _savings_plan() -> Product:
    """Return savings plans: listed only for customers with an Azure plan, never by country."""
    skus = tuple(
        Sku(
            product_id=SAVINGS_PLAN,
            sku_id=sku_id,
            title=f"Azure compute savings plan, {spoken}",
            description=f"Azure compute savings plan, {spoken}",
            prerequisites=("AzureSubscriptionRegistration",),
            terms=(Term(iso, "OneTime", f"{spoken} savings plan", renewable=False),),
        )
        for sku_id, (_, spoken, iso) in zip(("0001", "0002"), RESERVATION_TERMS, strict=True)
    )
    return Product(
        product_id=SAVINGS_PLAN,
        title="Azure savings plans",
        kind="savings_plan",
        type_id="Azure",
        views=(),
        skus=skus,
    )


def _licence_product(seed: int, index: int) -> Product:
    product_id = _product_id(seed, "CFQ7TTC0", 4, index)
    rng = seeded.generator(seed, "skus", product_id)
    name = LICENCES[index % len(LICENCES)]
    title = f"{name} {index // len(LICENCES) + 1}" if index >= len(LICENCES) else name
    ids = ("0001", "0002", "000X", "00E2")[: rng.randint(2, 4)]
    return Product(
        product_id=product_id,
        title=title,
        kind="licence",
        type_id="OnlineServicesNCE",
        views=("OnlineServicesNCE",),
        skus=tuple(_licence_sku(rng, product_id, sku_id, title) for sku_id in ids),
    )


def _licence_sku(rng: random.Random, product_id: str, sku_id: str, title: str) -> Sku:
    terms = [
        Term("P1M", "Monthly", "One-Month commitment for monthly billing"),
        Term("P1Y", "Annual", "One-Year commitment for yearly billing"),
        Term("P1Y", "Monthly", "One-Year commitment for monthly billing"),
    ]
    if happens(rng, 40):
        terms.append(Term("P3Y", "Annual", "Three-Year commitment for yearly billing"))
    if happens(rng, 30):
        terms.append(Term("P3Y", "Triennial", "Three-Year commitment, paid once", renewable=False))
    segments = ["commercial"]
    if happens(rng, 40):
        segments += ["education", "nonprofit"]
    variant = {"0001": "", "0002": " (no Teams)", "000X": " for frontline"}.get(sku_id, " add-on")
    return Sku(
        product_id=product_id,
        sku_id=sku_id,
        title=f"{title}{variant}",
        description=f"{title}{variant}, sold per user.",
        prerequisites=("MicrosoftCloudAgreement",),
        attributes={
            "isMicrosoftProduct": True,
            "hasConstraints": True,
            "isAddon": sku_id == "00E2",
            "prerequisiteSkus": [],
            "upgradeTargetOffers": [f"{product_id}:0001"],
            "conversionInstructions": None,
            "internal": False,
        },
        terms=tuple(terms),
        segments=tuple(segments),
        has_old_price=happens(rng, 8),
    )
