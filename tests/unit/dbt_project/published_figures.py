"""Published figures of the five municipalities, to build and to compare with.

Emissions: national emission database, SMHI, CC BY 4.0 (tonnes a year, by municipality code and year), in the vintages
of 2024-12 (CO2), 2026-02 and 2026-06 (greenhouse gases, CO2e). Results: the open calculations of Klimatkollen on these
vintages (Apache-2.0 and MIT).
"""

from typing import Any

Series = dict[str, dict[int, float]]

CO2_2024_12: Series = {
    "0604": {
        2015: 17529.287,
        2016: 16829.47,
        2017: 19284.249,
        2018: 17377.932,
        2019: 17454.642,
        2020: 15795.092,
        2021: 15898.064,
        2022: 14250.438,
    },
    "0682": {
        2015: 70443.121,
        2016: 70795.292,
        2017: 69960.767,
        2018: 66308.404,
        2019: 66091.868,
        2020: 60358.218,
        2021: 62084.578,
        2022: 54275.688,
    },
    "0684": {
        2015: 36702.697,
        2016: 35145.876,
        2017: 35355.213,
        2018: 34132.42,
        2019: 33295.098,
        2020: 29996.223,
        2021: 30618.139,
        2022: 27465.43,
    },
    "0685": {
        2015: 111710.939,
        2016: 101289.492,
        2017: 100726.109,
        2018: 90297.398,
        2019: 88874.091,
        2020: 81279.896,
        2021: 85252.469,
        2022: 77353.277,
    },
    "0686": {
        2015: 71103.705,
        2016: 73595.452,
        2017: 74236.71,
        2018: 69203.083,
        2019: 67837.018,
        2020: 64185.907,
        2021: 65908.219,
        2022: 63794.428,
    },
}
GHG_2026_02: Series = {
    "0604": {
        2015: 44739.82,
        2016: 44035.07,
        2017: 46900.28,
        2018: 44444.87,
        2019: 44118.53,
        2020: 43112.83,
        2021: 42734.47,
        2022: 41061.31,
        2023: 42384.8,
    },
    "0682": {
        2015: 120035.41,
        2016: 119698.47,
        2017: 119067.26,
        2018: 113734.43,
        2019: 112948.1,
        2020: 106912.02,
        2021: 107171.3,
        2022: 98726.83,
        2023: 97260.7,
    },
    "0684": {
        2015: 70421.8,
        2016: 68727.32,
        2017: 69386.02,
        2018: 67235.38,
        2019: 66228.34,
        2020: 61728.75,
        2021: 61947.81,
        2022: 58643.71,
        2023: 58158.37,
    },
    "0685": {
        2015: 174629.7,
        2016: 163646.77,
        2017: 163550.74,
        2018: 150951.73,
        2019: 148780.34,
        2020: 139109.7,
        2021: 141278.93,
        2022: 133159.48,
        2023: 134787.59,
    },
    "0686": {
        2015: 113253.23,
        2016: 115829.19,
        2017: 116930.1,
        2018: 110801.55,
        2019: 108695.49,
        2020: 106798.35,
        2021: 107867.07,
        2022: 105435.41,
        2023: 102923.19,
    },
}
GHG_2026_06: Series = {
    "0604": {2015: 47966.582, 2020: 43131.03, 2021: 42531.995, 2022: 40880.669, 2023: 42033.449, 2024: 44919.208},
    "0682": {2015: 122731.502, 2020: 106869.432, 2021: 106483.372, 2022: 98353.657, 2023: 96256.758, 2024: 108542.566},
    "0684": {2015: 71421.497, 2020: 61782.964, 2021: 61596.527, 2022: 58182.448, 2023: 57324.568, 2024: 64728.704},
    "0685": {
        2015: 177569.884,
        2020: 139070.243,
        2021: 140594.391,
        2022: 132851.358,
        2023: 133683.032,
        2024: 142679.026,
    },
    "0686": {2015: 115932.501, 2020: 105950.631, 2021: 107594.494, 2022: 105837.95, 2023: 102872.464, 2024: 112987.48},
}

METHOD_A: dict[str, dict[str, Any]] = {
    "0604": {
        "emissionsSlope": -905.764,
        "historicalEmissionChangePercent": -0.727,
        "totalTrend": 805962.65,
        "totalCarbonLaw": 351513.053,
        "hitNetZero": "2073-08-05",
        "meetsParis": False,
    },
    "0682": {
        "emissionsSlope": -3172.414,
        "historicalEmissionChangePercent": -1.356,
        "totalTrend": 1603219.279,
        "totalCarbonLaw": 833351.272,
        "hitNetZero": "2058-03-20",
        "meetsParis": False,
    },
    "0684": {
        "emissionsSlope": -1762.116,
        "historicalEmissionChangePercent": -1.087,
        "totalTrend": 1001476.934,
        "totalCarbonLaw": 499079.774,
        "hitNetZero": "2060-09-24",
        "meetsParis": False,
    },
    "0685": {
        "emissionsSlope": -6162.582,
        "historicalEmissionChangePercent": -2.401,
        "totalTrend": 1444228.518,
        "totalCarbonLaw": 1062944.821,
        "hitNetZero": "2047-02-25",
        "meetsParis": False,
    },
    "0686": {
        "emissionsSlope": -1442.079,
        "historicalEmissionChangePercent": -0.285,
        "totalTrend": 2319959.482,
        "totalCarbonLaw": 897815.794,
        "hitNetZero": "2102-05-08",
        "meetsParis": False,
    },
}
METHOD_B: dict[str, dict[str, Any]] = {
    "0604": {
        "budget": 28606.023,
        "trendEmission": 219268.595,
        "historicalEmissionChangePercent": -2.581,
        "neededEmissionChangePercent": 39.371,
        "hitNetZero": "2055-08-15",
        "budgetRunsOut": "2026-01-25",
    },
    "0682": {
        "budget": 110729.941,
        "trendEmission": 632301.768,
        "historicalEmissionChangePercent": -3.517,
        "neededEmissionChangePercent": 37.969,
        "hitNetZero": "2047-11-24",
        "budgetRunsOut": "2026-03-13",
    },
    "0684": {
        "budget": 55908.094,
        "trendEmission": 272780.299,
        "historicalEmissionChangePercent": -3.956,
        "neededEmissionChangePercent": 37.207,
        "hitNetZero": "2044-12-14",
        "budgetRunsOut": "2026-04-10",
    },
    "0685": {
        "budget": 156796.464,
        "trendEmission": 498655.34,
        "historicalEmissionChangePercent": -4.963,
        "neededEmissionChangePercent": 34.852,
        "hitNetZero": "2038-10-28",
        "budgetRunsOut": "2026-07-22",
    },
    "0686": {
        "budget": 117017.811,
        "trendEmission": 1093505.95,
        "historicalEmissionChangePercent": -1.469,
        "neededEmissionChangePercent": 40.524,
        "hitNetZero": "2066-02-20",
        "budgetRunsOut": "2025-12-21",
    },
}
