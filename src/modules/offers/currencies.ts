// The currencies that offers are made in: the active codes of ISO 4217, by how many decimals each has. Browser-safe.
// From list one of 25 June 2024, with what was changed since: XCG came for ANG (2025), BGN and CUC went. Left out: metals,
// codes for testing, units of account and funds (XAU, XXX, XTS, XDR, BOV, CHE …). Two of the funds, CLF and UYW, have four
// decimals, more than the column of amounts keeps.

const codes: readonly (readonly [decimals: number, codes: string])[] = [
  [0, 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF'],
  [
    2,
    'AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE ' +
      'CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS ' +
      'KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR ' +
      'NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS ' +
      'TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG',
  ],
  [3, 'BHD IQD JOD KWD LYD OMR TND'],
];

/** By code: how many decimals its amounts have. */
export const currencies: ReadonlyMap<string, number> = new Map(
  codes.flatMap(([decimals, list]) => list.split(' ').map((code) => [code, decimals] as const)),
);
