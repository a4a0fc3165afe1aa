"""Known countries and Azure regions, so that typing errors are found before any call.

Countries are ISO 3166-1 codes and XK, which Partner Center uses for Kosovo. New regions
appear every year, so an unknown region is a warning, never an error.
"""

COUNTRIES = frozenset(
    """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS
    BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE
    EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM
    HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC
    LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA
    NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW
    SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO
    TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW
    """.split()  # noqa: SIM905 - a list literal would be a page long
)

MISTAKEN_COUNTRIES = {"UK": "GB", "EN": "GB", "EL": "GR"}
"""Codes that people write by mistake, with the right ones."""

ARM_REGIONS = frozenset(
    """
    australiacentral australiacentral2 australiaeast australiasoutheast
    austriaeast belgiumcentral brazilsouth brazilsoutheast canadacentral canadaeast centralindia
    centralus chilecentral chinaeast chinaeast2 chinaeast3 chinanorth chinanorth2 chinanorth3
    denmarkeast eastasia eastus eastus2 eastus3 francecentral francesouth germanynorth
    germanywestcentral indonesiacentral israelcentral israelnorthwest italynorth japaneast japanwest
    jioindiacentral jioindiawest koreacentral koreasouth malaysiasouth malaysiawest mexicocentral
    newzealandnorth northcentralus northeurope norwayeast norwaywest polandcentral qatarcentral
    saudiarabiaeast southafricanorth southafricawest southcentralus southeastasia southeastus
    southindia spaincentral swedencentral swedensouth switzerlandnorth switzerlandwest taiwannorth
    taiwannorthwest uaecentral uaenorth uksouth ukwest usdodcentral usdodeast usgovarizona
    usgovtexas usgovvirginia westcentralus westeurope westindia westus westus2 westus3
    """.split()  # noqa: SIM905 - a list literal would be a page long
)

TARGET_VIEWS = frozenset(
    """
    Azure AzureReservations AzureReservationsVM AzureReservationsSQL AzureReservationsCosmosDb
    MicrosoftAzure OnlineServices OnlineServicesNCE MarketplaceSaaS Software SoftwareSUSELinux
    SoftwarePerpetual SoftwareSubscriptions
    """.split()  # noqa: SIM905 - a list literal would be a page long
)
"""From Microsoft's page "Get a list of products"; new views appear without notice."""
