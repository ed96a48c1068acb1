// Of the envelopes, the constants that stand in no schema: a client loads them without TypeBox. [H, C]

export const protocolVersion = 1;
export const subprotocol = 'carillon.v1';

export const closeCodes = {
  goingAway: 1001,
  tooBig: 1009,
  restart: 1012,
  overloaded: 1013,
  nonsense: 4400,
  unauthorized: 4401,
  revoked: 4403,
  authTimeout: 4408,
} as const;
