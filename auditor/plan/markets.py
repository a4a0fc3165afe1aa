"""Markets where Azure reservations cannot be bought.

The list is from the table on Partner Center's documentation page "Purchase Azure reservations".
Codes are ISO 3166: Bonaire, Saba and Sint Eustatius share BQ; Svalbard and Jan Mayen share SJ.
"""

_CODES = """
    AX AS AD AI AQ AG AW BJ BT BQ BV BR IO VG BF BI KH CF TD CN CX CC KM CG CD CK DJ DM
    GQ ER FK GF PF TF GA GM GI GL GD GP GU GG GN GW GY HT HM IM SJ JE KI XK LA LS LR MG
    MW MV ML MH MQ MR YT FM MS MZ MM NR NC NE NU NF MP PW PG PN RE RU BL LC MF PM VC WS
    SM ST SC SL SX SB SO GS SS SH SR SZ TL TK TO TC TV UM VU VA WF YE
"""

WITHOUT_RESERVATIONS = frozenset(_CODES.split())
