"""Countries, Azure regions, VM families and names of the made-up world. Data only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Country:
    code: str
    currency: str
    symbol: str
    culture: str
    city: str
    postal_code: str
    calling_code: str
    state: str = ""


COUNTRIES = {
    country.code: country
    for country in (
        Country("DE", "EUR", "€", "de-DE", "Hamburg", "20095", "49"),
        Country("FR", "EUR", "€", "fr-FR", "Lyon", "69001", "33"),
        Country("GB", "GBP", "£", "en-GB", "Leeds", "LS1 1UR", "44"),
        Country("US", "USD", "$", "en-US", "Portland", "97201", "1", "OR"),
        Country("CA", "CAD", "$", "en-CA", "Toronto", "M5H 2N2", "1", "ON"),
        Country("BR", "BRL", "R$", "pt-BR", "Recife", "50010-000", "55", "PE"),
        Country("JP", "JPY", "¥", "ja-JP", "Osaka", "530-0001", "81"),
        Country("IT", "EUR", "€", "it-IT", "Torino", "10121", "39"),
        Country("ES", "EUR", "€", "es-ES", "Bilbao", "48001", "34"),
        Country("NL", "EUR", "€", "nl-NL", "Utrecht", "3511 AA", "31"),
        Country("AU", "AUD", "$", "en-AU", "Hobart", "7000", "61", "TAS"),
        Country("NZ", "NZD", "$", "en-NZ", "Nelson", "7010", "64"),
        Country("CH", "CHF", "Fr.", "de-CH", "Bern", "3011", "41"),
        Country("NO", "NOK", "kr", "nb-NO", "Bergen", "5003", "47"),
        Country("MX", "MXN", "$", "es-MX", "Puebla", "72000", "52", "PUE"),
        Country("CN", "CNY", "¥", "zh-CN", "Xiamen", "361001", "86"),
    )
}

# Microsoft counts 110 such markets; the documents we have name these three.
MARKETS_WITHOUT_RESERVATIONS = frozenset({"BR", "CN", "RU"})

# Some of these are sold in by no partner: their customers cannot be audited.
FOREIGN_COUNTRIES = ("CH", "NO", "MX", "NZ")

PARTNER_TEMPLATES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("contoso-eu", ("DE", "FR", "GB")),
    ("contoso-americas", ("US", "CA", "BR")),
    ("contoso-jp", ("JP",)),
    ("fabrikam-eu", ("IT", "NL")),
    ("fabrikam-pacific", ("AU",)),
)


@dataclass(frozen=True, slots=True)
class Region:
    spellings: tuple[str, ...]
    """The ARM name as the catalog writes it; its letter case varies there."""
    display: str
    paired_with: str

    @property
    def name(self) -> str:
        return self.spellings[0].lower()


REGIONS = (
    Region(("westeurope",), "West Europe", "northeurope"),
    Region(("japanwest", "JapanWest"), "Japan West", "japaneast"),
    Region(("KoreaSouth", "koreasouth"), "Korea South", "koreacentral"),
    Region(("westus2",), "US West 2", "westcentralus"),
    Region(("japaneast",), "Japan East", "japanwest"),
    Region(("CanadaEast", "canadaeast"), "Canada East", "canadacentral"),
    Region(("northeurope",), "North Europe", "westeurope"),
    Region(("eastus",), "US East", "westus"),
    Region(("uksouth", "UKSouth"), "UK South", "ukwest"),
    Region(("germanywestcentral",), "Germany West Central", "germanynorth"),
    Region(("francecentral", "FranceCentral"), "France Central", "francesouth"),
    Region(("southeastasia",), "Southeast Asia", "eastasia"),
    Region(("australiaeast", "AustraliaEast"), "Australia East", "australiasoutheast"),
    Region(("brazilsouth",), "Brazil South", "southcentralus"),
    Region(("swedencentral",), "Sweden Central", "swedensouth"),
    Region(("centralindia",), "Central India", "southindia"),
    Region(("eastus2",), "US East 2", "centralus"),
    Region(("westus3",), "US West 3", "eastus"),
    Region(("norwayeast",), "Norway East", "norwaywest"),
    Region(("qatarcentral",), "Qatar Central", "westeurope"),
)


@dataclass(frozen=True, slots=True)
class Family:
    title: str
    arm_pattern: str
    """The ARM size with `{}` for the number of cores."""
    ram_per_core: int
    category: str


FAMILIES = (
    Family("Dv3 Series", "Standard_D{}_v3", 4, "General purpose"),
    Family("Ev3 Series", "Standard_E{}_v3", 8, "Memory optimized"),
    Family("Fsv2 Series", "Standard_F{}s_v2", 2, "Compute optimized"),
    Family("Dsv3 Series", "Standard_D{}s_v3", 4, "General purpose"),
    Family("Dasv5 Series", "Standard_D{}as_v5", 4, "General purpose"),
    Family("Easv5 Series", "Standard_E{}as_v5", 8, "Memory optimized"),
    Family("Lsv2 Series", "Standard_L{}s_v2", 8, "Storage optimized"),
    Family("Bs Series", "Standard_B{}ms", 4, "Burstable"),
    Family("NCv3 Series", "Standard_NC{}s_v3", 18, "GPU"),
    Family("Msv2 Series", "Standard_M{}s_v2", 28, "Memory optimized"),
    Family("Ddsv5 Series", "Standard_D{}ds_v5", 4, "General purpose"),
    Family("HBv2 Series", "Standard_HB{}rs_v2", 4, "High performance compute"),
)

CORES = (2, 4, 8, 16, 32, 48, 64, 96)

LICENCES = (
    "Business Mail Basic",
    "Business Apps Standard",
    "Business Apps Premium",
    "Office Suite E1",
    "Office Suite E3",
    "Office Suite E5",
    "Diagram Plan 2",
    "Project Plan 3",
    "Sales Professional",
    "Report Pro",
    "Mailbox Plan 1",
    "Endpoint Defence for Business",
)

NAMES_BEFORE = (
    *("Alpine", "Baltic", "Cobalt", "Dover", "Elbe", "Fjord", "Granite", "Harbour"),
    *("Indigo", "Juniper", "Kestrel", "Lindner", "Müller", "Nordstern", "O'Hara", "Pacific"),
    *("Quartz", "Rowan", "Søborg", "Tamarack", "Umber", "Vega", "Willow", "Yarrow"),
)
NAMES_AFTER = (
    *("Bakery", "Logistics", "Clinics", "Dental", "Energy", "Foundry", "Gardens", "Hotels"),
    *("Insurance", "Joinery", "Law & Partners", "Motors", "Optics", "Press", "Rail", "Shipping"),
    *("Textiles", "Vineyards", "Waterworks", "Zoo"),
)
